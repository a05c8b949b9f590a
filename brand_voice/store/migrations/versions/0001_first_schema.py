"""Briefs, drafts, screenings, reviews, attempts, jobs and answers."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

APPLICATION_ID = 0x42565631  # "BVV1" in the file's header: tells our database from another program's
WAITING = sa.text("failure IS NULL AND revision = 0")

TRIGGERS = (
    """CREATE TRIGGER drafts_keep_their_text BEFORE UPDATE OF
         id, brand, brief_id, brief_hash, author, model, adapter, candidate, text, failure, created_at ON drafts
       BEGIN SELECT RAISE(ABORT, 'a draft never changes'); END""",
    """CREATE TRIGGER drafts_stay BEFORE DELETE ON drafts WHEN OLD.failure IS NULL
       BEGIN SELECT RAISE(ABORT, 'a finished draft stays'); END""",
    """CREATE TRIGGER reviews_take_turns BEFORE INSERT ON reviews
       WHEN NEW.revision IS NOT (SELECT revision + 1 FROM drafts WHERE id = NEW.draft_id AND failure IS NULL)
       BEGIN SELECT RAISE(ABORT, 'a verdict carries the next revision of a finished draft'); END""",
    """CREATE TRIGGER reviews_move_the_draft AFTER INSERT ON reviews
       BEGIN UPDATE drafts SET revision = NEW.revision WHERE id = NEW.draft_id; END""",
    """CREATE TRIGGER reviews_never_change BEFORE UPDATE ON reviews
       BEGIN SELECT RAISE(ABORT, 'verdicts are appended, never changed'); END""",
    """CREATE TRIGGER reviews_stay BEFORE DELETE ON reviews
       BEGIN SELECT RAISE(ABORT, 'verdicts are appended, never deleted'); END""",
)

VIEWS = (
    """CREATE VIEW current_reviews AS SELECT drafts.brand, reviews.* FROM drafts
       JOIN reviews ON reviews.draft_id = drafts.id AND reviews.revision = drafts.revision""",
    """CREATE VIEW current_screenings AS SELECT screenings.* FROM screenings WHERE seq =
       (SELECT max(seq) FROM screenings newer
        WHERE newer.draft_id = screenings.draft_id AND newer.revision = screenings.revision)""",
)


def upgrade() -> None:
    """Create everything."""
    op.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    _create_briefs()
    _create_drafts()
    _create_screenings()
    _create_reviews()
    _create_attempts()
    _create_jobs()
    for statement in (*TRIGGERS, *VIEWS):
        op.execute(statement)


def _create_briefs() -> None:
    op.create_table(
        "briefs",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("brand", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("is_current", sa.Boolean, nullable=False),
        sa.Column("record", sa.JSON, nullable=False),
        sa.UniqueConstraint("brand", "id", "hash"),
    )
    op.create_index("briefs_current", "briefs", ["brand", "id"], unique=True, sqlite_where=sa.text("is_current"))


def _create_drafts() -> None:
    op.create_table(
        "drafts",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("brand", sa.Text, nullable=False),
        sa.Column("brief_id", sa.Text, nullable=False),
        sa.Column("brief_hash", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("adapter", sa.Text),
        sa.Column("candidate", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("failure", sa.Text),
        sa.Column("prompt_tokens", sa.Integer, nullable=False),
        sa.Column("completion_tokens", sa.Integer, nullable=False),
        sa.Column("latency_ms", sa.Float),
        sa.Column("cost_usd", sa.Float),
        sa.Column("is_recorded", sa.Boolean, nullable=False),
        sa.Column("distillation_permitted", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.ForeignKeyConstraint(["brand", "brief_id", "brief_hash"], ["briefs.brand", "briefs.id", "briefs.hash"]),
    )
    op.create_index("drafts_by_brand", "drafts", ["brand", "failure", "id"])
    op.create_index("drafts_by_brief", "drafts", ["brand", "brief_id", "brief_hash"])
    op.create_index("drafts_waiting", "drafts", ["brand", "seq"], sqlite_where=WAITING)
    op.create_index("drafts_waiting_by_author", "drafts", ["brand", "author", "seq"], sqlite_where=WAITING)


def _create_screenings() -> None:
    op.create_table(
        "screenings",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("draft_id", sa.Text, sa.ForeignKey("drafts.id", ondelete="CASCADE"), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("guide_version", sa.Text, nullable=False),
        sa.Column("block_count", sa.Integer, nullable=False),
        sa.Column("warn_count", sa.Integer, nullable=False),
        sa.Column("suggest_count", sa.Integer, nullable=False),
        sa.Column("findings", sa.JSON, nullable=False),
        sa.Column("checks", sa.JSON, nullable=False),
        sa.UniqueConstraint("draft_id", "revision", "guide_version"),
    )
    op.create_index("screenings_by_draft", "screenings", ["draft_id", "revision"])


def _create_reviews() -> None:
    op.create_table(
        "reviews",
        sa.Column("draft_id", sa.Text, sa.ForeignKey("drafts.id"), primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("final_text", sa.Text),
        sa.Column("reasons", sa.JSON, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("reviewer", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.CheckConstraint("verdict IN ('approve', 'edit', 'reject')", name="verdict_known"),
        sa.CheckConstraint("(verdict = 'reject') = (final_text IS NULL)", name="text_unless_rejected"),
    )


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("draft_id", sa.Text, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("reserved_usd", sa.Float, nullable=False),
        sa.Column("raw", sa.Text),
        sa.Column("outcome", sa.Text),
        sa.Column("cost_usd", sa.Float),
        sa.Column("began_at", sa.Text, nullable=False),
        sa.Column("finished_at", sa.Text),
    )
    op.create_index("attempts_by_draft", "attempts", ["draft_id"])


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("brand", sa.Text, nullable=False),
        sa.Column("input_hash", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("adapter", sa.Text),
        sa.Column("sampling", sa.JSON, nullable=False),
        sa.Column("variants", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
    )
    op.create_table(
        "answers",
        sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("row", sa.Integer, primary_key=True),
        sa.Column("variant", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("findings", sa.JSON, nullable=False),
        sa.Column("model", sa.Text),
        sa.Column("adapter", sa.Text),
        sa.Column("tokens", sa.Integer),
        sa.Column("latency_ms", sa.Float),
        sa.Column("cost_usd", sa.Float),
    )
