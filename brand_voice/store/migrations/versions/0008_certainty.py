"""The queue in order of certainty, what a model was least sure of first; its filters are read off the indexes alone.

`failure` and `verdict` are null in every row of these indexes, and stand in them so that a count need not look at the
drafts themselves: SQLite (3.40) does, to test what the index's own condition says already.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

WAITING = sa.text("failure IS NULL AND verdict IS NULL")
CERTAINTY = "coalesce(mean_logprob, 1)"
FILTERS = ("channel", "author", "worst", "locale")


def upgrade() -> None:
    """Add the column that orders, and the indexes."""
    op.add_column("drafts", sa.Column("certainty", sa.Float, sa.Computed(CERTAINTY, persisted=False)))
    op.drop_index("drafts_waiting_by_author")
    op.drop_index("drafts_waiting")
    for name, order in (("drafts_waiting", ("seq",)), ("drafts_waiting_by_certainty", ("certainty", "seq"))):
        columns = ["brand", "failure", "verdict", *order, *FILTERS]
        op.create_index(name, "drafts", columns, sqlite_where=WAITING)
