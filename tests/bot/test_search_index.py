"""Where the gallery is searched: the choice and its reasons, and the bot over pgvector: workers, erasures, crashes."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import ValidationError

from bot import search_index
from bot.bench._cases import PACK, fill
from bot.faces import FaceBook
from bot.sections import MatchingSettings
from matcher.calibrate import BandTargets
from matcher.compare import Probe
from store import cases, erase, vectors
from store.errors import StoreError
from store.keys import make_key, parse_keys
from store.photos import PhotoFiles
from store.session import Store
from store.vault import AesVault

COUNT = 120
ALLOWED = MatchingSettings(search="pgvector", unsealed_vectors=True)
MEMORY = MatchingSettings(search="memory", unsealed_vectors=True)
LACKING = StoreError("the database has no pgvector", mend="CREATE EXTENSION vector;")
on_postgresql = pytest.mark.only_on("postgresql", why="pgvector is an extension of PostgreSQL")


def units(count: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def bare(database_url: str):
    """A PostgreSQL without the extension."""
    opened = Store(database_url, lambda: datetime(2026, 5, 1, tzinfo=UTC), AesVault(parse_keys(make_key())))
    yield opened
    opened.close()


@pytest.fixture
def store(bare: Store) -> Store:
    """120 verified cases, sealed, on PostgreSQL with pgvector."""
    with bare.write() as tx:
        tx.connection.exec_driver_sql("CREATE EXTENSION vector")
    fill(bare, units(COUNT))
    return bare


def book_of(store: Store, settings: MatchingSettings = ALLOWED) -> FaceBook:
    engine = SimpleNamespace(pack_id="bench", pack_sha256=PACK, dimension=16)
    return FaceBook(engine, BandTargets(), 20, None, search_index.opener(settings, store, PACK))


def synced(book: FaceBook, store: Store) -> FaceBook:
    with store.read() as tx:
        book.sync(tx)
    return book


@pytest.mark.parametrize(
    ("settings", "cases_there", "server", "lacking", "kind", "words"),
    [
        ({}, 9, False, None, "memory", "a file"),
        ({}, 9, True, None, "memory", "fewer than"),
        ({}, 2_000_000, True, None, "memory", "unsealed_vectors is off"),
        ({"unsealed_vectors": True}, 2_000_000, True, None, "pgvector", "at least"),
        ({"unsealed_vectors": True}, 2_000_000, True, LACKING, "memory", "would be searched by pgvector"),
        ({"search": "memory", "unsealed_vectors": True}, 2_000_000, True, None, "memory", "says so"),
        ({"search": "pgvector", "unsealed_vectors": True}, 9, True, None, "pgvector", "says so"),
    ],
)
def test_the_choice_follows_size_permission_and_server(settings, cases_there, server, lacking, kind, words):
    """Small galleries and files are searched in the process; large ones by pgvector, where that is there and allowed."""
    choice = search_index.choose(MatchingSettings(**settings), cases_there, server=server, lacking=lacking)
    assert choice.kind == kind
    assert words in choice.why
    assert choice.problem == (str(lacking) if lacking else "")


def test_nobody_gets_unsealed_vectors_unasked():
    """pgvector without the permission is a settings error that says why."""
    with pytest.raises(ValidationError, match="unsealed_vectors"):
        MatchingSettings(search="pgvector")


@on_postgresql
def test_no_pgvector_is_a_clear_error_with_the_command(bare):
    """Asked for and not there: one error at once, with the command that adds it; left to choose, it is told as a problem."""
    with pytest.raises(StoreError, match="no pgvector") as caught:
        search_index.opener(ALLOWED, bare, PACK)
    assert "CREATE EXTENSION vector;" in caught.value.mend
    fill(bare, units(3))
    choice = search_index.chosen(MatchingSettings(unsealed_vectors=True, pgvector_from=2), bare)
    assert (choice.kind, choice.mend) == ("memory", caught.value.mend)


@pytest.mark.only_on("sqlite", why="says what SQLite lacks")
def test_sqlite_has_no_pgvector(database_url):
    """Asking for it on a file is an error too."""
    store = Store(database_url, lambda: datetime(2026, 5, 1, tzinfo=UTC))
    with pytest.raises(StoreError, match="SQLite"):
        search_index.opener(ALLOWED, store, PACK)
    store.close()


@on_postgresql
def test_candidates_do_not_depend_on_the_index(store):
    """Bands, scores after AS-norm, ranks and the cohort are the same in memory and in PostgreSQL, by the same calibration."""
    inside = synced(book_of(store), store)
    memory = synced(book_of(store, MEMORY), store)
    assert inside.calibration == memory.calibration
    assert inside.calibration.rule.value == "as_norm"
    rows, noise = units(COUNT), units(COUNT, seed=1)
    for i in range(0, COUNT, 17):
        probe = rows[i] + 0.3 * noise[i]
        searched = [Probe(0, probe / np.linalg.norm(probe)), Probe(1, noise[i])]
        assert inside.search(searched, ()) == memory.search(searched, ())
        assert inside.search(searched, {(0, i + 1)}) == memory.search(searched, {(0, i + 1)})


@on_postgresql
def test_workers_share_what_one_of_them_takes_in(store):
    """A closed case leaves for all at once; each worker notes what is stale with it."""
    one, two = synced(book_of(store), store), synced(book_of(store), store)
    assert 5 in two.gallery
    cohort = two.gallery.cohort()
    with store.write() as tx:
        cases.close(tx, 5, "official", "found", "DNA 1")
    synced(one, store)
    assert 5 not in two.gallery
    synced(two, store)
    assert len(two.gallery) == len(one.gallery) == COUNT - 1
    assert 5 in cohort.case_ids
    assert 5 not in two.gallery.cohort().case_ids


@on_postgresql
def test_an_erased_case_is_gone_from_postgresql_in_the_same_transaction(store, tmp_path):
    """The case's row takes its template along, before any worker has looked; none brings it back."""
    book = synced(book_of(store), store)
    erase.erase_case(store, PhotoFiles(tmp_path / "photos", store.vault), 7, by="operator", why="asked")
    assert 7 not in book.gallery
    assert 7 not in synced(book, store).gallery
    assert 7 not in synced(book_of(store), store).gallery


