"""PostgreSQL 15 or newer behind the store, through psycopg 3.

Writers keep what SQLite's BEGIN IMMEDIATE promises: each takes one advisory lock for its whole transaction, so it sees
everything that earlier writers committed and nobody changes it meanwhile. A writer that says ``beside`` shares that lock with
its like (see :meth:`store.session.Store.write`); readers see one unchanging state and take no lock.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Table, create_engine, event, text
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from store.dialect.base import DEADLINE_S
from store.errors import Occupied, StoreError

OLDEST = 15
CONNECT_S = 5
POOL = 10
"""Connections a process keeps; it opens as many again under load, and lets them go."""
IDLE_IN_TRANSACTION_S = 300
"""A transaction whose process stands still this long is ended by the server: it would hold up every other writer."""

STILL_S = 0.25
"""A connection that was not used for so long is tried before it is used again."""

LOOK_S = 5.0
"""How often whoever holds a place makes sure that its connection still stands."""

DDL_WAIT_S = 3
"""How long a migration waits for a table that others read or write."""

WRITER_IDLE_S = 30
"""The same for a writer, who is in everybody's way from the first moment."""

_SPACE = 0x73736870
"""First half of every advisory lock's number: the project's own ("sshp"), beside other programs on the same database."""
_WRITERS = 1
_USED = "suishoupai: last used"


