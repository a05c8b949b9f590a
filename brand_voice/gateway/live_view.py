"""What the store says now: who is live for the brand, and which keys are good.

Every request looks, because a promotion, a rollback and a revoked key count at once. A look costs 8 µs, SQLite's own
count of commits; only after a commit are standing and keys read again (0.3 ms).
"""

from collections.abc import Callable

from brand_voice.api_keys import ApiKey
from brand_voice.live import Standing
from brand_voice.store.store import Store


class LiveView:
    """Standing and keys of a store; for one thread."""

    def __init__(self, store: Store, brand: str, version: Callable[[], int]) -> None:
        """Look at `store`; `version` is from its `watched`."""
        self.brand = brand
        self._store = store
        self._version = version
        self._seen: int | None = None
        self._standing = Standing()
        self._keys: dict[str, ApiKey] = {}

    def standing(self) -> Standing:
        """What is live, and who gets a share beside it."""
        self._refresh()
        return self._standing

    def keys(self) -> dict[str, ApiKey]:
        """All keys by hash, revoked ones included: where there ever was one, one is needed."""
        self._refresh()
        return self._keys

    def _refresh(self) -> None:
        version = self._version()
        if version != self._seen:
            self._standing, self._keys = self._store.standing(self.brand), self._store.api_keys()
            self._seen = version
