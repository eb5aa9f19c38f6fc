"""Does the calibration still hold on site? A histogram of how unusual everyday searches were, and its verdict. Pure.

Every search's best score is turned, by the calibration in force, into the share of strangers' photos that should reach it; if
the calibration holds, a tenth of all searches fall below 0.1, a hundredth below 0.01. Counting shares instead of scores keeps
one histogram valid while the gallery grows and thresholds move. It is kept by quality and size of the face, and holds no
vector, no score and no case. True mates are rare (about 1 in 400 photos) and do not disturb the shares that are judged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from store.errors import BadInput
from store.model import FaceQuality

EDGES = (0.5, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0001)
"""Bin i counts shares above EDGES[i] (and at most EDGES[i-1]); the last bin what is below all."""
SIZES_PX = (32, 64, 128)
JUDGED = (0.1, 0.03, 0.01)
FACTOR = 2.0
SURE = 1e-3
LEAST_SEARCHES = 200


@dataclass(frozen=True, slots=True)
class Verdict:
    """``holds`` is None while there are too few searches to tell. ``why`` is the sentence for ``status`` and ``doctor``."""

    holds: bool | None
    why: str
    searches: int


@dataclass(slots=True)
class Drift:
    """Counts by kind of face ("good/64+"). Not thread-safe: one writer, or :meth:`merge` several."""

    counts: dict[str, list[int]] = field(default_factory=dict)

    def observe(self, share: float, quality: FaceQuality, width_px: float) -> None:
        """Count one search: ``share`` of strangers' photos (0 to 1) that should reach its best score."""
        row = self.counts.setdefault(kind(quality, width_px), [0] * (len(EDGES) + 1))
        row[next((i for i, edge in enumerate(EDGES) if share > edge), len(EDGES))] += 1

    def merge(self, other: Drift) -> None:
        """Add another histogram's counts."""
        for name, row in other.counts.items():
            mine = self.counts.setdefault(name, [0] * len(row))
            self.counts[name] = [a + b for a, b in zip(mine, row, strict=True)]

    def verdict(self) -> Verdict:
        """Whether strangers reach high scores more often than calibrated, over all faces good enough to alert."""
        rows = [row for name, row in self.counts.items() if name.startswith(f"{FaceQuality.GOOD.value}/")]
        searches = sum(map(sum, rows))
        if searches < LEAST_SEARCHES:
            return Verdict(None, f"{searches} searches seen, {LEAST_SEARCHES} needed to judge the calibration", searches)
        for share in JUDGED:
            bins = range(EDGES.index(share) + 1, len(EDGES) + 1)
            seen = sum(row[i] for row in rows for i in bins)
            expected = share * searches
            if seen > FACTOR * expected and poisson_tail(seen, expected) < SURE:
                why = (
                    f"{seen} of {searches} searches reached a score that {expected:.0f} should have reached: strangers here "
                    "score higher than calibrated. Alerts need a person (alerts.release: review) until a cohort from here "
                    "is added (suishoupai calibrate --cohort PHOTOS)"
                )
                return Verdict(False, why, searches)
        return Verdict(True, f"the calibration holds over {searches} searches", searches)

    def as_json(self) -> dict[str, list[int]]:
        """The counts, for storing."""
        return {name: list(row) for name, row in sorted(self.counts.items())}

    @classmethod
    def from_json(cls, content: Mapping[str, Sequence[int]]) -> Drift:
        """The histogram that :meth:`as_json` gave.

        Raises:
            BadInput: another shape, as an older version may have stored it.
        """
        for name, row in content.items():
            if len(row) != len(EDGES) + 1 or not all(isinstance(n, int) and n >= 0 for n in row):
                raise BadInput(f"drift histogram {name!r}: not the shape of this version", mend="start a new histogram")
        return cls({name: list(row) for name, row in content.items()})


def kind(quality: FaceQuality, width_px: float) -> str:
    """The histogram's row for a face: its quality and the largest of SIZES_PX that it reaches, e.g. ``good/64+``."""
    reached = [size for size in SIZES_PX if width_px >= size]
    return f"{quality.value}/{reached[-1] if reached else 0}+"


def poisson_tail(seen: int, expected: float) -> float:
    """P(X >= seen) for a Poisson variable with mean ``expected``; above 0."""
    term = math.exp(-expected)
    total = 0.0
    for k in range(seen):
        total += term
        term *= expected / (k + 1)
    return max(0.0, 1.0 - total) if expected < 700 else _normal_tail(seen, expected)


def _normal_tail(seen: int, expected: float) -> float:
    return 0.5 * math.erfc((seen - 0.5 - expected) / math.sqrt(2 * expected))
