"""One side's figures: what is counted of what, and what every figure of cost and speed rests on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import BRAND, finding, scored, side, unlike

from brand_voice.evidence import SideFigures
from brand_voice.figures import Approved, Scored, applying_checks, figures, likeness, percentile
from brand_voice.rates import Rate
from brand_voice.records import Example


def made(texts: list[Scored], known: list[Example] | None = None, **more: object) -> SideFigures:
    return figures(side("candidate", texts, **more), Approved.of(known or []), applying_checks(texts))


def example(index: int, text: str) -> Example:
    return Example(brief=BRAND.briefs[index], text=text, draft_id="x", verdict="approve", split="train")


def test_rates_count_only_texts_that_a_check_applies_to() -> None:
    texts = [scored(i, f"text {i}", *([finding("truth.number")] if i < 5 else [])) for i in range(20)]
    found = made(texts)
    offers = sum(b.offer is not None for b in BRAND.briefs[:20])
    assert found.checks["offer"].of == found.facts["offer"].of == offers < 20
    assert found.checks["truth"] == found.facts["numbers and prices"] == found.all_pass == Rate(hits=15, of=20)
    assert found.facts["codes"] == Rate(hits=20, of=20)
    assert found.facts["name and must-haves"].of == 0


def test_a_warning_fails_its_check_but_does_not_forbid_publishing_and_a_suggestion_does_neither() -> None:
    found = made([scored(0, "a", finding("truth.number_word", "warn"), finding("length.sms", "suggest"))])
    assert found.checks["truth"].hits == found.facts["numbers and prices"].hits == 0
    assert found.checks["length"].hits == found.all_pass.hits == 1


def test_a_failed_draft_passes_nothing_that_its_brief_asks_for() -> None:
    with_offer = next(i for i, b in enumerate(BRAND.briefs) if b.offer)
    texts = [scored(with_offer, "a"), scored(with_offer, failure="cut_off", candidate=1)]
    found = made(texts)
    assert found.failed == {"cut_off": 1}
    assert {*found.checks.values(), found.all_pass, found.facts["offer"]} == {Rate(hits=1, of=2)}
    assert (found.texts, found.briefs) == (2, 1)
    assert found.copied.of == 1, "what was not written was not copied"


def test_a_side_of_nothing_but_failures_has_figures_of_nothing() -> None:
    found = made([scored(i, failure="cut_off") for i in range(3)])
    assert (found.all_pass, found.copied.of, found.style, found.overused) == (Rate(hits=0, of=3), 0, {}, ())
    assert found.diversity.distinct_1 == 0


def test_style_is_findings_per_hundred_texts_advice_included() -> None:
    worn = finding("lexicon.banned.artisanal")
    texts = [scored(0, "a", worn, worn), scored(1, "b", finding("style.sentence_length", "suggest")), scored(2, "c")]
    found = made([*texts, scored(3, "d", finding("truth.number"))])
    assert found.style == {"lexicon.banned.artisanal": 50.0, "style.sentence_length": 25.0}


def test_a_recited_training_text_counts_as_copied_even_under_another_name() -> None:
    text = "The kettle clicks off and the house is still dark. {} pours slow. Get a bag."
    names = [brief.product.name for brief in BRAND.briefs]
    texts = [scored(8, text.format(names[8])), scored(9, "Something else, wholly and entirely new here.")]
    assert made(texts, [example(3, text.format(names[3]))]).copied == Rate(hits=1, of=2)


def test_phrases_are_over_used_against_approved_copy_and_never_the_brief_s_own_words() -> None:
    habit = "You know how it goes"
    briefs = BRAND.briefs[:12]
    texts = [scored(i, f"{habit}. {unlike(i)}. {briefs[i].key_message}.") for i in range(12)]
    plain = [example(i, unlike(i + 50)) for i in range(60)]
    (phrase, *_) = made(texts, plain).overused
    assert phrase.words in habit.lower()
    assert (phrase.count, phrase.approved_per_thousand) == (12, 0)
    told = " ".join(p.words for p in made(texts, plain).overused)
    assert not any(brief.key_message.lower() in told for brief in briefs)
    same = [example(i, f"{habit}. {unlike(i + 50)}.") for i in range(12)]
    assert made(texts, same).overused == ()
    assert made([scored(0, f"{habit}. " * 12)], plain).overused == (), "one brief is no habit"


def test_diversity_is_that_of_one_text_a_brief_and_blind_to_names() -> None:
    names = [brief.product.name for brief in BRAND.briefs]
    alike = made([scored(i, f"{names[i]} pours slow in the morning.") for i in range(0, 60, 10)])
    other = made([scored(i, unlike(i)) for i in range(0, 60, 10)])
    assert alike.diversity.self_similarity == pytest.approx(1)
    assert other.diversity.self_similarity < 0.7
    assert alike.diversity.distinct_2 < other.diversity.distinct_2
    again = [scored(i, unlike(i), candidate=c) for i in range(0, 60, 10) for c in range(3)]
    assert made(again).diversity == other.diversity, "asked three times, as various as asked once"


def test_one_text_is_like_no_other() -> None:
    assert likeness([scored(0, "a")]) == [0.0]


def test_recorded_speed_is_never_a_figure_and_recorded_cost_is_labelled() -> None:
    found = made([scored(i, "a", is_recorded=True, cost_usd=0.002) for i in range(4)])
    assert (found.latency.p50_ms, found.latency.basis) == (None, "recorded")
    assert (found.cost.basis, found.cost.usd_per_thousand) == ("recorded", 2.0)
    assert made([scored(0, "a", cost_usd=0.002)]).cost.basis == "listed"


def test_a_student_costs_the_machine_s_seconds_and_more_for_what_is_accepted() -> None:
    texts = [scored(i, "a", *([finding("truth.number")] if i else []), seconds=0.5) for i in range(4)]
    found = made(texts, usd_per_hour=3.6)
    assert found.texts_per_s == 2
    assert (found.cost.basis, found.cost.usd_per_thousand) == ("measured", pytest.approx(0.5))
    assert found.cost.usd_per_thousand_accepted == pytest.approx(2.0)
    assert (found.latency.basis, found.latency.p50_ms, found.latency.p95_ms) == ("measured", 101.0, 103.0)


def test_a_text_asked_for_alone_tells_another_speed_than_one_of_many_and_an_earlier_one_none() -> None:
    alone = [scored(i, "a", is_alone=True) for i in range(3)]
    found = made([*alone, scored(8, "a", seconds=0.5), scored(9, "a")])
    assert (found.latency_alone.p50_ms, found.latency_alone.p95_ms) == (101.0, 102.0)
    assert (found.latency.p50_ms, found.latency.p95_ms) == (108.0, 108.0)
    assert found.texts_per_s == 2
    assert made([scored(9, "a")]).latency.basis == "not measured"
    assert made([scored(9, "a", author="teacher")]).latency.p50_ms == 109.0


def test_a_cost_without_price_or_time_is_none_and_says_why() -> None:
    unpriced, untimed = made([scored(0, "a", seconds=0.5)]).cost, made([scored(0, "a")], usd_per_hour=1.0).cost
    assert unpriced.usd_per_thousand is untimed.usd_per_thousand is None
    assert (unpriced.note, untimed.note) == ("machine_usd_per_hour not set", "no price known")


@given(st.lists(st.floats(min_value=0, max_value=1e6), min_size=1, max_size=50))
def test_a_percentile_is_one_of_the_values(values: list[float]) -> None:
    assert percentile(values, 0.95) in values
    assert percentile(values, 1.0) == max(values)
