"""People: who may sign in to the app, in which role, with which password's hash."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

TRIGGERS = (
    """CREATE TRIGGER people_keep_their_names BEFORE UPDATE OF key, name ON people
       BEGIN SELECT RAISE(ABORT, 'names stand on verdicts, they never change'); END""",
    """CREATE TRIGGER people_stay BEFORE DELETE ON people
       BEGIN SELECT RAISE(ABORT, 'people are deactivated, never deleted'); END""",
)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "people",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("password", sa.Text, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.CheckConstraint("role IN ('copywriter', 'reviewer', 'admin')", name="role_known"),
    )
    for statement in TRIGGERS:
        op.execute(statement)
