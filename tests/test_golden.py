"""Golden sets: frozen once, found again, and refused to whoever was trained on them."""

from pathlib import Path

import pytest

from brand_voice import golden
from brand_voice.brand import load_brand
from brand_voice.errors import ArtifactError, InputError
from brand_voice.golden import GoldenBrief, check_leakage, freeze
from brand_voice.records import Approved, Brief, Draft, Example, Review

BRIEFS = load_brand("tidewater").briefs
TEXT = "The kettle clicks off and the house is still dark. {} pours slow. Get a bag."


def held_out(*indices: int) -> list[GoldenBrief]:
    return [GoldenBrief(brief=BRIEFS[i], split="test") for i in indices]


def example(brief: Brief, text: str = "Something else, wholly and entirely new here.") -> Example:
    return Example(brief=brief, text=text, draft_id="x", verdict="approve", split="train")


def approved(brief: Brief, text: str) -> Approved:
    known = {"brand": "tidewater", "brief_id": brief.id, "brief_hash": brief.hash, "author": "teacher", "model": "m"}
    verdict = Review(draft_id="d", revision=1, verdict="approve", final_text=text, reviewer="ann")
    return Approved(Draft(id="d", text=text, **known), brief, verdict)


def test_the_same_briefs_are_frozen_once_whatever_their_order_and_others_are_another_set(tmp_path: Path) -> None:
    first = freeze("tidewater", held_out(1, 2, 3), tmp_path)
    assert freeze("tidewater", held_out(3, 2, 1, 1), tmp_path) == first
    assert first.counts == {"test": 3}
    later = freeze("tidewater", held_out(1, 2, 3, 4), tmp_path)
    assert later.name != first.name
    assert golden.newest(tmp_path, "tidewater") == later
    assert golden.newest(tmp_path, "vela") is None
    assert [each.brief.hash for each in golden.load(tmp_path / first.name)] == sorted(BRIEFS[i].hash for i in (1, 2, 3))


def test_a_changed_set_is_refused_and_an_empty_one_is_none(tmp_path: Path) -> None:
    folder = tmp_path / freeze("tidewater", held_out(1, 2), tmp_path).name
    lines = (folder / "briefs.jsonl").read_text().splitlines()
    (folder / "briefs.jsonl").write_text(lines[0] + "\n")
    with pytest.raises(ArtifactError, match="was changed"):
        golden.load(folder)
    with pytest.raises(InputError, match="no held-out briefs"):
        freeze("vela", [], tmp_path)


def test_a_golden_brief_among_the_training_pairs_is_named() -> None:
    with pytest.raises(ArtifactError, match=f"{BRIEFS[1].id} was trained on") as refused:
        check_leakage(held_out(0, 1), [], [example(BRIEFS[1]), example(BRIEFS[5])])
    assert "brand-voice snapshot --brand tidewater" in refused.value.remedy


def test_a_golden_brief_asked_for_in_almost_the_same_words_is_named() -> None:
    brief = BRIEFS[0]
    reworded = {"id": "twin", "key_message": brief.key_message + "!", "cta": "Have one"}
    twin = brief.model_copy(update=reworded)
    with pytest.raises(ArtifactError, match=f"{brief.id} is .*% like the training brief twin"):
        check_leakage(held_out(0), [], [example(twin)])
    check_leakage(held_out(0), [], [example(twin.model_copy(update={"channel": "other"}))])


def test_a_training_text_like_one_approved_for_a_golden_brief_is_named() -> None:
    own, other = BRIEFS[0], BRIEFS[40]
    trained = [example(other, TEXT.format(other.product.name))]
    with pytest.raises(ArtifactError, match=rf"{own.id}: a training text \({other.id}\) is 100% like"):
        check_leakage(held_out(0), [approved(own, TEXT.format(own.product.name))], trained)
    check_leakage(held_out(0), [approved(own, "A quiet cup before anyone else is up, and nothing more.")], trained)
    check_leakage(held_out(0), [approved(BRIEFS[7], TEXT.format(BRIEFS[7].product.name))], trained)


def test_what_the_student_itself_wrote_for_a_golden_brief_is_no_leak() -> None:
    draft, brief, verdict = approved(BRIEFS[0], TEXT)
    recited = Approved(draft.model_copy(update={"author": "student"}), brief, verdict)
    check_leakage(held_out(0), [recited], [example(BRIEFS[40], TEXT)])
    with pytest.raises(ArtifactError, match="100% like"):
        check_leakage(held_out(0), [Approved(draft, brief, verdict)], [example(BRIEFS[40], TEXT)])


def test_a_channel_that_the_guide_no_longer_has_is_left_out_and_an_old_set_with_it_refused(tmp_path: Path) -> None:
    guide = load_brand("tidewater").guide
    gone = [each for each in held_out(*range(20)) if each.brief.channel == "tagline"]
    channels = guide.channels.keys() - {"tagline"}
    manifest = freeze("tidewater", held_out(*range(20)), tmp_path, channels=channels)
    assert manifest.left_out == {"channel_gone": len(gone)}
    golden.check_channels(golden.load(tmp_path / manifest.name), channels)
    with pytest.raises(ArtifactError, match="no longer has: tagline") as refused:
        golden.check_channels(held_out(*range(20)), channels)
    assert "--new-golden" in refused.value.remedy


def test_many_leaks_are_counted_and_five_are_named() -> None:
    with pytest.raises(ArtifactError, match="and 3 more") as refused:
        check_leakage(held_out(*range(8)), [], [example(brief) for brief in BRIEFS[:8]])
    assert refused.value.message.count("was trained on") == 5


def test_the_demo_brands_hold_no_leak() -> None:
    for name in ("tidewater", "fjellvik", "vela"):
        brand = load_brand(name)
        sides = {b.id: golden_split(brand, b) for b in brand.briefs}
        asked = [GoldenBrief(brief=b, split="test") for b in brand.briefs if sides[b.id] in golden.HELD_OUT]
        check_leakage(asked, [], [example(b) for b in brand.briefs if sides[b.id] == "train"])


def golden_split(brand, brief: Brief) -> str:
    from brand_voice.snapshot import split_of

    return split_of(brief, is_unseen=brand.is_unseen(brief))
