"""What a cohort has in common is found where it stands out, taken out of what is compared, and left alone elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from matcher import as_norm, likeness
from matcher.engines.base import Vector
from matcher.gallery import Gallery

PACK = "p" * 64


def unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def persons(count: int, spread: float, seed: int = 0) -> np.ndarray:
    """Unit vectors of different persons around a common face, spread along one direction (their age) and noise otherwise."""
    rng = np.random.default_rng(seed)
    common, age = np.eye(128)[0], np.eye(128)[1]
    return unit(common + rng.normal(0, spread, (count, 1)) * age + rng.normal(0, 0.1, (count, 128)))


def test_a_direction_that_stands_out_is_found_and_taken_out() -> None:
    """Persons who differ in age above all: freed of it, two of one age no longer resemble each other more than others do."""
    rows = persons(400, 0.5)
    common = likeness.of_members(rows)
    assert common.direction is not None
    assert abs(common.direction[1]) > 0.95
    freed = common.without(rows)
    assert np.allclose(np.linalg.norm(freed, axis=1), 1.0, atol=1e-5)
    assert np.abs(freed @ common.direction).max() < 1e-4


def test_nothing_is_taken_where_nothing_stands_out() -> None:
    """An even cohort, as of adults, and one too small to tell keep their vectors, bit for bit."""
    for rows in (persons(400, 0.1), persons(likeness.FROM - 1, 0.5)):
        assert likeness.of_members(rows).without(rows) is rows


def test_a_mate_is_found_among_others_of_the_age_that_a_search_was_made_at() -> None:
    """The same child photographed older: among children of its new age it comes first once the age is taken out, not before."""
    rng = np.random.default_rng(5)
    rows = persons(500, 0.5)
    probes = unit(rows + rng.normal(0, 0.09, rows.shape) + 1.0 * np.eye(128)[1])
    gallery = Gallery(128, "pack", PACK)
    for number, row in enumerate(rows):
        gallery.put(number, [row], PACK)
    hits = gallery.search(probes, 500)
    own = np.arange(500)[:, None]

    def first(scores: np.ndarray) -> float:
        best = np.take_along_axis(hits.case_ids, scores.argmax(axis=1)[:, None], axis=1)
        return float((best == own).mean())

    assert first(as_norm.normalise(probes, hits.case_ids, hits.scores, gallery)) > first(hits.scores) + 0.1


@pytest.mark.parametrize("spread", [0.1, 0.5])
def test_the_fit_frees_as_a_search_does(spread: float) -> None:
    """Cases searched among each other come as high as strangers of the same kind do, freed or not: the fit is not too hopeful."""
    members, strangers = persons(300, spread), persons(300, spread, seed=1)
    fitted, _ = as_norm.searched_among_each_other(members)
    gallery = Gallery(128, "pack", PACK)
    for number, row in enumerate(members):
        gallery.put(number, [row], PACK)
    hits = gallery.search(strangers, 300)
    seen = as_norm.normalise(strangers, hits.case_ids, hits.scores, gallery).max(axis=1)
    assert np.median(seen) == pytest.approx(np.median(fitted), abs=0.15)
    assert np.quantile(seen, 0.9) < np.quantile(fitted, 0.9) + 0.2


def test_a_face_is_never_lost_for_being_the_middle() -> None:
    """The cohort's middle itself has no direction left; it gives finite numbers, not an error."""
    rows = persons(400, 0.5)
    common = likeness.of_members(rows)
    middle: Vector = unit(rows.mean(axis=0, keepdims=True))
    assert np.isfinite(common.without(middle)).all()
