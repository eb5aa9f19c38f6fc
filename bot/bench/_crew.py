"""Posts a second through the real processes: ``suishoupai run`` alone, or ``suishoupai worker`` N times over one PostgreSQL.

The platform and the face engine are generators that an ``extensions`` folder brings (:mod:`bot.simulation.plugin`); everything
else is as an operator would start it. A worker with ``poll,deliver,chores`` talks, N others do the rest: see docs/scale.md.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from bot.bench import _paper
from bot.bench.base import Figure
from bot.commands.common import err
from bot.simulation import past, plugin
from bot.simulation.campaign import PLATFORM
from bot.simulation.site import KEY, open_store
from matcher import packs
from store import alerts, posts
from store.errors import StoreError
from store.keys import ENVIRONMENT
from store.local_postgres import LocalServer
from store.model import AlertState
from store.posts import Step
from store.session import Store

TALKER, DOERS = "poll,deliver,chores", "extract,faces,match,decide"
CONCURRENCY = 4
CASES = 200
_PATIENCE_S = 600.0
_WAITING = (Step.STORED, Step.EXTRACTED, Step.MATCHED)
_TO_SAY = (AlertState.READY, AlertState.SENDING, AlertState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Load:
    """What a post costs beside the bot's own work: seconds of the network a request, and whether the real face engine works."""

    name: str
    network_s: float = 0.0
    engine: bool = False


PLAIN = Load("engine excluded")
ENGINE = Load("engine included", engine=True)
NETWORK = Load("network 200 ms", network_s=0.2)
BOTH = Load("network 200 ms, engine included", network_s=0.2, engine=True)


@dataclass(frozen=True, slots=True)
class Pass:
    """One run: ``workers`` beside the talker (0: one process does everything), seconds from the first page until every post
    was decided and until (where there is no network) everything was said."""

    database: str
    workers: int
    load: Load
    posts: int
    decided_s: float
    said_s: float

    @property
    def rate(self) -> float:
        """Posts a second, from poll to decision."""
        return self.posts / self.decided_s

    @property
    def crew(self) -> str:
        """Who worked, in words."""
        return f"{self.database}, " + ("one process" if not self.workers else f"{self.workers} worker(s)")


class Place:
    """Where passes are run: a folder, the model pack, and a PostgreSQL of the bench's own."""

    def __init__(self, folder: Path, server: LocalServer) -> None:
        self._folder, self._server, self._count = folder, server, 0
        packs.ensure_default(folder / "models")
        plugin.write_files(folder / "extensions")

    def play(self, database: str, workers: int, load: Load, count: int) -> Pass:
        """One pass in a fresh database: ``count`` posts that come at once.

        Raises:
            StoreError: a process ended, or the posts were not worked through in time.
        """
        self._count += 1
        home = self._folder / f"pass-{self._count}"
        home.mkdir()
        url = f"sqlite:///{home / 'pass.sqlite'}" if database == "SQLite" else self._server.make(f"pass_{self._count}")
        config = self._write_settings(home, url, load, count, shared=workers > 0)
        with open_store(url, lambda: datetime.now(UTC)) as store:
            past.add_cases(store, 1, CASES, datetime(2026, 1, 1, tzinfo=UTC))
            past.add_officials(store, 50)
            with _started(config, home, workers) as processes:
                decided_s, said_s = _clocked(store, home / "cue", count, processes, until_said=not load.network_s)
        found = Pass(database, workers, load, count, decided_s, said_s)
        err.print(f"  {found.crew}, {load.name}: {found.rate:.1f} posts/s", markup=False)
        return found

    def _write_settings(self, home: Path, url: str, load: Load, count: int, *, shared: bool) -> Path:
        values = {
            "extensions": [str(self._folder / "extensions")],
            "store": {"url": url},
            "models": {"dir": str(self._folder / "models"), "engine": plugin.LADEN if load.engine else plugin.ENGINE},
            "alerts": {"release": "auto", "caps": {"per_hour": 1000, "per_day": 10_000, "per_official_per_day": 1000}},
            "work": {"mode": "shared" if shared else "embedded", "sweep_every_s": 1},
            "log": {"level": "error"},
            "platforms": {PLATFORM: plugin.platform_values(home / "cue", count, CASES, load.network_s)},
        }
        path = home / "config.yaml"
        path.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
        return path


