"""What an answer in the OpenAI chat protocol says, and every way in which it fails.

Pure functions from status, headers and raw text to a `Completion` or an `AttemptError`; no client library, no network.
Status 200 proves nothing: `choices=[]`, HTML, half a JSON, a refusal, an empty text and `finish_reason="length"` all
arrive with it. What a server says in an error is quoted short and printable, since it ends up in a terminal.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from brand_voice.errors import ChatError, FailureKind
from brand_voice.records import Completion, Usage

QUOTED_CHARS = 300
"""As much of a server's own words as a message repeats."""
OUT_OF_CREDIT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "insufficient_balance"})
FILTERED = frozenset({"content_filter", "content_policy_violation"})
GATEWAY_TIMEOUTS = frozenset({504, 524})
"""A gateway gave up waiting; the model behind it may have gone on and be billed."""
STATUS_KINDS: dict[int, FailureKind] = {408: "server_error", 425: "server_error", 429: "rate_limited"}
REMEDIES: dict[FailureKind, str] = {
    "timeout": "raise read_timeout_s of the teacher, or lower max_new_tokens; then run the same command again",
    "unreachable": "check base_url, and that the server is running; then run the same command again",
    "rate_limited": "lower max_concurrency of the teacher, or wait; then run the same command again",
    "quota": "add credit to the account or choose another teacher; then run the same command again",
    "rejected": "check the key, the model's name and base_url",
    "server_error": "wait until the endpoint has recovered; then run the same command again",
    "bad_answer": "check that base_url is the address of an OpenAI-compatible API (it usually ends in /v1)",
    "empty": "run the same command again; if it stays empty, try another model",
    "cut_off": "raise max_new_tokens of the sampling",
    "refused": "reword the brief, or leave it out: the model will not answer it",
    "no_recording": "use a brief of the brand's briefs.jsonl, or configure a real teacher (README, Teachers)",
}


class AttemptError(ChatError):
    """One attempt's failure, with what the retry loop and the journal need to know about it."""

    def __init__(self, message: str, *, kind: FailureKind, is_billing_unknown: bool = False) -> None:
        super().__init__(message, remedy=REMEDIES[kind], kind=kind)
        self.is_billing_unknown = is_billing_unknown
        """The request may have been worked on and billed, although no usable answer came back."""
        self.usage: Usage | None = None
        """The tokens of an answer that was complete but unusable."""
        self.retry_after_s: float | None = None
        self.param = ""
        """The request's parameter the server names as the culprit."""


class ServerError(NamedTuple):
    """The error object of an answer: the server's words, its code and the parameter it names."""

    words: str
    codes: frozenset[str]
    param: str


def server_error(raw: str) -> ServerError:
    """Read the error object in any of the shapes servers send it; other text is taken as the words."""
    try:
        body = json.loads(raw)
    except ValueError:
        return ServerError(_quoted(raw), frozenset(), "")
    error = body.get("error") or body if isinstance(body, dict) else body
    match error:
        case dict():
            words = text_of(error.get("message")) or text_of(error.get("detail")) or raw
            codes = frozenset(filter(None, (text_of(error.get("code")), text_of(error.get("type")))))
            return ServerError(_quoted(words), codes, text_of(error.get("param")))
        case _:
            return ServerError(_quoted(text_of(error) or raw), frozenset(), "")


def from_status(status: int, headers: Mapping[str, str], raw: str, name: str) -> AttemptError:
    """The failure behind an HTTP status other than 200; `name` is the endpoint's."""
    said = server_error(raw)
    kind = _kind_of(status, said.codes)
    words = said.words if kind == "no_recording" else f"{name} answered {status}: {said.words or 'no explanation'}"
    error = AttemptError(words, kind=kind, is_billing_unknown=kind == "timeout")
    error.retry_after_s = retry_after_s(headers)
    error.param = said.param
    return error


