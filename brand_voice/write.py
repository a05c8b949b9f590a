"""A batch of briefs written by the student: every row gets an answer, checked and committed as it comes.

A job is pinned at its start: adapter, sampling, number of variants and the content of the input make its id. A second
run therefore finds its answers and asks only for what is missing or failed; a changed input is another job. A row's
key is its number: two rows may hold the same brief, and each gets its own text.

A text with blocking findings, or one that did not end, is asked for once more with another seed, while other requests
are under way; the better of the two is delivered. Screening and commits happen here, in the caller's thread:
`generate` keeps enough requests at hand that the server does not wait for them.

Costs: the machine's time from one commit to the next, in equal shares for the answers committed; so the costs of a
run's answers add up to its wall time. Starting the server is not in it.
"""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from brand_voice.brand import BrandFolder
from brand_voice.brief_files import Row
from brand_voice.chat import Chat
from brand_voice.errors import BrandError, ChatError, FailureKind, ServeError
from brand_voice.generate import Request, generate
from brand_voice.guide import Brand
from brand_voice.prompts import student_messages
from brand_voice.records import Answer, Brief, Draft, Finding, Job, Message, Sampling, content_hash, draft_id
from brand_voice.screen.screening import Screener
from brand_voice.screen.similar import masked, near_duplicates
from brand_voice.store.store import Store

CHUNK = 32
"""Answers in one commit, unless `CHUNK_S` is over first."""
CHUNK_S = 1.0
RETRIED: frozenset[FailureKind] = frozenset({"cut_off", "empty"})
"""Failures that another seed may not meet; `chat` has its own retries for the others."""
OF_THE_ROW: frozenset[FailureKind] = frozenset({"cut_off", "empty", "refused", "rejected"})
"""Failures that say something about a row; too many of the others say that the server is gone."""
REASONS: dict[FailureKind, str] = {
    "timeout": "the student did not answer in time",
    "unreachable": "the student's server could not be reached",
    "rate_limited": "the student's server was too busy",
    "quota": "the account is out of credit",
    "rejected": "the student's server refused the request: is the brief longer than its context?",
    "server_error": "the student's server failed",
    "bad_answer": "the student's server sent no usable answer",
    "empty": "the student wrote nothing",
    "cut_off": "the text did not end within max_new_tokens",
    "refused": "the student refused",
    "no_recording": "there is no recording for this brief",
}


class Student(NamedTuple):
    """Who answers."""

    chat: Chat
    is_alive: Callable[[], bool]
    """Whether its server runs; asked before every request."""
    machine_usd_per_hour: float | None
    """What the machine costs; without it no costs are given."""


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
    seconds: float
    """Wall time of this run."""
    cost_usd: float | None
    """Of this run."""

    @property
    def is_partial(self) -> bool:
        """Whether any row is without a publishable text."""
        return self.answered < self.rows or any(self.statuses[status] for status in self.statuses if status != "ok")


def pin_job(
    rows: Sequence[Row], brand: Brand, *, model: str, adapter: str | None, sampling: Sampling, variants: int
) -> Job:
    """The job these rows make: the same content, guide, adapter, sampling and variants give the same id."""
    input_hash = content_hash([[row.id, row.brief.hash if row.brief else row.problem] for row in rows])
    pinned = [brand.version, input_hash, model, adapter, sampling.model_dump(), variants]
    return Job(
        id=content_hash(pinned),
        brand=brand.id,
        input_hash=input_hash,
        model=model,
        adapter=adapter,
        sampling=sampling,
        variants=variants,
    )


def write(rows: Sequence[Row], job: Job, brand: BrandFolder, *, student: Student, store: Store) -> Iterator[Progress]:
    """Answer every row that has no answer yet; the answers are in the store when the progress is told.

    Args:
        rows: the input, bad rows included; they get the status `invalid`.
        job: from `pin_job` of the same rows.
        brand: whose rules the texts are held against.
        student: who writes.
        store: where answers go, and where those of an earlier run are.

    Raises:
        ChatError: the server answers nobody any more; what was answered is stored.
        ServeError: the server died; what was answered is stored.
    """
    desk = _Desk(rows, store.start_job(job), brand, student)
    ledger = _Ledger(desk, store, student.machine_usd_per_hour)
    desk.reuse(store.answers(job.id))
    ledger.add(desk.invalid())
    try:
        yield ledger.commit()
        while not desk.is_done:
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
    minutes, seconds = divmod(round(progress.seconds), 60)
    told.append(f"{minutes}m{seconds:02}s" if minutes else f"{seconds}s")
    if progress.cost_usd is not None:
        told.append(f"${progress.cost_usd:.4f}")
    return ", ".join(told)


