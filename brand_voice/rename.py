"""The same pair of brief and copy about another product: name, numbers and offer changed in both alike.

A small model learns names and numbers by heart where it should read them from the brief. Drawn anew in every epoch,
a pair teaches only what stays: the voice, and that what the brief says is said. Which words a text took from its brief
is decided by spelling; a text that plays on part of a name keeps its name.
"""

import random
import re

from brand_voice import invent
from brand_voice.records import Brief, BriefProduct

NAME_SHARE = 0.75
"""How often a draw changes the name, and the offer."""
NUMBER_SHARE = 0.5
"""How often it changes a number of two digits or more."""
COMMON = frozenset(
    """
    about after again also around because been before both comes does down each enough even every first from
    gets gives goes have here into just keep keeps know last less like long made make makes more most much need
    never next only open other over part right same some still take takes than that their them then there they
    this through under until upon very want well were what when where which while will with without work works
    your yours
    """.split()
)

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WORD = re.compile(r"[a-z]{4,}")


def renamed(
    rng: random.Random, brief: Brief, text: str, *, max_chars: int, word_share: float = 0.0
) -> tuple[Brief, str]:
    """Brief and text with changes they share, or as they are where the text would pass `max_chars`.

    Args:
        rng: decides; the same state gives the same change.
        brief: what the text was written for.
        text: the copy.
        max_chars: the channel's limit.
        word_share: share of the other words common to both that are changed too.
    """
    swaps = _name(rng, brief, text) | _offer(rng, brief, text)
    kept = (*swaps, brief.product.name, brief.offer or "")
    for found in sorted(set(_NUMBER.findall(brief.said()))):  # a set's order differs from run to run
        if len(found) > 1 and rng.random() < NUMBER_SHARE and not any(found in each for each in kept):
            swaps[found] = invent.number(rng, found)
    if word_share:
        swaps |= _words(rng, brief, text, word_share)
    changed = swap(text, swaps)
    return (brief, text) if len(changed) > max_chars else (_swap_brief(brief, swaps), changed)


def _name(rng: random.Random, brief: Brief, text: str) -> dict[str, str]:
    """A new name, unless the text plays on the old one: "the Heron" for "Great Heron" would contradict it."""
    name = brief.product.name
    rest = text.replace(name, "")
    is_played_on = any(word in rest for word in re.findall(r"\w{4,}", name))
    return {} if is_played_on or rng.random() >= NAME_SHARE else {name: invent.name(rng)}


def _offer(rng: random.Random, brief: Brief, text: str) -> dict[str, str]:
    codes = [term for term in brief.must_include if brief.offer and term in brief.offer]
    if codes:
        return {code: invent.code(rng) for code in codes}
    is_quoted = brief.offer is not None and brief.offer in text
    return {str(brief.offer): invent.offer(rng)} if is_quoted and rng.random() < NAME_SHARE else {}


def _words(rng: random.Random, brief: Brief, text: str, share: float) -> dict[str, str]:
    """New words for some that the copy takes from facts and message: what it says must be read, not remembered."""
    told = " ".join((*brief.product.facts, brief.key_message)).lower()
    shared = set(_WORD.findall(told)) & set(_WORD.findall(text.lower())) - COMMON
    swaps = {word: invent.word(rng) for word in sorted(shared) if rng.random() < share}
    return swaps | {word.capitalize(): new.capitalize() for word, new in swaps.items()}


def swap(text: str, swaps: dict[str, str]) -> str:
    """Replace every key by its value in one pass, longest first, never inside a longer word or number."""
    if not swaps:
        return text
    keys = sorted(swaps, key=len, reverse=True)
    found = re.compile("|".join(rf"(?<![\w.,])(?<!\d){re.escape(k)}(?!\w)(?![.,]\d)" for k in keys))
    return found.sub(lambda m: swaps[m.group()], text)


def _swap_brief(brief: Brief, swaps: dict[str, str]) -> Brief:
    product = brief.product
    return brief.model_copy(
        update={
            "product": BriefProduct(
                sku=product.sku,
                name=swap(product.name, swaps),
                category=product.category,
                facts=tuple(swap(f, swaps) for f in product.facts),
            ),
            "key_message": swap(brief.key_message, swaps),
            "offer": swap(brief.offer, swaps) if brief.offer else None,
            "cta": swap(brief.cta, swaps) if brief.cta else None,
            "must_include": tuple(swap(m, swaps) for m in brief.must_include),
        }
    )
