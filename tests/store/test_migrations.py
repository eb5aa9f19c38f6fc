"""Migrations keep data, go back where that is possible, and may be run by two processes at once."""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import ExitStack
from datetime import UTC, date, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Boolean, Date, DateTime, LargeBinary, MetaData, String, insert, inspect, select, text, update

from bot.chaos.life import processes as forked
from store import alerts, audit, migrate
from store.alerts import NewAlert
from store.errors import Locked
from store.model import AlertState, MessageKind
from store.session import Store

REVISIONS = [script.revision for script in ScriptDirectory.from_config(migrate.config()).walk_revisions()][::-1]


def test_the_files_of_the_migrations_are_named_by_their_numbers():
    """The store reads from the names alone which migrations there are; alembic, which reads the files, says the same."""
    assert list(migrate.revisions()) == REVISIONS
    assert migrate.revisions()[-1:] == tuple(migrate.scripts().get_heads())


def test_what_an_editor_leaves_beside_the_migrations_is_none(tmp_path, monkeypatch):
    """A backup or a swap file does not make every database an old one."""
    (tmp_path / "versions").mkdir()
    for name in ("0001_first.py", "0002_second.py", "0003_third.py.swp", "0003_third.py~", "0004_fourth.orig", "__init__.py"):
        (tmp_path / "versions" / name).touch()
    monkeypatch.setattr(migrate, "LOCATION", tmp_path)
    assert migrate.revisions() == ("0001", "0002")


@pytest.fixture
def empty(database, fresh_database, tmp_path, clock):
    with fresh_database(database, tmp_path, tables=False) as url:
        store = Store(url, clock)
        yield store
        store.close()


@pytest.fixture(scope="session")
def once_at(database, fresh_database, tmp_path_factory):
    """``once_at(REVISION)``: the URL of a database of that version, each made by one step from the one before; to be copied."""
    with ExitStack() as stack:

        @cache
        def make(revision: str) -> str:
            number = REVISIONS.index(revision)
            before = {"of": make(REVISIONS[number - 1])} if number else {"tables": False}
            url = stack.enter_context(fresh_database(database, tmp_path_factory.mktemp(revision), **before))
            store = Store(url, lambda: datetime.now(UTC))
            store.migrate(revision)
            store.close()
            return url

        yield make


@pytest.fixture
def older(once_at, database, fresh_database, tmp_path, clock, revision):
    """A store whose database is of the test's ``revision``."""
    with fresh_database(database, tmp_path, of=once_at(revision)) as url:
        store = Store(url, clock)
        yield store
        store.close()


def test_revisions_are_numbered_without_gaps():
    """0001, 0002, ...: each follows the one before it, so two branches cannot meet unnoticed."""
    assert [f"{number:04d}" for number in range(1, len(REVISIONS) + 1)] == REVISIONS


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_an_older_database_is_brought_up_with_its_data(older, revision):
    """From every earlier version: the state says old, migrate makes it current, rows stay."""
    with older.write() as tx:
        tx.connection.execute(text("INSERT INTO agencies (name, adcode, level, type) VALUES ('a', '440303', 'county', 'police')"))
    assert older.schema_state() == "old"
    older.migrate()
    assert older.schema_state() == "current"
    with older.read() as tx:
        assert tx.connection.execute(text("SELECT name FROM agencies")).scalar() == "a"


def test_every_migration_can_be_taken_back(empty):
    """Each step down gives the tables that the step up had found, down to nothing; up again gives the same as before."""
    shapes = [{}]
    for revision in REVISIONS:
        empty.migrate(revision)
        with empty.read() as tx:
            shapes.append(_shape(tx))
    for revision in ["base", *REVISIONS[:-1]][::-1]:
        empty.migrate(revision)
        shapes.pop()
        with empty.read() as tx:
            assert _shape(tx) == shapes[-1], f"taken back to {revision}"
    empty.migrate()
    assert empty.schema_state() == "current"


