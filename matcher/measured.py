"""What an evaluation takes in and gives out: labelled samples, rates, and scores for the plots; never a vector in a result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matcher import metrics
from matcher.engines.base import DetectedFace


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled photo that gave a usable face. ``age`` in years, None where unknown."""

    person: str
    group: str
    age: float | None
    face: DetectedFace


@dataclass(frozen=True, slots=True)
class Verification:
    """1:1 results. ``fnmr`` maps an FMR to FNMR with its interval; ``threshold`` to the cosine at that FMR."""

    label: str
    mated: int
    nonmated: int
    eer: float
    fnmr: dict[float, metrics.Estimate]
    threshold: dict[float, float]


@dataclass(frozen=True, slots=True)
class Search:
    """1:N results at one gallery size, as cosine and (from 60 cases on) normalised, mean over random splits."""

    label: str
    photos_per_case: int
    raw: metrics.Identification
    normalised: metrics.Identification | None


@dataclass(frozen=True, slots=True)
class BandWord:
    """Whether the product's bands keep their word: what they promise, what they did on searches of unregistered persons.

    ``high_found`` and ``review_found`` are the shares of searches of registered persons whose mate came up in that band.
    """

    label: str
    enrolled: int
    photos_per_case: int
    rule: str
    high_threshold: float
    promised_fpir: float
    high_fpir: float
    promised_review_per_photo: float
    review_per_photo: float
    nonmated_searches: int
    high_found: float
    review_found: float


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that ``evaluate faces`` measured; holds counts, rates and scores, never a vector."""

    pack_id: str
    pack_sha256: str
    photos: int
    persons: int
    failed: tuple[str, ...]
    unusable: int
    low_quality: int
    verification: tuple[Verification, ...]
    searches: tuple[Search, ...]
    bands: tuple[BandWord, ...]

    @property
    def failure_to_enrol(self) -> float:
        """The share of photos that give no face good enough to register."""
        return (len(self.failed) + self.unusable) / self.photos if self.photos else 0.0


@dataclass(frozen=True, slots=True)
class Plotted:
    """Scores for the plots: mated and non-mated cosines of 1:1, and the best scores of strangers' searches.

    ``strangers`` maps (scale, gallery size) to those best scores; scale is ``cosine`` or ``AS-norm``.
    """

    mated: NDArray[np.float64]
    nonmated: NDArray[np.float64]
    strangers: dict[tuple[str, int], NDArray[np.float64]]


def kind_of(sample: Sample) -> str:
    """The sample's group for the tables: its label, or child (below 18) and adult where the age is known, or nothing."""
    if sample.group:
        return sample.group
    return "" if sample.age is None else "child" if sample.age < 18 else "adult"
