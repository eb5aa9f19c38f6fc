"""What a score means: how often strangers reach it, in a gallery of this size. Nothing else ever interprets a cosine.

The fact behind it: at the customary threshold of the default engine (0.363), 0.04% of pairs of different white adults pass as
one person, and 35.6% of pairs of different Asian children of 3 to 12 years. So bands are not cosines. They are set by what
people can bear (one false alert in so many photos; so many false candidates a day) and translated to thresholds here.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from statistics import NormalDist
from typing import Any

from matcher import quality
from store.model import Band, FaceQuality

AS_NORM_FROM_CASES = 60
"""From this gallery size on the gallery is its own cohort. Below, only a strict raw threshold is honest for children."""

_NORMAL = NormalDist()


class Rule(StrEnum):
    """On which scale the thresholds lie: the cosine itself, or the score after adaptive symmetric normalisation."""

    RAW = "raw"
    AS_NORM = "as_norm"


class Group(StrEnum):
    """Whom a probe is compared with. CHILD is the stricter one and is taken wherever the group is not known."""

    CHILD = "child"
    ADULT = "adult"


@dataclass(frozen=True, slots=True)
class BandTargets:
    """What the operator accepts: one false alert in so many photos of strangers, so many false candidates a day for review."""

    high_one_in_photos: int = 10_000
    review_per_day: float = 20.0
    photos_per_day: int = 2_000

    @property
    def high_rate(self) -> float:
        """False alerts per photo."""
        return 1.0 / self.high_one_in_photos

    @property
    def review_rate(self) -> float:
        """False candidates per photo; never below the high band's rate."""
        return max(self.review_per_day / self.photos_per_day, self.high_rate)


@dataclass(frozen=True, slots=True)
class Tail:
    """How the number of strangers at or above a score falls: knots (score, standard normal quantile of 1 - rate), ascending.

    Between knots the quantile is interpolated linearly, beyond them extrapolated: a normal tail through measured points.
    """

    knots: tuple[tuple[float, float], ...]

    def rate(self, score: float) -> float:
        """The share of non-mated comparisons (or probes) at or above ``score``."""
        return 1.0 - _NORMAL.cdf(self._line(score, 0, 1))

    def score(self, rate: float) -> float:
        """The score that strangers reach with this ``rate`` (0 < rate < 1)."""
        return self._line(_NORMAL.inv_cdf(1.0 - rate), 1, 0)

    def _line(self, value: float, source: int, target: int) -> float:
        right = 1
        while right < len(self.knots) - 1 and value > self.knots[right][source]:
            right += 1
        a, b = self.knots[right - 1], self.knots[right]
        share = (value - a[source]) / (b[source] - a[source])
        return a[target] + share * (b[target] - a[target])


@dataclass(frozen=True, slots=True)
class Calibration:
    """Thresholds and the meaning of scores for one engine pack at one gallery size.

    ``tail`` gives non-mated comparisons per pair (RAW) or non-mated probes (AS_NORM); ``comparisons`` is what a rate of the
    tail is multiplied with to have the false candidates that one photo brings. ``version`` stands on every candidate.
    """

    version: str
    pack_id: str
    rule: Rule
    gallery_size: int
    high: float
    review: float
    tail: Tail
    comparisons: int

    def strangers(self, score: float) -> float:
        """False candidates per photo of a stranger at or above ``score``: the expected number, 0 to the gallery's size."""
        return self.comparisons * self.tail.rate(score)

    def one_in(self, score: float) -> int:
        """'About 1 in N photos of strangers reaches this': N, two significant digits, at most 10 million."""
        reached = 1.0 - math.exp(-self.strangers(score))
        number = 10_000_000.0 if reached < 1e-7 else 1.0 / reached
        step = 10 ** max(0, int(math.log10(number)) - 1)
        return int(round(number / step) * step)

    def band(self, score: float, face: FaceQuality) -> Band:
        """The band of a score. A face of LOW quality is never HIGH; an UNUSABLE one is never a candidate."""
        if face is FaceQuality.UNUSABLE or score < self.review:
            return Band.NONE
        return Band.HIGH if score >= self.high and face is FaceQuality.GOOD else Band.REVIEW


def calibration(pack_id: str, gallery_size: int, targets: BandTargets, group: Group = Group.CHILD) -> Calibration:
    """The thresholds that hold ``targets`` for this pack at this gallery size; cheap, so made anew when the gallery changes."""
    table = _table(pack_id)
    if gallery_size >= AS_NORM_FROM_CASES:
        rule, comparisons, tail, floor = Rule.AS_NORM, 1, _as_norm_tail(table), -math.inf
    else:
        rule, comparisons, floor = Rule.RAW, max(1, gallery_size), float(table["raw"]["strict"])
        tail = _tail(table["raw"]["groups"][group.value]["fmr"])
    high = max(floor, tail.score(targets.high_rate / comparisons))
    review = min(high, tail.score(min(0.5, targets.review_rate / comparisons)))
    version = f"{table['version']}/{rule.value}/{gallery_size}"
    return Calibration(version, pack_id, rule, gallery_size, high, review, tail, comparisons)


def floors(pack_id: str) -> quality.Floors:
    """The quality limits calibrated for a pack; none for a pack without a calibration file."""
    values = _table(pack_id).get("quality", {})
    return quality.Floors(values.get("norm_low"), values.get("norm_unusable"), values.get("det_low"))


def _as_norm_tail(table: dict[str, Any]) -> Tail:
    (score, rate), *_ = table["as_norm"]["fpir"]
    at = _NORMAL.inv_cdf(1.0 - rate)
    return Tail(((score, at), (score + float(table["as_norm"]["slope"]), at + 1.0)))


def _tail(points: list[list[float]]) -> Tail:
    return Tail(tuple((score, _NORMAL.inv_cdf(1.0 - rate)) for score, rate in points))


@lru_cache
def _table(pack_id: str) -> dict[str, Any]:
    """The pack's calibration file, or the rule for a pack that has none."""
    folder = resources.files("matcher") / "data"
    path = folder / f"{pack_id}.json"
    if not path.is_file():
        path = folder / "uncalibrated.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
