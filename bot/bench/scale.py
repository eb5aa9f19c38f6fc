"""What one more post costs as an installation grows, and how many posts a second one or several processes work through.

Cost is processor time of this process, so that a busy machine changes little, and instructions of the database, so that it
changes nothing. Search (cases, tracks) is measured apart: it grows with what is searched. The platform and the face engine
are generators (:mod:`bot.simulation`); posts a second are those of the real processes (:mod:`bot.bench._crew`).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot import log
from bot.alerts.deliver import deliver_all
from bot.bench import _crew, _paper
from bot.bench._instructions import instructions
from bot.bench._pgvector import server
from bot.bench.base import Figure, Result
from bot.commands.common import err
from bot.faces import FaceBook
from bot.pipeline import work
from bot.simulation import past
from bot.simulation.campaign import Campaign, Shape
from bot.simulation.site import Site, open_site, open_store
from bot.steps.poll import poll_all
from bot.steps.tracks import TrackBook
from store.session import Store

START = datetime(2026, 3, 1, tzinfo=UTC)
FLAT = 1.2
_RAM = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one more post, in milliseconds: processor time without search, of search alone, and by the clock on the wall; and in
    instructions of the database."""

    posts: int
    cases: int
    cpu_ms: float
    instructions: float
    search_ms: float
    wall_ms: float
    start_s: float


def run(quick: bool) -> Result:
    """Quick: up to 10,000 posts and 1,000 cases, and six passes of processes, some two minutes. Full: a million posts and 100,000
    cases, seventeen passes, and two pages; ``python -m bot.bench.scale --only growth --posts N`` does less."""
    log.configure(level="error")
    if quick:
        return Result("scale", (*_growth(10_000, 1_000, sample=40), *_processes(quick)))
    command = "./run.sh bench scale --full"
    return Result("scale", (*_growth(1_000_000, 100_000, sample=200, command=command), *_processes(quick, command)))


def _growth(most_posts: int, most_cases: int, sample: int, command: str = "") -> list[Figure]:
    by_posts = growth([size for size in (1_000, 10_000, 100_000, 1_000_000) if size <= most_posts], [100], sample)
    if command:
        _write_page(by_posts, by_posts[:1], command)
    by_cases = growth([1_000], [count for count in (100, 1_000, 10_000, 100_000) if count <= most_cases], sample)
    if command:
        _write_page(by_posts, by_cases, command)
    figures = [*_figures(by_posts, "posts stored"), *_figures(by_cases, "cases")]
    figures.append(Figure("first round with the largest store", max(c.start_s for c in by_posts), "s", better="lower"))
    figures.append(Figure("rows and indexes of a post", _bytes_a_post(), "bytes", better="lower"))
    return figures


def _processes(quick: bool, command: str = "") -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="suishoupai-bench-") as folder, server() as started:
        done = []
        for one in _crew.passes(quick, Path(folder), started):
            done.append(one)
            if command:  # anew after each pass: the whole takes minutes, and may be stopped
                title = "Posts a second, by one process and by several"
                _paper.page("workers", title, command, [_crew.page_part(done, "workers.png")])
    return _crew.figures(done)


def growth(posts: list[int], cases: list[int], sample: int) -> list[Cost]:
    """The cost of one more post at each size; the store is filled in bulk from one size to the next."""
    campaign = Campaign(Shape(100_000, cases[-1]), START)
    now = [START]
    found = []
    with (
        tempfile.TemporaryDirectory(dir=_RAM if _RAM.is_dir() else None) as folder,
        open_store(f"sqlite:///{Path(folder) / 'scale.sqlite'}", lambda: now[0]) as store,
    ):
        past.add_officials(store, 300)
        filled, registered = 0, 0
        for size, count in [(size, count) for count in cases for size in posts]:
            if size > filled:
                past.add_posts(store, campaign, filled + 1, size)
            if count > registered:
                past.add_cases(store, registered + 1, count, START)
            cost, filled = _measure(store, Path(folder), campaign, now, max(size, filled), count, sample)
            registered = count
            found.append(cost)
            err.print(f"  {cost.posts:,} posts, {cost.cases:,} cases: {cost.cpu_ms:.1f} ms", markup=False)
    return found


def _bytes_a_post(count: int = 2_000) -> float:
    """What a post with a photo, a face, a track, a sighting and an answer takes in an SQLite file."""
    with tempfile.TemporaryDirectory() as folder, open_store(f"sqlite:///{Path(folder) / 's.sqlite'}", lambda: START) as store:
        path, sizes = Path(folder) / "s.sqlite", []
        for last in (0, count):
            past.add_posts(store, Campaign(Shape(100_000, 0), START), 1, last)
            store.checkpoint()
            sizes.append(path.stat().st_size)
    return (sizes[1] - sizes[0]) / count


