"""Check `language`: the copy is in the language of the brief's locale.

lingua tells languages apart offline, from models inside its package. Names and numbers are blanked first, and a text
of fewer than six words is not judged: on the recorded copy shorter ones are guesses.
"""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from brand_voice.guide import Brand
from brand_voice.records import Finding
from brand_voice.screen.text import Copy, blank

if TYPE_CHECKING:
    from lingua import LanguageDetector

MIN_WORDS = 6
MIN_DISTANCE = 0.25
"""How much likelier than the second another language must be, in lingua's relative confidence."""
OTHERS = ("en", "de", "fr", "es")
"""Languages a model may slip into, beside the brand's own."""

_FREQUENT = {
    "en": "the and of with to for is it your you that this are from by has be not at as its off no than our they or",
    "de": "und der das dem den mit für ist von zu dein deine du dich dir nicht sich auf ein eine einem einen auch es",
    "fr": "le les des et pour est une dans avec qui votre vous pas plus sur ce cette du au aux par sans nous",
    "es": "el los las y para una con por que del tu se su más no lo al como sin este esta muy",
}
_FREQUENT_WORDS = {code: frozenset(words.split()) for code, words in _FREQUENT.items()}
"""A text in which every seventh word is one of these needs no model: on the recorded copy nine drafts of ten."""

_LETTERS = re.compile(r"[^\W\d_]{2,}")


class Language:
    """Language detection among the brand's languages and a few others; the models load at the first text."""

    def __init__(self, brand: Brand) -> None:
        self._codes = sorted({*OTHERS, *(locale[:2] for locale in brand.locales)})

    def applies(self, copy: Copy) -> bool:
        """Whether the text is long enough, and its language one that can be told."""
        return len(self._words(copy)) >= MIN_WORDS and (copy.language in OTHERS or copy.language in self._known)

    def check(self, copy: Copy) -> Iterator[Finding]:
        """A warning where another language is clearly likelier."""
        words = self._words(copy)
        frequent = _FREQUENT_WORDS.get(copy.language, frozenset())
        if 7 * sum(word.lower() in frequent for word in words) >= len(words):
            return
        detected = self._detector.detect_language_of(" ".join(words))
        code = detected.iso_code_639_1.name.lower() if detected else copy.language
        if code != copy.language:
            yield Finding(
                rule="language.other",
                check="language",
                severity="warn",
                message=f"Reads as {code}; the brief asks for {copy.brief.locale}.",
            )

    @staticmethod
    def _words(copy: Copy) -> list[str]:
        return _LETTERS.findall(blank(copy.text, copy.names))

    @cached_property
    def _known(self) -> frozenset[str]:
        from lingua import Language as Lingua

        return frozenset(language.iso_code_639_1.name.lower() for language in Lingua.all())

    @cached_property
    def _detector(self) -> "LanguageDetector":
        from lingua import IsoCode639_1, LanguageDetectorBuilder

        codes = [getattr(IsoCode639_1, code.upper()) for code in self._codes if code in self._known]
        builder = LanguageDetectorBuilder.from_iso_codes_639_1(*codes)
        return builder.with_minimum_relative_distance(MIN_DISTANCE).build()
