"""Undo: a verdict taken back is one more row, and the draft waits again.

Until now a draft waited while its `revision` was 0. From here it waits while its cached `verdict` is null.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

WAITING = sa.text("failure IS NULL AND verdict IS NULL")

CURRENT_REVIEWS = """CREATE VIEW current_reviews AS SELECT drafts.brand, reviews.* FROM drafts
    JOIN reviews ON reviews.draft_id = drafts.id AND reviews.revision = drafts.revision
    WHERE reviews.verdict <> 'undo'"""

TRIGGERS = (
    """CREATE TRIGGER reviews_take_turns BEFORE INSERT ON reviews
       WHEN NEW.revision IS NOT (SELECT revision + 1 FROM drafts WHERE id = NEW.draft_id AND failure IS NULL)
       BEGIN SELECT RAISE(ABORT, 'a verdict carries the next revision of a finished draft'); END""",
    """CREATE TRIGGER undo_follows_a_verdict BEFORE INSERT ON reviews
       WHEN NEW.verdict = 'undo' AND (SELECT verdict FROM drafts WHERE id = NEW.draft_id) IS NULL
       BEGIN SELECT RAISE(ABORT, 'there is no verdict to undo'); END""",
    """CREATE TRIGGER reviews_move_the_draft AFTER INSERT ON reviews
       BEGIN UPDATE drafts SET revision = NEW.revision, verdict = nullif(NEW.verdict, 'undo')
       WHERE id = NEW.draft_id; END""",
    """CREATE TRIGGER reviews_never_change BEFORE UPDATE ON reviews
       BEGIN SELECT RAISE(ABORT, 'verdicts are appended, never changed'); END""",
    """CREATE TRIGGER reviews_stay BEFORE DELETE ON reviews
       BEGIN SELECT RAISE(ABORT, 'verdicts are appended, never deleted'); END""",
)


def upgrade() -> None:
    """Let reviews hold `undo`; cache each draft's verdict and let that say which drafts wait."""
    op.add_column("drafts", sa.Column("verdict", sa.Text))
    op.execute(
        """UPDATE drafts SET verdict = (SELECT verdict FROM reviews
           WHERE draft_id = drafts.id AND reviews.revision = drafts.revision) WHERE revision > 0"""
    )
    for name, columns in (("drafts_waiting", ["brand"]), ("drafts_waiting_by_author", ["brand", "author"])):
        op.drop_index(name)
        op.create_index(name, "drafts", [*columns, "seq"], sqlite_where=WAITING)
    op.execute("DROP VIEW current_reviews")
    # SQLite cannot change a check: the table is made anew. Its triggers go with the old one.
    _create_reviews()
    op.execute("INSERT INTO new_reviews SELECT * FROM reviews")
    op.execute("DROP TABLE reviews")
    op.rename_table("new_reviews", "reviews")
    for statement in (CURRENT_REVIEWS, *TRIGGERS):
        op.execute(statement)


def _create_reviews() -> None:
    op.create_table(
        "new_reviews",
        sa.Column("draft_id", sa.Text, sa.ForeignKey("drafts.id"), primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("final_text", sa.Text),
        sa.Column("reasons", sa.JSON, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("reviewer", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.CheckConstraint("verdict IN ('approve', 'edit', 'reject', 'undo')", name="verdict_known"),
        sa.CheckConstraint("(verdict IN ('approve', 'edit')) = (final_text IS NOT NULL)", name="text_if_approved"),
    )
