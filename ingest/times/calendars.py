"""Festivals and lunar dates as Gregorian days. The lunar calendar is borax's (the table of the Hong Kong Observatory)."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

from borax.calendars.lunardate import LunarDate

DAY = timedelta(days=1)

_SOLAR = {
    "元旦": (1, 1), "情人节": (2, 14), "妇女节": (3, 8), "三八": (3, 8), "植树节": (3, 12), "愚人节": (4, 1),
    "五一": (5, 1), "劳动节": (5, 1), "五四": (5, 4), "青年节": (5, 4), "六一": (6, 1), "儿童节": (6, 1), "教师节": (9, 10),
    "国庆": (10, 1), "十一": (10, 1), "万圣节": (10, 31), "光棍节": (11, 11), "双十一": (11, 11), "平安夜": (12, 24),
    "圣诞夜": (12, 24),
    "圣诞": (12, 25), "跨年夜": (12, 31), "new year's day": (1, 1), "new years day": (1, 1), "valentine's day": (2, 14),
    "labor day": (5, 1), "labour day": (5, 1), "may day": (5, 1), "children's day": (6, 1), "national day": (10, 1),
    "halloween": (10, 31), "christmas eve": (12, 24), "christmas": (12, 25), "new year's eve": (12, 31),
    "new years eve": (12, 31),
}  # fmt: skip

_LUNAR = {
    "春节": (1, 1), "元宵": (1, 15), "龙抬头": (2, 2), "端午": (5, 5), "七夕": (7, 7), "中元": (7, 15), "中秋": (8, 15),
    "重阳": (9, 9), "腊八": (12, 8), "小年": (12, 23), "spring festival": (1, 1), "chinese new year": (1, 1),
    "lunar new year": (1, 1), "lantern festival": (1, 15), "dragon boat festival": (5, 5), "mid-autumn festival": (8, 15),
    "mid-autumn": (8, 15), "mid autumn festival": (8, 15),
}  # fmt: skip

_EVE = {"除夕", "大年夜", "chinese new year's eve", "lunar new year's eve"}

NAMES = (*_SOLAR, *_LUNAR, *_EVE, "清明", "冬至", "母亲节", "父亲节", "感恩节")


@lru_cache(maxsize=4096)
def lunar_day(year: int, month: int, day: int) -> date | None:
    """The Gregorian day of a lunar date; None where that month has no such day or the year is not tabled (1900-2099)."""
    try:
        solar: date = LunarDate(year, month, day).to_solar_date()
    except (ValueError, KeyError, IndexError):
        return None
    return solar


def lunar_year_of(day: date) -> int:
    """The lunar year that ``day`` falls in (the Gregorian year before its spring festival)."""
    first = lunar_day(day.year, 1, 1)
    return day.year if first is not None and day >= first else day.year - 1


def eve(year: int) -> date | None:
    """New year's eve that ends lunar ``year``: the day before the next spring festival, whether the month has 29 or 30 days."""
    first = lunar_day(year + 1, 1, 1)
    return None if first is None else first - DAY


def latest_lunar(month: int, day: int, today: date) -> date | None:
    """The latest occurrence, not after ``today``, of a lunar month and day; the 30th of the last month means new year's eve."""
    year = lunar_year_of(today)
    for y in (year, year - 1, year - 2):
        found = eve(y) if (month, day) == (12, 30) else lunar_day(y, month, day)
        if found is not None and found <= today:
            return found
    return None


def qingming(year: int) -> date:
    """Tomb-sweeping day by the usual solar-term formula (right for 1901-2099)."""
    short = year % 100
    base = 4.81 if year >= 2000 else 5.59
    return date(year, 4, int(short * 0.2422 + base) - short // 4)


def dongzhi(year: int) -> date:
    """Winter solstice day by the usual solar-term formula."""
    short = year % 100
    base = 21.94 if year >= 2000 else 22.60
    return date(year, 12, int(short * 0.2422 + base) - short // 4)


def nth_weekday(year: int, month: int, weekday: int, n: int) -> date:
    """The ``n``-th ``weekday`` (Monday 0) of a month."""
    first = date(year, month, 1)
    return first + DAY * ((weekday - first.weekday()) % 7 + 7 * (n - 1))


def _of_year(name: str, year: int) -> date | None:
    match name:
        case "清明":
            return qingming(year)
        case "冬至":
            return dongzhi(year)
        case "母亲节":
            return nth_weekday(year, 5, 6, 2)
        case "父亲节":
            return nth_weekday(year, 6, 6, 3)
        case "感恩节":
            return nth_weekday(year, 11, 3, 4)
    month_day = _SOLAR.get(name)
    return None if month_day is None else date(year, *month_day)


def latest_festival(name: str, today: date) -> date | None:
    """The latest day, not after ``today``, on which the festival ``name`` (one of :data:`NAMES`) fell."""
    if name in _EVE:
        return latest_lunar(12, 30, today)
    if name in _LUNAR:
        return latest_lunar(*_LUNAR[name], today)
    for year in (today.year, today.year - 1):
        found = _of_year(name, year)
        if found is not None and found <= today:
            return found
    return None


def holiday_days(name: str, year: int) -> int:
    """How many days off a festival brings (State Council: May Day was a week to 2007, three days from 2008, five from 2020)."""
    if name in {"国庆", "十一", "national day", "春节", "spring festival", "chinese new year", "lunar new year"}:
        return 7
    if name in {"五一", "劳动节", "may day", "labour day", "labor day"}:
        return 7 if year <= 2007 else 3 if year <= 2018 else 4 if year == 2019 else 5
    return 3
