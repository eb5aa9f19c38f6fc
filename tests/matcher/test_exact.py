"""What only the index in this process promises: that its memory holds one copy, and no trace of what was erased; and how its
rows are read in part, without missing any."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from matcher import exact, planes
from matcher.exact import ExactIndex
from matcher.places import Places
from matcher.planes import SplitRows, joined, one_thread
from store.halves import STEPS, halved, stepped, unstepped

Units = Callable[..., np.ndarray]


def everything(index: ExactIndex, rows: int) -> np.ndarray:
    """Every number the index holds in the memory of ``rows`` rows, what lies behind its last row included."""
    if index._split is None:
        return index._wide[:rows]
    import faiss

    [piece] = index._split._pieces
    upper = faiss.rev_swig_ptr(piece.upper.codes.data(), rows * 16).reshape(rows, 16)
    return unstepped(joined(upper, piece.lower[:rows]) >> index._split._finer)


@pytest.mark.parametrize("split_from", [10, 10**9])
def test_a_removed_case_leaves_no_trace_in_memory(split_from: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Erasing a case overwrites its vector, as the last row and in the middle."""
    monkeypatch.setattr(exact, "SPLIT_FROM", split_from)
    rows = np.full((30, 16), 5 / STEPS, np.float32)
    rows[[4, 29]] = 9999 / STEPS
    index = ExactIndex(16)
    index.put(range(30), halved(rows), [0] * 30)
    marked = halved(rows[4:5])[0, 0]
    assert (everything(index, 30) == marked).sum() == 32
    index.remove([29, 4])
    left = everything(index, 30)
    assert not (left == marked).any()
    assert (left[:28] == rows[0, 0]).all()
    assert not left[28:].any()


def test_a_large_gallery_is_held_once(units: Units) -> None:
    """Above the limit the rows are kept in two bytes a number and less than 16 a case beside them."""
    count, dimension = 20_000, 64
    index = ExactIndex(dimension)
    index.put(range(1, count + 1), units(count, dimension), [0] * count)
    index.search(units(1, dimension), 10)
    index.search(units(30, dimension), 10)
    assert index.nbytes < count * (2 * dimension + 16) + 4 * 65_536


