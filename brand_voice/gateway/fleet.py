"""The engines behind the gateway, and the one thread that keeps them as they should be.

What should be served is asked twice a second. An adapter that is missing is loaded into the running engine, or, where
that one loads none (merged weights, another base), a second engine is started beside it; the old one goes on answering
until the new one has answered, takes no new requests from then on, and is closed when its last request is done. An
engine that died is started again, each time later. Requests never wait for this thread, only for an engine.

An adapter that cannot be served takes nobody along: what matters most is started without it, and where that fails and
nothing runs, what mattered most before.

It knows neither HTTP nor the store.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from brand_voice.address import ServerAddress
from brand_voice.errors import BrandVoiceError
from brand_voice.serve import StudentServer

POLL_S = 0.5
FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 60.0
SOUND_AFTER_S = 120.0
"""An engine that lived so long starts the backoff anew when it dies."""


def _end() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


class Ways(NamedTuple):
    """How engines are made; real ones take a minute, so all of this runs in the fleet's thread."""

    start: Callable[[Sequence[str]], StudentServer]
    """Start an engine for adapters; it has answered for each when this returns."""
    load: Callable[[StudentServer, str], None]
    """Load one more adapter into an engine."""
    publish: Callable[[StudentServer], None]
    """Tell other processes where the engine is."""
    notify: Callable[[str], None]
    most: int | None = None
    """Adapters that one engine holds; none: any number."""
    end: Callable[[], None] = _end
    """End this process: nobody looks after the engines any more."""


