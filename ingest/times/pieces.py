"""What the pieces of a time are: kinds, clocks, tokens."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Kind = Literal[
    "date",  # (year | None, month, day)
    "instant",  # a datetime, ISO 8601
    "month_part",  # (year or None, months back or None, month or None, first day, last day)
    "month_day",  # (months back or None, day)
    "day",  # days from today; 1 and more lie ahead
    "weekday",  # (weeks back or None, weekday Monday 0, or WEEKEND)
    "week",  # weeks back, a whole week
    "month",  # months back, a whole month
    "days",  # (from days back, to days back)
    "ago",  # (least minutes, most minutes)
    "now",
    "festival",  # (name, which day of the holiday or WHOLE, year or years from now or None)
    "lunar",  # (month, day)
    "part",  # name of a part of the day
    "clock",  # Clock
    "trap",  # looks like a time, is none
]
"""What a token can be, and what its value then is. Plain words, for the reason told in :mod:`ingest.sure`."""


WHOLE = 0
"""Stands for all days of a holiday."""


class Clock(NamedTuple):
    """A time of day as written.

    ``late`` is 8点多 (within the hour after), ``near`` 8点左右, ``before`` 快8点; ``until`` the second hour of 7、8点
    (``span``: 7点到8点); ``digital`` 8:05; ``bare`` an hour with nothing else beside it, which may be no time at all (三点建议).
    """

    hour: int
    minute: int = 0
    digital: bool = False
    pm: bool | None = None
    late: bool = False
    near: bool = False
    before: bool = False
    until: int | None = None
    span: bool = False
    bare: bool = False


class Token(NamedTuple):
    """A piece at [start, end) of the normalised text."""

    kind: Kind
    start: int
    end: int
    value: object = None


Match = re.Match[str]
Read = tuple[Kind, object] | None
"""What a reader makes of a rule's match: a kind and its value, or None where the words make no sense."""

MINUTES_A_DAY = 1440


def day_of(year: int | None, month: int | None, day: int | None) -> Read:
    """A date, or None where there is no such month or day. ``year`` None is the latest that fits."""
    if month is None or day is None or not 1 <= month <= 12 or not 1 <= day <= 31:
        return None
    return "date", (year, month, day)
