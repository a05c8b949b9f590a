"""What the gateway remembers of a request: one row of the log, and numbers for Prometheus; no text, no key.

Rows are written twice a second by a thread, so that no request waits for the disk. Refused requests are counted and not
logged: strangers cannot fill the disk.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from brand_voice.errors import StoreError
from brand_voice.live import Served
from brand_voice.records import Usage

FLUSH_S = 0.5
MAX_WAITING = 10_000
"""Rows kept while the database cannot be written; later ones are counted and lost."""
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """Prometheus' numbers of one gateway."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter = partial(Counter, namespace="brand_voice", registry=self.registry)
        gauge = partial(Gauge, namespace="brand_voice", registry=self.registry)
        who = ("brand", "adapter", "path")
        self.requests = counter("requests", "Requests answered.", (*who, "status"))
        self.tokens = counter("tokens", "Tokens read and written.", ("brand", "adapter", "kind"))
        self.refused = counter("refused", "Requests that were not let in, by reason.", ("code",))
        self.lost_rows = counter("lost_log_rows", "Rows of the request log that could not be written.")
        self.in_flight = gauge("in_flight", "Requests under way.")
        self.restarts = gauge("engine_restarts", "Engines that ended by themselves and were started again.")
        self.engine_up = gauge("engine_up", "Whether an engine answers for what is live.")
        self.share = gauge("canary_share", "The canary's share of the traffic.", ("brand",))
        self.seconds = Histogram(
            "brand_voice_request_seconds", "To the last byte.", who, buckets=SECONDS, registry=self.registry
        )


class Entry:
    """One request, from the moment it was let in to its last byte."""

    def __init__(self, brand: str, key: str, path: str, model: str) -> None:
        self.adapter: str | None = None
        self.status = 200
        self.usage = Usage()
        self.why = ""
        self._brand, self._key, self._path, self._model = brand, key, path, model
        self._started = time.perf_counter()

    def row(self) -> Served:
        """The row it leaves, now that it is over."""
        return Served(
            brand=self._brand,
            key=self._key,
            path=self._path,
            model=self._model,
            adapter=self.adapter,
            status=self.status,
            latency_ms=(time.perf_counter() - self._started) * 1e3,
            prompt_tokens=self.usage.prompt_tokens,
            completion_tokens=self.usage.completion_tokens,
            why=self.why,
        )


class RequestLog:
    """Rows on their way to the store; for the event loop."""

    def __init__(
        self, save: Callable[[Sequence[Served]], None], metrics: Metrics, notify: Callable[[str], None]
    ) -> None:
        self._save = save
        self._metrics = metrics
        self._notify = notify
        self._waiting: list[Served] = []

    def add(self, entry: Entry) -> None:
        """A request is over."""
        row = entry.row()
        who = (row.brand or "", row.adapter or "none", row.path)
        self._metrics.requests.labels(*who, str(row.status)).inc()
        self._metrics.seconds.labels(*who).observe(row.latency_ms / 1e3)
        self._metrics.tokens.labels(*who[:2], "prompt").inc(row.prompt_tokens)
        self._metrics.tokens.labels(*who[:2], "completion").inc(row.completion_tokens)
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(row)
        else:
            self._metrics.lost_rows.inc()

    async def run(self) -> None:
        """Write rows until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Write what waits; it waits on where the database refuses."""
        rows, self._waiting = self._waiting, []
        if not rows:
            return
        try:
            await asyncio.to_thread(self._save, rows)
        except StoreError as error:
            self._waiting = rows + self._waiting
            self._notify(f"the request log is not written: {error.message}")
