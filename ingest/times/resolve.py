"""A phrase and the post's own time become an interval. Past-biased: of all readings the latest that lies before the post.

All arithmetic is on +08:00 wall time; intervals are half-open.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from typing import NamedTuple

from ingest.sure import BY_DAY, BY_HOUR, BY_MINUTE, BY_PART_OF_DAY, BY_RANGE, HIGH, LOW, MEDIUM
from ingest.times.days import DAY, LONGEST_AGO_DAYS, TOO_LONG_AGO, Days, Unresolved, days_of
from ingest.times.phrases import Phrase
from ingest.times.pieces import Clock, Token
from store.model import Certainty, Grain

CHINA = timezone(timedelta(hours=8), "+08:00")
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
    "dusk": (16.5, 19.5), "dinner": (17.5, 20),
    "morning_rush": (7, 9.5), "evening_rush": (17, 19.5),
    "evening": (17, 23), "night": (18, 24),
    "late": (20, 26), "deep": (22, 28), "midnight": (23, 25),
}  # fmt: skip

_PM_PARTS = frozenset({"afternoon", "early_afternoon", "late_afternoon", "dusk", "dinner", "evening", "evening_rush"})
NIGHT_PARTS = frozenset({"night", "late", "deep", "midnight"})


class Interval(NamedTuple):
    """A resolved phrase: [start, end) in +08:00, how fine and how sure it is."""

    start: datetime
    end: datetime
    grain: Grain
    certainty: Certainty


def midnight(day: date) -> datetime:
    """00:00 of ``day`` in +08:00."""
    return datetime.combine(day, time(), CHINA)


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
    """The readings of an hour: the likelier first where the day is known, else all that are plausible without one."""
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
        return at - ABOUT, at, BY_HOUR
    if clock.late:
        return at, at + (HOUR if clock.minute == 0 else ABOUT), BY_HOUR
    if clock.near:
        width = ABOUT if clock.minute in {0, 30} else SHARP
        return at - width, at + width, BY_HOUR
    if round_minute:
        return at - SHARP, at + SHARP, BY_HOUR
    return at, at + MINUTE, BY_MINUTE


def _within_day(phrase: Phrase) -> list[tuple[timedelta, timedelta, Grain]]:
    """Offsets from the day's midnight that the phrase allows, the likelier first."""
    clock, parts = phrase.clock, phrase.parts
    if clock is None:
        if not parts:
            return [(timedelta(), DAY, BY_DAY)]
        finest = next((part for part in reversed(parts) if part != "night"), parts[-1])
        low, high = WINDOWS[finest]
        if parts[-1] == "small_hours" and len(parts) > 1 and parts[0] in NIGHT_PARTS:
            low, high = low + 24, high + 24
        return [(timedelta(hours=low), timedelta(hours=high), BY_PART_OF_DAY)]
    out = []
    for hour in _clock_hours(clock, clock.hour, parts, day_known=phrase.day is not None):
        at = timedelta(hours=hour, minutes=clock.minute)
        if clock.until is not None:
            last = at + HOUR * (clock.until - clock.hour)
            out.append((at, last, BY_RANGE) if clock.span else (at - SHARP, last + SHARP, BY_HOUR))
        elif phrase.until is not None:
            last = timedelta(hours=phrase.until.hour, minutes=phrase.until.minute)
            while last <= at:
                last += 12 * HOUR
            out.append((at, last, BY_RANGE))
        else:
            out.append(_bounds(clock, at))
    return out


def _clamped(start: datetime, end: datetime, grain: Grain, certainty: Certainty, posted: datetime) -> Interval | None:
    return Interval(start, min(end, posted), grain, certainty) if start < posted and start < end else None


def _on_days(phrase: Phrase, days: Days, posted: datetime) -> Interval | None:
    first = midnight(days.first)
    options = _within_day(phrase)
    if days.number > 1:
        certainty = MEDIUM if days.number <= 7 else LOW
        return _clamped(first, first + DAY * days.number, BY_RANGE, certainty, posted)
    certainty = LOW if len(options) > 1 else HIGH if days.explicit else MEDIUM
    for low, high, grain in options:
        found = _clamped(first + low, first + high, grain, certainty, posted)
        if found:
            return found
    return None


