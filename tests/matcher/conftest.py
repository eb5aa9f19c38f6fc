"""What the matcher's tests share: the default pack built once, the opened engine, and faces made of numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from matcher import packs
from matcher.engines.base import Engine, EngineSettings, Image
from matcher.engines.loading import load

Units = Callable[..., np.ndarray]


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models directory with the default pack."""
    folder = tmp_path_factory.mktemp("models")
    packs.ensure_default(folder)
    return folder


@pytest.fixture(scope="session")
def engine(models_dir: Path) -> Engine:
    """The default engine with the default pack."""
    return load("insightface_pack")(EngineSettings(packs.find(models_dir, packs.DEFAULT_PACK)))


@pytest.fixture(scope="session")
def group_photo() -> Image:
    """insightface's own sample: six adults, 1280 x 886."""
    from insightface.data import get_image

    return np.ascontiguousarray(get_image("t1", to_rgb=True))


@pytest.fixture
def units() -> Units:
    """Makes n random unit vectors, reproducibly: units(n, dimension=128, seed=0)."""

    def make(n: int, dimension: int = 128, seed: int = 0) -> np.ndarray:
        rows = np.random.default_rng(seed).normal(size=(n, dimension)).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    return make
