"""What an evaluation found, as records: the content of `report.json`, and all that the promotion gate reads.

Shares lie between 0 and 1. A difference is the candidate's share less the reference's on the same briefs, so a negative
one means that the candidate is worse. Every figure of cost or speed says what it rests on. Nothing here computes a
figure from texts; whoever can, fills these records.
"""

import math
from typing import Literal

from pydantic import ConfigDict

from brand_voice.rates import Rate
from brand_voice.records import Brief, Record, Split

Decision = Literal["ready", "ready_except", "not_yet"]
Measure = Literal["all_pass", "truth", "voice", "diversity"]
Role = Literal["candidate", "reference", "teacher", "base", "few_shot", "echo"]
Basis = Literal["measured", "listed", "recorded", "not measured"]
MEASURES: dict[Measure, str] = {
    "all_pass": "No blocking finding",
    "truth": "Facts all in the brief",
    "voice": "The brand’s own voice",
    "diversity": "Diversity",
}
"""A measure's name at the head of a figure."""
SPOKEN: dict[Measure, str] = {
    "all_pass": "texts without a blocking finding",
    "truth": "texts whose facts are all in the brief",
    "voice": "texts that sound like the brand",
    "diversity": "variety from text to text",
}
"""A measure in a sentence."""
DESCRIPTIVE_BELOW = 50
"""Briefs of a slice under which its figures describe and decide nothing."""


class Difference(Record):
    """One measure of two sides on the same briefs, with a 95% interval from a bootstrap clustered by brief."""

    model_config = ConfigDict(ser_json_inf_nan="strings")  # a figure that could not be taken comes back as it was

    measure: Measure
    candidate: float
    reference: float
    low: float
    """Ends of the interval of `candidate - reference`."""
    high: float
    margin: float
    """How far below the reference still counts as no worse."""
    briefs: int

    @property
    def change(self) -> float:
        """The difference itself."""
        return self.candidate - self.reference

    @property
    def is_no_worse(self) -> bool:
        """Whether the whole interval lies above the margin."""
        return self.low > -self.margin

    @property
    def is_worse(self) -> bool:
        """Whether the whole interval lies below the margin."""
        return self.high < -self.margin


class SliceFigure(Record):
    """Texts without a blocking finding in one slice of the briefs."""

    dimension: Literal["channel", "locale", "product", "offer", "length"]
    value: str
    briefs: int
    candidate: Rate
    reference: Rate
    low: float | None = None
    """Ends of the change's interval; none where it is descriptive."""
    high: float | None = None

    @property
    def is_descriptive(self) -> bool:
        """Whether there are too few briefs to conclude anything."""
        return self.briefs < DESCRIPTIVE_BELOW

    @property
    def change(self) -> float:
        """Candidate less reference."""
        return self.candidate.share - self.reference.share


class Phrase(Record):
    """A run of words that a side uses more than approved copy does."""

    words: str
    count: int
    per_thousand: float
    """Per 1,000 words of this side's texts."""
    approved_per_thousand: float


class Diversity(Record):
    """How unlike one another a side's texts are, product names, numbers and offers masked."""

    distinct_1: float
    """Different words over all words (J. Li et al. 2016, "A Diversity-Promoting Objective Function")."""
    distinct_2: float
    distinct_3: float
    self_similarity: float
    """Mean similarity of a text to the side's most similar text for another brief, from 0 to 1."""


class Latency(Record):
    """How long a text takes, milliseconds."""

    p50_ms: float | None
    p95_ms: float | None
    basis: Basis
    note: str = ""
    """Why there is none."""


class Cost(Record):
    """What 1,000 texts cost, US dollars."""

    usd_per_thousand: float | None
    usd_per_thousand_accepted: float | None
    """Per 1,000 texts without a blocking finding."""
    basis: Basis
    note: str = ""
    """How it was counted, or why there is none."""


class SideFigures(Record):
    """One writer's texts for the golden briefs."""

    name: str
    role: Role
    briefs: int
    texts: int
    failed: dict[str, int]
    """Failed drafts by reason; they pass nothing."""
    all_pass: Rate
    """Texts without a blocking finding, failures among the others."""
    checks: dict[str, Rate]
    """Texts without a `block` or `warn` finding of a check, of those it applies to."""
    facts: dict[str, Rate]
    """Texts that hold what was asked and no fact of their own: name, offer, numbers, other products' names, codes."""
    style: dict[str, float]
    """Findings per 100 texts, by lexicon or style rule."""
    voice: Rate | None
    """Texts that the judge, topic masked, gives to this brand; none where there is no other brand to tell it from."""
    overused: tuple[Phrase, ...]
    diversity: Diversity
    copied: Rate
    """Near-duplicates of a training text, masked."""
    completion_tokens: int
    latency: Latency
    """Of a request while many are under way."""
    cost: Cost
    texts_per_s: float | None = None
    """Throughput of the batch that wrote them; none where it was not timed."""
    latency_alone: Latency | None = None
    """Of a request while no other one is; none in reports of before it was measured."""


