"""Drafts for briefs: bounded concurrency, every attempt journalled, a cost cap, and an honest end.

A stage: requests in, drafts out as they finish. It neither opens the store nor skips what is done; the caller leaves
out the ids it has, so that a second run adds what is missing. Requests are pulled one by one, a few ahead of the
workers, so that a job of any length fits. A request that fails is a draft with its reason; a run fails when a tenth
of it does, when the account is out of credit, or at the cost cap.

Workers are daemon threads: Ctrl-C drops what is queued and does not wait for a server that never answers.
"""

import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

from brand_voice.budget import Budget, Journal, usd
from brand_voice.chat import Chat, brief_metadata, is_paid, price
from brand_voice.errors import BrandVoiceError, ChatError, CostCapError, SettingsError
from brand_voice.records import Author, Brief, Completion, Draft, Message, Record, Sampling, draft_id
from brand_voice.settings import Endpoint

MAX_FAILED_SHARE = 0.1
MIN_FINISHED = 20
"""Fewer drafts than this do not condemn a run; so many failures and no success end it early."""
GRACE_S = 2.0
"""After an interruption, how long answers under way may still be written to the journal."""


class Request(Record):
    """One draft to ask for."""

    draft_id: str
    brief: Brief
    messages: tuple[Message, ...]
    candidate: int
    author: Author
    wants_logprobs: bool = False
    """Ask for token log-probabilities, to fill the draft's `mean_logprob`."""


def requests(
    briefs: Iterable[Brief],
    render: Callable[[Brief], tuple[Message, ...]],
    *,
    author: Author,
    model: str,
    sampling: Sampling,
    candidates: int | Callable[[Brief], int] = 1,
) -> Iterator[Request]:
    """Requests for briefs, lazily; `candidates` is a number, or a function where briefs differ (recordings)."""
    for brief in briefs:
        messages = render(brief)
        wanted = candidates if isinstance(candidates, int) else candidates(brief)
        for candidate in range(wanted):
            id_ = draft_id(brief, messages, model, sampling, candidate)
            yield Request(draft_id=id_, brief=brief, messages=messages, candidate=candidate, author=author)


def generate(
    requests: Iterable[Request],
    chat: Chat,
    sampling: Sampling,
    *,
    journal: Journal | None = None,
    adapter: str | None = None,
    max_cost_usd: float | None = None,
) -> Iterator[Draft]:
    """Yield a draft for each request as it finishes, in no particular order.

    Args:
        requests: pulled lazily; leave out those whose draft is there.
        chat: whom to ask; `endpoint.max_concurrency` requests are under way at a time.
        sampling: how tokens are drawn; a pinned seed is another one for each candidate of a student.
        journal: gets every attempt before it is sent.
        adapter: the student's adapter, to stand in its drafts.
        max_cost_usd: what this run may spend: the cap less what was spent before.

    Raises:
        SettingsError: a cap for an endpoint without a price.
        CostCapError: the next attempt might pass the cap; what was under way has been yielded.
        ChatError: quota gone, or too many failures; everything finished has been yielded.
    """
    endpoint = chat.endpoint
    if max_cost_usd is not None:
        check_priced(endpoint)
    ledger = Budget(journal, max_cost_usd)
    run = _Run()
    ask = partial(_ask, chat=chat, sampling=sampling, adapter=adapter, ledger=ledger)
    with _Workers(ask, endpoint.max_concurrency, ledger.stop) as workers:
        for outcome in workers.outcomes(requests, run):
            run.add(outcome)
            if outcome.draft is not None:
                yield outcome.draft
    run.conclude()


def check_priced(endpoint: Endpoint) -> None:
    """Find out before anything is asked whether a cap can hold.

    Raises:
        SettingsError: the endpoint is metered, and has no price.
    """
    if is_paid(endpoint) and None in _prices(endpoint):
        raise SettingsError(
            f"a cost cap needs a price, and {endpoint.name} has none",
            remedy=f"set usd_per_million_in and usd_per_million_out of [teachers.{endpoint.name}]",
        )


