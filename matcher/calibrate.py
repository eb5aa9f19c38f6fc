"""What a score means: how often strangers reach it, in a gallery of this size. Nothing else ever interprets a cosine.

The fact behind it: at the customary threshold of SFace (0.363), 0.04% of pairs of different white adults pass as
one person, and 35.6% of pairs of different Asian children of 3 to 12 years. So bands are not cosines. They are set by what
people can bear (one false alert in so many photos; so many false candidates a day) and translated to thresholds here.

Below 60 strangers to compare with, the rule is RAW: published false match rates of the pack, by age group, times the number of
cases, and never below a strict cosine. From 60 on it is AS_NORM: the registered cases are strangers to each other, so each of
them is searched among the others, and how high those searches come is what a stranger's photo will reach. The far tail, beyond
what so few searches show, falls as excesses do.
"""

from __future__ import annotations

import json
import math
import threading
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matcher import as_norm, quality
from matcher.gallery import Gallery, Group, Vectors
from store.model import Band, FaceQuality

AS_NORM_FROM = 60
"""From so many strangers (cases, and an operator's own cohort) on they serve as cohort. Below, only a strict raw threshold
is honest for children."""

_NORMAL = NormalDist()
_PRIOR_EXCEEDANCES = 10
_LEAST_EXCEEDANCES = 8
_REFIT_SHARE = 0.05
_TWICE_RATE = 1e-6


class Rule(StrEnum):
    """On which scale the thresholds lie: the cosine itself, or the score after adaptive symmetric normalisation."""

    RAW = "raw"
    AS_NORM = "as_norm"


@dataclass(frozen=True, slots=True)
class BandTargets:
    """What the operator accepts: one false alert in so many photos of strangers, so many false candidates a day for review."""

    high_one_in_photos: int = 10_000
    review_per_day: float = 20.0
    photos_per_day: int = 2_000

    @property
    def high_rate(self) -> float:
        """False alerts per photo: the high band's FPIR."""
        return 1.0 / self.high_one_in_photos

    @property
    def review_rate(self) -> float:
        """False candidates per photo; never below the high band's rate."""
        return max(self.review_per_day / self.photos_per_day, self.high_rate)


@dataclass(frozen=True, slots=True)
class Tail:
    """How the rate of strangers at or above a score falls: knots (score, ln rate), scores ascending, rates descending.

    Between knots ln rate is linear; beyond the last one it goes on with the last slope; before the first it stays.
    """

    knots: tuple[tuple[float, float], ...]

    def rate(self, score: float) -> float:
        """Strangers at or above ``score``, per photo."""
        if score <= self.knots[0][0]:
            return math.exp(self.knots[0][1])
        right = min(bisect_right(self.knots, score, key=lambda knot: knot[0]), len(self.knots) - 1)
        (x0, y0), (x1, y1) = self.knots[right - 1], self.knots[right]
        return math.exp(y0 + (score - x0) * (y1 - y0) / (x1 - x0))

    def score(self, rate: float) -> float:
        """The score that strangers reach at this ``rate`` per photo (above 0)."""
        wanted = math.log(rate)
        if wanted >= self.knots[0][1]:
            return self.knots[0][0]
        right = min(bisect_right(self.knots, -wanted, key=lambda knot: -knot[1]), len(self.knots) - 1)
        (x0, y0), (x1, y1) = self.knots[right - 1], self.knots[right]
        return x0 + (wanted - y0) * (x1 - x0) / (y1 - y0)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the bands begin, and the tail that says what a score means."""

    high: float
    review: float
    tail: Tail

    def among(self, faces: int) -> Thresholds:
        """The thresholds for a photo in which ``faces`` faces are searched: each is a chance for a stranger to score, and
        what is promised is promised of the photo."""
        if faces <= 1:
            return self
        high, review = (max(old, self.tail.score(self.tail.rate(old) / faces)) for old in (self.high, self.review))
        return Thresholds(high, min(high, review), self.tail)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Thresholds and the meaning of scores for one engine pack at one gallery size, for each age group.

    Under AS_NORM the normalisation has taken the group in already (by strangers like the very face) and all groups share one
    set. ``version`` stands on every candidate, so that a number can be traced to what made it.
    """

    version: str
    pack_id: str
    rule: Rule
    gallery_size: int
    groups: dict[Group, Thresholds]

    @property
    def high(self) -> float:
        """The high band's threshold for the group CHILD, which is taken where nothing is known."""
        return self.groups[Group.CHILD].high

    @property
    def review(self) -> float:
        """The review band's threshold for the group CHILD."""
        return self.groups[Group.CHILD].review

    def strangers(self, score: float, group: Group = Group.CHILD) -> float:
        """False candidates per photo of a stranger at or above ``score``."""
        return self.groups[group].tail.rate(score)

    def share(self, score: float, group: Group = Group.CHILD) -> float:
        """The share of strangers' photos with anyone at or above ``score``."""
        return 1.0 - math.exp(-self.strangers(score, group))

    def one_in(self, score: float, group: Group = Group.CHILD, faces: int = 1) -> int:
        """'About 1 in N photos of strangers reaches this': N, two significant digits, at most 10 million.

        ``faces`` is how many faces the photo shows that were searched.
        """
        reached = 1.0 - math.exp(-self.strangers(score, group) * max(1, faces))
        number = 10_000_000.0 if reached < 1e-7 else 1.0 / reached
        step = 10 ** max(0, int(math.log10(number)) - 1)
        return int(round(number / step) * step)

    def band(self, score: float, face: FaceQuality, group: Group = Group.CHILD, faces: int = 1) -> Band:
        """The band of a score. A face of LOW quality is never HIGH; an UNUSABLE one is never a candidate.

        ``faces`` is how many faces of the photo were searched.
        """
        thresholds = self.groups[group].among(faces)
        if face is FaceQuality.UNUSABLE or score < thresholds.review:
            return Band.NONE
        return Band.HIGH if score >= thresholds.high and face is FaceQuality.GOOD else Band.REVIEW


