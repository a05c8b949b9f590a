"""Where a server is: what `server.json` says of the student's, and a socket at an address that is free."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from brand_voice.errors import ServeError
from brand_voice.records import Record


class ServerAddress(Record):
    """How to reach a running server: the content of `server.json`."""

    pid: int
    base_url: str
    """Root of the OpenAI protocol, `http://.../v1`."""
    key: str | None
    models: tuple[str, ...]
    lora_rank: int | None = None
    """Highest rank of an adapter that can be loaded while it runs; none where none can."""
    max_model_len: int | None = None
    """Tokens of a prompt and its answer together."""

    @property
    def is_running(self) -> bool:
        """Whether its process runs, this user's or another's."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


@contextmanager
def bound(host: str, port: int | None, *, who: str, remedy: str) -> Iterator[socket.socket]:
    """A socket bound to an address, to a free port where none is named.

    Raises:
        ServeError: the address cannot be used; says for whom, and the remedy.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a closed server's port may linger in TIME_WAIT
        try:
            listener.bind((host, port or 0))
        except OSError as exc:
            raise ServeError(f"{who} cannot listen on {host}:{port}: {exc.strerror}", remedy=remedy) from exc
        yield listener
