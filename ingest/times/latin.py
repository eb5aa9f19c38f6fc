"""Readers of the rules for times in Latin letters: English and pinyin."""

from __future__ import annotations

import re

from ingest.times.grammar import MONTHS, WEEKDAYS, WEEKEND
from ingest.times.numbers import number
from ingest.times.pieces import MINUTES_A_DAY, Clock, Match, Read, day_of

_EN_UNITS = {"s": 1 / 60, "m": 1, "h": 60, "d": 1440, "n": 1440, "w": 10080, "y": 525960}
_EN_VAGUE: dict[str, tuple[float, float]] = {
    "half an": (0.5, 0.5), "a couple of": (2.0, 2.0), "couple of": (2.0, 2.0), "a few": (2, 6), "few": (2, 6), "several": (3, 7),
}  # fmt: skip


def enago(name: str, unit: str, half: str | None) -> Read:
    """N units ago, as :func:`ingest.times.readers` does it for Chinese."""
    minutes = 43800 if unit.startswith("mo") else _EN_UNITS[unit[0]]
    exact = float(number(name) or 0)
    low, high = _EN_VAGUE.get(name, (exact, exact))
    extra = 0.5 if half else 0
    if minutes == MINUTES_A_DAY and low == high and low.is_integer() and not half:
        return "day", -int(low)
    return ("ago", ((low + extra) * minutes, (high + extra) * minutes)) if high else None


_PY_DAYS = {"daqiantian": -3, "qiantian": -2, "zuotian": -1, "zuowan": -1, "jintian": 0, "jinwan": 0}


def pyday(m: Match, word: str) -> Read:
    """zuotian, jin wan: a day in pinyin."""
    return "day", _PY_DAYS[re.sub(r"\s", "", word)]


def endate(month: str, day: str, year: str | None) -> Read:
    """February 9th, 9 Feb 2011."""
    return day_of(int(year) if year else None, MONTHS[month[:3]], int(day))


_EN_DAYS = {
    "the day before yesterday": -2, "the night before last": -2, "yesterday": -1, "last night": -1, "today": 0, "tonight": 0,
    "this": 0, "tomorrow": 1,
}  # fmt: skip


def enrel(m: Match, word: str) -> Read:
    """yesterday, last night, the other day."""
    return ("days", (-7, -1)) if word == "the other day" else ("day", _EN_DAYS[word])


def enweek(m: Match, word: str) -> Read:
    """last week, on Monday; Mondays are a habit."""
    if word in {"last week", "last month"}:
        return ("week" if word == "last week" else "month"), 1
    lead = m["ew"] or m["ew2"]
    if m["es"] or lead == "every":
        return "trap", None
    return "weekday", (-1 if lead == "next" else None, WEEKDAYS[m["ed3"][:3]] if m["ed3"] else WEEKEND)


def half(m: Match, word: str) -> Read:
    """half past nine, quarter to five."""
    hour, minutes = number(m["eqh"]) or 0, {"half past": 30, "quarter past": 15}.get(m["eq"])
    return ("clock", Clock(hour, minutes) if minutes else Clock(hour - 1, 45)) if 1 <= hour <= 12 else None


def rangepm(m: Match, word: str) -> Read:
    """3-5 pm."""
    first, second = int(m["r1"]), int(m["r2"])
    return ("clock", Clock(first, until=second, pm=m["rp"] == "p")) if 0 < first < second <= 12 else None


def clockpm(word: str, half_day: str | None, minute: str | None = None) -> Read:
    """3.20 pm, 9 o'clock."""
    hour = number(word)
    pm = None if half_day is None else half_day == "p"
    if not hour or hour > (24 if pm is None else 12):
        return None
    return "clock", Clock(hour, int(minute or 0), digital=minute is not None, pm=pm)