def ask(
    request: Request, chat: Chat, sampling: Sampling, *, journal: Journal | None = None, adapter: str | None = None
) -> Draft:
    """One draft, written or failed with its reason, asked for in the caller's thread.

    Raises:
        CostCapError: the journal has a cap, and this might pass it.
    """
    outcome = _ask(request, chat=chat, sampling=sampling, adapter=adapter, ledger=Budget(journal, None))
    if outcome.draft is None:
        assert outcome.error is not None, "a request without a draft has its reason"
        raise outcome.error
    return outcome.draft


def stream(
    request: Request, chat: Chat, sampling: Sampling, *, journal: Journal | None = None, adapter: str | None = None
) -> Iterator[str | Draft]:
    """Yield one draft's text as it is written, then the draft.

    Raises:
        ChatError: no draft came of it.
    """
    pieces = chat.stream(
        request.messages,
        _seeded(sampling, request),
        metadata=brief_metadata(request.brief, request.candidate),
        journal=journal,
        draft_id=request.draft_id,
        wants_logprobs=request.wants_logprobs,
    )
    for piece in pieces:
        unwritten = _draft(request, chat.endpoint, adapter)
        yield piece if isinstance(piece, str) else _written(unwritten, chat.endpoint, piece)


def summary(drafts: Iterable[Draft], seconds: float) -> str:
    """One line: `generate: 480 drafts, 12 failed (7 timeout, 5 cut_off), 3m12s, $4.10`."""
    count, failures, cost_usd, listed_usd = 0, Counter[str](), 0.0, 0.0
    for draft in drafts:
        count += 1
        if draft.failure is not None:
            failures[draft.failure] += 1
        cost_usd += 0 if draft.is_recorded else draft.cost_usd or 0
        listed_usd += (draft.cost_usd or 0) if draft.is_recorded else 0
    parts = [f"generate: {count} draft{'s' if count != 1 else ''}"]
    if failures:
        kinds = ", ".join(f"{number} {kind}" for kind, number in failures.most_common())
        parts.append(f"{failures.total()} failed ({kinds})")
    parts.append(_duration(seconds))
    if cost_usd:
        parts.append(usd(cost_usd))
    if listed_usd:
        parts.append(f"recorded: nothing spent, {usd(listed_usd)} at list price")
    return ", ".join(parts)


class _Outcome(NamedTuple):
    """What became of a request: a draft, written or failed, or neither where it was never sent."""

    draft: Draft | None
    error: ChatError | CostCapError | None = None


class _Run:
    """What a run has finished, and why it must end."""

    def __init__(self) -> None:
        self._finished = 0
        self._failures: Counter[str] = Counter()
        self._last: dict[str, ChatError] = {}
        self.end: BrandVoiceError | None = None

    def add(self, outcome: _Outcome) -> None:
        """Count an outcome; quota, cap and nothing but failures end the run."""
        self._finished += outcome.draft is not None
        if isinstance(outcome.error, ChatError):
            self._failures[outcome.error.kind] += 1
            self._last[outcome.error.kind] = outcome.error
        if isinstance(outcome.error, CostCapError) or (outcome.error and outcome.error.kind == "quota"):
            self.end = self.end or outcome.error
        elif self._finished == self._failures.total() >= MIN_FINISHED:
            self.end = self.end or self._too_many()

    def conclude(self) -> None:
        """Raise what ended the run, or that too much of it failed."""
        if self.end is not None:
            raise self.end
        if self._finished >= MIN_FINISHED and self._failures.total() > MAX_FAILED_SHARE * self._finished:
            raise self._too_many()

    def _too_many(self) -> ChatError:
        kind, number = self._failures.most_common(1)[0]
        last = self._last[kind]
        message = f"{self._failures.total()} of {self._finished} drafts failed, {number} with {kind}; the last: {last}"
        return ChatError(message, remedy=last.remedy, kind=last.kind)


