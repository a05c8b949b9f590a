"""Server-sent events as they pass: cut at blank lines, looked into for the token counts, otherwise left as they are."""

import json
import re
from collections.abc import Iterator
from typing import Any

from brand_voice.records import Usage

END = b"\n\n"
DONE = b"data: [DONE]"
FINISHED = re.compile(rb'"finish_reason": ?"')
"""A text has ended; within a text its quotes would be escaped."""


class Events:
    """One stream of events; the engine is asked for token counts always, the client sees them if it wanted to."""

    def __init__(self, *, shows_usage: bool, texts: int = 1) -> None:
        self.usage = Usage()
        self.is_done = False
        """Whether every text has ended (`transformers serve` says no more); a stream that ends without was cut."""
        self.has_failed = False
        """Whether the engine says that it cannot go on; vLLM announces the end all the same."""
        self._unfinished = texts
        self._shows_usage = shows_usage
        self._rest = b""

    def take(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the events that are complete by now."""
        *whole, self._rest = (self._rest + chunk).split(END)
        passed = [event for event in whole if self._passes(event)]
        if passed:
            yield END.join(passed) + END

    def _passes(self, event: bytes) -> bool:
        self._unfinished -= len(FINISHED.findall(event))
        if event.startswith(DONE) or self._unfinished <= 0:
            self.is_done = True
        self.has_failed = self.has_failed or _is_error(event)
        if self.has_failed or b'"usage"' not in event:
            return not self.has_failed
        told = _object(event)
        match told.get("usage"):
            case {"prompt_tokens": int(asked), "completion_tokens": int(written)}:
                self.usage = Usage(prompt_tokens=asked, completion_tokens=written)
        return self._shows_usage or bool(told.get("choices"))


def error_event(body: dict[str, Any]) -> bytes:
    """The last event of a stream that broke off: OpenAI's clients raise what it says."""
    return b"data: " + json.dumps(body).encode() + END


def begins_with_error(chunk: bytes) -> bool:
    """Whether a stream's first event says that the engine failed."""
    return _is_error(chunk.split(END, 1)[0])


def _is_error(event: bytes) -> bool:
    return b'"error"' in event and bool(_object(event).get("error"))


def _object(event: bytes) -> dict[str, Any]:
    try:
        told = json.loads(event.removeprefix(b"data:"))
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
