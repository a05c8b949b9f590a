"""The recorded teacher: a local server that speaks the chat protocol and replays recorded completions.

A recording is found by the hash of the brief's content, sent as request metadata, so that editing a prompt template
orphans nothing. Nothing is invented: a brief that was never recorded gets a 404 that names the nearest one. Latency
means nothing here and costs are list prices of a stand-in (`data/prices.json`); both are marked `is_recorded`.

Loopback only, behind a random key. It does not know the store, nor which drafts come of its answers.
"""

import hmac
import json
import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from pydantic import SecretStr, ValidationError

from brand_voice.errors import ArtifactError, ServeError
from brand_voice.guide import Brand
from brand_voice.records import Brief, Record, Recording
from brand_voice.settings import RECORDED, Endpoint
from brand_voice.shipped import shipped

CHARS_PER_TOKEN = 4
"""Recorded usage is an estimate, a token for every four characters: no tokenizer of the real teacher is at hand."""
MAX_REQUEST_BYTES = 1_000_000
IDLE_TIMEOUT_S = 60


class Price(Record):
    """A published list price, USD per million tokens, with its source."""

    model: str
    provider: str
    has_open_weights: bool
    usd_per_million_in: float
    usd_per_million_out: float
    as_of: str
    """Month the price was published or in force, `YYYY-MM`."""
    source: str
    url: str


class PriceList(Record):
    """`data/prices.json`."""

    unit: str
    checked: str
    """Date on which the sources were last read."""
    recorded_teacher: str
    """The entry that stands in for the recorded teacher."""
    why: str
    prices: tuple[Price, ...]

    def stand_in(self) -> Price:
        """The price the recorded teacher is reckoned at."""
        return next(price for price in self.prices if price.model == self.recorded_teacher)


def price_list() -> PriceList:
    """Read the shipped price list.

    Raises:
        ArtifactError: it is missing or broken.
    """
    path = shipped("data") / "prices.json"
    try:
        return PriceList.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as exc:
        raise ArtifactError(f"{path} cannot be used: {exc}", remedy="restore it from the repository") from exc


def candidates_recorded(briefs: Sequence[Brief], recordings: Sequence[Recording]) -> dict[str, int]:
    """How many completions are recorded for each brief, by the hash of its content."""
    return {brief_hash: len(texts) for brief_hash, texts in _index(briefs, recordings).items()}


@contextmanager
def recorded_teacher(
    brand: Brand, briefs: Sequence[Brief], recordings: Sequence[Recording], *, port: int | None = None
) -> Iterator[Endpoint]:
    """Serve a brand's recordings on this machine for as long as the block runs.

    Args:
        brand: whose recordings they are.
        briefs: the recorded briefs.
        recordings: the recorded completions.
        port: a fixed port; none takes a free one.

    Raises:
        ServeError: the port is taken.
        ArtifactError: the price list is missing or broken.
    """
    price = price_list().stand_in()
    key = secrets.token_urlsafe(24)
    try:
        server = LoopbackServer(port or 0, _Handler)
    except OSError as exc:
        raise ServeError(
            f"the recorded teacher cannot listen on port {port}: {exc.strerror}", remedy="choose another port"
        ) from exc
    texts = _index(briefs, recordings)
    server.teacher = _Teacher(brand.name, texts, _descriptions(b for b in briefs if b.hash in texts), key)
    with server.running():
        yield Endpoint(
            name=RECORDED,
            base_url=f"http://127.0.0.1:{server.server_port}/v1",
            model=RECORDED,
            api_key=SecretStr(key),
            usd_per_million_in=price.usd_per_million_in,
            usd_per_million_out=price.usd_per_million_out,
            distillation_permitted=True,
            is_recorded=True,
            wants_metadata=True,
            max_concurrency=4,
        )


class LoopbackServer(ThreadingHTTPServer):
    """An HTTP server on 127.0.0.1 that leaves no thread and no connection behind."""

    request_queue_size = 512
    """As many as a batch asks at a time may come at once; beyond it (5, if left alone) connections may be reset."""
    teacher: "_Teacher"

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self._connections: set[socket.socket] = set()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Answer requests in a thread; on leaving, stop, and end connections that clients keep alive."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.shutdown()
            thread.join()
            for connection in tuple(self._connections):
                self._end(connection)
            self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, then answer it in its own thread."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent about a client that hangs up: its own side reports it."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    @staticmethod
    def _end(connection: socket.socket) -> None:
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the client was faster


class _Teacher(NamedTuple):
    """What the handler answers from."""

    brand: str
    texts: Mapping[str, Mapping[int, str]]
    """Recorded texts by brief hash and candidate."""
    descriptions: Mapping[str, str]
    """What each recorded brief says, by the words that name it in an error."""
    key: str

    def nearest(self, asked: str) -> str:
        """The recorded brief most like a text."""
        from rapidfuzz import fuzz, process, utils

        found = process.extractOne(
            asked, self.descriptions, scorer=fuzz.token_sort_ratio, processor=utils.default_process
        )
        return str(found[2]) if found else "none: nothing is recorded"