class _Workers:
    """Daemon threads that ask; never more requests at hand than keep them busy while the caller saves a draft."""

    def __init__(self, ask: Callable[[Request], _Outcome], size: int, stop: Callable[[], None]) -> None:
        self._ask = ask
        self._size = size
        self._stop = stop
        self._todo: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Future[_Outcome]] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "_Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._drop_queued()
        for _thread in self._threads:
            self._todo.put(None)
        for thread in self._threads:
            thread.join(GRACE_S / len(self._threads))

    def outcomes(self, requests: Iterable[Request], run: _Run) -> Iterator[_Outcome]:
        """Yield outcomes until the requests or the run are at an end and nothing is under way."""
        source = iter(requests)
        at_hand = 0
        while True:
            while at_hand < 2 * self._size and (request := self._pull(source, run)) is not None:
                self._submit(request)
                at_hand += 1
            if run.end is not None:
                at_hand -= self._drop_queued()
            if not at_hand:
                return
            yield self._done.get().result()
            at_hand -= 1

    @staticmethod
    def _pull(source: Iterator[Request], run: _Run) -> Request | None:
        """The next request; a brief that cannot be rendered ends the run, once what is under way is in."""
        if run.end is not None:
            return None
        try:
            return next(source, None)
        except BrandVoiceError as error:
            run.end = error
            return None

    def _submit(self, request: Request) -> None:
        self._todo.put(request)
        if len(self._threads) < self._size:
            thread = threading.Thread(target=self._work, name=f"generate-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _drop_queued(self) -> int:
        dropped = 0
        while True:
            try:
                self._todo.get_nowait()
            except queue.Empty:
                return dropped
            dropped += 1

    def _work(self) -> None:
        while (request := self._todo.get()) is not None:
            future: Future[_Outcome] = Future()
            try:
                future.set_result(self._ask(request))
            except BaseException as exc:  # noqa: BLE001  a bug must surface in the caller's thread
                future.set_exception(exc)
            self._done.put(future)


def _ask(request: Request, *, chat: Chat, sampling: Sampling, adapter: str | None, ledger: Budget) -> _Outcome:
    try:
        completion = chat.complete(
            request.messages,
            _seeded(sampling, request),
            metadata=brief_metadata(request.brief, request.candidate),
            journal=ledger,
            draft_id=request.draft_id,
            wants_logprobs=request.wants_logprobs,
        )
    except ChatError as error:
        cost_usd = ledger.take_cost_usd(request.draft_id)
        failed = _draft(request, chat.endpoint, adapter)
        return _Outcome(failed.model_copy(update={"failure": error.kind, "cost_usd": cost_usd or None}), error)
    except CostCapError as error:
        return _Outcome(None, error)
    ledger.take_cost_usd(request.draft_id)
    return _Outcome(_written(_draft(request, chat.endpoint, adapter), chat.endpoint, completion))


def _draft(request: Request, endpoint: Endpoint, adapter: str | None) -> Draft:
    """The draft as the request knows it, still without a text."""
    return Draft(
        id=request.draft_id,
        brand=request.brief.brand,
        brief_id=request.brief.id,
        brief_hash=request.brief.hash,
        author=request.author,
        model=endpoint.model,
        adapter=adapter,
        candidate=request.candidate,
        is_recorded=endpoint.is_recorded,
        distillation_permitted=endpoint.distillation_permitted,
    )


def _written(draft: Draft, endpoint: Endpoint, completion: Completion) -> Draft:
    latency_ms = None if endpoint.is_recorded else completion.latency_ms
    cost_usd = price(endpoint, completion.usage)
    return draft.model_copy(
        update={
            "text": completion.text,
            "usage": completion.usage,
            "latency_ms": latency_ms,
            "cost_usd": cost_usd,
            "mean_logprob": completion.mean_logprob,
        }
    )


def _seeded(sampling: Sampling, request: Request) -> Sampling:
    """A pinned seed made another for each later candidate of a student; without one the server draws anew."""
    if request.author != "student" or sampling.seed is None:
        return sampling
    return sampling.model_copy(update={"seed": sampling.seed + request.candidate})


def _prices(endpoint: Endpoint) -> tuple[float | None, float | None]:
    return endpoint.usd_per_million_in, endpoint.usd_per_million_out


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s" if minutes else f"{rest}s"
