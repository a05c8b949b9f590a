"""A text beside its brief, and how to read it: folding, words, sentences, SMS segments.

Every offset is a code point of the text as written; folding therefore never changes a length. Nothing here knows a
brand or a rule.
"""

import re
from collections.abc import Iterator
from functools import cached_property

from brand_voice.records import Brief

_SAME = {ord(c): "'" for c in "\u2018\u2019\u201b\u00b4"}
_SAME |= {ord(c): '"' for c in "\u201c\u201d\u201e\u00ab\u00bb"}
_SAME |= {ord(c): "-" for c in "\u2010\u2011\u2212"}
_SAME |= {ord(c): " " for c in "\t\n\r\v\f\u0085\u00a0\u2007\u2009\u202f\u2028\u2029\u3000"}

_GROUP_SPACE = re.compile("(?<=\\d)[\u00a0\u2009\u202f](?=\\d{3}(?!\\d))")

WORD = re.compile(r"\w+(?:[-'\u2019.,/]\w+)*")

Span = tuple[int, int]


def fold(text: str) -> str:
    """Lower-case, with plain quotes, hyphens and spaces, one code point for one; "12\u202f500" becomes "12,500"."""
    lower = text.lower()
    if len(lower) != len(text):  # a few capitals (U+0130) grow when lowered
        lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return lower if lower.isascii() and lower.isprintable() else _GROUP_SPACE.sub(",", lower).translate(_SAME)


def shown(text: str, limit: int = 40) -> str:
    """The text as a message may quote it: one line, clipped, without characters that cannot be printed."""
    line = "".join(c if c.isprintable() else "\ufffd" if c.strip() else " " for c in text[: limit + 1])
    return line if len(line) <= limit else line[: limit - 1] + "…"


def is_bounded(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]` stands on word boundaries."""
    before, after = text[start - 1 : start], text[end : end + 1]
    return not (before.isalnum() and text[start].isalnum()) and not (after.isalnum() and text[end - 1].isalnum())


def occurrences(text: str, term: str) -> Iterator[Span]:
    """Spans where `term` stands in `text` as whole words; fold both first for a case-insensitive search."""
    start = text.find(term) if term else -1
    while start >= 0:
        end = start + len(term)
        if is_bounded(text, start, end):
            yield start, end
        start = text.find(term, start + 1)


def squeeze(text: str) -> str:
    """Fold, and make every run of white space one space; offsets are lost."""
    return " ".join(fold(text).split())


def blank(text: str, spans: list[Span]) -> str:
    """The text with the spans turned into spaces; offsets stay."""
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


class Copy:
    """A text beside its brief, each reading of it made once."""

    def __init__(self, text: str, brief: Brief) -> None:
        self.text = text
        self.brief = brief

    @cached_property
    def language(self) -> str:
        """Two letters, from the brief's locale."""
        return self.brief.locale[:2]

    @cached_property
    def folded(self) -> str:
        """The text folded."""
        return fold(self.text)

    @cached_property
    def squeezed(self) -> str:
        """The text folded, white space squeezed."""
        return squeeze(self.text)

    @cached_property
    def said(self) -> str:
        """What the brief says, folded, one item a line."""
        return "\n".join(fold(line) for line in self.brief.said().split("\n"))

    @cached_property
    def names(self) -> list[Span]:
        """Where the product's own name stands in the text."""
        return list(occurrences(self.folded, fold(self.brief.product.name)))

    @cached_property
    def required(self) -> list[Span]:
        """Where the words stand that the brief prescribes: name, offer, must-haves."""
        brief = self.brief
        wanted = {fold(item) for item in (brief.product.name, brief.offer or "", *brief.must_include)}
        return [span for item in wanted for span in occurrences(self.folded, item)]


_STOP = re.compile(r"[.!?…]+[\"'\u201d\u2019\u00bb)\]]*\s+|\n+")
_NEVER_LAST = re.compile(
    r"(?<!\w)(?:dr|mr|mrs|ms|prof|vs|ca|approx|inkl|bzw|evtl|vgl|fig|e\.g|i\.e|z|z\. ?b|d\. ?h|u\. ?a)$", re.IGNORECASE
)
_BEFORE_NUMBER = re.compile(r"(?<!\w)(?:no|nos|nr|vol|fig)$", re.IGNORECASE)
_ORDINAL = re.compile(r"(?<!\d)\d{1,2}$")
_MONTH = re.compile(r"(?:Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember)\b")


def sentences(text: str) -> list[Span]:
    """Spans of the sentences, without the space around them.

    A full stop ends no sentence after "No.", "Dr." or "z. B.", before a small letter, or after a German ordinal
    ("31. Januar"); after a unit ("12 oz. Get one.") it does when a capital follows.
    """
    spans: list[Span] = []
    start = 0
    for stop in _STOP.finditer(text):
        if stop.group().strip() and not _ends_sentence(text, stop.start(), stop.end()):
            continue
        _append(spans, text, start, stop.end())
        start = stop.end()
    _append(spans, text, start, len(text))
    return spans


def _ends_sentence(text: str, stop: int, after: int) -> bool:
    following = text[after : after + 1]
    if text[stop] != ".":
        return not following.islower() or text[stop] == "!"
    before = text[max(0, stop - 12) : stop]
    if _NEVER_LAST.search(before) or (following.isdigit() and _BEFORE_NUMBER.search(before)):
        return False
    if _ORDINAL.search(before) and _MONTH.match(text, after):
        return False
    return not following.islower()


def _append(spans: list[Span], text: str, start: int, end: int) -> None:
    part = text[start:end]
    lead = len(part) - len(part.lstrip())
    if part.strip():
        spans.append((start + lead, start + len(part.rstrip())))
