"""The pieces that times are made of, found by one expression over the normalised text.

A token says what was written (``昨`` is one day back, ``下午`` a part of the day, ``3点多`` a clock), not yet which day it means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from itertools import islice

from ingest.times.grammar import FIND, MONTHS, PARTS, WEEKDAYS, ZH_DAY
from ingest.times.numbers import number


class Kind(Enum):
    """What a token can be."""

    DATE = auto()  # (year | None, month, day)
    INSTANT = auto()  # a datetime, ISO 8601
    MONTH_PART = auto()  # (year or None, months back or None, month or None, first day, last day)
    MONTH_DAY = auto()  # (months back or None, day)
    DAY = auto()  # days from today; 1 and more lie ahead
    WEEKDAY = auto()  # (weeks back or None, weekday Monday 0, or 5.5 for the weekend)
    WEEK = auto()  # weeks back, a whole week
    MONTH = auto()  # months back, a whole month
    DAYS = auto()  # (from days back, to days back)
    AGO = auto()  # (least minutes, most minutes)
    NOW = auto()
    FESTIVAL = auto()  # (name, whole holiday)
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


@dataclass(frozen=True, slots=True)
class Token:
    """A piece at [start, end) of the normalised text."""

    kind: Kind
    start: int
    end: int
    value: object = None


MAX_TOKENS = 200
"""Posts hold a handful of times; a text with more than this many is no report of a sighting, and reading on would cost time."""

Read = tuple[Kind, object] | None
Match = re.Match[str]


def _day_of(year: int | None, month: int | None, day: int | None) -> Read:
    if month is None or day is None or not 1 <= month <= 12 or not 1 <= day <= 31:
        return None
    return Kind.DATE, (year, month, day)


def _iso(m: Match, word: str) -> Read:
    try:
        moment = datetime.fromisoformat(word.upper())
    except ValueError:
        return None
    return Kind.INSTANT, moment


def _ymd(m: Match, word: str) -> Read:
    year, month, day = (int(n) for n in re.findall(r"\d+", word)[:3])
    return _day_of(year, month, day)


def _ymd8(m: Match, word: str) -> Read:
    return _day_of(int(word[:4]), int(word[4:6]), int(word[6:]))


def _ymdzh(m: Match, word: str) -> Read:
    year_word, _, rest = word.partition("年")
    month, _, day = rest.rstrip("日号").partition("月")
    year = number(year_word)
    return _day_of(None if year is None else year + 2000 if year < 100 else year, number(month.strip()), number(day.strip()))


_THIRDS = {"初": (1, 5), "上旬": (1, 10), "中旬": (11, 20), "下旬": (21, 31), "底": (26, 31), "末": (26, 31), None: (1, 31)}


def _ym(m: Match, word: str) -> Read:
    month = number(re.sub(r"月.*|份.*", "", word[5:]).strip(" 年"))
    part = next((p for p in _THIRDS if p and word.endswith(p)), None)
    if month is None or not 1 <= month <= 12:
        return Kind.TRAP, None
    return Kind.MONTH_PART, (int(word[:4]), None, month, *_THIRDS[part])


def _trap(m: Match, word: str) -> Read:
    return Kind.TRAP, None


_LUNAR_MONTHS = {"正": 1, "冬": 11, "腊": 12}


def _lunar(m: Match, word: str) -> Read:
    name = (m["lm"] or m["lm2"] or m["lm3"]).lstrip("闰")
    month, day = _LUNAR_MONTHS.get(name) or number(name), number(m["ld"].lstrip("初"))
    return (Kind.LUNAR, (month, day)) if month and day and month <= 12 and day <= 30 else None


def _newyear(m: Match, word: str) -> Read:
    day = m["nd"] or m["nd2"]
    return Kind.LUNAR, ((1, number(day[1:])) if day else (12, 30))


_MONTHS_BACK = {"上月": 1, "上个月": 1, "本月": 0, "这月": 0, "这个月": 0, "当月": 0}


def _monthpart(m: Match, word: str) -> Read:
    back = None if m["mb"] is None else 1 if m["mb"].startswith("上") else 0
    month = number(m["mn"] or "")
    if back is None and not (month and 1 <= month <= 12):
        return None
    return Kind.MONTH_PART, (None, back, month, *_THIRDS[m["mp"]])


_YEARS_BACK = {"今年": 0, "去年": -1, "前年": -2}


def _md(m: Match, word: str) -> Read:
    read = _day_of(None, number(m["mdm"]), number(m["mdd"]))
    if read is None or not m["mdy"]:
        return read
    return Kind.DATE, (_YEARS_BACK[m["mdy"]], number(m["mdm"]), number(m["mdd"]))


def _month(m: Match, word: str) -> Read:
    year = _YEARS_BACK.get(word[:2])
    month = number((word[2:] if year is not None else word).replace("月份", "").replace("月", "").strip())
    if month is None or not 1 <= month <= 12:
        return None
    return Kind.MONTH_PART, (year, None, month, 1, 31)


def _mdpair(m: Match, word: str) -> Read:
    month, day = re.split(r"[/.-]", word)
    return _day_of(None, int(month), int(day))


_UNIT_MINUTES = {
    "小时": 60, "钟头": 60, "h": 60, "分钟": 1, "分": 1, "min": 1, "刻钟": 15, "天": 1440, "日": 1440, "周": 10080,
    "星期": 10080, "礼拜": 10080, "月": 43800, "年": 525960,
}  # fmt: skip
_VAGUE = {
    "几": (2, 6), "好几": (3, 9), "十几": (11, 19), "数": (2, 6), "两三": (2, 3), "三四": (3, 4), "四五": (4, 5), "五六": (5, 6),
    "七八": (7, 8), "一两": (1, 2), "一个半": (1.5, 1.5), "两个半": (2.5, 2.5), "半": (0.5, 0.5),
}  # fmt: skip


def _ago(m: Match, word: str) -> Read:
    name, unit = m["an"], _UNIT_MINUTES[m["au"]]
    if name in _VAGUE:
        low, high = _VAGUE[name]
    else:
        exact = float(name) if re.fullmatch(r"[\d.]+", name) else number(name)
        if exact is None:
            return None
        low = high = exact
    if m["ah"] == "半":
        low, high = low + 0.5, high + 0.5
    if m["ab"] == "多" or m["ah"] == "多" or m["am"] == "多":
        high = low + (0.5 if low < 1 else 1 if low < 10 else 5)
    return (Kind.AGO, (low * unit, high * unit)) if high else None


def _daynum(m: Match, word: str) -> Read:
    day = number(m["dd"] or "")
    return (Kind.MONTH_DAY, (_MONTHS_BACK[m["dm"]], day)) if day and day <= 31 else None


def _bareday(m: Match, word: str) -> Read:
    day = number(m["bd"])
    return (Kind.MONTH_DAY, (None, day)) if day and day <= 31 else None


def _lastspan(m: Match, word: str) -> Read:
    back = {"上上": 2, "上": 1}.get(m["lw"], 0)
    return (Kind.MONTH if m["lu"] == "月" else Kind.WEEK), back


_WEEKS_BACK = {"上上": 2, "上": 1, "这": 0, "本": 0, "今": 0, "下": -1, "下下": -2, None: None}


def _weekday(m: Match, word: str) -> Read:
    return Kind.WEEKDAY, (_WEEKS_BACK[m["ww"]], ZH_DAY[m["wd"]])


_DAYS = {"大前": -3, "前": -2, "昨": -1, "寻": -1, "琴": -1, "今": 0, "后": 2, "大后": 3, "明": 1, "次日": 1, "翌日": 1}


def _rel(m: Match, word: str) -> Read:
    return Kind.DAY, _DAYS.get(word, _DAYS.get(word.rstrip("天日个儿"), 1))


def _fewdays(m: Match, word: str) -> Read:
    if m["fd2"]:
        return Kind.DAYS, ((-3, 1) if m["fd2"] == "几" else (-number_or(m["fd2"]) + 1, 1))
    spans = {"几": (-7, -1), "两": (-3, -1), "三": (-3, 0), "些": (-10, -2)}
    return Kind.DAYS, spans[m["fd"]]


def number_or(word: str, default: int = 2) -> int:
    """:func:`number`, or ``default`` for a word that is none."""
    value = number(word)
    return default if value is None else value


def _now(m: Match, word: str) -> Read:
    return Kind.NOW, word


def _festival(m: Match, word: str) -> Read:
    return Kind.FESTIVAL, (m["fn"].removesuffix("日") if m["fn"] == "元旦日" else m["fn"], bool(m["fs"]))


def _clocks(m: Match, word: str) -> Read:
    first, second = number(m["c1"] or m["c0"]), number(m["c2"])
    if first is None or second is None or not 0 <= first < second <= 24 or (m["cs"] is None and second != first + 1):
        return None
    return Kind.CLOCK, Clock(first, until=second, span=m["cs"] in {"到", "至"})


def _hm(m: Match, word: str) -> Read:
    hour, minute = int(m["h"]), int(m["m"])
    pm = None if not m["hp"] else m["hp"][0] == "p"
    return Kind.CLOCK, Clock(hour, minute, digital=True, pm=pm, near=bool(m["ht"]))


def _clock(m: Match, word: str) -> Read:
    hour = number(m["ch"])
    if hour is None or hour > 24:
        return None
    minute = number_or(m["cq"]) * 15 if m["cq"] else 30 if m["chalf"] else number_or(m["cm"], 0) if m["cm"] else 0
    if minute > 59:
        return None
    tail = m["cx"] or ""
    late = tail[:1] in {"多", "几", "过", "出"} or tail == "来钟"
    said = bool(m["cq"] or m["chalf"] or m["cz"] or tail or m["cm"] or word.endswith("时"))
    clock = Clock(hour, minute, late=late, near=tail in {"左右", "许", "上下", "前后"}, before=bool(m["cb"]), bare=not said)
    return Kind.CLOCK, clock


def _part(m: Match, word: str) -> Read:
    return Kind.PART, PARTS[word]


_EN_UNITS = {"s": 1 / 60, "m": 1, "h": 60, "d": 1440, "w": 10080, "y": 525960}


def _enago(m: Match, word: str) -> Read:
    unit = 43800 if m["eu"].startswith("mo") else _EN_UNITS[m["eu"][0]]
    name = m["en"]
    if name == "half an":
        low = high = 0.5
    elif name.startswith(("a couple", "couple")):
        low, high = 2.0, 2.0
    elif name in {"a few", "few", "several"}:
        low, high = 2.0, 6.0
    else:
        low = high = float(number(name) or 0)
    extra = 0.5 if m["eh"] else 0
    return (Kind.AGO, ((low + extra) * unit, (high + extra) * unit)) if high else None


def _endate(m: Match, word: str) -> Read:
    month, day, year = m["em"] or m["em2"], m["ed"] or m["ed2"], m["ey"] or m["ey2"]
    return _day_of(int(year) if year else None, MONTHS[month[:3]], int(day))


_EN_DAYS = {"the day before yesterday": -2, "yesterday": -1, "today": 0, "tomorrow": 1, "this": 0, "tonight": 0, "last night": -1}


def _enrel(m: Match, word: str) -> Read:
    if word == "the other day":
        return Kind.DAYS, (-7, -1)
    return Kind.DAY, _EN_DAYS[word.strip()]


def _enweek(m: Match, word: str) -> Read:
    if word.endswith(("last week", "last month")):
        return (Kind.WEEK if word.endswith("week") else Kind.MONTH), 1
    if m["ed3"] is None:
        lead = m["ew2"]
        return (Kind.TRAP, "habit") if lead == "every" else (Kind.WEEKDAY, (-1 if lead == "next" else None, 5.5))
    if m["es"] or m["ew"] == "every":
        return Kind.TRAP, "habit"
    return Kind.WEEKDAY, (-1 if m["ew"] == "next" else None, WEEKDAYS[m["ed3"][:3]])


def _enat(m: Match, word: str) -> Read:
    return Kind.CLOCK, Clock(int(m["ea"]), bare=True)


def _enclock(m: Match, word: str) -> Read:
    if m["eq"]:
        hour = number_or(m["eqh"], 0)
        quarter = {"half past": 30, "quarter past": 15}.get(m["eq"])
        return Kind.CLOCK, Clock(hour, quarter) if quarter else Clock(hour - 1, 45)
    if m["r1"]:
        first, second = int(m["r1"]), int(m["r2"])
        return (Kind.CLOCK, Clock(first, until=second, pm=m["rp"] == "p")) if first < second <= 12 else None
    hour = number_or(m["e1"], 0)
    pm = None if m["ep"] is None else m["ep"] == "p"
    return (Kind.CLOCK, Clock(hour, pm=pm, before=bool(m["eb"]))) if hour <= (12 if pm is not None else 24) else None


_READERS: dict[str, Callable[[Match, str], Read]] = {
    "iso": _iso, "ymd": _ymd, "ymd8": _ymd8, "ymdzh": _ymdzh, "ym": _ym, "year": _trap, "lunar": _lunar, "newyear": _newyear,
    "monthpart": _monthpart, "md": _md, "month": _month, "mdslash": _mdpair, "mddot": _mdpair, "mddash": _mdpair, "ago": _ago,
    "daynum": _daynum, "bareday": _bareday, "lastspan": _lastspan, "weekday": _weekday, "rel": _rel, "fewdays": _fewdays,
    "now": _now, "festival": _festival, "clocks": _clocks, "hm": _hm, "clock": _clock, "part": _part, "enago": _enago,
    "endate": _endate, "enrel": _enrel, "enweek": _enweek, "enclock": _enclock, "enat": _enat, "ennow": _now, "enpart": _part,
}  # fmt: skip

# Abbreviations that are also everyday words count only as their proper spelling: "Sun", "Sat", "May", "Mar".
_NEEDS_CAPITAL = re.compile(r"\b(?:sun|sat|may|mar|march|mon|wed)\b")


def tokens(text: str, original: str) -> Iterator[Token]:
    """Yield the tokens of ``text`` (masked and normalised) from left to right; ``original`` has the same length."""
    for m in islice(FIND.finditer(text), MAX_TOKENS):
        name, start, end = m.lastgroup or "", m.start(), m.end()
        word = text[start:end]
        if name in {"endate", "enweek"}:
            short = _NEEDS_CAPITAL.search(word)
            if short and not original[start + short.start()].isupper():
                continue
        read = _READERS[name](m, word.strip())
        if read is not None:
            if name == "enrel" and word.endswith("night"):  # "tonight" and "last night" are a day and a part of it
                yield Token(Kind.PART, start, end, "night")
            yield Token(read[0], start, end, read[1])
