"""`brand-voice serve`: an engine for what is live, the gateway before it, until Ctrl-C."""

import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import uvicorn

from brand_voice.address import bound
from brand_voice.backends import choose_backend, has_gpu
from brand_voice.context import Context
from brand_voice.errors import ServeError
from brand_voice.gateway.app import build
from brand_voice.gateway.entrance import is_reached
from brand_voice.gateway.fleet import Fleet, Ways
from brand_voice.gateway.live_view import LiveView
from brand_voice.promotion import adapter_of
from brand_voice.serve import StudentServer, publish
from brand_voice.settings import GatewaySettings, ServeSettings
from brand_voice.student import load_adapter, start_server

GRACEFUL_S = 10
"""How long requests under way may still take after Ctrl-C."""
KEEP_ALIVE_S = 30


class Chosen(NamedTuple):
    """Which adapters a gateway serves."""

    default: str
    """What the alias stands for as long as nothing was promoted."""
    named: tuple[str, ...]
    """Asked for by name on the command line."""
    is_several: bool
    """Whether an engine holds more than one adapter."""

    def wanted(self, context: Context) -> tuple[str, ...]:
        """The adapters to be served now, the one that matters most first; without room for several, what was named."""
        standing = context.store.standing(context.brand_id)
        live = standing.live or self.default
        beside = () if standing.canary is None else (standing.canary,)
        order = (live, *beside, *self.named) if self.is_several else (*self.named, live, *beside)
        return tuple(dict.fromkeys(order))


def run(context: Context, named: Sequence[str] = ()) -> None:
    """Serve until Ctrl-C.

    Args:
        context: workspace, settings and brand.
        named: adapters to serve beside what is live; merged weights hold one alone, and then it is this one.

    Raises:
        ArtifactError: there is no such adapter.
        ServeError: the address cannot be used, or the engine does not start.
    """
    signal.signal(signal.SIGTERM, _end)  # else the process would end before its engines do
    with listening(context.settings.gateway) as listener:
        check_reach(context)
        chosen = choose(context, named)
        fleet = Fleet(lambda: chosen.wanted(context), ways(context, chosen))
        try:
            fleet.open()
            with context.store.watched() as version:
                app = build(context, fleet, LiveView(context.store, context.brand_id, version), default=chosen.default)
                host, port = listener.getsockname()[:2]
                shown = f"[{host}]" if ":" in host else host
                context.notify(f"serving {context.brand_id} at http://{shown}:{port}/v1; Ctrl-C ends it")
                server(app).run(sockets=[listener])
        finally:
            fleet.close()


def _end(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def server(app: Callable[..., object]) -> uvicorn.Server:
    """The HTTP server of a gateway."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACEFUL_S,
        )
    )


@contextmanager
def listening(settings: GatewaySettings) -> Iterator[socket.socket]:
    """The gateway's socket, bound before an engine is started in vain.

    Raises:
        ServeError: the address cannot be used.
    """
    remedy = "choose another --port, or leave it out to take a free one"
    with bound(settings.host, settings.port, who="the gateway", remedy=remedy) as listener:
        yield listener


def check_reach(context: Context) -> None:
    """Others than this machine's users may ask only with a key.

    Raises:
        ServeError: there is none.
    """
    settings = context.settings.gateway
    if is_reached(settings) and not context.store.api_keys():
        names = ", ".join((settings.host, *settings.hosts))
        raise ServeError(
            f"{names} is reached from other machines, and there are no API keys", remedy="brand-voice keys add NAME"
        )


def choose(context: Context, named: Sequence[str]) -> Chosen:
    """Which adapters to serve, and whether one engine holds several.

    Raises:
        ArtifactError: there is no such adapter.
    """
    found = [adapter_of(context, name).name for name in named]
    standing = context.store.standing(context.brand_id)
    default = found[0] if found else adapter_of(context).name
    at_once = max(1, len(found)) + (standing.canary is not None)
    return Chosen(default, tuple(found), holds_several(context.settings.serve, at_once))


def holds_several(settings: ServeSettings, asked_for: int) -> bool:
    """Whether an engine serves adapters beside one another: what `serve.mode` says, or what is fastest here."""
    if choose_backend(settings) != "vllm":
        return False
    return settings.mode == "lora" or (settings.mode == "auto" and (asked_for > 1 or has_gpu()))


def ways(context: Context, chosen: Chosen) -> Ways:
    """Engines of one mode, chosen for all; after the first one, without a progress bar and on a free port."""
    if context.settings.serve.mode == "auto":
        context = _serving(context, mode="lora" if chosen.is_several else "merged")

    def start(names: Sequence[str]) -> StudentServer:
        nonlocal context
        engine = start_server(context, *(adapter_of(context, name) for name in names))
        context = _serving(Context(*context[:6]), port=None)
        return engine

    def load(engine: StudentServer, name: str) -> None:
        load_adapter(context, engine, adapter_of(context, name))

    most = None if chosen.is_several else 1
    return Ways(start, load, lambda engine: publish(engine, context.workspace.server_file), context.notify, most)


def _serving(context: Context, **changes: object) -> Context:
    """The context with other settings of the engine."""
    own = context.settings.serve.model_copy(update=changes)
    return context._replace(settings=context.settings.model_copy(update={"serve": own}))
