"""When a student's text is handed over, which of several is delivered, and what that costs: the cascade's rules.

A text is handed over if the rules block it, if there is none, or if the student was less certain of it (mean token
log-probability) than a threshold. Pure: drafts and screenings in, decisions and figures out. Who is asked next, and
whether that may be paid for, is the cascade's business.
"""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from brand_voice.evidence import Basis, CascadePoint
from brand_voice.rates import Rate
from brand_voice.records import Draft, Finding, Screening

Fault = Literal["blocked", "uncertain", "failed"]
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Of the student's first texts, those less certain than each threshold of the curve."""


class Try(NamedTuple):
    """One text for a brief, held against the rules."""

    draft: Draft
    screening: Screening | None
    """None where there is no text, or a rule of the guide did not end on it."""

    @property
    def is_blocked(self) -> bool:
        """Whether there is a text, and the rules forbid publishing it."""
        return self.screening is not None and bool(self.screening.blocks)

    @property
    def is_publishable(self) -> bool:
        """Whether there is a text without a blocking finding."""
        return self.screening is not None and not self.screening.blocks


def rank(findings: Iterable[Finding], mean_logprob: float | None) -> tuple[int, int, float]:
    """Smaller is better: few blocking findings, few warnings, then the student's own choice."""
    severities = Counter(finding.severity for finding in findings)
    return severities["block"], severities["warn"], -(mean_logprob or 0.0)


def best(tries: Sequence[Try]) -> Try:
    """The text to deliver if it has to be one of these; the first of equals."""
    return min(tries, key=_standing)


def fault(tried: Try, min_mean_logprob: float | None) -> Fault | None:
    """Why a text is handed over; none for one that is delivered.

    Without a threshold, or of an endpoint that tells no log-probabilities, only the rules decide.
    """
    if tried.screening is None:
        return "failed"
    if tried.is_blocked:
        return "blocked"
    certainty = tried.draft.mean_logprob
    if min_mean_logprob is None or certainty is None:
        return None
    return "uncertain" if certainty < min_mean_logprob else None


def better(student: Try, teacher: Try) -> Try:
    """Which of the two is delivered once the teacher was asked: the teacher's, unless the rules rather pass the other.

    Certainty has had its say by then: a text of the student that no rule blocks beats a blocked one of the teacher.
    """
    if student.screening is None or teacher.screening is None:
        return student if teacher.screening is None else teacher
    return student if len(student.screening.blocks) < len(teacher.screening.blocks) else teacher


def cascade_points(
    student: Iterable[Try],
    teacher: Iterable[Try],
    *,
    usd_per_student_text: float | None,
    thresholds: Sequence[float] | None = None,
) -> tuple[CascadePoint, ...]:
    """Quality against cost over briefs that both have written for; nobody is asked again.

    Every brief goes the cascade's way with the texts that are there: the student's first, the best of all its texts,
    the teacher's first. A brief without a text of the teacher's keeps the student's best.

    Args:
        student: its texts, several a brief, with log-probabilities.
        teacher: its texts; the first of a brief counts.
        usd_per_student_text: measured: a run's seconds times the machine's price over its texts; none without a price.
            The teacher's drafts carry theirs.
        thresholds: none takes those under which the shares `SHARES` of the first texts lie.

    Returns:
        A point with the rules alone, then one a threshold, the lowest first.
    """
    takes: dict[str, list[Try]] = defaultdict(list)
    for tried in sorted(student, key=lambda each: each.draft.candidate):
        takes[tried.draft.brief_hash].append(tried)
    taught: dict[str, Try] = {}
    for tried in sorted(teacher, key=lambda each: each.draft.candidate):
        taught.setdefault(tried.draft.brief_hash, tried)
    if not takes:
        return ()
    if thresholds is None:
        certain = sorted(c for tries in takes.values() if (c := tries[0].draft.mean_logprob) is not None)
        thresholds = sorted({certain[int(share * len(certain))] for share in SHARES}) if certain else ()
    ways = [(tries, taught.get(brief_hash)) for brief_hash, tries in takes.items()]
    return tuple(_point(ways, usd_per_student_text, threshold) for threshold in (None, *thresholds))


class _Delivered(NamedTuple):
    """How a brief went: whose text, how many of the student were asked for, and the teacher's if it was."""

    by: Literal["student", "best_of", "teacher"]
    tried: Try
    takes: int
    taught: Try | None = None


def _standing(tried: Try) -> tuple[bool, tuple[int, int, float]]:
    findings = tried.screening.findings if tried.screening else ()
    return tried.screening is None, rank(findings, tried.draft.mean_logprob)


def _delivered(tries: Sequence[Try], taught: Try | None, threshold: float | None) -> _Delivered:
    if fault(tries[0], threshold) is None:
        return _Delivered("student", tries[0], 1)
    chosen = best(tries)
    by: Literal["student", "best_of"] = "best_of" if len(tries) > 1 else "student"
    if taught is None or fault(chosen, threshold) is None:
        return _Delivered(by, chosen, len(tries))
    after = better(chosen, taught)
    return _Delivered("teacher" if after is taught else by, after, len(tries), taught)


def _point(
    ways: Sequence[tuple[Sequence[Try], Try | None]], usd_per_student_text: float | None, threshold: float | None
) -> CascadePoint:
    done = [_delivered(tries, taught, threshold) for tries, taught in ways]
    writers = Counter(each.by for each in done)
    usd, basis = _cost(done, usd_per_student_text)
    return CascadePoint(
        min_mean_logprob=threshold,
        all_pass=Rate(hits=sum(each.tried.is_publishable for each in done), of=len(done)),
        by_student=writers["student"] / len(done),
        by_best_of=writers["best_of"] / len(done),
        by_teacher=writers["teacher"] / len(done),
        usd_per_thousand=None if usd is None else 1_000 * usd,
        basis=basis,
    )


def _cost(done: Sequence[_Delivered], usd_per_student_text: float | None) -> tuple[float | None, Basis]:
    """Mean cost of a brief; it rests on its weakest part, and is none where a part has no price."""
    asked = [each.taught.draft for each in done if each.taught is not None]
    costs = [draft.cost_usd for draft in asked if draft.cost_usd is not None]
    if usd_per_student_text is None or len(costs) < len(asked):
        return None, "not measured"
    usd = usd_per_student_text * statistics.fmean(each.takes for each in done) + sum(costs) / len(done)
    if not asked:
        return usd, "measured"
    return usd, "recorded" if any(draft.is_recorded for draft in asked) else "listed"
