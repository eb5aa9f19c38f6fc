"""What only the index in this process promises: that its memory holds one copy, and no trace of what was erased."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from matcher import exact
from matcher.exact import ExactIndex
from matcher.nearest import widen
from matcher.places import Places

Units = Callable[..., np.ndarray]


def everything(index: ExactIndex) -> np.ndarray:
    """Every number the index holds rows in, what lies behind its last row included."""
    if index._half is None:
        return index._wide.ravel()
    return np.concatenate([index._half._codes(piece).astype(np.float32).ravel() for piece in range(len(index._half._pieces))])


@pytest.mark.parametrize("half_from", [10, 10**9])
def test_a_removed_case_leaves_no_trace_in_memory(units: Units, half_from: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Erasing a case overwrites its vector, as the last row and in the middle."""
    monkeypatch.setattr(exact, "HALF_FROM", half_from)
    rows = np.full((30, 16), 0.01, np.float32)
    rows[[4, 29]] = 0.25
    index = ExactIndex(16)
    index.put(range(30), rows, [0] * 30)
    before = everything(index)
    assert (before == 0.25).sum() == 32
    index.remove([29, 4])
    assert not (everything(index) == 0.25).any()


def test_a_large_gallery_is_held_once(units: Units) -> None:
    """Above the limit the rows are kept as float16 alone: two bytes a number and less than 16 a case beside them."""
    count, dimension = 20_000, 64
    index = ExactIndex(dimension)
    index.put(range(1, count + 1), units(count, dimension), [0] * count)
    index.search(units(1, dimension), 10)
    index.search(units(30, dimension), 10)
    assert index.nbytes < count * (2 * dimension + 16) + 4 * 65_536


def test_a_gallery_that_grows_past_the_limit_answers_as_before(units: Units, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores do not change with the way the rows are kept: both hold the same float16 values."""
    rows, probe = units(60, 32), units(1, 32, seed=4)
    narrow = ExactIndex(32)
    narrow.put(range(60), rows, [0] * 60)
    monkeypatch.setattr(exact, "HALF_FROM", 50)
    grown = ExactIndex(32)
    for i in range(60):
        grown.put([i], rows[i : i + 1], [0])
    for one, other in zip(narrow.search(probe, 60), grown.search(probe, 60), strict=True):
        assert np.array_equal(one, other)


def test_widening_is_exact_for_every_number() -> None:
    """All 63,488 finite float16 numbers, subnormal ones and both zeros included, become what numpy makes of them."""
    every = np.arange(65_536, dtype=np.uint16).view(np.float16)
    every = every[np.isfinite(every)].reshape(62, 1024)
    wide = widen(every, np.empty(every.shape, np.float32))
    assert np.array_equal(wide.view(np.int32), every.astype(np.float32).view(np.int32))


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
