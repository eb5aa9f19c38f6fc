"""How fast when and where are read, beside a named library on the same texts, with load time and memory of their own process."""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
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

_LOAD = """
import json, re, time
began = time.perf_counter()
from ingest.where import resolve_where
resolve_where("深圳市罗湖区东门老街")
load_s = time.perf_counter() - began
# Not ru_maxrss: across exec it keeps the size of the process that started this one.
peak_kb = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
print(json.dumps([load_s, peak_kb / 1024]))
"""


def run(quick: bool) -> Result:
    """Texts a second for place, for time, and for both; against cnloc where requirements-bench.txt is installed."""
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

    theirs, name = _yardstick(texts)
    load_s, rss_mb = json.loads(subprocess.run([sys.executable, "-c", _LOAD], capture_output=True, check=True).stdout)
    figures = [
        Figure("load", load_s, "s", better="lower", promised="under 1 s"),
        Figure("memory of a process that does only this", rss_mb, "MB", better="lower", promised="under 150 MB"),
        Figure("place and time", rate(both), "texts/s"),
    ]
    if theirs is None:
        figures.append(Figure("place", rate(places), "texts/s", promised="at least 5,000"))
        return Result("extract", tuple(figures), (name,))
    ours, _, ratio = paired(places, theirs)
    figures.append(Figure("place", ours, "texts/s", ratio, name, promised="at least 5,000"))
    return Result("extract", tuple(figures))


def _yardstick(texts: tuple[str, ...]) -> tuple[Callable[[], int] | None, str]:
    """The library beside which we run, or None with the reason."""
    if importlib.util.find_spec("cnloc") is None:
        return None, "the ratio to cnloc: not installed (./run.sh bench installs requirements-bench.txt)"
    cnloc: Any = importlib.import_module("cnloc")  # not always installed, and without types where it is

    few = texts[: len(TEXTS) * 5]

    def theirs() -> int:
        for text in few:
            cnloc.getlocation(text)
        return len(few)

    return theirs, "cnloc, a text a call"