def _kind_of(status: int, codes: frozenset[str]) -> FailureKind:
    if "no_recording" in codes:
        return "no_recording"
    if status == 402 or codes & OUT_OF_CREDIT:
        return "quota"
    if codes & FILTERED:
        return "refused"
    return (
        "timeout"
        if status in GATEWAY_TIMEOUTS
        else STATUS_KINDS.get(status, "server_error" if status >= 500 else "rejected")
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long the server asks to wait, in seconds.

    Read from `retry-after-ms`, else from `Retry-After`, which is seconds or a date (RFC 9110, 10.2.3).
    """
    for name, unit_s in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit_s)
        except (KeyError, ValueError):
            continue
    try:
        until = parsedate_to_datetime(headers["retry-after"])
        return max(0.0, (until - datetime.now(UTC)).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None


def bad_answer(name: str, what: str, raw: str) -> AttemptError:
    """An answer that is not the protocol; it may have been billed all the same."""
    message = f"{name}: {what}, expected a chat completion; it begins {_quoted(raw, 80)!r}"
    return AttemptError(message, kind="bad_answer", is_billing_unknown=True)


def parsed(raw: str, name: str) -> dict[str, Any]:
    """An answer's JSON object.

    Raises:
        AttemptError: it is none.
    """
    try:
        answer = json.loads(raw)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise bad_answer(name, "the answer is not a JSON object", raw)
    return answer


def text_of(value: object) -> str:
    """The value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


class Told:
    """What an answer says, whole, or so far while it is streamed."""

    def __init__(self, name: str, model: str) -> None:
        self.name = name
        """The endpoint's name, for messages."""
        self.model = model
        """As asked for, until the answer names the one that served."""
        self.parts: list[str] = []
        self.usage = Usage()
        self.finish_reason = ""
        self.refusal = ""
        self.logprobs: list[float] = []

    def take_answer(self, raw: str) -> None:
        """Read a whole answer.

        Raises:
            AttemptError: not JSON, or without a choice.
        """
        answer = parsed(raw, self.name)
        if not answer.get("choices"):
            raise bad_answer(self.name, "the answer has no choices", raw)
        self._take(answer, "message")

    def take_line(self, line: str) -> Iterator[str]:
        """Read one line of an event stream; yield the text in it.

        Raises:
            AttemptError: not JSON, or an error sent half-way.
        """
        data = line.removeprefix("data:").strip()
        if data == line.strip() or data == "[DONE]":  # a comment, an empty line, or the end
            return
        event = parsed(data, self.name)
        if event.get("error"):
            words = server_error(data).words
            raise AttemptError(
                f"{self.name} broke off its answer: {words}", kind="server_error", is_billing_unknown=True
            )
        known = len(self.parts)
        self._take(event, "delta")
        yield from self.parts[known:]

    def completion(self, latency_ms: float) -> Completion:
        """The answer as a record.

        Raises:
            AttemptError: refused, cut off, empty, or not finished.
        """
        text = "".join(self.parts).strip()
        failure = self._failure(text)
        if failure is not None:
            failure.usage = self.usage
            raise failure
        mean_logprob = sum(self.logprobs) / len(self.logprobs) if self.logprobs else None
        return Completion(
            text=text, model=self.model, usage=self.usage, latency_ms=latency_ms, mean_logprob=mean_logprob
        )

    def _failure(self, text: str) -> AttemptError | None:
        if self.refusal or self.finish_reason == "content_filter":
            words = _quoted(self.refusal) or "its content filter stopped the answer"
            return AttemptError(f"{self.name} refused: {words}", kind="refused")
        if self.finish_reason == "length":
            return AttemptError(
                f"{self.name}: the answer was cut off after {self.usage.completion_tokens} tokens", kind="cut_off"
            )
        if self.finish_reason != "stop":
            said = f"finish_reason {self.finish_reason!r}" if self.finish_reason else "no finish_reason"
            return bad_answer(self.name, f"the answer ended with {said}, not 'stop'", text)
        if not text:
            return AttemptError(f"{self.name} answered without text", kind="empty")
        return None

    def _take(self, answer: Mapping[str, Any], turn: str) -> None:
        self.model = text_of(answer.get("model")) or self.model
        match answer.get("usage"):
            case {"prompt_tokens": int(asked), "completion_tokens": int(written)}:
                self.usage = Usage(prompt_tokens=asked, completion_tokens=written)
        match answer.get("choices"):
            case [dict() as choice, *_]:
                self._take_choice(choice, turn)

    def _take_choice(self, choice: Mapping[str, Any], turn: str) -> None:
        self.finish_reason = text_of(choice.get("finish_reason")) or self.finish_reason
        match choice.get(turn):
            case dict() as said:
                self.refusal += text_of(said.get("refusal"))
                if text := text_of(said.get("content")):
                    self.parts.append(text)
        match choice.get("logprobs"):
            case {"content": list(tokens)}:
                values = (token.get("logprob") for token in tokens if isinstance(token, dict))
                self.logprobs += [value for value in values if isinstance(value, int | float)]


def said_in(raw: str, name: str) -> str:
    """The text of a whole answer that was kept.

    Raises:
        AttemptError: as for an answer that has just come.
    """
    told = Told(name, "")
    told.take_answer(raw)
    return told.completion(0).text


def _quoted(text: str, limit: int = QUOTED_CHARS) -> str:
    folded = " ".join("".join(c if c.isprintable() else " " for c in text[: limit * 20]).split())
    return folded if len(folded) <= limit else folded[: limit - 1] + "…"
