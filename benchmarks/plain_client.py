"""The least a client can do: requests written to sockets as fast as the server answers.

No screening, no store, no retries, no parsing while the clock runs: what `write` is held against.
"""

import asyncio
import json
import re
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from brand_voice.address import ServerAddress
from brand_voice.errors import ServeError

LENGTH = re.compile(rb"^content-length: *(\d+)\r$", re.IGNORECASE | re.MULTILINE)


class Rate(NamedTuple):
    """What was written, and how long it took."""

    copies: int
    tokens: int
    """Completion tokens."""
    seconds: float

    @property
    def copies_per_s(self) -> float:
        """Completions per second."""
        return self.copies / self.seconds

    @property
    def tokens_per_s(self) -> float:
        """Completion tokens per second."""
        return self.tokens / self.seconds


def ask_all(address: ServerAddress, bodies: Sequence[dict[str, object]], concurrency: int) -> Rate:
    """Ask for every completion, `concurrency` at a time, each connection kept open."""
    requests = [_request(address, body) for body in bodies]
    started = time.perf_counter()
    answers = asyncio.run(_all(address, requests, concurrency))
    seconds = time.perf_counter() - started
    tokens = sum(json.loads(answer)["usage"]["completion_tokens"] for answer in answers)
    return Rate(len(answers), tokens, seconds)


def _request(address: ServerAddress, body: dict[str, object]) -> bytes:
    url = urlsplit(address.base_url)
    content = json.dumps(body).encode()
    head = (
        f"POST {url.path}/chat/completions HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {address.key}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


async def _all(address: ServerAddress, requests: Sequence[bytes], concurrency: int) -> list[bytes]:
    todo = iter(requests)
    lanes = await asyncio.gather(*(_lane(address, todo) for _ in range(concurrency)))
    return [answer for lane in lanes for answer in lane]


async def _lane(address: ServerAddress, todo: Iterator[bytes]) -> list[bytes]:
    url = urlsplit(address.base_url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    answers = []
    for request in todo:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = LENGTH.search(head)
        if length is None or b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise ServeError(f"the server answered {head[:80]!r}", remedy="read the workspace's server.log")
        answers.append(await reader.readexactly(int(length.group(1))))
    writer.close()
    await writer.wait_closed()
    return answers
