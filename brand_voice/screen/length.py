"""Check `length`: the channel's limits in characters, and segments for SMS.

Over the limit blocks: the channel cuts it off. Under the minimum blocks too, and that is measured: of 2,307 approved
recorded texts none is under it. More than one SMS segment is a warning: it is sent, and billed twice.
"""

from collections.abc import Iterator

from brand_voice.guide import Brand
from brand_voice.records import Finding
from brand_voice.screen.sms import PLAIN, encoding, outside_gsm, sms_segments
from brand_voice.screen.text import Copy


def length(copy: Copy, brand: Brand) -> Iterator[Finding]:
    """Findings on the text's length."""
    channel = brand.channels.get(copy.brief.channel)
    if channel is None:
        return
    size, name = len(copy.text), copy.brief.channel.replace("_", " ")
    if size > channel.max_chars:
        yield Finding(
            rule="length.max",
            check="length",
            severity="block",
            message=f"{size} characters; the limit of the {name} is {channel.max_chars}.",
            start=channel.max_chars,
            end=size,
        )
    if size < channel.min_chars or not copy.text.strip():
        yield Finding(
            rule="length.min",
            check="length",
            severity="block",
            message=f"{size} characters; the {name} needs at least {channel.min_chars}.",
        )
    if "sms" in copy.brief.channel.split("_") and size <= channel.max_chars:
        yield from _segments(copy.text)


def _segments(text: str) -> Iterator[Finding]:
    segments = sms_segments(text)
    if segments < 2:
        return
    message = f"Sent as {segments} SMS segments ({encoding(text)})"
    odd = outside_gsm(text)
    if not odd:
        yield Finding(rule="length.sms_segments", check="length", severity="warn", message=f"{message}.")
        return
    at = odd[0]
    letters = " ".join(sorted({text[i] for i in odd if text[i].isprintable()}))
    mended = text[at].translate(PLAIN)
    is_enough = sms_segments(text[:at] + mended + text[at + 1 :]) < 2
    yield Finding(
        rule="length.sms_segments",
        check="length",
        severity="warn",
        message=f"{message}: outside the SMS alphabet: {letters}",
        start=at,
        end=at + 1,
        suggestion=mended if is_enough else None,
    )
