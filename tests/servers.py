"""A real local server of the OpenAI chat protocol; the model's name picks how it misbehaves.

`ok` behaves. `<name>-once` misbehaves on the first request only; what stands before an `@` does not count. Everything
it saw is kept: bodies, times, and what `observe` returned at the moment a request arrived.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from brand_voice.recorded import LoopbackServer
from brand_voice.settings import Endpoint

KEY = "sk-test-0123456789abcdef"
TEXT = "Pour the cream in."
BLOCKED = "Hurry!!! Cures insomnia, 99% off, 7 left!!!"
USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}


@dataclass
class Seen:
    """What arrived at the server."""

    bodies: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    observed: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


class Misbehaving(LoopbackServer):
    def __init__(self) -> None:
        super().__init__(0, _Handler)
        self.seen = Seen()
        self.lock = threading.Lock()
        self.observe: Callable[[], Any] = lambda: None
        self.release = threading.Event()
        """Lets the hanging requests go."""
        self.is_well = True
        self.left = threading.Event()
        """Whoever was sent a dripping stream has gone."""

    def endpoint(self, model: str, **changes: Any) -> Endpoint:
        defaults = {"name": "test", "base_url": f"http://127.0.0.1:{self.server_port}/v1", "api_key": KEY}
        limits = {"connect_timeout_s": 2, "read_timeout_s": 5, "max_attempts": 2}
        prices = {"usd_per_million_in": 1.0, "usd_per_million_out": 10.0}
        return Endpoint.model_validate(defaults | limits | prices | {"model": model} | changes)


@contextmanager
def misbehaving_server() -> Iterator[Misbehaving]:
    server = Misbehaving()
    with server.running():
        try:
            yield server
        finally:
            server.release.set()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Misbehaving

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/health":
            return self.reply(200 if self.server.is_well else 503, "")
        if self.headers["Authorization"] != f"Bearer {KEY}":
            return self.reply(401, {"error": {"message": f"bad key {KEY}", "code": "invalid_api_key"}})
        return self.reply(200, {"object": "list", "data": []})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            seen = self.server.seen
            seen.times.append(time.monotonic())
            seen.observed.append(self.server.observe())
            seen.headers.append(dict(self.headers))
            seen.bodies.append(body)
            number = len(seen.bodies)
        model = body["model"].rpartition("@")[2]
        if model.endswith("-once"):
            model = model.removesuffix("-once") if number == 1 else "ok"
        if body.get("stream"):
            return self.stream(model)
        return getattr(self, model.replace("-", "_"))(body)

    def reply(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        payload = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def answer(self, text: str | None = TEXT, finish: str = "stop", **message: Any) -> None:
        said = {"role": "assistant", "content": text, **message}
        choice = {"index": 0, "finish_reason": finish, "message": said, "logprobs": None}
        self.reply(200, {"object": "chat.completion", "model": "served", "choices": [choice], "usage": USAGE})

    def error(self, status: int, code: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        self.reply(status, {"error": {"message": f"no: {KEY} \x1b[31m", "code": code, **more}}, headers)

    def ok(self, body: dict[str, Any]) -> None:
        self.answer()

    def finds_a_brief(self, body: dict[str, Any]) -> None:
        said = {"key_message": "slow mornings", "facts": ["12 oz"], "offer": None, "product_name": "Slow Mug"}
        self.answer(f"Here it is:\n```json\n{json.dumps(said)}\n```")

    def judges(self, body: dict[str, Any]) -> None:
        """The longer text is the better one, but the first where one says so."""
        asked = json.loads(body["messages"][-1]["content"])
        longer = "first" if len(asked["first"]) > len(asked["second"]) else "second"
        is_swayed = "I am better" in asked["first"] + asked["second"]
        self.answer(json.dumps({"why": "it says more", "better": "first" if is_swayed else longer}))

    def odd_briefs_fail(self, body: dict[str, Any]) -> None:
        self.answer(finish="length" if "fail" in body["messages"][-1]["content"] else "stop")

    def logprobs(self, body: dict[str, Any]) -> None:
        assert body["logprobs"] is True
        tokens = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1.5}]
        choice = {"finish_reason": "stop", "message": {"content": TEXT}, "logprobs": {"content": tokens}}
        self.reply(200, {"model": "served", "choices": [choice], "usage": USAGE})

    def said(self, text: str, logprob: float) -> None:
        choice = {"finish_reason": "stop", "message": {"content": text}}
        choice["logprobs"] = {"content": [{"token": "a", "logprob": logprob}]}
        self.reply(200, {"model": "served", "choices": [choice], "usage": USAGE})

    def certain(self, body: dict[str, Any]) -> None:
        self.said(TEXT, -0.25)

    def uncertain(self, body: dict[str, Any]) -> None:
        self.said(TEXT, -2.5)

    def blocked(self, body: dict[str, Any]) -> None:
        self.said(BLOCKED, -0.25)

    def some_blocked(self, body: dict[str, Any]) -> None:
        """Of every other prompt, by its length, whatever the number of the try; and less certain of these."""
        is_odd = len(body["messages"][-1]["content"]) % 2
        self.said(BLOCKED if is_odd else TEXT, -2.5 if is_odd else -0.25)

    def uncounted(self, body: dict[str, Any]) -> None:
        self.reply(200, {"choices": [{"finish_reason": "stop", "message": {"content": TEXT}}]})

    def rate_limited(self, body: dict[str, Any]) -> None:
        self.error(429, "rate_limit_exceeded")

    def rate_limited_briefly(self, body: dict[str, Any]) -> None:
        self.error(429, "rate_limit_exceeded", {"Retry-After": "1"})

    def rate_limited_for_an_hour(self, body: dict[str, Any]) -> None:
        self.error(429, "rate_limit_exceeded", {"Retry-After": "3600"})

    def quota(self, body: dict[str, Any]) -> None:
        self.error(429, "insufficient_quota")

    def unauthorised(self, body: dict[str, Any]) -> None:
        self.error(401, "invalid_api_key")

    def renamed_limit(self, body: dict[str, Any]) -> None:
        if "max_tokens" in body:
            return self.error(400, "unsupported_parameter", param="max_tokens")
        return self.answer()

    def server_error(self, body: dict[str, Any]) -> None:
        self.error(500, "internal")

    def gateway_timeout(self, body: dict[str, Any]) -> None:
        self.reply(504, "<html>504 Gateway Time-out</html>")

    def html(self, body: dict[str, Any]) -> None:
        self.reply(200, "<!doctype html><title>Sign in</title>")

    def truncated_json(self, body: dict[str, Any]) -> None:
        self.reply(200, '{"object": "chat.completion", "choices": [{"mess')

    def no_choices(self, body: dict[str, Any]) -> None:
        self.reply(200, {"object": "chat.completion", "choices": [], "usage": USAGE})

    def unknown_finish(self, body: dict[str, Any]) -> None:
        self.answer(finish="tool_calls")

    def empty(self, body: dict[str, Any]) -> None:
        self.answer(" \n")

    def cut_off(self, body: dict[str, Any]) -> None:
        self.answer(finish="length")

    def refusal(self, body: dict[str, Any]) -> None:
        self.answer(None, refusal="I can't help with that.")

    def filtered(self, body: dict[str, Any]) -> None:
        self.answer("", finish="content_filter")

    def hang(self, body: dict[str, Any]) -> None:
        self.server.release.wait(30)
        self.close_connection = True

    def rejects(self, body: dict[str, Any]) -> None:
        self.error(400, "context_length_exceeded")

    def late(self, body: dict[str, Any]) -> None:
        self.server.release.wait(30)
        self.answer()

    def hang_after_one(self, body: dict[str, Any]) -> None:
        with self.server.lock:
            is_first = body is self.server.seen.bodies[0]
        return self.answer() if is_first else self.hang(body)

    def hang_up(self, body: dict[str, Any]) -> None:
        self.close_connection = True

    def drip(self, body: dict[str, Any]) -> None:
        """A stream without an end: whoever has enough of it goes away."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        event = json.dumps({"choices": [{"delta": {"content": "and "}}]})
        try:
            while not self.server.release.wait(0.01):
                self.wfile.write(f"data: {event}\n\n".encode())
                self.wfile.flush()
        except OSError:
            self.server.left.set()

    def stream(self, model: str) -> None:
        """Server-sent events: `ok`, `broken` (closed half-way), `error-event`, `cut-off`, or a plain reply.

        `error-first` fails at once and says that it is done, as vLLM does; `not-done` does not say it.
        """
        if model not in {"ok", "broken", "error-event", "error-first", "cut-off", "unfinished", "not-done"}:
            return getattr(self, model.replace("-", "_"))({})
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        if model == "broken":
            self.send_header("Content-Length", "100000")
        self.end_headers()
        events: list[Any] = [{"choices": [{"delta": {"content": part}}]} for part in ("Pour ", "the cream", " in.")]
        finish = {"ok": "stop", "cut-off": "length", "not-done": "stop"}.get(model)
        if finish:
            events += [{"choices": [{"delta": {}, "finish_reason": finish}]}, {"choices": [], "usage": USAGE}]
        failed = {"error": {"message": "engine died", "code": 500}}
        if model == "error-event":
            events.append(failed)
        if model == "error-first":
            events = [failed]
        comment = [] if model == "error-first" else [": keep-alive\n\n"]
        lines = [*comment, *(f"data: {json.dumps(event)}\n\n" for event in events)]
        if model in {"ok", "cut-off", "error-first"}:
            lines.append("data: [DONE]\n\n")
        self.wfile.write("".join(lines).encode())
        return None
