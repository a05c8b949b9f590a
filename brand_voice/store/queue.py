"""The review queue: the drafts that wait for a verdict, narrowed as a reviewer likes, and who holds which.

A draft in focus is leased: nobody else is given it until its holder decides, goes on, or the lease runs out. A holder
is a page, not a name; it holds one draft at a time. Leases are a courtesy: that only one verdict of a revision counts
is seen to where verdicts are stored.
"""

from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, exists, func, or_, select
from sqlalchemy.dialects.sqlite import insert

from brand_voice.records import Author, Brief, Draft, Screening, Verdict, now
from brand_voice.store.database import Part
from brand_voice.store.queries import Place, count, drafts_with_briefs, place_of, screenings_of, seq_of
from brand_voice.store.rows import brief_of, draft_of
from brand_voice.store.tables import WAITING, current_reviews, current_screenings, drafts, leases

LEASE_S = 600
"""Seconds a draft stays with whoever looks at it."""


class QueueItem(NamedTuple):
    """A draft as a reviewer sees it."""

    draft: Draft
    brief: Brief
    """As it was when the draft was written."""
    screening: Screening | None
    revision: int = 0
    """Number of its last review; the next one is one more."""


class Narrowed(NamedTuple):
    """What of a queue somebody wants to see; an empty one narrows nothing."""

    author: Author | None = None
    channel: str | None = None
    locale: str | None = None
    worst: Literal["block", "warn", "suggest", "none"] | None = None
    """The severest finding."""
    check: str | None = None
    """A check that has a finding."""
    text: str | None = None
    """Words that stand in the text, case aside."""
    skipped: tuple[str, ...] = ()
    """Ids of drafts that are not wanted now."""

    def conditions(self, brand: str) -> tuple[ColumnElement[bool], ...]:
        """The waiting drafts of a brand that fit."""
        equal = {name: getattr(self, name) for name in ("author", "channel", "locale", "worst")}
        found = [drafts.c[name] == value for name, value in equal.items() if value]
        found += [_has_finding(self.check)] if self.check else []
        found += [drafts.c.text.icontains(self.text, autoescape=True)] if self.text else []
        found += [drafts.c.id.not_in(self.skipped)] if self.skipped else []
        return (drafts.c.brand == brand, WAITING, *found)


EVERYTHING = Narrowed()


class Other(NamedTuple):
    """Another text for the same brief."""

    author: Author
    verdict: Verdict | None
    text: str