def _shape(tx) -> dict[str, tuple]:
    found = inspect(tx.connection)
    return {
        table: (
            {column["name"]: (str(column["type"]), column["nullable"]) for column in found.get_columns(table)},
            sorted((index["name"], tuple(index["column_names"])) for index in found.get_indexes(table)),
        )
        for table in found.get_table_names()
        if table != "alembic_version"
    }


@pytest.mark.parametrize(("revision", "following"), list(pairwise(REVISIONS)))
def test_a_program_of_the_version_before_goes_on_after_a_migration(older, revision, following):
    """Every statement of the older program still works on the newer tables: it names its own columns, fills each of them, and
    knows nothing of what was added. So old and new workers run side by side while an upgrade is rolled out."""
    old = MetaData()
    with older.write() as tx:
        old.reflect(tx.connection)
        old.remove(old.tables["alembic_version"])
        _fill(tx, old, 1)
    older.migrate(following)
    with older.write() as tx:
        _fill(tx, old, 2)
        for table in old.sorted_tables:
            assert len(tx.execute(select(table)).all()) == 2, table.name
            free = [c for c in table.columns if not c.primary_key and not c.foreign_keys and isinstance(c.type, String)]
            if free:
                tx.execute(update(table).values({free[0]: free[0]}))
    older.migrate(revision)
    with older.read() as tx:
        for table in old.sorted_tables:
            assert len(tx.execute(select(table)).all()) == 2, "what both wrote outlives taking the migration back"


def _fill(tx, tables: MetaData, number: int) -> None:
    """One row in each table, every column given a value; keys and references are all ``number``."""
    for table in tables.sorted_tables:
        tx.execute(insert(table).values({column.name: _value(column, number) for column in table.columns}))


def _value(column, number: int):
    kind = column.type
    if any(key.column.table is column.table for key in column.foreign_keys):
        return None
    if isinstance(kind, Boolean):
        return True
    if isinstance(kind, String):
        return str(number)
    if isinstance(kind, DateTime):
        return datetime(2011, 2, 10, tzinfo=UTC)
    if isinstance(kind, Date):
        return date(2011, 2, 10)
    return str(number).encode() if isinstance(kind, LargeBinary) else number


def test_a_migration_that_fails_leaves_the_database_as_it_was(empty):
    """Migrations run in one transaction: killed in the middle, nothing of them stays."""
    empty.migrate("0001")
    with empty.write() as tx:
        tx.connection.execute(text("CREATE TABLE tombstones (in_the_way INTEGER)"))
    with pytest.raises(Exception, match="tombstones"):
        empty.migrate()
    assert empty.schema_state() == "old"
    with empty.read() as tx:
        assert "erasures" not in inspect(tx.connection).get_table_names()


def _migrate(url: str) -> None:
    Store(url, lambda: datetime.now(UTC)).migrate()