class VoteFigures(Record):
    """People's blind votes between candidate and reference, candidate first.

    One for each held-out brief: what most of its votes say, a draw being a tie. Votes on training briefs are left out.
    """

    wins: Rate
    """Of the candidate, among the decisive votes."""
    low: float
    high: float
    """Interval that decides."""
    ties: int
    both_bad: int
    margin: float
    verdict: Literal["no worse", "worse"] | None
    needed: int | None
    """Further decisive votes for a decision; none where it cannot be said."""


class JudgeFigures(Record):
    """A language model's choices between candidate and reference, every pair asked in both orders."""

    model: str
    wins: Rate
    """Of the candidate, among the pairs where both orders agree and name one."""
    ties: int
    """Pairs called equal, or whose answer flipped with the order."""
    flips: int
    with_people: Rate
    """Pairs judged like people's votes on them, of those that people voted on."""
    kappa: float | None
    """Cohen's kappa with people; none without votes on the same pairs."""
    may_gate: bool
    """Whether kappa allows this judge to decide anything."""
    unread: int = 0
    """Pairs without a readable answer in both orders; counted nowhere else."""


class Effort(Record):
    """What reviewers had to do to one writer's texts."""

    writer: str
    """An adapter's name, or the teacher's model."""
    reviewed: int
    untouched: Rate
    """Approved as they were."""
    rejected: Rate
    edit_distance: float | None
    """Mean of edits over the longer text's length, 0 to 1, approved and edited texts; none without one."""
    is_teacher: bool = False
    """A teacher's model: no generation of the student, but what there is to reach."""


class Economics(Record):
    """What owning the student costs against asking the teacher."""

    training_seconds: float
    training_usd: float | None
    texts_per_s: float | None
    """Of the student's run for this report."""
    break_even_texts: int | None
    """Accepted texts from which the student is cheaper, its training counted; none where a price is missing."""
    note: str = ""


class CascadePoint(Record):
    """Quality against cost where the student hands over texts that it is less certain of than a threshold."""

    min_mean_logprob: float | None
    """None: it hands over only what the rules block."""
    all_pass: Rate
    by_student: float
    """Share of texts by the student's first take, its best of several, and the teacher."""
    by_best_of: float
    by_teacher: float
    usd_per_thousand: float | None
    basis: Basis


class GoldenPair(Record):
    """One brief with a text of each side, chosen by nothing but its hash."""

    brief: Brief
    split: Split
    candidate: str
    reference: str
    candidate_blocks: tuple[str, ...]


class Report(Record):
    """An evaluation: the decision and what it rests on."""

    brand: str
    adapter: str
    against: str
    """`teacher`, `base`, `few_shot` or an adapter's name."""
    golden: str
    """Name of the golden set."""
    decided_before: int
    """How many other adapters were held against these briefs before, promoted or not."""
    snapshot: str
    guide_version: str
    created_at: str
    samples: int
    """Texts per brief of the candidate."""
    decision: Decision
    sentence: str
    """The decision in words, with its reason."""
    exceptions: tuple[str, ...]
    """Slices in which it suffers, in words."""
    differences: tuple[Difference, ...]
    sides: tuple[SideFigures, ...]
    slices: tuple[SliceFigure, ...]
    voice_accuracy: float | None
    """The voice judge's own cross-validated accuracy on approved copy, all brands' together."""
    voice_recall: float | None = None
    """Share of this brand's own approved copy that the judge which has not seen it gives to the brand."""
    votes: VoteFigures | None = None
    judge: JudgeFigures | None = None
    effort: tuple[Effort, ...] = ()
    """Oldest writer first."""
    economics: Economics | None = None
    cascade: tuple[CascadePoint, ...] = ()
    pairs: tuple[GoldenPair, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be had, and why; a sentence each."""

    def difference(self, measure: Measure) -> Difference | None:
        """The difference in a measure, where it could be taken."""
        return next((d for d in self.differences if d.measure == measure and not math.isnan(d.low)), None)

    def side(self, role: Role) -> SideFigures | None:
        """The side in that role."""
        return next((side for side in self.sides if side.role == role), None)
