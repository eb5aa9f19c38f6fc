"""Tokens that belong together make a phrase: a day, a part of the day and a clock, in any order and with small words between."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ingest.times.tokens import Clock, Kind, Token

DAY_KINDS = frozenset(
    {
        Kind.INSTANT,
        Kind.DATE,
        Kind.MONTH_PART,
        Kind.MONTH_DAY,
        Kind.DAY,
        Kind.WEEKDAY,
        Kind.WEEK,
        Kind.MONTH,
        Kind.DAYS,
        Kind.FESTIVAL,
        Kind.LUNAR,
    }
)
"""Kinds that say which day; the rest of a phrase says when on it."""

_ALONE = frozenset({Kind.AGO, Kind.NOW, Kind.TRAP})
_EXACT = frozenset({Kind.DATE, Kind.MONTH_DAY, Kind.FESTIVAL, Kind.LUNAR})

_JOIN = re.compile(
    r"[\s,、.的()\[\]【】·|/:t-]{0,4}(?:大约|大概|大致|差不多|应该是|约|于|在|是|时间|那天|当天|这天|around|about|approximately|approx\.?"
    r"|at|on|in the|the|of|@|~)?[\s,约:的(]{0,2}(?:around |about |the )?"
)
_TO = re.compile(r"\s?(?:-|~|到|至|to|until)\s?")


@dataclass(frozen=True, slots=True)
class Phrase:
    """One mention of a time at [start, end). ``lone`` is a token that stands for itself (半小时前, 刚刚)."""

    start: int
    end: int
    day: Token | None = None
    parts: tuple[str, ...] = ()
    clock: Clock | None = None
    until: Clock | None = None
    last_day: Token | None = None
    lone: Token | None = None
    borrowed: tuple[int, int] | None = None
    """Where the day stands when it was said elsewhere in the sentence."""


def _start(token: Token) -> Phrase:
    if token.kind in _ALONE:
        return Phrase(token.start, token.end, lone=token)
    return _add(Phrase(token.start, token.end), token) or Phrase(token.start, token.end, lone=token)


def _add(phrase: Phrase, token: Token) -> Phrase | None:
    """``phrase`` with ``token`` in its free slot, or None where it does not fit."""
    end = max(token.end, phrase.end)
    if token.kind is Kind.PART and phrase.clock is None and len(phrase.parts) < 2:
        return replace(phrase, end=end, parts=(*phrase.parts, str(token.value)))
    if token.kind is Kind.PART and not phrase.parts:
        return replace(phrase, end=end, parts=(str(token.value),))
    if token.kind is Kind.CLOCK and phrase.clock is None and isinstance(token.value, Clock):
        return replace(phrase, end=end, clock=token.value)
    if token.kind in DAY_KINDS and phrase.day is None:
        return replace(phrase, end=end, day=token)
    if token.kind in _EXACT and phrase.day is not None and phrase.day.kind not in _EXACT and phrase.clock is None:
        return replace(phrase, end=end, day=token)  # 昨天(2月9日): the date says more
    if token.kind in {Kind.WEEKDAY, Kind.DAY} and phrase.day is not None and phrase.day.kind in _EXACT:
        return replace(phrase, end=end)  # 2月9日(周三)
    return None


def _extend(phrase: Phrase, token: Token, gap: str) -> Phrase | None:
    """``phrase`` continued by ``token`` after the words ``gap``, or None where a new phrase begins."""
    if phrase.lone is not None or token.kind in _ALONE or len(gap) > 16:
        return None
    if gap and _TO.fullmatch(gap):
        if token.kind is Kind.CLOCK and phrase.clock is not None and phrase.until is None and isinstance(token.value, Clock):
            return replace(phrase, end=token.end, until=token.value)
        first = phrase.day is not None and phrase.day.kind is Kind.DATE and phrase.clock is None
        if token.kind in {Kind.DATE, Kind.MONTH_DAY} and first:
            return replace(phrase, end=token.end, last_day=token)
    return _add(phrase, token) if _JOIN.fullmatch(gap) else None


def phrases(text: str, found: Iterable[Token]) -> list[Phrase]:
    """Join the tokens of ``text`` into phrases, from left to right."""
    out: list[Phrase] = []
    for token in found:
        longer = _extend(out[-1], token, text[out[-1].end : token.start]) if out else None
        if longer is not None:
            out[-1] = longer
        else:
            out.append(_start(token))
    return out
