"""What the gateway costs: added latency and CPU before a server that answers after a fixed delay, and its throughput.

The gateway is a process of its own, as `serve` runs it, with its log, its metrics and a key; the engine behind it is
the fixed-delay server, so that everything above the delay is ours. Requests go to the server directly and through the
gateway in turn, so that a change of the machine's load meets both.
"""

import http.client
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from benchmarks.plain_client import ask_all
from benchmarks.report import Table
from benchmarks.scale import Scale
from brand_voice.address import ServerAddress
from brand_voice.api_keys import ApiKey, key_hash, new_key
from brand_voice.brand import load_brand
from brand_voice.cli.shell import notify, track
from brand_voice.context import Context
from brand_voice.gateway.app import build
from brand_voice.gateway.fleet import Fleet, Ways
from brand_voice.gateway.live_view import LiveView
from brand_voice.gateway.run import listening, server
from brand_voice.live import Promotion
from brand_voice.process import SupervisedProcess
from brand_voice.serve import StudentServer
from brand_voice.settings import NOBODY, CascadeSettings, GatewaySettings, Settings
from brand_voice.store.store import Store
from brand_voice.workspace import Workspace

BRAND, ADAPTER = "tidewater", "tidewater@fixed"
DELAY_S = 0.05
CONNECTIONS = 64
ROUND = 25
BODY = {"model": ADAPTER, "messages": [{"role": "user", "content": "A tagline for a mug. " * 20}], "max_tokens": 64}


def measure(scale: Scale) -> Table:
    """Latency one by one, then throughput at many connections."""
    with tempfile.TemporaryDirectory() as folder, _running(Path(folder)) as (direct, through, process):
        ways = {"direct": direct, "through the gateway": through}
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(max(1, scale.gateway_requests // ROUND)):
            for name, address in ways.items():
                times[name] += _one_by_one(address, ROUND)
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(scale.pairs):
            for name, address in ways.items():
                before = sum(process.cpu_times()[:2])
                rate = ask_all(address, [BODY] * scale.gateway_requests * 2, CONNECTIONS)
                rates[name].append(rate.copies_per_s)
                cpu_ms = (sum(process.cpu_times()[:2]) - before) / rate.copies * 1e3
    return _table(times, rates, cpu_ms)


def _table(times: dict[str, list[float]], rates: dict[str, list[float]], cpu_ms: float) -> Table:
    p50 = {name: statistics.median(each) for name, each in times.items()}
    p95 = {name: statistics.quantiles(each, n=20)[-1] for name, each in times.items()}
    rate = {name: statistics.median(each) for name, each in rates.items()}
    rows = [[name, f"{p50[name]:.1f}", f"{p95[name]:.1f}", f"{rate[name]:.0f}"] for name in times]
    direct, through = times
    rows.append(["added", f"{p50[through] - p50[direct]:.1f}", f"{p95[through] - p95[direct]:.1f}", ""])
    load, share = psutil.getloadavg()[0] / (psutil.cpu_count() or 1), rate[through] / rate[direct]
    return Table(
        "The gateway",
        ("", "p50 ms", "p95 ms", f"requests/s, {CONNECTIONS} connections"),
        rows,
        (
            f"A server that answers after {DELAY_S * 1e3:.0f} ms; {len(times[direct])} requests one by one, with a "
            f"key, logged and counted. At {CONNECTIONS} connections the gateway reaches {share:.0%} of the server's "
            f"own rate (median of {len(rates[direct])} pairs) and takes {cpu_ms:.2f} ms of one core a request. Load "
            f"of the machine at the end: {load:.1f} a core; client, server and gateway share its cores.",
        ),
    )


def _one_by_one(address: ServerAddress, count: int) -> list[float]:
    """Milliseconds of requests on one connection, the first one left out."""
    host, port = address.base_url.removeprefix("http://").removesuffix("/v1").split(":")
    connection = http.client.HTTPConnection(host, int(port))
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {address.key}"}
    content, times = json.dumps(BODY), []
    for _ in range(count + 1):
        started = time.perf_counter()
        connection.request("POST", "/v1/chat/completions", content, headers)
        connection.getresponse().read()
        times.append((time.perf_counter() - started) * 1e3)
    connection.close()
    return times[1:]


@contextmanager
def _running(folder: Path) -> Iterator[tuple[ServerAddress, ServerAddress, psutil.Process]]:
    """The server, and the gateway before it."""
    command = [sys.executable, "-m", "benchmarks.fixed_delay", str(DELAY_S)]
    key = new_key()
    told, telling = multiprocessing.Pipe(duplex=False)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as upstream:
        assert upstream.stdout is not None
        base_url = f"http://127.0.0.1:{int(upstream.stdout.readline())}/v1"
        direct = ServerAddress(pid=upstream.pid, base_url=base_url, key=key, models=(ADAPTER,), lora_rank=16)
        gateway = multiprocessing.get_context("spawn").Process(target=_gateway, args=(folder, direct, key, telling))
        gateway.start()
        try:
            base_url = f"http://127.0.0.1:{told.recv()}/v1"
            through = direct.model_copy(update={"base_url": base_url})
            _one_by_one(through, 1)
            yield direct, through, psutil.Process(gateway.pid)
        finally:
            gateway.terminate()
            gateway.join()
            upstream.terminate()


def _gateway(folder: Path, engine: ServerAddress, key: str, telling: Connection) -> None:
    """A gateway before a server that runs already."""
    place = Workspace(folder)
    settings = Settings(gateway=GatewaySettings(max_in_flight=1_000), cascade=CascadeSettings(teacher=NOBODY))
    with Store.open(place.database) as store, listening(settings.gateway) as listener, store.watched() as version:
        store.add_key(ApiKey(name="bench"), key_hash(key))
        store.promote(Promotion(brand=BRAND, act="promote", adapter=ADAPTER, by="bench"))
        context = Context(place, settings, load_brand(BRAND), store, track, notify)

        def start(_: object) -> StudentServer:
            stub = SupervisedProcess(["sleep", "100000"], env={}, cwd=folder, log=folder / "engine.log")
            return StudentServer(engine, stub)

        fleet = Fleet(lambda: (ADAPTER,), Ways(start, lambda *_: None, lambda _: None, notify))
        fleet.open()
        app = build(context, fleet, LiveView(store, BRAND, version), default=ADAPTER)
        listener.listen()  # whoever connects from now on waits until it is answered
        telling.send(listener.getsockname()[1])
        server(app).run(sockets=[listener])
        fleet.close()
