"""One transaction = one ``with``: opening the store, reading, writing, migrating, and keeping a second bot out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Executable
from sqlalchemy.engine import Connection, CursorResult
from sqlalchemy.exc import SQLAlchemyError

from store import dialect, migrate
from store.errors import StoreError
from store.model import Clock
from store.vault import PlainVault, Vault

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no flock; the bot's servers do
    fcntl = None  # type: ignore[assignment]

SchemaState = Literal["empty", "current", "old", "newer"]
CommitWatch = Callable[[str], None]
"""Told ``before:NAME`` and ``after:NAME`` around each commit; tests kill the process there."""


@dataclass(frozen=True, slots=True)
class Tx:
    """An open transaction, handed as first argument to every query. ``now`` is the instant at which it began."""

    connection: Connection
    now: datetime
    vault: Vault

    def execute(
        self, statement: Executable, values: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Run one statement (for the query modules of ``store`` alone)."""
        return self.connection.execute(statement, values)


class Store:
    """The database behind ``url``. Opening does no I/O; ``clock`` gives each transaction its ``now``.

    Safe to share between threads; each ``with`` takes a connection of its own.
    """

    def __init__(self, url: str, clock: Clock, vault: Vault | None = None) -> None:
        self.url = url
        self.vault: Vault = vault or PlainVault()
        self._clock = clock
        self.watch: CommitWatch | None = None
        self._engine = dialect.connect(url)
        self.path = Path(self._engine.url.database or "")

    @contextmanager
    def write(self, point: str = "") -> Iterator[Tx]:
        """A transaction that may change things: committed at the end of the block, rolled back on any exception.

        ``point`` names this commit for :attr:`watch`, so that tests can stop the process on either side of it.

        Raises:
            StoreError: locked, full, read-only, damaged or of another version; nothing of the block was stored.
        """
        with self._begin(writes=True) as tx:
            yield tx
            if self.watch is not None:
                self.watch(f"before:{point}")
        if self.watch is not None:
            self.watch(f"after:{point}")

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A transaction that sees one unchanging state; a write inside it is refused."""
        with self._begin(writes=False) as tx:
            yield tx

    @contextmanager
    def _begin(self, *, writes: bool) -> Iterator[Tx]:
        with _translated(), self._engine.connect().execution_options(writes=writes) as connection, connection.begin():
            yield Tx(connection, self._clock(), self.vault)

    def migrate(self) -> None:
        """Bring the tables to this version; does nothing where they are. The folder is made if it is not there.

        Raises:
            StoreError: the database is of a newer version than this program, or cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # For the owner alone; SQLite gives its log files the same permissions.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise StoreError(f"cannot make the database {self.path}: {error}", mend="choose another store.url") from error
        with self.write() as tx:
            migrate.upgrade(tx.connection)

    def schema_state(self) -> SchemaState:
        """Whether the tables fit this program: nothing there, fitting, to be migrated, or of a newer program."""
        if not self.path.exists():
            return "empty"
        with self.read() as tx:
            return migrate.state(tx.connection)

    @contextmanager
    def lock_bot(self, name: str = "bot") -> Iterator[None]:
        """Hold the one place of a running bot beside the database; it frees itself when the process ends, however it ends.

        Raises:
            StoreError: another process holds it; the message names its process id.
        """
        path = self.path.with_name(f"{self.path.name}.{name}.lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError(f"cannot make the lock file {path}: {error}", mend="check the folder's permissions") from error
        try:
            _take(descriptor, path, name)
            yield
        finally:
            os.close(descriptor)

    def checkpoint(self) -> None:
        """Move what was committed from the write-ahead log into the database file and empty the log, so that erased rows
        do not linger in it. Readers may hold part of it back; the next checkpoint takes that."""
        with _translated():
            dialect.checkpoint(self._engine)

    def snapshot(self, target: Path) -> None:
        """Write a consistent copy of the database to a new file while others write.

        Raises:
            StoreError: the copy cannot be made.
        """
        dialect.snapshot(self._engine, target)

    def close(self) -> None:
        """Close all connections. The store may be used again afterwards."""
        self._engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise dialect.translate(error) from error


def _take(descriptor: int, path: Path, name: str) -> None:
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        raise StoreError(
            f"another {name} already runs on this database (process {holder}, lock {path})",
            mend="stop it first; two would say everything twice",
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
