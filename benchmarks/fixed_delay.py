"""A server of the chat protocol that answers every request after the same delay, and does nothing else.

`python -m benchmarks.fixed_delay SECONDS` prints its port and runs until it is ended.
"""

import asyncio
import json
import sys

from benchmarks.plain_client import LENGTH

USAGE = {"prompt_tokens": 80, "completion_tokens": 40, "total_tokens": 120}
TEXT = "Pour the cream in, and take the morning as slowly as it comes. " * 3
CHOICE = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": TEXT}, "logprobs": None}
BODY = json.dumps({"object": "chat.completion", "model": "m", "choices": [CHOICE], "usage": USAGE}).encode()
HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()


async def serve(delay_s: float) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                length = LENGTH.search(await reader.readuntil(b"\r\n\r\n"))
                await reader.readexactly(int(length.group(1)) if length else 0)
                await asyncio.sleep(delay_s)
                writer.write(HEAD + BODY)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