def test_a_gallery_that_grows_past_the_limit_answers_as_before(units: Units, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores do not change with the way the rows are kept: both hold the same numbers."""
    rows, probe = units(60, 32), units(1, 32, seed=4)
    narrow = ExactIndex(32)
    narrow.put(range(60), rows, [0] * 60)
    monkeypatch.setattr(exact, "SPLIT_FROM", 50)
    grown = ExactIndex(32)
    for i in range(60):
        grown.put([i], rows[i : i + 1], [0])
    for one, other in zip(narrow.search(probe, 60), grown.search(probe, 60), strict=True):
        assert np.array_equal(one, other)


def test_both_planes_together_are_every_number_again() -> None:
    """All counts of steps that two bytes hold, at each fineness they fit, come back from the planes as they were put."""
    for finer in range(4):
        counts = np.arange(-(1 << 15 - finer), 1 << 15 - finer, dtype=np.int16).reshape(-1, 64)
        rows = SplitRows(64)
        rows.extend(counts)
        assert rows._finer == max(0, finer - 1)  # the one number that is a power of two
        rows = SplitRows(64)
        rows.extend(np.maximum(counts, -(1 << 15 - finer) + 1))
        assert rows._finer == finer
        assert np.array_equal(rows.read(np.arange(len(counts))), np.maximum(counts, -(1 << 15 - finer) + 1))


def test_a_row_that_does_not_fit_changes_no_other() -> None:
    """Each coarser hold rewrites what is there: the numbers stay, in every piece, and so does what a search finds."""
    rng = np.random.default_rng(4)
    rows = SplitRows(64)
    put = [rng.integers(-4_000 << i, 4_000 << i, (500, 64)).astype(np.int16) for i in (0, 0, 1, 2, 3)]
    held = []
    for part in put:
        rows.extend(part)
        held.append(rows._finer)
    assert held == [3, 3, 2, 1, 0]
    assert np.array_equal(rows.read(np.arange(2500)), np.concatenate(put))
    rows.write(3, np.full(64, 32_767, np.int16))
    assert np.array_equal(rows.read(np.array([2, 3, 4])), [put[0][2], np.full(64, 32_767), put[0][4]])


@pytest.mark.parametrize("finer", range(4))
@pytest.mark.parametrize("dimension", [100, 128])
def test_what_the_upper_plane_leaves_open_is_within_its_bound(units: Units, finer: int, dimension: int) -> None:
    """For ordinary and for the most unlucky probes (along what the lower plane holds) no true score lies beyond the error."""
    rows = stepped(units(300, dimension) * np.float32(0.9))
    rows[0, 0] = (1 << 15 - finer) - 1
    split = SplitRows(dimension)
    split.extend(rows)
    split._fit(np.array([[(1 << 15 - finer) - 1]], np.int16))
    one_thread()
    lower = split._pieces[0].lower.astype(np.float32) - 127.5
    unlucky = lower / np.linalg.norm(lower, axis=1, keepdims=True)
    worst = 0.0
    for probe in np.concatenate([units(20, dimension, seed=9), unlucky[:50], -unlucky[:50]]):
        asked = planes._Asked.of(probe, split._unit)
        scores, places = asked.best(split._pieces[0], 300)
        off = np.abs(scores - unstepped(split.read(places)) @ probe)
        assert off.max() <= asked.error(split._error)
        worst = max(worst, float(off.max() / asked.error(split._error)))
    assert worst > 0.6  # the unlucky ones come near: the bound is no wider than it must be


@pytest.mark.parametrize("extra", [0, 1, 8, 64])
def test_too_few_rows_asked_for_are_made_up_for(units: Units, extra: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few rows a piece is asked for beyond those wanted, none is missed, and the next probe asks for enough."""
    monkeypatch.setattr(planes, "_FIRST_EXTRA", extra)
    monkeypatch.setattr(planes, "PIECE_BYTES", 2 * 128 * 700)
    one_thread()
    steps = stepped(units(2000, 128))
    split = SplitRows(128)
    split.extend(steps)
    true = unstepped(steps)
    for probe in units(30, 128, seed=2):
        rows, sure = split.scan(probe, 10, None)
        assert sure
        assert set(np.argsort(-(true @ probe))[:10].tolist()) <= set(rows.tolist())
        assert len(rows) < 200
    assert split._extra >= max(extra, 8)


def test_where_nearly_all_rows_are_alike_the_scan_says_so(units: Units) -> None:
    """A gallery of one likeness over and over leaves too many rows to tell apart by their upper bytes."""
    one_thread()
    split = SplitRows(128)
    split.extend(stepped(units(1, 128) + 1e-4 * units(3000, 128, seed=1)))
    rows, sure = split.scan(units(1, 128)[0], 10, None)
    assert len(rows) > 1000
    assert not sure


def test_places_follow_every_case() -> None:
    """A table for dense ids and a dictionary for stray ones agree with one plain dictionary after many changes."""
    rng, places, wanted = np.random.default_rng(1), Places(), dict[int, int]()
    pool = [*range(200), *(10**9 + i for i in range(20)), -4]
    for _ in range(2000):
        case_id = int(rng.choice(pool))
        if case_id in wanted:
            assert places.pop(case_id) == wanted.pop(case_id)
        else:
            places.add(np.array([case_id]), len(wanted))
            wanted[case_id] = len(wanted)
            if rng.random() < 0.2:
                places.move(case_id, 7)
                wanted[case_id] = 7
    asked = np.array([*pool, 777])
    assert places.of(asked).tolist() == [wanted.get(int(i), -1) for i in asked]
    assert len(places) == len(wanted)
    assert places.pop(777) == -1
