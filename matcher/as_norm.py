"""Adaptive symmetric score normalisation (AS-norm) with the gallery itself as cohort. Pure.

Each score is centred and scaled twice, by the face's own top impostor scores and by the case's own, and the two are averaged:
a toddler who resembles every toddler no longer passes for each of them. After Matejka et al., "Analysis of score
normalization in multilingual speaker recognition" (Interspeech 2017). Measured on children, 500 enrolled with one photo each:
FNIR at FPIR 1% falls from 0.765 to 0.588, and one threshold serves galleries of 60 to 500 cases.

What is left is that strangers of one kind still come higher than those of another: children among many adults, or a people of
whom the gallery holds few. So the score is also measured against strangers like this very face (:class:`Local`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matcher import likeness
from matcher.cohort import Cohort
from matcher.gallery import Gallery, Vectors

TOP = 10
"""Impostor scores that count on either side. So few, because a face of a kind of which the gallery holds thirty has no more than
thirty true impostors: with 50 such strangers came 1.8 to 5.3 times as high as promised, with 10 1.6 to 4.5 times, before
:class:`Local`. Children are found as well or better (missed at an FPIR of 1%: 51.9% with 50, 50.3% with 10)."""
FLOOR = 0.05
"""Least deviation: a probe with an oddly even cohort must not turn a small lead into a large score (57.4% with it)."""


NEIGHBOURS = 30
"""Members that stand for "strangers like this one". 8 to 15 are too few to say how high such come, 60 take others in."""

Statistics = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Local:
    """How high strangers of each kind come. ``best``: the best score of each member of a cohort, searched among the others.

    The middle of the members most like a face, less the middle of all, is what its scores are too high or too low by. A middle,
    not a mean: a child registered twice has a high best score and must not make its like invisible. Measured with 500 cases of
    children and adults: strangers reached the high band 2.0 to 2.8 times (children) and 0.6 times (adults) as often as promised
    before, 1.6 and 1.0 times with it.
    """

    best: NDArray[np.float32]

    def surplus(self, likeness: NDArray[np.float32]) -> NDArray[np.float64]:
        """What the scores of faces are too high by.

        Args:
            likeness: Cosines of faces with the members, shape (r, m); -inf leaves a member out.

        Returns:
            One number a face, shape (r,), in the unit of the scores.
        """
        count = min(NEIGHBOURS, likeness.shape[1] - 1)
        nearest = np.argpartition(-likeness, count - 1, axis=1)[:, :count]
        usual = float(np.median(self.best))
        return np.asarray(np.median(self.best[nearest], axis=1), np.float64) - usual


def normalise(probes: Vectors, case_ids: NDArray[np.int64], raw: NDArray[np.float32], gallery: Gallery) -> NDArray[np.float32]:
    """AS-norm scores of the given pairs.

    Args:
        probes: Unit vectors, shape (p, dimension).
        case_ids: Cases to score for each probe, shape (p, k), or (k,) for the same cases for all; all in the gallery.
        raw: Their cosines, shape (p, k).
        gallery: Gives templates and cohort.

    Returns:
        Scores of shape (p, k), without unit: about how many deviations above this pair's impostors.
    """
    cohort = gallery.cohort()
    faces, scores = cohort.common.without(probes), raw
    if cohort.common.direction is not None:
        wanted, at = np.unique(case_ids, return_inverse=True)
        templates = cohort.common.without(gallery.templates_of(wanted.tolist()))
        scores = np.take_along_axis(faces @ templates.T, np.broadcast_to(at.reshape(case_ids.shape), raw.shape), axis=1)
    mean_case, deviation_case = _of_cases(case_ids, gallery, cohort)
    own = np.broadcast_to(cohort.positions(case_ids), raw.shape)
    like = faces @ cohort.freed.T
    mean_probe, deviation_probe = statistics_without(like, own)
    result = 0.5 * ((scores - mean_probe) / deviation_probe + (scores - mean_case) / deviation_case)
    return (result - surplus(cohort, like)[:, None]).astype(np.float32)


def surplus(cohort: Cohort, likeness: NDArray[np.float32]) -> NDArray[np.float64]:
    """What the scores of faces are too high by for strangers of their kind; see :meth:`Local.surplus`. Zeros where the cohort is
    too small to tell. Worked out once for each state of the cohort."""
    if len(cohort) <= NEIGHBOURS:
        return np.zeros(len(likeness))
    if cohort.local is None:
        scores, _ = _among_each_other(cohort.freed)
        object.__setattr__(cohort, "local", Local(scores.max(axis=1)))
    assert cohort.local is not None
    return cohort.local.surplus(likeness)


def _of_cases(case_ids: NDArray[np.int64], gallery: Gallery, cohort: Cohort) -> tuple[Statistics, Statistics]:
    """Mean and deviation of each case's own impostor scores, worked out once for each state of the cohort."""
    wanted = np.unique(case_ids)
    known = cohort.statistics
    missing = np.array([case_id for case_id in wanted.tolist() if case_id not in known], np.int64)
    if len(missing):
        scores = cohort.common.without(gallery.templates_of(missing.tolist())) @ cohort.freed.T
        mean, deviation = statistics_without(scores, cohort.positions(missing)[:, None])
        known.update(zip(missing.tolist(), zip(mean[:, 0].tolist(), deviation[:, 0].tolist(), strict=True), strict=True))
    table = np.array([known[case_id] for case_id in wanted.tolist()])
    at = np.searchsorted(wanted, case_ids)
    return table[at, 0], table[at, 1]


