"""The suite that every search index must pass: the matrix in this process (narrow, wide, shared by threads) and pgvector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pytest

from matcher import exact, nearest, planes
from matcher.exact import ExactIndex
from matcher.index import VectorIndex, lot
from store.halves import halved
from store.session import Store
from store.tables import cases
from store.vectors import PgvectorIndex

DIMENSION = 32
Make = Callable[[], VectorIndex]


def units(count: int, seed: int = 0, dimension: int = DIMENSION) -> np.ndarray:
    """Random unit vectors of numbers that are kept as they are, so that nothing here depends on rounding."""
    return kept(np.random.default_rng(seed).normal(size=(count, dimension)))


def kept(rows: np.ndarray) -> np.ndarray:
    """``rows`` at unit length, in the numbers that an index keeps."""
    return halved(rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="session")
def database(request: pytest.FixtureRequest) -> str:
    """The one that has pgvector."""
    return "postgresql"


@pytest.fixture
def pgvector(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Opens an index in PostgreSQL: each call another pack's. Templates need cases there, so every id of this file has one."""
    store = Store(request.getfixturevalue("database_url"), lambda: datetime(2026, 1, 1, tzinfo=UTC))
    told = {"name": "x", "contacts": [], "registered_by": "x", "registered_at": datetime(2026, 1, 1, tzinfo=UTC)}
    with store.write() as tx:
        tx.connection.exec_driver_sql("CREATE EXTENSION vector")
        ids = [*range(1020), 5000, 70_000_000, 10**12]
        tx.execute(cases.insert(), [{"id": i, "ref": str(i), "state": "verified", "seq": n, **told} for n, i in enumerate(ids)])
    packs = (str(number) for number in range(10))

    def opened() -> VectorIndex:
        index = PgvectorIndex(store, next(packs), DIMENSION, lot)
        index.open()
        return index

    yield opened
    store.close()


