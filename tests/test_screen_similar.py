import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz import fuzz, process
from screen_samples import RECORDED, a_brief, recorded

from brand_voice.screen.similar import masked, near_duplicates, nearest, similarity


def test_texts_that_differ_in_name_number_offer_and_code_are_one():
    one = masked("Glo Stove: 890 g. 15% off with code RIME15.", a_brief(offer="15% off with code RIME15"))
    other = a_brief(offer="20% off", product=a_brief().product.model_copy(update={"name": "Rim Solo"}))
    assert one == masked("RIM SOLO:  1,200 g. 20% off.", other)


def test_masking_keeps_other_words():
    assert masked("Glo Stove boils. Globe.", a_brief()) != masked("Glo Stove freezes. Globe.", a_brief())


@pytest.mark.parametrize("brand_id", RECORDED)
def test_every_recorded_near_duplicate_is_a_candidate(brand_id):
    data = recorded(brand_id)
    texts = [masked(text, data.briefs[brief_id]) for (brief_id, _), text in data.texts.items()]
    alike = process.cdist(texts, texts, scorer=fuzz.ratio) >= 85
    every_pair = {(i, j) for i in range(len(texts)) for j in range(i + 1, len(texts)) if alike[i, j]}
    assert {(i, j) for i, j, _ in near_duplicates(texts)} == every_pair


def test_short_texts_with_a_few_edits_are_still_candidates():
    draw = random.Random(7)
    texts = [t for data in map(recorded, RECORDED) for t in data.texts.values() if 20 < len(t) < 60]
    pairs = []
    for text in draw.sample(texts, 400):
        at = draw.randrange(2, len(text) - 2)
        other = text[:at] + draw.choice("xyz") + text[at + 2 :]
        pairs.append((text, other))
    missed = [pair for pair in pairs if similarity(*pair) >= 0.85 and not near_duplicates(pair)]
    assert len(missed) <= 4


def test_the_nearest_text_is_found_and_an_empty_corpus_has_none():
    assert nearest("a small pot", ["a big tent", "a small pan"]) == (1, similarity("a small pot", "a small pan"))
    assert nearest("a small pot", []) is None


@given(st.lists(st.text(max_size=30), max_size=12), st.floats(0.5, 1))
def test_pairs_are_ordered_confirmed_and_contain_exact_repeats(texts, threshold):
    pairs = near_duplicates(texts, threshold)
    assert pairs == sorted(pairs)
    assert all(i < j and alike == similarity(texts[i], texts[j]) >= threshold for i, j, alike in pairs)
    repeats = {(i, j) for j in range(len(texts)) for i in range(j) if texts[i] == texts[j]}
    assert repeats <= {(i, j) for i, j, _ in pairs}
