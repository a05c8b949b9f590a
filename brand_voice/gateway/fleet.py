"""The engines behind the gateway, and the one thread that keeps them as they should be.

What should be served is asked twice a second. An adapter that is missing is loaded into the running engine, or, where
that one loads none (merged weights, another base), a second engine is started beside it; the old one goes on answering
until the new one has answered, takes no new requests from then on, and is closed when its last request is done. An
engine that died is started again, each time later. Requests never wait for this thread, only for an engine.

It knows neither HTTP nor the store.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from brand_voice.errors import BrandVoiceError
from brand_voice.serve import StudentServer

POLL_S = 0.5
FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 60.0
SOUND_AFTER_S = 120.0
"""An engine that lived so long starts the backoff anew when it dies."""


class Ways(NamedTuple):
    """How engines are made; real ones take a minute, so all of this runs in the fleet's thread."""

    start: Callable[[Sequence[str]], StudentServer]
    """Start an engine for adapters; it has answered for each when this returns."""
    load: Callable[[StudentServer, str], None]
    """Load one more adapter into an engine."""
    publish: Callable[[StudentServer], None]
    """Tell other processes where the engine is."""
    notify: Callable[[str], None]


class Engine:
    """One running server, and how many requests it is working on (counted by the event loop alone)."""

    def __init__(self, server: StudentServer, started: float) -> None:
        self.server = server
        self.in_flight = 0
        self.is_retired = False
        """Whether another one has taken its place: it finishes what it has."""
        self.started = started

    def serves(self, adapter: str) -> bool:
        """Whether a request for an adapter may go here now."""
        return not self.is_retired and adapter in self.server.models and self.server.is_alive

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Count a request for as long as the block runs."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1


class Fleet:
    """The engines; one thread changes them, any may look."""

    def __init__(
        self, wanted: Callable[[], tuple[str, ...]], ways: Ways, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Prepare; `wanted` tells which adapters should be served now, the one that matters most first."""
        self.engines: tuple[Engine, ...] = ()
        self.restarts = 0
        self.trouble = ""
        """Why what is wanted is not served; empty when it is."""
        self.leading = ""
        """The adapter that mattered most when last all that was wanted was served."""
        self._wanted = wanted
        self._ways = ways
        self._clock = clock
        self._backoff_s = 0.0
        self._next_try = 0.0
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)

    def open(self) -> None:
        """Start the first engine, and return when it answers; from then on look after it.

        Raises:
            BrandVoiceError: it does not start.
        """
        self.leading = (wanted := self._wanted())[0]
        self._start(wanted)
        self._thread.start()

    def close(self) -> None:
        """End the engines; one that is just being started ends with this process."""
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(POLL_S * 4)
        for engine in self.engines:
            engine.server.close()

    def engine(self, adapter: str) -> Engine | None:
        """An engine that answers for an adapter now."""
        return next((engine for engine in self.engines if engine.serves(adapter)), None)

    def adapters(self) -> tuple[str, ...]:
        """Everything that is served now or should be."""
        served = (model for engine in self.engines if not engine.is_retired for model in engine.server.models)
        return tuple(dict.fromkeys([*self._wanted(), *(model for model in served if "@" in model)]))

    @property
    def retry_after_s(self) -> float:
        """When it may be worth asking again."""
        return max(1.0, self._next_try - self._clock())

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(POLL_S)
            self._wake.clear()
            try:
                self.look()
            except BrandVoiceError as error:
                self._postpone(error)

    def look(self) -> None:
        """Bury the dead, serve what is wanted and missing, close what is drained.

        Raises:
            BrandVoiceError: an engine does not start, or an adapter does not load.
        """
        self._bury()
        wanted = self._wanted()
        missing = [name for name in wanted if self.engine(name) is None]
        if not missing:
            self.trouble, self.leading = "", wanted[0]
        elif self._clock() >= self._next_try:
            self._bring(wanted, missing)
        self._close_drained()

    def _bury(self) -> None:
        dead = [engine for engine in self.engines if not engine.server.is_alive]
        for engine in dead:
            self.engines = tuple(each for each in self.engines if each is not engine)
            engine.server.close()
            if engine.is_retired:
                continue
            self._ways.notify(f"the engine of {', '.join(engine.server.models)} ended by itself; starting it again")
            self.restarts += 1
            if self._clock() - engine.started > SOUND_AFTER_S:
                self._backoff_s = 0.0
            self._wait_longer()

    def _bring(self, wanted: tuple[str, ...], missing: list[str]) -> None:
        running = next((e for e in self.engines if not e.is_retired and e.server.address.lora_rank), None)
        if running is None:
            self._start(wanted)
            return
        try:
            for name in missing:
                self._ways.load(running.server, name)
                self._ways.notify(f"loaded {name}")
            self._ways.publish(running.server)
        except BrandVoiceError as error:
            if wanted[0] not in missing:  # a canary that does not load is not worth a second engine
                raise
            self._ways.notify(f"{error.message}; starting a second engine for it")
            self._start(wanted)

    def _start(self, wanted: tuple[str, ...]) -> None:
        """Start an engine for all that is wanted; the others retire once it has answered."""
        server = self._ways.start(wanted)
        if self._closing.is_set():
            server.close()
            return
        for engine in self.engines:
            engine.server.published = None  # its closing must not take the new one's address back
        self._ways.publish(server)
        former, self.engines = self.engines, (Engine(server, self._clock()), *self.engines)
        for engine in former:
            engine.is_retired = True
        self._next_try = 0.0

    def _close_drained(self) -> None:
        for engine in self.engines:
            if engine.is_retired and engine.in_flight == 0:
                self.engines = tuple(each for each in self.engines if each is not engine)
                engine.server.close()

    def _postpone(self, error: BrandVoiceError) -> None:
        if error.message != self.trouble:
            self._ways.notify(f"error: {error.message}\n  try: {error.remedy}")
        self.trouble = error.message
        self._wait_longer()

    def _wait_longer(self) -> None:
        self._backoff_s = min(self._backoff_s * 2 or FIRST_BACKOFF_S, LONGEST_BACKOFF_S)
        self._next_try = self._clock() + self._backoff_s
