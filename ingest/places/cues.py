"""What the words around a name say about it: is it where the child was seen, where somebody comes from, or no place at all?

Each check looks at a bounded window, so reading a text costs time in proportion to its length. The words themselves stand in
:mod:`ingest.places.surroundings`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ingest.places import surroundings as say

Verdict = Literal[
    "sighting", "plain", "origin", "destination", "road", "institution", "goods", "person", "missing", "appeal", "feature",
    "general", "staff",
]  # fmt: skip

WINDOW = 14
"""Characters looked at on either side."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A verdict on one name and the words it rests on.

    ``strong``: a preposition or a place word says that it is a place. ``hedged``: the writer is not sure of it.
    """

    verdict: Verdict
    because: str = ""
    strong: bool = False
    hedged: bool = False


_REFUSALS: tuple[tuple[re.Pattern[str], Verdict], ...] = (
    (say.AFTER_ORIGIN, "origin"),
    (say.AFTER_INSTITUTION, "institution"),
    (say.AFTER_STAFF, "staff"),
    (say.AFTER_GOODS, "goods"),
    (say.AFTER_DESTINATION, "destination"),
    (say.AFTER_MISSING, "missing"),
    (say.AFTER_GENERAL, "general"),
)
_REFUSALS_BEFORE: tuple[tuple[re.Pattern[str], re.Pattern[str] | None, Verdict], ...] = (
    (say.BEFORE_ORIGIN, None, "origin"),
    (say.BEFORE_SOMEBODY_IS, None, "origin"),
    (say.BEFORE_IS, say.AFTER_IS, "origin"),
    (say.BEFORE_FROM, say.AFTER_FROM, "origin"),
    (say.BEFORE_MISSING, None, "missing"),
    (say.BEFORE_NOT, None, "general"),
    (say.BEFORE_DESTINATION, None, "destination"),
    (say.BEFORE_THANKS, None, "person"),
    (say.BEFORE_WHO, say.AFTER_WHO, "appeal"),
    (say.BEFORE_FAMILY, say.AFTER_WORK, "origin"),
    (say.BEFORE_SPEECH, say.AFTER_SPEECH, "origin"),
    (say.BEFORE_GO, say.AFTER_VEHICLE, "destination"),
    (say.BEFORE_WRITTEN, None, "general"),
    (say.BEFORE_FUTURE, None, "destination"),
)


def judge(prose: str, start: int, end: int, *, feature: bool = False) -> Cue:
    """Judge the name at ``prose[start:end]`` by its surroundings.

    ``feature``: the name is a county's short form, which squares, parks and shops all over the country are called after.
    """
    if prose[end - 1] == "市" and end - start > 2 and prose[end : end + 1] in ("民", "场"):
        end -= 1  # 上海市民, 吉林市场
    before = prose[max(0, start - WINDOW) : start]
    if prose[start].isascii():
        return _judge_english(prose, end, before)
    if feature:
        found = say.AFTER_FEATURE.match(prose, end, end + WINDOW)
        if found:
            return Cue("feature", found.group())
    return _refusal(prose, start, end, before) or _support(prose, end, before)


def _refusal(prose: str, start: int, end: int, before: str) -> Cue | None:
    """Why the name is not where the child was seen; None where nothing says so."""
    whole = prose[end - 1] in "市县区省旗盟" and end - start > 2
    if not whole:
        found = say.AFTER_ROAD.match(prose, end, end + WINDOW)
        if found:
            return Cue("road", found.group())
    if prose[end - 2 : end] in ("大学", "学院", "医院"):
        found = say.STAFF_OF_IT.match(prose, end, end + WINDOW)
        if found:
            return Cue("staff", found.group())
    for pattern, verdict in _REFUSALS:
        found = pattern.match(prose, end, end + WINDOW)
        if found:
            return Cue(verdict, found.group())
    for first, second, verdict in _REFUSALS_BEFORE:
        found = first.search(before)
        if not found:
            continue
        behind = second.match(prose, end, end + WINDOW) if second else None
        if second is None or behind:
            return Cue(verdict, found.group() + ("…" + behind.group() if behind else ""))
    if _is_person(prose, start, end, before):
        return Cue("person", prose[start - 1 : end])
    return None


def _support(prose: str, end: int, before: str) -> Cue:
    """What says that the name is a place: a preposition, a place word behind it, or that it stands by itself."""
    found = say.AFTER_APPEAL.match(prose, end, end + WINDOW)
    if found:
        return Cue("plain", found.group())
    hedged = bool(
        say.HEDGE.search(before)
        or say.BEFORE_HAVE.search(before)
        or say.AFTER_ON_ROAD.match(prose, end)  # 在广州路上: on a road of 广州, or on the road called after it
        or say.AFTER_UNSURE.match(prose, end, end + WINDOW)
    )
    found = say.BEFORE_SIGHTING.search(before) or say.AFTER_PLACE.match(prose, end, end + WINDOW)
    if found:
        return Cue("sighting", found.group().strip(), strong=True, hedged=hedged)
    named = say.AFTER_NAMED.match(prose, end, end + WINDOW)
    because = named.group() if named else ""
    if say.BEFORE_EDGE.search(before):
        by_itself = say.AFTER_EDGE.match(prose, end) or (say.AFTER_STREET.match(prose, end, end + WINDOW) and not named)
        return Cue("sighting", because, strong=bool(by_itself), hedged=hedged)
    return Cue("sighting" if named else "plain", because, hedged=hedged)


def _judge_english(prose: str, end: int, before: str) -> Cue:
    found = say.EN_AFTER_ROAD.match(prose, end, end + WINDOW)
    if found:
        return Cue("road", found.group())
    found = say.EN_AFTER_OTHER.match(prose, end, end + 2 * WINDOW) or say.EN_BEFORE_ORIGIN.search(before)
    if found:
        return Cue("origin", found.group())
    hedged = say.EN_HEDGE.search(before) is not None
    found = say.EN_BEFORE_SIGHTING.search(before)
    return Cue("sighting", found.group().strip(), strong=True, hedged=hedged) if found else Cue("plain", hedged=hedged)


def _is_person(prose: str, start: int, end: int, before: str) -> bool:
    """``朋友王长春昨晚``: a surname right before a two-character name, behind a word that announces a person."""
    if end - start != 2 or not before or before[-1] not in say.SURNAMES:
        return False
    return bool(say.BEFORE_PERSON.search(before[:-1]) or say.AFTER_PERSON.match(prose, end, end + WINDOW))
