"""The database's tables, as the newest migration leaves them.

What is queried is a column; what is only carried along (a brief, findings, a sampling) is JSON. The migrations hold
the DDL and the triggers; a test compares both. `seq` numbers rows in the order in which they arrived: ids are hashes
and times have seconds, so neither can order a queue.

A draft names its brief by id *and* content hash, because the owner of an id may rewrite its brief: the old content
stays, with the drafts written for it. `drafts.revision` and `drafts.verdict` cache the number of the last review (0:
none) and its verdict (null: none, or undone); a trigger writes them in the transaction of the review. Without them,
finding the next draft that waits would walk all reviewed ones. `channel` and `locale` (of its brief) and `worst` (the
severest finding of its last screening, or `none`) are triggers' copies too: what the queue is filtered by.
`certainty` is computed: `mean_logprob`, or 1 where there is none, which is more than any log-probability.
"""

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    and_,
    text,
)

metadata = MetaData()
views = MetaData()

briefs = Table(
    "briefs",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("brand", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("is_current", Boolean, nullable=False),
    Column("record", JSON, nullable=False),
    UniqueConstraint("brand", "id", "hash"),
)
Index("briefs_current", briefs.c.brand, briefs.c.id, unique=True, sqlite_where=text("is_current"))

drafts = Table(
    "drafts",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("brand", Text, nullable=False),
    Column("brief_id", Text, nullable=False),
    Column("brief_hash", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("adapter", Text),
    Column("candidate", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("failure", Text),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("latency_ms", Float),
    Column("cost_usd", Float),
    Column("mean_logprob", Float),
    Column("is_recorded", Boolean, nullable=False),
    Column("distillation_permitted", Boolean, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("revision", Integer, nullable=False, server_default=text("0")),
    Column("verdict", Text),
    Column("channel", Text),
    Column("locale", Text),
    Column("worst", Text),
    Column("certainty", Float, Computed("coalesce(mean_logprob, 1)", persisted=False)),
    ForeignKeyConstraint(["brand", "brief_id", "brief_hash"], ["briefs.brand", "briefs.id", "briefs.hash"]),
)
Index("drafts_by_brand", drafts.c.brand, drafts.c.failure, drafts.c.id)
Index("drafts_by_brief", drafts.c.brand, drafts.c.brief_id, drafts.c.brief_hash)
WAITING = and_(drafts.c.failure.is_(None), drafts.c.verdict.is_(None))
"""Which drafts wait for a verdict: the partial indexes' own condition."""
_OF_BRAND = (drafts.c.brand, drafts.c.failure, drafts.c.verdict)
_FILTERS = (drafts.c.channel, drafts.c.author, drafts.c.worst, drafts.c.locale)
Index("drafts_waiting", *_OF_BRAND, drafts.c.seq, *_FILTERS, sqlite_where=WAITING)
Index("drafts_waiting_by_certainty", *_OF_BRAND, drafts.c.certainty, drafts.c.seq, *_FILTERS, sqlite_where=WAITING)
Index(
    "drafts_waiting_by_kind",
    *(drafts.c.brand, drafts.c.channel, drafts.c.author, drafts.c.worst, drafts.c.seq),
    sqlite_where=WAITING,
)

Index("drafts_by_verdict", drafts.c.brand, drafts.c.channel, drafts.c.verdict, drafts.c.seq)

leases = Table(
    "leases",
    metadata,
    Column("draft_id", Text, ForeignKey("drafts.id", ondelete="CASCADE"), primary_key=True),
    Column("holder", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
)

screenings = Table(
    "screenings",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("draft_id", Text, ForeignKey("drafts.id", ondelete="CASCADE"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("guide_version", Text, nullable=False),
    Column("block_count", Integer, nullable=False),
    Column("warn_count", Integer, nullable=False),
    Column("suggest_count", Integer, nullable=False),
    Column("findings", JSON, nullable=False),
    Column("checks", JSON, nullable=False),
    UniqueConstraint("draft_id", "revision", "guide_version"),
)
Index("screenings_by_draft", screenings.c.draft_id, screenings.c.revision)

reviews = Table(
    "reviews",
    metadata,
    Column("draft_id", Text, ForeignKey("drafts.id"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("final_text", Text),
    Column("reasons", JSON, nullable=False),
    Column("note", Text),
    Column("reviewer", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    CheckConstraint("verdict IN ('approve', 'edit', 'reject', 'undo')", name="verdict_known"),
    CheckConstraint("(verdict IN ('approve', 'edit')) = (final_text IS NOT NULL)", name="text_if_approved"),
)

votes = Table(
    "votes",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("brand", Text, nullable=False),
    Column("left", Text, ForeignKey("drafts.id"), nullable=False),
    Column("right", Text, ForeignKey("drafts.id"), nullable=False),
    Column("choice", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("voter", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    CheckConstraint("choice IN ('left', 'right', 'tie', 'both_bad')", name="choice_known"),
    CheckConstraint('"left" <> "right"', name="two_drafts"),
)
Index("votes_by_brand", votes.c.brand, votes.c.seq)

dismissals = Table(
    "dismissals",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("brand", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("dismissed_by", Text, nullable=False),
    Column("created_at", Text, nullable=False),
)
Index("dismissals_by_brand", dismissals.c.brand)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("draft_id", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("reserved_usd", Float, nullable=False),
    Column("raw", Text),
    Column("outcome", Text),
    Column("cost_usd", Float),
    Column("began_at", Text, nullable=False),
    Column("finished_at", Text),
)
Index("attempts_by_draft", attempts.c.draft_id)
Index("attempts_by_endpoint", attempts.c.endpoint, attempts.c.began_at)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("brand", Text, nullable=False),
    Column("input_hash", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("adapter", Text),
    Column("sampling", JSON, nullable=False),
    Column("variants", Integer, nullable=False),
    Column("best_of", Integer, nullable=False, server_default=text("1")),
    Column("created_at", Text, nullable=False),
)

answers = Table(
    "answers",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id"), primary_key=True),
    Column("row", Integer, primary_key=True),
    Column("variant", Integer, primary_key=True),
    Column("id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("reason", Text),
    Column("findings", JSON, nullable=False),
    Column("model", Text),
    Column("adapter", Text),
    Column("tokens", Integer),
    Column("latency_ms", Float),
    Column("cost_usd", Float),
    Column("by", Text),
    Column("why", Text),
)

people = Table(
    "people",
    metadata,
    Column("key", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("password", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("created_at", Text, nullable=False),
    CheckConstraint("role IN ('copywriter', 'reviewer', 'admin')", name="role_known"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("hash", Text, nullable=False, unique=True),
    Column("per_minute", Integer),
    Column("is_active", Boolean, nullable=False),
    Column("created_at", Text, nullable=False),
)

promotions = Table(
    "promotions",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("brand", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("adapter", Text, nullable=False),
    Column("previous", Text),
    Column("canary", Text),
    Column("share", Float, nullable=False),
    Column("report", Text),
    Column("golden", Text),
    Column("is_forced", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    CheckConstraint("act IN ('promote', 'rollback', 'canary', 'end_canary')", name="act_known"),
)
Index("promotions_by_brand", promotions.c.brand, promotions.c.seq)

served = Table(
    "served",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("brand", Text),
    Column("key", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("adapter", Text),
    Column("status", Integer, nullable=False),
    Column("latency_ms", Float, nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("why", Text, nullable=False),
    Column("created_at", Text, nullable=False),
)
Index("served_by_brand", served.c.brand, served.c.seq)

escalations = Table(
    "escalations",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("brand", Text, nullable=False),
    Column("brief_hash", Text, nullable=False),
    Column("draft_id", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    CheckConstraint("why IN ('blocked', 'uncertain', 'failed')", name="why_known"),
)
Index("escalations_by_brand", escalations.c.brand, escalations.c.seq)

current_reviews = Table(
    "current_reviews", views, Column("brand", Text), *(Column(c.name, c.type) for c in reviews.columns)
)
"""View: the last verdict of every reviewed draft, which alone counts; one that was undone does not."""

current_screenings = Table("current_screenings", views, *(Column(c.name, c.type) for c in screenings.columns))
"""View: the last screening of every text, whatever guide version it was made under."""