@dataclass(slots=True)
class Calibrator:
    """Keeps the calibration in step with a gallery: one call a search, a new fit when the gallery changed by 5%."""

    targets: BandTargets
    _last: Calibration | None = None
    _revision: int = -1
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, gallery: Gallery) -> Calibration:
        """The calibration for ``gallery`` as it stands."""
        with self._lock:
            if self._last is None or (gallery.revision != self._revision and self._outgrown(gallery)):
                self._revision = gallery.revision
                self._last = for_gallery(gallery, self.targets)
            return self._last

    def _outgrown(self, gallery: Gallery) -> bool:
        last = self._last
        if last is None or last.rule is Rule.RAW:
            return True
        return abs(len(gallery) - last.gallery_size) >= _REFIT_SHARE * last.gallery_size


def for_gallery(gallery: Gallery, targets: BandTargets) -> Calibration:
    """The thresholds that hold ``targets`` for this gallery; 0.3 s at the most (2,048 cases searched among each other)."""
    cohort = gallery.cohort()
    if len(cohort) < AS_NORM_FROM:
        return calibration(gallery.pack_id, len(gallery), targets)
    return from_strangers(gallery.pack_id, cohort.templates, len(gallery), targets)


def from_strangers(pack_id: str, strangers: Vectors, gallery_size: int, targets: BandTargets) -> Calibration:
    """The AS_NORM rule for a gallery of ``gallery_size`` cases, fitted on at least 60 vectors of different persons."""
    table = _table(pack_id)
    best, pairs = as_norm.searched_among_each_other(strangers, same_person(pack_id))
    share = max(1, gallery_size) / (len(strangers) - 1)
    fall = float(table["as_norm"]["fall"])
    photos, candidates = (_fitted(scores, len(strangers), share, fall) for scores in (best, pairs))
    high = photos.score(targets.high_rate)
    thresholds = Thresholds(high, min(high, candidates.score(targets.review_rate)), photos)
    version = f"{table['version']}/as_norm/{gallery_size}+{len(strangers)}"
    return Calibration(version, pack_id, Rule.AS_NORM, gallery_size, dict.fromkeys(Group, thresholds))


