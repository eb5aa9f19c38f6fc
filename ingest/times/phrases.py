"""Tokens that belong together make a phrase: a day, a part of the day and a clock, in any order and with small words between."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ingest.times.pieces import Clock, Token

DAY_KINDS = frozenset(
    {
        "instant",
        "date",
        "month_part",
        "month_day",
        "day",
        "weekday",
        "week",
        "month",
        "days",
        "festival",
        "lunar",
    }
)
"""Kinds that say which day; the rest of a phrase says when on it."""

_ALONE = frozenset({"ago", "now", "trap"})
_EXACT = frozenset({"date", "month_day"})
_FEASTS = frozenset({"festival", "lunar"})
_BESIDE = frozenset({"weekday", "day", "festival", "lunar"})
_WITHIN_DAY = frozenset({"part", "clock"})
_MAX_GAP = 16

_JOIN = re.compile(
    r"[\s,、.的()\[\]【】·|/:t-]{0,4}(?:大约|大概|大致|差不多|应该是|约|于|在|是|时间|那天|当天|这天|around|about|approximately|approx\.?"
    r"|at|on|in the|the|of|@|~)?[\s,约:的(]{0,2}(?:around |about |the )?"
)
_TO = re.compile(r"\s?(?:-|~|到|至|to|until)\s?")


@dataclass(slots=True)
class Phrase:
    """One mention of a time at [start, end). ``lone`` is a token that stands for itself (半小时前, 刚刚). Built up in place."""

    start: int
    end: int
    day: Token | None = None
    parts: tuple[str, ...] = ()
    clock: Clock | None = None
    until: Clock | None = None
    last_day: Token | None = None
    lone: Token | None = None
    borrowed: bool = False
    """The day was said elsewhere in the sentence."""
    ranging: bool = False
    """A part of the day was said that belongs to the second clock of a range."""


def _start(token: Token) -> Phrase:
    phrase = Phrase(token.start, token.end)
    if token.kind in _ALONE or not _add(phrase, token):
        phrase.lone = token
    return phrase


def _add(phrase: Phrase, token: Token) -> bool:
    """Put ``token`` into its free slot of ``phrase``; False where it does not fit."""
    kind, day = token.kind, phrase.day
    if kind == "part":
        if len(phrase.parts) >= (2 if phrase.clock is None else 1):
            return False
        phrase.parts = (*phrase.parts, str(token.value))
    elif kind == "clock":
        if phrase.clock is not None or not isinstance(token.value, Clock):
            return False
        phrase.clock = token.value
    elif day is None:
        phrase.day = token
    elif kind in _EXACT and day.kind not in _EXACT and phrase.clock is None:
        phrase.day = token  # 昨天(2月9日): the date says more
    elif not (kind in _BESIDE and day.kind in _EXACT) and not (kind in _FEASTS and day.kind == "day"):
        return False  # neither 2月9日(周三) nor 今天元宵节
    phrase.end = max(phrase.end, token.end)
    return True


def _extend(phrase: Phrase, token: Token, text: str) -> bool:
    """Continue ``phrase`` by ``token``; False where a new phrase begins."""
    kind, length = token.kind, token.start - phrase.end
    if kind in _ALONE or length > _MAX_GAP:
        return False
    if phrase.lone is not None:  # what stands beside opening days is opening hours
        joined = phrase.lone.kind == "trap" and kind in _WITHIN_DAY and length <= 2
        phrase.end = token.end if joined else phrase.end
        return joined
    if phrase.ranging:
        phrase.ranging = False
        if kind == "clock" and length <= 1 and _until(phrase, token):
            phrase.end = token.end
            return True
    if length <= 0:
        return _add(phrase, token)
    gap = text[phrase.end : token.start]
    if kind == "part" and phrase.clock is not None and phrase.until is None and _TO.fullmatch(gap):
        phrase.end, phrase.ranging = token.end, True  # 中午12点到下午2点: the part belongs to the second clock
        return True
    if _TO.fullmatch(gap) and _until(phrase, token):
        phrase.end = token.end
        return True
    return _JOIN.fullmatch(gap) is not None and _add(phrase, token)


def _until(phrase: Phrase, token: Token) -> bool:
    """The second end of a range: 3点到5点, 2月9日至11日; 周一至周五 tells opening days."""
    kind, day = token.kind, phrase.day
    if kind == "clock" and phrase.clock is not None and phrase.until is None and isinstance(token.value, Clock):
        phrase.until = token.value
    elif kind == "weekday" and day is not None and day.kind == "weekday":
        phrase.day, phrase.lone = None, Token("trap", phrase.start, token.end)
    elif kind in _EXACT and day is not None and day.kind == "date" and phrase.clock is None:
        phrase.last_day = token
    else:
        return False
    return True


def phrases(text: str, found: Iterable[Token]) -> list[Phrase]:
    """Join the tokens of ``text`` into phrases, from left to right."""
    out: list[Phrase] = []
    for token in found:
        if not out or not _extend(out[-1], token, text):
            out.append(_start(token))
    return out
