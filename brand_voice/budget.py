"""What a run may spend: every attempt reserves its cost before it is sent, and none may pass the cap.

Threads share a budget. It is a `Journal` in front of the store's: where that is given, it is told of every attempt.
"""

import itertools
import threading
from typing import Protocol

from brand_voice.errors import CostCapError


class Journal(Protocol):
    """What a stage needs to commit before and after a paid call."""

    def begin(self, *, draft_id: str, endpoint: str, reserved_usd: float) -> int:
        """Commit an attempt with its reserved cost; return its number."""
        ...

    def answered(self, attempt: int, *, raw: str) -> None:
        """Commit the raw answer before anything reads it."""
        ...

    def finish(self, attempt: int, *, outcome: str, cost_usd: float | None) -> None:
        """Commit the outcome ("ok" or a failure kind) and the cost, if known."""
        ...


class Budget:
    """A journal with a cap: holds back or refuses an attempt that might pass it, passes on the rest."""

    def __init__(self, journal: Journal | None, max_cost_usd: float | None) -> None:
        self._journal = journal
        self._max_cost_usd = max_cost_usd
        self._spent_usd = 0.0
        self._reserved: dict[int, float] = {}
        """Reserved cost of the attempts under way, USD, by our own number: a draft may have several at a time."""
        self._costs_usd: dict[str, float] = {}
        self._attempts: dict[int, tuple[int, str]] = {}
        """Our own number and the draft of the attempts under way, by the journal's number."""
        self._changed = threading.Condition()
        self._numbers = itertools.count(1)
        self._is_stopped = False

    def stop(self) -> None:
        """Let no further attempt begin."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def begin(self, *, draft_id: str, endpoint: str, reserved_usd: float) -> int:
        """Reserve the cost; where others under way may yet turn out cheaper, wait for them.

        Raises:
            CostCapError: what is spent and this together are more than the cap.
        """
        with self._changed:
            while not self._is_stopped and self._reserved and self._is_over(reserved_usd):
                self._changed.wait()
            if self._is_stopped or self._is_over(reserved_usd):
                raise self._refusal(reserved_usd)
            own = number = next(self._numbers)
            self._reserved[own] = reserved_usd
        if self._journal is not None:
            try:
                number = self._journal.begin(draft_id=draft_id, endpoint=endpoint, reserved_usd=reserved_usd)
            except BaseException:
                self._release(own)
                raise
        self._attempts[number] = (own, draft_id)
        return number

    def answered(self, attempt: int, *, raw: str) -> None:
        """Pass the raw answer on."""
        if self._journal is not None:
            self._journal.answered(attempt, raw=raw)

    def finish(self, attempt: int, *, outcome: str, cost_usd: float | None) -> None:
        """Replace the reservation by the cost."""
        own, draft = self._attempts.pop(attempt)
        with self._changed:
            del self._reserved[own]
            self._spent_usd += cost_usd or 0
            self._costs_usd[draft] = self._costs_usd.get(draft, 0) + (cost_usd or 0)
            self._changed.notify_all()
        if self._journal is not None:
            self._journal.finish(attempt, outcome=outcome, cost_usd=cost_usd)

    def take_cost_usd(self, draft: str) -> float:
        """What a draft's attempts cost together, once."""
        return self._costs_usd.pop(draft, 0.0)

    def _release(self, own: int) -> None:
        with self._changed:
            del self._reserved[own]
            self._changed.notify_all()

    def _is_over(self, reserved_usd: float) -> bool:
        if self._max_cost_usd is None or not reserved_usd:
            return False
        return self._spent_usd + sum(self._reserved.values()) + reserved_usd > self._max_cost_usd

    def _refusal(self, reserved_usd: float) -> CostCapError:
        return CostCapError(
            f"the next request may cost {usd(reserved_usd)}; "
            f"this run has spent {usd(self._spent_usd)} of {usd(self._max_cost_usd or 0)}",
            remedy="run the same command again with a higher --max-cost-usd; it goes on where this run stopped",
        )


def usd(amount: float) -> str:
    """Dollars with cents; small amounts with four digits, so that a cent's fraction is not called nothing."""
    return f"${amount:.2f}" if amount >= 1 or amount == 0 else f"${amount:.4f}"
