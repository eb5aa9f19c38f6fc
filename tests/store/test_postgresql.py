"""What PostgreSQL alone can get wrong: its schema, its locks, and what is said when its server fails."""

from __future__ import annotations

import os

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from store.errors import StoreError
from store.session import Store
from store.tables import metadata

pytestmark = pytest.mark.only_on("postgresql", why="its own faults")


def test_migrating_from_empty_gives_the_tables_of_tables_py(store):
    """A database made by the migrations alone differs in nothing from what tables.py says."""
    with store.read() as tx:
        context = MigrationContext.configure(tx.connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_a_second_bot_is_named_by_machine_and_process(store, clock):
    """The lock is the database's, not a file's: another machine's bot would be refused too, and is told who runs."""
    other = Store(store.url, clock)
    with store.lock_bot():
        with pytest.raises(StoreError, match=rf"{os.uname().nodename[:40]}:{os.getpid()}"), other.lock_bot():
            pass
        with other.lock_bot("another place"):
            pass
    with other.lock_bot():
        pass
    other.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://user:hush@127.0.0.1:1/suishoupai", "no server answers there"),
        ("postgresql://user:hush@no-such-host.invalid/suishoupai", "name is not known"),
        ("postgresql:///suishoupai?host=/nowhere", "no server answers there"),
    ],
)
def test_a_server_that_is_not_there_is_a_clear_error(url, words, clock):
    """Each fault of the address has its own words and a remedy, and the password is in neither."""
    with pytest.raises(StoreError, match=words) as caught:
        Store(url, clock).schema_state()
    assert caught.value.mend
    assert "hush" not in str(caught.value) + caught.value.mend


def test_a_database_that_is_not_there_is_a_clear_error(postgres_server, clock):
    """The server answers and knows no such database."""
    with pytest.raises(StoreError, match="no such database"):
        Store(postgres_server.url("not_made"), clock).schema_state()
