"""The one door to any model: the OpenAI chat protocol, with every failure typed.

The retry loop is ours (`max_retries=0`): the SDK would retry twice, wait 600 s and keep no record. An attempt is
journalled with its reserved cost before it is sent, and its raw answer before anything parses it. What may have been
billed is never sent again: a paid request whose answer did not arrive in time keeps its reservation and fails.
`choices=[]`, an empty text and `finish_reason="length"` arrive with status 200 and are failures here.

Not known here: brands, prompts, the store. The raw body is parsed with `json.loads`: 0.55 ms of CPU a request on two
cores, where the SDK's typed answers take 0.86 and a bare HTTP client 0.40.
"""

import logging
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakSet

import httpx2
import openai

from brand_voice.budget import Journal
from brand_voice.protocol import AttemptError, Told, from_status, parsed
from brand_voice.records import Brief, Completion, Message, Sampling, Usage
from brand_voice.settings import Endpoint

BACKOFF_S = 0.5
"""First wait of the exponential backoff; doubled at each attempt, half of it random, at most `MAX_BACKOFF_S`."""
MAX_BACKOFF_S = 20.0
MAX_RETRY_AFTER_S = 300.0
"""A server that asks for a longer pause gets none: the request fails as rate limited."""
BYTES_PER_TOKEN = 2
"""For reservations only: English and German text runs at 3.5 to 4.5 bytes a token, so this errs on the safe side."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
RETRIED = frozenset({"rate_limited", "server_error", "unreachable", "timeout", "bad_answer"})


def brief_metadata(brief: Brief, candidate: int) -> dict[str, str]:
    """What the recorded teacher finds a recording by: the hash of the brief's content and the candidate's index."""
    return {"brief_hash": brief.hash, "candidate": str(candidate)}


def price(endpoint: Endpoint, usage: Usage) -> float | None:
    """List price of counted tokens, USD; `None` where the endpoint has no price or nothing was counted."""
    per_in, per_out = endpoint.usd_per_million_in, endpoint.usd_per_million_out
    if per_in is None or per_out is None or usage == Usage():
        return None
    return (usage.prompt_tokens * per_in + usage.completion_tokens * per_out) / 1e6


def is_loopback(endpoint: Endpoint) -> bool:
    """Whether the endpoint runs on this machine."""
    return urlsplit(endpoint.base_url).hostname in LOOPBACK


def is_paid(endpoint: Endpoint) -> bool:
    """Whether a request may cost money: hosted without a known price counts as paid, a recording never does."""
    if endpoint.is_recorded:
        return False
    prices = (endpoint.usd_per_million_in, endpoint.usd_per_million_out)
    return any(prices) or (None in prices and not is_loopback(endpoint))


class Chat:
    """One endpoint, shared by threads; a context manager that closes its connections."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._key = endpoint.api_key.get_secret_value() if endpoint.api_key else ""
        self._lanes = _Lanes(endpoint, self._key)
        self._pause = _Pause()
        self._limit_name = "max_tokens"

    def __enter__(self) -> "Chat":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connections and wake whoever waits for a retry."""
        self._pause.end()
        self._lanes.close()

    def check(self) -> None:
        """Ask for the list of models, once.

        Raises:
            ChatError: unreachable, unauthorised, or not an OpenAI-compatible server.
        """
        wait_s = self.endpoint.connect_timeout_s
        try:
            response = self._lanes.client.get("/models", cast_to=httpx2.Response, options={"timeout": wait_s})
        except openai.APIStatusError as exc:
            response = exc.response
        except openai.APIConnectionError as exc:
            raise _no_answer(exc, self.endpoint) from exc
        raw = self._raw(response)
        if response.status_code != httpx2.codes.OK:
            raise from_status(response.status_code, response.headers, raw, self.endpoint.name)
        parsed(raw, self.endpoint.name)

    def complete(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        metadata: Mapping[str, str] | None = None,
        journal: Journal | None = None,
        draft_id: str = "",
        wants_logprobs: bool = False,
    ) -> Completion:
        """Ask for one completion, retrying what may be retried.

        Args:
            messages: the chat turns, in order.
            sampling: how tokens are drawn; `max_new_tokens` bounds the reserved cost.
            metadata: sent only to an endpoint that wants it (the recorded teacher).
            journal: gets one entry per attempt, committed before the request is sent.
            draft_id: whom the attempts belong to.
            wants_logprobs: ask for token log-probabilities, to fill `mean_logprob`.

        Raises:
            ChatError: no usable answer; `kind` says why.
        """
        body = self._body(messages, sampling, metadata) | ({"logprobs": True} if wants_logprobs else {})
        for number in range(1, self.endpoint.max_attempts + 1):
            self._pause.wait()
            entry = _Entry(self.endpoint, journal, draft_id, body)
            try:
                completion = self._attempt(body, entry)
            except AttemptError as error:
                entry.failed(error)
                if not self._may_retry(error, number, body):
                    raise
            else:
                entry.finish("ok", completion.usage)
                return completion
        raise AssertionError("the last attempt returns or raises")

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        metadata: Mapping[str, str] | None = None,
        journal: Journal | None = None,
        draft_id: str = "",
        wants_logprobs: bool = False,
    ) -> Iterator[str | Completion]:
        """Yield the text as it is written, then the whole completion; nothing is retried once text was shown.

        Raises:
            ChatError: as `complete`, also when the stream breaks half-way.
        """
        body = self._body(messages, sampling, metadata) | ({"logprobs": True} if wants_logprobs else {})
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        for number in range(1, self.endpoint.max_attempts + 1):
            self._pause.wait()
            entry = _Entry(self.endpoint, journal, draft_id, body)
            told = Told(self.endpoint.name, self.endpoint.model)
            started = time.perf_counter()
            try:
                yield from self._stream_attempt(body, entry, told)
                completion = told.completion((time.perf_counter() - started) * 1e3)
            except AttemptError as error:
                entry.failed(error)
                if told.parts or not self._may_retry(error, number, body):
                    raise
            else:
                entry.finish("ok", completion.usage)
                yield completion
                return

    def _attempt(self, body: dict[str, Any], entry: "_Entry") -> Completion:
        started = time.perf_counter()
        try:
            response = self._lanes.client.post("/chat/completions", body=body, cast_to=httpx2.Response)
        except openai.APIStatusError as exc:
            response = exc.response
        except openai.APIConnectionError as exc:
            raise _no_answer(exc, self.endpoint) from exc
        latency_ms = (time.perf_counter() - started) * 1e3
        raw = self._raw(response)
        entry.answered(raw)
        if response.status_code != httpx2.codes.OK:
            raise from_status(response.status_code, response.headers, raw, self.endpoint.name)
        told = Told(self.endpoint.name, self.endpoint.model)
        told.take_answer(raw)
        return told.completion(latency_ms)

    def _stream_attempt(self, body: dict[str, Any], entry: "_Entry", told: Told) -> Iterator[str]:
        call = self._lanes.client.chat.completions.with_streaming_response.create
        typed = {key: body[key] for key in ("model", "messages", "stream")}
        rest = {key: value for key, value in body.items() if key not in typed}
        lines: list[str] = []
        try:
            with call(**typed, extra_body=rest) as response:
                for line in response.iter_lines():
                    lines.append(line)
                    yield from told.take_line(line)
        except openai.APIStatusError as exc:
            raw = self._raw(exc.response)
            lines = [raw]
            raise from_status(exc.status_code, exc.response.headers, raw, self.endpoint.name) from None
        except (openai.APIConnectionError, httpx2.TransportError) as exc:
            raise _no_answer(exc, self.endpoint) from exc
        finally:
            if lines:
                entry.answered(self._clean("\n".join(lines)))

    def _body(
        self, messages: Sequence[Message], sampling: Sampling, metadata: Mapping[str, str] | None
    ) -> dict[str, Any]:
        endpoint = self.endpoint
        body: dict[str, Any] = {
            "model": endpoint.model,
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            self._limit_name: sampling.max_new_tokens,
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        if sampling.frequency_penalty and endpoint.knows_frequency_penalty:
            body["frequency_penalty"] = sampling.frequency_penalty
        if endpoint.chat_template_kwargs:
            body["chat_template_kwargs"] = endpoint.chat_template_kwargs
        if metadata and endpoint.wants_metadata:
            body["metadata"] = dict(metadata)
        return body

    def _may_retry(self, error: AttemptError, number: int, body: dict[str, Any]) -> bool:
        """Decide whether to send again, and wait for it."""
        if number >= self.endpoint.max_attempts or self._pause.is_ended:
            return False
        if error.param == "max_tokens" and "max_tokens" in body:
            self._limit_name = "max_completion_tokens"  # OpenAI's reasoning models renamed it; same meaning
            body["max_completion_tokens"] = body.pop("max_tokens")
            return True
        if error.kind not in RETRIED or (error.is_billing_unknown and is_paid(self.endpoint)):
            return False
        if error.retry_after_s is None:
            backoff = min(BACKOFF_S * 2 ** (number - 1), MAX_BACKOFF_S)
            self._pause.sleep(backoff * random.uniform(0.5, 1))
        elif error.retry_after_s > MAX_RETRY_AFTER_S:
            return False
        else:
            self._pause.extend(error.retry_after_s)
        return not self._pause.is_ended

    def _raw(self, response: httpx2.Response) -> str:
        return self._clean(response.content.decode("utf-8", errors="replace"))

    def _clean(self, text: str) -> str:
        """Take our key out of what the server said; some servers repeat it in their error."""
        return text.replace(self._key, "***") if self._key and self._key in text else text


class _Pause:
    """The wait a server asked for, shared by all threads of a chat; jitter keeps them from waking as one."""

    def __init__(self) -> None:
        self._until = 0.0  # seconds on the monotonic clock
        self._lock = threading.Lock()
        self._ended = threading.Event()

    @property
    def is_ended(self) -> bool:
        """Whether the chat was closed."""
        return self._ended.is_set()

    def extend(self, seconds: float) -> None:
        """Nobody sends for so long."""
        with self._lock:
            self._until = max(self._until, time.monotonic() + seconds)

    def wait(self) -> None:
        """Return when nobody asks for a pause any more."""
        while (left := self._until - time.monotonic()) > 0 and not self.is_ended:
            self.sleep(left + random.uniform(0, min(0.25, left / 4)))

    def sleep(self, seconds: float) -> None:
        """Wait alone, unless the chat is closed."""
        self._ended.wait(seconds)

    def end(self) -> None:
        """Wake everybody."""
        self._ended.set()


class _Entry:
    """One attempt's row in the journal, or nothing where there is no journal."""

    def __init__(self, endpoint: Endpoint, journal: Journal | None, draft_id: str, body: Mapping[str, Any]) -> None:
        self._endpoint = endpoint
        self._journal = journal
        self._reserved_usd = _reserved_usd(endpoint, body)
        self._number = -1
        if journal is not None:
            self._number = journal.begin(draft_id=draft_id, endpoint=endpoint.name, reserved_usd=self._reserved_usd)

    def answered(self, raw: str) -> None:
        if self._journal is not None:
            self._journal.answered(self._number, raw=raw)

    def finish(self, outcome: str, usage: Usage) -> None:
        """Book the price of the tokens; the reservation stays where the endpoint counted none."""
        cost_usd = price(self._endpoint, usage)
        if self._endpoint.is_recorded:
            cost_usd = 0.0
        elif cost_usd is None and is_paid(self._endpoint):
            cost_usd = self._reserved_usd
        self._book(outcome, cost_usd)

    def failed(self, error: AttemptError) -> None:
        if error.usage is None and not error.is_billing_unknown:
            self._book(error.kind, 0.0)
        else:
            self.finish(error.kind, error.usage or Usage())

    def _book(self, outcome: str, cost_usd: float | None) -> None:
        if self._journal is not None:
            self._journal.finish(self._number, outcome=outcome, cost_usd=cost_usd)


