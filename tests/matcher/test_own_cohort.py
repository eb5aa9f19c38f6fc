"""An operator's own cohort: enough different strangers, each once. Keeping it is the store's work (tests/store)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from matcher import own_cohort
from store.errors import BadInput

Units = Callable[..., np.ndarray]


def test_enough_strangers_pass(units: Units) -> None:
    """Sixty different persons are a cohort."""
    assert len(own_cohort.checked(units(60), 0.8)) == 60


def test_too_few_strangers_are_refused(units: Units) -> None:
    """59 faces cannot calibrate, however many photos there are of them."""
    with pytest.raises(BadInput, match="too few"):
        own_cohort.checked(np.concatenate([units(59), units(59)]), 0.8)


def test_one_person_counts_once(units: Units) -> None:
    """Several photos of one stranger are one stranger."""
    rows = units(10)
    again = np.concatenate([rows, rows[:4]])
    assert len(own_cohort.different(again, 0.8)) == 10
