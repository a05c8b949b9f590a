"""Where the student sits while the app runs: nobody yet, starting, serving, or failed.

Starting a server takes up to two minutes, so it happens in a thread and the page never waits for it. Everything that
keeps the student from answering is a `ServeError` that says what to do; the side that asked shows it. When another
adapter goes live than the one that this process's server has, a second server is started for it, and takes over once it
answers.
"""

import threading
from collections.abc import Callable
from pathlib import Path

from brand_voice.chat import Chat
from brand_voice.errors import BrandVoiceError, ServeError
from brand_voice.serve import StudentServer, attach, published_address

GRACE_S = 60.0
"""How long a server that was replaced may finish what it has."""


class StudentSeat:
    """One student server, shared by all pages; safe for threads."""

    def __init__(
        self, server: StudentServer | None = None, live: Callable[[str], str | None] = lambda _brand: None
    ) -> None:
        self._server = server
        self._live = live
        self._error: BrandVoiceError | None = None
        self._starting: threading.Thread | None = None
        self._successor = ""
        """The live adapter that a second server is being started for."""
        self._refused: dict[str, BrandVoiceError] = {}
        """Live adapters that no server could be started for."""
        self._former: list[StudentServer] = []
        """Servers that were replaced and may be answering still."""
        self._chats: dict[tuple[str, str], Chat] = {}
        self._lock = threading.Lock()

    @property
    def is_empty(self) -> bool:
        """Whether nobody serves, nobody starts and nothing went wrong."""
        return self._server is None and self._starting is None

    @property
    def is_starting(self) -> bool:
        """Whether a server is on its way."""
        return self._server is None and self._starting is not None and self._error is None

    @property
    def is_changing(self) -> bool:
        """Whether a page should look again soon: a server is on its way, the first or the next one."""
        return self.is_starting or bool(self._successor)

    def start(self, begin: Callable[[], StudentServer]) -> None:
        """Begin to start a server in the background, unless the seat is taken."""
        with self._lock:
            if self.is_empty:
                # A daemon: closing the app must not wait for it. The server it starts ends with this process.
                self._starting = threading.Thread(target=self._begin, args=(begin,), name="student", daemon=True)
                self._starting.start()

    def keep_up(self, brand: str, begin: Callable[[], StudentServer]) -> None:
        """Start a server for what is live by now, unless this one has it, is another process's, or one is coming."""
        live, server = self._live(brand), self._server
        if server is None or server.is_attached or not server.is_alive or live is None or live in server.models:
            return
        with self._lock:
            if self._successor or live in self._refused or not self.adapters(brand):
                return
            self._successor = live
            threading.Thread(target=self._succeed, args=(live, begin), name="successor", daemon=True).start()

    def succession(self, brand: str) -> str:
        """What stands between the page and the adapter that is live, in words; nothing where that one answers."""
        live = self._live(brand)
        if live is None or live in self.adapters(brand):
            return ""
        if live in self._refused:
            return f"{live} is live, but did not start: {self._refused[live].message}"
        return f"{live} is live and is being started; until then this one answers." if self._successor == live else ""

    def take(self, server: StudentServer) -> None:
        """Seat a running server."""
        self._server = server

    def follow(self, server_file: Path) -> None:
        """Move to the server that is published by now, if another process's sits here: a promotion may replace it."""
        seated = self._server
        if seated is None or not seated.is_attached or published_address(server_file) in (None, seated.address):
            return
        self._server = attach(server_file) or seated

    def _begin(self, begin: Callable[[], StudentServer]) -> None:
        try:
            self._server = begin()
        except BrandVoiceError as error:
            self._error = error

    def _succeed(self, live: str, begin: Callable[[], StudentServer]) -> None:
        try:
            server = begin()
        except BrandVoiceError as error:
            self._refused[live] = error
        else:
            with self._lock:
                former, self._server = self._server, server
                if former is not None:
                    former.published = None  # the file has the new one's address
                    self._former.append(former)
                    grace = threading.Timer(GRACE_S, former.close)
                    grace.daemon = True
                    grace.start()
        finally:
            self._successor = ""

    def adapters(self, brand: str) -> tuple[str, ...]:
        """The brand's adapters that are served, the oldest first, but the live one last; names carry their date."""
        models = self._server.models if self._server is not None and self._server.is_alive else ()
        live = self._live(brand)
        ours = (model for model in models if model.startswith(f"{brand}@"))
        return tuple(sorted(ours, key=lambda model: (model == live, model)))

    def chat(self, brand: str, adapter: str | None = None) -> Chat:
        """The student of a brand: an adapter by name, or the live one, else the newest that is served.

        Raises:
            BrandVoiceError: nobody answers for this brand now; the remedy says how to change that.
        """
        if self._error is not None:
            raise self._error
        if self.is_starting:
            raise ServeError("The student is starting; that can take two minutes", remedy="press Write again then")
        server = self._server
        if server is None:
            raise ServeError(f"there is no adapter of {brand} yet", remedy=f"brand-voice distill --brand {brand}")
        if not server.is_alive:
            raise ServeError("The student's server has ended", remedy="start the app again")
        with self._lock:
            return self._chat(server, self._adapter(brand, adapter, server))

    def _chat(self, server: StudentServer, adapter: str) -> Chat:
        key = (server.base_url, adapter)
        if key not in self._chats:
            self._chats[key] = Chat(server.endpoint(adapter))
        return self._chats[key]

    def _adapter(self, brand: str, adapter: str | None, server: StudentServer) -> str:
        served = self.adapters(brand)
        wanted = [name for name in served if adapter in (None, name)]
        if wanted:
            return wanted[-1]
        runs = f"The student's server runs {', '.join(server.models)}, and"
        if adapter is not None:
            raise ServeError(f"{runs} not {adapter}", remedy=f"brand-voice serve --brand {brand} --adapter {adapter}")
        raise ServeError(
            f"{runs} nothing for {brand}",
            remedy=f"once {brand} has an adapter (brand-voice distill --brand {brand}), restart: "
            f"brand-voice app --brand {brand}",
        )

    def close(self) -> None:
        """Drop the connections; end the server if this process started it."""
        for chat in self._chats.values():
            chat.close()
        for server in filter(None, (self._server, *self._former)):
            server.close()