@contextmanager
def _started(config: Path, home: Path, workers: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The processes, all at work; ended by SIGTERM with the block."""
    several = [["worker", "--queues", TALKER], *[["worker", "--queues", DOERS, "--concurrency", str(CONCURRENCY)]] * workers]
    running = []
    try:
        for number, words in enumerate(several if workers else [["run"]]):
            command = [sys.executable, "-m", "bot", *words, "--config", str(config)]
            with (home / f"process-{number}.log").open("wb") as log:
                # As the units in deploy/ set it: a second BLAS thread would take the cores from the other workers.
                environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", ENVIRONMENT: base64.urlsafe_b64encode(KEY).decode()}
                running.append(subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT))
        for number, process in enumerate(running):
            _wait_until_up(home / f"process-{number}.log", process)
        yield running
    finally:
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_up(log: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while b"Ctrl-C ends it" not in log.read_bytes():
        if process.poll() is not None or time.monotonic() > end:
            raise StoreError(f"a process of the bench did not start: {log.read_text(encoding='utf-8')[-500:]}")
        time.sleep(0.05)


def _clocked(
    store: Store, cue: Path, count: int, processes: list[subprocess.Popen[bytes]], *, until_said: bool
) -> tuple[float, float]:
    """Give the cue; seconds from the first page stored until all is decided, and (``until_said``) until all is said."""
    time.sleep(2.0)  # what is loaded at the first look is loaded
    draft = cue.with_suffix(".draft")
    draft.write_text((datetime.now(UTC) + timedelta(milliseconds=10)).isoformat(), encoding="utf-8")
    draft.rename(cue)
    end, began, decided = time.monotonic() + _PATIENCE_S, 0.0, 0.0
    while time.monotonic() < end and all(process.poll() is None for process in processes):
        time.sleep(0.05)
        with store.read() as tx:
            steps, said = posts.counts(tx), alerts.counts(tx)
        now, there = time.monotonic(), sum(steps.values())
        began = began or (now if there else 0.0)
        if there < count or any(steps[one] for one in _WAITING):
            continue
        decided = decided or now
        if not (until_said and any(said[one] for one in _TO_SAY)):
            return decided - began, now - began
    raise StoreError(f"the bench's posts were not worked through: {steps}")


def plan(quick: bool) -> list[tuple[str, int, Load, int]]:
    """(database, workers, load, posts) of each pass: more posts where more are done, so that none ends within its start."""
    if quick:
        plain = [("SQLite", 0, PLAIN, 100), *(("PostgreSQL", n, PLAIN, 100) for n in (1, 2))]
        return [*plain, *(("PostgreSQL", n, NETWORK, 60 * n) for n in (1, 2, 4))]
    crews = [("SQLite", 0), ("PostgreSQL", 1), ("PostgreSQL", 2), ("PostgreSQL", 4)]
    full = [("PostgreSQL", 0, PLAIN, 120), *((name, n, load, 120) for load in (PLAIN, ENGINE) for name, n in crews)]
    return full + [(name, n, load, 60 * max(1, n)) for load in (NETWORK, BOTH) for name, n in crews]


def passes(quick: bool, folder: Path, server: LocalServer) -> Iterator[Pass]:
    """Every pass of the plan, one after the other."""
    place = Place(folder, server)
    for one in plan(quick):
        yield place.play(*one)


def figures(done: list[Pass]) -> list[Figure]:
    """Rates; one worker beside SQLite's one process, several beside one: the share of N times one worker that N reach."""
    found = []
    for one in done:
        name = f"{one.crew}, {one.load.name}"
        first = _same(done, one.load, "PostgreSQL", 1)
        lone = _same(done, one.load, "SQLite", 0)
        if one.workers > 1 and first is not None:
            ratio, beside = one.rate / (one.workers * first.rate), f"{one.workers} times one worker"
        elif one.database != "SQLite" and lone is not None:
            ratio, beside = one.rate / lone.rate, "SQLite, one process"
        else:
            ratio, beside = None, ""
        found.append(Figure(name, one.rate, "posts/s", ratio, beside))
    return found


def _same(done: list[Pass], load: Load, database: str, workers: int) -> Pass | None:
    return next((p for p in done if p.load == load and (p.database, p.workers) == (database, workers)), None)


def page_part(done: list[Pass], picture: str) -> str:
    """The table and the plot of docs/benchmarks."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    rows = []
    for one, figure in zip(done, figures(done), strict=True):
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f} x {figure.yardstick}"
        said = "" if one.load.network_s else f"{one.posts / one.said_s:.1f}"
        rows.append((one.load.name, one.crew, f"{one.posts}", f"{one.rate:.1f}", ratio, said))
    headers = ("load", "who works", "posts", "posts/s, poll to decision", "ratio", "posts/s, all said too")
    loads = dict.fromkeys(one.load for one in done)
    _paper.curves(_paper.FOLDER / picture, {load.name: _lines(done, load) for load in loads}, x="workers", y="posts a second")
    words = (
        f"Each worker takes {DOERS}, {CONCURRENCY} jobs at a time; one more process takes {TALKER}. Workers, server and bench"
        f" share {cores} cores: work of the processor cannot scale beyond them, waiting for a network can. With a network the one"
        " sender of the account (5 messages a second at 200 ms) is slower than the workers, so the rate is told to the decision."
    )
    return f"{words}\n\n{_paper.table(headers, rows)}\n\n![posts a second by workers]({picture})"


def _lines(done: list[Pass], load: Load) -> list[_paper.Curve]:
    """Rates by the number of workers; those of one process as lines across."""
    mine = [one for one in done if one.load == load]
    several = [(float(one.workers), one.rate) for one in mine if one.workers]
    lone = [_paper.Curve(one.crew, [(1.0, one.rate), (4.0, one.rate)], "--") for one in mine if not one.workers]
    return [*([_paper.Curve("PostgreSQL, N workers", several)] if several else []), *lone]
