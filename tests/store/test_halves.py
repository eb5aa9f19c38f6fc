"""The numbers of a template: float16 in whole steps, the same however often and wherever they are made."""

from __future__ import annotations

import numpy as np

from store.halves import STEPS, halved, stepped, unstepped


def grid() -> np.ndarray:
    """All float16 numbers from -1 to 1 that are whole steps, ascending."""
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    every = every[np.isfinite(every)].astype(np.float64)
    return np.unique(every[(np.abs(every) <= 1) & (every * STEPS == np.rint(every * STEPS))])


def test_the_numbers_are_float16_and_whole_steps() -> None:
    """Every such number stays what it is, 1 and -1 included, and nothing else comes out."""
    numbers = grid()
    assert len(numbers) == 2 * (1024 + 5 * 1024) + 1
    assert np.array_equal(halved(numbers[:, None]).ravel(), numbers.astype(np.float16))
    anything = np.random.default_rng(0).uniform(-1, 1, (3000, 40)).astype(np.float32)
    assert set(np.unique(halved(anything)).tolist()) <= set(numbers.tolist())


def test_the_nearest_number_is_taken() -> None:
    """Within half the distance to the neighbour, but for what rounding twice may add: an eighth of a step below 2**-5."""
    rows = np.random.default_rng(1).uniform(-1, 1, (2000, 20)).astype(np.float32)
    numbers = grid()
    at = np.clip(np.searchsorted(numbers, rows), 1, len(numbers) - 1)
    least = np.minimum(np.abs(rows - numbers[at - 1]), np.abs(rows - numbers[at]))
    gap = numbers[at] - numbers[at - 1]
    assert (np.abs(halved(rows) - rows.astype(np.float64)) <= np.maximum(least, 0.5 * gap + 0.5 / STEPS)).all()


def test_a_score_moves_little_more_than_float16_moves_it() -> None:
    """Over unit vectors of the dimensions that engines make: about 1e-5 for a cosine, as with float16 alone."""
    for dimension in (128, 256, 512):
        rows = np.random.default_rng(dimension).normal(size=(2000, dimension)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        kinds = halved(rows), rows.astype(np.float16)
        moved, by_float16 = (float(np.abs((kept.astype(np.float64) - rows) @ rows[:50].T).mean()) for kept in kinds)
        assert moved < 2e-5
        assert moved < 1.5 * by_float16


def test_counting_and_back_in_parts_of_any_size() -> None:
    """Steps and numbers are each other's inverse; no rows, one row and more than are worked on together."""
    for count in (0, 1, 5000):
        rows = np.random.default_rng(2).uniform(-1, 1, (count, 128)).astype(np.float32)
        steps = stepped(rows)
        assert np.array_equal(stepped(unstepped(steps)), steps)
        assert np.array_equal(unstepped(steps), halved(rows).astype(np.float32))
    assert stepped(np.array([[1.0, -1.0, 0.0, -0.0]])).tolist() == [[32_767, -32_768, 0, 0]]
    assert unstepped(np.array([[32_767, -32_768]], np.int16)).tolist() == [[1.0, -1.0]]
