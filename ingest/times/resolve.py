"""A phrase and the post's own time become an interval. Past-biased: of all readings the latest that lies before the post.

All arithmetic is on +08:00 wall time; intervals are half-open.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import NamedTuple

from ingest.times import calendars
from ingest.times.phrases import Phrase
from ingest.times.tokens import Clock, Kind, Token
from store.model import Certainty, Grain

CHINA = timezone(timedelta(hours=8), "+08:00")
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)

NOW_SPAN = HOUR
"""刚刚 is read as the hour before the post: people write on their way home."""
SHARP = timedelta(minutes=15)
"""Half width of an hour said plainly (晚上九点, 12点半): people round to the quarter hour."""
ABOUT = timedelta(minutes=30)
"""Half width of 3点左右."""

# Hours from midnight of the named day; more than 24 runs into the next one.
WINDOWS: dict[str, tuple[float, float]] = {
    "small_hours": (0, 5), "dawn": (4.5, 7), "early": (5, 9.5), "morning": (6, 12), "forenoon": (6, 12), "noon": (11, 14),
    "early_afternoon": (12, 16), "afternoon": (12, 18), "late_afternoon": (15.5, 18),
    "dusk": (16.5, 19.5), "dinner": (17.5, 20), "evening": (17, 23), "night": (18, 24),
    "late": (20, 26), "deep": (22, 28), "midnight": (23, 25),
}  # fmt: skip

_PM_PARTS = frozenset({"afternoon", "early_afternoon", "late_afternoon", "dusk", "dinner", "evening"})
NIGHT_PARTS = frozenset({"night", "late", "deep", "midnight"})


class Interval(NamedTuple):
    """A resolved phrase: [start, end) in +08:00, how fine and how sure it is, and the rule in words."""

    start: datetime
    end: datetime
    grain: Grain
    certainty: Certainty


class Unresolved(Exception):
    """A phrase that names no moment before the post; its text says why."""


@dataclass(frozen=True, slots=True)
class _Days:
    """The days a phrase may mean: ``count`` days from ``first``; ``step`` is how far back the next reading lies (0: none)."""

    first: date
    count: int = 1
    step: int = 0
    explicit: bool = True


def midnight(day: date) -> datetime:
    """00:00 of ``day`` in +08:00."""
    return datetime.combine(day, time(), CHINA)


def _month_back(year: int, month: int, back: int) -> tuple[int, int]:
    index = year * 12 + month - 1 - back
    return index // 12, index % 12 + 1


def _date_days(value: tuple[int | None, int, int], today: date) -> _Days:
    year, month, day = value
    try:
        if year is not None:
            found = date(year if year > 0 else today.year + year, month, day)
        else:
            found = date(today.year, month, day)
            if found > today:
                found = date(today.year - 1, month, day)
                if (today - found).days > 300:
                    raise Unresolved("the day lies ahead of the post")
    except ValueError:
        raise Unresolved("there is no such day") from None
    if found > today:
        raise Unresolved("the day lies ahead of the post")
    return _Days(found)


def _month_part_days(value: tuple[int | None, int | None, int | None, int, int], today: date) -> _Days:
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
    return _Days(first, high - low + 1)


def _month_day_days(value: tuple[int | None, int], today: date) -> _Days:
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
            return _Days(found, explicit=back is not None)
    raise Unresolved("the day lies ahead of the post, or there is no such day")


def _weekday_days(value: tuple[int | None, float], today: date) -> _Days:
    back, weekday = value
    count = 2 if weekday == 5.5 else 1
    index = 5 if count == 2 else int(weekday)
    if back is None or (back == 0 and count == 2):
        return _Days(today - DAY * ((today.weekday() - index) % 7), count, step=7, explicit=False)
    found = today - DAY * (today.weekday() + 7 * back - index)
    if found > today and back == 0 and index >= 5 and today.weekday() <= 1:
        return _Days(found - 7 * DAY, explicit=False)  # on a Monday 这周日 is the day before
    if found > today:
        raise Unresolved("the day lies ahead of the post")
    return _Days(found, count)


def _festival_days(value: tuple[str, bool, int | None], today: date) -> _Days:
    name, whole, year = value
    last = today
    if year is not None:
        last = min(today, date(year if year > 0 else today.year + year, 12, 31))
    found = calendars.latest_festival(name, last)
    if found is None or (year is not None and found.year != last.year):
        raise Unresolved("the lunar calendar has no such day")
    if whole or name in {"春节", "spring festival", "chinese new year", "lunar new year"}:
        return _Days(found, calendars.holiday_days(name, found.year))
    return _Days(found)


def _days(token: Token, today: date) -> _Days:
    """The days that a day token means, seen from ``today``."""
    value: object = token.value
    match token.kind, value:
        case Kind.DATE, (None | int() as year, int(month), int(day)):
            return _date_days((year, month, day), today)
        case Kind.MONTH_PART, (None | int() as year, None | int() as back, None | int() as month, int(low), int(high)):
            return _month_part_days((year, back, month, low, high), today)
        case Kind.MONTH_DAY, (None | int() as back, int(day)):
            return _month_day_days((back, day), today)
        case Kind.DAY, int(offset):
            if offset > 0:
                raise Unresolved("the day lies ahead of the post")
            return _Days(today + DAY * offset)
        case Kind.DAYS, (int(low), int(high)):
            return _Days(today + DAY * low, high - low)
        case Kind.WEEKDAY, (None | int() as back, int() | float() as weekday):
            return _weekday_days((back, weekday), today)
        case Kind.WEEK, int(back):
            return _Days(today - DAY * (today.weekday() + 7 * back), 7)
        case Kind.MONTH, int(back):
            return _month_part_days((None, back, None, 1, 31), today)
        case Kind.FESTIVAL, (str(name), bool(whole), None | int() as year):
            return _festival_days((name, whole, year), today)
        case Kind.LUNAR, (int(month), int(day)):
            found = calendars.latest_lunar(month, day, today)
            if found is not None:
                return _Days(found)
    raise Unresolved("the calendar has no such day")


def _hour(clock: Clock, hour: int, parts: tuple[str, ...]) -> float | None:
    """Hours from the day's midnight that ``hour`` means beside the parts of the day, or None where it stays open."""
    if clock.pm is not None:
        return hour % 12 + (12 if clock.pm else 0)
    if clock.digital and hour > 12:
        return hour
    nights = [p for p in parts if p in NIGHT_PARTS]
    if "small_hours" in parts:
        return (0 if hour == 12 else hour) + (24 if nights else 0)  # 昨晚凌晨1点 is the morning after
    if nights:
        return hour if hour > 12 else 24 + hour % 12 if hour <= 4 or hour == 12 else hour + 12
    if any(p in _PM_PARTS for p in parts):
        return hour + 12 if hour < 12 else 24 if hour == 12 and parts[-1] == "evening" else hour
    if "noon" in parts:
        return hour + 12 if hour <= 3 else hour
    if parts:
        return hour
    return hour if hour == 0 or hour > 12 else None


