"""What is live: promotions, the gateway's request log, and what the cascade handed to the teacher."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

TRIGGERS = tuple(
    f"CREATE TRIGGER {table}_{name} BEFORE {act} ON {table} BEGIN SELECT RAISE(ABORT, '{table} {said}'); END"
    for table in ("promotions", "served", "escalations")
    for name, act, said in (
        ("never_change", "UPDATE", "are appended, never changed"),
        ("stay", "DELETE", "are appended, never deleted"),
    )
)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "promotions",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("brand", sa.Text, nullable=False),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("adapter", sa.Text, nullable=False),
        sa.Column("previous", sa.Text),
        sa.Column("canary", sa.Text),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("report", sa.Text),
        sa.Column("golden", sa.Text),
        sa.Column("is_forced", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.CheckConstraint("act IN ('promote', 'rollback', 'canary', 'end_canary')", name="act_known"),
    )
    op.create_index("promotions_by_brand", "promotions", ["brand", "seq"])
    op.create_table(
        "served",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("brand", sa.Text),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("adapter", sa.Text),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("latency_ms", sa.Float, nullable=False),
        sa.Column("prompt_tokens", sa.Integer, nullable=False),
        sa.Column("completion_tokens", sa.Integer, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
    )
    op.create_index("served_by_brand", "served", ["brand", "seq"])
    op.create_table(
        "escalations",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("brand", sa.Text, nullable=False),
        sa.Column("brief_hash", sa.Text, nullable=False),
        sa.Column("draft_id", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.CheckConstraint("why IN ('blocked', 'uncertain', 'failed')", name="why_known"),
    )
    op.create_index("escalations_by_brand", "escalations", ["brand", "seq"])
    for statement in TRIGGERS:
        op.execute(statement)
