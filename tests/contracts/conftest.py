"""Fixtures of the contract suites. ``replay`` is the module of replay.py: tests here are no package to import it from."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bot.microblog.server import Microblog
from bot.platforms import x
from bot.platforms.base import Platform
from store.model import Clock


def _load(name: str) -> ModuleType:
    path = Path(__file__).with_name(f"{name}.py")
    key = f"contracts_{name}"
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(key, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[key] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[key])
    return sys.modules[key]


@pytest.fixture(scope="session")
def replay() -> ModuleType:
    """The replay helper's module."""
    return _load("replay")


@pytest.fixture
def server(replay: ModuleType) -> Iterator[Any]:
    """A running replay server; script it with ``server.play(response, ...)``."""
    with replay.replay_server() as running:
        yield running


class MovableClock:
    """A clock that stands at ``now`` until it is moved."""

    def __init__(self, now: str) -> None:
        self.now = datetime.fromisoformat(now)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **amount: float) -> None:
        """Move on by a timedelta's arguments."""
        self.now += timedelta(**amount)


@pytest.fixture
def clock() -> MovableClock:
    """The stopped clock that the microblog and the platforms of one test share."""
    return MovableClock("2026-11-20T12:00:00+08:00")


@pytest.fixture
def microblog(clock: Clock) -> Iterator[Microblog]:
    """The local microblog, running on a free port of 127.0.0.1."""
    with Microblog(clock=clock) as running:
        yield running


@pytest.fixture
def x_build(microblog: Microblog, clock: Clock) -> Callable[..., Platform]:
    """Builds the X platform with the bot's tokens, pointed at the local microblog."""

    def build(**settings: Any) -> Platform:
        held = microblog.credentials
        secrets = {name: getattr(held, name.lower()) for name in x.SECRETS}
        given = {"base_url": microblog.x_url, "hashtags": ["随手拍"], "photo_hosts": ["127.0.0.1"], "timeout_s": 2} | settings
        return x.build(x.Settings.model_validate(given), secrets, clock)

    return build
