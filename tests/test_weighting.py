from collections import Counter

from brand_voice.brand import load_brand
from brand_voice.records import Approved, Draft, Example, Review
from brand_voice.weighting import MIN_WEIGHT, drawn, weights

BRIEF = load_brand("tidewater").briefs[0]


def example(number: int, weight: float) -> Example:
    return Example(brief=BRIEF, text=str(number), draft_id=str(number), verdict="approve", split="train", weight=weight)


def given(draft_id: str, day: str) -> Approved:
    draft = Draft(id=draft_id, brand="tidewater", brief_id="b", brief_hash="h", author="teacher", model="m")
    created_at = f"{day}T12:00:00+00:00"
    review = Review(
        draft_id=draft_id, revision=1, verdict="approve", final_text="x", reviewer="r", created_at=created_at
    )
    return Approved(draft, BRIEF, review)


def test_an_approval_counts_half_after_a_half_life_and_never_under_a_quarter() -> None:
    found = weights([given("new", "2026-06-30"), given("month", "2026-05-31"), given("old", "2016-01-01")], 30)
    assert found == {"new": 1, "month": 0.5, "old": MIN_WEIGHT}


def test_pairs_come_as_often_as_they_weigh_and_as_many_as_there_are() -> None:
    pairs = [example(n, 1.0 if n < 40 else 0.5) for n in range(80)]
    counts = Counter(e.draft_id for e in drawn(pairs, 3, seed=0))
    assert sum(counts.values()) in (239, 240, 241)
    assert all(counts[e.draft_id] == 4 for e in pairs[:40])
    assert all(counts[e.draft_id] == 2 for e in pairs[40:])
    assert drawn(pairs, 3, seed=1) == drawn(pairs, 3, seed=1)


def test_pairs_that_count_alike_are_drawn_in_turn() -> None:
    pairs = [example(n, 1.0) for n in range(5)]
    assert drawn(pairs, 2, seed=0) == pairs * 2