def _measure(
    store: Store, folder: Path, campaign: Campaign, now: list[datetime], filled: int, cases: int, sample: int
) -> tuple[Cost, int]:
    with open_site(store, folder, campaign, lambda: now[0]) as site, _searches() as searched:
        site.platform.first = filled + 1
        now[0] = campaign.moment(filled) + timedelta(milliseconds=1)
        began = time.perf_counter()
        _go(site)  # what is loaded at the first use is loaded
        start_s = time.perf_counter() - began
        now[0] = campaign.moment(filled + sample // 4) + timedelta(milliseconds=1)
        _go(site)
        first = campaign.newest(now[0])
        now[0] = campaign.moment(first + sample) + timedelta(milliseconds=1)
        searched[0] = 0.0
        cpu, wall = time.process_time(), time.perf_counter()
        new = _go(site)
        cpu_ms, wall_ms = 1000 * (time.process_time() - cpu) / new, 1000 * (time.perf_counter() - wall) / new
        search_ms = 1000 * searched[0] / new
        first = campaign.newest(now[0])
        now[0] = campaign.moment(first + sample) + timedelta(milliseconds=1)
        with instructions() as counted:
            again = _go(site)
    return Cost(filled, cases, cpu_ms - search_ms, counted[0] / again, search_ms, wall_ms, start_s), campaign.newest(now[0])


def _go(site: Site) -> int:
    new = sum(one.new for one in poll_all(site.bot))
    work(site.bot)
    while any(one.sent for one in deliver_all(site.bot)):
        pass
    return new


@contextmanager
def _searches() -> Iterator[list[float]]:
    """Processor seconds spent in searching cases and tracks (normalising scores included) within the block, in a list of one."""
    spent = [0.0]
    with ExitStack() as stack:
        for owner, name in ((FaceBook, "search"), (TrackBook, "_near")):
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, _timed(getattr(owner, name), spent))
        yield spent


def _timed(work: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    def timed(*args: Any, **more: Any) -> Any:
        began = time.process_time()
        try:
            return work(*args, **more)
        finally:
            spent[0] += time.process_time() - began

    return timed


def _figures(costs: list[Cost], what: str) -> list[Figure]:
    size: Callable[[Cost], int] = (lambda cost: cost.posts) if what.startswith("posts") else (lambda cost: cost.cases)
    first = costs[0]
    figures = []
    for cost in costs:
        name = f"one more post at {_round(size(cost)):,} {what}"
        words = f"the same at {_round(size(first)):,}"
        figures.append(Figure(name, cost.cpu_ms, "ms", cost.cpu_ms / first.cpu_ms, words, "lower", f"at most {FLAT}"))
        ratio = cost.instructions / first.instructions
        figures.append(Figure(f"{name}, SQLite's own work", cost.instructions, "steps", ratio, words, "lower", f"at most {FLAT}"))
    last = costs[-1]
    figures.append(Figure(f"search in it at {_round(size(last)):,} {what}", last.search_ms, "ms", better="lower"))
    return figures


def _round(number: int) -> int:
    """To two digits: each measurement adds its own few posts."""
    step: int = 10 ** max(0, len(str(number)) - 2)
    return number // step * step


def _write_page(by_posts: list[Cost], by_cases: list[Cost], command: str) -> None:
    parts = []
    for title, costs in (("As posts grow", by_posts), ("As cases grow", by_cases)):
        rows = [
            (
                f"{_round(c.posts):,}", f"{c.cases:,}", f"{c.cpu_ms:.1f}", f"{c.cpu_ms / costs[0].cpu_ms:.2f}",
                f"{c.instructions:,.0f}", f"{c.instructions / costs[0].instructions:.2f}", f"{c.search_ms:.2f}",
                f"{c.wall_ms:.1f}", f"{c.start_s:.1f}",
            )
            for c in costs
        ]  # fmt: skip
        headers = (
            "posts", "cases", "processor, ms", "ratio", "SQLite's steps", "ratio", "search, ms", "by the clock, ms", "start, s",
        )  # fmt: skip
        parts.append(f"## {title}\n\n" + _paper.table(headers, rows))
    lines = {
        "one more post, by posts stored": [
            _paper.Curve("without search", [(c.posts, c.cpu_ms) for c in by_posts]),
            _paper.Curve("search", [(c.posts, max(c.search_ms, 0.01)) for c in by_posts], "--o"),
        ],
        "one more post, by cases": [
            _paper.Curve("without search", [(c.cases, c.cpu_ms) for c in by_cases]),
            _paper.Curve("search", [(c.cases, max(c.search_ms, 0.01)) for c in by_cases], "--o"),
        ],
    }
    _paper.curves(_paper.FOLDER / "scale.png", lines, x="stored", y="processor time, ms")
    parts.append("![](scale.png)")
    _paper.page("scale", "What one more post costs as an installation grows", command, parts)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bot.bench.scale", description="Writes pages of docs/benchmarks.")
    parser.add_argument("--only", choices=("growth", "workers"), required=True)
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--cases", type=int, default=100_000)
    wanted = parser.parse_args()
    log.configure(level="error")
    line = f"OPENBLAS_NUM_THREADS=1 python -m bot.bench.scale --only {wanted.only}"
    if wanted.only == "growth":
        line += f" --posts {wanted.posts} --cases {wanted.cases}"
        measured = _growth(wanted.posts, wanted.cases, 200, line)
    else:
        measured = _processes(False, line)
    for figure in measured:
        print(f"{figure.name}: {figure.value:.4g} {figure.unit}" + (f", {figure.ratio:.2f}" if figure.ratio else ""))
