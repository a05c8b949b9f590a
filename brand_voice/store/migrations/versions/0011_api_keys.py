"""Keys of the gateway, as hashes."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

TRIGGERS = (
    """CREATE TRIGGER api_keys_keep_their_names BEFORE UPDATE OF key, name, hash ON api_keys
       BEGIN SELECT RAISE(ABORT, 'names stand in the request log, they never change'); END""",
    """CREATE TRIGGER api_keys_stay BEFORE DELETE ON api_keys
       BEGIN SELECT RAISE(ABORT, 'keys are revoked, never deleted'); END""",
)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "api_keys",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False, unique=True),
        sa.Column("per_minute", sa.Integer),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
    )
    for statement in TRIGGERS:
        op.execute(statement)
