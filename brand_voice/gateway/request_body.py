"""What a client may send: a JSON object of bounded size, with fields of the chat protocol that a brand's copy needs.

A field that is not listed is refused, not passed on: the engine knows others that cost much, or read what is not theirs
(templates, tool parsers, structured output). What says something about the client is taken and dropped.
"""

import asyncio
import json
from http import HTTPStatus
from typing import Any

from starlette.requests import ClientDisconnect, Request

from brand_voice.gateway.refusals import RefusedError, bad_request
from brand_voice.settings import GatewaySettings

PASSED_ON = frozenset(
    "messages temperature top_p top_k min_p max_tokens max_completion_tokens n stop seed stream stream_options "
    "presence_penalty frequency_penalty repetition_penalty logprobs top_logprobs".split()
)
DROPPED = frozenset("model user metadata store service_tier safety_identifier prompt_cache_key".split())
"""`model` is resolved; the others would only be kept."""


async def read_object(request: Request, settings: GatewaySettings) -> dict[str, Any]:
    """The request's JSON object.

    Raises:
        RefusedError: too large, too slow, or no JSON object.
    """
    limit = settings.max_body_bytes
    length = request.headers.get("content-length", "0")
    if len(length) > 12 or (length.isdigit() and int(length) > limit):
        raise _too_large(limit)
    content = bytearray()
    try:
        async with asyncio.timeout(settings.deadline_s):
            async for chunk in request.stream():
                content += chunk
                if len(content) > limit:
                    raise _too_large(limit)
        body = json.loads(bytes(content))
        json.dumps(body, ensure_ascii=False).encode()  # half of a character, as in "\\ud800", can go nowhere
    except (TimeoutError, ClientDisconnect) as exc:
        raise RefusedError(
            HTTPStatus.REQUEST_TIMEOUT, "the request did not arrive", code="timeout", remedy="send it again"
        ) from exc
    except (ValueError, RecursionError) as exc:
        raise bad_request("the body is not JSON", "send a JSON object in UTF-8") from exc
    if not isinstance(body, dict):
        raise bad_request(f"the body is a JSON {type(body).__name__}", "send a JSON object")
    return body


def model_of(body: dict[str, Any]) -> str:
    """The model asked for.

    Raises:
        RefusedError: none.
    """
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise bad_request("no model", "name the brand's id as `model`", code="missing_model")
    return model


def chat_fields(body: dict[str, Any], settings: GatewaySettings) -> dict[str, Any]:
    """The fields that go to the engine, within the gateway's limits.

    Raises:
        RefusedError: an unknown field, no messages, or a number above its limit.
    """
    unknown = sorted(body.keys() - PASSED_ON - DROPPED)
    if unknown:
        raise bad_request(
            f"unknown field {unknown[0][:80]!r}",
            f"leave it out; known: {', '.join(sorted(PASSED_ON))}",
            code="unknown_field",
        )
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        raise bad_request("no messages", 'send `"messages": [{"role": "user", "content": "..."}]`')
    if not isinstance(body.get("stream", False), bool | None):
        raise bad_request("stream is neither true nor false", "send true or false")
    if not isinstance(body.get("stream_options"), dict | None):
        raise bad_request("stream_options is no object", 'send `{"include_usage": true}`')
    limits = {"n": settings.max_n, "max_tokens": settings.max_tokens, "max_completion_tokens": settings.max_tokens}
    for name, limit in limits.items():
        value = body.get(name)
        if value is not None and (type(value) is not int or not 0 < value <= limit):
            raise bad_request(f"{name} is {str(value)[:40]}", f"send a number from 1 to {limit}")
    return {name: value for name, value in body.items() if name in PASSED_ON and value is not None}


def _too_large(limit: int) -> RefusedError:
    return RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body is over {limit:,} bytes",
        code="request_too_large",
        remedy="send less, or raise gateway.max_body_bytes",
    )