@on_postgresql
def test_a_server_that_crashed_is_filled_again_before_the_next_search(store):
    """After a crash PostgreSQL empties unlogged tables; a running bot notices, though no case changed."""
    book = synced(book_of(store), store)
    with store.write() as tx:
        for name in vectors.tables(tx):
            tx.connection.exec_driver_sql(f"TRUNCATE {name}")
    assert len(synced(book, store).gallery) == COUNT
    assert book.gallery.search(units(COUNT)[3], 1).case_ids.tolist() == [[4]]


@on_postgresql
def test_permission_taken_back_drops_what_lies_unsealed(store):
    """The next start without it leaves no table of vectors behind."""
    synced(book_of(store), store)
    with store.read() as tx:
        assert len(vectors.tables(tx)) == 2
    book_of(store, MatchingSettings())
    with store.read() as tx:
        assert vectors.tables(tx) == []


@on_postgresql
def test_an_approximate_search_says_what_it_misses(store):
    """HNSW is built where asked for, its answers carry exact scores, and its recall is measured at start and kept for doctor."""
    settings = ALLOWED.model_copy(update={"approximate_ef": 400})
    synced(book_of(store, settings), store).building.join(30)
    with store.read() as tx:
        plan = "SELECT indexdef FROM pg_indexes WHERE indexdef LIKE '%%hnsw%%'"
        assert tx.connection.exec_driver_sql(plan).scalar() is not None
    index = search_index.opener(settings, store, PACK)(16)
    found = index.recall()
    assert found.probes == 50
    assert found.share == 1.0  # 400 candidates are more than there are cases
    probe = units(1, seed=5)
    exact, near = (synced(book_of(store, wanted), store).gallery.search(probe, 5) for wanted in (MEMORY, settings))
    assert near.case_ids.tolist() == exact.case_ids.tolist()
    assert near.scores.tolist() == exact.scores.tolist()


@on_postgresql
def test_a_graph_is_built_while_others_write_and_search(store):
    """The build waits here for an older reader; meanwhile another write goes on at once, cases come in and are found, exactly;
    whoever starts meanwhile does not wait. Afterwards the index stands, and nothing is measured before."""
    settings = ALLOWED.model_copy(update={"approximate_ef": 400})
    index = search_index.opener(settings, store, PACK)(16)
    index.open()
    index.put(range(1, COUNT + 1), units(COUNT), [0] * COUNT)
    built = []
    with store.read() as old:
        old.connection.exec_driver_sql("SELECT 1")
        building = threading.Thread(target=lambda: built.append(index.build_graph()))
        building.start()
        unfinished = "SELECT count(*) FROM pg_stat_progress_create_index"
        until(lambda: asked(store, unfinished) == 1)
        began = time.monotonic()
        with store.write() as tx:
            tx.connection.exec_driver_sql("UPDATE cases SET name = 'x' WHERE id = 1")
        index.put([7], units(1, seed=9), [0])
        assert time.monotonic() - began < 5
        assert index.search(units(1, seed=9), 1)[0].tolist() == [[7]]
        assert index.measure_recall() is None
        assert index.build_graph() is False
        assert building.is_alive()
    building.join(30)
    assert built == [True]
    assert index.measure_recall().share == 1.0


@on_postgresql
def test_a_graph_that_was_cut_short_is_built_anew(store):
    """The server ended the build: an error, no index that anybody searches; the next call removes the rest and builds it."""
    index = search_index.opener(ALLOWED.model_copy(update={"approximate_ef": 400}), store, PACK)(16)
    index.open()
    index.put(range(1, COUNT + 1), units(COUNT), [0] * COUNT)
    failed = []

    def build() -> None:
        with pytest.raises(StoreError):
            index.build_graph()
        failed.append(True)

    with store.read() as old:
        old.connection.exec_driver_sql("SELECT 1")
        building = threading.Thread(target=build)
        building.start()
        until(lambda: asked(store, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 1)
        asked(store, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'suishoupai index'")
        building.join(30)
    assert failed == [True]
    assert index.build_graph() is True
    assert asked(store, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
    assert index.measure_recall().share == 1.0


def asked(store: Store, query: str) -> object:
    with store.read() as tx:
        return tx.connection.exec_driver_sql(query).scalar()


def until(true) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
