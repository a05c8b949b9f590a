"""Days of the week and months in copy, English and German, comparable across the two languages.

"May" and "March" count only as capitalised words inside a sentence or beside a day number: they are verbs, too.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_DAYS = (
    "monday|mondays|montag|montags",
    "tuesday|tuesdays|dienstag|dienstags",
    "wednesday|wednesdays|mittwoch|mittwochs",
    "thursday|thursdays|donnerstag|donnerstags",
    "friday|fridays|freitag|freitags",
    "saturday|saturdays|samstag|samstags|sonnabend",
    "sunday|sundays|sonntag|sonntags",
)
_MONTHS = (
    "january|januar|jänner",
    "february|februar",
    "march|märz",
    "april",
    "may|mai",
    "june|juni",
    "july|juli",
    "august",
    "september",
    "october|oktober",
    "november",
    "december|dezember",
)
_KEYS = {word: i for i, words in enumerate((*_DAYS, *_MONTHS)) for word in words.split("|")}
_NAME = re.compile(rf"(?<!\w)(?=[a-z])(?:{'|'.join(sorted(_KEYS, key=len, reverse=True))})(?!\w)")
_AMBIGUOUS = frozenset({"may", "march", "august"})
_BESIDE_NUMBER = re.compile(r"\d(?:st|nd|rd|th|\.)? (?:of )?$")


class Day(NamedTuple):
    """A day of the week or a month in a text."""

    start: int
    end: int
    key: int
    """0 to 6 for Monday to Sunday, 7 to 18 for January to December."""


def days_and_months(folded: str, original: str | None = None) -> Iterator[Day]:
    """Days and months named in a folded text; without the original no capital tells the month May from the verb."""
    for match in _NAME.finditer(folded):
        word = match.group()
        if original is not None and word in _AMBIGUOUS and not _is_month(original, match.start(), match.end()):
            continue
        yield Day(match.start(), match.end(), _KEYS[word])


def _is_month(text: str, start: int, end: int) -> bool:
    if text[start].islower():
        return False
    before = text[:start].rstrip()
    beside = _BESIDE_NUMBER.search(text, max(0, start - 10), start) or re.match(r" \d", text[end : end + 2])
    return bool(beside or (before and before[-1] not in ".!?…:\"'“"))
