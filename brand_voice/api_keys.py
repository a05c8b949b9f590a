"""Keys of the brand's own endpoint: how one is made, what is kept of it, and how often it may ask.

A key is 32 random bytes, so its SHA-256 is kept and no slow hash: nobody guesses it, and a request is not kept waiting.
It is told once, when it is made. Knows neither the store nor the gateway.
"""

import hashlib
import secrets
from collections import deque
from collections.abc import Callable

from pydantic import Field

from brand_voice.records import Record, now

PREFIX = "bv-"
WINDOW_S = 60.0


class ApiKey(Record):
    """Who may ask the gateway, or once could: keys are revoked, never deleted, since names stand in the log."""

    name: str
    per_minute: int | None = Field(default=None, ge=1, le=100_000)
    """Requests in any 60 seconds; none for no limit."""
    is_active: bool = True
    created_at: str = Field(default_factory=now)


def new_key() -> str:
    """A fresh key."""
    return PREFIX + secrets.token_urlsafe(32)


def key_hash(key: str) -> str:
    """What is kept of a key; any text has one, lone surrogates included."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


class Pace:
    """When each key asked in the last minute, in memory; for one thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start with nobody; `clock` tells seconds."""
        self._clock = clock
        self._asked: dict[str, deque[float]] = {}

    def wait_s(self, key: ApiKey) -> float:
        """Count a request; seconds to wait instead where the minute is full, and then it is not counted."""
        if key.per_minute is None:
            return 0.0
        moment = self._clock()
        asked = self._asked.setdefault(key.name, deque())
        while asked and asked[0] <= moment - WINDOW_S:
            asked.popleft()
        if len(asked) >= key.per_minute:
            return asked[-key.per_minute] + WINDOW_S - moment
        asked.append(moment)
        return 0.0
