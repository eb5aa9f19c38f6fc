"""Fixtures of the contract suites. ``replay`` is the module of replay.py: tests here are no package to import it from."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


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
