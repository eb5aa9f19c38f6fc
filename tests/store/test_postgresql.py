"""What PostgreSQL alone can get wrong: its schema, its locks, and what is said when its server fails."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert, text
from sqlalchemy.engine import make_url

from store import audit, local_postgres, posts
from store.dialect import postgresql
from store.errors import Occupied, StoreError
from store.local_postgres import LocalServer
from store.session import Store
from store.tables import counters, metadata

NOW = datetime(2026, 2, 10, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.only_on("postgresql", why="its own faults")


def test_migrating_from_empty_gives_the_tables_of_tables_py(store):
    """A database made by the migrations alone differs in nothing from what store/tables says."""
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


@pytest.mark.parametrize("together", [False, True])
def test_a_place_is_free_at_once_when_it_is_left(store, clock, monkeypatch, together):
    """A busy server notices a closed connection late: whoever comes next does not find it still occupied by one that left."""
    other, unnoticed = Store(store.url, clock), []
    monkeypatch.setattr(store._engine.dialect, "do_close", unnoticed.append)
    with store.lock_bot(together=together):
        pass
    assert unnoticed
    with other.lock_bot():
        pass
    for connection in unnoticed:
        connection.close()
    other.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://user:hush@127.0.0.1:1/suishoupai", "no server answers there"),
        ("postgresql://user:hush@no-such-host.invalid/suishoupai", "name is not known"),
        ("postgresql:///suishoupai?host=/nowhere", "no server answers there"),
        ("postgresql://user:half@hush@127.0.0.1:1/suishoupai", "there is an @ in its user or password"),
        ("postgresql://user:half@hush/more@127.0.0.1:1/suishoupai", "there is an @ in its user or password"),
    ],
)
def test_a_server_that_is_not_there_is_a_clear_error(url, words, clock):
    """Each fault of the address has its own words and a remedy, and the password is in neither."""
    with pytest.raises(StoreError, match=words) as caught:
        Store(url, clock).schema_state()
    assert caught.value.mend
    assert "hush" not in str(caught.value) + caught.value.mend


@pytest.mark.parametrize(
    ("answer", "words"),
    [(b"", "the server does not answer"), (b"HTTP/1.0 400 Bad Request\r\n\r\n", "no PostgreSQL server")],
)
def test_something_else_at_the_port_is_a_clear_error(answer, words, clock, monkeypatch):
    """A proxy that accepts and says nothing costs its time limit; a web server is told from a PostgreSQL without encryption."""
    monkeypatch.setattr(postgresql, "CONNECT_S", 2)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(answer)
                connection.recv(100)
                while connection.recv(100):
                    pass

        threading.Thread(target=serve, daemon=True).start()
        began = time.monotonic()
        with pytest.raises(StoreError, match=words) as caught:
            Store(f"postgresql://user:hush@127.0.0.1:{listening.getsockname()[1]}/suishoupai", clock).schema_state()
        assert time.monotonic() - began < 5
    assert "hush" not in str(caught.value) + caught.value.mend


def test_a_database_that_is_not_there_is_a_clear_error(postgres_server, clock):
    """The server answers and knows no such database."""
    with pytest.raises(StoreError, match="no such database"):
        Store(postgres_server.url("not_made"), clock).schema_state()


# --- a server of this file's own, to be misused ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def victim(tmp_path_factory):
    """A server that these tests stop, start and reconfigure, with a migrated database."""
    if why := local_postgres.why_not():
        pytest.skip(why)
    folder = Path(tempfile.gettempdir()) / f"suishoupai-victim-{os.getpid()}"
    with LocalServer(folder, lasting=False, leave="delete") as server:
        server.make("suishoupai")
        made = Store(server.url("suishoupai"), lambda: NOW)
        made.migrate()
        made.close()
        yield server


@pytest.fixture
def of_victim(victim):
    """Opens its database, with changes to the URL."""
    opened = []

    def make(user: str = "postgres", password: str = "", **query: str) -> Store:
        url = make_url(victim.url("suishoupai")).set(username=user, password=password or None).update_query_dict(query)
        opened.append(Store(url.render_as_string(hide_password=False), lambda: NOW))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


def _says(store: Store, *words: str, writes: bool = True) -> StoreError:
    """Opening a transaction fails with one of our errors, with these words and a remedy, within seconds."""
    with pytest.raises(StoreError) as caught, store.write() if writes else store.read():
        pass
    told = f"{caught.value} {caught.value.mend}"
    assert caught.value.mend
    assert all(word in told for word in words), told
    assert "hush" not in told
    return caught.value


def test_a_wrong_password_and_an_unknown_user_are_clear_errors(victim, of_victim):
    """The server asks for a password: none, a wrong one, and a user it does not know are told apart; none is repeated."""
    rules = victim.folder / "pg_hba.conf"
    before = rules.read_text()
    with victim.admin() as admin:
        admin.execute("CREATE ROLE locked LOGIN PASSWORD 'right'")
        rules.write_text("local all locked scram-sha-256\n" + before)
        admin.execute("SELECT pg_reload_conf()")
    try:
        _says(of_victim("locked", "hush"), "let this user in", "password")
        _says(of_victim("locked"), "asks for a password")
        _says(of_victim("nobody"), "no such user")
        with pytest.raises(StoreError, match="no such user"), of_victim("nobody").read():
            pass
        stranger = of_victim("locked", "right")
        with pytest.raises(StoreError, match="may not do this"), stranger.read() as tx:
            posts.counts(tx)
    finally:
        rules.write_text(before)
        with victim.admin() as admin:
            admin.execute("SELECT pg_reload_conf()")
            admin.execute("DROP ROLE locked")


def test_a_replica_given_as_the_primary_is_refused_while_connecting(victim, of_victim):
    """Two ways to be read alone: in recovery, and by the database's own setting. Neither is found at the first write only."""
    with victim.admin() as admin:
        admin.execute("ALTER DATABASE suishoupai SET default_transaction_read_only = on")
    try:
        _says(of_victim(), "cannot be written", "primary")
        _says(of_victim(), "cannot be written", writes=False)
    finally:
        with victim.admin() as admin:
            admin.execute("ALTER DATABASE suishoupai RESET default_transaction_read_only")
    assert of_victim().schema_state() == "current"


