"""Blind votes: which of two drafts a person preferred."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TRIGGERS = (
    """CREATE TRIGGER votes_never_change BEFORE UPDATE ON votes
       BEGIN SELECT RAISE(ABORT, 'votes are appended, never changed'); END""",
    """CREATE TRIGGER votes_stay BEFORE DELETE ON votes
       BEGIN SELECT RAISE(ABORT, 'votes are appended, never deleted'); END""",
)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "votes",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("brand", sa.Text, nullable=False),
        sa.Column("left", sa.Text, sa.ForeignKey("drafts.id"), nullable=False),
        sa.Column("right", sa.Text, sa.ForeignKey("drafts.id"), nullable=False),
        sa.Column("choice", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("voter", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.CheckConstraint("choice IN ('left', 'right', 'tie', 'both_bad')", name="choice_known"),
        sa.CheckConstraint('"left" <> "right"', name="two_drafts"),
    )
    op.create_index("votes_by_brand", "votes", ["brand", "seq"])
    for statement in TRIGGERS:
        op.execute(statement)
