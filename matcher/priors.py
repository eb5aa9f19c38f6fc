"""What is known besides the face: sex, age, distance and time from the loss, siblings. Pure.

Priors stay apart from the score. They give reviewers an explanation and an order in the queue; they never make or change a
band, and they never hide a candidate: a stolen child is dressed as the other sex, moved across the country, and called older.
The weights are a judgement, not a measurement; nothing but the order depends on them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from matcher.compare import Match
from store.model import Band

_EARTH_KM = 6371.0
_AGE_TOLERANCE_YEARS = 3.0
"""How far people (and age estimators: 3 to 8 years on Asian children) misjudge a child's age from a photo."""


class Sex(StrEnum):
    FEMALE = "female"
    MALE = "male"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What the case says. Places are (latitude, longitude) in degrees; None and UNKNOWN where nothing is known."""

    sex: Sex = Sex.UNKNOWN
    born: date | None = None
    lost_on: date | None = None
    lost_at: tuple[float, float] | None = None
    siblings: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SightingFacts:
    """What is known about the sighting. ``age_years`` is what a person or an estimator said, with its half-width."""

    seen_on: date | None = None
    seen_at: tuple[float, float] | None = None
    sex: Sex = Sex.UNKNOWN
    age_years: float | None = None
    age_within_years: float = _AGE_TOLERANCE_YEARS


@dataclass(frozen=True, slots=True)
class Prior:
    """``weight`` orders candidates of one band (higher first, 0 where nothing is known); ``why`` is for the reviewer."""

    weight: float
    why: tuple[str, ...]


def prior(case: CaseFacts, sighting: SightingFacts) -> Prior:
    """What speaks for and against this case beside the face."""
    parts = [part for part in (_time(case, sighting), _age(case, sighting), _sex(case, sighting), _place(case, sighting)) if part]
    return Prior(sum(weight for weight, _ in parts), tuple(why for _, why in parts))


def ordered(candidates: list[tuple[Match, Prior]]) -> list[tuple[Match, Prior]]:
    """Candidates as the review queue shows them: by band, then by how rare the score is among strangers, moved by the prior.

    A prior moves a candidate within its band only, by at most about one power of ten of rarity for each fact.
    """
    bands = {Band.HIGH: 0, Band.REVIEW: 1, Band.NONE: 2}

    def key(entry: tuple[Match, Prior]) -> tuple[int, float, int, int]:
        match, known = entry
        return bands[match.band], -(math.log10(match.one_in) + known.weight), match.rank, match.case_id

    return sorted(candidates, key=key)


def sibling_note(case: CaseFacts, other_cases: set[int]) -> str:
    """The sentence for a face that also resembles a sibling named in the case; empty where there is none."""
    named = sorted(set(case.siblings) & other_cases)
    return f"also resembles case {', '.join(map(str, named))}, a sibling: expect likeness" if named else ""


def distance_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance between two (latitude, longitude) points in degrees (haversine formula)."""
    (lat_a, lon_a), (lat_b, lon_b) = ((math.radians(p[0]), math.radians(p[1])) for p in (a, b))
    h = math.sin((lat_b - lat_a) / 2) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin((lon_b - lon_a) / 2) ** 2
    return 2 * _EARTH_KM * math.asin(min(1.0, math.sqrt(h)))


def _time(case: CaseFacts, sighting: SightingFacts) -> tuple[float, str] | None:
    if case.lost_on is None or sighting.seen_on is None:
        return None
    days = (sighting.seen_on - case.lost_on).days
    if days < 0:
        return -1.0, f"seen {-days} days before the child was lost"
    return (0.5 if days <= 90 else 0.0), f"seen {days} days after the loss"


def _age(case: CaseFacts, sighting: SightingFacts) -> tuple[float, str] | None:
    if case.born is None or sighting.seen_on is None:
        return None
    years = (sighting.seen_on - case.born).days / 365.25
    if years < 0:
        return -1.0, "seen before the child was born"
    if sighting.age_years is None:
        return 0.0, f"the child was {years:.0f} years old at the time"
    apart = abs(years - sighting.age_years)
    if apart <= sighting.age_within_years:
        return 0.5, f"{years:.0f} years old at the time, judged {sighting.age_years:.0f}"
    return -min(1.0, 0.2 * (apart - sighting.age_within_years)), f"{years:.0f} years old, but judged {sighting.age_years:.0f}"


def _sex(case: CaseFacts, sighting: SightingFacts) -> tuple[float, str] | None:
    if Sex.UNKNOWN in (case.sex, sighting.sex):
        return None
    if case.sex is sighting.sex:
        return 0.3, f"both {case.sex.value}"
    return -0.5, f"a {case.sex.value} child is sought, this one looks {sighting.sex.value}: clothes and hair can mislead"


def _place(case: CaseFacts, sighting: SightingFacts) -> tuple[float, str] | None:
    if case.lost_at is None or sighting.seen_at is None:
        return None
    km = distance_km(case.lost_at, sighting.seen_at)
    return max(0.0, 0.5 - 0.2 * math.log10(max(km, 10) / 10)), f"{km:.0f} km from where the child was lost"
