"""One reader for each rule of the grammar: from the words found to a kind and its value, or None where they make no sense."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from ingest.times import latin
from ingest.times.grammar import PARTS, ZH_DAY
from ingest.times.numbers import number
from ingest.times.pieces import MINUTES_A_DAY, WHOLE, Clock, Match, Read, day_of


def _iso(m: Match, word: str) -> Read:
    try:
        return "instant", datetime.fromisoformat(word.upper())
    except ValueError:
        return None


def _ymd(m: Match, word: str) -> Read:
    year, month, day = (int(n) for n in re.findall(r"\d+", word)[:3])
    return day_of(year, month, day)


def _ymd8(m: Match, word: str) -> Read:
    return day_of(int(word[:4]), int(word[4:6]), int(word[6:]))


def _ymdzh(m: Match, word: str) -> Read:
    year_word, _, rest = word.partition("年")
    month, _, day = rest.rstrip("日号").partition("月")
    year = number(year_word)
    return day_of(None if year is None else year + 2000 if year < 100 else year, number(month.strip()), number(day.strip()))


def _ymd2(m: Match, word: str) -> Read:
    year, month, day = (int(n) for n in re.findall(r"\d+", word))
    return day_of(2000 + year, month, day)


def _dmy(m: Match, word: str) -> Read:
    """Day first unless only month first can be."""
    first, second, year = int(m["dmy1"]), int(m["dmy2"]), int(m["dmy3"])
    return day_of(year, first, second) if second > 12 else day_of(year, second, first)


_THIRDS = {"初": (1, 5), "上旬": (1, 10), "中旬": (11, 20), "下旬": (21, 31), "底": (26, 31), "末": (26, 31), "": (1, 31)}


def _month_part(year: int | None, back: int | None, month: int | None, part: str = "") -> Read:
    if back is None and not (month and 1 <= month <= 12):
        return None
    return "month_part", (year, back, month, *_THIRDS[part])


def _ym(m: Match, word: str) -> Read:
    month = number(re.sub(r"月.*|份.*", "", word[5:]).strip(" 年"))
    part = next((p for p in _THIRDS if p and word.endswith(p)), "")
    return _month_part(int(word[:4]), None, month, part) or ("trap", None)


def _trap(m: Match, word: str) -> Read:
    return "trap", None


_LUNAR_MONTHS = {"正": 1, "冬": 11, "腊": 12}


def _lunar(month_name: str, day_name: str) -> Read:
    month = _LUNAR_MONTHS.get(month_name.lstrip("闰")) or number(month_name.lstrip("闰"))
    day = number(day_name.lstrip("初"))
    return ("lunar", (month, day)) if month and day and month <= 12 and day <= 30 else None


def _newyear(m: Match, word: str) -> Read:
    day = m["nd"] or m["nd2"]
    return "lunar", ((1, number(day[1:])) if day else (12, 30))


_MONTHS_BACK = {"上月": 1, "上个月": 1, "本月": 0, "这月": 0, "这个月": 0, "当月": 0}
_YEARS_BACK = {"今年": 0, "去年": -1, "前年": -2}


def _mdy(m: Match, word: str) -> Read:
    year, month = _YEARS_BACK[m["mdyw"]], number(m["ymdm"])
    return day_of(year, month, number(m["ymdd"])) if m["ymdd"] else _month_part(year, None, month)


def _mdpair(m: Match, word: str) -> Read:
    month, day = re.split(r"[/.-]", word)
    return day_of(None, int(month), int(day))


_UNIT_MINUTES = {
    "小时": 60, "钟头": 60, "钟": 60, "h": 60, "分钟": 1, "分": 1, "min": 1, "刻钟": 15, "天": 1440, "日": 1440, "周": 10080,
    "星期": 10080, "礼拜": 10080, "月": 43800, "年": 525960,
}  # fmt: skip
_VAGUE: dict[str, tuple[float, float]] = {
    "几": (2, 6), "好几": (3, 9), "十几": (11, 19), "数": (2, 6), "两三": (2, 3), "三四": (3, 4), "四五": (4, 5), "五六": (5, 6),
    "七八": (7, 8), "一两": (1, 2), "一个半": (1.5, 1.5), "两个半": (2.5, 2.5), "半": (0.5, 0.5),
}  # fmt: skip


def _ago(name: str, unit: str, *, half: bool, more: bool) -> Read:
    """N units ago as the least and the most minutes: 一个半小时 is exact, 一个多小时 lies within the next hour."""
    if name in _VAGUE:
        low, high = _VAGUE[name]
    else:
        exact = float(name) if re.fullmatch(r"[\d.]+", name) else number(name)
        if exact is None:
            return None
        low = high = float(exact)
    if half:
        low, high = low + 0.5, high + 0.5
    if more:
        high = low + (0.5 if low < 1 else 1 if low < 10 else 5)
    minutes = _UNIT_MINUTES[unit]
    if minutes == MINUTES_A_DAY and low == high and low.is_integer():
        return "day", -int(low)  # 三天前 names a day, and may go on: 三天前的晚上
    return ("ago", (low * minutes, high * minutes)) if high else None


def _zhago(m: Match, word: str) -> Read:
    return _ago(m["an"], m["au"], half=m["ah"] == "半", more="多" in (m["ab"], m["ah"], m["am"]))


def _vago(m: Match, word: str) -> Read:
    return _ago(m["van"], m["vau"], half=m["vah"] == "半", more="多" in (m["vab"], m["vah"], m["vam"]))


def _month_day(back: int | None, word: str) -> Read:
    day = number(word)
    return ("month_day", (back, day)) if day and day <= 31 else None


def _lastspan(m: Match, word: str) -> Read:
    back = {"上上": 2, "上": 1}.get(m["lw"], 0)
    return ("month" if m["lu"] == "月" else "week"), back


_WEEKS_BACK = {"上上": 2, "上": 1, "这": 0, "本": 0, "今": 0, "下": -1, "下下": -2, None: None}


def _weekday(m: Match, word: str) -> Read:
    return "weekday", (_WEEKS_BACK[m["ww"]], ZH_DAY[m["wd"]])


_DAYS = {"大前": -3, "前": -2, "昨": -1, "寻": -1, "琴": -1, "今": 0, "后": 2, "大后": 3, "明": 1, "次日": 1, "翌日": 1}


def _rel(m: Match, word: str) -> Read:
    return "day", _DAYS.get(word, _DAYS.get(word.rstrip("天日个儿"), 1))


_FEW_DAYS = {"几": (-7, -1), "两": (-3, -1), "三": (-3, 0), "些": (-10, -2)}


def _fewdays(m: Match, word: str) -> Read:
    if m["fd2"]:
        return "days", (-3 if m["fd2"] == "几" else 1 - (number(m["fd2"]) or 2), 1)
    return "days", _FEW_DAYS[m["fd"]]


def _now(m: Match, word: str) -> Read:
    return "now", word


_WEEKS = frozenset({"春节", "spring festival", "chinese new year", "lunar new year"})
"""Festivals whose bare name means all of their days."""


def _feast(name: str, whole: str | None, year: int | None = None) -> Read:
    """A festival; ``whole`` are the words by which its whole holiday is meant, or one day of it (假期第三天)."""
    if name == "过年":
        name, whole = "春节", "期间"
    nth = number(whole[-2]) if whole and whole.endswith("天") and "第" in whole else None
    return "festival", (name, nth or (WHOLE if whole or name in _WEEKS else 1), year)


def _clocks(m: Match, word: str) -> Read:
    first, second = number(m["c1"] or m["c0"]), number(m["c2"])
    if first is None or second is None or not 0 <= first < second <= 24 or (m["cs"] is None and second != first + 1):
        return None
    return "clock", Clock(first, until=second, span=m["cs"] in {"到", "至"})


def _hm(m: Match, word: str) -> Read:
    pm = None if not m["hp"] else m["hp"][0] == "p"
    return "clock", Clock(int(m["h"]), int(m["m"]), digital=True, pm=pm, near=bool(m["ht"]))


def _clock(m: Match, hour_word: str, s: str = "", *, before: bool = False) -> Read:
    """A clock in Chinese; ``s`` is the suffix of the rule's inner groups."""
    hour, quarter, tail = number(hour_word), m[f"cq{s}"], m[f"cx{s}"] or ""
    minute = 15 * (number(quarter) or 0) if quarter else 30 if m[f"chalf{s}"] else number(m[f"cm{s}"] or "") or 0
    if hour is None or hour > 24 or minute > 59:
        return None
    said = bool(quarter or m[f"chalf{s}"] or m[f"cz{s}"] or tail or m[f"cm{s}"] or "时" in m[0])
    late = tail[:1] in {"多", "几", "过", "出"} or tail == "来钟"
    near = tail in {"左右", "许", "上下", "前后"}
    return "clock", Clock(hour, minute, late=late, near=near, before=before or tail == "不到", bare=not said)


