"""Regular expressions and terms from a brand's file: the one place that runs them.

They are untrusted: a pattern is compiled when the brand is prepared, so that a bad one stops the run before any text
is read, and every match runs under a timeout. The `regex` module counts the process's CPU seconds, so a busy machine
does not trip it.
"""

from collections.abc import Iterable, Iterator

import ahocorasick
import regex

from brand_voice.errors import BrandError
from brand_voice.screen.text import Span, is_bounded

MATCH_TIMEOUT_S = 2.0


class Pattern:
    """A compiled pattern that knows which rule it belongs to."""

    def __init__(self, source: str, *, rule: str, brand: str) -> None:
        """Compile, case-insensitive.

        Raises:
            BrandError: the pattern is no regular expression.
        """
        self.source, self.rule, self.brand = source, rule, brand
        try:
            self._compiled = regex.compile(source, regex.IGNORECASE)
        except (regex.error, RecursionError, OverflowError) as exc:
            raise BrandError(
                f"{brand}: the pattern of rule {rule} is no regular expression: {source!r} ({exc})",
                remedy=f"Correct the pattern of {rule} in the brand's brand.yaml.",
            ) from exc

    def spans(self, text: str) -> list[Span]:
        """Spans of all non-empty matches.

        Raises:
            BrandError: the pattern ran longer than `MATCH_TIMEOUT_S`.
        """
        try:
            return [m.span() for m in self._compiled.finditer(text, timeout=MATCH_TIMEOUT_S) if m.end() > m.start()]
        except TimeoutError as exc:
            raise self._too_slow(text) from exc

    def is_in(self, text: str) -> bool:
        """Whether the pattern matches anywhere.

        Raises:
            BrandError: the pattern ran longer than `MATCH_TIMEOUT_S`.
        """
        try:
            return self._compiled.search(text, timeout=MATCH_TIMEOUT_S) is not None
        except TimeoutError as exc:
            raise self._too_slow(text) from exc

    def _too_slow(self, text: str) -> BrandError:
        return BrandError(
            f"{self.brand}: the pattern of rule {self.rule} ran over {MATCH_TIMEOUT_S:g} s on a text of "
            f"{len(text)} characters: {self.source!r}",
            remedy=f"Rewrite the pattern of {self.rule} without nested repetition such as (a+)+.",
        )


class Terms:
    """Literal terms, found in one pass however many there are."""

    def __init__(self, words: Iterable[str], substrings: Iterable[str] = ()) -> None:
        self._inside = frozenset(substrings)
        self._automaton = ahocorasick.Automaton()
        for term in {*words, *self._inside} - {""}:
            self._automaton.add_word(term, term)
        if len(self._automaton):
            self._automaton.make_automaton()

    def find(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Start, end and term of every occurrence; a word term only between word boundaries."""
        if not len(self._automaton):
            return
        for last, term in self._automaton.iter(text):
            start, end = last + 1 - len(term), last + 1
            if term in self._inside or is_bounded(text, start, end):
                yield start, end, term
