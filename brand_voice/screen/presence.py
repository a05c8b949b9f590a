"""Checks `must_have` and `offer`: what the brief prescribes stands in the copy.

Both ignore case and white space: a sentence may start with an offer. In a locale other than the brand's first an
offer is localised ("20% off until Friday" becomes "Bis Freitag 20 % Rabatt"): there its numbers and codes must stand.
"""

import re
from collections.abc import Iterator

from brand_voice.guide import Brand
from brand_voice.records import Brief, Finding
from brand_voice.screen.quantities import VAGUE, Quantity, quantities
from brand_voice.screen.text import Copy, fold, occurrences, squeeze

_CODE = re.compile(r"\b(?=[A-Z0-9]*[A-Z])[A-Z0-9]{4,}\b")


def must_have(copy: Copy) -> Iterator[Finding]:
    """Findings on missing must-haves."""
    for item in copy.brief.must_include:
        if not _stands_in(squeeze(item), copy.squeezed):
            yield Finding(
                rule="must_have.missing", check="must_have", severity="block", message=f'"{item}" is missing.'
            )


def _stands_in(item: str, text: str) -> bool:
    return any(occurrences(text, item)) or any(occurrences(text, item + "s"))


def offer_parts(brief: Brief, brand: Brand) -> tuple[list[str], list[Quantity]]:
    """What of the brief's offer must stand in the copy: literal texts, and numbers in any notation.

    Both are empty where there is no offer, or nothing of it survives localisation unchanged.
    """
    if not brief.offer:
        return [], []
    if brief.locale == brand.locales[0]:
        return [brief.offer], []
    codes = _CODE.findall(brief.offer)
    plain = fold(brief.offer)
    for code in codes:
        plain = plain.replace(fold(code), " ")
    return codes, [q for q in quantities(plain) if q.word not in VAGUE]


def offer(copy: Copy, brand: Brand) -> Iterator[Finding]:
    """Findings on a missing or changed offer."""
    texts, numbers = offer_parts(copy.brief, brand)
    missing = any(not _stands_in(squeeze(text), copy.squeezed) for text in texts)
    if numbers and not missing:
        present = list(quantities(copy.folded))
        missing = any(not any(wanted.agrees(q) for q in present) for wanted in numbers)
    if missing:
        yield Finding(
            rule="offer.missing",
            check="offer",
            severity="block",
            message=f'The offer "{copy.brief.offer}" is missing or changed.',
        )