def _clock_hours(clock: Clock, hour: int, parts: tuple[str, ...], *, day_known: bool) -> list[float]:
    """The readings of an hour, the likelier last... first where the day is known; all plausible ones where it is not."""
    settled = _hour(clock, hour, parts)
    if settled is not None:
        return [settled]
    if clock.digital and 6 <= hour <= 12:
        return [hour]
    if hour == 12:
        return [12]
    if day_known:
        return [hour + 12, hour] if hour <= 6 else [hour, hour + 12]
    return [hour + 12, hour] if hour >= 6 else [hour + 12]


def _bounds(clock: Clock, at: timedelta) -> tuple[timedelta, timedelta, Grain]:
    """What a clock says around ``at``: the hour after (多), half an hour around (左右), a quarter, or the minute itself."""
    round_minute = clock.minute in {0, 30} and not (clock.digital and clock.minute)
    if clock.before:
        return at - ABOUT, at, Grain.HOUR
    if clock.late:
        return at, at + (HOUR if clock.minute == 0 else ABOUT), Grain.HOUR
    if clock.near:
        width = ABOUT if clock.minute in {0, 30} else SHARP
        return at - width, at + width, Grain.HOUR
    if round_minute:
        return at - SHARP, at + SHARP, Grain.HOUR
    return at, at + MINUTE, Grain.MINUTE


def _within_day(phrase: Phrase) -> list[tuple[timedelta, timedelta, Grain]]:
    """Offsets from the day's midnight that the phrase allows, the likelier first."""
    clock, parts = phrase.clock, phrase.parts
    if clock is None:
        if not parts:
            return [(timedelta(), DAY, Grain.DAY)]
        low, high = WINDOWS[parts[-1]]
        if parts[-1] == "small_hours" and len(parts) > 1 and parts[0] in NIGHT_PARTS:
            low, high = low + 24, high + 24
        return [(timedelta(hours=low), timedelta(hours=high), Grain.PART_OF_DAY)]
    out = []
    for hour in _clock_hours(clock, clock.hour, parts, day_known=phrase.day is not None):
        at = timedelta(hours=hour, minutes=clock.minute)
        if clock.until is not None:
            last = at + HOUR * (clock.until - clock.hour)
            out.append((at, last, Grain.RANGE) if clock.span else (at - SHARP, last + SHARP, Grain.HOUR))
        elif phrase.until is not None:
            last = timedelta(hours=phrase.until.hour, minutes=phrase.until.minute)
            while last <= at:
                last += 12 * HOUR
            out.append((at, last, Grain.RANGE))
        else:
            out.append(_bounds(clock, at))
    return out


def _clamped(start: datetime, end: datetime, grain: Grain, certainty: Certainty, posted: datetime) -> Interval | None:
    return Interval(start, min(end, posted), grain, certainty) if start < posted and start < end else None


