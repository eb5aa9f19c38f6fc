"""Error rates of face comparison in the terms of ISO/IEC 19795-1 and NIST FRTE. Pure; every function works on scores alone.

FMR, FNMR: the share of non-mated comparisons at or above a threshold, of mated ones below it (1:1). FPIR: the share of
searches of unregistered persons that return anyone at or above it. FNIR: the share of searches of registered persons that do
not return their mate at or above it among the first R (1:N, open set).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A rate with its 95% interval (bootstrap over persons). ``None`` bounds: too few persons to give one."""

    value: float
    low: float | None = None
    high: float | None = None


def threshold_at(nonmated: Scores, rate: float, weights: Scores | None = None) -> float:
    """The lowest threshold at which at most ``rate`` of the non-mated scores pass.

    Args:
        nonmated: Scores of different persons, shape (n,), n at least 1.
        rate: Wanted FMR or FPIR.
        weights: How often each score counts; once by default.
    """
    order = np.argsort(-nonmated, kind="stable")
    counts = np.ones(len(order)) if weights is None else weights[order]
    return _threshold(nonmated[order], np.cumsum(counts), rate)


def _threshold(descending: Scores, passed: Scores, rate: float) -> float:
    """:func:`threshold_at` for scores in descending order and the running sum of their weights."""
    allowed = int(np.searchsorted(passed, rate * (1 + 1e-9) * float(passed[-1]), side="right"))
    return float(np.nextafter(descending[allowed], np.inf)) if allowed < len(descending) else float(descending[-1])


def below(mated: Scores, threshold: float, weights: Scores | None = None) -> float:
    """The weighted share of ``mated`` scores below ``threshold``: FNMR or FNIR."""
    counts = np.ones(len(mated)) if weights is None else weights
    total = float(counts.sum())
    return float(counts[mated < threshold].sum()) / total if total else float("nan")


def equal_error_rate(mated: Scores, nonmated: Scores) -> tuple[float, float]:
    """(EER, threshold): the mean of FMR and FNMR where they come closest."""
    thresholds = np.unique(np.concatenate([mated, nonmated]))
    fnmr = np.searchsorted(np.sort(mated), thresholds, side="left") / len(mated)
    fmr = 1.0 - np.searchsorted(np.sort(nonmated), thresholds, side="left") / len(nonmated)
    at = int(np.argmin(np.abs(fmr - fnmr)))
    return float((fmr[at] + fnmr[at]) / 2), float(thresholds[at])


def det_curve(mated: Scores, nonmated: Scores, points: int = 200) -> tuple[Scores, Scores]:
    """(FMR, FNMR) for thresholds at which FMR falls evenly on a logarithmic scale; for drawing."""
    rates = np.geomspace(1.0 / len(nonmated), 1.0, points)
    descending, passed = np.sort(nonmated)[::-1], np.arange(1.0, len(nonmated) + 1)
    thresholds = [_threshold(descending, passed, float(rate)) for rate in rates]
    return rates, np.searchsorted(np.sort(mated), thresholds, side="left") / len(mated)


def fnmr_with_interval(
    mated: Scores,
    mated_person: NDArray[np.int64],
    nonmated: Scores,
    nonmated_persons: NDArray[np.int64],
    rate: float,
    repeats: int = 200,
    seed: int = 0,
) -> Estimate:
    """FNMR at FMR ``rate``, with a bootstrap over persons: comparisons of one person depend on each other.

    Args:
        mated: Mated scores, shape (m,).
        mated_person: The person of each, numbered from 0, shape (m,).
        nonmated: Non-mated scores, shape (n,).
        nonmated_persons: The two persons of each, shape (n, 2).
        rate: The FMR at which the threshold is taken, in every resample anew.
        repeats: Resamples.
        seed: Makes the interval reproducible.
    """
    value = below(mated, threshold_at(nonmated, rate))
    persons = int(max(mated_person.max(), nonmated_persons.max())) + 1
    if persons < 10:
        return Estimate(value)
    rng = np.random.default_rng(seed)
    order = np.argsort(-nonmated, kind="stable")
    descending, first, second = nonmated[order], nonmated_persons[order, 0], nonmated_persons[order, 1]
    samples = []
    for _ in range(repeats):
        drawn = np.bincount(rng.integers(persons, size=persons), minlength=persons).astype(np.float64)
        of_mated, passed = drawn[mated_person], np.cumsum(drawn[first] * drawn[second])
        if of_mated.sum() and passed[-1]:
            samples.append(below(mated, _threshold(descending, passed, rate), of_mated))
    low, high = np.quantile(np.array(samples), [0.025, 0.975])
    return Estimate(value, float(low), float(high))


@dataclass(frozen=True, slots=True)
class Identification:
    """Open-set 1:N rates of one experiment. ``fnir`` maps an FPIR to an FNIR; None where too few searches can show it."""

    enrolled: int
    mated_searches: int
    nonmated_searches: int
    rank: dict[int, float]
    fnir: dict[float, float | None]


def identification(
    best_nonmated: Scores,
    mate_score: Scores,
    mate_rank: NDArray[np.int64],
    enrolled: int,
    fpirs: Sequence[float],
    ranks: Sequence[int],
) -> Identification:
    """Rates of an open-set experiment.

    Args:
        best_nonmated: The best score of each search of an unregistered person.
        mate_score: The mate's score in each search of a registered person.
        mate_rank: The mate's rank there, 1 the best.
        enrolled: Size of the gallery.
        fpirs: At which FPIR the FNIR is wanted.
        ranks: Up to which rank the share of found mates is wanted (without a threshold).
    """
    within = max(ranks)
    scores = np.where(mate_rank <= within, mate_score, -np.inf)
    fnir: dict[float, float | None] = {}
    for fpir in fpirs:
        shown = len(best_nonmated) * fpir >= 1.0
        fnir[fpir] = below(scores, threshold_at(best_nonmated, fpir)) if shown else None
    found = {rank: float((mate_rank <= rank).mean()) for rank in ranks}
    return Identification(enrolled, len(mate_score), len(best_nonmated), found, fnir)