class Postgresql:
    """A database on a server. See :class:`store.dialect.base.Database`."""

    def __init__(self, url: URL) -> None:
        _refuse_torn(url)
        if not url.database:
            raise StoreError("store.url: it names no database", mend="for example postgresql://USER@HOST/suishoupai")
        self.path: Path | None = None
        self.place = url.render_as_string(hide_password=True)
        self.server_url = url.set(drivername="postgresql").render_as_string(hide_password=False)
        options = {
            "connect_timeout": CONNECT_S,
            "application_name": f"suishoupai {socket.gethostname()[:40]}:{os.getpid()}",
            # A replica is refused while connecting, not at the first write. "any" in the URL asks for one.
            "target_session_attrs": "read-write",
            "options": _options(url),
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        }
        arguments = {name: value for name, value in options.items() if name == "options" or name not in url.query}
        self.engine = create_engine(
            url.set(drivername="postgresql+psycopg").difference_update_query(["options"]),
            connect_args=arguments,
            pool_size=POOL,
            max_overflow=POOL,
            pool_timeout=DEADLINE_S,
            isolation_level="READ COMMITTED",
        )
        event.listen(self.engine, "connect", _check)
        event.listen(self.engine, "checkout", self._knock)
        event.listen(self.engine, "checkin", _note_use)
        event.listen(self.engine, "begin", self._begin)
        self._places: list[_Place] = []

    def is_there(self) -> bool:
        """A server is asked, not looked for."""
        return True

    def prepare(self) -> None:
        """Nothing: whoever runs the server has made the database."""

    @contextmanager
    def hold(self, name: str, *, together: bool = False) -> Iterator[None]:
        """Hold a session's advisory lock on a connection of its own; the server frees it when that connection ends."""
        place = _Place(self.engine, name, together=together)
        place.take()
        self._places.append(place)
        try:
            yield
        finally:
            self._places.remove(place)
            place.leave()

    def _knock(self, connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
        """A server that was started anew costs nobody an error: a connection that stood still is tried before it is used. One
        that was just used is not: under load that would be a fourth of all that goes to the server."""
        if time.monotonic() - record.info[_USED] < STILL_S:
            return
        try:
            self.engine.dialect.do_ping(connection)
        except self.engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError("the server was started anew") from error

    def _begin(self, connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("writes"):
            for place in self._places:
                place.keep()
            shared = "_shared" if options.get("beside") else ""
            # Nothing slow stands in a writer's transaction: one that stays idle has lost its process, or the way to it.
            idle = f"set_config('idle_in_transaction_session_timeout', '{WRITER_IDLE_S}s', true)"
            connection.exec_driver_sql(f"SELECT {idle}, pg_advisory_xact_lock{shared}({_SPACE}, {_WRITERS})")
            if options.get("migrates"):
                # While it waits for a table, every reader that comes later waits behind it: better to give way, and try again.
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{DDL_WAIT_S}s'")

    def checkpoint(self) -> None:
        """Nothing: the server writes its log into its files by itself, and vacuums what was erased."""

    def snapshot(self, target: Path) -> None:
        """Refused: PostgreSQL's own tools copy a living database."""
        raise StoreError(
            "a PostgreSQL database is not copied into a file by this program",
            mend="use pg_dump --format=custom, and copy the photo folder after it (docs/upgrade.md)",
        )


def _refuse_torn(url: URL) -> None:
    """Refuse a URL whose password was torn by an @ of its own: an error that names its host would tell the rest of it.

    Raises:
        StoreError: it was.
    """
    if "@" in (url.host or "") or "@" in (url.database or ""):
        raise StoreError("store.url: there is an @ in its user or password", mend="write it as %40 there (/ is %2F, % is %25)")


def _options(url: URL) -> str:
    own = url.query.get("options", "")
    given = " ".join(own) if isinstance(own, tuple) else own
    idle = f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_S * 1000}"
    # The server's side of a connection that broke without a word; its own default is two hours.
    alive = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
    return f"-c lock_timeout={DEADLINE_S * 1000} {idle} {alive} -c timezone=UTC {given}".strip()


def _note_use(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info[_USED] = time.monotonic()


def _check(connection: Any, record: ConnectionPoolEntry) -> None:
    """The first words with a server: is it one that the store can use?"""
    _note_use(connection, record)
    version = connection.info.server_version // 10_000
    encoding = connection.info.parameter_status("server_encoding")
    if version < OLDEST:
        raise StoreError(f"the server is PostgreSQL {version}", mend=f"the store needs {OLDEST} or newer")
    if encoding != "UTF8":
        raise StoreError(f"the database is encoded in {encoding}", mend="createdb --encoding=UTF8 --template=template0 NAME")


class _Place:
    """A session's advisory lock on a connection of its own. Where that connection breaks (the server was started anew) the lock
    is gone: whoever relies on it takes it again before its next write, or learns that another has it."""

    def __init__(self, engine: Engine, name: str, *, together: bool) -> None:
        self._engine = engine
        self._name = name
        shared = "_shared" if together else ""
        self._try = text(f"SELECT pg_try_advisory_lock{shared}(:space, hashtext(:name))")
        self._give_up = text(f"SELECT pg_advisory_unlock{shared}(:space, hashtext(:name))")
        self._connection: Connection | None = None
        self._looked_at = 0.0
        self._guard = threading.Lock()

    def take(self) -> None:
        """Take the lock.

        Raises:
            Occupied: another connection has it.
        """
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()
        if not connection.execute(self._try, _key(self._name)).scalar_one():
            held_by = _holder(connection, self._name)
            connection.close()
            raise Occupied(
                f"another {self._name} already runs on this database ({held_by})",
                mend="stop it first; two would say everything twice",
            )
        self._connection, self._looked_at = connection, time.monotonic()

    def keep(self) -> None:
        """Make sure, now and then, that the lock is still held; take it again where its connection broke.

        Raises:
            Occupied: another process took it meanwhile.
        """
        with self._guard:
            if self._connection is not None and time.monotonic() - self._looked_at < LOOK_S:
                return
            try:
                if self._connection is not None:
                    self._connection.execute(text("SELECT 1"))
                    self._looked_at = time.monotonic()
                    return
            except DBAPIError:
                self.leave()
            self.take()

    def leave(self) -> None:
        """Give the lock up, in words where the connection stands: the server notices a closed one only some time later."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(DBAPIError):
                if not connection.invalidated:
                    connection.execute(self._give_up, _key(self._name))
            with suppress(DBAPIError):
                connection.close()


def transaction(*, writes: bool, beside: bool, migrates: bool) -> dict[str, Any]:
    """The execution options that make a connection's next transaction a writer's or a reader's."""
    if writes:
        return {"writes": True, "beside": beside, "migrates": migrates}
    return {"writes": False, "isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def serialise(connection: Connection, name: str) -> None:
    """Let one writer at a time pass here until its transaction ends, whatever else it shares."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:space, hashtext(:name))"), _key(f"pass:{name}"))


def _key(name: str) -> dict[str, Any]:
    return {"space": _SPACE, "name": name}


def _holder(connection: Connection, name: str) -> str:
    """Who holds the lock, as its connection calls itself (machine and process)."""
    query = text(
        "SELECT a.application_name, a.client_addr::text AS address FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = :space"
        " AND l.objid::bigint = (hashtext(:name)::bigint & 4294967295) AND l.database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    row = connection.execute(query, _key(name)).first()
    if row is None:
        return "its holder is just leaving"
    named = row.application_name.removeprefix("suishoupai ")
    return f"process {named}" + (f" at {row.address}" if row.address else "")


def about(connection: Connection) -> dict[str, str]:
    """What doctor says of the server: its version, how many connections it has and allows, and whether it has pgvector."""
    query = text(
        "SELECT current_setting('server_version') AS version, current_setting('max_connections') AS allowed,"
        " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,"
        " (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS vector"
    )
    row = connection.execute(query).one()
    return {
        "database": f"PostgreSQL {row.version}",
        "connections": f"{row.used} of {row.allowed}",
        "pool": f"{POOL} kept, {2 * POOL} at most",
        "pgvector": row.vector or "not made in this database",
    }


def insert_many(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """COPY: three times as fast as INSERT, and it takes rows of any number."""
    names = [column.name for column in table.columns]
    kind = connection.dialect
    ready = {column.name: column.type.dialect_impl(kind).bind_processor(kind) for column in table.columns}
    listed = ", ".join(connection.dialect.identifier_preparer.quote(name) for name in names)
    driver = connection.connection.driver_connection
    assert driver is not None  # a connection in a transaction has one
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({listed}) FROM STDIN") as copied:
        for row in rows:
            copied.write_row([row[name] if (make := ready[name]) is None else make(row[name]) for name in names])


def set_sequences(connection: Connection, tables: Iterable[Table]) -> None:
    """Set each table's sequence behind its highest number."""
    for table in tables:
        column = table.autoincrement_column
        if column is None:
            continue
        named = connection.execute(text("SELECT pg_get_serial_sequence(:t, :c)"), {"t": table.name, "c": column.name}).scalar()
        if named is not None:
            highest = f"coalesce(max({column.name}), 1), max({column.name}) IS NOT NULL"
            connection.execute(text(f"SELECT setval('{named}', {highest}) FROM {table.name}"))