class Pause:
    """How long to wait before the next try, each time longer."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._length_s = 0.0
        self._end = 0.0

    @property
    def left_s(self) -> float:
        """What is left of it."""
        return max(0.0, self._end - self._clock())

    def begin(self) -> None:
        """Wait, twice as long as the last time."""
        self._length_s = min(self._length_s * 2 or FIRST_BACKOFF_S, LONGEST_BACKOFF_S)
        self._end = self._clock() + self._length_s

    def end(self) -> None:
        """Wait no more this time."""
        self._end = 0.0

    def forget(self) -> None:
        """Begin anew with the shortest."""
        self._length_s = 0.0


class Engine:
    """One running server, and how many requests it is working on (counted by the event loop alone)."""

    def __init__(self, server: StudentServer, started: float) -> None:
        self.server = server
        self.in_flight = 0
        self.is_retired = False
        """Whether another one has taken its place: it finishes what it has."""
        self.started = started

    def holds(self, adapter: str) -> bool:
        """Whether it could answer for an adapter."""
        return adapter in self.server.models and self.server.is_alive

    def serves(self, adapter: str) -> bool:
        """Whether a request for an adapter may go here now."""
        return not self.is_retired and self.holds(adapter)

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
        self.wanted: tuple[str, ...] = ()
        """What should be served, as far as one engine holds it, when the thread last asked."""
        self.left_out: tuple[str, ...] = ()
        """What should be served, too, and has no room."""
        self.leading = ""
        """The last adapter that mattered most and was served."""
        self._wanted = wanted
        self._ways = ways
        self._clock = clock
        self._pause = Pause(clock)
        self._pause_beside = Pause(clock)
        """Of what is wanted beside what matters most: its failures must not delay the other."""
        self._told: ServerAddress | None = None
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)

    def open(self) -> None:
        """Start the first engine, and return when it answers; from then on look after it.

        Raises:
            BrandVoiceError: it does not start.
        """
        self._ask()
        try:
            self._start()
            self._tell(*self._no_room())
        except BrandVoiceError as error:
            if not self.engines:
                raise
            self._postpone(error)
        self._publish()
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
        """Everything that is served now or should be and can."""
        served = (model for engine in self.engines if not engine.is_retired for model in engine.server.models)
        return tuple(dict.fromkeys([*self.wanted, *(model for model in served if "@" in model)]))

    @property
    def retry_after_s(self) -> float:
        """When it may be worth asking again."""
        return max(1.0, self._pause.left_s)

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                self._wake.wait(POLL_S)
                self._wake.clear()
                try:
                    self.look()
                except BrandVoiceError as error:
                    self._postpone(error)
        finally:
            if not self._closing.is_set():  # a bug: better no gateway than one whose engines stay as they are
                self._ways.notify("error: nobody looks after the engines any more; the gateway ends")
                self._ways.end()

    def look(self) -> None:
        """Bury the dead, serve what is wanted and missing, close what is drained.

        Raises:
            BrandVoiceError: an engine does not start, an adapter does not load, or the address cannot be published.
        """
        self._ask()
        self._bury()
        first = self.wanted[0]
        if self.engine(first) is None and any(engine.holds(first) for engine in self.engines):
            self._settle()  # it has retired, and its adapter is live again
        missing = [name for name in self.wanted if self.engine(name) is None]
        if first not in missing:
            self.leading = first
        if not missing:
            self._tell(*self._no_room())
        elif not (self._pause if first in missing else self._pause_beside).left_s:
            self._bring(missing)
        self._publish()
        self._close_drained()

    def _ask(self) -> None:
        """What is wanted now; after a change nothing waits for another try."""
        names = self._wanted()
        most = self._ways.most or len(names)
        if names != self.wanted + self.left_out:
            self._pause.end()
            self._pause_beside.end()
        self.wanted, self.left_out = names[:most], names[most:]

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
                self._pause.forget()
            self._pause.begin()

    def _bring(self, missing: list[str]) -> None:
        running = next((e for e in self.engines if not e.is_retired and e.server.address.lora_rank), None)
        if running is None:
            self._start()
            return
        failed = [error for name in missing if (error := self._load(running, name))]
        if failed and self.engine(self.wanted[0]) is None:  # a canary that does not load is not worth a second engine
            self._ways.notify(f"{failed[0].message}; starting a second engine for it")
            self._start()
        elif failed:
            raise failed[0]

    def _load(self, engine: Engine, name: str) -> BrandVoiceError | None:
        """Load an adapter; what came in the way must not keep the next one out."""
        try:
            self._ways.load(engine.server, name)
        except BrandVoiceError as error:
            return error
        self._ways.notify(f"loaded {name}")
        return None

    def _start(self) -> None:
        """Start an engine for all that is wanted, or else for as much of it as keeps requests answered.

        Raises:
            BrandVoiceError: not all of it is served; what is, is.
        """
        failed: list[BrandVoiceError] = []
        for names in self._choices():
            try:
                server = self._ways.start(names)
            except BrandVoiceError as error:
                failed.append(error)
                continue
            if self._closing.is_set():
                server.close()
                return
            self.engines = (Engine(server, self._clock()), *self.engines)
            self._settle()
            self._pause.end()
            break
        if failed:
            raise failed[0]

    def _choices(self) -> Iterator[tuple[str, ...]]:
        """What an engine is started for; the next choice counts where the one before failed."""
        first, leading = self.wanted[:1], self.leading
        yield self.wanted
        if self.wanted != first and self.engine(first[0]) is None:
            yield first
        if leading and leading != first[0] and not any(each.serves(leading) for each in self.engines):
            yield (leading,)

    def _settle(self) -> None:
        """Let one engine answer, by what is wanted now: that may have changed while it started; the others retire."""
        self._ask()
        newest = self.engines[0]
        order = ((name, each) for name in (self.wanted[0], self.leading) for each in self.engines if each.holds(name))
        self.leading, chosen = next(order, (newest.server.models[0], newest))
        chosen.is_retired = False
        for engine in self.engines:
            if engine is not chosen:
                engine.is_retired = True
                engine.server.published = None  # its closing must not take the other's address back

    def _publish(self) -> None:
        """Tell other processes where the engine is, unless they know."""
        for engine in self.engines:
            if not engine.is_retired and engine.server.address != self._told:
                self._ways.publish(engine.server)
                self._told = engine.server.address

    def _close_drained(self) -> None:
        for engine in self.engines:
            if engine.is_retired and engine.in_flight == 0:
                self.engines = tuple(each for each in self.engines if each is not engine)
                engine.server.close()

    def _no_room(self) -> tuple[str, str]:
        if not self.left_out:
            return "", ""
        served, others = ", ".join(self.wanted), ", ".join(self.left_out)
        return f"{others} is not served: the engine has room for {served} alone", "set serve.mode = 'lora', serve again"

    def _postpone(self, error: BrandVoiceError) -> None:
        self._tell(error.message, error.remedy)
        (self._pause_beside if self.engine(self.wanted[0]) else self._pause).begin()

    def _tell(self, trouble: str, remedy: str) -> None:
        if trouble and trouble != self.trouble:
            self._ways.notify(f"error: {trouble}\n  try: {remedy}")
        self.trouble = trouble
