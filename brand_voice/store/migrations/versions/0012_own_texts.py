"""The student's own texts may be trained on; until now they were stored as if its terms forbade it.

No trigger stands in the way: what a draft says never changes, but its terms are not among what they guard. Drafts of
people stay as they are. What was imported is permitted already, and a person's version of a text that nobody kept may
have been made of a teacher's whose terms forbid training: nothing stored tells it from one of the student's.
"""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Permit them."""
    op.execute("UPDATE drafts SET distillation_permitted = 1 WHERE author = 'student'")
