"""A report as an evaluation leaves it, written by hand: a student short of its teacher, facts held, voice open."""

from typing import Any

from brand_voice.brand import load_brand
from brand_voice.evidence import (
    CascadePoint,
    Cost,
    Difference,
    Diversity,
    Economics,
    Effort,
    GoldenPair,
    JudgeFigures,
    Latency,
    Phrase,
    Report,
    Role,
    SideFigures,
    SliceFigure,
    VoteFigures,
)
from brand_voice.rates import Rate

ADAPTER = "tidewater@2026-11-22-d84a9d31"
EARLIER = "tidewater@2026-11-02-1f0c2b7e"
TEACHER = "recorded"
BRIEFS = load_brand("tidewater").briefs[5:7]


def a_side(name: str, role: Role, hits: int, **changes: Any) -> SideFigures:
    texts = 142
    figures = {
        "name": name,
        "role": role,
        "briefs": texts,
        "texts": texts,
        "failed": {"cut_off": 3},
        "all_pass": Rate(hits=hits, of=texts),
        "checks": {"length": Rate(hits=hits, of=texts), "truth": Rate(hits=140, of=texts)},
        "facts": {"name": Rate(hits=141, of=texts), "offer": Rate(hits=35, of=36), "codes": Rate(hits=0, of=0)},
        "style": {"style.repeated_phrase": 14.2},
        "voice": Rate(hits=79, of=texts),
        "overused": (Phrase(words="slow down and", count=41, per_thousand=2.7, approved_per_thousand=0.2),),
        "diversity": Diversity(distinct_1=0.11, distinct_2=0.38, distinct_3=0.59, self_similarity=0.61),
        "copied": Rate(hits=2, of=texts),
        "completion_tokens": 5_400,
        "latency": Latency(p50_ms=812, p95_ms=2_140, basis="measured"),
        "latency_alone": Latency(p50_ms=143, p95_ms=390, basis="measured"),
        "cost": Cost(usd_per_thousand=0.0042, usd_per_thousand_accepted=0.0061, basis="measured", note="timed"),
    }
    return SideFigures.model_validate(figures | changes)


def a_difference(measure: str, candidate: float, reference: float, low: float, high: float) -> Difference:
    ends = {"low": low, "high": high, "margin": 0.05, "briefs": 142}
    return Difference.model_validate({"measure": measure, "candidate": candidate, "reference": reference} | ends)


def a_slice(dimension: str, value: str, briefs: int) -> SliceFigure:
    rates = {"candidate": Rate(hits=briefs // 3, of=briefs), "reference": Rate(hits=briefs, of=briefs)}
    return SliceFigure.model_validate({"dimension": dimension, "value": value, "briefs": briefs} | rates)


def an_effort(writer: str, untouched: int, rejected: int) -> Effort:
    rates = {"untouched": Rate(hits=untouched, of=120), "rejected": Rate(hits=rejected, of=120)}
    return Effort(writer=writer, reviewed=120, edit_distance=0.14, is_teacher=writer == TEACHER, **rates)


def a_report(**changes: Any) -> Report:
    """The report, with fields changed."""
    unread = Latency(p50_ms=None, p95_ms=None, basis="recorded", note="recorded answers come from a file")
    listed = Cost(usd_per_thousand=2.86, usd_per_thousand_accepted=2.98, basis="recorded", note="list price")
    report = Report(
        brand="tidewater",
        adapter=ADAPTER,
        against="teacher",
        golden="tidewater-golden-1",
        decided_before=5,
        snapshot="tidewater@2026-11-22-85802187",
        guide_version="3415c4e4ae7105bb",
        created_at="2026-11-24T09:12:44+00:00",
        samples=1,
        decision="not_yet",
        sentence="26.8 points fewer texts without a blocking finding than the teacher, and 5 would be the limit.",
        exceptions=("social (47% against 94%)", "German briefs (40% against 94%)"),
        differences=(
            a_difference("all_pass", 0.69, 0.958, -0.334, -0.203),
            a_difference("truth", 0.985, 0.951, 0.004, 0.069),
            a_difference("voice", 0.559, 0.549, -0.073, 0.094),
        ),
        sides=(
            a_side(ADAPTER, "candidate", 98, texts_per_s=20.4),
            a_side(TEACHER, "reference", 136, latency=unread, cost=listed),
            a_side("echo of the brief", "echo", 78),
        ),
        slices=(
            a_slice("channel", "social", 18),
            a_slice("channel", "email_subject", 60),
            a_slice("offer", "given", 36),
        ),
        voice_accuracy=0.71,
        votes=VoteFigures(
            wins=Rate(hits=63, of=181), low=0.26, high=0.44, ties=31, both_bad=14, margin=0.1, verdict=None, needed=214
        ),
        judge=JudgeFigures(
            model="judge-1",
            wins=Rate(hits=19, of=71),
            ties=29,
            flips=17,
            with_people=Rate(hits=37, of=58),
            kappa=0.43,
            may_gate=True,
        ),
        effort=(
            an_effort(TEACHER, 100, 7),
            an_effort("tidewater@2026-11-02-1f0c2b7e", 37, 50),
            an_effort(ADAPTER, 70, 25),
        ),
        economics=Economics(
            training_seconds=76, training_usd=0.0042, texts_per_s=20.4, break_even_texts=2, note="Student measured."
        ),
        cascade=tuple(
            CascadePoint(
                min_mean_logprob=threshold,
                all_pass=Rate(hits=hits, of=142),
                by_student=0.9 - by_teacher,
                by_best_of=0.1,
                by_teacher=by_teacher,
                usd_per_thousand=3 * by_teacher,
                basis="recorded",
            )
            for threshold, hits, by_teacher in ((None, 126, 0.11), (-0.9, 132, 0.26), (-0.5, 136, 0.74))
        ),
        pairs=tuple(
            GoldenPair(
                brief=brief,
                split="test",
                candidate="It is cast aluminum and cast aluminum.",
                reference="Three cups, no hurry.",
                candidate_blocks=("over by 12 characters",),
            )
            for brief in BRIEFS
        ),
        notes=("Judge: the cap was reached.",),
    )
    return report.model_copy(update=changes)
