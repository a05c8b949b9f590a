"""The cascade: whose text an answer is and why, and what an endpoint cost since a moment."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the columns, and the index that a day's spending is summed by."""
    op.add_column("answers", sa.Column("by", sa.Text))
    op.add_column("answers", sa.Column("why", sa.Text))
    op.create_index("attempts_by_endpoint", "attempts", ["endpoint", "began_at"])
