"""Server-sent events as they pass: cut at blank lines, looked into for the token counts, otherwise left as they are."""

import json
from collections.abc import Iterator
from typing import Any

from brand_voice.records import Usage

END = b"\n\n"
DONE = b"data: [DONE]"


class Events:
    """One stream of events; the engine is asked for token counts always, the client sees them if it wanted to."""

    def __init__(self, *, shows_usage: bool) -> None:
        self.usage = Usage()
        self.is_done = False
        """Whether the end was announced; a stream that ends without was cut."""
        self._shows_usage = shows_usage
        self._rest = b""

    def take(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the events that are complete by now."""
        *whole, self._rest = (self._rest + chunk).split(END)
        passed = [event for event in whole if self._passes(event)]
        if passed:
            yield END.join(passed) + END

    def _passes(self, event: bytes) -> bool:
        if event.startswith(DONE):
            self.is_done = True
        if b'"usage"' not in event:
            return True
        told = _object(event)
        match told.get("usage"):
            case {"prompt_tokens": int(asked), "completion_tokens": int(written)}:
                self.usage = Usage(prompt_tokens=asked, completion_tokens=written)
        return self._shows_usage or bool(told.get("choices"))


def error_event(body: dict[str, Any]) -> bytes:
    """The last event of a stream that broke off: OpenAI's clients raise what it says."""
    return b"data: " + json.dumps(body).encode() + END


def _object(event: bytes) -> dict[str, Any]:
    try:
        told = json.loads(event.removeprefix(b"data:"))
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
