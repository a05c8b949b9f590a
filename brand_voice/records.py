"""The nouns of the pipeline as frozen records; a stage takes records and yields records.

Ids: a brief's id is its owner's; a draft's id hashes its request; a snapshot's, run's and adapter's name carries a
date and a hash. Times are UTC, ISO 8601. Nothing here reads a file or knows a model.
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from brand_voice.errors import FailureKind

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$", max_length=80)]
ChannelId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$", max_length=40)]
Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}-[A-Z]{2}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
MAX_COPY_CHARS = 20_000
"""More is no copy: a person's text is refused, before it is stored."""
Author = Literal["teacher", "student", "person"]
Severity = Literal["block", "warn", "suggest"]
Verdict = Literal["approve", "edit", "reject"]
Act = Literal["approve", "edit", "reject", "undo"]
Choice = Literal["left", "right", "tie", "both_bad"]
Split = Literal["train", "validation", "test", "unseen_product"]
Reason = Literal[
    "off_voice",
    "wrong_fact",
    "missing_must_have",
    "cliche",
    "length",
    "grammar",
    "compliance",
    "duplicate",
    "other",
]


def now() -> str:
    """The present moment in UTC as ISO 8601; microseconds keep apart what was made within one second."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def content_hash(value: Any) -> str:
    """Hash JSON-ready data, 16 hex digits of SHA-256 over its canonical form (sorted keys, no spaces)."""
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


class Record(BaseModel):
    """A frozen record that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BriefProduct(Record):
    """What a brief tells about its product: a subset of the catalogue's facts."""

    sku: str | None = None
    name: Text
    category: Text
    facts: tuple[Text, ...] = Field(default=(), max_length=20)


class Product(BriefProduct):
    """A line of the brand's catalogue; copy never sees what its brief does not hold."""

    price: str | None = None
    benefits: tuple[Text, ...] = ()
    split: Literal["train", "unseen_product"] = "train"


class Brief(Record):
    """What the copy must do: one product, one channel, one message."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    brand: Id
    channel: ChannelId
    locale: Locale
    product: BriefProduct
    audience: str | None = None
    """An audience id of the brand guide."""
    key_message: Text
    offer: Text | None = None
    occasion: Text | None = None
    cta: Text | None = None
    must_include: tuple[Text, ...] = ()

    @property
    def hash(self) -> str:
        """Hash of the content: neither the id nor the SKU enters, so that renumbering orphans nothing."""
        return content_hash(self.model_dump(exclude={"id": True, "product": {"sku"}}))

    def said(self) -> str:
        """Everything the brief says, one item a line: what copy may take names, numbers and claims from."""
        product = self.product
        rest = (self.key_message, self.offer, self.occasion, self.cta, *self.must_include)
        return "\n".join(filter(None, (product.name, product.category, *product.facts, *rest)))


class Recording(Record):
    """A recorded completion of the teacher: one line of `teacher.jsonl`."""

    brief_id: str
    candidate: int = Field(ge=0)
    text: str


class RecordedReview(Record):
    """A recorded verdict on a recorded completion: one line of `reviews.jsonl`."""

    brief_id: str
    candidate: int = Field(ge=0)
    verdict: Verdict
    final_text: str | None = None
    reasons: tuple[Reason, ...] = ()
    note: str | None = None
    reviewer: str


class Message(Record):
    """One chat turn."""

    role: Literal["system", "user", "assistant"]
    content: str


class Sampling(Record):
    """How tokens are drawn; `repetition_penalty` is absent on purpose: it punishes copying names from the brief."""

    temperature: float = Field(default=0.7, ge=0, le=2)
    top_p: float = Field(default=0.95, gt=0, le=1)
    frequency_penalty: float = Field(default=0, ge=0, le=2)
    """Taken off a token's logit for each time it stands in the answer so far, the prompt not counted: names can be
    copied, and a small model goes less in circles."""
    max_new_tokens: int = Field(default=220, ge=1, le=8_192)
    seed: int | None = None


class Usage(Record):
    """Tokens of one completion, as counted by the endpoint."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class Completion(Record):
    """A complete, non-empty answer of a model (`finish_reason` was "stop")."""

    text: str
    model: str
    usage: Usage
    latency_ms: float
    mean_logprob: float | None = None
    """Mean token log-probability (nats), where the endpoint gave it."""


class Draft(Record):
    """Any text for a brief, or the failure to write one."""

    id: str
    brand: Id
    brief_id: str
    brief_hash: str
    author: Author
    model: str
    adapter: str | None = None
    candidate: int = Field(default=0, ge=0)
    text: str = ""
    failure: FailureKind | None = None
    """Why there is no text; `None` for a finished draft."""
    usage: Usage = Usage()
    latency_ms: float | None = None
    """Measured here, except where `is_recorded`."""
    cost_usd: float | None = None
    """Price list times tokens for a metered model; `None` where nothing is known."""
    mean_logprob: float | None = None
    """Mean token log-probability (nats), where it was asked for."""
    is_recorded: bool = False
    """Replayed by the recorded teacher: latency and cost are recorded or listed, not measured."""
    distillation_permitted: bool = False
    """Whether the author's terms allow training on this text."""
    created_at: str = Field(default_factory=now)

    @property
    def is_ok(self) -> bool:
        """Whether there is a text."""
        return self.failure is None


