"""The queries and checks that several methods of the store share, inside the caller's transaction."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, get_args

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, func, or_, select
from sqlalchemy.dialects.sqlite import insert

from brand_voice.errors import ConflictError, StoreError
from brand_voice.records import Review, Screening, Severity, Verdict
from brand_voice.store.rows import record_of, screening_row
from brand_voice.store.tables import briefs, current_reviews, current_screenings, drafts, reviews, screenings, votes

_ITS_BRIEF = and_(
    briefs.c.brand == drafts.c.brand, briefs.c.id == drafts.c.brief_id, briefs.c.hash == drafts.c.brief_hash
)


class Place(NamedTuple):
    """Where a draft stands among those that wait for their first verdict."""

    position: int
    """From 1; a draft that no longer waits stands where it stood."""
    total: int
    previous: str | None
    """Id of the waiting draft before it."""
    next: str | None


def drafts_with_briefs() -> Select[Any]:
    """Drafts, each with the `record` of its brief as it was when the draft was written."""
    return select(drafts, briefs.c.record).join(briefs, _ITS_BRIEF)


def ballot_rows(brand: str) -> Select[Any]:
    """Votes with channel, contenders and lengths of their two drafts."""
    left, right = drafts.alias("left_draft"), drafts.alias("right_draft")
    contender = {"left": left, "right": right}
    told = [func.coalesce(d.c.adapter, d.c.model).label(f"{side}_contender") for side, d in contender.items()]
    chars = [func.length(d.c.text).label(f"{side}_chars") for side, d in contender.items()]
    its_brief = and_(briefs.c.brand == left.c.brand, briefs.c.id == left.c.brief_id, briefs.c.hash == left.c.brief_hash)
    query = select(votes, briefs.c.record["channel"].as_string().label("channel"), left.c.brief_hash, *told, *chars)
    query = query.join(left, left.c.id == votes.c.left).join(right, right.c.id == votes.c.right)
    return query.join(briefs, its_brief).where(votes.c.brand == brand).order_by(votes.c.seq)


def stretches(
    connection: Connection, draft_id: str, key: Sequence[Column[Any]], *, is_backward: bool = False
) -> tuple[ColumnElement[bool], ...]:
    """Conditions for what stands after a draft (or before it) in the order of `key`, the nearest stretch first.

    In pieces, because each piece is a range of an index; SQLite (3.40) reads the whole condition, be it an `OR` or a
    row value with `seq` in it, from the first draft that is as certain.

    Raises:
        StoreError: no such draft.
    """
    own = connection.execute(select(*key).where(drafts.c.id == draft_id)).first()
    if own is None:
        raise StoreError(f"no draft {draft_id!r} to continue after", remedy="start again at the head of the queue")
    found = []
    for place in reversed(range(len(key))):
        same = [column == value for column, value in zip(key[:place], own, strict=False)]
        beyond = key[place] < own[place] if is_backward else key[place] > own[place]
        found.append(and_(*same, beyond))
    return tuple(found)


def place_of(
    connection: Connection, draft_id: str, waiting: Sequence[ColumnElement[bool]], key: Sequence[Column[Any]]
) -> Place:
    """Place of a draft among those that fulfil the conditions, in the order of `key`.

    Raises:
        StoreError: no such draft.
    """
    before = stretches(connection, draft_id, key, is_backward=True)
    after = stretches(connection, draft_id, key)
    counts = select(func.count().filter(or_(*before)), func.count()).select_from(drafts).where(*waiting)
    number_before, total = connection.execute(counts).one()
    ids = select(drafts.c.id).where(*waiting).limit(1)
    backward = ids.order_by(*(column.desc() for column in key))
    return Place(
        position=number_before + 1,
        total=total,
        previous=_first(connection, [backward.where(stretch) for stretch in before]),
        next=_first(connection, [ids.order_by(*key).where(stretch) for stretch in after]),
    )


def _first(connection: Connection, queries: Iterable[Select[Any]]) -> str | None:
    """The first id that any of the queries finds."""
    found = (connection.execute(query).scalar() for query in queries)
    return next((id_ for id_ in found if id_ is not None), None)


def screenings_of(connection: Connection, draft_ids: Sequence[str], revision: int) -> dict[str, Screening]:
    """The last screening of each draft's text at one revision."""
    last = current_screenings.c
    query = select(current_screenings).where(last.draft_id.in_(draft_ids), last.revision == revision)
    found = [record_of(Screening, row) for row in connection.execute(query).mappings()]
    return {screening.draft_id: screening for screening in found}


def add_screenings(connection: Connection, new: Iterable[Screening]) -> None:
    """Store screenings; one of the same text under the same guide version is replaced."""
    # REPLACE gives the row a new `seq`, so that the screening made last is the last one, whatever its guide version.
    rows = [screening_row(screening) for screening in new]
    if rows:
        connection.execute(insert(screenings).prefix_with("OR REPLACE"), rows)


def check_turn(connection: Connection, review: Review) -> None:
    """Refuse a verdict out of turn; the write lock is ours, so nobody comes between this and the insert.

    Raises:
        ConflictError: a verdict of that revision is stored already.
        StoreError: the draft is unknown or failed, or a revision would be skipped.
    """
    query = select(drafts.c.failure, drafts.c.revision).where(drafts.c.id == review.draft_id)
    draft = connection.execute(query).first()
    if draft is None or draft.failure is not None:
        what = "is not stored" if draft is None else f"failed ({draft.failure})"
        raise StoreError(f"draft {review.draft_id} {what}; only a finished draft gets a verdict", remedy="reload it")
    if review.revision > draft.revision + 1:
        raise StoreError(
            f"verdict {review.revision} on draft {review.draft_id} would follow {draft.revision}",
            remedy=f"give it revision {draft.revision + 1}",
        )
    if review.revision <= draft.revision:
        raise _conflict(connection, review)


def _conflict(connection: Connection, review: Review) -> ConflictError:
    same = and_(reviews.c.draft_id == review.draft_id, reviews.c.revision == review.revision)
    first = connection.execute(select(reviews.c.reviewer, reviews.c.verdict, reviews.c.created_at).where(same)).one()
    return ConflictError(
        f"draft {review.draft_id} has verdict {review.revision} already: {first.verdict} by {first.reviewer} "
        f"at {first.created_at}",
        remedy="reload the draft; to overrule the verdict, give it the next revision",
    )


def count(connection: Connection, *where: ColumnElement[bool]) -> int:
    """Rows of the one table that the conditions name."""
    return int(connection.execute(select(func.count()).where(*where)).scalar_one())


def finding_counts(connection: Connection, brand: str) -> dict[Severity, int]:
    """Findings in the drafts as written, by their last screening."""
    last = current_screenings.c
    sums = [func.coalesce(func.sum(last[f"{severity}_count"]), 0).label(severity) for severity in get_args(Severity)]
    query = select(*sums).join_from(drafts, current_screenings, drafts.c.id == last.draft_id)
    row = connection.execute(query.where(drafts.c.brand == brand, last.revision == 0)).mappings().one()
    return {severity: row[severity] for severity in get_args(Severity)}


def verdict_counts(connection: Connection, brand: str) -> dict[Verdict, int]:
    """Last verdicts by kind."""
    query = select(current_reviews.c.verdict, func.count()).where(current_reviews.c.brand == brand)
    found = {verdict: number for verdict, number in connection.execute(query.group_by(current_reviews.c.verdict))}
    return {verdict: found.get(verdict, 0) for verdict in get_args(Verdict)}
