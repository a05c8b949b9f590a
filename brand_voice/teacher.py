"""Who is asked last: the teacher with its budget, shared by all cascades before it; safe for threads.

It holds what must be one for all who ask: the connections, the requests at a time, and a turn for every draft, so that
who asks for the same text at the same time finds the first one's answer in the store. Nobody waits for it longer than
he has time; an answer that comes later is stored all the same, because it was paid for.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple
from weakref import WeakValueDictionary

from brand_voice.budget import Budget, Journal, usd
from brand_voice.chat import Chat
from brand_voice.context import Context
from brand_voice.daemons import begun
from brand_voice.errors import CostCapError, FailureKind
from brand_voice.generate import Request, ask, check_priced
from brand_voice.loop import teacher_endpoint
from brand_voice.records import Draft, Sampling, now
from brand_voice.settings import NOBODY, RECORDED, Endpoint
from brand_voice.store.store import Store

FAILED: dict[FailureKind, str] = {
    "timeout": "did not answer in time",
    "unreachable": "could not be reached",
    "rate_limited": "was too busy",
    "quota": "is out of credit",
    "refused": "refused",
    "no_recording": "has no recording for this brief",
    "cut_off": "did not end its text",
}


class Patience(NamedTuple):
    """How long somebody waits for an answer."""

    deadline: float | None = None
    """On the monotonic clock; none waits as long as it takes."""
    has_gone: Callable[[], bool] = lambda: False
    """Whether nobody wants the answer any more."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more should be begun."""
        return self.has_gone() or self.left_s == 0

    @property
    def left_s(self) -> float | None:
        """Seconds left; none without a deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


ENDLESS = Patience()


class Reply(NamedTuple):
    """What came of asking the teacher."""

    draft: Draft | None = None
    problem: str = ""
    """Why there is no text."""
    was_asked: bool = False
    """Whether a request was sent, or a text of before taken for one."""
    is_stored: bool = False
    spent_usd: float = 0.0


TOO_BUSY = Reply(problem=f"the teacher {FAILED['rate_limited']}")
NO_TIME = Reply(problem="there was no time left for the teacher")


class Teacher:
    """One teacher; a draft is asked for in its turn, in one of its slots, within its budget."""

    def __init__(self, chat: Chat, journal: Journal, store: Store) -> None:
        """Prepare; `journal` holds the budget: it refuses an attempt that might pass it."""
        self.endpoint = chat.endpoint
        self._chat = chat
        self._journal = journal
        self._store = store
        self._slots = threading.BoundedSemaphore(chat.endpoint.max_concurrency)
        self._turns: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._guard = threading.Lock()

    def ask(self, request: Request, sampling: Sampling, patience: Patience) -> Reply:
        """The draft of before, or a new one, stored at once; or why there is none in time."""
        with self._guard:
            turn = self._turns.get(request.draft_id) or threading.Lock()
            self._turns[request.draft_id] = turn
        with ExitStack() as held:
            if not _holds(turn, patience, held):
                return TOO_BUSY
            stored = self._store.draft(request.draft_id)
            if stored is not None and stored.is_ok:
                return Reply(stored, was_asked=True, is_stored=True)
            if not _holds(self._slots, patience, held) or patience.is_over:
                return TOO_BUSY
            if patience.left_s is None:
                return self._asked(request, sampling)
            still_held = held.pop_all()

        def act() -> Reply:
            with still_held:
                return self._asked(request, sampling)

        try:
            return begun(act, "teacher").result(patience.left_s)
        except TimeoutError:
            return Reply(problem=f"the teacher {FAILED['timeout']}", was_asked=True)

    def _asked(self, request: Request, sampling: Sampling) -> Reply:
        booked = Budget(self._journal, None)
        try:
            draft = ask(request, self._chat, sampling, journal=booked)
        except CostCapError:
            return Reply(problem="the teacher's budget is used up")
        spent_usd = booked.take_cost_usd(request.draft_id)
        if draft.failure is not None:
            return Reply(
                problem=f"the teacher {FAILED.get(draft.failure, 'failed')}", was_asked=True, spent_usd=spent_usd
            )
        self._store.save_brand_briefs([request.brief])
        self._store.save_drafts([draft])
        stored = self._store.draft(draft.id) or draft  # of two processes that asked the first one's text stays
        return Reply(stored, was_asked=True, spent_usd=spent_usd)


class DailyBudget:
    """A journal that holds an endpoint's attempts of a day (UTC) under a cap, in all processes of a workspace."""

    def __init__(self, store: Store, max_usd: float) -> None:
        self._store = store
        self._max_usd = max_usd

    def begin(self, *, draft_id: str, endpoint: str, reserved_usd: float) -> int:
        """Commit an attempt with its reserved cost.

        Raises:
            CostCapError: it might pass the day's cap.
        """
        number = self._store.begin_within(
            draft_id=draft_id, endpoint=endpoint, reserved_usd=reserved_usd, cap_usd=self._max_usd, since=now()[:10]
        )
        if number is None:
            raise CostCapError(f"today's {usd(self._max_usd)} are used up", remedy="raise cascade.max_usd")
        return number

    def answered(self, attempt: int, *, raw: str) -> None:
        """Pass the raw answer on."""
        self._store.answered(attempt, raw=raw)

    def finish(self, attempt: int, *, outcome: str, cost_usd: float | None) -> None:
        """Replace the reservation by the cost."""
        self._store.finish(attempt, outcome=outcome, cost_usd=cost_usd)


@contextmanager
def opened_teacher(context: Context, *, run_usd: float | None = None) -> Iterator[Teacher | None]:
    """The teacher of `[cascade]` for as long as the block runs; none where nobody is to be asked.

    `run_usd` is what it may cost in that time, and it has its own time limit; none holds it to `cascade.max_usd` a day,
    shared with everybody on this workspace, and to `cascade.teacher_timeout_s`.

    Raises:
        SettingsError: the teacher is unknown, or has no key or no price.
    """
    settings, store = context.settings.cascade, context.store
    if settings.teacher == NOBODY or (settings.teacher == RECORDED and not context.brand.recordings):
        yield None
        return
    with teacher_endpoint(context, settings.teacher) as endpoint:
        check_priced(endpoint)
        journal: Journal = DailyBudget(store, settings.max_usd) if run_usd is None else Budget(store, run_usd)
        with Chat(_impatient(endpoint, settings.teacher_timeout_s) if run_usd is None else endpoint) as chat:
            yield Teacher(chat, journal, store)


def _impatient(endpoint: Endpoint, timeout_s: float) -> Endpoint:
    """The teacher for somebody who waits: asked once, not for long, and booked under a name of its own."""
    limits = {"max_attempts": 1, "read_timeout_s": min(timeout_s, endpoint.read_timeout_s)}
    return endpoint.model_copy(update={"name": f"{endpoint.name}/cascade", **limits})


def _holds(lock: "threading.Lock | threading.Semaphore", patience: Patience, held: ExitStack) -> bool:
    """Whether a lock was got in time; `held` lets it go."""
    left_s = patience.left_s
    is_ours = lock.acquire() if left_s is None else lock.acquire(timeout=left_s)
    if is_ours:
        held.callback(lock.release)
    return is_ours
