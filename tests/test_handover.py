import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports import a_report

from brand_voice.assess import curve
from brand_voice.brand import BrandFolder
from brand_voice.evidence import Role
from brand_voice.figures import Scored, Side
from brand_voice.handover import Try, best, better, cascade_points, fault
from brand_voice.rates import Rate
from brand_voice.records import Draft, Finding, Screening

BLOCK = Finding(rule="length.max", check="length", severity="block", message="too long")
WARN = Finding(rule="style.x", check="style", severity="warn", message="odd")


def tried(
    brief: int = 0, logprob: float | None = -0.5, *findings: Finding, candidate: int = 0, fails: bool = False, **draft
) -> Try:
    fields = {"author": "student", "model": "m", "brand": "b", "brief_id": "x", "brief_hash": f"h{brief}"}
    made = Draft(id=f"{brief}-{candidate}", candidate=candidate, mean_logprob=logprob, **(fields | draft))
    if fails:
        return Try(made.model_copy(update={"failure": "cut_off"}), None)
    return Try(made, Screening(draft_id=made.id, guide_version="g", findings=findings))


def taught(brief: int, *findings: Finding, **draft) -> Try:
    return tried(brief, None, *findings, author="teacher", **({"cost_usd": 0.01} | draft))


@pytest.mark.parametrize(
    ("text", "threshold", "expected"),
    [
        (tried(), None, None),
        (tried(0, -9.0), None, None),
        (tried(0, -9.0), -1.0, "uncertain"),
        (tried(0, -1.0), -1.0, None),
        (tried(0, None), -1.0, None),
        (tried(0, 0.0, BLOCK), -1.0, "blocked"),
        (tried(fails=True), None, "failed"),
    ],
)
def test_what_is_handed_over(text: Try, threshold: float | None, expected: str | None) -> None:
    assert fault(text, threshold) == expected


def test_the_best_has_few_findings_and_then_is_the_likeliest() -> None:
    ordered = [tried(0, -2.0), tried(0, -0.1, WARN), tried(0, -0.1, BLOCK), tried(0, -0.1, BLOCK, BLOCK)]
    ordered.append(tried(fails=True))
    for place in range(len(ordered)):
        assert best(ordered[place:][::-1]) is ordered[place]
    assert best([tried(0, -2.0), likelier := tried(0, -1.0)]) is likelier


def test_the_teachers_text_is_delivered_unless_it_has_more_blocking_findings() -> None:
    blocked, fine = tried(0, -1.0, BLOCK), tried()
    assert better(blocked, alike := taught(0, BLOCK)) is alike
    assert better(fine, alike) is fine
    assert better(fine, good := taught(0)) is good
    assert better(tried(fails=True), alike) is alike


STUDENT = [
    *(tried(0, -0.1, candidate=0), tried(0, -0.2, candidate=1)),
    *(tried(1, -0.3, BLOCK, candidate=0), tried(1, -0.4, candidate=1)),
    *(tried(2, -0.5, BLOCK, candidate=0), tried(2, -0.6, BLOCK, candidate=1)),
    *(tried(3, -0.9, candidate=0), tried(3, -0.9, candidate=1)),
    *(tried(4, -0.2, BLOCK, candidate=0), tried(4, -0.2, BLOCK, candidate=1)),
]
TEACHER = [taught(brief) for brief in range(4)]  # none for the last brief


def test_the_curve_walks_every_brief_through_the_cascade_and_counts_what_was_asked() -> None:
    rules, strict = cascade_points(STUDENT, TEACHER, usd_per_student_text=0.001, thresholds=[-0.7])
    assert rules.min_mean_logprob is None
    assert (rules.by_student, rules.by_best_of, rules.by_teacher) == (0.4, 0.4, 0.2)
    assert rules.all_pass == Rate(hits=4, of=5)
    assert rules.usd_per_thousand == pytest.approx(1_000 * (0.001 * (1 + 2 + 2 + 1 + 2) + 0.01) / 5)
    assert (strict.by_student, strict.by_best_of, strict.by_teacher) == (0.2, 0.4, 0.4)
    assert strict.usd_per_thousand > rules.usd_per_thousand
    assert rules.basis == strict.basis == "listed"


def test_a_point_without_every_price_has_no_cost_and_a_recording_is_called_one() -> None:
    assert {p.usd_per_thousand for p in cascade_points(STUDENT, TEACHER, usd_per_student_text=None)} == {None}
    unpriced = [taught(brief, cost_usd=None) for brief in range(4)]
    (point,) = cascade_points(STUDENT, unpriced, usd_per_student_text=0.001, thresholds=[])
    assert (point.usd_per_thousand, point.basis) == (None, "not measured")
    recorded = [taught(brief, is_recorded=True) for brief in range(4)]
    assert cascade_points(STUDENT, recorded, usd_per_student_text=0.0)[0].basis == "recorded"
    (alone,) = cascade_points(STUDENT, [], usd_per_student_text=0.001, thresholds=[])
    assert (alone.by_teacher, alone.basis) == (0.0, "measured")
    assert cascade_points([], TEACHER, usd_per_student_text=0.001) == ()


def test_a_report_gets_the_curve_where_the_teacher_wrote_for_its_briefs(tidewater: BrandFolder) -> None:
    def side(role: Role, tries: list[Try]) -> Side:
        return Side(role, role, [Scored(tidewater.briefs[0], "test", t.draft, t.screening) for t in tries])

    sides = [side("candidate", STUDENT), side("reference", TEACHER)]
    drawn = curve(a_report(against="teacher"), sides)
    assert drawn == cascade_points(STUDENT, TEACHER, usd_per_student_text=None)
    assert len(drawn) > 1
    assert curve(a_report(against="base"), sides) == ()


texts = st.builds(
    lambda brief, logprob, blocks, number: tried(brief, logprob, *[BLOCK] * blocks, candidate=number),
    st.integers(0, 5),
    st.floats(-5, 0),
    st.integers(0, 2),
    st.integers(0, 3),
)


@given(st.lists(texts, min_size=1, max_size=20), st.sets(st.integers(0, 5)))
def test_a_stricter_threshold_never_leaves_the_teacher_less_and_shares_add_up(student: list[Try], known: set[int]):
    points = cascade_points(student, [taught(brief) for brief in sorted(known)], usd_per_student_text=0.0)
    shares = [point.by_teacher for point in points]
    assert shares == sorted(shares)
    assert all(math.isclose(p.by_student + p.by_best_of + p.by_teacher, 1) for p in points)
