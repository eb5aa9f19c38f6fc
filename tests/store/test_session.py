"""Opening, migrating, reading, writing, and what the store says when the database fails."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from bot.chaos.life import processes as forked
from store import audit
from store.errors import StoreError
from store.session import Store
from store.tables import metadata


@pytest.mark.only_on("sqlite", why="test_postgresql.py compares what a server reports")
def test_migrating_from_empty_gives_the_tables_of_tables_py(store):
    """A database made by the migrations alone differs in nothing from what store/tables says."""
    with store.read() as tx:
        context = MigrationContext.configure(tx.connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        migrated = _shape(tx.connection)
    fresh = create_engine("sqlite://")
    metadata.create_all(fresh)
    with fresh.connect() as connection:
        assert migrated == _shape(connection)


def _shape(connection) -> dict[str, object]:
    """Every column (with type, default, nullability), key and index as SQLite itself reports them."""
    found = inspect(connection)
    return {
        table: (
            sorted(
                connection.exec_driver_sql(
                    f"SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('{table}')"
                ).all()
            ),
            sorted(
                connection.exec_driver_sql(f'SELECT "table", "from", on_delete FROM pragma_foreign_key_list(\'{table}\')').all()
            ),
            sorted((index["name"], index["column_names"], index["unique"]) for index in found.get_indexes(table)),
            sorted(tuple(unique["column_names"]) for unique in found.get_unique_constraints(table)),
        )
        for table in found.get_table_names()
        if table != "alembic_version"
    }


def test_migrating_twice_changes_nothing(store):
    """A second migrate finds the tables current."""
    store.migrate()
    assert store.schema_state() == "current"


def test_schema_states_are_told_apart(tmp_path, clock):
    """Nothing there is 'empty', an unknown migration is 'newer', and migrating a newer database is refused."""
    store = Store(f"sqlite:///{tmp_path / 'deep' / 'new.sqlite'}", clock)
    assert store.schema_state() == "empty"
    store.migrate()
    with store.write() as tx:
        tx.connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert store.schema_state() == "newer"
    with pytest.raises(StoreError, match="newer"):
        store.migrate()


def test_an_exception_rolls_everything_back(store):
    """What a block wrote before it failed is not there afterwards."""

    def crash() -> None:
        with store.write() as tx:
            audit.append(tx, "bot", "test", "nothing")
            raise RuntimeError("a crash before the commit")

    with pytest.raises(RuntimeError):
        crash()
    with store.read() as tx:
        assert audit.listing(tx) == []


def test_a_reader_cannot_write_and_the_next_writer_can(store):
    """A write inside read() is refused, and the pooled connection writes again afterwards."""
    with pytest.raises(StoreError, match="cannot be written"), store.read() as tx:
        audit.append(tx, "bot", "test", "nothing")
    with store.write() as tx:
        audit.append(tx, "bot", "test", "something")


@pytest.mark.only_on("sqlite", why="its pragmas")
def test_sqlite_is_set_up_to_survive_a_loss_of_power(store):
    """Write-ahead log, full synchronisation, foreign keys, overwriting deletes."""
    with store.read() as tx:
        found = {name: tx.connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in _PRAGMAS}
    assert found == _PRAGMAS


_PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000, "secure_delete": 1}


def _writer(url: str, times: int) -> None:
    from datetime import UTC, datetime

    store = Store(url, lambda: datetime.now(UTC))
    for _ in range(times):
        with store.write() as tx:
            audit.append(tx, str(os.getpid()), "test", "shared")


def test_two_processes_write_without_losing_an_event(store):
    """Concurrent read-modify-write from two processes: no 'locked' error, no lost update, an unbroken chain."""
    processes = [forked().Process(target=_writer, args=(store.url, 40)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    with store.read() as tx:
        assert len(audit.listing(tx, limit=200)) == 80
        assert audit.verify(tx) is None


@pytest.mark.only_on("sqlite", why="locks the file")
def test_a_locked_database_is_a_clear_error(store):
    """A writer that cannot get the lock says so, with what to do."""
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with store._engine.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA busy_timeout=10")
    with pytest.raises(StoreError, match="locked") as caught, store.write():
        pass
    assert caught.value.mend
    other.close()


def test_a_damaged_file_is_a_clear_error(tmp_path, clock):
    """A file that is no database is named as such."""
    path = tmp_path / "broken.sqlite"
    path.write_bytes(b"this is no database at all, it only looks for trouble" * 40)
    with pytest.raises(StoreError, match="not a database"), Store(f"sqlite:///{path}", clock).read():
        pass


def test_missing_tables_tell_to_migrate(tmp_path, clock):
    """A query against an empty database says which command makes the tables."""
    store = Store(f"sqlite:///{tmp_path / 'empty.sqlite'}", clock)
    with pytest.raises(StoreError) as caught, store.write() as tx:
        audit.append(tx, "bot", "test", "nothing")
    assert "migrate" in caught.value.mend


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "sqlite:///:memory:", "mysql://h/d", ""])
def test_a_url_the_store_cannot_use_is_refused_at_once(url, clock):
    """Wrong URLs fail when the store is made, not at the first query."""
    with pytest.raises(StoreError, match=r"store\.url"):
        Store(url, clock)


def test_a_second_bot_is_refused_and_names_the_first(store):
    """Only one process may hold the bot's place; it is free again after the first one left."""
    with store.lock_bot(), pytest.raises(StoreError, match=str(os.getpid())), store.lock_bot():
        pass
    with store.lock_bot():
        pass


def test_opening_does_no_io(tmp_path: Path, clock):
    """Making a Store touches nothing on the disk."""
    Store(f"sqlite:///{tmp_path / 'later.sqlite'}", clock)
    assert list(tmp_path.iterdir()) == []


def test_commit_points_are_named_before_and_after_their_commit(store):
    """The watch is told of a commit on both sides of it; killed before it nothing is stored, after it everything is."""
    told: list[str] = []
    store.watch = told.append
    with store.write("one") as tx:
        audit.append(tx, "bot", "test", "kept")
    assert told == ["before:one", "after:one"]

    def die_at(moment: str) -> None:
        def watch(point: str) -> None:
            if point == moment:
                raise KeyboardInterrupt

        store.watch = watch
        with pytest.raises(KeyboardInterrupt), store.write("two") as tx:
            audit.append(tx, "bot", "test", moment)

    die_at("before:two")
    die_at("after:two")
    with store.read() as tx:
        assert [event.object for event in audit.listing(tx)] == ["after:two", "kept"]


@pytest.mark.only_on("sqlite", why="limits the file's pages")
def test_a_full_disk_is_a_clear_error_and_stores_nothing(store):
    """When no page is left the transaction is rolled back, the message says so, and the store works on afterwards."""
    with store._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 1}")

    def fill() -> None:
        with store.write() as tx:
            audit.append(tx, "bot", "test", "small", {"big": "x" * 100_000})

    with pytest.raises(StoreError, match="disk is full") as caught:
        fill()
    assert "nothing" in caught.value.mend
    with store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    fill()
