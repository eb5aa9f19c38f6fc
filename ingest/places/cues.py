"""What the words around a name say about it: is it where the child was seen, where somebody comes from, or no place at all?

Each check looks at a bounded window, so reading a text costs time in proportion to its length. The words themselves stand in
:mod:`ingest.places.surroundings`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

from ingest.places import surroundings as say

Verdict = Literal[
    "sighting", "plain", "origin", "destination", "road", "institution", "goods", "person", "missing", "appeal", "feature",
    "general", "staff", "corrected", "title", "compared", "asked",
]  # fmt: skip

WINDOW = 14
"""Characters looked at on either side."""


@dataclass(slots=True, eq=False)
class Cue:
    """A verdict on one name and the words it rests on.

    ``strong``: a preposition or a place word says that it is a place. ``hedged``: the writer is not sure of it. Nothing changes
    a cue or a mention once it stands; they are not frozen because building a frozen dataclass takes three times as long.
    """

    verdict: Verdict
    because: str = ""
    strong: bool = False
    hedged: bool = False


def _first_of(named: tuple[tuple[Verdict, str], ...]) -> re.Pattern[str]:
    """One expression for several; ``lastgroup`` tells which matched, and of several that do the first is taken."""
    return re.compile("|".join(f"(?P<{verdict}>{pattern})" for verdict, pattern in named))


_AFTER = _first_of(
    (
        ("origin", say.AFTER_ORIGIN),
        ("institution", say.AFTER_INSTITUTION),
        ("staff", say.AFTER_STAFF),
        ("goods", say.AFTER_GOODS),
        ("destination", say.AFTER_DESTINATION),
        ("missing", say.AFTER_MISSING),
        ("general", say.AFTER_GENERAL),
        ("asked", say.AFTER_ASKED),
    )
)
_Before = tuple[re.Pattern[str], re.Pattern[str] | None, Verdict]
_BEFORE: tuple[_Before, ...] = (
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
    (say.BEFORE_GO_THERE, say.AFTER_ERRAND, "destination"),
    (say.BEFORE_TITLE, say.AFTER_TITLE, "title"),
    (say.BEFORE_THAN, say.AFTER_MORE, "compared"),
    (say.BEFORE_WRITTEN, None, "general"),
    (say.BEFORE_FUTURE, None, "destination"),
)


def _any_of(patterns: list[str]) -> re.Pattern[str]:
    """One expression for many that each begin with a class: ``[ab]X``, ``[c]Y`` -> ``[abc](?:(?<=[ab])X|(?<=[c])Y)``."""
    split = [pattern[1:].partition("]") for pattern in patterns]
    rests = "|".join(f"(?<=[{first}]){rest}" for first, _, rest in split)
    return re.compile(f"[{''.join(first for first, _, _ in split)}](?:{rests})")


_ANY_BEFORE = _any_of([pattern.pattern for pattern, _, _ in _BEFORE])
"""Whether any of them can match at all: for most names none does, and one look says so."""


def judge(prose: str, start: int, end: int, *, feature: bool = False) -> Cue:
    """Judge the name at ``prose[start:end]`` by its surroundings.

    ``feature``: the name is a county's short form, which squares, parks and shops all over the country are called after.
    """
    if prose[end - 1] == "市" and end - start > 2 and prose[end : end + 1] in ("民", "场"):
        end -= 1  # 上海市民, 吉林市场
    before = prose[max(0, start - WINDOW) : start]
    if prose[start].isascii():
        return _judge_english(prose, end, prose[max(0, start - 3 * WINDOW) : start])
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
    found = _AFTER.match(prose, end, end + WINDOW)
    if found:
        return Cue(cast(Verdict, found.lastgroup), found.group())
    if _ANY_BEFORE.search(before):
        for first, second, verdict in _BEFORE:
            found = first.search(before)
            if not found:
                continue
            behind = second.match(prose, end, end + WINDOW) if second else None
            if second is None or behind:
                return Cue(verdict, found.group() + ("…" + behind.group() if behind else ""))
    if end - start == 2 and _is_person(prose, end, before):
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
        or say.AFTER_NAMESAKE.match(prose, end, end + WINDOW)
        or say.AFTER_UNSURE.match(prose, end, end + WINDOW)
    )
    found = say.BEFORE_SIGHTING.search(before, len(before) - 8) or say.AFTER_PLACE.match(prose, end, end + WINDOW)
    if found:
        return Cue("sighting", found.group().strip(), True, hedged)
    named = say.AFTER_NAMED.match(prose, end, end + WINDOW)
    because = named.group() if named else ""
    if say.BEFORE_EDGE.search(before, len(before.rstrip()) - 2):
        by_itself = say.AFTER_EDGE.match(prose, end) or (say.AFTER_STREET.match(prose, end, end + WINDOW) and not named)
        return Cue("sighting", because, bool(by_itself), hedged)
    return Cue("sighting" if named else "plain", because, False, hedged)


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


def _is_person(prose: str, end: int, before: str) -> bool:
    """``朋友王长春昨晚``: a surname right before a two-character name, behind a word that announces a person."""
    if not before or before[-1] not in say.SURNAMES:
        return False
    return bool(say.BEFORE_PERSON.search(before[:-1]) or say.AFTER_PERSON.match(prose, end, end + WINDOW))
