import pytest
from hypothesis import given
from hypothesis import strategies as st

from brand_voice import evaluate
from brand_voice.brand import load_brand
from brand_voice.rates import Rate
from brand_voice.records import AdapterManifest, Draft, Example, Finding, Screening, Usage

BRAND = load_brand("tidewater")
ADAPTER = AdapterManifest(
    name="tidewater@2026-01-01-00000000",
    brand="tidewater",
    student="base-student",
    student_hash="h",
    snapshot="s",
    guide_version="g",
    voice_line="v",
    prompt_hash="p",
    training={},
    metrics={},
    versions={},
    files={},
    created_at="2026-01-01",
)


def scored(index: int, text: str = "", *, findings: tuple[Finding, ...] = (), **draft: object) -> evaluate.Scored:
    brief = BRAND.briefs[index]
    fields = {"author": "student", "model": "m", "latency_ms": 100.0 + index, "usage": Usage(completion_tokens=10)}
    made = Draft(
        id=f"d{index}", brand="tidewater", brief_id=brief.id, brief_hash=brief.hash, text=text, **(fields | draft)
    )
    checks = ("length", "truth", "offer") if brief.offer else ("length", "truth")
    screening = Screening(draft_id=made.id, guide_version="g", findings=findings, checks=checks) if made.is_ok else None
    return evaluate.Scored(brief, made, screening, "test" if index % 2 else "unseen_product")


def finding(check: str, severity: str) -> Finding:
    return Finding(rule=f"{check}.x", check=check, severity=severity, message=f"{check} is off")


TEACHER = [scored(i, f"teacher {i}", is_recorded=True, cost_usd=0.002) for i in range(20)]


def test_rates_count_only_texts_that_a_check_applies_to() -> None:
    student = [scored(i, f"student {i}", findings=(finding("truth", "block"),) if i < 5 else ()) for i in range(20)]
    report = evaluate.evaluate(ADAPTER, TEACHER, student, [], student_usd=None)
    offers = sum(b.offer is not None for b in BRAND.briefs[:20])
    assert report.student.checks["offer"].of == offers < 20
    assert report.student.checks["truth"] == Rate(hits=15, of=20)
    assert report.student.publishable == Rate(hits=15, of=20)
    assert report.student.slices["split test"].of == 10


def test_a_warning_fails_its_check_but_does_not_forbid_publishing_and_a_suggestion_does_neither() -> None:
    student = [scored(0, "a", findings=(finding("truth", "warn"), finding("length", "suggest")))]
    side = evaluate.evaluate(ADAPTER, TEACHER, student, [], student_usd=None).student
    assert side.checks["truth"].hits == 0
    assert side.checks["length"].hits == 1
    assert side.publishable.hits == 1


def test_failed_drafts_are_counted_apart() -> None:
    student = [scored(0, "a"), scored(1, failure="cut_off"), scored(2, failure="cut_off")]
    side = evaluate.evaluate(ADAPTER, TEACHER, student, [], student_usd=None).student
    assert (side.texts, side.failed) == (1, {"cut_off": 2})


def test_recorded_speed_is_never_a_figure_and_recorded_cost_is_labelled() -> None:
    report = evaluate.evaluate(ADAPTER, TEACHER, [scored(0, "a")], [], student_usd=0.001)
    assert report.teacher.latency_p50_ms is None
    text = evaluate.markdown(report)
    assert "recorded, not measured" in text
    assert "recorded: tokens counted, list price" in text
    assert "measured: seconds x machine_usd_per_hour" in text


def test_no_price_of_the_machine_gives_no_cost() -> None:
    report = evaluate.evaluate(ADAPTER, TEACHER, [scored(0, "a")], [], student_usd=None)
    assert report.student.usd_per_thousand is None
    assert "machine_usd_per_hour not set" in evaluate.markdown(report)


def test_a_recited_training_text_counts_as_copied_even_under_another_name() -> None:
    brief = BRAND.briefs[3]
    text = "The kettle clicks off and the house is still dark. {} pours slow. Get a bag."
    example = Example(brief=brief, text=text.format(brief.product.name), draft_id="x", verdict="approve", split="train")
    other = BRAND.briefs[8]
    student = [scored(8, text.format(other.product.name)), scored(9, "Something else, wholly and entirely new here.")]
    report = evaluate.evaluate(ADAPTER, TEACHER, student, [example], student_usd=None)
    assert report.student.copied == Rate(hits=1, of=2)


def test_samples_are_ten_and_not_chosen_by_result() -> None:
    good = [scored(i, f"student {i}") for i in range(20)]
    bad = [scored(i, f"student {i}", findings=(finding("truth", "block"),)) for i in range(20)]
    pick = [evaluate.evaluate(ADAPTER, TEACHER, s, [], student_usd=None).pairs for s in (good, bad)]
    assert [p.brief.id for p in pick[0]] == [p.brief.id for p in pick[1]]
    assert len(pick[0]) == 10


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "[x](javascript:alert(1))", "| a | b |"])
def test_model_text_is_no_markup_in_the_report(hostile: str) -> None:
    report = evaluate.evaluate(ADAPTER, TEACHER, [scored(0, hostile)], [], student_usd=None)
    assert hostile not in evaluate.markdown(report)


@given(st.lists(st.floats(min_value=0, max_value=1e6), min_size=1, max_size=50))
def test_a_percentile_is_one_of_the_values(values: list[float]) -> None:
    assert evaluate._percentile(values, 0.95) in values
