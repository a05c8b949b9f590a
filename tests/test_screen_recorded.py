"""How the checks do on recorded copy: the limits are what was measured, rounded to the careful side."""

import re

import pytest
from screen_samples import RECORDED, Recorded, recorded


def is_blocked(data: Recorded, brief_id: str, text: str, check: str | None = None) -> bool:
    blocks = data.screener.screen(text, data.briefs[brief_id]).blocks
    return any(check in (None, finding.check) for finding in blocks)


@pytest.mark.parametrize("brand_id", RECORDED)
def test_approved_copy_is_hardly_ever_blocked(brand_id):
    data = recorded(brand_id)
    approved = [(r.brief_id, r.final_text) for r in data.reviews if r.final_text]
    blocked = [pair for pair in approved if is_blocked(data, *pair)]
    assert len(blocked) <= 0.005 * len(approved), blocked


@pytest.mark.parametrize("brand_id", RECORDED)
def test_approved_copy_rarely_warns(brand_id):
    data = recorded(brand_id)
    approved = [(r.brief_id, r.final_text) for r in data.reviews if r.final_text]
    warned = sum(bool(data.screener.screen(text, data.briefs[brief_id]).warnings) for brief_id, text in approved)
    assert warned <= 0.07 * len(approved)


@pytest.mark.parametrize("brand_id", RECORDED)
def test_every_text_a_reviewer_shortened_is_blocked_for_length(brand_id):
    data = recorded(brand_id)
    edited = [r for r in data.reviews if "length" in r.reasons]
    texts = [(r.brief_id, data.texts[r.brief_id, r.candidate]) for r in edited]
    assert texts and all(is_blocked(data, *pair, check="length") for pair in texts)


@pytest.mark.parametrize("brand_id", RECORDED)
def test_a_changed_figure_in_approved_copy_is_blocked(brand_id):
    data = recorded(brand_id)
    changed = caught = 0
    for review in data.reviews:
        text, brief = review.final_text or "", data.briefs[review.brief_id]
        figure = re.search(
            r"(?<![\w.,])\d+(?![\w.,]*\d)", text.replace(brief.product.name, "·" * len(brief.product.name))
        )
        if figure:
            wrong = str(7 * int(figure.group()) + 3)
            changed += 1
            caught += is_blocked(data, brief.id, text[: figure.start()] + wrong + text[figure.end() :])
    assert caught >= 0.99 * changed > 100


@pytest.mark.parametrize("brand_id", RECORDED)
def test_copy_for_another_brief_is_blocked(brand_id):
    data = recorded(brand_id)
    by_channel: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for (brief_id, candidate), text in data.texts.items():
        brief = data.briefs[brief_id]
        if candidate == 0 and brief.channel != "tagline":
            by_channel.setdefault((brief.channel, brief.locale), []).append((brief_id, text))
    swapped = [
        (ours, text)
        for group in by_channel.values()
        for (ours, _), (theirs, text) in zip(group, group[7:], strict=False)
        if data.briefs[ours].product.name != data.briefs[theirs].product.name
    ]
    assert sum(is_blocked(data, *pair) for pair in swapped) >= 0.9 * len(swapped) > 100
