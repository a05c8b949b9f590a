"""Check `lexicon`: banned terms block, terms with a better word warn and offer it.

Words that the brief itself prescribes (a product's name, an offer) are exempt; so is the better word where it happens
to contain the worse one.
"""

from collections.abc import Iterator

from brand_voice.guide import Brand, Preference
from brand_voice.records import Finding
from brand_voice.screen.patterns import Terms
from brand_voice.screen.text import Copy, Span, fold


class Lexicon:
    """The brand's words, prepared for one-pass search."""

    def __init__(self, brand: Brand) -> None:
        banned = brand.lexicon.banned
        self._banned = {fold(item.term): item for item in banned}
        self._prefer: dict[str, list[Preference]] = {}
        for preference in brand.lexicon.prefer:
            for term in preference.instead_of:
                self._prefer.setdefault(fold(term), []).append(preference)
        self._better = frozenset(fold(preference.say) for preference in brand.lexicon.prefer)
        substrings = [fold(item.term) for item in banned if item.match == "substring"]
        words = (*(fold(item.term) for item in banned if item.match == "word"), *self._prefer, *self._better)
        self._terms = Terms(words, substrings)
        self.has_terms = bool(self._banned or self._prefer)

    def check(self, copy: Copy) -> Iterator[Finding]:
        """Findings on single words and phrases."""
        found = sorted(self._terms.find(copy.folded), key=lambda hit: (hit[0], -hit[1]))
        better = [(start, end) for start, end, term in found if term in self._better]
        for start, end, term in found:
            if _is_inside((start, end), copy.required):
                continue
            preference = self._preference(term, copy.brief.locale)
            if term in self._banned:
                yield self._banned_finding(copy, (start, end), term, preference)
            elif preference and not _is_inside((start, end), better):
                yield Finding(
                    rule=f"lexicon.prefer.{term}",
                    check="lexicon",
                    severity="warn",
                    message=f'Say "{preference.say}" instead of "{term}".',
                    start=start,
                    end=end,
                    suggestion=_cased(preference.say, copy.text[start:end]),
                )

    def _preference(self, term: str, locale: str) -> Preference | None:
        suited = (p for p in self._prefer.get(term, ()) if p.locale in (None, locale))
        return next(suited, None)

    def _banned_finding(self, copy: Copy, span: Span, term: str, preference: Preference | None) -> Finding:
        item = self._banned[term]
        say = preference.say if preference and not self._is_banned(preference.say) else None
        return Finding(
            rule=f"lexicon.banned.{term}",
            check="lexicon",
            severity="block",
            message=f'"{item.term}" is banned' + (f": {item.why}" if item.why else "."),
            start=span[0],
            end=span[1],
            suggestion=_cased(say, copy.text[span[0] : span[1]]) if say else None,
        )

    def _is_banned(self, phrase: str) -> bool:
        return any(term in self._banned for _, _, term in self._terms.find(fold(phrase)))


def _is_inside(span: Span, outer: list[Span]) -> bool:
    return any(start <= span[0] and span[1] <= end for start, end in outer)


def _cased(say: str, original: str) -> str:
    return say[0].upper() + say[1:] if original[:1].isupper() else say
