"""The review queue: the drafts that wait for a verdict, narrowed as a reviewer likes, and who holds which.

What a reviewer looks at, one draft or a list, is leased: nobody else is given it until its holder decides, goes on, or
the lease runs out. A holder is a page, not a name. Leases are a courtesy: that only one verdict of a revision counts is
seen to where verdicts are stored. Whatever the order, one goes on from a draft's own place in it, never from a number.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert

from brand_voice.records import Author, Brief, Draft, Screening, Verdict, now
from brand_voice.store.database import Part
from brand_voice.store.queries import Place, count, drafts_with_briefs, place_of, screenings_of, stretches
from brand_voice.store.rows import brief_of, draft_of
from brand_voice.store.tables import WAITING, current_reviews, current_screenings, drafts, leases

LEASE_S = 600
"""Seconds a draft stays with whoever looks at it."""
Order = Literal["oldest", "least_certain"]
KEYS: dict[Order, tuple[Column[Any], ...]] = {
    "oldest": (drafts.c.seq,),
    "least_certain": (drafts.c.certainty, drafts.c.seq),
}
"""What each order goes by; no two drafts have the same."""


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
    order: Order = "oldest"
    """What comes first: what came first, or what its model was least sure of (drafts of unknown certainty last)."""

    @property
    def leaves_out(self) -> bool:
        """Whether anything but the order is asked for."""
        return self != Narrowed(order=self.order)

    @property
    def key(self) -> tuple[Column[Any], ...]:
        """What the order goes by."""
        return KEYS[self.order]

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
        """The next drafts that wait for a verdict; `after` is the draft id a page ended with.

        Raises:
            StoreError: `after` is no draft.
        """
        query = drafts_with_briefs().where(*narrowed.conditions(brand))
        with self._database.read() as connection:
            return _items(connection, *_in_order(connection, query, narrowed.key, after=after), limit=limit)

    def item(self, draft_id: str) -> QueueItem | None:
        """A finished draft with its brief and last screening, whatever its verdict."""
        with self._database.read() as connection:
            return next(iter(_items(connection, _some([draft_id]), limit=1)), None)

    def items(self, draft_ids: Sequence[str]) -> dict[str, QueueItem]:
        """Finished drafts with their briefs and last screenings, whatever their verdicts, by id."""
        with self._database.read() as connection:
            found = _items(connection, _some(draft_ids), limit=len(draft_ids))
            return {item.draft.id: item for item in found}

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

    def waiting(self, brand: str, *, narrowed: Narrowed = EVERYTHING) -> int:
        """How many drafts wait."""
        with self._database.read() as connection:
            return count(connection, *narrowed.conditions(brand))

    def place(self, brand: str, draft_id: str, *, narrowed: Narrowed = EVERYTHING) -> Place:
        """Where a draft stands in the queue.

        Raises:
            StoreError: no such draft.
        """
        with self._database.read() as connection:
            return place_of(connection, draft_id, narrowed.conditions(brand), narrowed.key)

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
        query = drafts_with_briefs().where(*narrowed.conditions(brand), _is_free(holder))
        with self._database.write() as connection:
            queries = _in_order(connection, query, narrowed.key, after=after, before=before)
            return next(iter(_leased(connection, holder, *queries, limit=1)), None)

    def free_after(
        self, draft_id: str, brand: str, holder: str, *, narrowed: Narrowed = EVERYTHING
    ) -> QueueItem | None:
        """What `claim` after a draft would give a holder now; nothing is leased.

        Raises:
            StoreError: no such draft.
        """
        query = drafts_with_briefs().where(*narrowed.conditions(brand), _is_free(holder))
        with self._database.read() as connection:
            queries = _in_order(connection, query, narrowed.key, after=draft_id)
            return next(iter(_items(connection, *queries, limit=1)), None)

    def claim_list(
        self, brand: str, holder: str, *, narrowed: Narrowed = EVERYTHING, limit: int
    ) -> tuple[QueueItem, ...]:
        """Lease the first drafts that nobody else holds; whatever else the holder held is free again."""
        query = drafts_with_briefs().where(*narrowed.conditions(brand), _is_free(holder))
        with self._database.write() as connection:
            connection.execute(delete(leases).where(leases.c.holder == holder))
            return _leased(connection, holder, query.order_by(*narrowed.key), limit=limit)

    def hold(self, draft_id: str, holder: str) -> QueueItem | None:
        """Lease one draft, if it waits and nobody else holds it; a lease of one's own is renewed."""
        query = _some([draft_id]).where(WAITING, _is_free(holder))
        with self._database.write() as connection:
            return next(iter(_leased(connection, holder, query, limit=1)), None)

    def renew(self, holder: str) -> frozenset[str]:
        """Begin the time of a holder's leases anew; return the ids of what it holds.

        One that has run out counts if nobody was given its draft since.
        """
        anew = update(leases).where(leases.c.holder == holder).values(expires_at=_expiry())
        with self._database.write() as connection:
            return frozenset(connection.execute(anew.returning(leases.c.draft_id)).scalars())

    def release(self, holder: str) -> None:
        """Free what a holder holds."""
        with self._database.write() as connection:
            connection.execute(delete(leases).where(leases.c.holder == holder))


def _some(draft_ids: Sequence[str]) -> Select[tuple[object, ...]]:
    return drafts_with_briefs().where(drafts.c.id.in_(draft_ids), drafts.c.failure.is_(None))


def _in_order(
    connection: Connection,
    query: Select[tuple[object, ...]],
    key: Sequence[Column[Any]],
    *,
    after: str | None,
    before: str | None = None,
) -> list[Select[tuple[object, ...]]]:
    """A query as one or several, what each finds in order and before what the next one does."""
    start = after if before is None else before
    if start is None:
        return [query.order_by(*key)]
    order = key if before is None else [column.desc() for column in key]
    found = stretches(connection, start, key, is_backward=before is not None)
    return [query.where(stretch).order_by(*order) for stretch in found]


def _items(connection: Connection, *queries: Select[tuple[object, ...]], limit: int) -> tuple[QueueItem, ...]:
    """What the queries find, one after the other."""
    rows: list[RowMapping] = []
    for query in queries:
        if len(rows) < limit:
            rows += connection.execute(query.limit(limit - len(rows))).mappings().all()
    found = screenings_of(connection, [row["id"] for row in rows], revision=0)
    return tuple(QueueItem(draft_of(row), brief_of(row), found.get(row["id"]), row["revision"]) for row in rows)


def _leased(
    connection: Connection, holder: str, *queries: Select[tuple[object, ...]], limit: int
) -> tuple[QueueItem, ...]:
    """Give a holder what is found instead of what it held; nothing changes if nothing is found."""
    items = _items(connection, *queries, limit=limit)
    if items:
        connection.execute(delete(leases).where(or_(leases.c.holder == holder, leases.c.expires_at <= now())))
        held = {"holder": holder, "expires_at": _expiry()}
        connection.execute(insert(leases), [held | {"draft_id": item.draft.id} for item in items])
    return items


def _expiry() -> str:
    return (datetime.now(UTC) + timedelta(seconds=LEASE_S)).isoformat(timespec="microseconds")


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