def statistics_without(scores: NDArray[np.float32], own: NDArray[np.int64], top: int = TOP) -> tuple[Statistics, Statistics]:
    """Mean and floored deviation of each row's ``top`` best impostor scores, leaving out one position for each entry of ``own``.

    Args:
        scores: Scores of faces against the whole cohort, shape (r, m).
        own: Positions to leave out, shape (r, c); -1 leaves nothing out.
        top: How many scores count.

    Returns:
        Two arrays of shape (r, c).
    """
    members = scores.shape[1]
    count = min(top + 1, members)
    best = -np.partition(-scores, count - 1, axis=1)[:, :count].astype(np.float64)
    limit = best[:, -1:]
    theirs = np.where(own >= 0, np.take_along_axis(scores, np.maximum(own, 0), axis=1), -np.inf)
    # Of top + 1 scores one goes: their own, or the lowest if theirs is not among them. A small cohort keeps a stranger's all.
    gone = np.maximum(theirs, limit)
    drop = (own >= 0) | (members > top)
    n = count - drop
    mean = (best.sum(axis=1, keepdims=True) - gone * drop) / n
    variance = ((best**2).sum(axis=1, keepdims=True) - gone**2 * drop) / n - mean**2
    return mean, np.maximum(np.sqrt(np.maximum(variance, 0.0)), FLOOR)


def searched_among_each_other(
    members: Vectors, same: float = 1.1, kept: int = 20
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What strangers reach: each member as a probe among all others, freed and normalised as a real probe would be.

    Args:
        members: Unit vectors of different persons, shape (m, dimension), m at least 3.
        same: Pairs with this cosine or more are one person registered twice and do not count.
        kept: Scores kept for each member.

    Returns:
        The best score of each member, shape (m,), and the ``kept`` best scores of each, flat.
    """
    twice = members @ members.T >= same
    both, likeness_of_all = _among_each_other(likeness.of_members(members).without(members))
    if len(members) > NEIGHBOURS:
        both -= Local(both.max(axis=1)).surplus(likeness_of_all)[:, None].astype(np.float32)
    both[twice] = -np.inf
    np.fill_diagonal(both, -np.inf)
    keep = min(kept, len(members) - 1)
    highest = -np.partition(-both, keep - 1, axis=1)[:, :keep]
    return highest.max(axis=1), highest.ravel()


def _among_each_other(freed: Vectors) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scores of freed members with each other, without :class:`Local`, and their cosines; -inf on both diagonals.

    For the pair (i, j) both are left out of both cohorts: a real stranger is not registered. The members' matrix is
    symmetric, so one matrix of one-sided scores and its transpose give all pairs.
    """
    cosines = freed @ freed.T
    np.fill_diagonal(cosines, -np.inf)
    top = min(TOP, len(freed) - 2)
    best = np.partition(cosines, -(top + 1), axis=1)[:, -(top + 1) :].astype(np.float64)
    # In float32 and in place: every array here is a whole matrix, and the difference stays below 1e-6.
    total, squares = (sums.sum(axis=1, keepdims=True).astype(np.float32) for sums in (best, best**2))
    left_out = np.maximum(cosines, best.min(axis=1, keepdims=True).astype(np.float32))
    np.fill_diagonal(left_out, 0.0)
    mean = (total - left_out) / np.float32(top)
    deviation = (squares - left_out * left_out) / np.float32(top) - mean * mean
    np.sqrt(np.maximum(deviation, FLOOR**2, out=deviation), out=deviation)
    one_sided = (cosines - mean) / deviation
    return np.float32(0.5) * (one_sided + one_sided.T), cosines