class Finding(Record):
    """One rule's remark on a text."""

    rule: str
    """Id of the rule, stable across texts, for example `length.max` or `claims.CLAIM_ECO`."""
    check: str
    """The family the rule belongs to and reports are grouped by: length, lexicon, truth, ..."""
    severity: Severity
    message: str
    start: int | None = None
    """Offset of the first character concerned, in code points; `None` when the whole text is meant."""
    end: int | None = None
    suggestion: str | None = None
    """Text to put in place of `text[start:end]`."""


class Screening(Record):
    """All findings of one text under one version of the guide."""

    draft_id: str
    revision: int = 0
    """0 for the draft as written, n for the text of its n-th review."""
    guide_version: str
    findings: tuple[Finding, ...] = ()
    checks: tuple[str, ...] = ()
    """The checks that applied to this brief: the denominators of every pass rate."""

    @property
    def blocks(self) -> tuple[Finding, ...]:
        """The findings that forbid publishing."""
        return tuple(f for f in self.findings if f.severity == "block")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings a person should look at."""
        return tuple(f for f in self.findings if f.severity == "warn")


class Review(Record):
    """A reviewer's verdict on a draft, or that it is taken back; appended, never changed. The last revision counts."""

    draft_id: str
    revision: int = Field(ge=1)
    """1 for a draft's first verdict; two verdicts with the same number cannot both be stored."""
    verdict: Act
    """`undo` takes the last verdict back: the draft waits again."""
    final_text: str | None = None
    """The approved text: the draft's own for `approve`, the edited one for `edit`, otherwise none."""
    reasons: tuple[Reason, ...] = ()
    note: str | None = None
    reviewer: str
    created_at: str = Field(default_factory=now)


class Vote(Record):
    """A person's choice between two texts for one brief, made without knowing who wrote which."""

    brand: Id
    left: str
    """Id of the draft that stood on the left."""
    right: str
    choice: Choice
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""
    voter: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
    created_at: str = Field(default_factory=now)


class Ballot(NamedTuple):
    """A vote with what the count needs to know of its two drafts."""

    vote: Vote
    channel: str
    left: str
    """Who wrote the left text: an adapter's name, or the teacher's model."""
    right: str
    left_chars: int
    right_chars: int
    brief_hash: str
    """The brief that both texts answer."""


class Approved(NamedTuple):
    """A draft whose last verdict is `approve` or `edit`; `review.final_text` is the text that counts."""

    draft: Draft
    brief: Brief
    """As it was when the draft was written."""
    review: Review


class Example(Record):
    """One approved pair of a snapshot."""

    brief: Brief
    text: str
    draft_id: str
    verdict: Literal["approve", "edit"]
    split: Split
    weight: float = Field(default=1.0, gt=0, le=1)
    """How often it is trained on, against the newest pairs; only training pairs have another one than 1."""


class SnapshotManifest(Record):
    """What a frozen dataset holds; written last, so that a folder without it is not a snapshot."""

    name: str
    brand: Id
    guide_version: str
    created_at: str
    counts: dict[str, int]
    """Examples per split."""
    files: dict[str, str]
    """SHA-256 per file."""
    left_out: dict[str, int]
    """Approved texts that were not taken, by reason."""
    reviewers: dict[str, int]
    """Examples per reviewer."""
    approved_until: str | None = None
    """When the newest approval was given that was looked at; none in snapshots from before it was kept."""
    half_life_days: float | None = None
    """Age at which an approval counts half; none where all count alike."""
    student_share: float = 1.0
    """Share of the training pairs that the student may have written, approved as they were; `by_student` are."""
    by_student: int = 0


class AdapterManifest(Record):
    """Where an adapter comes from; written last, so that a folder without it is not an adapter."""

    name: str
    """`<brand>@<date>-<hash>`; never reused."""
    brand: Id
    student: str
    """The base: a path or a hub id."""
    student_hash: str
    """Hash of the base's weights (local) or its revision (hub)."""
    snapshot: str
    guide_version: str
    voice_line: str
    prompt_hash: str
    """Hash of the student prompt's template: serving with another one is refused."""
    training: dict[str, Any]
    metrics: dict[str, float]
    versions: dict[str, str]
    files: dict[str, str]
    """SHA-256 per file."""
    created_at: str


class Answer(Record):
    """Delivery of a draft to a user: one row of a job."""

    job_id: str
    row: int = Field(ge=0)
    """Position in the input file, from 0."""
    variant: int = 0
    id: str
    """The row's own id, or its number."""
    status: Literal["ok", "blocked", "failed", "invalid"]
    text: str = ""
    reason: str | None = None
    findings: tuple[Finding, ...] = ()
    model: str | None = None
    adapter: str | None = None
    tokens: int | None = None
    latency_ms: float | None = None
    cost_usd: float | None = None
    by: Literal["student", "best_of", "teacher"] | None = None
    """Whose text it is, where a cascade decided."""
    why: str | None = None
    """Why it is this one."""


class Job(Record):
    """A batch: pinned to one adapter, one sampling and one input at its start."""

    id: str
    brand: Id
    input_hash: str
    model: str
    adapter: str | None
    sampling: Sampling
    variants: int
    best_of: int = 1
    """Texts asked for, of which one is delivered."""
    created_at: str = Field(default_factory=now)


def draft_id(brief: Brief, messages: tuple[Message, ...], model: str, sampling: Sampling, candidate: int) -> str:
    """Hash one request: the same brief content, prompt, model, sampling and index give the same draft id."""
    turns = [m.model_dump() for m in messages]
    # What came later and is off must not change the ids of before.
    left_out = {"seed"} if sampling.frequency_penalty else {"seed", "frequency_penalty"}
    return content_hash([brief.hash, turns, model, sampling.model_dump(exclude=left_out), candidate])