class Queue(Part):
    """The drafts of a database that wait."""

    def queue(
        self, brand: str, *, limit: int = 50, after: str | None = None, narrowed: Narrowed = EVERYTHING
    ) -> tuple[QueueItem, ...]:
        """The next drafts that wait for a verdict, oldest first; `after` is the draft id a page ended with.

        Raises:
            StoreError: `after` is no draft.
        """
        query = drafts_with_briefs().where(*narrowed.conditions(brand)).order_by(drafts.c.seq).limit(limit)
        with self._database.read() as connection:
            if after is not None:
                query = query.where(drafts.c.seq > seq_of(connection, after))
            return _items(connection, query)

    def item(self, draft_id: str) -> QueueItem | None:
        """A finished draft with its brief and last screening, whatever its verdict."""
        with self._database.read() as connection:
            return next(iter(_items(connection, _one(draft_id))), None)

    def others(self, draft_id: str) -> tuple[Other, ...]:
        """The other finished drafts for a draft's brief, oldest first."""
        one, other = drafts.alias("one"), drafts
        same = and_(*(one.c[name] == other.c[name] for name in ("brand", "brief_id", "brief_hash")))
        query = select(other.c.author, other.c.verdict, other.c.text).join(one, same).order_by(other.c.seq)
        query = query.where(one.c.id == draft_id, other.c.id != draft_id, other.c.failure.is_(None))
        with self._database.read() as connection:
            return tuple(Other(*row) for row in connection.execute(query))

    def approved_texts(self, brand: str, channel: str, *, but: str, limit: int = 1_000) -> tuple[str, ...]:
        """The newest approved texts of a channel, as approved, those for the brief with the hash `but` left out."""
        last = current_reviews.c
        query = select(last.final_text).join(drafts, drafts.c.id == last.draft_id).order_by(drafts.c.seq.desc())
        of_channel = (drafts.c.brand == brand, drafts.c.channel == channel, drafts.c.verdict.in_(("approve", "edit")))
        with self._database.read() as connection:
            found = connection.execute(query.where(*of_channel, drafts.c.brief_hash != but).limit(limit))
            return tuple(found.scalars())

    def waits(self, draft_id: str) -> bool:
        """Whether a draft waits for a verdict."""
        with self._database.read() as connection:
            return count(connection, drafts.c.id == draft_id, WAITING) == 1

    def place(self, brand: str, draft_id: str, *, narrowed: Narrowed = EVERYTHING) -> Place:
        """Where a draft stands in the queue.

        Raises:
            StoreError: no such draft.
        """
        with self._database.read() as connection:
            return place_of(connection, draft_id, *narrowed.conditions(brand))

    def claim(
        self,
        brand: str,
        holder: str,
        *,
        narrowed: Narrowed = EVERYTHING,
        after: str | None = None,
        before: str | None = None,
    ) -> QueueItem | None:
        """Lease the next draft after one (or the last before one, or the first) that nobody else holds.

        What the holder held is free again, unless there is nothing to give: then it keeps that.

        Raises:
            StoreError: `after` or `before` is no draft.
        """
        query = drafts_with_briefs().where(*narrowed.conditions(brand), _is_free(holder)).limit(1)
        with self._database.write() as connection:
            if before is not None:
                query = query.where(drafts.c.seq < seq_of(connection, before)).order_by(drafts.c.seq.desc())
            elif after is not None:
                query = query.where(drafts.c.seq > seq_of(connection, after)).order_by(drafts.c.seq)
            else:
                query = query.order_by(drafts.c.seq)
            return _leased(connection, query, holder)

    def hold(self, draft_id: str, holder: str) -> QueueItem | None:
        """Lease one draft, if it waits and nobody else holds it; a lease of one's own is renewed."""
        with self._database.write() as connection:
            return _leased(connection, _one(draft_id).where(WAITING, _is_free(holder)), holder)

    def release(self, holder: str) -> None:
        """Free what a holder holds."""
        with self._database.write() as connection:
            connection.execute(delete(leases).where(leases.c.holder == holder))


def _one(draft_id: str) -> Select[tuple[object, ...]]:
    return drafts_with_briefs().where(drafts.c.id == draft_id, drafts.c.failure.is_(None))


def _items(connection: Connection, query: Select[tuple[object, ...]]) -> tuple[QueueItem, ...]:
    rows = connection.execute(query).mappings().all()
    found = screenings_of(connection, [row["id"] for row in rows], revision=0)
    return tuple(QueueItem(draft_of(row), brief_of(row), found.get(row["id"]), row["revision"]) for row in rows)


def _leased(connection: Connection, query: Select[tuple[object, ...]], holder: str) -> QueueItem | None:
    item = next(iter(_items(connection, query)), None)
    if item is not None:
        expires = (datetime.now(UTC) + timedelta(seconds=LEASE_S)).isoformat(timespec="microseconds")
        connection.execute(delete(leases).where(or_(leases.c.holder == holder, leases.c.expires_at <= now())))
        connection.execute(insert(leases).values(draft_id=item.draft.id, holder=holder, expires_at=expires))
    return item


def _is_free(holder: str) -> ColumnElement[bool]:
    others = (leases.c.draft_id == drafts.c.id, leases.c.holder != holder, leases.c.expires_at > now())
    return ~select(leases.c.holder).where(*others).correlate(drafts).exists()


def _has_finding(check: str) -> ColumnElement[bool]:
    """Whether the last screening of the draft as written has a finding of a check."""
    last = current_screenings.c
    finding = func.json_each(last.findings).table_valued("value")
    of_check = func.json_extract(finding.c.value, "$.check") == check
    its_own = and_(last.draft_id == drafts.c.id, last.revision == 0)
    return exists(select(1).select_from(current_screenings).join(finding, of_check).where(its_own))
