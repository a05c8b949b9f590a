"""What is live for a brand, and what came of it: promotions, served requests, escalations to the teacher."""

from typing import Literal, NamedTuple

from pydantic import Field

from brand_voice.records import Draft, Id, Record, Screening, Usage, now


class Promotion(Record):
    """A change of what is live for a brand; appended, never changed. The last one counts."""

    brand: Id
    act: Literal["promote", "rollback", "canary", "end_canary"]
    adapter: str
    """The adapter that is live from now on."""
    previous: str | None = None
    """The one that was live before."""
    canary: str | None = None
    """The adapter that gets a share of the traffic from now on."""
    share: float = Field(default=0.0, ge=0, lt=1)
    report: str | None = None
    """Folder of the report that the gate read, below `evaluations/`."""
    golden: str | None = None
    """The golden set that decided."""
    is_forced: bool = False
    reason: str = ""
    """Why it was forced, or rolled back."""
    by: str
    created_at: str = Field(default_factory=now)


class Standing(NamedTuple):
    """What is live for a brand."""

    live: str | None = None
    canary: str | None = None
    share: float = 0.0
    """Of the traffic, the canary's."""


class Served(Record):
    """One request that the gateway answered: an append-only log, without any text."""

    brand: str | None
    key: str
    """Name of the API key, never the key."""
    path: str
    model: str
    """As asked for."""
    adapter: str | None
    """Who was asked first: an adapter, whoever delivered in its stead; `teacher` where no engine was there."""
    status: int
    latency_ms: float
    prompt_tokens: int = 0
    completion_tokens: int = 0
    why: str = ""
    """What the cascade said of the choice; the error's kind for a failure."""
    created_at: str = Field(default_factory=now)


class Traffic(NamedTuple):
    """What an adapter, or the teacher, answered through the gateway."""

    adapter: str
    requests: int
    failures: int
    """Answered with a server's error, or cut."""
    escalations: int
    """Texts of it, those of batches included, that were not delivered, so that the teacher was asked."""
    p50_ms: float
    """Of the requests that succeeded; nothing succeeded: 0."""
    p95_ms: float


class Escalation(Record):
    """A brief whose student's text was not good enough, so that the teacher was asked."""

    brand: Id
    brief_hash: str
    draft_id: str
    """The student's text that was not delivered."""
    why: Literal["blocked", "uncertain", "failed"]
    created_at: str = Field(default_factory=now)


class Answered(NamedTuple):
    """A text delivered for a brief by the cascade, and why it is this one."""

    draft: Draft
    screening: Screening
    by: Literal["student", "best_of", "teacher"]
    why: str
    """One sentence: what was tried, and what decided."""
    takes: int
    """Texts that were asked for."""
    cost_usd: float | None
    """What the teacher cost; none where it cost nothing. What the machine's time costs depends on what else it does."""
    usage: Usage = Usage()
    """Tokens of all of them."""
