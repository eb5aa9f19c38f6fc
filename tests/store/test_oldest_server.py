"""The oldest PostgreSQL that the store promises to use, as Debian packages it: without pgvector. Skipped where there is none."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from bot.work import backlog, shared
from store import vectors
from store.errors import StoreError
from store.session import Store
from store.tables import metadata

pytestmark = pytest.mark.only_on("postgresql", why="another server of its kind")

PROGRAMS = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture(scope="module")
def oldest():
    """The URL of a database on a PostgreSQL 15 of this file's own, on a socket in its folder."""
    if not (PROGRAMS / "initdb").exists():
        pytest.skip("no PostgreSQL 15 here: apt-get install postgresql-15")
    who = pwd.getpwnam("nobody") if os.getuid() == 0 else None  # root may not run a server
    folder = Path(tempfile.mkdtemp(prefix="suishoupai-oldest-"))

    def call(*words: object) -> None:
        user = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []} if who else {}
        subprocess.run([str(word) for word in words], check=True, capture_output=True, cwd=folder, timeout=60, **user)

    if who:
        os.chown(folder, who.pw_uid, who.pw_gid)
    data = folder / "data"
    call(PROGRAMS / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    call(PROGRAMS / "pg_ctl", "-D", data, "-l", folder / "log", "-o", options, "-w", "start")
    yield f"postgresql://postgres@/postgres?host={folder}"
    call(PROGRAMS / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def store(oldest: str):
    """That database, with the present tables."""
    opened = Store(oldest, lambda: datetime(2026, 5, 1, tzinfo=UTC))
    opened.migrate()
    yield opened
    opened.close()


def test_the_oldest_server_takes_every_migration_there_and_back(store: Store) -> None:
    """Its tables are those of store/tables after the way up, down and up again; the queue's are asked without a fault."""
    store.migrate("0001")
    assert store.schema_state() == "old"
    store.migrate()
    with store.read() as tx:
        context = MigrationContext.configure(tx.connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    shared.prepare(store.server_url)
    with store.read() as tx:
        assert backlog.backlog(tx, 5.0).workers == 0


def test_a_server_without_pgvector_is_told_with_the_commands_that_add_it(store: Store) -> None:
    """The server does not even offer it: the package to install there, then the command in the database."""
    with store.read() as tx:
        offered = tx.connection.exec_driver_sql("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'").first()
        if offered:
            pytest.skip("pgvector is installed beside this PostgreSQL")
        with pytest.raises(StoreError, match="the PostgreSQL server has no pgvector") as caught:
            vectors.check(tx)
    assert "apt-get install postgresql-15-pgvector" in caught.value.mend
    assert "CREATE EXTENSION vector" in caught.value.mend
