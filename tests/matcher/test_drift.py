from __future__ import annotations

import json

import numpy as np
import pytest

from matcher.drift import Drift, kind, poisson_tail
from store.errors import BadInput
from store.model import FaceQuality


def seen(shares: np.ndarray, quality: FaceQuality = FaceQuality.GOOD) -> Drift:
    drift = Drift()
    for share in shares:
        drift.observe(float(share), quality, 80)
    return drift


def test_a_calibration_that_holds_is_not_questioned() -> None:
    """Over 50 runs of 2,000 searches whose shares are what the calibration says, it is never called into question."""
    for seed in range(50):
        assert seen(np.random.default_rng(seed).uniform(size=2000)).verdict().holds is True


def test_true_mates_do_not_look_like_drift() -> None:
    """Six children found in 2,500 photos, each at a share no stranger reaches, change nothing."""
    shares = np.random.default_rng(0).uniform(size=2500)
    shares[:6] = 1e-6
    assert seen(shares).verdict().holds is True


def test_strangers_who_score_higher_than_calibrated_are_noticed() -> None:
    """Where three times as many searches as calibrated reach the 1-in-10 score, the verdict says so and what to do."""
    verdict = seen(np.random.default_rng(1).uniform(size=1000) ** 2).verdict()
    assert verdict.holds is False
    assert "calibrate --cohort" in verdict.why


def test_too_few_searches_give_no_verdict() -> None:
    """Below 200 searches nothing is claimed."""
    assert seen(np.full(100, 1e-6)).verdict().holds is None


def test_only_faces_that_can_alert_are_judged() -> None:
    """LOW faces are counted in rows of their own and do not raise an alarm."""
    assert seen(np.full(1000, 1e-6), FaceQuality.LOW).verdict().holds is None


def test_it_survives_storing_and_adds_up() -> None:
    """As JSON and back nothing is lost; merging two histograms is counting both."""
    a, b = seen(np.linspace(0, 1, 300)), seen(np.full(50, 1e-6), FaceQuality.LOW)
    again = Drift.from_json(json.loads(json.dumps(a.as_json())))
    assert again == a
    again.merge(b)
    assert sum(map(sum, again.counts.values())) == 350


@pytest.mark.parametrize("row", [[1, 2], [0] * 8 + [-1], ["x"] * 9])
def test_a_histogram_of_another_shape_is_refused(row: list[int]) -> None:
    """What another version stored is not misread."""
    with pytest.raises(BadInput, match="histogram"):
        Drift.from_json({"good/64+": row})


@pytest.mark.parametrize(("width", "row"), [(10, "good/0+"), (32, "good/32+"), (100, "good/64+"), (900, "good/128+")])
def test_rows_by_size(width: float, row: str) -> None:
    """Faces are counted by the size class they reach."""
    assert kind(FaceQuality.GOOD, width) == row


def test_poisson_tail_by_hand() -> None:
    """P(X >= 3) with mean 1 is 0.0803; large means are approximated closely."""
    assert poisson_tail(3, 1.0) == pytest.approx(0.0803, abs=1e-4)
    assert poisson_tail(0, 5.0) == 1.0
    assert poisson_tail(800, 800.0) == pytest.approx(0.5, abs=0.02)
