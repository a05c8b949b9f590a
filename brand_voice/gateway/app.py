"""The gateway's routes: what is not listed here does not exist, whatever the engine behind offers.

Raw completions (`/v1/completions`) are left out: the student knows one prompt, rendered through its chat template.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from brand_voice.context import Context
from brand_voice.gateway.accounts import Entry, Metrics, RequestLog
from brand_voice.gateway.copywriter import Copywriter
from brand_voice.gateway.entrance import Admission, Entrance
from brand_voice.gateway.fleet import Fleet
from brand_voice.gateway.live_view import LiveView
from brand_voice.gateway.refusals import CLIENT_GONE, RefusedError, Unserved, error_body
from brand_voice.gateway.relay import GoneError, Relay, unless_gone
from brand_voice.gateway.request_body import chat_fields, model_of, read_object
from brand_voice.gateway.router import Router

Work = Callable[[Request, dict[str, Any], Entry], Awaitable[Response]]


class Parts(NamedTuple):
    """What the routes work with."""

    context: Context
    fleet: Fleet
    router: Router
    admission: Admission
    relay: Relay
    copywriter: Copywriter
    metrics: Metrics
    log: RequestLog


def build(context: Context, fleet: Fleet, view: LiveView, *, default: str) -> FastAPI:
    """The application; `default` is the adapter that the alias stands for as long as nothing was promoted.

    Raises:
        SettingsError: the cascade's teacher cannot be asked.
    """
    settings, router, metrics = context.settings.gateway, Router(view, fleet, default), Metrics()
    parts = Parts(
        context=context,
        fleet=fleet,
        router=router,
        admission=Admission(view, settings),
        relay=Relay(router, settings),
        copywriter=Copywriter(context, router),
        metrics=metrics,
        log=RequestLog(context.store.log_served, metrics, context.notify),
    )
    parts.copywriter.open()
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, lifespan=_lifespan(parts))
    app.add_middleware(Entrance, settings=settings)
    app.add_exception_handler(HTTPException, _unserved)
    app.add_exception_handler(Exception, _bug)
    for path, method, answer in _routes(parts):
        app.add_api_route(path, answer, methods=[method], response_model=None)
    return app


def _routes(parts: Parts) -> list[tuple[str, str, Callable[[Request], Awaitable[Response]]]]:
    async def chat(request: Request) -> Response:
        return await _worked(parts, request, _chat)

    async def copy(request: Request) -> Response:
        return await _worked(parts, request, _copy)

    async def _chat(request: Request, body: dict[str, Any], entry: Entry) -> Response:
        fields = chat_fields(body, parts.context.settings.gateway)
        if fields.get("stream"):
            work = parts.relay.stream(model_of(body), fields, entry, parts.log)
        else:
            work = parts.relay.complete(model_of(body), fields, entry)
        return await unless_gone(request, work)

    async def _copy(request: Request, body: dict[str, Any], entry: Entry) -> Response:
        fields = {name: value for name, value in body.items() if name != "model"}
        work = parts.copywriter.write(model_of(body), parts.copywriter.brief(fields), entry)
        return JSONResponse(await unless_gone(request, work))

    async def models(request: Request) -> Response:
        return _looked(parts, request, lambda: JSONResponse(_models(parts.router)))

    async def metrics(request: Request) -> Response:
        return _looked(parts, request, lambda: Response(_numbers(parts), media_type=CONTENT_TYPE_LATEST))

    async def health(_: Request) -> Response:
        return _health(parts)

    return [
        ("/v1/chat/completions", "POST", chat),
        ("/v1/copy", "POST", copy),
        ("/v1/models", "GET", models),
        ("/metrics", "GET", metrics),
        ("/health", "GET", health),
    ]


async def _worked(parts: Parts, request: Request, work: Work) -> Response:
    """Let a request in, do it, and remember it; a stream is remembered by whoever sends it."""
    try:
        key = parts.admission.admit(request.headers)
        body = await read_object(request, parts.context.settings.gateway)
        body.setdefault("model", parts.router.alias) if request.url.path == "/v1/copy" else None
        model = parts.router.told(model_of(body))
    except RefusedError as error:
        parts.metrics.refused.labels(error.code).inc()
        return error.response()
    entry = Entry(parts.router.alias, key.name, request.url.path, model)
    return await _remembered(parts, request, body, entry, work)


async def _remembered(parts: Parts, request: Request, body: dict[str, Any], entry: Entry, work: Work) -> Response:
    is_stream = False
    try:
        response = await work(request, body, entry)
        is_stream = body.get("stream") is True
    except RefusedError as error:
        entry.status, entry.why = error.status, error.code
        response = error.response()
    except GoneError:
        entry.status, entry.why = CLIENT_GONE, "client gone"
        response = Response(status_code=CLIENT_GONE)
    except BaseException:
        entry.status, entry.why = 500, "bug"
        raise
    finally:
        if not is_stream:
            parts.log.add(entry)
    return response


def _looked(parts: Parts, request: Request, answer: Callable[[], Response]) -> Response:
    """Answer whoever has a good key; looking does not count against its limit."""
    try:
        parts.admission.who(request.headers)
    except RefusedError as error:
        parts.metrics.refused.labels(error.code).inc()
        return error.response()
    return answer()


def _models(router: Router) -> dict[str, Any]:
    created = int(time.time())
    rows = [{"id": name, "object": "model", "created": created, "owned_by": router.alias} for name in router.models()]
    return {"object": "list", "data": rows}


def _health(parts: Parts) -> Response:
    """Whether the alias is answered now; open to everybody, so it names no adapter."""
    is_up = parts.router.standing_by() is not None
    state = "ok" if is_up else "restarting"
    told = {"status": state, "restarts": parts.fleet.restarts, "is_behind": bool(parts.fleet.trouble)}
    return JSONResponse(told, 200 if is_up else 503)


def _numbers(parts: Parts) -> bytes:
    metrics = parts.metrics
    metrics.restarts.set(parts.fleet.restarts)
    metrics.engine_up.set(parts.router.standing_by() is not None)
    metrics.in_flight.set(sum(engine.in_flight for engine in parts.fleet.engines))
    metrics.share.labels(parts.router.alias).set(parts.router.share)
    return generate_latest(metrics.registry)


def _lifespan(parts: Parts) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        writing = asyncio.create_task(parts.log.run())
        try:
            yield
        finally:
            writing.cancel()
            with suppress(asyncio.CancelledError):
                await writing
            await parts.log.flush()
            parts.copywriter.close()
            await parts.relay.close()

    return lifespan


async def _unserved(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return Unserved(error.status_code, request.method, request.url.path).response()


async def _bug(_: Request, __: Exception) -> Response:
    return JSONResponse(error_body(500, "the gateway failed; its log says why", "internal_error"), 500)
