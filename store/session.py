"""One transaction = one ``with``: opening the store, reading, writing, migrating, and keeping a second bot out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sqlalchemy import Executable
from sqlalchemy.engine import Connection, CursorResult
from sqlalchemy.exc import SQLAlchemyError

from store import dialect, migrate
from store.errors import Locked
from store.model import Clock
from store.vault import PlainVault, Vault

MIGRATION_TRIES, MIGRATION_PAUSE_S = 5, 1.0
SchemaState = Literal["empty", "current", "old", "newer"]
CommitWatch = Callable[[str], None]
"""Told ``before:NAME`` and ``after:NAME`` around each commit; tests kill the process there."""


class DueKind(StrEnum):
    """Kinds of work that rows ask for: of a platform (POLL, SEND), of a post (EXTRACT, SCAN, MATCH, DECIDE), of all cases.

    A post that was extracted asks for SCAN, and a scanned one for MATCH: both stand at one step, for looking at photos needs
    the face engine and searching does not.
    """

    POLL = "poll"
    EXTRACT = "extract"
    SCAN = "scan"
    MATCH = "match"
    DECIDE = "decide"
    SEND = "send"
    CASES = "cases"


class Due(NamedTuple):
    """Work that a row asks for: its ``kind``, and for whom (``key``: a post's row number, a platform's name).

    ``at``: not before then. ``after``: how far behind others it stands (a post's lane).
    """

    kind: DueKind
    key: str = ""
    at: datetime | None = None
    after: int = 0


Queue = Callable[[Any, Sequence[Due]], None]
"""Told, on the driver's connection before the commit, what a transaction leaves to be done: job and row stand or fall together.
The rows alone say what is pending; a queue only decides who does it when."""


@dataclass(frozen=True, slots=True)
class Tx:
    """An open transaction, handed as first argument to every query. ``now`` is the instant at which it began."""

    connection: Connection
    now: datetime
    vault: Vault
    left: list[Due] = field(default_factory=list)

    def leave(self, due: Due) -> None:
        """Note work that this transaction's rows ask for (for the query modules of ``store`` alone)."""
        self.left.append(due)

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
        self.queue: Queue | None = None
        self._database = dialect.open_database(url)
        self._engine = self._database.engine
        self.path = self._database.path
        """The database's file; None where a server keeps it."""
        self.place = self._database.place
        """Where the database is, for people; holds no password."""
        self.server_url = self._database.server_url
        """How another client of the same server connects, password included; empty for a file."""

    @contextmanager
    def write(self, point: str = "", *, beside: bool = False) -> Iterator[Tx]:
        """A transaction that may change things: committed at the end of the block, rolled back on any exception.

        ``point`` names this commit for :attr:`watch`, so that tests can stop the process on either side of it.
        Writers go one at a time on every database. ``beside`` is for the few whose every step holds its own rows: on
        PostgreSQL they run together with their like (never with another writer); SQLite knows no difference.

        Raises:
            StoreError: locked, full, read-only, damaged or of another version; nothing of the block was stored.
        """
        with self._begin(writes=True, beside=beside) as tx:
            yield tx
            if self.queue is not None and tx.left:
                self.queue(tx.connection.connection.driver_connection, tx.left)
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
    def _begin(self, *, writes: bool, beside: bool = False, migrates: bool = False) -> Iterator[Tx]:
        with _translated(), self._engine.connect() as connection:
            options = dialect.transaction(connection, writes=writes, beside=beside, migrates=migrates)
            connection.execution_options(**options)
            with connection.begin():
                yield Tx(connection, self._clock(), self.vault)

    def migrate(self, to: str = migrate.NEWEST) -> None:
        """Bring the tables to this version (or to the migration ``to``, up or down), all or nothing; does nothing where they
        are. A file and its folder are made if they are not there. Where others hold a table for long it lets them pass and
        tries again.

        Raises:
            StoreError: the database is of a newer version than this program, is held by others all the time, or cannot be
                written.
        """
        self._database.prepare()
        for patience in range(MIGRATION_TRIES, 0, -1):
            try:
                with self._begin(writes=True, migrates=True) as tx:
                    migrate.move(tx.connection, to)
                return
            except Locked:
                if patience == 1:
                    raise
                time.sleep(MIGRATION_PAUSE_S)

    def version(self) -> str:
        """The last migration that its tables went through; "base" where there are none."""
        if not self._database.is_there():
            return migrate.NOTHING
        with self.read() as tx:
            return migrate.version(tx.connection)

    def goes_back(self, to: str) -> bool:
        """Whether :meth:`migrate` to ``to`` would take migrations back.

        Raises:
            BadInput: there is no such migration.
        """
        if not self._database.is_there():
            return False
        with self.read() as tx:
            return migrate.is_behind(tx.connection, to)

    def schema_state(self) -> SchemaState:
        """Whether the tables fit this program: nothing there, fitting, to be migrated, or of a newer program."""
        if not self._database.is_there():
            return "empty"
        with self.read() as tx:
            return migrate.state(tx.connection)

    @contextmanager
    def lock_bot(self, name: str = "bot", *, together: bool = False) -> Iterator[None]:
        """Hold the one place of a running bot on this database; it frees itself when the process ends, however it ends.
        Those that hold it ``together`` (workers) keep a lone bot out, and it them.

        Raises:
            StoreError: another process holds it; the message names its process id (on a server its machine too).
        """
        with _translated(), self._database.hold(name, together=together):
            yield

    def checkpoint(self) -> None:
        """Move what was committed from the write-ahead log into the database file and empty the log, so that erased rows
        do not linger in it. Readers may hold part of it back; the next checkpoint takes that."""
        with _translated():
            self._database.checkpoint()

    def snapshot(self, target: Path) -> None:
        """Write a consistent copy of the database to a new file while others write.

        Raises:
            StoreError: the copy cannot be made.
        """
        self._database.snapshot(target)

    def about(self) -> dict[str, str]:
        """What there is to say of the database for whoever looks after it: which one, which version, how busy."""
        with self.read() as tx:
            return dialect.about(tx.connection)

    def close(self) -> None:
        """Close all connections. The store may be used again afterwards."""
        self._engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise dialect.translate(error) from error
