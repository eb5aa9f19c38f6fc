"""What the pieces of a time are: kinds, clocks, tokens."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple


class Kind(Enum):
    """What a token can be."""

    DATE = auto()  # (year | None, month, day)
    INSTANT = auto()  # a datetime, ISO 8601
    MONTH_PART = auto()  # (year or None, months back or None, month or None, first day, last day)
    MONTH_DAY = auto()  # (months back or None, day)
    DAY = auto()  # days from today; 1 and more lie ahead
    WEEKDAY = auto()  # (weeks back or None, weekday Monday 0, or WEEKEND)
    WEEK = auto()  # weeks back, a whole week
    MONTH = auto()  # months back, a whole month
    DAYS = auto()  # (from days back, to days back)
    AGO = auto()  # (least minutes, most minutes)
    NOW = auto()
    FESTIVAL = auto()  # (name, whole holiday, year or years from now or None)
    LUNAR = auto()  # (month, day)
    PART = auto()  # name of a part of the day
    CLOCK = auto()  # Clock
    TRAP = auto()  # looks like a time, is none


@dataclass(frozen=True, slots=True)
class Clock:
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
