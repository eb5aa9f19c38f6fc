"""A whole chaos run: several sites side by side, their rounds, and the ledger at the end. Ends by itself."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

from bot.chaos.audit import Ledger
from bot.chaos.crowd import Crowd
from bot.chaos.plan import Round, plan
from bot.chaos.site import Site
from store.local_postgres import LocalServer

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did. ``kills`` counts lives that ended by SIGKILL, ``databases`` how often the database server did; ``points``
    the distinct commits at which a life ended."""

    rounds: int
    kills: int
    killed_at_points: int
    killed_at_moments: int
    stopped: int
    databases: int
    points: tuple[str, ...]
    crashes: tuple[str, ...]
    faults: int
    seconds: float
    settle_seconds: float
    ledger: Ledger
    out_of_time: bool

    @property
    def clean(self) -> bool:
        """Whether nothing was lost or said twice and every life ended as it was meant to."""
        return self.ledger.clean and not self.crashes


@dataclass(frozen=True, slots=True)
class _Lane:
    ledger: Ledger
    deaths: Counter[str]
    points: frozenset[str]
    crashes: tuple[str, ...]
    faults: int
    done: int
    settle_s: float


def run(
    folder: Path,
    rounds: int,
    seed: int,
    *,
    lanes: int = 2,
    within_s: float = 540.0,
    say: Say = lambda line: None,
    server: LocalServer | None = None,
) -> Report:
    """``rounds`` rounds in ``lanes`` installations under ``folder`` (made and emptied here). No round begins after ``within_s``.

    With a ``server`` there is one installation, on a database there, with three workers; the server is killed too.

    Raises:
        ChaosError: a site could not be started, or a bot did not come to rest.
    """
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    lanes = 1 if server is not None else max(1, min(lanes, rounds))
    plans = plan(rounds, seed, shared=server is not None)
    with ThreadPoolExecutor(lanes) as pool:
        jobs = [
            pool.submit(_lane, _site(folder / f"site-{n}", seed * 100 + n, server), plans[n::lanes], began + within_s, say)
            for n in range(lanes)
        ]
        done = [job.result() for job in jobs]
    deaths = reduce(add, (lane.deaths for lane in done), Counter[str]())
    return Report(
        rounds=sum(lane.done for lane in done),
        kills=deaths["point"] + deaths["moment"],
        killed_at_points=deaths["point"],
        killed_at_moments=deaths["moment"],
        stopped=deaths["stopped"],
        databases=deaths["database"],
        points=tuple(sorted(frozenset().union(*(lane.points for lane in done)))),
        crashes=tuple(crash for lane in done for crash in lane.crashes),
        faults=sum(lane.faults for lane in done),
        seconds=round(time.monotonic() - began, 1),
        settle_seconds=round(max(lane.settle_s for lane in done), 1),
        ledger=reduce(add, (lane.ledger for lane in done)),
        out_of_time=sum(lane.done for lane in done) < rounds,
    )


def _site(folder: Path, seed: int, server: LocalServer | None) -> Site:
    return Site(folder, seed) if server is None else Crowd(folder, seed, server)


def _lane(site: Site, plans: list[Round], until: float, say: Say) -> _Lane:
    folder = site.folder
    points, crashes, done, faults = set[str](), list[str](), 0, 0
    with site:
        for number, one in enumerate(plans, start=1):
            if time.monotonic() > until:
                break
            death = site.round(one)
            done += 1
            faults += len(one.faults)
            if death.how == "point":
                points.add(death.at.partition("#")[0])
            elif death.how == "crashed":
                crashes.append(f"{folder.name} round {number}: {death.at}")
            say(f"{folder.name} {number:>4}/{len(plans)}  {death.how} {death.at}")
        settled = site.settle()
        crashes += ["a worker hung at SIGTERM"] * site.deaths["hung"]
        return _Lane(site.audit(), site.deaths, frozenset(points), tuple(crashes), faults, done, settled)
