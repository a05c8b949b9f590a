"""One SQLite file: its connections, transactions and migrations, and the one translation of SQL's errors.

Knows no table. Every write takes the file's write lock before it reads (`BEGIN IMMEDIATE`): under a plain `BEGIN` two
writers that both read first cannot both commit, and no waiting helps them. Inside one process writers queue on a lock
of ours, since SQLite's waiting is polling. The schema's version is read again inside the migration's own transaction,
so that many processes may open a new file at the same moment; alembic is imported only if there is something to do.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Self

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, TimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from brand_voice.errors import StoreError

APPLICATION_ID = 0x42565631
MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_S = 60
BEGIN = "sqlite_begin"

# Alembic's `op` and `context` are proxies for the whole process: two files must not migrate at once in two threads.
_alembic = threading.Lock()


class Database:
    """A migrated SQLite file, shared by threads; other processes may have it open too."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path = path
        self._engine = engine
        self._writing = engine.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})
        self._turn = threading.Lock()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open `path`, creating its folder and bringing its schema up to date.

        Raises:
            StoreError: not our database, one of a newer version, or the disk refuses.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise StoreError(
                f"cannot create the folder {path.parent}: {exc.strerror}", remedy="choose another --workspace"
            ) from exc
        database = cls(path, _engine(path))
        try:
            database._migrate()
        except BaseException:
            database.close()
            raise
        return database

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of the file for the block; never waits for a writer."""
        with _translated(self.path), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Own the file's write lock for the block; commit at its end, or nothing if it raises."""
        with _translated(self.path), self._turn, self._writing.begin() as connection:
            yield connection

    @contextmanager
    def watched(self) -> Iterator[Callable[[], int]]:
        """A number that is another one after every commit of any other connection: a look takes microseconds."""
        with closing(self._engine.raw_connection()) as connection:
            driver = connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            yield lambda: int(driver.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _migrate(self) -> None:
        known = sorted(file.name[:4] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))
        with self.read() as connection:
            version = _version(connection, self.path)
        if version is not None and version not in known:
            raise StoreError(
                f"{self.path} has schema {version}; this brand_voice knows up to {known[-1]}",
                remedy="a newer brand_voice wrote it: upgrade, or choose another --workspace",
            )
        if version == known[-1]:
            return
        with self.write() as connection:
            if _version(connection, self.path) != known[-1]:
                _upgrade(connection)


class Part:
    """A part of the store; the parts of a store share its database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def watched(self) -> AbstractContextManager[Callable[[], int]]:
        """See `Database.watched`."""
        return self._database.watched()


def _engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        pool_size=4,
        max_overflow=60,
        json_serializer=_json,
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _configure(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # The driver must open no transactions of its own: https://docs.sqlalchemy.org/en/20/dialects/sqlite.html
    connection.isolation_level = None
    _use_wal(connection)
    for pragma in ("synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch a new file to WAL, which lasts; a no-op afterwards, and for another program's file.

    Two processes that switch one new file at once are both refused at once, whatever the busy timeout: SQLite will
    not wait where both hold a read lock and want to write. So the loser asks again.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            if not _is_foreign(connection):
                connection.execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.002)
        else:
            return


def _is_foreign(connection: sqlite3.Connection) -> bool:
    """Whether another program made this file."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (has_content,) = connection.execute("SELECT EXISTS (SELECT 1 FROM sqlite_master)").fetchone()
    return application != APPLICATION_ID and bool(has_content)


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(BEGIN, "BEGIN"))


def _version(connection: Connection, path: Path) -> str | None:
    """The schema's version; None for an empty file."""
    driver = connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection) and _is_foreign(driver):
        raise StoreError(
            f"{path} is the database of another program", remedy="move it away, or choose another --workspace"
        )
    if connection.exec_driver_sql("PRAGMA application_id").scalar_one() != APPLICATION_ID:
        return None
    return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with _alembic:
        command.upgrade(config, "head")


_REMEDIES = {
    "SQLITE_NOTADB": ("is not a database", "move it away, or choose another --workspace"),
    "SQLITE_CORRUPT": ("is damaged", "restore it from a backup, or choose another --workspace"),
    "SQLITE_CANTOPEN": ("cannot be opened", "check that its folder exists and that you may write there"),
    "SQLITE_READONLY": ("cannot be written", "check the permissions of the file and its folder"),
    "SQLITE_PERM": ("cannot be used", "check the permissions of the file and its folder"),
    "SQLITE_AUTH": ("cannot be used", "check the permissions of the file and its folder"),
    "SQLITE_FULL": ("cannot grow: the disk is full", "free some space and run it again; what was saved is safe"),
    "SQLITE_IOERR": ("cannot be read or written: the disk reports an error", "check the disk, then run it again"),
    "SQLITE_NOLFS": ("is too large for this file system", "choose a --workspace on another disk"),
    "SQLITE_BUSY": ("is locked by another process", "wait for it to end and run it again"),
    "SQLITE_CONSTRAINT_FOREIGNKEY": (
        "does not hold what a new row refers to",
        "save a brief before its drafts, a draft before its screenings, a job before its answers",
    ),
    "SQLITE_PROTOCOL": ("could not be locked", "put the workspace on a local disk, not a network folder"),
}


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn what the user can mend into StoreError; anything else is a bug and keeps its traceback."""
    try:
        yield
    except DBAPIError as exc:
        name = getattr(exc.orig, "sqlite_errorname", "")
        remedy = _REMEDIES.get(name) or _REMEDIES.get("_".join(name.split("_")[:2]))
        if remedy is None:
            raise
        raise StoreError(f"{path} {remedy[0]} ({name})", remedy=remedy[1]) from exc
    except TimeoutError as exc:
        raise StoreError(f"{path}: no free connection", remedy="too many requests at once: try again") from exc
