"""What every flow works on: a workspace, its settings, one brand and the open store; and how records are saved.

Nothing here draws: progress goes to the `track` and `notify` that the shell brings along.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, Protocol, TypeVar

from brand_voice.brand import BrandFolder
from brand_voice.settings import Settings
from brand_voice.store.store import Store
from brand_voice.workspace import Workspace

T = TypeVar("T")
CHUNK = 32
"""Records saved in one transaction, unless `CHUNK_S` is over first."""
CHUNK_S = 0.2


class Track(Protocol):
    """Pass items through and show how many of the total have come."""

    def __call__(self, items: Iterable[T], label: str, total: int, /) -> Iterable[T]:
        """Items, what they are, and how many are expected."""
        ...


class Context(NamedTuple):
    """What every stage needs: where, how, for whom, and whom to tell."""

    workspace: Workspace
    settings: Settings
    brand: BrandFolder
    store: Store
    track: Track
    notify: Callable[[str], None]
    waiting: Callable[[str], AbstractContextManager[object]] = nullcontext
    """Shown while something without steps takes time, such as a server's start."""

    @property
    def brand_id(self) -> str:
        """Id of the brand."""
        return self.brand.guide.id


def saved(items: Iterable[T], save: Callable[[Iterable[T]], None]) -> Iterator[T]:
    """Pass items on and store them a few at a time; whatever ends the run, all that came are stored."""
    chunk: list[T] = []
    saved_at = 0.0
    try:
        for item in items:
            chunk.append(item)
            if len(chunk) == CHUNK or time.monotonic() - saved_at > CHUNK_S:
                save(chunk)
                chunk, saved_at = [], time.monotonic()
            yield item
    finally:
        if chunk:
            save(chunk)
