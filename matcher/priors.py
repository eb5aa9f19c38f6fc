"""What is known besides the face: sex, age, distance and time from the loss, siblings. Pure.

Priors stay apart from the score. They give reviewers an explanation (after their blind decision) and an order in the queue;
they never make or change a band, and they never hide a candidate: a stolen child is dressed as the other sex, moved across the
country, and called older. The weights are a judgement, not a measurement; nothing but the order depends on them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

_AGE_TOLERANCE_YEARS = 3.0
"""How far people (and age estimators: 3 to 8 years on Asian children) misjudge a child's age from a photo."""


class Sex(StrEnum):
    FEMALE = "female"
    MALE = "male"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What the case says; None and UNKNOWN where nothing is known. ``siblings``: cases that it names as brother or sister."""

    sex: Sex = Sex.UNKNOWN
    born: date | None = None
    lost_on: date | None = None
    siblings: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class SightingFacts:
    """What is known about the sighting. ``sex`` and ``age_years`` are what somebody said; ``km`` how far from the loss.

    ``resembles``: the other cases that this face is a candidate for.
    """

    seen_on: date | None = None
    km: float | None = None
    sex: Sex = Sex.UNKNOWN
    age_years: float | None = None
    resembles: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that speaks for the pair (``weight`` above 0), against it (below) or only explains (0).

    ``text`` is one of :data:`TEXTS`; ``values`` fill its places.
    """

    weight: float
    text: str
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The sentence in English."""
        return self.text % self.values if self.values else self.text


BEFORE_LOSS = "Seen %(days)s days before the child was lost."
SOON = "Seen %(days)s days after the loss."
UNBORN = "Seen before the child was born."
AGE_AT_SIGHTING = "The child was %(years)s years old then."
AGE_FITS = "The child was %(years)s years old then; the post says about %(said)s."
AGE_APART = "The child was %(years)s years old then, but the post says about %(said)s."
BOTH_GIRLS = "A girl is missing, and the post speaks of a girl."
BOTH_BOYS = "A boy is missing, and the post speaks of a boy."
SAID_BOY = "A girl is missing, but the post speaks of a boy: clothes and hair can mislead."
SAID_GIRL = "A boy is missing, but the post speaks of a girl: clothes and hair can mislead."
AWAY = "About %(km)s km from where the child was lost."
SIBLING = "The face also resembles a brother or sister who is registered: expect likeness."
TEXTS = (
    BEFORE_LOSS, SOON, UNBORN, AGE_AT_SIGHTING, AGE_FITS, AGE_APART, BOTH_GIRLS, BOTH_BOYS, SAID_BOY, SAID_GIRL, AWAY, SIBLING,
)  # fmt: skip
"""Every sentence a fact can be, for those who translate them."""


def facts(case: CaseFacts, sighting: SightingFacts) -> tuple[Fact, ...]:
    """What speaks for and against this case beside the face; empty where nothing is known."""
    found = (_time(case, sighting), _age(case, sighting), _sex(case, sighting), _place(sighting), _sibling(case, sighting))
    return tuple(fact for fact in found if fact is not None)


def turn(one_in: float | None, known: tuple[Fact, ...]) -> float:
    """When a candidate's turn comes in the queue of its band; lower is earlier.

    The rarer among strangers the earlier; each fact moves it by at most one power of ten of rarity, for or against.
    """
    rarity = math.log10(one_in) if one_in and one_in > 1 else 0.0
    return -(rarity + sum(fact.weight for fact in known))


def _time(case: CaseFacts, sighting: SightingFacts) -> Fact | None:
    if case.lost_on is None or sighting.seen_on is None:
        return None
    days = (sighting.seen_on - case.lost_on).days
    if days < 0:
        return Fact(-1.0, BEFORE_LOSS, {"days": -days})
    return Fact(0.5 if days <= 90 else 0.0, SOON, {"days": days})


def _age(case: CaseFacts, sighting: SightingFacts) -> Fact | None:
    if case.born is None or sighting.seen_on is None:
        return None
    years = (sighting.seen_on - case.born).days / 365.25
    if years < 0:
        return Fact(-1.0, UNBORN)
    if sighting.age_years is None:
        return Fact(0.0, AGE_AT_SIGHTING, {"years": f"{years:.0f}"})
    apart = abs(years - sighting.age_years)
    values = {"years": f"{years:.0f}", "said": f"{sighting.age_years:.0f}"}
    if apart <= _AGE_TOLERANCE_YEARS:
        return Fact(0.5, AGE_FITS, values)
    return Fact(-min(1.0, 0.2 * (apart - _AGE_TOLERANCE_YEARS)), AGE_APART, values)


def _sex(case: CaseFacts, sighting: SightingFacts) -> Fact | None:
    if Sex.UNKNOWN in (case.sex, sighting.sex):
        return None
    girl = case.sex is Sex.FEMALE
    if case.sex is sighting.sex:
        return Fact(0.3, BOTH_GIRLS if girl else BOTH_BOYS)
    return Fact(-0.5, SAID_BOY if girl else SAID_GIRL)


def _place(sighting: SightingFacts) -> Fact | None:
    if sighting.km is None:
        return None
    return Fact(max(0.0, 0.5 - 0.2 * math.log10(max(sighting.km, 10) / 10)), AWAY, {"km": f"{sighting.km:.0f}"})


def _sibling(case: CaseFacts, sighting: SightingFacts) -> Fact | None:
    """Likeness to a registered sibling explains a score, and whichever of the two it is, one family is waiting."""
    return Fact(0.0, SIBLING) if case.siblings & sighting.resembles else None
