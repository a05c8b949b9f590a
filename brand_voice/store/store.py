"""What a workspace remembers: briefs, drafts, screenings, verdicts, votes, attempts, jobs, answers, people, promotions.

Verdicts and votes are appended and finished drafts never change (triggers of the schema see to it); screenings are
derived and may be made again. Every method is one transaction: what it was given is stored whole or not at all, and
is on the disk when it returns. One `Store` serves all threads of a process; other processes may have the same file
open. The store knows no rule, no prompt and no model.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple, Self

from sqlalchemy import and_, bindparam, delete, exists, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from brand_voice.errors import ConflictError
from brand_voice.records import (
    Answer,
    Approved,
    Author,
    Ballot,
    Brief,
    Draft,
    Job,
    Review,
    Screening,
    Severity,
    Verdict,
    Vote,
)
from brand_voice.store.api_keys import ApiKeys
from brand_voice.store.database import Database
from brand_voice.store.dismissals import Dismissals
from brand_voice.store.ledger import Ledger
from brand_voice.store.live import Live
from brand_voice.store.queries import (
    add_screenings,
    ballot_rows,
    check_turn,
    count,
    drafts_with_briefs,
    finding_counts,
    screenings_of,
    verdict_counts,
)
from brand_voice.store.queue import Queue
from brand_voice.store.rows import ballot_of, brief_of, brief_rows, draft_of, draft_row, record_of
from brand_voice.store.staff import Staff
from brand_voice.store.tables import (
    WAITING,
    answers,
    briefs,
    current_reviews,
    current_screenings,
    drafts,
    jobs,
    reviews,
    votes,
)
from brand_voice.store.verdicts import Verdicts


class Counts(NamedTuple):
    """How far a brand is."""

    briefs: int
    drafts: int
    """Finished drafts."""
    failed: int
    """Drafts without a text, to be asked for again."""
    findings: dict[Severity, int]
    """Findings in the finished drafts, by their last screening; edits are not counted."""
    verdicts: dict[Verdict, int]
    """Last verdicts."""
    unreviewed: int


class Store(ApiKeys, Dismissals, Ledger, Live, Queue, Staff, Verdicts):
    """A workspace's database: briefs, drafts, verdicts, votes and jobs; its other parts are the classes it extends."""

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the database at `path`; create and migrate it where needed.

        Raises:
            StoreError: not a database of ours, one of a newer version, or the disk refuses.
        """
        return cls(Database.open(path))

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def save_brand_briefs(self, new: Iterable[Brief]) -> None:
        """Store briefs. An id with new content points to it from now on; drafts keep the content they were made for."""
        rows = brief_rows(new)
        if not rows:
            return
        keys = [{"its_brand": row["brand"], "its_id": row["id"]} for row in rows]
        its_row = and_(briefs.c.brand == bindparam("its_brand"), briefs.c.id == bindparam("its_id"))
        added = insert(briefs)
        added = added.on_conflict_do_update(
            index_elements=["brand", "id", "hash"],
            set_={"is_current": added.excluded.is_current, "record": added.excluded.record},
        )
        with self._database.write() as connection:
            connection.execute(update(briefs).where(briefs.c.is_current, its_row).values(is_current=False), keys)
            connection.execute(added, rows)

    def brief(self, brief_id: str, brand: str) -> Brief | None:
        """The newest content of a brief."""
        query = select(briefs.c.record).where(briefs.c.brand == brand, briefs.c.id == brief_id, briefs.c.is_current)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return brief_of(row) if row else None

    def briefs(self, brand: str) -> tuple[Brief, ...]:
        """The newest content of all briefs of a brand, in the order they came."""
        query = select(briefs.c.record).where(briefs.c.brand == brand, briefs.c.is_current).order_by(briefs.c.seq)
        with self._database.read() as connection:
            return tuple(brief_of(row) for row in connection.execute(query).mappings())

    def briefs_by_hash(self, brand: str) -> dict[str, Brief]:
        """All contents of a brand's briefs, rewritten ones included, by content hash."""
        query = select(briefs.c.hash, briefs.c.record).where(briefs.c.brand == brand).order_by(briefs.c.is_current)
        with self._database.read() as connection:
            return {row["hash"]: brief_of(row) for row in connection.execute(query).mappings()}

    def save_draft(self, draft: Draft) -> None:
        """Store a draft; see `save_drafts`."""
        self.save_drafts([draft])

    def save_drafts(self, new: Iterable[Draft]) -> None:
        """Store drafts. A failed one gives way to a later attempt, a finished one stays as it is.

        Raises:
            StoreError: the brief of a draft is not stored.
        """
        rows = [draft_row(draft) for draft in new]
        if not rows:
            return
        failed = and_(drafts.c.id == bindparam("its_id"), drafts.c.failure.is_not(None))
        with self._database.write() as connection:
            connection.execute(delete(drafts).where(failed), [{"its_id": row["id"]} for row in rows])
            connection.execute(insert(drafts).on_conflict_do_nothing(index_elements=["id"]), rows)

    def draft(self, draft_id: str) -> Draft | None:
        """One draft, failed or not."""
        with self._database.read() as connection:
            row = connection.execute(select(drafts).where(drafts.c.id == draft_id)).mappings().first()
        return draft_of(row) if row else None

    def drafts(
        self, brand: str, *, author: Author | None = None, adapter: str | None = None, ok_only: bool = True
    ) -> tuple[Draft, ...]:
        """The drafts of a brand in the order they came, narrowed to an author or an adapter."""
        query = select(drafts).where(drafts.c.brand == brand).order_by(drafts.c.seq)
        query = query.where(drafts.c.failure.is_(None)) if ok_only else query
        query = query.where(drafts.c.author == author) if author else query
        query = query.where(drafts.c.adapter == adapter) if adapter else query
        with self._database.read() as connection:
            return tuple(draft_of(row) for row in connection.execute(query).mappings())

    def ok_draft_ids(self, brand: str) -> frozenset[str]:
        """Ids of the brand's finished drafts: what need not be asked for again."""
        query = select(drafts.c.id).where(drafts.c.brand == brand, drafts.c.failure.is_(None))
        with self._database.read() as connection:
            return frozenset(connection.execute(query).scalars())

    def save_screening(self, screening: Screening) -> None:
        """Store a screening; see `save_screenings`."""
        self.save_screenings([screening])

    def save_screenings(self, new: Iterable[Screening]) -> None:
        """Store screenings; one of the same text under the same guide version is replaced.

        Raises:
            StoreError: a draft is not stored.
        """
        screened = tuple(new)  # a lazy argument must not do its work under the write lock
        with self._database.write() as connection:
            add_screenings(connection, screened)

    def screenings(self, brand: str) -> dict[tuple[str, int], Screening]:
        """The last screening of every text of a brand, by draft id and revision."""
        query = select(current_screenings).join(drafts, drafts.c.id == current_screenings.c.draft_id)
        query = query.where(drafts.c.brand == brand).order_by(current_screenings.c.seq)
        with self._database.read() as connection:
            found = [record_of(Screening, row) for row in connection.execute(query).mappings()]
        return {(screening.draft_id, screening.revision): screening for screening in found}

    def screening(self, draft_id: str, revision: int = 0) -> Screening | None:
        """The last screening of one text; revision 0 is the draft as written."""
        with self._database.read() as connection:
            return screenings_of(connection, [draft_id], revision).get(draft_id)

    def add_review(self, review: Review, screening: Screening | None = None) -> None:
        """Append a verdict and, for an edit, the screening of its text; see `add_reviews`."""
        self.add_reviews([review], [screening] if screening else [])

    def add_reviews(self, new: Iterable[Review], edited: Iterable[Screening] = ()) -> None:
        """Append verdicts, and the screenings of edited texts: all of them, or none if one is refused.

        Raises:
            ConflictError: a verdict of that revision is stored already; the first one stands.
            StoreError: a draft is unknown or failed, or a revision would be skipped.
        """
        verdicts, screened = tuple(new), tuple(edited)  # lazy arguments must not do their work under the write lock
        with self._database.write() as connection:
            for review in verdicts:
                check_turn(connection, review)
                connection.execute(insert(reviews), review.model_dump(mode="json"))
            add_screenings(connection, screened)

    def add_reviews_in_turn(self, new: Iterable[Review]) -> dict[str, ConflictError]:
        """Append those verdicts, none of them an edit, whose turn it is; return why the others were not, by draft id.

        Raises:
            StoreError: a draft is unknown or failed, or a revision would be skipped; then none is stored.
        """
        refused = {}
        with self._database.write() as connection:
            for review in new:
                try:
                    check_turn(connection, review)
                except ConflictError as error:
                    refused[review.draft_id] = error
                else:
                    connection.execute(insert(reviews), review.model_dump(mode="json"))
        return refused

    def reviews(self, draft_id: str) -> tuple[Review, ...]:
        """All verdicts on a draft, the first one first."""
        query = select(reviews).where(reviews.c.draft_id == draft_id).order_by(reviews.c.revision)
        with self._database.read() as connection:
            return tuple(record_of(Review, row) for row in connection.execute(query).mappings())

    def reviewed_ids(self, brand: str) -> frozenset[str]:
        """Ids of the brand's drafts that somebody judged, verdicts that were undone included."""
        query = select(drafts.c.id).where(drafts.c.brand == brand, drafts.c.revision > 0)
        with self._database.read() as connection:
            return frozenset(connection.execute(query).scalars())

    def is_untouched(self, brand: str) -> bool:
        """Whether a brand has no drafts but unjudged ones of the recorded teacher: none, or a demo loaded in part."""
        of_people = or_(drafts.c.is_recorded.is_(False), drafts.c.revision > 0)
        query = select(exists().where(drafts.c.brand == brand, of_people))
        with self._database.read() as connection:
            return not connection.execute(query).scalar_one()

    def current_reviews(self, brand: str) -> dict[str, Review]:
        """The last verdict of every reviewed draft of a brand, by draft id."""
        query = select(current_reviews).where(current_reviews.c.brand == brand)
        with self._database.read() as connection:
            found = [record_of(Review, row) for row in connection.execute(query).mappings()]
        return {review.draft_id: review for review in found}

    def approved(self, brand: str, *, verdict: Literal["approve", "edit"] | None = None) -> tuple[Approved, ...]:
        """The drafts whose last verdict is `approve` or `edit`, in the order they came: all that may train."""
        last = current_reviews.c.verdict
        counts = (current_reviews.c.brand == brand, last == verdict if verdict else last != "reject")
        query = drafts_with_briefs().join(current_reviews, current_reviews.c.draft_id == drafts.c.id).where(*counts)
        with self._database.read() as connection:
            reviewed = connection.execute(select(current_reviews).where(*counts)).mappings()
            verdicts = {row["draft_id"]: record_of(Review, row) for row in reviewed}
            rows = connection.execute(query.order_by(drafts.c.seq)).mappings()
            return tuple(Approved(draft_of(row), brief_of(row), verdicts[row["id"]]) for row in rows)

    def add_vote(self, vote: Vote) -> None:
        """Append a vote.

        Raises:
            StoreError: a draft is not stored.
        """
        with self._database.write() as connection:
            connection.execute(insert(votes), vote.model_dump(mode="json"))

    def ballots(self, brand: str) -> tuple[Ballot, ...]:
        """All votes of a brand in the order they came."""
        with self._database.read() as connection:
            return tuple(ballot_of(row) for row in connection.execute(ballot_rows(brand)).mappings())

    def start_job(self, job: Job) -> Job:
        """Pin a job's model, adapter and sampling; return what is pinned, which is the first start's."""
        added = insert(jobs).on_conflict_do_nothing(index_elements=["id"])
        with self._database.write() as connection:
            connection.execute(added, job.model_dump(mode="json"))
            row = connection.execute(select(jobs).where(jobs.c.id == job.id)).mappings().one()
        return record_of(Job, row)

    def job(self, job_id: str) -> Job | None:
        """A job as it was pinned at its start."""
        with self._database.read() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().first()
        return record_of(Job, row) if row else None

    def save_answers(self, new: Sequence[Answer]) -> None:
        """Store answers; one that is not "ok" gives way to a later one for the same row and variant.

        Raises:
            StoreError: the job was not started.
        """
        if not new:
            return
        added = insert(answers)
        fresh = {name: column for name, column in added.excluded.items() if not answers.c[name].primary_key}
        added = added.on_conflict_do_update(
            index_elements=["job_id", "row", "variant"], set_=fresh, where=answers.c.status != "ok"
        )
        with self._database.write() as connection:
            connection.execute(added, [answer.model_dump(mode="json") for answer in new])

    def answers(self, job_id: str) -> tuple[Answer, ...]:
        """All answers of a job, by row and variant."""
        query = select(answers).where(answers.c.job_id == job_id).order_by(answers.c.row, answers.c.variant)
        with self._database.read() as connection:
            return tuple(record_of(Answer, row) for row in connection.execute(query).mappings())

    def counts(self, brand: str) -> Counts:
        """How far a brand is, counted in one consistent view of the database."""
        with self._database.read() as connection:
            return Counts(
                briefs=count(connection, briefs.c.brand == brand, briefs.c.is_current),
                drafts=count(connection, drafts.c.brand == brand, drafts.c.failure.is_(None)),
                failed=count(connection, drafts.c.brand == brand, drafts.c.failure.is_not(None)),
                findings=finding_counts(connection, brand),
                verdicts=verdict_counts(connection, brand),
                unreviewed=count(connection, drafts.c.brand == brand, WAITING),
            )
