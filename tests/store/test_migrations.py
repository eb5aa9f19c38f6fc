"""Migrations keep data, go back where that is possible, and may be run by two processes at once."""

from __future__ import annotations

import multiprocessing
from datetime import UTC, datetime

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from store import migrate
from store.session import Store

REVISIONS = [script.revision for script in ScriptDirectory.from_config(migrate.config()).walk_revisions()][::-1]


def _to(tx, revision: str, move) -> None:
    config = migrate.config()
    config.attributes["connection"] = tx.connection
    move(config, revision)


@pytest.fixture
def empty(tmp_path, clock):
    store = Store(f"sqlite:///{tmp_path / 'm.sqlite'}", clock)
    yield store
    store.close()


def test_revisions_are_numbered_without_gaps():
    """0001, 0002, ...: each follows the one before it, so two branches cannot meet unnoticed."""
    assert [f"{number:04d}" for number in range(1, len(REVISIONS) + 1)] == REVISIONS


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_an_older_database_is_brought_up_with_its_data(empty, revision):
    """From every earlier version: the state says old, migrate makes it current, rows stay."""
    with empty.write() as tx:
        _to(tx, revision, command.upgrade)
        tx.connection.execute(text("INSERT INTO agencies (name, adcode, level, type) VALUES ('a', '440303', 'county', 'police')"))
    assert empty.schema_state() == "old"
    empty.migrate()
    assert empty.schema_state() == "current"
    with empty.read() as tx:
        assert tx.connection.execute(text("SELECT name FROM agencies")).scalar() == "a"


def test_every_migration_can_be_taken_back(empty):
    """Down to nothing and up again gives the same tables."""
    empty.migrate()
    with empty.read() as tx:
        before = sorted(inspect(tx.connection).get_table_names())
    with empty.write() as tx:
        _to(tx, "base", command.downgrade)
        assert inspect(tx.connection).get_table_names() == ["alembic_version"]
    empty.migrate()
    with empty.read() as tx:
        assert sorted(inspect(tx.connection).get_table_names()) == before


def test_a_migration_that_fails_leaves_the_database_as_it_was(empty):
    """Migrations run in one transaction: killed in the middle, nothing of them stays."""
    with empty.write() as tx:
        _to(tx, "0001", command.upgrade)
    with empty.write() as tx:
        tx.connection.execute(text("CREATE TABLE tombstones (in_the_way INTEGER)"))
    with pytest.raises(Exception, match="tombstones"):
        empty.migrate()
    assert empty.schema_state() == "old"
    with empty.read() as tx:
        assert "erasures" not in inspect(tx.connection).get_table_names()


def _migrate(path: str) -> None:
    Store(f"sqlite:///{path}", lambda: datetime.now(UTC)).migrate()


def test_processes_that_start_together_migrate_once(empty):
    """Three processes on a new file: all succeed, the tables are there once."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_migrate, args=(str(empty.path),)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert empty.schema_state() == "current"
