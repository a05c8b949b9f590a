"""The gate: what a report must be about, and what it must not show."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from reports import BETTER, NO_WORSE, a_report, an_adapter

from benchmarks.promoting import CLUSTERED, pass_rate
from benchmarks.sabotage import FIGURES
from brand_voice.evidence import Difference, Measure, VoteFigures
from brand_voice.gate import WORN_FROM, Gate, Terms, gate, strictest
from brand_voice.rates import Rate

with TemporaryDirectory() as folder:
    ADAPTER = an_adapter(Path(folder), "tidewater@01")
TERMS = Terms(adapter=ADAPTER, live="live", golden="golden-1", guide_version="g")
FIRST = TERMS._replace(live=None)


def judged(changes: dict[Measure, tuple[float, float]], terms: Terms = TERMS, decided: int = 0, **fields) -> Gate:
    against = terms.live or "base"
    return gate(a_report(changes, **{"against": against, **fields}), terms, decided=decided)


def test_an_adapter_as_good_as_the_live_one_passes() -> None:
    assert judged(NO_WORSE) == Gate(())


@pytest.mark.parametrize("measure", NO_WORSE)
@pytest.mark.parametrize("beyond", [True, False])
def test_a_loss_in_any_measure_is_refused_from_its_margin_on(measure: Measure, beyond: bool) -> None:
    margin = 0.03 if measure == "truth" else 0.05
    found = judged(NO_WORSE | {measure: (-margin - 0.001 if beyond else -margin + 0.001, 0.02)})
    assert found.passes is not beyond
    assert any(f"beyond the margin of {100 * margin:g}" in reason for reason in found.reasons) is beyond


def test_an_interval_in_which_a_great_loss_could_hide_is_refused() -> None:
    found = judged(NO_WORSE | {"all_pass": (0.02, 0.18)})
    assert found.reasons == (
        "texts without a blocking finding: +2.0 points (95% -16.0 to +20.0): "
        "142 briefs are too few to rule out a loss of 15",
    )


def test_a_loss_within_the_margin_passes_with_a_remark() -> None:
    found = judged(NO_WORSE | {"voice": (-0.04, 0.03)})
    assert found.passes
    assert "losses of several promotions add up" in found.remarks[0]


def test_against_the_base_no_worse_is_not_enough() -> None:
    equal = judged(NO_WORSE, FIRST)
    assert equal.reasons == ("nothing shows that it is better than the base, which nobody trained on this brand",)
    assert judged(BETTER, FIRST).passes


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"adapter": "another"}, "about another"),
        ({"against": "teacher"}, "against teacher, not against live"),
        ({"golden": "golden-0"}, "on golden set golden-0; the newest is golden-1"),
        ({"guide_version": "older"}, "under guide older; today's is g"),
        ({"created_at": "2025-12-31"}, "older than the adapter"),
    ],
)
def test_a_report_about_something_else_decides_nothing(changed: dict[str, str], told: str) -> None:
    report = a_report(**{"against": "live", **changed})
    (reason,) = gate(report, TERMS).reasons
    assert told in reason


def test_what_was_not_measured_is_told_and_what_must_be_is_asked_for() -> None:
    found = judged({"all_pass": NO_WORSE["all_pass"]})
    assert found.reasons == ("the report does not say how many texts whose facts are all in the brief there are",)
    assert [remark.split()[0] for remark in found.remarks[:2]] == ["voice", "diversity"]


def test_people_who_found_it_worse_are_heard() -> None:
    votes = {"wins": Rate(hits=20, of=100), "low": 0.13, "high": 0.29, "ties": 0, "both_bad": 0, "margin": 0.1}
    worse = VoteFigures(**votes, verdict="worse", needed=0)
    assert judged(NO_WORSE, votes=worse).reasons == ("people's blind votes find it worse: it won 20% (20/100)",)
    assert judged(NO_WORSE, votes=worse.model_copy(update={"verdict": None})).passes


def test_a_golden_set_that_decided_often_is_called_worn_and_a_report_that_says_not_yet_is_quoted() -> None:
    assert "write new held-out briefs" not in judged(NO_WORSE, decided=WORN_FROM - 1).remarks[-1]
    assert "write new held-out briefs" in judged(NO_WORSE, decided=WORN_FROM).remarks[-1]
    assert "Not yet, because." in judged(NO_WORSE, decision="not_yet", sentence="Not yet, because.").remarks[0]


def test_margins_that_were_widened_afterwards_change_nothing() -> None:
    declared = a_report(NO_WORSE | {"voice": (-0.1, 0.02)}, against="live")
    widened = tuple(each.model_copy(update={"margin": 0.3}) for each in declared.differences)
    again = declared.model_copy(update={"differences": widened})
    assert gate(again, TERMS).passes
    assert gate(strictest(again, [declared]), TERMS).reasons == gate(declared, TERMS).reasons != ()


def test_with_the_shipped_number_of_briefs_equal_adapters_mostly_pass_and_bad_ones_never_do() -> None:
    assert pass_rate(150, {}, draws=200) > 0.75
    assert pass_rate(150, {}, draws=200, concentration=CLUSTERED) > 0.55
    assert pass_rate(150, {"all_pass": 2, "truth": 2, "voice": 2}, draws=200) < 0.02
    assert pass_rate(150, {"truth": 3}, draws=200) < 0.02
    assert pass_rate(12, {}, draws=200) < 0.3, "twelve briefs decide nothing"


@pytest.mark.parametrize("case", json.loads(FIGURES.read_text()), ids=lambda case: f"{case['adapter']}-{case['live']}")
def test_adapters_that_were_trained_spoilt_and_measured_are_refused_and_good_ones_pass(case: dict) -> None:
    found = [Difference.model_validate(each) for each in case["differences"]]
    terms = TERMS._replace(live=case["live"])
    said = gate(a_report(differences=found, against=case["live"] or "base"), terms)
    assert said.passes is case["passes"] is (case["adapter"] == "good"), said.reasons
