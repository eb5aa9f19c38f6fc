"""SQLite behind the store: one file, a write-ahead log, one writer at a time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Connection

from store.busy import begin_writing
from store.dialect.base import DEADLINE_S
from store.errors import Locked, Occupied, StoreError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no flock; the bot's servers do
    fcntl = None  # type: ignore[assignment]

_PRAGMAS = (
    f"PRAGMA busy_timeout={DEADLINE_S * 1000}",  # first: the others wait for locks too
    "PRAGMA journal_mode=WAL",
    # FULL, not NORMAL: in WAL mode NORMAL may forget the last commits when power fails. An alert whose 'sending' was
    # forgotten would be sent a second time. https://www.sqlite.org/pragma.html#pragma_synchronous
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    # What erasure removes is overwritten, not merely unlinked from the b-tree.
    "PRAGMA secure_delete=ON",
)

_FAULTS = (
    ("locked", "the database is locked by another process", "stop the other process, or try again"),
    ("readonly", "the database cannot be written", "give the process write permission on the file and its folder"),
    ("read-only", "the database cannot be written", "give the process write permission on the file and its folder"),
    ("disk is full", "the disk is full", "free space; nothing of this transaction was stored"),
    ("malformed", "the database file is damaged", "stop, keep the file, and restore the last backup"),
    ("not a database", "the file is not a database, or is damaged", "check store.url, or restore the last backup"),
    ("unable to open", "the database file cannot be opened", "check that its folder exists and may be entered"),
    ("no such table", "the tables are not there", "run: suishoupai migrate"),
    ("no such column", "the tables are of another version", "run: suishoupai migrate"),
    ("disk i/o error", "the disk failed while reading or writing", "check the disk; restore the last backup if it stays"),
)


class Sqlite:
    """A database file. See :class:`store.dialect.base.Database`."""

    def __init__(self, url: URL) -> None:
        if not url.database or url.database == ":memory:":
            raise StoreError("store.url: the database must be a file", mend="for example sqlite:///var/suishoupai.sqlite")
        self._file = Path(url.database)
        self.path: Path | None = self._file
        self.place = url.database
        self.server_url = ""
        self.engine = create_engine(url, connect_args={"check_same_thread": False})
        event.listen(self.engine, "connect", _configure)
        event.listen(self.engine, "begin", _begin)

    def is_there(self) -> bool:
        """Whether the file is there."""
        return self._file.exists()

    def prepare(self) -> None:
        """Make the file, for its owner alone (SQLite gives its log files the same permissions), and its folder."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise StoreError(f"cannot make the database {self._file}: {error}", mend="choose another store.url") from error

    @contextmanager
    def hold(self, name: str, *, together: bool = False) -> Iterator[None]:
        """Hold a lock file beside the database; it frees itself when the process ends, however it ends."""
        path = self._file.with_name(f"{self._file.name}.{name}.lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError(f"cannot make the lock file {path}: {error}", mend="check the folder's permissions") from error
        try:
            _take(descriptor, path, name, together=together)
            yield
        finally:
            os.close(descriptor)

    def checkpoint(self) -> None:
        """Empty the write-ahead log into the database file, as far as readers allow."""
        with self.engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None  # a connection that was just taken from the pool has one
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def snapshot(self, target: Path) -> None:
        """Copy the living file with SQLite's own backup."""
        try:
            with closing(sqlite3.connect(self._file)) as source, closing(sqlite3.connect(target)) as copy:
                # In one step: a copy in several would start anew whenever another connection writes in between.
                source.backup(copy, pages=-1)
                copy.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.Error as error:
            raise StoreError(f"the database cannot be copied: {error}", mend="check the disk's space and permissions") from error


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver sends no BEGIN of its own: _begin does
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    # A writer takes its lock at once: a deferred BEGIN that writes later fails with "locked" without waiting.
    # A reader may not write at all, so that it never holds up or surprises a writer.
    options = connection.get_execution_options()
    writes = options.get("writes", False)
    connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if writes else 'ON'}")
    # A migration that makes a table anew drops the old one, and dropping it would delete the rows of others that refer to it.
    # Only outside a transaction can that be turned off; store.migrate looks at every reference before the commit.
    # https://www.sqlite.org/lang_altertable.html#otheralter
    connection.exec_driver_sql(f"PRAGMA foreign_keys={'OFF' if options.get('migrates') else 'ON'}")
    if writes:
        begin_writing(connection)
    else:
        connection.exec_driver_sql("BEGIN")


def _take(descriptor: int, path: Path, name: str, *, together: bool) -> None:
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if together else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        raise Occupied(
            f"another {name} already runs on this database (process {holder}, lock {path})",
            mend="stop it first; two would say everything twice",
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)


def fault(original: BaseException) -> StoreError:
    """The project's error for one of SQLite's."""
    told = str(original)
    lowered = told.lower()
    for sign, what, mend in _FAULTS:
        if sign in lowered:
            kind = Locked if sign == "locked" else StoreError
            return kind(f"{what} ({told})", mend=mend)
    return StoreError(f"the database failed: {told}", mend="see the database's own log")


def check_file(path: Path) -> None:
    """Read a whole SQLite file and make sure that it holds together.

    Raises:
        StoreError: it does not.
    """
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise StoreError(f"{path} is damaged: {error}", mend="use an earlier backup") from error
    if found != "ok":
        raise StoreError(f"{path} is damaged: {found}", mend="use an earlier backup")
