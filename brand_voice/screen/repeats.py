"""Repetition, part of the check `style`: a word twice in a row, a phrase or a sentence that stands twice.

Four words in a row standing twice, outside names and offers, block: of the 2,307 approved texts of the demo brands one
has that; it is how a small model loops. A shorter phrase at once repeated can be meant ("and hold. And hold.") and
warns.
"""

from collections.abc import Iterator

import regex

from brand_voice.records import Finding, Severity
from brand_voice.screen.text import WORD, Copy, Span, blank, sentences, shown

PHRASE = 4
"""Words in a row that may not stand twice."""

_REPEATED = regex.compile(r"(?<![\w'-])(\p{L}{2,})(?:[^\S\n]+\1)+(?![\w'-])", regex.IGNORECASE)
_MAY_REPEAT = frozenset({"that", "had", "bye", "very", "no", "die", "der", "das", "sie"})


def repeats(copy: Copy) -> Iterator[Finding]:
    """Findings on words, sentences and phrases that stand twice."""
    yield from _words(blank(copy.text, copy.required))
    again = list(_sentences_again(copy.text))
    for span in again:
        yield style_finding("repeated_sentence", "The sentence stands twice.", span, "", "block")
    for span, severity in _phrases_again(copy):
        if not any(start < span[1] and span[0] < end for start, end in again):
            phrase = shown(copy.text[slice(*span)])
            yield style_finding("repeated_phrase", f'"{phrase}" stands twice.', span, None, severity)


def _words(text: str) -> Iterator[Finding]:
    for match in _REPEATED.finditer(text):
        word = match[1]
        if word.lower() not in _MAY_REPEAT and all(other[1:] == word[1:] for other in match.group().split()):
            yield style_finding("repeated_word", f'"{shown(word)}" is repeated.', match.span(), word)


def _sentences_again(text: str) -> Iterator[Span]:
    seen: set[str] = set()
    for start, end in sentences(text):
        words = " ".join(WORD.findall(text[start:end])).lower()
        if words.count(" ") >= 2 and words in seen:
            yield start, end
        seen.add(words)


def _phrases_again(copy: Copy) -> Iterator[tuple[Span, Severity]]:
    """Where a phrase stands for the second time, as far as it goes on."""
    found = list(WORD.finditer(copy.folded))
    words, spans = [m.group() for m in found], [m.span() for m in found]
    first: dict[tuple[str, ...], int] = {}
    at = 0
    while at < len(words):
        earlier = first.setdefault(tuple(words[at : at + PHRASE]), at)
        length = _common(words, earlier, at) if earlier < at else _at_once(words, at)
        span = (spans[at][0], spans[at + length - 1][1]) if length else (0, 0)
        if length and not any(start <= span[0] and span[1] <= end for start, end in copy.required):
            yield span, "block" if length >= PHRASE else "warn"
            at += length
        else:
            at += 1


def _common(words: list[str], earlier: int, at: int) -> int:
    """How many words from `at` on repeat those from `earlier` on; 0 for less than a phrase."""
    length = 0
    while at + length < len(words) and words[earlier + length] == words[at + length]:
        length += 1
    return length if length >= PHRASE else 0


def _at_once(words: list[str], at: int) -> int:
    """Three or two words at `at` that repeat those right before them, or 0."""
    return next((n for n in (3, 2) if at >= n and words[at - n : at] == words[at : at + n] and n <= len(words) - at), 0)


def style_finding(rule: str, message: str, span: Span, suggestion: str | None, severity: Severity = "warn") -> Finding:
    """A finding of the check `style`."""
    return Finding(
        rule=f"style.{rule}",
        check="style",
        severity=severity,
        message=message,
        start=span[0],
        end=span[1],
        suggestion=suggestion,
    )
