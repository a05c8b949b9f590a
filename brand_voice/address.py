"""Where a running student server is: what `server.json` says."""

import os

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
