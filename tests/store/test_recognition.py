"""Drift, an operator's cohort and tracks, as the store keeps them."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from store import recognition
from store.keys import make_key, parse_keys
from store.session import Store
from store.vault import AesVault

PACK, OTHER = "a" * 64, "b" * 64


def _units(count: int) -> list[np.ndarray]:
    rows = np.random.default_rng(3).normal(size=(count, 16)).astype(np.float32)
    return list(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def test_a_cohort_is_sealed_belongs_to_its_pack_and_is_replaced_whole(tmp_path: Path) -> None:
    """Vectors come back within float16 rounding, no other pack sees them, and their bytes are nowhere in the file."""
    store = Store(f"sqlite:///{tmp_path / 'x.sqlite'}", lambda: datetime.now(UTC), AesVault(parse_keys(make_key())))
    store.migrate()
    rows = _units(70)
    with store.write() as tx:
        assert recognition.replace_cohort(tx, PACK, rows) == 70
    with store.read() as tx:
        kept = recognition.cohort(tx, PACK)
        assert recognition.cohort(tx, OTHER) == []
    assert min(float(a @ b) for a, b in zip(rows, kept, strict=True)) > 0.999
    store.checkpoint()
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert rows[0].astype("<f2").tobytes() not in content
    with store.write() as tx:
        recognition.replace_cohort(tx, PACK, rows[:60])
    with store.read() as tx:
        assert len(recognition.cohort(tx, PACK)) == 60
    store.close()


def test_drift_is_kept_for_each_pack(tmp_path: Path) -> None:
    """A histogram is replaced by the newer one of the same pack and by no other's."""
    store = Store(f"sqlite:///{tmp_path / 'x.sqlite'}", lambda: datetime.now(UTC))
    store.migrate()
    with store.write() as tx:
        assert recognition.drift_of(tx, PACK) == {}
        recognition.keep_drift(tx, PACK, {"good/64+": [1, 2]})
        recognition.keep_drift(tx, OTHER, {"good/64+": [7]})
        recognition.keep_drift(tx, PACK, {"good/64+": [2, 2]})
        assert recognition.drift_of(tx, PACK) == {"good/64+": [2, 2]}
    store.close()