def test_processes_that_start_together_migrate_once(empty):
    """Three processes on a new file: all succeed, the tables are there once."""
    processes = [forked().Process(target=_migrate, args=(empty.url,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert empty.schema_state() == "current"


@pytest.mark.only_on("postgresql", why="its readers hold tables")
def test_a_migration_gives_way_to_a_long_reader_and_tries_again(store, monkeypatch):
    """Somebody reads a table for long: the migration does not make everybody wait behind it, and comes through afterwards."""
    monkeypatch.setattr("store.dialect.postgresql.DDL_WAIT_S", 0.05)
    monkeypatch.setattr("store.session.MIGRATION_PAUSE_S", 0.01)
    with store.read() as tx:
        alerts.counts(tx)
        with pytest.raises(Locked):
            store.migrate("0001")
        with store.read() as other:
            assert alerts.counts(other)[AlertState.SENT] == 0
        monkeypatch.setattr("store.session.MIGRATION_TRIES", 2000)
        thread = threading.Thread(target=store.migrate, args=("0001",))
        thread.start()
    thread.join(60)
    assert not thread.is_alive()
    assert store.schema_state() == "old"


# --- an upgrade while the work goes on (docs/upgrade.md) ----------------------------------------------------------------

NEXT = '''"""What a next version might bring."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
    with op.batch_alter_table("alerts") as batch_op:
        batch_op.add_column(sa.Column("mood", sa.String(20), server_default="calm", nullable=False))
        batch_op.create_index("ix_alerts_mood", ["mood", "id"])
    op.create_table("moods", sa.Column("name", sa.String(20), primary_key=True))


def downgrade() -> None:
    op.drop_table("moods")
    with op.batch_alter_table("alerts") as batch_op:
        batch_op.drop_index("ix_alerts_mood")
        batch_op.drop_column("mood")
'''


@pytest.fixture
def next_version(tmp_path, monkeypatch):
    """From the call on this process is the next version of the program: it knows one migration more."""

    def become() -> None:
        folder = tmp_path / "next" / "migrations"
        shutil.copytree(Path(migrate.__file__).with_name("migrations"), folder)
        written = NEXT.format(revision=f"{len(REVISIONS) + 1:04d}", before=REVISIONS[-1])
        (folder / "versions" / f"{len(REVISIONS) + 1:04d}_next.py").write_text(written)
        monkeypatch.setattr(migrate, "LOCATION", folder)

    return become


def _old_worker(url: str, stop) -> None:
    """Proposes, claims and sends until it is told to stop; any error ends it with a code of its own."""
    store = Store(url, lambda: datetime.now(UTC))
    number = 0
    while not stop.is_set():
        with store.write() as tx:
            alerts.propose(tx, NewAlert("weibo", f"old-{number}", MessageKind.ANSWER, "S-1", "x"))
        with store.write() as tx:
            claimed = alerts.claim_next(tx, "weibo", tx.now, 600)
        if claimed is not None:
            with store.write() as tx:
                assert alerts.record_sent(tx, claimed.id, claimed.attempt, "1")
                audit.append(tx, "old", "sent", claimed.target_post_id)
        number += 1
    store.close()


def test_an_old_and_a_new_worker_work_side_by_side_over_one_migration(store, next_version):
    """The steps of docs/upgrade.md: migrate while the old worker works, start a new one beside it, end the old one; then back
    again. Nothing fails, nothing is lost or said twice, and the record of events is whole."""
    context = forked()
    stop = context.Event()
    old = context.Process(target=_old_worker, args=(store.url, stop))
    old.start()
    try:
        _wait_for(store, 5)
        next_version()
        assert store.schema_state() == "old"
        store.migrate()
        assert store.schema_state() == "current"
        before = _wait_for(store, 0)
        with store.write() as tx:  # the new worker uses what only it knows
            tx.execute(text("UPDATE alerts SET mood = 'glad' WHERE id = 1"))
            tx.execute(text("INSERT INTO moods (name) VALUES ('glad')"))
            alerts.propose(tx, NewAlert("weibo", "new", MessageKind.ANSWER, "S-1", "x"))
        _wait_for(store, before + 5)
        with store.write() as tx:
            assert tx.execute(text("SELECT count(*) FROM alerts WHERE mood = 'calm'")).scalar() > before
        store.migrate(REVISIONS[-1])
        _wait_for(store, _wait_for(store, 0) + 5)
    finally:
        stop.set()
        old.join(60)
    assert old.exitcode == 0
    with store.read() as tx:
        said = alerts.counts(tx)
        assert (said[AlertState.UNKNOWN], said[AlertState.DEAD]) == (0, 0)
        assert audit.verify(tx) is None
        assert len(audit.listing(tx, limit=100_000)) == said[AlertState.SENT]


def _wait_for(store: Store, sent: int) -> int:
    """Wait until the workers have sent that many; returns how many they have."""
    while True:
        with store.read() as tx:
            found = alerts.counts(tx)[AlertState.SENT]
        if found >= sent:
            return found
        time.sleep(0.05)
