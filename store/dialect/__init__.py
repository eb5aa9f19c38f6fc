"""Everything that depends on which database stands behind the store, in one package.

The rest of ``store`` speaks SQLAlchemy Core and these names. ``store.url`` chooses: a file for SQLite, a server for PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Table
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import insert as conflict_insert
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from store.dialect import postgresql, postgresql_faults, sqlite
from store.dialect.base import Database
from store.dialect.sqlite import check_file
from store.dialect.types import Blob, CleanText, Json, UtcDateTime, Word, clean_text
from store.errors import StoreError

__all__ = [
    "Blob",
    "CleanText",
    "Database",
    "Json",
    "UtcDateTime",
    "Word",
    "about",
    "aside",
    "check_file",
    "check_references",
    "clean_text",
    "insert_many",
    "open_database",
    "serialise",
    "set_sequences",
    "transaction",
    "translate",
    "upsert",
]

_EXAMPLES = "sqlite:///var/suishoupai.sqlite or postgresql://USER:PASSWORD@HOST/suishoupai"


def open_database(url: str) -> Database:
    """The database behind ``url``; no connection is made yet.

    Raises:
        StoreError: the URL is not one the store can use.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # its text may hold the password
        raise StoreError("store.url: it is no database's URL", mend=f"for example {_EXAMPLES}") from error
    kind = parsed.drivername.split("+")[0]
    if kind == "sqlite":
        return sqlite.Sqlite(parsed)
    if kind in ("postgresql", "postgres"):
        return postgresql.Postgresql(parsed)
    raise StoreError(f"store.url: '{kind}' is not a database this version can use", mend=f"use {_EXAMPLES}")


def transaction(connection: Connection, *, writes: bool, beside: bool = False, migrates: bool = False) -> dict[str, Any]:
    """Execution options for a connection's next transaction: a writer's, one that runs ``beside`` its like, one that
    ``migrates``, or a reader's."""
    if connection.dialect.name == "postgresql":
        return postgresql.transaction(writes=writes, beside=beside, migrates=migrates)
    return {"writes": writes, "migrates": migrates}


def check_references(connection: Connection) -> None:
    """Make sure, at the end of a migration, that every row's references lead somewhere. PostgreSQL held them all the time.

    Raises:
        StoreError: one does not; the message names its table.
    """
    if connection.dialect.name == "sqlite":
        loose = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if loose is not None:
            raise StoreError(
                f"a row of {loose[0]} refers to nothing in {loose[2]} after the migration",
                mend="nothing was changed; please report it",
            )


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


def aside(column: Column[str]) -> ColumnElement[str]:
    """A text column to be compared without an index on it: SQLite knows no statistics and follows an equality before a range,
    though nearly every row has that value and nearly none is in the range."""
    return column.concat("")


def serialise(connection: Connection, name: str) -> None:
    """Let one writer at a time pass here until its transaction ends. SQLite's BEGIN IMMEDIATE already does so."""
    if connection.dialect.name == "postgresql":
        postgresql.serialise(connection, name)


def insert_many(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write many new rows, every column given, the fastest way that the database has."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        postgresql.insert_many(connection, table, rows)
    else:
        connection.execute(table.insert(), rows)


def set_sequences(connection: Connection, tables: Iterable[Table]) -> None:
    """Let each table number its next row after the highest there is: rows were written with numbers of their own."""
    if connection.dialect.name == "postgresql":
        postgresql.set_sequences(connection, tables)


def about(connection: Connection) -> dict[str, str]:
    """What there is to say of the database for whoever looks after it: which one, which version, how busy."""
    if connection.dialect.name == "postgresql":
        return postgresql.about(connection)
    version = connection.exec_driver_sql("SELECT sqlite_version()").scalar_one()
    return {"database": f"SQLite {version}"}


def translate(error: SQLAlchemyError) -> StoreError:
    """The project's error for a driver's one. Row values stay out of the message: they may be personal."""
    if isinstance(error, PoolTimeout):
        return StoreError("every connection to the database is in use", mend="fewer workers at once, or a larger pool")
    if not isinstance(error, StatementError):
        return StoreError(f"the database layer failed: {error}", mend="this is a fault of the program; please report it")
    original = error.orig
    if isinstance(original, StoreError):  # one of the types above refused a value
        return original
    if original is None:
        return StoreError("the database layer failed", mend="this is a fault of the program; please report it")
    if hasattr(original, "sqlstate"):
        return postgresql_faults.fault(original)
    if isinstance(error, IntegrityError):
        return StoreError(f"the database refused a row: {original}", mend="this is a fault of the program; please report it")
    return sqlite.fault(original)
