"""What a batch still wants from the student, what is under way, and which of a text's tries is delivered.

Iterating a desk gives requests, taking a draft back gives the row's answers once they are complete. A text with
blocking findings, or one that did not end, is asked for once more; with best-of-N every text is asked for N times.
It knows the brand's rules, neither the server nor the store.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from brand_voice.brand import BrandFolder
from brand_voice.brief_files import Row
from brand_voice.errors import BrandError, FailureKind, ServeError
from brand_voice.generate import Request
from brand_voice.handover import rank
from brand_voice.prompts import student_messages
from brand_voice.records import Answer, Brief, Draft, Finding, Job, Message, draft_id
from brand_voice.screen.screening import Screener
from brand_voice.screen.similar import masked, near_duplicates

RETRIED: frozenset[FailureKind] = frozenset({"cut_off", "empty"})
"""Failures that another try may not meet; `chat` has its own retries for the others."""
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


class _Try(NamedTuple):
    """One text for one variant of a row, held against the rules."""

    draft: Draft
    findings: tuple[Finding, ...]
    problem: str | None = None

    @property
    def blocks(self) -> int:
        return sum(finding.severity == "block" for finding in self.findings)

    @property
    def rank(self) -> tuple[bool, int, int, float]:
        """Smaller is better: a text before none, few blocking findings, few warnings, then the student's own choice."""
        return self.problem is not None, *rank(self.findings, self.draft.mean_logprob)


class _Wanted(NamedTuple):
    """A text that is under way."""

    row: int
    variant: int
    take: int = 0
    messages: tuple[Message, ...] = ()


class Desk:
    """What is to be asked, what is under way and what is answered; iterating it gives the requests.

    The iterator runs dry while the last requests are under way and goes on when one of them wants a second try.
    """

    def __init__(self, rows: Sequence[Row], job: Job, brand: BrandFolder, is_alive: Callable[[], bool]) -> None:
        self.rows = rows
        self.answers: dict[tuple[int, int], Answer] = {}
        self.statuses: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.writers: Counter[str] = Counter()
        """Answers by whose text they are, where a cascade decided."""
        self.reused = 0
        self.dropped = 0
        self.asked = 0
        self.unblocked = 0
        self._job = job
        self._brand = brand.guide
        self._screener = Screener(brand.guide, brand.catalogue)
        self._is_alive = is_alive
        self._fresh: Iterator[_Wanted] = iter(())
        self._again: deque[_Wanted] = deque()
        self._under_way: dict[str, deque[_Wanted]] = defaultdict(deque)
        self._tries: dict[tuple[int, int], list[_Try]] = defaultdict(list)
        self._best: dict[int, dict[int, _Try]] = defaultdict(dict)
        self._missing: dict[int, set[int]] = {}

    @property
    def is_done(self) -> bool:
        """Whether every row is answered."""
        return not self._missing

    @property
    def answered(self) -> int:
        """Rows with all their answers."""
        return len(self.rows) - len(self._missing)

    @property
    def missing(self) -> tuple[Row, ...]:
        """The rows without their answers."""
        return tuple(self.rows[index] for index in self._missing)

    def settle(self, answer: Answer) -> Answer:
        """Take a row's only answer from elsewhere."""
        del self._missing[answer.row]
        return answer

    def reuse(self, answers: Iterable[Answer]) -> None:
        """Take an earlier run's answers; what failed is asked for again."""
        self.keep(answers)
        asked = {row for row, _ in self.answers}
        for row in self.rows:
            failed = {v for v in range(self._job.variants) if self._has_failed(row.index, v)}
            if row.brief is not None and (failed or row.index not in asked):
                self._missing[row.index] = failed or set(range(self._job.variants))
        self.reused = len(self.rows) - len(self._missing) if asked else 0
        self._fresh = (
            _Wanted(row, variant, take)
            for row, variants in list(self._missing.items())
            for variant in sorted(variants)
            for take in range(self._job.best_of)
        )

    def keep(self, answers: Iterable[Answer]) -> None:
        """Count stored answers, each in place of an earlier one for the same text."""
        for answer in answers:
            key = (answer.row, answer.variant)
            for each, count in ((self.answers.get(key), -1), (answer, 1)):
                if each is not None:
                    self.statuses[each.status] += count
                    self.failures[str(each.reason)] += count * (each.status == "failed")
                    self.writers[str(each.by)] += count * (each.by is not None)
            self.answers[key] = answer

    def invalid(self) -> list[Answer]:
        """Answers of the rows that are no briefs."""
        bad = [row for row in self.rows if row.brief is None and (row.index, 0) not in self.answers]
        return [
            Answer(job_id=self._job.id, row=row.index, id=row.id, status="invalid", reason=row.problem) for row in bad
        ]

    def check_alive(self) -> None:
        """Find out whether the student's server still runs.

        Raises:
            ServeError: it has ended.
        """
        if not self._is_alive():
            raise ServeError(
                "the student's server ended while it was writing",
                remedy="run the same command again: it goes on where this run stopped",
            )

    def __iter__(self) -> "Desk":
        return self

    def __next__(self) -> Request:
        self.check_alive()
        wanted = self._again.popleft() if self._again else next(self._fresh)
        brief = self._brief(wanted.row)
        messages = wanted.messages or student_messages(self._brand, brief)
        candidate = wanted.variant + self._job.variants * wanted.take
        id_ = draft_id(brief, messages, self._job.model, self._job.sampling, candidate)
        self._under_way[id_].append(wanted._replace(messages=messages))
        return Request(
            draft_id=id_,
            brief=brief,
            messages=messages,
            candidate=candidate,
            author="student",
            wants_logprobs=self._job.best_of > 1,
        )

    def take(self, draft: Draft) -> list[Answer]:
        """Judge a draft; return its row's answers if they are complete."""
        wanted = self._under_way[draft.id].popleft()
        this = self._judge(draft, self._brief(wanted.row))
        self.asked += 1
        self.unblocked += this.problem is None and not this.blocks
        tries = self._tries[wanted.row, wanted.variant]
        tries.append(this)
        may_improve = this.blocks or draft.failure in RETRIED
        if may_improve and self._job.best_of == 1 and wanted.take == 0:
            self._again.append(wanted._replace(take=1))
            return []
        if len(tries) < self._job.best_of:
            return []
        best = self._best[wanted.row]
        best[wanted.variant] = min(self._tries.pop((wanted.row, wanted.variant)), key=lambda each: each.rank)
        if best.keys() < self._missing[wanted.row]:
            return []
        del self._missing[wanted.row]
        return self._row_answers(self.rows[wanted.row], self._best.pop(wanted.row))

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