def calibration(pack_id: str, gallery_size: int, targets: BandTargets) -> Calibration:
    """The RAW rule: the thresholds of a gallery too small to be its own cohort."""
    table = _table(pack_id)
    groups = {}
    for group in Group:
        tail = _published(table["raw"]["groups"][group.value]["fmr"], max(1, gallery_size))
        high = max(float(table["raw"]["strict"]), tail.score(targets.high_rate))
        groups[group] = Thresholds(high, min(high, tail.score(targets.review_rate)), tail)
    return Calibration(f"{table['version']}/raw/{gallery_size}", pack_id, Rule.RAW, gallery_size, groups)


def floors(pack_id: str) -> quality.Floors:
    """The quality limits calibrated for a pack; only the safest ones for a pack without a calibration file."""
    return quality.Floors(**_table(pack_id)["quality"])


def _published(points: Sequence[Sequence[float]], comparisons: int) -> Tail:
    """Published (score, false match rate) pairs as strangers per photo: a normal tail through them, times ``comparisons``."""
    xs = [point[0] for point in points]
    quantiles = [_NORMAL.inv_cdf(1.0 - point[1]) for point in points]
    knots = []
    for score in np.arange(0.0, 1.0001, 0.01):
        right = min(max(1, bisect_right(xs, score)), len(xs) - 1)
        slope = (quantiles[right] - quantiles[right - 1]) / (xs[right] - xs[right - 1])
        quantile = quantiles[right - 1] + slope * (float(score) - xs[right - 1])
        knots.append((float(score), math.log(comparisons * math.erfc(quantile / math.sqrt(2.0)) / 2.0)))
    return Tail(tuple(knots))


def same_person(pack_id: str) -> float:
    """A cosine that not one in a million pairs of different children reaches: it is one child, registered twice."""
    return _published(_table(pack_id)["raw"]["groups"][Group.CHILD.value]["fmr"], 1).score(_TWICE_RATE)


def _fitted(scores: NDArray[np.float32], searches: int, share: float, expected: float) -> Tail:
    """Strangers per photo from the scores that ``searches`` searches of strangers gave.

    Up to the score that the best 2% (at least 8) exceed, the rate is what was counted; beyond, it falls exponentially. That
    fall is the mean excess, drawn towards the ``expected`` one as if 10 more had been seen; an excess counts for four times the
    expected fall at most, because a child registered twice would otherwise pull the tail out. So few excesses leave the fall
    unsure, and an error that makes it too steep costs more than one that makes it too flat gains: averaged over what it may be,
    an exponential tail is (1 + x / (n fall))^-n for n excesses (the predictive distribution, Lomax). ``share`` is the
    gallery's size over what each search covered.
    """
    values = np.sort(scores.astype(np.float64))[::-1]
    exceeding = min(len(values) - 1, max(_LEAST_EXCEEDANCES, searches // 50))
    bound = float(values[exceeding])
    excess = np.minimum(values[:exceeding] - bound, 4 * expected)
    weight = exceeding + _PRIOR_EXCEEDANCES
    fall = (float(excess.sum()) + _PRIOR_EXCEEDANCES * expected) / weight
    knots: list[tuple[float, float]] = []
    for score in np.arange(-3.0, 20.0001, 0.1):
        if score <= bound:
            counted = float(np.searchsorted(-values, -score, side="right"))
        else:
            counted = exceeding * (1.0 + (float(score) - bound) / (weight * fall)) ** -weight
        knots.append((round(float(score), 1), math.log(max(share * counted / searches, 1e-30))))
    return Tail(_falling(knots))


def _falling(knots: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Only knots at which the rate truly falls, so that a score can be read from a rate."""
    kept = knots[:1]
    for score, log_rate in knots[1:]:
        if log_rate < kept[-1][1] - 1e-9:
            kept.append((score, log_rate))
        else:
            kept[-1] = (score, kept[-1][1])
    return tuple(kept)


@lru_cache
def _table(pack_id: str) -> dict[str, Any]:
    """The pack's calibration file, or the rule for a pack that has none."""
    folder = resources.files("matcher") / "data"
    path = folder / f"{pack_id}.json"
    if not path.is_file():
        path = folder / "uncalibrated.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
