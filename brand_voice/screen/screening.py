"""Screen a text: run every check of the brand guide that applies to its brief, and collect the findings.

Pure: text and brief in, findings out. A `Screener` is prepared once per brand (compiled patterns, term automaton,
language models on first use) and may be shared by threads. Near-duplicates need other texts and are the flow's.

Characters beyond `READ_CHARS`, or beyond the channel's limit where that is longer, are not read: such a text is
blocked for its length whatever else it says.
"""

from collections.abc import Iterator, Sequence

from brand_voice.guide import Brand
from brand_voice.records import Brief, Finding, Screening
from brand_voice.screen.claims import Claims, Requirements
from brand_voice.screen.language import Language
from brand_voice.screen.length import length
from brand_voice.screen.lexicon import Lexicon
from brand_voice.screen.presence import must_have, offer, offer_parts
from brand_voice.screen.style import Style
from brand_voice.screen.text import Copy
from brand_voice.screen.truth import Truth

READ_CHARS = 10_000


class Screener:
    """One brand's rules, ready to run."""

    def __init__(self, brand: Brand, catalogue: Sequence[str] = ()) -> None:
        """Prepare; `catalogue` holds the names of the brand's products, to notice one in another's copy.

        Raises:
            BrandError: a pattern of the guide is no usable regular expression.
        """
        self._brand = brand
        self._version = brand.version
        self._read_chars = max(READ_CHARS, *(channel.max_chars for channel in brand.channels.values()))
        self._lexicon = Lexicon(brand)
        self._style = Style(brand)
        self._claims = Claims(brand)
        self._requirements = Requirements(brand)
        self._truth = Truth(brand, catalogue)
        self._language = Language(brand)

    def screen(self, text: str, brief: Brief, *, draft_id: str = "", revision: int = 0) -> Screening:
        """Run every check that applies.

        Raises:
            BrandError: a pattern of the guide ran into its timeout on this text.
        """
        whole = Copy(text, brief)
        copy = whole if len(text) <= self._read_chars else Copy(text[: self._read_chars], brief)
        checks: list[str] = []
        findings: list[Finding] = []
        for name, found in self._applying(whole, copy):
            checks.append(name)
            findings.extend(found)
        return Screening(
            draft_id=draft_id,
            revision=revision,
            guide_version=self._version,
            findings=tuple(findings),
            checks=tuple(checks),
        )

    def _applying(self, whole: Copy, copy: Copy) -> Iterator[tuple[str, Iterator[Finding]]]:
        brief = copy.brief
        if brief.channel in self._brand.channels:
            yield "length", length(whole, self._brand)
        if self._lexicon.has_terms:
            yield "lexicon", self._lexicon.check(copy)
        yield "style", self._style.check(copy)
        if self._claims.has_rules:
            yield "claims", self._claims.check(copy)
        if self._requirements.applying(brief.channel):
            yield "requirements", self._requirements.check(copy)
        if brief.must_include:
            yield "must_have", must_have(copy)
        if any(offer_parts(brief, self._brand)):
            yield "offer", offer(copy, self._brand)
        yield "truth", self._truth.check(copy)
        if self._language.applies(copy):
            yield "language", self._language.check(copy)


def screen(
    text: str, brief: Brief, brand: Brand, *, draft_id: str = "", revision: int = 0, catalogue: Sequence[str] = ()
) -> Screening:
    """Screen one text; for many texts of a brand prepare a `Screener` once.

    Raises:
        BrandError: a pattern of the guide is no usable regular expression, or ran into its timeout.
    """
    return Screener(brand, catalogue).screen(text, brief, draft_id=draft_id, revision=revision)
