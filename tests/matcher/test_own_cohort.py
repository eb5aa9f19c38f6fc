from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from matcher import own_cohort
from store.errors import BadInput, EngineError

PACK = "a" * 64
Units = Callable[..., np.ndarray]


def test_a_cohort_comes_back_as_it_was_kept(units: Units, tmp_path: Path) -> None:
    """Vectors are kept within float16 rounding, of unit length, readable by their owner alone, and nothing else is left."""
    rows = units(80)
    path = own_cohort.save(tmp_path, PACK, rows)
    kept = own_cohort.load(tmp_path, PACK)
    assert kept is not None
    assert np.einsum("ij,ij->i", kept, rows).min() > 0.9999
    assert np.allclose(np.linalg.norm(kept, axis=1), 1, atol=1e-6)
    assert os.stat(path).st_mode & 0o077 == 0
    assert [each.name for each in tmp_path.iterdir()] == ["cohort.npz"]


def test_no_cohort_is_no_error(tmp_path: Path) -> None:
    """A pack without a cohort has none."""
    assert own_cohort.load(tmp_path, PACK) is None


def test_too_few_strangers_are_refused(units: Units, tmp_path: Path) -> None:
    """59 faces cannot calibrate; nothing is written."""
    with pytest.raises(BadInput, match="too few"):
        own_cohort.save(tmp_path, PACK, units(59))
    assert list(tmp_path.iterdir()) == []


def test_a_cohort_of_another_pack_or_a_damaged_one_is_refused(units: Units, tmp_path: Path) -> None:
    """Vectors of two packs are never compared, and a broken file says how to make it anew."""
    path = own_cohort.save(tmp_path, PACK, units(60))
    with pytest.raises(EngineError, match="another pack"):
        own_cohort.load(tmp_path, "b" * 64)
    path.write_bytes(b"PK not a zip")
    with pytest.raises(EngineError, match="not readable") as caught:
        own_cohort.load(tmp_path, PACK)
    assert "calibrate --cohort" in caught.value.mend


def test_one_person_counts_once(units: Units) -> None:
    """Several photos of one stranger are one stranger."""
    rows = units(10)
    again = np.concatenate([rows, rows[:4]])
    assert len(own_cohort.different(again, 0.8)) == 10
