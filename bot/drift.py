"""The everyday scores of strangers, kept as a histogram beside the calibration: does it still hold here?"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from matcher.drift import Drift, Verdict
from store import recognition
from store.errors import BadInput
from store.model import FaceQuality
from store.session import Store, Tx


class DriftBook:
    """Collects what was observed since the last :meth:`keep`. Safe to share between threads."""

    def __init__(self) -> None:
        self._new = Drift()
        self._lock = threading.Lock()

    def observe(self, seen: Iterable[tuple[float, FaceQuality, float]]) -> None:
        """Count searches: (share of strangers that should reach the best score, quality, face width in pixels)."""
        with self._lock:
            for share, quality, width_px in seen:
                self._new.observe(share, quality, width_px)

    @property
    def waiting(self) -> int:
        """How many searches were counted since the last :meth:`keep`."""
        with self._lock:
            return sum(sum(row) for row in self._new.counts.values())

    def keep(self, store: Store, pack_sha256: str) -> None:
        """Add what is new to what the store has."""
        with self._lock:
            new, self._new = self._new, Drift()
        if not new.counts:
            return
        with store.write("drift.kept") as tx:
            kept = kept_drift(tx, pack_sha256)
            kept.merge(new)
            recognition.keep_drift(tx, pack_sha256, kept.as_json())


def kept_drift(tx: Tx, pack_sha256: str) -> Drift:
    """The histogram in the store; a new one where an older version's shape does not fit."""
    try:
        return Drift.from_json(recognition.drift_of(tx, pack_sha256))
    except BadInput:
        return Drift()


def verdict(tx: Tx, pack_sha256: str) -> Verdict:
    """Whether the everyday tail left the calibrated one."""
    return kept_drift(tx, pack_sha256).verdict()
