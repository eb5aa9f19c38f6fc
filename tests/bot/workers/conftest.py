"""Several workers in one process, on one PostgreSQL: each with memories of its own, as on machines of their own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.bot import Bot
from bot.microblog.environment import environment
from bot.microblog.server import Microblog
from bot.settings import Loaded, load_settings
from bot.wiring import open_worker
from bot.work import QUEUES
from bot.work.worker import work
from store import platform_states
from store.model import Author, Post
from store.session import Store

SHARED = {"mode": "shared", "sweep_every_s": 1, "heartbeat_s": 0.5, "stalled_after_s": 2}


@pytest.fixture
def postgres_url(fresh_database: Callable[..., Any], tmp_path: Path) -> Iterator[str]:
    """A PostgreSQL database of the test's own."""
    with fresh_database("postgresql", tmp_path) as url:
        yield url


@pytest.fixture
def shared_settings(postgres_url: str, settings_file: Callable[..., Path], microblog: Microblog) -> Loaded:
    """config.yaml's settings for workers on that database."""
    changes = {"store": {"url": postgres_url}, "work": SHARED, "alerts": {"release": "auto"}}
    return load_settings(settings_file(microblog, changes), environ=environment(microblog.credentials))


@pytest.fixture
def workers(shared_settings: Loaded, shared_parts: None, clock: Any) -> Iterator[Callable[..., list[Bot]]]:
    """``workers(2)``: the parts of two workers."""
    with ExitStack() as stack:

        def opened(count: int, queues: tuple[str, ...] = QUEUES) -> list[Bot]:
            return [stack.enter_context(open_worker(shared_settings, queues, clock)) for _ in range(count)]

        yield opened


def at_once(*calls: Callable[[], object]) -> list[object]:
    """Run the calls in threads that begin together; what one raises is raised here."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        barrier.wait(10)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(60) for future in [pool.submit(run, call) for call in calls]]


class Running:
    """Workers that take jobs in threads until the block ends."""

    def __init__(self, bots: list[Bot], queues: tuple[str, ...] = QUEUES, concurrency: int = 2) -> None:
        self._bots = bots
        self._threads = [
            threading.Thread(target=lambda b=bot: asyncio.run(work(b, queues, concurrency, lambda line: None))) for bot in bots
        ]

    def __enter__(self) -> Running:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for bot in self._bots:
            bot.stopping.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something is true, looking often."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)


class Gate:
    """Stops a worker at one of its commits until it is let go: ``store.watch = gate``."""

    def __init__(self, point: str) -> None:
        self._point, self.reached, self.open = point, threading.Event(), threading.Event()

    def __call__(self, passing: str) -> None:
        if passing == self._point and not self.open.is_set():
            self.reached.set()
            assert self.open.wait(120)


def polled(store: Store) -> bool:
    """Whether every platform was polled once."""
    with store.read() as tx:
        return all(platform_states.get(tx, name).poll_at is not None for name in ("weibo", "x"))


@pytest.fixture
def together() -> SimpleNamespace:
    """The helpers above."""
    return SimpleNamespace(at_once=at_once, Running=Running, until=until, gate=Gate, polled=polled, shared=SHARED)


@pytest.fixture
def gate() -> type[Gate]:
    return Gate


@pytest.fixture
def make_post() -> Callable[..., Post]:
    """A post without pictures that tagged the bot."""

    def make(id: str = "1", text: str = "在罗湖口岸看到的") -> Post:
        return Post(
            platform="weibo", id=id, author=Author(id="u1", handle="路人甲"), text=text, posted_at=datetime.now(UTC), url="",
            raw={"id": id},
        )  # fmt: skip

    return make