class _Try(NamedTuple):
    """One text for one variant of a row, held against the rules."""

    draft: Draft
    findings: tuple[Finding, ...]
    problem: str | None = None

    @property
    def blocks(self) -> int:
        return sum(finding.severity == "block" for finding in self.findings)

    @property
    def rank(self) -> tuple[bool, int]:
        """Smaller is better: a text before none, then few blocking findings."""
        return self.problem is not None, self.blocks


class _Wanted(NamedTuple):
    """A text that is under way."""

    row: int
    variant: int
    messages: tuple[Message, ...] = ()
    first: _Try | None = None
    """The try this one is to better."""


class _Desk:
    """What is to be asked, what is under way and what is answered; iterating it gives the requests.

    The iterator runs dry while the last requests are under way and goes on when one of them wants a second try.
    """

    def __init__(self, rows: Sequence[Row], job: Job, brand: BrandFolder, student: Student) -> None:
        self.rows = rows
        self.answers: dict[tuple[int, int], Answer] = {}
        self.statuses: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.reused = 0
        self.dropped = 0
        self._job = job
        self._brand = brand.guide
        self._screener = Screener(brand.guide, brand.catalogue)
        self._student = student
        self._fresh: Iterator[_Wanted] = iter(())
        self._again: deque[_Wanted] = deque()
        self._under_way: dict[str, deque[_Wanted]] = defaultdict(deque)
        self._tries: dict[int, dict[int, _Try]] = defaultdict(dict)
        self._missing: dict[int, set[int]] = {}

    @property
    def is_done(self) -> bool:
        """Whether every row is answered."""
        return not self._missing

    @property
    def answered(self) -> int:
        """Rows with all their answers."""
        return len(self.rows) - len(self._missing)

    def reuse(self, answers: Iterable[Answer]) -> None:
        """Take an earlier run's answers; what failed is asked for again."""
        self.keep(answers)
        asked = {row for row, _ in self.answers}
        for row in self.rows:
            failed = {v for v in range(self._job.variants) if self._has_failed(row.index, v)}
            if row.brief is not None and (failed or row.index not in asked):
                self._missing[row.index] = failed or set(range(self._job.variants))
        self.reused = len(self.rows) - len(self._missing) if asked else 0
        wanted = [_Wanted(row, variant) for row, variants in self._missing.items() for variant in sorted(variants)]
        self._fresh = iter(wanted)

    def keep(self, answers: Iterable[Answer]) -> None:
        """Count stored answers, each in place of an earlier one for the same text."""
        for answer in answers:
            key = (answer.row, answer.variant)
            for each, count in ((self.answers.get(key), -1), (answer, 1)):
                if each is not None:
                    self.statuses[each.status] += count
                    self.failures[str(each.reason)] += count * (each.status == "failed")
            self.answers[key] = answer

    def invalid(self) -> list[Answer]:
        """Answers of the rows that are no briefs."""
        bad = [row for row in self.rows if row.brief is None and (row.index, 0) not in self.answers]
        return [
            Answer(job_id=self._job.id, row=row.index, id=row.id, status="invalid", reason=row.problem) for row in bad
        ]

    def __iter__(self) -> "_Desk":
        return self

    def __next__(self) -> Request:
        if not self._student.is_alive():
            raise ServeError(
                "the student's server ended while it was writing",
                remedy="run the same command again: it goes on where this run stopped",
            )
        wanted = self._again.popleft() if self._again else next(self._fresh)
        brief = self._brief(wanted.row)
        messages = wanted.messages or student_messages(self._brand, brief)
        candidate = wanted.variant + (self._job.variants if wanted.first else 0)
        endpoint = self._student.chat.endpoint
        id_ = draft_id(brief, messages, endpoint.model, self._job.sampling, candidate)
        self._under_way[id_].append(wanted._replace(messages=messages))
        return Request(draft_id=id_, brief=brief, messages=messages, candidate=candidate, author="student")

    def take(self, draft: Draft) -> list[Answer]:
        """Judge a draft; return its row's answers if they are complete."""
        wanted = self._under_way[draft.id].popleft()
        this = self._judge(draft, self._brief(wanted.row))
        may_improve = this.blocks or draft.failure in RETRIED
        if may_improve and wanted.first is None:
            self._again.append(wanted._replace(first=this))
            return []
        best = min(filter(None, (wanted.first, this)), key=lambda each: each.rank)
        tries = self._tries[wanted.row]
        tries[wanted.variant] = best
        if tries.keys() < self._missing[wanted.row]:
            return []
        del self._missing[wanted.row]
        return self._row_answers(self.rows[wanted.row], self._tries.pop(wanted.row))

    def _has_failed(self, row: int, variant: int) -> bool:
        answer = self.answers.get((row, variant))
        return answer is not None and answer.status == "failed"

    def _brief(self, index: int) -> Brief:
        brief = self.rows[index].brief
        assert brief is not None, "only rows with a brief are asked for"
        return brief

    def _judge(self, draft: Draft, brief: Brief) -> _Try:
        if draft.failure is not None:
            return _Try(draft, (), REASONS[draft.failure])
        try:
            screening = self._screener.screen(draft.text, brief, draft_id=draft.id)
        except BrandError as error:  # a pattern of the guide that does not end on this text
            return _Try(draft, (), error.message)
        return _Try(draft, screening.findings)

    def _row_answers(self, row: Row, tries: dict[int, _Try]) -> list[Answer]:
        """Answers of a row's variants, the better ones first where two are too much alike."""
        earlier = {v: self.answers.get((row.index, v)) for v in range(self._job.variants) if v not in tries}
        texts = {variant: answer.text for variant, answer in earlier.items() if answer and answer.text}
        ranked = sorted(tries, key=lambda variant: (tries[variant].rank, variant))
        texts |= {variant: tries[variant].draft.text for variant in ranked if tries[variant].problem is None}
        dropped = _alike(texts, self._brief(row.index)) - earlier.keys()
        self.dropped += len(dropped)
        return [self._answer(row, variant, tries[variant]) for variant in sorted(tries.keys() - dropped)]

    def _answer(self, row: Row, variant: int, best: _Try) -> Answer:
        draft = best.draft
        reasons = "; ".join(finding.message for finding in best.findings if finding.severity == "block")
        return Answer(
            job_id=self._job.id,
            row=row.index,
            variant=variant,
            id=row.id,
            status="failed" if best.problem else "blocked" if best.blocks else "ok",
            text=draft.text,
            reason=best.problem or reasons or None,
            findings=best.findings,
            model=self._job.model,
            adapter=self._job.adapter,
            tokens=draft.usage.completion_tokens or None,
            latency_ms=draft.latency_ms,
        )


def _alike(texts: Mapping[int, str], brief: Brief) -> set[int]:
    """Keys of the texts that are near-duplicates of an earlier one that stays."""
    keys = list(texts)
    dropped: set[int] = set()
    if len(keys) > 1:
        pairs = near_duplicates([masked(text, brief) for text in texts.values()])
        for earlier, later, _ in sorted(pairs, key=lambda pair: pair[1]):
            if keys[earlier] not in dropped:
                dropped.add(keys[later])
    return dropped


class _Ledger:
    """Answers not yet committed, and the machine's time since the last commit."""

    def __init__(self, desk: _Desk, store: Store, usd_per_hour: float | None) -> None:
        self._desk = desk
        self._store = store
        self._usd_per_hour = usd_per_hour
        self._cost_usd = 0.0
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
            cost_usd = (moment - self._committed) / 3_600 * self._usd_per_hour
            self._cost_usd += cost_usd
            share = {"cost_usd": cost_usd / len(written)}
            self._waiting = [a if a.status == "invalid" else a.model_copy(update=share) for a in self._waiting]
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
            seconds=moment - self._started,
            cost_usd=None if self._usd_per_hour is None else self._cost_usd,
        )
