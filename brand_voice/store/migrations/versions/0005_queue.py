"""The review queue: what it is filtered by, and who holds which draft for the moment."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

WAITING = sa.text("failure IS NULL AND verdict IS NULL")
THEIR_BRIEF = """(SELECT json_extract(record, '$.{0}') FROM briefs
    WHERE (brand, id, hash) = ({1}brand, {1}brief_id, {1}brief_hash))"""
WORST = """CASE WHEN {0}block_count THEN 'block' WHEN {0}warn_count THEN 'warn'
    WHEN {0}suggest_count THEN 'suggest' ELSE 'none' END"""

TRIGGERS = (
    f"""CREATE TRIGGER drafts_know_their_channel AFTER INSERT ON drafts
        BEGIN UPDATE drafts SET channel = {THEIR_BRIEF.format("channel", "NEW.")},
        locale = {THEIR_BRIEF.format("locale", "NEW.")} WHERE seq = NEW.seq; END""",
    f"""CREATE TRIGGER screenings_mark_the_draft AFTER INSERT ON screenings WHEN NEW.revision = 0
        BEGIN UPDATE drafts SET worst = {WORST.format("NEW.")} WHERE id = NEW.draft_id; END""",
)


def upgrade() -> None:
    """Add the columns and fill them; create the leases."""
    for name in ("channel", "locale", "worst"):
        op.add_column("drafts", sa.Column(name, sa.Text))
    op.execute(
        f"""UPDATE drafts SET channel = {THEIR_BRIEF.format("channel", "drafts.")},
            locale = {THEIR_BRIEF.format("locale", "drafts.")}"""
    )
    op.execute(
        f"""UPDATE drafts SET worst = (SELECT {WORST.format("")} FROM current_screenings
            WHERE draft_id = drafts.id AND revision = 0)"""
    )
    op.create_index(
        "drafts_waiting_by_kind", "drafts", ["brand", "channel", "author", "worst", "seq"], sqlite_where=WAITING
    )
    op.create_index("drafts_by_verdict", "drafts", ["brand", "channel", "verdict", "seq"])
    for statement in TRIGGERS:
        op.execute(statement)
    op.create_table(
        "leases",
        sa.Column("draft_id", sa.Text, sa.ForeignKey("drafts.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Text, nullable=False),
    )
