"""What reviewers made of each writer's texts: counted in the database, only edited texts are read out."""

from collections import defaultdict
from typing import NamedTuple

from sqlalchemy import and_, func, select

from brand_voice.store.database import Part
from brand_voice.store.tables import drafts, reviews

_JUDGED = and_(drafts.c.failure.is_(None), drafts.c.verdict.is_not(None), drafts.c.author != "person")
_WRITER = func.coalesce(drafts.c.adapter, drafts.c.model)


class Reviewed(NamedTuple):
    """The last verdicts on one model's texts."""

    writer: str
    """An adapter's name, or the teacher's model."""
    is_teacher: bool
    approved: int
    """Approved as they were."""
    rejected: int
    edits: tuple[tuple[str, str], ...]
    """Of every approved text that was edited: as written, and as approved."""


class Verdicts(Part):
    """The verdicts of a database, by writer."""

    def reviewed_by_writer(self, brand: str) -> tuple[Reviewed, ...]:
        """What became of each model's reviewed texts, the writer first that was reviewed on the oldest draft."""
        counts = select(_WRITER, drafts.c.author, drafts.c.verdict, func.count(), func.min(drafts.c.seq))
        counts = counts.where(drafts.c.brand == brand, _JUDGED).group_by(_WRITER, drafts.c.author, drafts.c.verdict)
        last = and_(reviews.c.draft_id == drafts.c.id, reviews.c.revision == drafts.c.revision)
        edited = select(_WRITER, drafts.c.author, drafts.c.text, reviews.c.final_text).join_from(drafts, reviews, last)
        edited = edited.where(drafts.c.brand == brand, _JUDGED, drafts.c.verdict == "edit").order_by(drafts.c.seq)
        found: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        edits: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
        with self._database.read() as connection:
            for writer, author, verdict, number, _ in sorted(connection.execute(counts), key=lambda row: row[-1]):
                found[writer, author][verdict] = number
            for writer, author, before, after in connection.execute(edited):
                edits[writer, author].append((before, after))
        return tuple(
            Reviewed(who[0], who[1] == "teacher", said.get("approve", 0), said.get("reject", 0), tuple(edits[who]))
            for who, said in found.items()
        )
