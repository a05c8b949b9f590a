"""Renaming, on the base corpus: brief and copy change alike, or not at all."""

import random
import re

from brand_voice.pretrain import pairs
from brand_voice.rename import renamed, swap
from brand_voice.shipped import shipped

SOURCE = pairs.load_natural(shipped("data") / "base-corpus")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def test_brief_and_copy_change_alike() -> None:
    rng = random.Random(3)
    changed = 0
    for original in SOURCE[:400]:
        limit = pairs.LIMITS[original.brief.channel].max_chars
        brief, text = renamed(rng, original.brief, original.text, max_chars=limit, word_share=0.25)
        name, new = original.brief.product.name, brief.product.name
        assert len(text) <= limit or text == original.text
        if new != name and name in original.text:
            changed += 1
            assert new in text
            assert swap(text, {new: name}).count(name) >= original.text.count(name)
        for number in set(NUMBER.findall(text)) - set(NUMBER.findall(original.text)):
            assert number in brief.said(), "a new number in the copy stands in the brief"
    assert changed > 100


def test_a_text_that_plays_on_its_name_keeps_it() -> None:
    brief = SOURCE[0].brief
    brief = brief.model_copy(update={"product": brief.product.model_copy(update={"name": "Great Heron"})})
    text = "Great Heron stands still. So will you, behind the Heron."
    names = {renamed(random.Random(seed), brief, text, max_chars=500)[0].product.name for seed in range(40)}
    assert names == {"Great Heron"}


def test_swapping_never_cuts_a_longer_word_or_number() -> None:
    swaps = {"Oat": "Rye", "12": "99", "Oat Tin": "Elm Jar"}
    assert swap("Oat Tin, Oats, Oat. 12 of 120, 1.12, 12%", swaps) == "Elm Jar, Oats, Rye. 99 of 120, 1.12, 99%"
