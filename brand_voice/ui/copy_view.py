"""How a text and its findings are shown: spans with a severity, sentences, and a counter. Plain values, no HTML."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import get_args

from brand_voice.errors import BrandVoiceError
from brand_voice.guide import Brand
from brand_voice.records import Brief, Finding, Severity
from brand_voice.screen.sms import sms_segments

MAX_COMPARED_WORDS = 2_000
"""Longer texts are shown whole, before and after: comparing takes the square of the length."""
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""Worst first."""


def highlighted(text: str, findings: Sequence[Finding] = ()) -> list[tuple[str, str | None]]:
    """The text in pieces, each under the worst severity that concerns it, or under none."""
    spans = [(f.start, f.end, f.severity) for f in findings if f.start is not None and f.end is not None]
    cuts = sorted({0, len(text), *(min(cut, len(text)) for start, end, _ in spans for cut in (start, end))})
    pieces = []
    for begin, stop in pairwise(cuts):
        found = [severity for start, end, severity in spans if start <= begin and stop <= end]
        worst = min(found, key=SEVERITIES.index).capitalize() if found else None
        pieces.append((text[begin:stop], worst))
    return pieces


def marked(text: str, findings: Sequence[Finding]) -> list[tuple[str, str | None]]:
    """The text in pieces where a finding has a place in it; empty where none has: the text stands in its box anyway."""
    return highlighted(text, findings) if any(finding.start is not None for finding in findings) else []


def difference(before: str, after: str) -> list[tuple[str, str | None]]:
    """What an edit did, word by word: pieces under `Out`, under `In`, or as they were; empty for equal texts."""
    if before == after:
        return []
    old, new = (_WORDS.findall(text) for text in (before, after))
    if max(len(old), len(new)) > MAX_COMPARED_WORDS:
        return [(before, "Out"), (after, "In")]
    pieces: list[tuple[str, str | None]] = []
    out, in_ = "", ""
    for kind, a, b, c, d in [*SequenceMatcher(None, old, new, autojunk=False).get_opcodes(), ("end", 0, 0, 0, 0)]:
        went, came = "".join(old[a:b]), "".join(new[c:d])
        if kind not in ("equal", "end") or (went.isspace() and (out or in_)):  # a space between changes goes with them
            out, in_ = out + went, in_ + came
            continue
        pieces += [(text, label) for text, label in ((out, "Out"), (in_, "In"), (went, None)) if text]
        out, in_ = "", ""
    return pieces


def fixes(text: str, findings: Sequence[Finding]) -> list[str]:
    """What rules would put instead, as a person reads it; alike ones once."""
    return list(dict.fromkeys(_fix(text, finding) for finding in findings if _is_fixable(finding)))


def fixed(text: str, findings: Sequence[Finding], fix: str) -> str:
    """The text after one of its `fixes`: where the rule found the same thing twice, both places; else as it was."""
    wanted = [finding for finding in findings if _is_fixable(finding) and _fix(text, finding) == fix]
    for finding in sorted(wanted, key=lambda f: f.start or 0, reverse=True):
        before, after = text[: finding.start], text[finding.end :]
        is_gap = finding.suggestion == "" and (not before or before[-1].isspace())
        text = before + (finding.suggestion or "") + (after.lstrip(" ") if is_gap else after)
    return text


def sentences(findings: Sequence[Finding]) -> str:
    """One line a finding, the worst first; a suggestion that replaces the span is named."""
    ordered = sorted(findings, key=lambda f: SEVERITIES.index(f.severity))
    return "\n".join(_sentence(f) for f in ordered) or "None."


def counter(text: str, brief: Brief, guide: Brand) -> str:
    """The text's length against the channel's limits, for SMS in segments too."""
    limits = guide.channels.get(brief.channel)
    if limits is None:
        return f"{len(text)} characters"
    parts = [f"{len(text)} of {limits.max_chars} characters"]
    if len(text) > limits.max_chars:
        parts.append(f"{len(text) - limits.max_chars} too many")
    elif len(text) < limits.min_chars:
        parts.append(f"at least {limits.min_chars}")
    if "sms" in brief.channel.split("_"):
        segments = sms_segments(text)
        parts.append(f"{segments} SMS segment{'' if segments == 1 else 's'}")
    return " · ".join(parts)


def told(error: BrandVoiceError) -> str:
    """An error as the page says it: what happened, then what to do."""
    message = error.message.rstrip(". ")
    return f"{message[:1].upper()}{message[1:]}.\nTo do: {error.remedy}."


def spoken(name: str) -> str:
    """An id as a person reads it: `email_subject` becomes "Email subject"."""
    return name.replace("_", " ").capitalize().replace("Sms", "SMS")


def _is_fixable(finding: Finding) -> bool:
    return finding.suggestion is not None and finding.start is not None and finding.end is not None


def _fix(text: str, finding: Finding) -> str:
    there = "".join(c if c.isprintable() else f"U+{ord(c):04X}" for c in text[finding.start : finding.end])
    return f"“{there}” → “{finding.suggestion}”" if finding.suggestion else f"Take out “{there}”"


def _sentence(finding: Finding) -> str:
    message = " ".join(finding.message.split())
    change = "" if finding.suggestion is None else f" Use “{finding.suggestion}” instead."
    change = " Take it out." if finding.suggestion == "" else change
    return f"{finding.severity.capitalize()} · {message}{change}"
