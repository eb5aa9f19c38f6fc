"""What reviewers' votes on a pair mean together. Pure.

Two people decide blind, apart from each other and from the score; a third where they differ; the lead reviewer where three
do. To call a pair another child ends the matter for good, so it takes two blind votes that say so and no majority of doubt.
The components of the checklist are those of FISWG's "Facial Image Comparison Feature List for Morphological Analysis".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from store.reviews import REVIEWERS, Verdict

MOST_VOTES = 3
"""Blind votes after which the lead reviewer decides."""

CHECKLIST = (
    ("outline", "Face and head outline"),
    ("hairline", "Hairline and forehead"),
    ("brows", "Eyebrows"),
    ("eyes", "Eyes and eyelids"),
    ("nose", "Nose"),
    ("mouth", "Mouth and lips"),
    ("chin", "Chin and jaw"),
    ("cheeks", "Cheeks"),
    ("ears", "Ears"),
    ("marks", "Scars, moles and other marks"),
)
"""(key, English name) of the components that are compared, top to bottom, the telling ones last."""

ANSWERS = ("similar", "different", "unclear")


class Outcome(StrEnum):
    """WAIT for more votes, REJECT (another child), ACCEPT (worth a lead), or ASK the lead reviewer."""

    WAIT = "wait"
    REJECT = "reject"
    ACCEPT = "accept"
    ASK = "ask"


class Voted(Protocol):
    """What counts of a vote."""

    @property
    def verdict(self) -> Verdict: ...
    @property
    def unblinded(self) -> bool: ...
    @property
    def leading(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Ruling:
    """What follows, and how many votes in all the pair needs before anything else can follow."""

    outcome: Outcome
    needed: int


def rule(votes: Sequence[Voted]) -> Ruling:
    """What standing votes (one a person) mean together; their order does not matter.

    The lead reviewer's vote decides alone, unless it is "cannot tell". A vote changed after the score was seen is kept, but
    is no blind vote: one more is asked for.
    """
    leading = {vote.verdict for vote in votes if vote.leading}
    blind = Counter(vote.verdict for vote in votes if not vote.unblinded and not vote.leading)
    total, extra = blind.total(), sum(1 for vote in votes if vote.unblinded and not vote.leading)
    if leading == {Verdict.DIFFERENT}:
        return Ruling(Outcome.REJECT, total + extra)
    if leading == {Verdict.SIMILAR}:
        return Ruling(Outcome.ACCEPT, total + extra)
    if total < REVIEWERS:
        return Ruling(Outcome.WAIT, REVIEWERS + extra)
    if blind[Verdict.SIMILAR] * 2 > total:
        return Ruling(Outcome.ACCEPT, total + extra)
    if blind[Verdict.DIFFERENT] * 2 > total:
        return Ruling(Outcome.REJECT, total + extra)
    if total < MOST_VOTES and blind[Verdict.CANNOT_TELL] < REVIEWERS:
        return Ruling(Outcome.WAIT, MOST_VOTES + extra)
    return Ruling(Outcome.ASK, total + extra)
