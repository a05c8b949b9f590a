"""Best-of-N: a job's N, and the log-probability a draft is chosen by."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; jobs of before asked for each text once."""
    op.add_column("drafts", sa.Column("mean_logprob", sa.Float))
    op.add_column("jobs", sa.Column("best_of", sa.Integer, nullable=False, server_default="1"))