class _ProtocolError(Exception):
    """A request that gets an error object instead of an answer."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": "invalid_request_error", "code": code, "param": None}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = IDLE_TIMEOUT_S
    server: LoopbackServer

    def do_GET(self) -> None:
        self._guarded(self._list_models)

    def do_POST(self) -> None:
        self._guarded(self._complete)

    def log_message(self, *_: Any) -> None:
        """Requests are not logged; failures travel back in the answer."""

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            self._check_key()
            act()
        except _ProtocolError as exc:
            self.close_connection = True  # the body may not have been read
            self._send_json(exc.status, exc.body)

    def _check_key(self) -> None:
        sent = self.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(sent, f"Bearer {self.server.teacher.key}".encode()):
            raise _ProtocolError(HTTPStatus.UNAUTHORIZED, "invalid_api_key", "wrong key for the recorded teacher")

    def _list_models(self) -> None:
        if self.path != "/v1/models":
            raise _ProtocolError(HTTPStatus.NOT_FOUND, "unknown_path", f"no such path: {self.path}")
        self._send_json(HTTPStatus.OK, {"object": "list", "data": [{"id": RECORDED, "object": "model"}]})

    def _complete(self) -> None:
        if self.path != "/v1/chat/completions":
            raise _ProtocolError(HTTPStatus.NOT_FOUND, "unknown_path", f"no such path: {self.path}")
        request = self._request()
        text = self._recording(request)
        usage = _usage(request, text)
        if request.get("stream"):
            self._send_events(text, usage)
            return
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        self._send_json(HTTPStatus.OK, {**_envelope("chat.completion"), "choices": [choice], "usage": usage})

    def _request(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_REQUEST_BYTES:
            raise _ProtocolError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "bad_length", "no length, or over 1 MB")
        try:
            request = json.loads(self.rfile.read(int(length)))
        except ValueError as exc:
            raise _ProtocolError(HTTPStatus.BAD_REQUEST, "bad_json", f"the request is not JSON: {exc}") from exc
        match request:
            case {"metadata": {"brief_hash": str(), "candidate": str()}, "messages": [{"content": str()}, *_]}:
                return dict(request)
        raise _ProtocolError(
            HTTPStatus.BAD_REQUEST, "no_metadata", "the recorded teacher needs metadata: brief_hash and candidate"
        )

    def _recording(self, request: Mapping[str, Any]) -> str:
        teacher = self.server.teacher
        brief_hash, candidate = request["metadata"]["brief_hash"], request["metadata"]["candidate"]
        texts = teacher.texts.get(brief_hash)
        if texts is None:
            nearest = teacher.nearest(_asked(request))
            what = f"{teacher.brand}'s recorded teacher has no recording for this brief; the nearest is {nearest}"
            raise _ProtocolError(HTTPStatus.NOT_FOUND, "no_recording", what)
        text = texts.get(int(candidate)) if candidate.isdigit() else None
        if text is None:
            what = f"candidate {candidate} was not recorded: this brief has {len(texts)}, counted from 0"
            raise _ProtocolError(HTTPStatus.NOT_FOUND, "no_recording", what)
        return text

    def _send_json(self, status: HTTPStatus, body: Mapping[str, Any]) -> None:
        payload = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def _send_events(self, text: str, usage: Mapping[str, int]) -> None:
        """Stream the text word by word, as fast as it is read: the real pace was not recorded."""
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for word in re.findall(r"\s*\S+", text):
            self._send_event([{"index": 0, "delta": {"content": word}, "finish_reason": None}])
        self._send_event([{"index": 0, "delta": {}, "finish_reason": "stop"}])
        self._send_event([], usage)
        self._send_chunk("data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _send_event(self, choices: list[dict[str, Any]], usage: Mapping[str, int] | None = None) -> None:
        event = {**_envelope("chat.completion.chunk"), "choices": choices, "usage": usage}
        self._send_chunk(f"data: {json.dumps(event, ensure_ascii=False)}\n\n")

    def _send_chunk(self, data: str) -> None:
        payload = data.encode()
        self.wfile.write(f"{len(payload):x}\r\n".encode() + payload + b"\r\n")
        self.wfile.flush()


def _envelope(kind: str) -> dict[str, Any]:
    return {"id": f"recorded-{secrets.token_hex(6)}", "object": kind, "created": int(time.time()), "model": RECORDED}


def _index(briefs: Sequence[Brief], recordings: Sequence[Recording]) -> dict[str, dict[int, str]]:
    """Texts by brief hash and candidate; of two briefs with the same content the first one's recordings count."""
    hashes = {brief.id: brief.hash for brief in briefs}
    index: dict[str, dict[int, str]] = {}
    for recording in recordings:
        if recording.brief_id in hashes:
            index.setdefault(hashes[recording.brief_id], {}).setdefault(recording.candidate, recording.text)
    return index


def _descriptions(briefs: Iterable[Brief]) -> dict[str, str]:
    return {f"{b.id} ({b.product.name}, {b.channel})": f"{b.channel} {b.said()}" for b in briefs}


def _asked(request: Mapping[str, Any]) -> str:
    """What the last turn says: the strings of its JSON (the brief as the teacher's prompt sends it), or its text."""
    content = str(request["messages"][-1].get("content", ""))
    try:
        return " ".join(_strings(json.loads(content)))
    except ValueError:
        return content


def _strings(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from _strings(item)
        case list():
            for item in value:
                yield from _strings(item)


def _usage(request: Mapping[str, Any], text: str) -> dict[str, int]:
    """Estimated tokens, `CHARS_PER_TOKEN` characters each, rounded up."""
    prompt = sum(len(str(turn.get("content", ""))) for turn in request["messages"])
    asked, written = -(-prompt // CHARS_PER_TOKEN), -(-len(text) // CHARS_PER_TOKEN)
    return {"prompt_tokens": asked, "completion_tokens": written, "total_tokens": asked + written}