def _reserved_usd(endpoint: Endpoint, body: Mapping[str, Any]) -> float:
    """What one attempt may cost at most, USD: its prompt as estimated from its bytes, and the longest answer."""
    if not is_paid(endpoint):
        return 0.0
    prompt_bytes = sum(len(turn["content"].encode()) + 16 for turn in body["messages"])
    longest = body.get("max_tokens") or body.get("max_completion_tokens") or 0
    usage = Usage(prompt_tokens=prompt_bytes // BYTES_PER_TOKEN, completion_tokens=longest)
    return price(endpoint, usage) or 0.0


def _no_answer(exc: Exception, endpoint: Endpoint) -> AttemptError:
    """The failure behind a broken or missing connection; an answer that stopped coming may have been billed."""
    cause = exc.__cause__ if isinstance(exc, openai.APIConnectionError) else exc
    match cause:
        case httpx2.ReadTimeout() | httpx2.WriteTimeout():
            message = f"{endpoint.name}: no answer within {endpoint.read_timeout_s:g} s; it may have been billed"
            return AttemptError(message, kind="timeout", is_billing_unknown=True)
        case httpx2.ConnectTimeout() | httpx2.PoolTimeout():
            message = f"{endpoint.name}: no connection to {_host(endpoint)} within {endpoint.connect_timeout_s:g} s"
            return AttemptError(message, kind="unreachable")
        case httpx2.ReadError() | httpx2.RemoteProtocolError() | httpx2.DecodingError():
            message = f"{endpoint.name}: {_host(endpoint)} broke the connection before the answer was complete"
            return AttemptError(message, kind="unreachable", is_billing_unknown=True)
    message = f"{endpoint.name}: cannot connect to {_host(endpoint)} ({type(cause).__name__})"
    return AttemptError(message, kind="unreachable")


def _host(endpoint: Endpoint) -> str:
    """Where the endpoint is, without path, query or user information, which may hold secrets."""
    parts = urlsplit(endpoint.base_url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


class _Lanes:
    """A client with one connection for each thread: sharing a pool of 128 costs a request half a millisecond more."""

    def __init__(self, endpoint: Endpoint, key: str) -> None:
        for name in ("openai", "httpx2", "httpcore2"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._endpoint = endpoint
        self._key = key or "none"
        self._tls = httpx2.create_ssl_context()
        self._own = threading.local()
        self._all: WeakSet[openai.OpenAI] = WeakSet()  # a thread that ends takes its own with it

    @property
    def client(self) -> openai.OpenAI:
        """The calling thread's, made at its first request."""
        if not hasattr(self._own, "client"):
            self._own.client = self._new()
            self._all.add(self._own.client)
        client: openai.OpenAI = self._own.client
        return client

    def close(self) -> None:
        """Drop the connections of all threads."""
        for client in list(self._all):
            client.close()

    def _new(self) -> openai.OpenAI:
        """A client without anything the SDK would take from the environment."""
        endpoint = self._endpoint
        # uvicorn, and so vLLM, drops a connection after 5 s without a request: be the first to let go.
        limits = httpx2.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=4)
        timeout = httpx2.Timeout(endpoint.read_timeout_s, connect=endpoint.connect_timeout_s)
        # A proxy from the environment must not come between us and a server on this machine.
        http = httpx2.Client(timeout=timeout, limits=limits, trust_env=not is_loopback(endpoint), verify=self._tls)
        client = openai.OpenAI(
            base_url=endpoint.base_url, api_key=self._key, max_retries=0, timeout=timeout, http_client=http
        )
        client.organization = client.project = client.admin_api_key = None  # OPENAI_* of another account
        return client
