"""Everything that depends on which database stands behind the store, in one file.

The rest of ``store`` speaks SQLAlchemy Core and these types. SQLite is the default; what PostgreSQL needs otherwise
(locks, native vectors) is added here and nowhere else.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import DateTime, Engine, LargeBinary, Table, Text, create_engine, event, text
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import insert as conflict_insert
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.types import TypeDecorator

from store.busy import begin_writing
from store.errors import StoreError

Blob = LargeBinary
BUSY_TIMEOUT_MS = 10_000
_REFUSED = re.compile("[\x00\ud800-\udfff]")

_SQLITE_PRAGMAS = (
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",  # first: the others wait for locks too
    "PRAGMA journal_mode=WAL",
    # FULL, not NORMAL: in WAL mode NORMAL may forget the last commits when power fails. An alert whose 'sending' was
    # forgotten would be sent a second time. https://www.sqlite.org/pragma.html#pragma_synchronous
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    # What erasure removes is overwritten, not merely unlinked from the b-tree.
    "PRAGMA secure_delete=ON",
)


def clean_text(value: str) -> str:
    """``value`` without what a database refuses: NUL (PostgreSQL) and lone surrogates (both), each replaced by U+FFFD."""
    return _REFUSED.sub("\ufffd", value)


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Takes aware datetimes alone, keeps UTC, gives UTC back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise StoreError(f"a time without a zone was to be stored: {value.isoformat()}", mend="pass an aware datetime")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class CleanText(TypeDecorator[str]):
    """Text from outside: kept as it is, except for characters no database takes (see :func:`clean_text`)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else clean_text(value)


class Json(TypeDecorator[Any]):
    """A JSON value as text, readable on every database; keys sorted so that equal values are equal bytes."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return clean_text(
            json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).replace("\\u0000", "\ufffd")
        )

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


def connect(url: str) -> Engine:
    """Open the database behind ``url``; no connection is made yet.

    Raises:
        StoreError: the URL is not one the store can use.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError(f"store.url: {error}", mend="for example sqlite:///var/suishoupai.sqlite") from error
    if parsed.get_backend_name() != "sqlite":
        raise StoreError(
            f"store.url: '{parsed.get_backend_name()}' is not a database this version can use",
            mend="use sqlite:///PATH",
        )
    return _connect_sqlite(parsed)


def _connect_sqlite(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise StoreError("store.url: the database must be a file", mend="for example sqlite:///var/suishoupai.sqlite")
    engine = create_engine(url, connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver sends no BEGIN of its own: begin() below does
        for pragma in _SQLITE_PRAGMAS:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes its lock at once: a deferred BEGIN that writes later fails with "locked" without waiting.
        # A reader may not write at all, so that it never holds up or surprises a writer.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if writes else 'ON'}")
        if writes:
            begin_writing(connection)
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def upsert(table: Table, conflict: Sequence[str], update: Mapping[str, Any] | Sequence[str] | None = None) -> Insert:
    """An INSERT that meets an existing row with equal ``conflict`` columns and updates it, or leaves it alone.

    ``update``: None leaves the row (RETURNING then yields new rows only); names take the new row's values; a mapping
    gives expressions. PostgreSQL's construct renders on SQLite too, which tests/contracts/test_store.py pins.
    """
    statement = conflict_insert(table)
    if update is None:
        return statement.on_conflict_do_nothing(index_elements=list(conflict))
    values = dict(update) if isinstance(update, Mapping) else {name: statement.excluded[name] for name in update}
    return statement.on_conflict_do_update(index_elements=list(conflict), set_=values)


def serialise(connection: Connection, name: str) -> None:
    """Let one writer at a time pass here until its transaction ends. SQLite's BEGIN IMMEDIATE already does so."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": name})


_SQLITE_FAULTS = (
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


def translate(error: SQLAlchemyError) -> StoreError:
    """The project's error for a driver's one. Row values stay out of the message: they may be personal."""
    if isinstance(error, PoolTimeout):
        return StoreError("every connection to the database is in use", mend="fewer workers at once, or a larger pool")
    if not isinstance(error, StatementError):
        return StoreError(f"the database layer failed: {error}", mend="this is a fault of the program; please report it")
    if isinstance(error.orig, StoreError):  # one of the types above refused a value
        return error.orig
    original = str(error.orig)
    if isinstance(error, IntegrityError):
        return StoreError(f"the database refused a row: {original}", mend="this is a fault of the program; please report it")
    lowered = original.lower()
    for sign, what, mend in _SQLITE_FAULTS:
        if sign in lowered:
            return StoreError(f"{what} ({original})", mend=mend)
    return StoreError(f"the database failed: {original}", mend="see the database's own log")


def checkpoint(engine: Engine) -> None:
    """Empty SQLite's write-ahead log into the database file, as far as readers allow."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None  # a connection that was just taken from the pool has one
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def snapshot(engine: Engine, target: Path) -> None:
    """Write a consistent copy of the living database to ``target`` (a new file), without holding up its writers.

    Raises:
        StoreError: the database is not SQLite (its own tools make the copy), or the copy cannot be written.
    """
    if engine.dialect.name != "sqlite":
        raise StoreError("only SQLite databases are copied this way", mend="use pg_dump for PostgreSQL")
    try:
        with closing(sqlite3.connect(engine.url.database or "")) as source, closing(sqlite3.connect(target)) as copy:
            # In one step: a copy in several would start anew whenever another connection writes in between.
            source.backup(copy, pages=-1)
            copy.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise StoreError(f"the database cannot be copied: {error}", mend="check the disk's space and permissions") from error


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
