"""The rule from differences to a decision, at its edges."""

import pytest

from brand_voice.decision import briefs_needed, decide
from brand_voice.evidence import Difference, SliceFigure
from brand_voice.rates import Rate


def difference(measure: str = "all_pass", change: float = 0.0, spread: float = 0.02, **more: object) -> Difference:
    fields = {"candidate": 0.9 + change, "reference": 0.9, "low": change - spread, "high": change + spread}
    return Difference(measure=measure, margin=0.05, briefs=142, **(fields | more))


def sliced(value: str, briefs: int, candidate: int, *, high: float | None = None) -> SliceFigure:
    rates = {"candidate": Rate(hits=candidate, of=100), "reference": Rate(hits=90, of=100)}
    return SliceFigure(dimension="channel", value=value, briefs=briefs, high=high, **rates)


ALL = [difference(measure) for measure in ("all_pass", "truth", "voice", "diversity")]


def test_every_measure_within_its_margin_is_ready() -> None:
    found = decide("the teacher", ALL, [], 0.05)
    assert found.decision == "ready"
    assert found.sentence.startswith("Ready: no worse than the teacher on the golden briefs: texts without a blocking")
    assert found.sentence.count("142 briefs") == len(ALL)
    assert "Not measured" not in found.sentence


@pytest.mark.parametrize("measure", ["all_pass", "truth", "voice", "diversity"])
def test_one_measure_that_is_worse_is_enough_for_not_yet(measure: str) -> None:
    bad = [difference(measure, -0.2) if each.measure == measure else each for each in ALL]
    found = decide("the teacher", bad, [], 0.05)
    assert found.decision == "not_yet"
    assert found.sentence.startswith("Not yet: worse than the teacher")
    assert "20.0 points lower (-22.0 to -18.0, margin 5, 142 briefs)" in found.sentence


def test_an_interval_across_the_margin_is_not_worse_but_open() -> None:
    found = decide("the teacher", [difference(spread=0.06), *ALL[1:]], [], 0.05)
    assert found.decision == "not_yet"
    assert "worse than" not in found.sentence
    assert "not enough briefs to tell" in found.sentence
    assert "about 210 briefs would tell" in found.sentence


def test_an_interval_that_touches_the_margin_is_open() -> None:
    assert decide("it", [difference(low=-0.05), *ALL[1:]], [], 0.05).decision == "not_yet"
    assert decide("it", [difference(low=-0.0499), *ALL[1:]], [], 0.05).decision == "ready"


def test_few_briefs_decide_nothing_however_good_they_are() -> None:
    few = [each.model_copy(update={"briefs": 49}) for each in ALL]
    found = decide("the teacher", few, [], 0.05)
    assert found.decision == "not_yet"
    assert "49 golden briefs for texts that sound like the brand" in found.sentence
    one = decide("the teacher", [*ALL[:2], few[2], ALL[3]], [], 0.05)
    assert one.decision == "not_yet", "each measure on its own count"
    assert "Not yet: 49 golden briefs for texts that sound like the brand: too few" in one.sentence


def test_what_was_not_measured_is_said() -> None:
    found = decide("the teacher", [ALL[0], ALL[1], ALL[3]], [], 0.05)
    assert found.decision == "ready"
    assert found.sentence.endswith("Not measured: texts that sound like the brand.")


def test_a_large_slice_that_is_shown_worse_is_an_exception_and_a_small_one_a_hint() -> None:
    slices = [
        sliced("sms", 60, 80, high=-0.02),
        sliced("social_post", 20, 50),
        sliced("tagline", 60, 86, high=-0.01),  # lower, and within the margin
        sliced("headline", 60, 84, high=0.02),  # beyond the margin, and perhaps by chance
    ]
    found = decide("the teacher", ALL, slices, 0.05)
    assert found.decision == "ready_except"
    assert found.sentence.startswith("Ready, except for sms. Overall no worse")
    assert found.exceptions == (
        "sms: 10.0 points lower (60 briefs)",
        "social post: 40.0 points lower (20 briefs: too few to conclude)",
    )
    assert decide("the teacher", ALL, slices[1:], 0.05).decision == "ready"


def test_the_briefs_needed_grow_with_the_square_and_none_are_enough_beyond_the_margin() -> None:
    assert briefs_needed(difference(change=-0.02, spread=0.06)) == 570  # four times as many
    assert briefs_needed(difference(change=-0.05, spread=0.01)) is None
    assert briefs_needed(difference(spread=0.001)) == 50