@pytest.fixture(params=["wide", "split", "threads", "pgvector"])
def make(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Opens an empty index. ``split`` keeps two planes from the 10th case on, in pieces of 64 rows; ``threads`` shares them."""
    if request.param == "pgvector":
        opens: Make = request.getfixturevalue("pgvector")
        return opens
    if request.param == "wide":
        return lambda: ExactIndex(DIMENSION)
    monkeypatch.setattr(exact, "SPLIT_FROM", 10)
    monkeypatch.setattr(exact, "THREADS_FROM", 10)
    monkeypatch.setattr(planes, "PIECE_BYTES", 64 * 2 * DIMENSION)
    monkeypatch.setattr(nearest, "_BLOCK_BYTES", 48 * 4 * DIMENSION)
    return lambda: ExactIndex(DIMENSION, threads=3 if request.param == "threads" else 1)


def filled(make: Make, rows: np.ndarray, first_id: int = 1) -> VectorIndex:
    """An index with one case a row, ids from ``first_id``."""
    index = make()
    index.put(range(first_id, first_id + len(rows)), rows, [0] * len(rows))
    return index


def best(rows: np.ndarray, probe: np.ndarray, k: int) -> tuple[list[int], np.ndarray]:
    """The truth: places and scores of the best rows by the full product, equal scores in the order of places."""
    scores = (rows.astype(np.float64) * probe).sum(axis=1)
    order = np.argsort(-scores, kind="stable")[:k]
    return order.tolist(), scores[order]


@pytest.mark.parametrize("probes", [1, 3, 30])
@pytest.mark.parametrize("k", [1, 10, 200])
def test_search_is_exact(make: Make, probes: int, k: int) -> None:
    """One probe, a photo's few and a batch get the cases, the scores and the order of the full product."""
    rows, asked = units(1000), units(probes, seed=1)
    ids, scores = filled(make, rows).search(asked, k)
    assert ids.shape == scores.shape == (probes, k)
    for i, probe in enumerate(asked):
        places, wanted = best(rows, probe, k)
        assert ids[i].tolist() == [place + 1 for place in places]
        assert np.allclose(scores[i], wanted, atol=1e-6)


@pytest.mark.parametrize("probes", [1, 30])
def test_equal_scores_come_in_the_order_of_case_ids(make: Make, probes: int) -> None:
    """Ties are broken by case id, wherever the rows lie and however many there are: a search gives the same answer each time."""
    index, row = make(), units(1)
    index.put([9, 3, 7, *range(1000, 800, -1)], np.repeat(row, 203, axis=0), [0] * 203)
    assert index.search(np.repeat(row, probes, axis=0), 5)[0][-1].tolist() == [3, 7, 9, 801, 802]


def test_one_likeness_over_and_over_is_still_searched_exactly(make: Make) -> None:
    """Where all cases are all but equal, none that belongs among the best is missed."""
    base, noise = units(1)[0], units(400, seed=2)
    rows = kept(base + 1e-3 * noise)
    places, _ = best(rows, rows[7], 5)
    assert filled(make, rows).search(rows[7:8], 5)[0][0].tolist() == [place + 1 for place in places]


@pytest.mark.parametrize("probes", [1, 30])
def test_likenesses_that_differ_in_the_last_bits_are_told_apart(make: Make, probes: int) -> None:
    """Rows that agree in the upper byte of every number, and differ below it, come in their true order."""
    base = np.full(DIMENSION, 1 / DIMENSION**0.5)
    rows = kept(base + np.random.default_rng(3).uniform(0, 2**-9, (600, DIMENSION)))
    asked = units(probes, seed=8)
    ids, _ = filled(make, rows).search(asked, 20)
    for i, probe in enumerate(asked):
        assert ids[i].tolist() == [place + 1 for place in best(rows, probe, 20)[0]]


@pytest.mark.parametrize("probes", [1, 30])
def test_a_vector_of_one_large_number_is_searched_exactly_too(make: Make, probes: int) -> None:
    """Vectors along an axis, and others with one coordinate far above the rest, put in after hundreds of ordinary ones."""
    ordinary, axes = units(400), np.concatenate([np.eye(DIMENSION), -np.eye(DIMENSION)]).astype(np.float32)
    peaked = kept(axes + 0.1 * units(2 * DIMENSION, seed=6))
    rows = np.concatenate([ordinary, axes, peaked])
    index = filled(make, ordinary)
    index.put(range(401, len(rows) + 1), rows[400:], [0] * (len(rows) - 400))
    asked = np.concatenate([axes[:3], peaked[:3], units(24, seed=7)])[-probes:]
    ids, scores = index.search(asked, 40)
    for i, probe in enumerate(asked):
        places, wanted = best(rows, probe, 40)
        assert ids[i].tolist() == [place + 1 for place in places]
        assert np.allclose(scores[i], wanted, atol=1e-6)
    assert np.array_equal(index.fetch(range(1, len(rows) + 1))[1], rows)


def test_asking_for_more_than_there_are_gives_all(make: Make) -> None:
    """A k beyond the gallery's size is no error; an empty index gives empty answers."""
    assert make().search(units(2), 10)[0].shape == (2, 0)
    assert filled(make, units(4)).search(units(2), 10)[0].shape == (2, 4)
    assert sorted(filled(make, units(150)).search(units(1), 999)[0][0].tolist()) == list(range(1, 151))


def test_any_order_of_adding_changing_and_removing_gives_the_same_index(make: Make) -> None:
    """After 400 random changes the index answers as one built anew from what is left."""
    rng, pool = np.random.default_rng(5), units(300)
    index, wanted = make(), dict[int, int]()
    for _ in range(400):
        case_id, row = int(rng.integers(1, 150)), int(rng.integers(len(pool)))
        if rng.random() < 0.3:
            assert index.remove([case_id]) == (1 if wanted.pop(case_id, None) is not None else 0)
        else:
            index.put([case_id], pool[row : row + 1], [row % 3])
            wanted[case_id] = row
    fresh = make()
    fresh.put(list(wanted), pool[list(wanted.values())], [row % 3 for row in wanted.values()])
    for one, other in zip(index.search(pool[:40], 10), fresh.search(pool[:40], 10), strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(index.search(pool[:1], 10)[0], fresh.search(pool[:1], 10)[0])
    assert index.members(40)[0] == len(wanted)
    assert index.members(40)[1].tolist() == fresh.members(40)[1].tolist()


def test_what_was_put_is_what_is_fetched(make: Make) -> None:
    """Templates come back in the numbers that are kept, with their groups, in the order of ids; unknown cases are left out."""
    rows = np.random.default_rng(3).normal(size=(30, DIMENSION)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    index = make()
    index.put(range(1, 31), rows, [i % 3 for i in range(30)])
    ids, found, groups = index.fetch([12, 5, 999, 12])
    assert ids.tolist() == [5, 12]
    assert groups.tolist() == [1, 2]
    assert np.array_equal(found, halved(rows[[4, 11]]).astype(np.float32))


def test_a_case_put_twice_has_its_later_template(make: Make) -> None:
    """Replacing needs no removal; in one call too the later wins."""
    rows = units(4)
    index = filled(make, rows[:2])
    index.put([2], rows[2:3], [1])
    index.put([7, 7], rows[[0, 3]], [0, 2])
    ids, found, groups = index.fetch([2, 7])
    assert index.members(0)[0] == 3
    assert ids.tolist() == [2, 7]
    assert np.array_equal(found, rows[2:4])
    assert groups.tolist() == [1, 2]


@pytest.mark.parametrize("count", [3, 200])
def test_a_removed_case_is_never_found_again(make: Make, count: int) -> None:
    """Removing takes out what is there, once, and nothing else."""
    rows = units(count)
    index = filled(make, rows)
    assert index.remove([count, 1, 5000]) == 2
    assert index.remove([count]) == 0
    left = index.search(rows, count)[0]
    assert left.shape == (count, count - 2)
    assert not {1, count} & set(left.ravel().tolist())


def test_members_are_a_fixed_draw(make: Make) -> None:
    """Which cases stand for all does not depend on the order of registration, and one case less moves one of them at most."""
    rows = units(300)
    forth, back = make(), make()
    forth.put(range(1, 301), rows, [0] * 300)
    back.put(range(300, 0, -1), rows[::-1], [0] * 300)
    count, drawn = forth.members(50)
    assert count == 300
    assert len(drawn) == 50
    assert drawn.tolist() == sorted(drawn.tolist()) == back.members(50)[1].tolist()
    forth.remove([int(drawn[0])])
    assert len(set(drawn.tolist()) - set(forth.members(50)[1].tolist())) == 1
    assert forth.members(1000)[1].tolist() == [i for i in range(1, 301) if i != drawn[0]]


def test_any_case_id_will_do(make: Make) -> None:
    """Ids far apart, as another program's database may have them, are found and removed like small ones."""
    rows, ids = units(4), [3, 10**12, 70_000_000, 4]
    index = make()
    index.put(ids, rows, [0] * 4)
    assert index.search(rows, 1)[0].ravel().tolist() == ids
    assert index.remove([10**12]) == 1
    index.put([70_000_000], rows[:1], [0])
    assert index.search(rows[:1], 2)[0].tolist() == [[3, 70_000_000]]


def test_searching_while_cases_change_never_mixes_them_up(make: Make) -> None:
    """While another thread adds and removes cases, a registered case is always found with its own id."""
    rows = units(200)
    index = filled(make, rows)

    def change(step: int) -> None:
        index.put([1000 + step % 7], rows[step % 200][None], [0])
        index.remove([1000 + (step + 3) % 7])

    def look(step: int) -> bool:
        case = step % 200
        return case + 1 in index.search(rows[case][None], 9)[0][0].tolist()

    with ThreadPoolExecutor(4) as pool:
        changes = [pool.submit(change, step) for step in range(100)]
        assert all(pool.map(look, range(100)))
        for done in changes:
            done.result()
