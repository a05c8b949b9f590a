"""A chat completion passed to an engine and back: whole or chunk by chunk, never answered by nobody.

An engine that dies before the first byte of its answer costs a client nothing but time: the request is sent again to
the next engine, within the deadline. A stream that breaks later ends with an error event. A client that goes away takes
its request to the engine along.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import ExitStack, aclosing
from http import HTTPStatus
from itertools import cycle
from typing import Any, NamedTuple, TypeVar

import httpx2
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from brand_voice.address import ServerAddress
from brand_voice.gateway.accounts import Entry, RequestLog
from brand_voice.gateway.events import Events, begins_with_error, error_event
from brand_voice.gateway.refusals import CLIENT_GONE, RefusedError, bad_request, engine_failed, too_late, unavailable
from brand_voice.gateway.router import LOOK_AGAIN_S, Router, Target
from brand_voice.protocol import AttemptError, Told, server_error
from brand_voice.settings import GatewaySettings

T = TypeVar("T")
CONNECT_TIMEOUT_S = 5.0
POOLS = 16
"""Of connections: for every request httpx (2.16) looks at each connection of its pool."""
MAX_SENT = 2
"""Engines that may die of one request: it may be the reason."""
OWN_FAULTS = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
"""What an engine says of a request that is wrong."""


class GoneError(Exception):
    """The client did not wait."""


class Opened(NamedTuple):
    """An answer that has begun."""

    target: Target
    response: httpx2.Response
    first: bytes
    """Its whole body, or the first piece of a stream."""
    rest: AsyncIterator[bytes]


class Relay:
    """Passes chat completions to engines."""

    def __init__(self, router: Router, settings: GatewaySettings) -> None:
        self._router = router
        self._deadline_s = settings.deadline_s
        self._max_tokens = settings.max_tokens
        # uvicorn, and so vLLM, drops a connection after 5 s without a request: be the first to let go.
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=256, keepalive_expiry=4)
        # No proxy may stand before loopback.
        self._clients = [httpx2.AsyncClient(limits=limits, trust_env=False) for _ in range(POOLS)]
        self._turns = cycle(self._clients)

    async def close(self) -> None:
        """Drop the connections."""
        for client in self._clients:
            await client.aclose()

    async def complete(self, model: str, fields: dict[str, Any], entry: Entry) -> Response:
        """One whole answer.

        Raises:
            RefusedError: none came of it.
        """
        with ExitStack() as stack:
            opened = await self._open(model, fields, entry, stack)
            raw = opened.first
            told = Told("engine", opened.target.adapter)
            try:
                told.take_answer(raw.decode(errors="replace"))
            except AttemptError as error:
                raise engine_failed("it sent no chat completion") from error
            entry.usage = told.usage
            return Response(raw, media_type="application/json")

    async def stream(self, model: str, fields: dict[str, Any], entry: Entry, log: RequestLog) -> Response:
        """An answer as it is written; the entry is logged at its end.

        Raises:
            RefusedError: it did not begin.
        """
        shows_usage = bool((fields.get("stream_options") or {}).get("include_usage"))
        fields = fields | {"stream_options": {"include_usage": True}}
        stack = ExitStack()
        try:
            opened = await self._open(model, fields, entry, stack)
        except BaseException:
            stack.close()
            raise
        pieces = self._pieces(opened, Events(shows_usage=shows_usage, texts=fields.get("n", 1)), entry)
        return StreamingResponse(_closing(pieces, stack, entry, log), media_type="text/event-stream")

    async def _pieces(self, opened: Opened, events: Events, entry: Entry) -> AsyncGenerator[bytes, None]:
        problem: RefusedError | None = None
        try:
            for passed in events.take(opened.first):
                yield passed
            async for chunk in opened.rest:
                for passed in events.take(chunk):
                    yield passed
                if events.has_failed:
                    break
            if events.has_failed or not events.is_done:
                problem = engine_failed("its answer broke off")
        except httpx2.TimeoutException:
            problem = too_late(self._deadline_s)
        except httpx2.TransportError:
            problem = engine_failed("its answer broke off")
        finally:
            entry.usage = events.usage
            await opened.response.aclose()
        if problem is not None:
            entry.status, entry.why = problem.status, "cut"
            yield error_event(problem.body())

    async def _open(self, model: str, fields: dict[str, Any], entry: Entry, stack: ExitStack) -> Opened:
        """Send the request to an engine until one begins to answer; `stack` counts it there."""
        deadline, sent = time.monotonic() + self._deadline_s, 0
        while True:
            target = await self._router.wait(model, deadline)
            entry.adapter = target.adapter
            count = stack.enter_context(ExitStack())
            count.enter_context(target.engine.busy())
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    return await self._send(target, fields)
            except TimeoutError as exc:
                raise too_late(self._deadline_s) from exc
            except httpx2.TransportError as exc:
                sent += not isinstance(exc, httpx2.ConnectError | httpx2.ConnectTimeout)
                if sent >= MAX_SENT or time.monotonic() + LOOK_AGAIN_S >= deadline:
                    raise unavailable("the engine is starting again", self._router.retry_after_s) from exc
            count.close()
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _send(self, target: Target, fields: dict[str, Any]) -> Opened:
        address = target.engine.server.address
        body = json.dumps(self._bounded(fields, address) | {"model": target.adapter}).encode()
        client = next(self._turns)
        request = client.build_request(
            "POST",
            f"{address.base_url}/chat/completions",
            content=body,
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {address.key or ''}"},
            timeout=httpx2.Timeout(self._deadline_s, connect=CONNECT_TIMEOUT_S),
        )
        response = await client.send(request, stream=True)
        try:
            if response.status_code != HTTPStatus.OK:
                raise await self._failure(target, response)
            if not fields.get("stream"):
                return Opened(target, response, await response.aread(), _nothing())
            rest = response.aiter_raw()
            first = await anext(rest, b"")
            if not first or begins_with_error(first):
                raise httpx2.ReadError("the engine is dying")
            return Opened(target, response, first, rest)
        except BaseException:
            await response.aclose()
            raise

    def _bounded(self, fields: dict[str, Any], address: ServerAddress) -> dict[str, Any]:
        """The fields with a limit of tokens; vLLM refuses one above its context."""
        if fields.keys() & {"max_tokens", "max_completion_tokens"}:
            return fields
        return fields | {"max_tokens": min(self._max_tokens, address.max_model_len or self._max_tokens)}

    async def _failure(self, target: Target, response: httpx2.Response) -> Exception:
        """What to make of a status other than 200; an engine that is dying counts as unreachable."""
        raw = (await response.aread()).decode(errors="replace")
        status = response.status_code
        if status in OWN_FAULTS:
            return bad_request(server_error(raw).words, "change the request")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR and not await self._is_well(target):
            return httpx2.ReadError("the engine is dying")
        return engine_failed(f"status {status}")

    async def _is_well(self, target: Target) -> bool:
        """Whether the engine says so itself: vLLM's API process outlives its dead core by a moment."""
        url = target.engine.server.base_url.removesuffix("/v1") + "/health"
        try:
            return (await self._clients[0].get(url, timeout=CONNECT_TIMEOUT_S)).status_code == HTTPStatus.OK
        except httpx2.TransportError:
            return False


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The outcome of `work`, which is cancelled when the client goes away.

    Raises:
        GoneError: it did.
    """
    doing, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise GoneError
        return doing.result()
    finally:
        leaving.cancel()
        if doing.cancel():
            await asyncio.wait({doing})


async def _gone(request: Request) -> None:
    """Return when the client has closed its connection; its body was read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _nothing() -> AsyncIterator[bytes]:
    no_pieces: tuple[bytes, ...] = ()
    for piece in no_pieces:
        yield piece


async def _closing(
    pieces: AsyncGenerator[bytes, None], stack: ExitStack, entry: Entry, log: RequestLog
) -> AsyncIterator[bytes]:
    """Pass pieces on; whoever ends it, client or engine, the request is counted out and logged."""
    is_whole = False
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece
        is_whole = True
    finally:
        stack.close()
        if not is_whole:
            entry.status, entry.why = CLIENT_GONE, "client gone"
        log.add(entry)
