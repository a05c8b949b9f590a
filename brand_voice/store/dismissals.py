"""Suggested rules that somebody did not want: an edit a row, appended and never changed."""

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from brand_voice.records import now
from brand_voice.store.database import Part
from brand_voice.store.tables import dismissals


class Dismissals(Part):
    """The dismissed suggestions of a database."""

    def dismiss(self, brand: str, edit: tuple[str, str], *, by: str) -> None:
        """Remember that an edit, what was there and what took its place, is no rule of a brand."""
        before, after = edit
        row = {"brand": brand, "before": before, "after": after, "dismissed_by": by, "created_at": now()}
        with self._database.write() as connection:
            connection.execute(insert(dismissals).values(row))

    def dismissed(self, brand: str) -> frozenset[tuple[str, str]]:
        """The edits that are not to be suggested to a brand again."""
        query = select(dismissals.c.before, dismissals.c.after).where(dismissals.c.brand == brand)
        with self._database.read() as connection:
            return frozenset((before, after) for before, after in connection.execute(query))
