"""Suggested rules that somebody dismissed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

TRIGGERS = (
    """CREATE TRIGGER dismissals_never_change BEFORE UPDATE ON dismissals
       BEGIN SELECT RAISE(ABORT, 'dismissals are appended, never changed'); END""",
    """CREATE TRIGGER dismissals_stay BEFORE DELETE ON dismissals
       BEGIN SELECT RAISE(ABORT, 'dismissals are appended, never deleted'); END""",
)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "dismissals",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("brand", sa.Text, nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("dismissed_by", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
    )
    op.create_index("dismissals_by_brand", "dismissals", ["brand"])
    for statement in TRIGGERS:
        op.execute(statement)
