"""An installation under chaos with three workers on one PostgreSQL: in each round a worker dies, or the database does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import TracebackType
from typing import Any

from bot.chaos import life
from bot.chaos.plan import Round
from bot.chaos.site import Death, Site, end, settings
from bot.commands.common import EXIT_STORE
from store.local_postgres import LocalServer

WORKERS = 3
DATABASE_DIES_EVERY = 8
"""In every so many rounds it is the database that ends, under three workers at work."""


class Crowd(Site):
    """A :class:`bot.chaos.site.Site` whose work three workers do, each living from round to round until it is killed."""

    def __init__(self, folder: Path, seed: int, server: LocalServer) -> None:
        super().__init__(folder, seed)
        self._server = server
        self._database = f"chaos_{folder.name.replace('-', '_')}"
        self._die_file = folder / "die-at"
        self._workers: list[ForkServerProcess] = []
        self._logs: dict[ForkServerProcess, Path] = {}
        self._rounds = self._begun = 0

    def _more_settings(self) -> dict[str, Any]:
        return {
            "store": {"url": self._server.make(self._database)},
            "work": {"mode": "shared", "sweep_every_s": 1, "heartbeat_s": 0.5, "stalled_after_s": 3},
            # Longer than a request may take (1 s each for looking a handle up and for saying), and short enough to wait for.
            "alerts": settings(0)["alerts"] | {"lease_s": 6},
        }

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for worker in self._workers:
            worker.kill()
            worker.join()
        super().__exit__(kind, error, trace)

    def _live(self, plan: Round) -> Death:
        """One round: whoever first passes the named commit dies there; else one of the three, at a moment."""
        self._fill_up()
        self._rounds += 1
        if self._rounds % DATABASE_DIES_EVERY == 0:
            return self._database_dies(plan)
        if plan.die_at:
            self._die_file.write_text(plan.die_at.partition("#")[0], encoding="utf-8")
        gone = self._first_to_end(plan.lives_s)
        self._die_file.unlink(missing_ok=True)
        if gone is not None:
            return self._buried(gone, plan.die_at)
        victim = self._chance.choice(self._workers)
        if plan.terminate:
            self._workers.remove(victim)
            self.log, was_up = self._logs[victim], self._is_up(victim)
            if end(victim) and (victim.exitcode == 0 or not was_up):  # before its first word SIGTERM ends it at once
                return Death("stopped")
            return Death("crashed", f"SIGTERM ended it with {victim.exitcode}: {self._last_words()}")
        victim.kill()
        victim.join(30)
        self._workers.remove(victim)
        return Death("moment", f"(did not reach {plan.die_at})" if plan.die_at else "")

    def _fill_up(self) -> None:
        while len(self._workers) < WORKERS:
            words = ("worker", "--concurrency", "2")
            self._begun += 1
            log = self.folder / f"worker-{self._begun}.log"
            worker = life.begin(self.config, log, "", words, str(self._die_file))
            self._logs[worker] = log
            self._workers.append(worker)

    def _is_up(self, worker: ForkServerProcess) -> bool:
        """Whether the worker had begun to take jobs."""
        log = self._logs[worker]
        return log.exists() and "a worker takes" in log.read_text(encoding="utf-8", errors="replace")

    def _first_to_end(self, within_s: float) -> ForkServerProcess | None:
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            for worker in self._workers:
                if worker.exitcode is not None:
                    return worker
            time.sleep(0.02)
        return None

    def _buried(self, gone: ForkServerProcess, die_at: str) -> Death:
        self._workers.remove(gone)
        self.log = self._logs[gone]
        if gone.exitcode == -9 and die_at:
            return Death("point", die_at)
        return Death("crashed", f"exit code {gone.exitcode}: {self._last_words()}")

    def _database_dies(self, plan: Round) -> Death:
        """The server ends at once and recovers; every worker that was at work must live through it."""
        time.sleep(min(plan.lives_s, 1.0))
        self._server.crash()
        while (gone := self._first_to_end(2.0)) is not None:
            if gone.exitcode != EXIT_STORE or self._is_up(gone):
                return self._buried(gone, "")
            self._workers.remove(gone)  # it was just starting: to end then, and say why, is right
        return Death("database")

    @contextmanager
    def _in_peace(self) -> Iterator[list[ForkServerProcess]]:
        """The three workers, undisturbed, and then ended by SIGTERM."""
        self._fill_up()
        try:
            yield self._workers
        finally:
            for worker in self._workers:
                if not end(worker):
                    self.deaths["hung"] += 1
            self._workers.clear()
