from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from matcher import metrics


def test_a_threshold_lets_at_most_the_wanted_share_pass() -> None:
    """Of 1,000 different scores, FMR 1e-2 lets exactly ten pass; equal scores pass together or not at all."""
    scores = np.arange(1000.0)
    threshold = metrics.threshold_at(scores, 0.01)
    assert (scores >= threshold).sum() == 10
    tied = np.array([5.0] * 50 + [1.0] * 950)
    assert (tied >= metrics.threshold_at(tied, 0.01)).sum() == 0
    assert (tied >= metrics.threshold_at(tied, 0.05)).sum() == 50


def test_known_distributions_give_their_known_error_rates() -> None:
    """Two normal distributions two deviations apart have an EER of Phi(-1), and FNMR at FMR 1e-2 as computed by hand."""
    rng = np.random.default_rng(0)
    nonmated, mated = rng.normal(0, 1, 200_000), rng.normal(2, 1, 50_000)
    eer, threshold = metrics.equal_error_rate(mated, nonmated)
    normal = NormalDist()
    assert eer == pytest.approx(normal.cdf(-1), abs=0.003)
    assert threshold == pytest.approx(1.0, abs=0.03)
    wanted = normal.cdf(normal.inv_cdf(0.99) - 2)
    assert metrics.below(mated, metrics.threshold_at(nonmated, 0.01)) == pytest.approx(wanted, abs=0.01)


def test_the_interval_covers_the_truth_and_narrows_with_more_persons() -> None:
    """The bootstrap over persons surrounds the value; with ten times the persons it is narrower."""
    widths = []
    for persons in (20, 200):
        rng = np.random.default_rng(1)
        who = np.repeat(np.arange(persons), 5)
        mated = rng.normal(2, 1, persons)[who] * 0.5 + rng.normal(1, 0.7, len(who))
        pairs = rng.integers(persons, size=(5000, 2))
        estimate = metrics.fnmr_with_interval(mated, who, rng.normal(0, 1, 5000), pairs, 0.01)
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low <= estimate.value <= estimate.high
        widths.append(estimate.high - estimate.low)
    assert widths[1] < widths[0]


def test_too_few_persons_give_no_interval() -> None:
    """With nine persons or fewer no interval is claimed."""
    who = np.array([0, 1, 2])
    estimate = metrics.fnmr_with_interval(np.array([0.5, 0.6, 0.7]), who, np.linspace(0, 0.4, 200), np.zeros((200, 2), int), 0.1)
    assert (estimate.low, estimate.high) == (None, None)


def test_open_set_rates_by_hand() -> None:
    """Ten strangers' searches and four of registered persons: rank and FNIR are counted as on paper."""
    strangers = np.arange(10) / 10
    result = metrics.identification(
        strangers, np.array([0.95, 0.85, 0.99, 0.2]), np.array([1, 2, 1, 30]), 50, (0.1, 0.01), (1, 5, 20)
    )
    assert result.rank == {1: 0.5, 5: 0.75, 20: 0.75}
    # At FPIR 10% one stranger (0.9) may pass, so the threshold lies just above 0.8: only the mate of rank 30 is missed.
    assert result.fnir[0.1] == pytest.approx(0.25)
    assert result.fnir[0.01] is None


def test_the_det_curve_falls() -> None:
    """A higher FMR never has a higher FNMR."""
    rng = np.random.default_rng(2)
    fmr, fnmr = metrics.det_curve(rng.normal(1, 1, 500), rng.normal(0, 1, 5000))
    assert np.all(np.diff(fmr) > 0)
    assert np.all(np.diff(fnmr) <= 0)