def test_a_real_standby_is_refused(victim, tmp_path_factory, clock):
    """A copy of the server in recovery (pg_is_in_recovery) answers, and is named as no place to write."""
    folder = Path(tempfile.gettempdir()) / f"suishoupai-standby-{os.getpid()}"
    with LocalServer(folder, lasting=False, leave="delete") as server:
        server.make("suishoupai")
        server.stop()
        (folder / "standby.signal").touch()
        shutil.chown(folder / "standby.signal", (folder / "PG_VERSION").stat().st_uid)
        url = LocalServer(folder).start_again()
        _says(Store(make_url(url).set(database="suishoupai").render_as_string(hide_password=False), clock), "replica")


def test_the_first_servers_of_a_machine_make_its_user_one_after_the_other(monkeypatch, tmp_path):
    """Two at once would make it twice, with two numbers; under any other user than root none is made."""
    inside, most, made = set(), [], []

    def ensure_user_exists(name):
        inside.add(threading.get_ident())
        time.sleep(0.02)
        most.append(len(inside))
        inside.discard(threading.get_ident())
        made.append(name)

    here = str(tmp_path / "__init__.py")
    package = SimpleNamespace(__file__=here, utils=SimpleNamespace(ensure_user_exists=ensure_user_exists))
    monkeypatch.setattr(local_postgres.os, "geteuid", lambda: 0)
    threads = [threading.Thread(target=local_postgres._make_user, args=(package,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [local_postgres.USER] * 4
    assert max(most) == 1
    monkeypatch.setattr(local_postgres.os, "geteuid", lambda: 1000)
    local_postgres._make_user(package)
    assert len(made) == 4


def test_a_full_server_is_a_clear_error(victim, of_victim):
    """The server takes no more connections of this user."""
    with victim.admin() as admin:
        admin.execute("CREATE ROLE few LOGIN CONNECTION LIMIT 1")
    one, two = of_victim("few"), of_victim("few")
    with one.read():
        _says(two, "no more connections", "fewer workers")
    one.close()
    with victim.admin() as admin:
        admin.execute("DROP ROLE few")


def test_a_full_pool_is_a_clear_error(of_victim, monkeypatch):
    """This process has taken all its connections: it says so instead of waiting for ever."""
    monkeypatch.setattr(postgresql, "POOL", 1)
    monkeypatch.setattr(postgresql, "DEADLINE_S", 0.2)
    store = of_victim()
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(store.read())
        _says(store, "every connection", writes=False)


def test_a_connection_lost_in_the_middle_stores_nothing_and_the_next_works(victim, of_victim):
    """The server ends the session in the middle of a transaction: a clear error, nothing kept, and no restart is needed."""
    store = of_victim()

    def half() -> None:
        with store.write() as tx:
            audit.append(tx, "bot", "test", "lost")
            own = tx.execute(text("SELECT pg_backend_pid()")).scalar()
            with victim.admin() as admin:
                admin.execute("SELECT pg_terminate_backend(%s)", (own,))
            audit.append(tx, "bot", "test", "never")

    with pytest.raises(StoreError, match=r"stopped|lost") as caught:
        half()
    assert caught.value.mend
    with store.write() as tx:
        assert audit.listing(tx) == []


def test_after_a_restart_of_the_server_the_store_goes_on(victim, of_victim, monkeypatch):
    """The server is stopped and started anew: meanwhile a clear error, afterwards all works, with pooled connections too."""
    monkeypatch.setattr(postgresql, "STILL_S", 0.0)  # servers are not started anew within a quarter of a second
    store = of_victim()
    with store.read():
        pass
    victim.stop()
    _says(store, "no server answers there")
    victim.start()
    with store.read() as tx:
        assert audit.verify(tx) is None


def test_a_connection_is_tried_before_its_use_only_where_it_stood_still(store, monkeypatch):
    """Trying costs a way to the server and back. A busy process does not pay it; one that comes back after a pause does."""
    kind = type(store._engine.dialect)
    tried, ping = [], kind.do_ping
    monkeypatch.setattr(kind, "do_ping", lambda self, connection: tried.append(1) or ping(self, connection))
    monkeypatch.setattr(postgresql, "STILL_S", 3600.0)
    for _ in range(3):
        with store.read() as tx:
            audit.listing(tx)
    assert tried == []
    monkeypatch.setattr(postgresql, "STILL_S", 0.0)
    with store.read() as tx:
        audit.listing(tx)
    assert tried == [1]


def test_a_place_is_taken_again_after_a_restart_and_lost_to_a_quicker_one(victim, of_victim, monkeypatch):
    """The bot's lock dies with its connection. Its holder takes it again before it writes; if another bot was quicker it
    stops instead of running beside it."""
    monkeypatch.setattr(postgresql, "LOOK_S", 0.0)
    first, second = of_victim(), of_victim()
    with first.lock_bot():
        victim.stop()
        victim.start()
        with first.write():
            pass
        with pytest.raises(Occupied), second.lock_bot():
            pass
        victim.stop()
        victim.start()
        with second.lock_bot():
            with pytest.raises(Occupied, match=str(os.getpid())), first.write():
                pass
            with second.write():
                pass


def test_statements_and_locks_that_take_too_long_are_clear_errors(of_victim):
    """statement_timeout in the URL is honoured; a writer behind a writer that does not end gives up."""
    slow = of_victim(options="-c statement_timeout=50")
    with pytest.raises(StoreError, match="longer than the server allows"), slow.read() as tx:
        tx.execute(text("SELECT pg_sleep(5)"))
    waiting = of_victim(options="-c lock_timeout=50")
    with slow.write():
        _says(waiting, "locked by another process")


def test_values_never_stand_in_an_error(of_victim):
    """A refused row and a refused value are described by table, column and rule: what they hold may be personal."""
    store = of_victim()
    twice = insert(counters).values(name="张三的电话 13800000000", value=1)
    with store.write() as tx:
        tx.execute(twice)
    with pytest.raises(StoreError, match="pk_counters") as caught, store.write() as tx:
        tx.execute(twice)
    assert "张三" not in f"{caught.value} {caught.value.mend}"
    with pytest.raises(StoreError, match="refused a value") as caught, store.write() as tx:
        tx.execute(text("SELECT CAST('张三' AS integer)"))
    assert "张三" not in f"{caught.value} {caught.value.mend}"


def test_an_odd_value_from_outside_is_stored_as_on_sqlite(store, stream, make_post):
    """A language tag of eighty signs does not keep its page from being stored."""
    with store.write() as tx:
        posts.save_page(tx, stream, [make_post(lang="x" * 80)], now=tx.now, silent=lambda post: False, cursor=None, chain=None)
        assert posts.get(tx, 1).post.lang == "x" * 80


def test_a_newer_and_an_older_schema_are_told_apart_beside_other_tables(store, fresh_database, tmp_path, clock):
    """Other programs' tables in the same database (a queue's) do not make it look like an older version of ours."""
    with fresh_database("postgresql", tmp_path, tables=False) as url:
        empty = Store(url, clock)
        with empty.write() as tx:
            tx.execute(text("CREATE TABLE somebody_elses (id int)"))
        assert empty.schema_state() == "empty"
        empty.close()
    with store.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert store.schema_state() == "old"
    with store.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert store.schema_state() == "newer"
    with pytest.raises(StoreError, match="newer"):
        store.migrate()


def test_a_snapshot_names_the_tool_that_makes_it(store, tmp_path):
    """Backup and restore of files are SQLite's; what to use instead is said."""
    with pytest.raises(StoreError) as caught:
        store.snapshot(tmp_path / "x")
    assert "pg_dump" in caught.value.mend
