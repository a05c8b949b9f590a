"""What is live for a brand, what was served, and what went to the teacher: rows appended and never changed.

The alias of a brand is no cell that is overwritten but the last row of its promotions, so that it flips with one
insert and its history cannot be lost.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, and_, case, func, select
from sqlalchemy.dialects.sqlite import insert

from brand_voice.errors import ConflictError
from brand_voice.live import Escalation, Promotion, Served, Standing, Traffic
from brand_voice.store.database import Part
from brand_voice.store.rows import record_of
from brand_voice.store.tables import drafts, escalations, promotions, served


class Live(Part):
    """The promotions, the request log and the escalations of a database."""

    def promote(self, promotion: Promotion) -> None:
        """Append a change of what is live.

        Raises:
            ConflictError: another adapter is live by now than the one this change starts from.
        """
        with self._database.write() as connection:
            standing = _standing(connection, promotion.brand)
            if standing.live != promotion.previous:
                raise ConflictError(
                    f"{standing.live or 'nothing'} is live for {promotion.brand} by now, "
                    f"not {promotion.previous or 'nothing'}",
                    remedy="look at what was promoted, then decide again",
                )
            connection.execute(insert(promotions).values(promotion.model_dump()))

    def standing(self, brand: str) -> Standing:
        """What is live for a brand, and who gets a share beside it."""
        with self._database.read() as connection:
            return _standing(connection, brand)

    def promotions(self, brand: str) -> tuple[Promotion, ...]:
        """All changes, oldest first."""
        query = select(promotions).where(promotions.c.brand == brand).order_by(promotions.c.seq)
        with self._database.read() as connection:
            return tuple(record_of(Promotion, row) for row in connection.execute(query).mappings())

    def log_served(self, requests: Iterable[Served]) -> None:
        """Append requests to the log."""
        rows = [request.model_dump() for request in requests]
        if rows:
            with self._database.write() as connection:
                connection.execute(insert(served), rows)

    def served(self, brand: str, *, limit: int = 100) -> tuple[Served, ...]:
        """A brand's last requests, the newest first."""
        query = select(served).where(served.c.brand == brand).order_by(served.c.seq.desc()).limit(limit)
        with self._database.read() as connection:
            return tuple(record_of(Served, row) for row in connection.execute(query).mappings())

    def traffic(self, brand: str) -> tuple[Traffic, ...]:
        """The whole request log by who answered, by name; percentiles are a request's own number, the nearest rank."""
        sound = served.c.status < 400
        count = func.count().over(partition_by=served.c.adapter)
        failed = func.sum(case((served.c.status >= 500, 1), else_=0)).over(partition_by=served.c.adapter)
        rank = func.row_number().over(partition_by=(served.c.adapter, sound), order_by=served.c.latency_ms)
        of = func.count().over(partition_by=(served.c.adapter, sound))
        rows = (
            select(
                served.c.adapter,
                count.label("requests"),
                failed.label("failures"),
                served.c.latency_ms.label("ms"),
                sound.label("sound"),
                rank.label("rank"),
                of.label("of"),
            )
            .where(served.c.brand == brand, served.c.adapter.is_not(None))
            .subquery()
        )
        found = [
            func.coalesce(func.min(case((and_(rows.c.sound, rows.c.rank * 100 >= rows.c.of * share), rows.c.ms))), 0.0)
            for share in (50, 95)
        ]
        counts = (func.max(rows.c.requests), func.max(rows.c.failures))
        query = select(rows.c.adapter, *counts, *found).group_by(rows.c.adapter).order_by(rows.c.adapter)
        handed_over = (
            select(drafts.c.adapter, func.count())
            .join(escalations, escalations.c.draft_id == drafts.c.id)
            .where(escalations.c.brand == brand)
            .group_by(drafts.c.adapter)
        )
        with self._database.read() as connection:
            handed = {adapter: count for adapter, count in connection.execute(handed_over)}
            return tuple(
                Traffic(adapter, requests, failures, handed.get(adapter, 0), p50, p95)
                for adapter, requests, failures, p50, p95 in connection.execute(query)
            )

    def escalate(self, new: Iterable[Escalation]) -> None:
        """Remember which briefs the teacher was asked for, and why."""
        rows = [each.model_dump() for each in new]
        if rows:
            with self._database.write() as connection:
                connection.execute(insert(escalations), rows)

    def escalations(self, brand: str) -> tuple[Escalation, ...]:
        """A brand's escalations, oldest first."""
        query = select(escalations).where(escalations.c.brand == brand).order_by(escalations.c.seq)
        with self._database.read() as connection:
            return tuple(record_of(Escalation, row) for row in connection.execute(query).mappings())


def _standing(connection: Connection, brand: str) -> Standing:
    columns = (promotions.c.adapter, promotions.c.canary, promotions.c.share)
    query = select(*columns).where(promotions.c.brand == brand).order_by(promotions.c.seq.desc()).limit(1)
    row = connection.execute(query).first()
    return Standing(*row) if row else Standing()