def _part(m: Match, word: str) -> Read:
    return "part", PARTS[word if word in PARTS else word[:2]]


READERS: dict[str, Callable[[Match, str], Read]] = {
    "iso": _iso, "ymd": _ymd, "ymd8": _ymd8, "ymdzh": _ymdzh, "ym": _ym, "dmy": _dmy, "ymd2": _ymd2, "year": _trap,
    "newyear": _newyear,
    "mdy": _mdy, "mdslash": _mdpair, "mddot": _mdpair, "mddash": _mdpair, "ago": _zhago, "vago": _vago, "lastspan": _lastspan,
    "weekday": _weekday, "rel": _rel, "fewdays": _fewdays, "now": _now, "clocks": _clocks, "hm": _hm, "part": _part,
    "zhpart": _part,
    "enrel": latin.enrel, "enweek": latin.enweek, "half": latin.half, "rangepm": latin.rangepm, "ennow": _now, "enpart": _part,
    "md": lambda m, w: day_of(None, number(m["mdm"]), number(m["mdd"])),
    "month": lambda m, w: _month_part(None, None, number(m["mon"])),
    "monthpart": lambda m, w: _month_part(None, 1 if m["mb"].startswith("上") else 0, None, m["mp"]),
    "nmonthpart": lambda m, w: _month_part(None, None, number(m["mn"]), m["nmp"]),
    "lunar": lambda m, w: _lunar(m["lm"] or m["lm2"], m["ld"]),
    "nlunar": lambda m, w: _lunar(m["lm3"], m["ld3"] or m["ld4"]),
    "daynum": lambda m, w: _month_day(_MONTHS_BACK[m["dm"]], m["dd"]),
    "bareday": lambda m, w: _month_day(None, m["bd"]),
    "feast": lambda m, w: _feast(m["fn"], m["fsf"]),
    "nfeast": lambda m, w: _feast(m["nfn"], m["fsn"]),
    "yfeast": lambda m, w: _feast(m["yfn"], m["fsy"], int(m["fy"])),
    "wfeast": lambda m, w: _feast(m["wfn"], m["fsw"], _YEARS_BACK[m["wfy"]]),
    "enfeast": lambda m, w: _feast(m["enf"], None),
    "clock": lambda m, w: _clock(m, m["ch"]),
    "pyday": latin.pyday, "pynow": _now,
    "pypart": lambda m, w: ("part", PARTS[re.sub(r"\s", "", w)]),
    "pyclock": lambda m, w: ("clock", Clock(int(m["pyh"]), 30 if m["pyhalf"] else 0)) if int(m["pyh"]) <= 24 else None,
    "almost": lambda m, w: _clock(m, m["ach"], "a", before=True),
    "enago": lambda m, w: latin.enago(m["en"], m["eu"], m["eh"]),
    "wago": lambda m, w: latin.enago(m["wen"], m["euw"], m["ehw"]),
    "endate": lambda m, w: latin.endate(m["em"], m["ed"], m["ey"]),
    "endmy": lambda m, w: latin.endate(m["em2"], m["ed2"], m["ey2"]),
    "clockpm": lambda m, w: latin.clockpm(m["e1"], m["ep"], m["e2"]),
    "wclock": lambda m, w: latin.clockpm(m["we1"], m["wep"]),
    "pmclock": lambda m, w: latin.clockpm(m["pm1"], m["pmh"], m["pm2"]),
    "enat": lambda m, w: ("clock", Clock(int(m["ea"] or m["ea2"] or m["ea3"]), bare=True)),
}  # fmt: skip
