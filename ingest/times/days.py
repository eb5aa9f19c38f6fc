"""Which days a phrase means, seen from the day of the post. Past-biased; a day that lies ahead is refused."""

from __future__ import annotations

import calendar
from datetime import date, timedelta
from typing import NamedTuple

from ingest.times import calendars
from ingest.times.pieces import WHOLE, Token

DAY = timedelta(days=1)
LONGEST_AGO_DAYS = 400
AHEAD = "the day lies ahead of the post"
TOO_LONG_AGO = "it is too long ago to be a sighting"


class Unresolved(Exception):
    """A phrase that names no moment before the post; its text says why."""


class Days(NamedTuple):
    """The days a phrase may mean: ``number`` days from ``first``; ``step`` is how far back the next reading lies (0: none)."""

    first: date
    number: int = 1
    step: int = 0
    explicit: bool = True


def _month_back(year: int, month: int, back: int) -> tuple[int, int]:
    index = year * 12 + month - 1 - back
    return index // 12, index % 12 + 1


def _date_days(value: tuple[int | None, int, int], today: date) -> Days:
    year, month, day = value
    try:
        if year is not None:
            found = date(year if year > 0 else today.year + year, month, day)
        else:
            found = date(today.year, month, day)
            if found > today:
                found = date(today.year - 1, month, day)
                if (today - found).days > 300:
                    raise Unresolved(AHEAD)
    except ValueError:
        raise Unresolved("there is no such day") from None
    if found > today:
        raise Unresolved(AHEAD)
    return Days(found)


def _month_part_days(value: tuple[int | None, int | None, int | None, int, int], today: date) -> Days:
    year, back, month, low, high = value
    if back is not None:
        year, month = _month_back(today.year, today.month, back)
    elif year is None:
        year = today.year if (month or 1) <= today.month else today.year - 1
    elif year <= 0:
        year += today.year
    if not 1 <= year <= 9999 or month is None:
        raise Unresolved("there is no such month")
    days = calendar.monthrange(year, month)[1]
    low, high = (days - 4, days) if low == 26 else (low, min(high, days))
    first = date(year, month, low)
    if first > today:
        raise Unresolved("the month lies ahead of the post")
    return Days(first, high - low + 1)


def _month_day_days(value: tuple[int | None, int], today: date) -> Days:
    back, day = value
    for months in (0, 1) if back is None else (back,):
        year, month = _month_back(today.year, today.month, months)
        try:
            found = date(year, month, day)
        except ValueError:
            continue
        if found <= today:
            if back is None and (today - found).days > 28:
                break
            return Days(found, explicit=back is not None)
    raise Unresolved("the day lies ahead of the post, or there is no such day")


def _weekday_days(value: tuple[int | None, float], today: date) -> Days:
    back, weekday = value
    count = 2 if weekday == 5.5 else 1
    index = 5 if count == 2 else int(weekday)
    if back is None or (back == 0 and count == 2):
        return Days(today - DAY * ((today.weekday() - index) % 7), count, step=7, explicit=False)
    found = today - DAY * (today.weekday() + 7 * back - index)
    if found > today and back == 0 and index >= 5 and today.weekday() <= 1:
        return Days(found - 7 * DAY, explicit=False)  # on a Monday 这周日 is the day before
    if found > today:
        raise Unresolved(AHEAD)
    return Days(found, count)


def _festival_days(value: tuple[str, int, int | None], today: date) -> Days:
    name, which, year = value
    last = today
    if year is not None:
        last = min(today, date(year if year > 0 else today.year + year, 12, 31))
    found = calendars.latest_festival(name, last)
    if found is None or (year is not None and found.year != last.year):
        raise Unresolved("the lunar calendar has no such day")
    if which == WHOLE:
        return Days(found, calendars.holiday_days(name, found.year))
    if found + DAY * (which - 1) > today:
        raise Unresolved(AHEAD)
    return Days(found + DAY * (which - 1))


def days_of(token: Token, today: date) -> Days:
    """The days that a day token means, seen from ``today``."""
    value: object = token.value
    match token.kind, value:
        case "date", (None | int() as year, int(month), int(day)):
            return _date_days((year, month, day), today)
        case "month_part", (None | int() as year, None | int() as back, None | int() as month, int(low), int(high)):
            return _month_part_days((year, back, month, low, high), today)
        case "month_day", (None | int() as back, int(day)):
            return _month_day_days((back, day), today)
        case "day", int(offset):
            if offset > 0:
                raise Unresolved(AHEAD)
            if offset < -LONGEST_AGO_DAYS:
                raise Unresolved(TOO_LONG_AGO)
            return Days(today + DAY * offset)
        case "days", (int(low), int(high)):
            return Days(today + DAY * low, high - low)
        case "weekday", (None | int() as back, int() | float() as weekday):
            return _weekday_days((back, weekday), today)
        case "week", int(back):
            return Days(today - DAY * (today.weekday() + 7 * back), 7)
        case "month", int(back):
            return _month_part_days((None, back, None, 1, 31), today)
        case "festival", (str(name), int(which), None | int() as year):
            return _festival_days((name, which, year), today)
        case "lunar", (int(month), int(day)):
            found = calendars.latest_lunar(month, day, today)
            if found is not None:
                return Days(found)
    raise Unresolved("the calendar has no such day")
