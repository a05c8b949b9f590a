"""A batch of briefs written by the student: every row gets an answer, checked and committed as it comes.

A job is pinned at its start: adapter, sampling, number of variants and the content of the input make its id. A second
run therefore finds its answers and asks only for what is missing or failed; a changed input is another job. A row's
key is its number: two rows may hold the same brief, and each gets its own text.

Which text is asked for next, and which try is delivered, is the desk's business. Screening and commits happen here, in
the caller's thread: `generate` keeps enough requests at hand that the server does not wait for them.

Costs: the machine's time from one commit to the next, in equal shares for the answers committed; so the costs of a
run's answers add up to its wall time. Starting the server is not in it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from brand_voice.brand import BrandFolder
from brand_voice.brief_files import Row
from brand_voice.chat import Chat
from brand_voice.desk import Desk
from brand_voice.errors import ChatError, FailureKind
from brand_voice.generate import generate
from brand_voice.guide import Brand
from brand_voice.records import Answer, Job, Sampling, content_hash
from brand_voice.store.store import Store

CHUNK = 32
"""Answers in one commit, unless `CHUNK_S` is over first."""
CHUNK_S = 1.0
OF_THE_ROW: frozenset[FailureKind] = frozenset({"cut_off", "empty", "refused", "rejected"})
"""Failures that say something about a row; too many of the others say that the server is gone."""

WRITERS = {"student": "by the student", "best_of": "best of several", "teacher": "by the teacher"}


class Student(NamedTuple):
    """Who answers."""

    chat: Chat
    is_alive: Callable[[], bool]
    """Whether its server runs; asked before every request."""
    machine_usd_per_hour: float | None
    """What the machine costs; without it no costs are given."""


class Takes(NamedTuple):
    """How many texts a row gets."""

    variants: int = 1
    """Texts delivered, near-duplicates left out."""
    best_of: int = 1
    """Texts asked for, of which one is delivered."""


class Progress(NamedTuple):
    """How far a job is."""

    rows: int
    """Rows of the input."""
    answered: int
    """Rows with all their answers."""
    reused: int
    """Rows among them that an earlier run had answered."""
    statuses: dict[str, int]
    """Answers by status."""
    failures: dict[str, int]
    """Failed answers by reason."""
    dropped: int
    """Variants of this run left out as near-duplicates."""
    asked: int
    """Texts this run asked for, second tries and best-of-N included."""
    unblocked: int
    """Texts among them without a blocking finding."""
    seconds: float
    """Wall time of this run."""
    cost_usd: float | None
    """Of this run."""
    writers: dict[str, int]
    """Answers by whose text they are, where a cascade decided."""

    @property
    def is_partial(self) -> bool:
        """Whether any row is without a publishable text."""
        return self.answered < self.rows or any(self.statuses[status] for status in self.statuses if status != "ok")


def pin_job(
    rows: Sequence[Row],
    brand: Brand,
    *,
    model: str,
    adapter: str | None,
    sampling: Sampling,
    takes: Takes,
) -> Job:
    """The job these rows make: the same content, guide, adapter, sampling and number of takes give the same id."""
    input_hash = content_hash([[row.id, row.brief.hash if row.brief else row.problem] for row in rows])
    pinned = [brand.version, input_hash, model, adapter, sampling.model_dump(), *takes]
    return Job(
        id=content_hash(pinned),
        brand=brand.id,
        input_hash=input_hash,
        model=model,
        adapter=adapter,
        sampling=sampling,
        variants=takes.variants,
        best_of=takes.best_of,
    )


def is_answered(rows: Sequence[Row], job: Job, brand: BrandFolder, store: Store) -> bool:
    """Whether an earlier run left nothing to ask the student for."""
    desk = Desk(rows, store.start_job(job), brand, lambda: False)
    desk.reuse(store.answers(job.id))
    desk.invalid()
    return desk.is_done


def write(
    rows: Sequence[Row], job: Job, brand: BrandFolder, *, student: Student | None, store: Store
) -> Iterator[Progress]:
    """Answer every row that has no answer yet; the answers are in the store when the progress is told.

    Args:
        rows: the input, bad rows included; they get the status `invalid`.
        job: from `pin_job` of the same rows.
        brand: whose rules the texts are held against.
        student: who writes; may be None where `is_answered`.
        store: where answers go, and where those of an earlier run are.

    Raises:
        ChatError: the server answers nobody any more; what was answered is stored.
        ServeError: the server died; what was answered is stored.
    """
    desk = Desk(rows, store.start_job(job), brand, student.is_alive if student else lambda: False)
    ledger = Ledger(desk, store, student.machine_usd_per_hour if student else None)
    desk.reuse(store.answers(job.id))
    ledger.add(desk.invalid())
    try:
        yield ledger.commit()
        while student and not desk.is_done:
            for draft in generate(desk, student.chat, job.sampling, adapter=job.adapter):
                ledger.add(desk.take(draft))
                if ledger.is_due:
                    yield ledger.commit()
    except ChatError as error:
        if error.kind not in OF_THE_ROW or not desk.is_done:
            raise
    finally:
        last = ledger.commit()
    yield last


def summary(progress: Progress) -> str:
    """One line: `write: 480 rows, 470 ok, 4 blocked, 6 failed (6 did not end), 3m12s, $0.02`."""
    told = [f"write: {progress.rows} rows"]
    told += [f"{number} {status}" for status, number in progress.statuses.items() if number and status != "failed"]
    if progress.failures:
        reasons = ", ".join(f"{number}: {reason}" for reason, number in progress.failures.items())
        told.append(f"{sum(progress.failures.values())} failed ({reasons})")
    if progress.reused:
        told.append(f"{progress.reused} rows from an earlier run")
    if progress.dropped:
        told.append(f"{progress.dropped} near-duplicates left out")
    if progress.asked:
        told.append(
            f"{progress.asked} texts asked for, {progress.unblocked / progress.asked:.0%} without blocking findings"
        )
    if progress.writers:
        told.append(", ".join(f"{number} {WRITERS[by]}" for by, number in progress.writers.items()))
    minutes, seconds = divmod(round(progress.seconds), 60)
    told.append(f"{minutes}m{seconds:02}s" if minutes else f"{seconds}s")
    if progress.cost_usd is not None:
        told.append(f"${progress.cost_usd:.4f}")
    return ", ".join(told)


class Ledger:
    """Answers not yet committed, and the machine's time since the last commit."""

    def __init__(self, desk: Desk, store: Store, usd_per_hour: float | None) -> None:
        self._desk = desk
        self._store = store
        self._usd_per_hour = usd_per_hour
        self._cost_usd: float | None = None if usd_per_hour is None else 0.0
        self._waiting: list[Answer] = []
        self._started = self._committed = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether it is time to commit."""
        has_waited = time.monotonic() - self._committed >= CHUNK_S
        return len(self._waiting) >= CHUNK or bool(self._waiting and has_waited)

    def add(self, answers: Iterable[Answer]) -> None:
        """Keep answers for the next commit."""
        self._waiting += answers

    def commit(self) -> Progress:
        """Store what waits, with its share of the machine's time."""
        moment = time.monotonic()
        written = [answer for answer in self._waiting if answer.status != "invalid"]
        if written and self._usd_per_hour is not None:
            share_usd = (moment - self._committed) / 3_600 * self._usd_per_hour / len(written)
            self._waiting = [a if a.status == "invalid" else _dearer(a, share_usd) for a in self._waiting]
        costs_usd = [answer.cost_usd for answer in self._waiting if answer.cost_usd is not None]
        self._cost_usd = sum(costs_usd, self._cost_usd or 0.0) if costs_usd else self._cost_usd
        self._store.save_answers(self._waiting)
        self._desk.keep(self._waiting)
        if written:
            self._committed = moment
        self._waiting = []
        return self._progress(moment)

    def _progress(self, moment: float) -> Progress:
        desk = self._desk
        return Progress(
            rows=len(desk.rows),
            answered=desk.answered,
            reused=desk.reused,
            statuses={status: desk.statuses[status] for status in ("ok", "blocked", "failed", "invalid")},
            failures=dict(+desk.failures),
            dropped=desk.dropped,
            asked=desk.asked,
            unblocked=desk.unblocked,
            seconds=moment - self._started,
            cost_usd=self._cost_usd,
            writers=dict(+desk.writers),
        )


def _dearer(answer: Answer, usd: float) -> Answer:
    """The answer with its share of the machine's time on top of what was paid for it."""
    return answer.model_copy(update={"cost_usd": usd + (answer.cost_usd or 0.0)})
