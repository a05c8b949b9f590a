"""How many SMS segments a text takes: GSM-7 where its alphabet suffices, UCS-2 as soon as one character is outside it.

Sources: 3GPP TS 23.038 (alphabet, extension table), TS 23.040 (concatenation header: 153 septets or 67 code units).
"""

from typing import Literal

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")

PLAIN = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "„": '"', "–": "-", "—": "-", "−": "-", "…": "...", "\u00a0": " ",
     "\u202f": " ", "‑": "-", "\t": " "}
)  # fmt: skip
"""Characters outside GSM-7 that have a plain twin inside."""


def encoding(text: str) -> Literal["GSM-7", "UCS-2"]:
    """The encoding a phone network uses for the text."""
    return "GSM-7" if all(c in _BASIC or c in _EXTENDED for c in text) else "UCS-2"


def outside_gsm(text: str) -> list[int]:
    """Offsets of the characters that force UCS-2."""
    return [i for i, c in enumerate(text) if c not in _BASIC and c not in _EXTENDED]


def sms_segments(text: str) -> int:
    """Number of segments the text is sent and billed in; 0 for an empty text.

    A character of two units (an escape of GSM-7, a surrogate pair of UCS-2) is never split between segments.
    """
    if encoding(text) == "GSM-7":
        sizes, single, part = [2 if c in _EXTENDED else 1 for c in text], 160, 153
    else:
        sizes, single, part = [2 if ord(c) > 0xFFFF else 1 for c in text], 70, 67
    if sum(sizes) <= single:
        return 1 if text else 0
    segments, room = 1, part
    for size in sizes:
        if size > room:
            segments, room = segments + 1, part
        room -= size
    return segments
