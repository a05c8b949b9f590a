"""Work that goes on while the page stays usable: how far it is, how it ended, and a way to call it off.

An errand belongs to the session, not to the page that asked for it: a page that is closed or loaded anew finds it again
under its name. It is called off between two items, so that what is stored is as after Ctrl-C in a terminal: whole
items, and the next run goes on from there.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator

from brand_voice.context import T, Track
from brand_voice.errors import BrandVoiceError

GRACE_S = 5.0
"""How long a session that closes waits for an errand to stop."""


class CalledOffError(Exception):
    """Ends an errand that somebody called off; nobody but the errand sees it."""


class Errand(threading.Thread):
    """One piece of work."""

    def __init__(self, name: str, work: Callable[[Track], object]) -> None:
        super().__init__(name=name, daemon=True)
        self.progress = "Starting"
        """What is done and how far."""
        self.error: BrandVoiceError | None = None
        self.is_done = False
        """Whether the work came to its end."""
        self._work = work
        self._off = threading.Event()

    @property
    def is_called_off(self) -> bool:
        """Whether somebody called it off; it may be at work still."""
        return self._off.is_set()

    @property
    def standing(self) -> str:
        """What to say while it is at work."""
        return f"{self.progress}{', stopping' if self.is_called_off else ''} …"

    def run(self) -> None:
        """Do the work; a bug keeps its traceback."""
        try:
            self._work(self._track)
            self.is_done = True
        except BrandVoiceError as error:
            self.error = error
        except CalledOffError:
            pass

    def call_off(self) -> None:
        """End the work after the item it is at."""
        self._off.set()

    def outcome(self) -> BrandVoiceError | None:
        """What an errand that has ended failed with, if it failed.

        Raises:
            RuntimeError: a bug ended it.
        """
        if not (self.is_done or self.is_called_off or self.error):
            raise RuntimeError(f"the errand {self.name} ended by a bug; its traceback stands above")
        return self.error

    def _track(self, items: Iterable[T], label: str, total: int, /) -> Iterator[T]:
        number = 0
        self._check(items)
        self.progress = f"{label.capitalize()}: {number} of {total}"
        for number, item in enumerate(items, start=1):
            yield item
            self._check(items)
            self.progress = f"{label.capitalize()}: {number} of {total}"

    def _check(self, items: Iterable[object]) -> None:
        if self._off.is_set():
            if isinstance(items, Generator):
                items.close()  # what is under way ends before the connection it uses
            raise CalledOffError


class Errands:
    """A session's errands by name; safe for threads."""

    def __init__(self) -> None:
        self._named: dict[str, Errand] = {}
        self._lock = threading.Lock()

    def start(self, name: str, work: Callable[[Track], object]) -> Errand:
        """Begin an errand, unless one of this name is at work; return the one that is. Those that ended go."""
        with self._lock:
            self._named = {known: errand for known, errand in self._named.items() if errand.is_alive()}
            if name not in self._named:
                self._named[name] = Errand(name, work)
                self._named[name].start()
            return self._named[name]

    def get(self, name: str) -> Errand | None:
        """The last errand of a name, at work or just ended."""
        with self._lock:
            return self._named.get(name)

    def call_off(self, name: str) -> None:
        """Call the errand of a name off, if there is one."""
        errand = self.get(name)
        if errand is not None:
            errand.call_off()

    def close(self) -> None:
        """Call everything off and wait until it has stopped; what waits for a far server ends with the process."""
        with self._lock:
            errands = list(self._named.values())
        for errand in errands:
            errand.call_off()
        for errand in errands:
            errand.join(GRACE_S)
