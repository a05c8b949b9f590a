"""What was asked of paid models, and what it cost: a row an attempt, committed before the call and after."""

from collections.abc import Sequence

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from brand_voice.errors import StoreError
from brand_voice.records import now
from brand_voice.store.database import Part
from brand_voice.store.tables import attempts, drafts

IDS_A_QUERY = 500
"""SQLite takes 32,766 variables a statement."""
_COST_USD = func.coalesce(func.sum(func.coalesce(attempts.c.cost_usd, attempts.c.reserved_usd)), 0.0)


class Ledger(Part):
    """The attempts of a database; implements `budget.Journal`."""

    def begin(self, *, draft_id: str, endpoint: str, reserved_usd: float) -> int:
        """Commit an attempt with its reserved cost; return its number."""
        values = {"draft_id": draft_id, "endpoint": endpoint, "reserved_usd": reserved_usd, "began_at": now()}
        added = insert(attempts).values(values).returning(attempts.c.id)
        with self._database.write() as connection:
            return int(connection.execute(added).scalar_one())

    def begin_within(
        self, *, draft_id: str, endpoint: str, reserved_usd: float, cap_usd: float, since: str
    ) -> int | None:
        """Commit an attempt, unless the endpoint's attempts since then would cost more than the cap with this one.

        Sum and insert are one transaction, so that the cap holds for all threads and processes together.
        """
        values = {"draft_id": draft_id, "endpoint": endpoint, "reserved_usd": reserved_usd, "began_at": now()}
        counted = (attempts.c.endpoint == endpoint, attempts.c.began_at >= since)
        with self._database.write() as connection:
            spent_usd = float(connection.execute(select(_COST_USD).where(*counted)).scalar_one())
            if reserved_usd and spent_usd + reserved_usd > cap_usd:
                return None
            return int(connection.execute(insert(attempts).values(values).returning(attempts.c.id)).scalar_one())

    def answered(self, attempt: int, *, raw: str) -> None:
        """Commit the raw answer before anything reads it.

        Raises:
            StoreError: no such attempt, or it is finished.
        """
        self._move_attempt(attempt, {"raw": raw})

    def finish(self, attempt: int, *, outcome: str, cost_usd: float | None) -> None:
        """Commit the outcome ("ok" or a failure kind) and the cost; `None` leaves the reservation standing.

        Raises:
            StoreError: no such attempt, or it is finished.
        """
        self._move_attempt(attempt, {"outcome": outcome, "cost_usd": cost_usd, "finished_at": now()})

    def _move_attempt(self, attempt: int, values: dict[str, object]) -> None:
        moved = update(attempts).where(attempts.c.id == attempt, attempts.c.finished_at.is_(None)).values(values)
        with self._database.write() as connection:
            if connection.execute(moved).rowcount == 0:
                raise StoreError(f"attempt {attempt} is unknown or finished", remedy="this is a bug: report it")

    def raw_answers(self, draft_ids: Sequence[str]) -> dict[str, str]:
        """The raw answers that were usable, by what they were asked for: they need not be paid for again."""
        query = select(attempts.c.draft_id, attempts.c.raw).where(
            attempts.c.outcome == "ok", attempts.c.raw.is_not(None)
        )
        found: dict[str, str] = {}
        with self._database.read() as connection:
            for start in range(0, len(draft_ids), IDS_A_QUERY):
                some = query.where(attempts.c.draft_id.in_(draft_ids[start : start + IDS_A_QUERY]))
                found |= {id_: raw for id_, raw in connection.execute(some)}
        return found

    def spent_usd(self, brand: str | None = None) -> float:
        """What the attempts cost: their cost, or the reservation as long as the cost is not known.

        With `brand`, attempts that led to no stored draft are counted too: a killed process leaves them behind, and
        a cap must hold even if they were all this brand's.
        """
        query = select(_COST_USD)
        if brand is not None:
            query = query.outerjoin_from(attempts, drafts, drafts.c.id == attempts.c.draft_id)
            query = query.where(or_(drafts.c.brand == brand, drafts.c.id.is_(None)))
        with self._database.read() as connection:
            return float(connection.execute(query).scalar_one())
