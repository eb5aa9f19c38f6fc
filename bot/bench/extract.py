"""How fast when and where are read, beside a named library on the same texts, with load time and memory of their own process."""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median
from typing import Any

from bot.bench.base import Figure, Result, paired, rate
from ingest.when import resolve_when
from ingest.where import resolve_where

TEXTS = (
    "#随手拍照解救乞讨儿童# 昨天下午三点多在深圳市罗湖区火车站出站口看到一个孩子，听口音是贵州人 @随手拍助手",
    "重庆观音桥步行街，刚刚拍的，孩子腿上有伤",
    "朝阳区，小学门口，一个七八岁的女孩",
    "前天晚上八点多，福州仓山万达广场门口，两个小孩拉着路人的衣服",
    "Yesterday around 3pm near Luohu Station, Shenzhen, a boy with a bowl",
    "安徽阜阳人，现在在东莞市南城汽车站，天天都能看到",
    "2011年2月9日 15:20，杭州武林广场，一名男子带两个孩子",
    "支持这个活动，希望每个孩子都能回家",
)
REPEATS = 250

_START = """
import json, re, time
began = time.perf_counter()
{work}
load_s = time.perf_counter() - began
# Not ru_maxrss: across exec it keeps the size of the process that started this one.
peak_kb = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
print(json.dumps([load_s, peak_kb / 1024]))
"""
_OURS = """
from datetime import UTC, datetime
from ingest.when import resolve_when
from ingest.where import resolve_where
resolve_where("深圳市罗湖区东门老街")
resolve_when("昨天下午三点", datetime(2026, 3, 1, 12, tzinfo=UTC))
"""
_THEIRS = """
import cnloc
cnloc.getlocation("深圳市罗湖区东门老街")
"""
NAME = "cnloc, a text a call"


def run(quick: bool) -> Result:
    """Texts a second for place, and for place and time; load and memory of a process that does only this; each against cnloc
    (which reads the place alone) where requirements-bench.txt is installed."""
    posted = datetime(2026, 3, 1, 12, tzinfo=UTC)
    texts = TEXTS * (REPEATS if quick else 10 * REPEATS)

    def places() -> int:
        for text in texts:
            resolve_where(text)
        return len(texts)

    def both() -> int:
        for text in texts:
            resolve_where(text)
            resolve_when(text, posted)
        return len(texts)

    theirs = _yardstick(texts)
    starts = [(_start(_OURS), _start(_THEIRS) if theirs else None) for _ in range(3)]
    figures = [
        _start_figure("load, place and time", "s", [(a[0], b[0] if b else None) for a, b in starts], "under 1 s"),
        _start_figure(
            "memory of a process that does only this", "MB", [(a[1], b[1] if b else None) for a, b in starts], "under 150 MB"
        ),
    ]
    for name, work in (("place", places), ("place and time", both)):
        if theirs is None:
            figures.append(Figure(name, rate(work), "texts/s", promised="at least 5,000"))
        else:
            ours, _, ratio = paired(work, theirs)
            figures.append(Figure(name, ours, "texts/s", ratio, NAME, promised="at least 5,000"))
    figures.append(
        Figure("place and time, by the CPU time of one core", _cpu_rate(both), "texts/s", promised="at least 5,000")
    )
    missing = "the ratios to cnloc: not installed (./run.sh bench installs requirements-bench.txt)"
    return Result("extract", tuple(figures), () if theirs else (missing,))


def _cpu_rate(work: Callable[[], int]) -> float:
    """Items a second of CPU time, the best of five: what a core does that others leave alone."""
    best = 0.0
    for _ in range(5):
        began = time.process_time()
        done = work()
        best = max(best, done / (time.process_time() - began))
    return best


def _start(work: str) -> tuple[float, float]:
    """(seconds to the first answer, peak memory in MB) of a process that does ``work`` alone."""
    done = subprocess.run([sys.executable, "-c", _START.format(work=work.strip())], capture_output=True, check=True)
    load_s, rss_mb = json.loads(done.stdout)
    return float(load_s), float(rss_mb)


def _start_figure(name: str, unit: str, pairs: list[tuple[float, float | None]], promised: str) -> Figure:
    """The median of our values, and the median of the ratios to theirs, taken in turn."""
    ratios = [ours / theirs for ours, theirs in pairs if theirs]
    value = median(ours for ours, _ in pairs)
    if not ratios:
        return Figure(name, value, unit, better="lower", promised=promised)
    return Figure(name, value, unit, median(ratios), "cnloc", better="lower", promised=promised)


def _yardstick(texts: tuple[str, ...]) -> Callable[[], int] | None:
    """The library beside which we run, or None where it is not installed."""
    if importlib.util.find_spec("cnloc") is None:
        return None
    cnloc: Any = importlib.import_module("cnloc")  # not always installed, and without types where it is
    few = texts[: len(TEXTS) * 5]

    def theirs() -> int:
        for text in few:
            cnloc.getlocation(text)
        return len(few)

    return theirs