def _on_days(phrase: Phrase, days: _Days, posted: datetime) -> Interval | None:
    first = midnight(days.first)
    options = _within_day(phrase)
    if days.count > 1:
        certainty = Certainty.MEDIUM if days.count <= 7 else Certainty.LOW
        return _clamped(first, first + DAY * days.count, Grain.RANGE, certainty, posted)
    certainty = Certainty.LOW if len(options) > 1 else Certainty.HIGH if days.explicit else Certainty.MEDIUM
    for low, high, grain in options:
        found = _clamped(first + low, first + high, grain, certainty, posted)
        if found:
            return found
    return None


def _dated(phrase: Phrase, token: Token, posted: datetime) -> Interval:
    if token.kind is Kind.INSTANT and isinstance(token.value, datetime):
        moment = token.value if token.value.tzinfo else token.value.replace(tzinfo=CHINA)
        found = _clamped(moment.astimezone(CHINA), moment.astimezone(CHINA) + MINUTE, Grain.MINUTE, Certainty.HIGH, posted)
        if found:
            return found
        raise Unresolved("it lies after the post itself")
    days = _days(token, posted.date())
    if phrase.last_day is not None:
        last = _days(_same_month(phrase.last_day, days.first), posted.date()).first
        if last >= days.first:
            days = _Days(days.first, (last - days.first).days + 1)
    found = _on_days(phrase, days, posted)
    if found is None and days.step:
        found = _on_days(phrase, _Days(days.first - DAY * days.step, days.count, explicit=False), posted)
    overnight = token.kind is Kind.DAY and (token.value == 0 and (posted.hour < 5 or _runs_over(phrase)))
    if (found is None or _runs_over(phrase)) and overnight:
        found = found or _on_days(phrase, _Days(days.first - DAY, days.count), posted)
    if found is None:
        raise Unresolved("it lies after the post itself")
    return found


def _same_month(last: Token, first: date) -> Token:
    """The second day of 2月9日至11日, which leaves the month out."""
    if last.kind is Kind.MONTH_DAY and isinstance(last.value, tuple):
        return Token(Kind.DATE, last.start, last.end, (first.year, first.month, last.value[1]))
    return last


def _runs_over(phrase: Phrase) -> bool:
    return any(low >= DAY for low, _, _ in _within_day(phrase))


def _undated(phrase: Phrase, posted: datetime) -> Interval:
    """A time of day without a day: the latest occurrence before the post."""
    options = _within_day(phrase)
    certainty = Certainty.MEDIUM if len(options) == 1 else Certainty.LOW
    best: Interval | None = None
    for back in (0, 1, 2):
        first = midnight(posted.date()) - DAY * back
        for low, high, grain in options:
            found = _clamped(first + low, first + high, grain, certainty, posted)
            if found and (best is None or found.start > best.start):
                best = found
        if best is not None:
            return best
    raise Unresolved("it lies after the post itself")


def _ago(low_min: float, high_min: float, posted: datetime) -> Interval:
    """N units back: the smaller the unit, the narrower. Whole days mean a calendar day."""
    if high_min > 400 * 1440:
        raise Unresolved("it is too long ago to be a sighting")
    if low_min >= 1440 and low_min < 10080:
        first = midnight(posted.date() - DAY * round(high_min / 1440))
        last = midnight(posted.date() - DAY * round(low_min / 1440)) + DAY
        return Interval(first, min(last, posted), Grain.DAY if last - first == DAY else Grain.RANGE, Certainty.HIGH)
    if low_min >= 10080:
        slack = DAY * (1 if low_min < 43800 else 5)
        centre = midnight(posted.date()) - timedelta(minutes=(low_min + high_min) / 2) + DAY / 2
        half = timedelta(minutes=(high_min - low_min) / 2) + slack + DAY / 2
        return Interval(centre - half, min(centre + half, posted), Grain.RANGE, Certainty.MEDIUM)
    exact = low_min == high_min
    slack_min = (max(5.0, min(15.0, low_min / 4)) if low_min < 120 else 30.0) if exact else 0.0
    start, end = posted - timedelta(minutes=high_min + slack_min), posted - timedelta(minutes=low_min - slack_min)
    grain = Grain.MINUTE if high_min < 60 else Grain.HOUR
    return Interval(start, min(end, posted), grain, Certainty.HIGH if exact else Certainty.MEDIUM)


def resolve(phrase: Phrase, posted: datetime) -> Interval:
    """The interval of ``phrase`` for a post of ``posted`` (+08:00).

    Raises:
        Unresolved: it names no moment before the post.
        OverflowError, ValueError: the post's time is at the edge of what a datetime can hold.
    """
    lone = phrase.lone
    if lone is not None:
        match lone.kind, lone.value:
            case Kind.NOW, _:
                return Interval(posted - NOW_SPAN, posted, Grain.HOUR, Certainty.MEDIUM)
            case Kind.AGO, (int() | float() as low, int() | float() as high):
                return _ago(low, high, posted)
        raise Unresolved("a year, or something that recurs, is no time of a sighting")
    if phrase.day is not None:
        return _dated(phrase, phrase.day, posted)
    return _undated(phrase, posted)