def _dated(phrase: Phrase, token: Token, posted: datetime) -> Interval:
    if token.kind == "instant" and isinstance(token.value, datetime):
        moment = token.value if token.value.tzinfo else token.value.replace(tzinfo=CHINA)
        found = _clamped(moment.astimezone(CHINA), moment.astimezone(CHINA) + MINUTE, BY_MINUTE, HIGH, posted)
        if found:
            return found
        raise Unresolved("it lies after the post itself")
    days = days_of(token, posted.date())
    if phrase.last_day is not None:
        last = days_of(_same_month(phrase.last_day, days.first), posted.date()).first
        if last >= days.first:
            days = Days(days.first, (last - days.first).days + 1)
    found = _on_days(phrase, days, posted)
    if found is None and days.step:
        found = _on_days(phrase, Days(days.first - DAY * days.step, days.number, explicit=False), posted)
    if found is None and token.kind == "day" and token.value == 0:
        found = _tonight(phrase, days, posted)
    if found is None:
        raise Unresolved("it lies after the post itself")
    return found


def _tonight(phrase: Phrase, days: Days, posted: datetime) -> Interval | None:
    """今晚 written after midnight, 今天半夜2点 that has just been, and 今晚 written before the night begins."""
    if posted.hour < 5 or any(low >= DAY for low, _, _ in _within_day(phrase)):
        return _on_days(phrase, Days(days.first - DAY, days.number), posted)
    if phrase.clock is None and phrase.parts and phrase.parts[-1] in NIGHT_PARTS and posted.hour >= 16:
        return Interval(posted - NOW_SPAN, posted, BY_HOUR, MEDIUM)
    return None


def _same_month(last: Token, first: date) -> Token:
    """The second day of 2月9日至11日, which leaves the month out."""
    if last.kind == "month_day" and isinstance(last.value, tuple):
        return Token("date", last.start, last.end, (first.year, first.month, last.value[1]))
    return last


def _undated(phrase: Phrase, posted: datetime) -> Interval:
    """A time of day without a day: the latest occurrence before the post."""
    options = _within_day(phrase)
    certainty = MEDIUM if len(options) == 1 else LOW
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
    if high_min > LONGEST_AGO_DAYS * 1440:
        raise Unresolved(TOO_LONG_AGO)
    if 1440 <= low_min < 10080:
        first = midnight(posted.date() - DAY * round(high_min / 1440))
        last = midnight(posted.date() - DAY * round(low_min / 1440)) + DAY
        return Interval(first, min(last, posted), BY_DAY if last - first == DAY else BY_RANGE, HIGH)
    if low_min >= 10080:
        slack = DAY * (1 if low_min < 43800 else 5)
        centre = midnight(posted.date()) - timedelta(minutes=(low_min + high_min) / 2) + DAY / 2
        half = timedelta(minutes=(high_min - low_min) / 2) + slack + DAY / 2
        return Interval(centre - half, min(centre + half, posted), BY_RANGE, MEDIUM)
    exact = low_min == high_min
    slack_min = (max(5.0, min(15.0, low_min / 4)) if low_min < 120 else 30.0) if exact else 0.0
    start, end = posted - timedelta(minutes=high_min + slack_min), posted - timedelta(minutes=low_min - slack_min)
    grain = BY_MINUTE if high_min < 60 else BY_HOUR
    return Interval(start, min(end, posted), grain, HIGH if exact else MEDIUM)


def resolve(phrase: Phrase, posted: datetime) -> Interval:
    """The interval of ``phrase`` for a post of ``posted`` (+08:00).

    Raises:
        Unresolved: it names no moment before the post.
        OverflowError, ValueError: the post's time is at the edge of what a datetime can hold.
    """
    lone = phrase.lone
    if lone is not None:
        match lone.kind, lone.value:
            case "now", _:
                return Interval(posted - NOW_SPAN, posted, BY_HOUR, MEDIUM)
            case "ago", (int() | float() as low, int() | float() as high):
                return _ago(low, high, posted)
        raise Unresolved("a year, or something that recurs, is no time of a sighting")
    if phrase.day is not None:
        return _dated(phrase, phrase.day, posted)
    return _undated(phrase, posted)
