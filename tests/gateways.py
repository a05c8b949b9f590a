"""A gateway on a free port, with engines that are a scripted server behind a process of their own."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from servers import KEY, Misbehaving, misbehaving_server

from brand_voice.address import ServerAddress
from brand_voice.brand import load_brand
from brand_voice.context import Context
from brand_voice.errors import ServeError
from brand_voice.gateway.app import build
from brand_voice.gateway.fleet import Fleet, Ways
from brand_voice.gateway.live_view import LiveView
from brand_voice.gateway.run import Chosen, listening, server
from brand_voice.live import Promotion
from brand_voice.process import SupervisedProcess
from brand_voice.serve import StudentServer, publish
from brand_voice.settings import CascadeSettings, GatewaySettings, Settings, TeacherSettings
from brand_voice.store.store import Store
from brand_voice.workspace import Workspace

BRAND = "tidewater"
OK = "tidewater@ok"
CHAT = {"model": BRAND, "messages": [{"role": "user", "content": "A line about mugs."}]}
COPY = "/v1/copy"
BRIEF = {"channel": "tagline", "locale": "en-US", "product_name": "Slow Mug", "key_message": "slow mornings"}
DEADLINE_S = 20.0


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.moment = 0.0

    def __call__(self) -> float:
        return self.moment


class Engines:
    """Makes engines of the scripted server, and remembers what it was asked for."""

    def __init__(self, upstream: Misbehaving, folder: Path, *, is_lora: bool = True) -> None:
        self.started: list[tuple[str, ...]] = []
        self.loaded: list[str] = []
        self.told: list[str] = []
        self.servers: list[StudentServer] = []
        self.may_start = threading.Event()
        self.may_start.set()
        self.ended = threading.Event()
        """The process would have ended."""
        self.broken: set[str] = set()
        """Adapters without which an engine starts and with which none does."""
        self._upstream, self._folder, self._is_lora = upstream, folder, is_lora

    def ways(self) -> Ways:
        """What a fleet is given."""
        most = None if self._is_lora else 1
        return Ways(self._start, self._load, self._publish, self.told.append, most, self.ended.set)

    def kill(self) -> None:
        """Let the newest engine's process die."""
        process = self.servers[-1]._process
        process._child.kill()
        assert process.exits_within(10)

    def _start(self, names: Sequence[str]) -> StudentServer:
        self.started.append(tuple(names))
        assert self.may_start.wait(30)
        self._check(names)
        process = SupervisedProcess(["sleep", "1000"], env={}, cwd=self._folder, log=self._folder / "engine.log")
        base_url = f"http://127.0.0.1:{self._upstream.server_port}/v1"
        rank = 16 if self._is_lora else None
        address = ServerAddress(pid=process.pid, base_url=base_url, key=KEY, models=tuple(names), lora_rank=rank)
        self.servers.append(StudentServer(address, process))
        return self.servers[-1]

    def _load(self, engine: StudentServer, name: str) -> None:
        self._check([name])
        self.loaded.append(name)
        engine.address = engine.address.model_copy(update={"models": (name, *engine.models)})

    def _check(self, names: Sequence[str]) -> None:
        for name in self.broken.intersection(names):
            raise ServeError(f"{name} is damaged", remedy="train again")

    def _publish(self, engine: StudentServer) -> None:
        publish(engine, self._folder / "server.json")


class Running:
    """A gateway that answers."""

    def __init__(self, url: str, store: Store, fleet: Fleet, engines: Engines) -> None:
        self.url, self.store, self.fleet, self.engines = url, store, fleet, engines
        self.client = httpx2.Client(base_url=url, trust_env=False, timeout=60)

    def ask(self, *, key: str | None = None, path: str = "/v1/chat/completions", **fields: Any) -> httpx2.Response:
        """One request; `fields` change the usual chat, or are the brief."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return self.client.post(path, json=(CHAT if "chat" in path else {}) | fields, headers=headers)

    def promote(self, adapter: str, canary: str | None = None, share: float = 0.0) -> None:
        """Make an adapter live, or give a canary its share."""
        previous = self.store.standing(BRAND).live
        act = "canary" if canary else "promote"
        promotion = Promotion(
            brand=BRAND, act=act, adapter=adapter, previous=previous, canary=canary, share=share, by="me"
        )
        self.store.promote(promotion)

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what other threads do, at most as long as a test may hang."""
        waited = threading.Event()
        for _ in range(6_000):
            if condition():
                return
            waited.wait(0.005)
        raise AssertionError("it did not happen")


@contextmanager
def gateway(
    upstream: Misbehaving,
    folder: Path,
    *,
    default: str = OK,
    is_lora: bool = True,
    named: tuple[str, ...] = (),
    teacher: str = "none",
    **settings: Any,
) -> Iterator[Running]:
    """A gateway before a scripted server; `settings` are the gateway's."""
    own = GatewaySettings.model_validate({"deadline_s": DEADLINE_S} | settings)
    engines = Engines(upstream, folder, is_lora=is_lora)
    with (
        Store.open(Workspace(folder).database) as store,
        listening(own.model_copy(update={"host": "127.0.0.1"})) as bound,
    ):
        context = Context(
            Workspace(folder), _settings(own, upstream, teacher), load_brand(BRAND), store, _track, engines.told.append
        )
        chosen = Chosen(default, named, is_several=is_lora)
        fleet = Fleet(lambda: chosen.wanted(context), engines.ways())
        fleet.open()
        with store.watched() as version:
            http = server(build(context, fleet, LiveView(store, BRAND, version), default=default))
            thread = threading.Thread(target=http.run, kwargs={"sockets": [bound]})
            thread.start()
            running = Running(f"http://127.0.0.1:{bound.getsockname()[1]}", store, fleet, engines)
            try:
                running.until(lambda: http.started)
                yield running
            finally:
                upstream.release.set()
                engines.may_start.set()
                running.client.close()
                http.should_exit = True
                thread.join()
                fleet.close()


def _track(items: Any, *_: Any) -> Any:
    return items


def _settings(own: GatewaySettings, upstream: Misbehaving, teacher: str) -> Settings:
    url = f"http://127.0.0.1:{upstream.server_port}/v1"
    models = {"scripted": "ok", "slow": "late"}
    teachers = {n: TeacherSettings(base_url=url, model=m, api_key_env="SCRIPTED_KEY") for n, m in models.items()}
    return Settings(gateway=own, teachers=teachers, cascade=CascadeSettings(teacher=teacher, best_of=2))


def error_of(response: httpx2.Response) -> dict[str, Any]:
    """The error in OpenAI's shape."""
    (error,) = response.json().values()
    assert error.keys() == {"message", "type", "param", "code"}
    assert "try: " in error["message"] or error["code"] in {"not_found", "internal_error"}
    return error


def asked_for(running: Running) -> str:
    """The adapter that the engine was asked for last."""
    return running.engines._upstream.seen.bodies[-1]["model"]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Misbehaving]:
    with misbehaving_server() as server:
        yield server


@pytest.fixture(scope="module")
def shared(upstream: Misbehaving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway that tests share."""
    with gateway(upstream, tmp_path_factory.mktemp("shared"), max_body_bytes=4_096) as running:
        yield running


@pytest.fixture
def open_gateway(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """A gateway of one test's own, with a server of its own."""
    with misbehaving_server() as server:
        yield lambda **settings: gateway(server, tmp_path, **settings)
