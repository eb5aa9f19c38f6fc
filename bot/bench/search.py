"""Exact search in the gallery beside faiss' float16 flat index, the fastest exact index measured; growth; adding a case."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median

import faiss
import numpy as np
from numpy.typing import NDArray

from bot.bench.base import Figure, Result, paired
from matcher.gallery import Gallery

PACK = "0" * 64
BATCH = 64
TOP = 10


def run(quick: bool) -> Result:
    """One probe, batches of 64, adding and removing: 100,000 x 128 (quick), or a million x 128 and x 512."""
    figures: list[Figure] = []
    for rows, dimension in [(100_000, 128)] if quick else [(1_000_000, 128), (1_000_000, 512)]:
        figures += _one_size(rows, dimension)
    figures += _growth((10, 1_000, 100_000) if quick else (10, 1_000, 10_000, 100_000, 1_000_000))
    return Result("search", tuple(figures))


def _one_size(rows: int, dimension: int) -> list[Figure]:
    vectors = _units(rows, dimension)
    gallery = _gallery(vectors)
    index = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    index.add(vectors)
    faiss.omp_set_num_threads(1)
    probes = vectors[:BATCH].copy()
    label = f"{rows:,} x {dimension}"
    yardstick = "faiss fp16 flat, one thread"
    figures = []
    for name, count, searches in (("one probe", 1, 20), ("batch of 64", BATCH, 2)):
        one = _repeat(partial(gallery.search, probes[:count], TOP), searches, count)
        other = _repeat(partial(index.search, probes[:count], TOP), searches, count)
        ours, _, ratio = paired(one, other)
        figures.append(Figure(f"{label}, {name}", ours, "probes/s", ratio, yardstick, promised="at least 1"))
    megabytes = gallery.memory_bytes() / 1e6
    figures.append(Figure(f"{label}, memory", megabytes, "MB", megabytes / (rows * dimension * 2 / 1e6), yardstick, "lower"))
    change = _change_seconds(gallery, probes)
    figures.append(Figure(f"{label}, add and remove a case", change * 1e6, "µs", better="lower", promised="no rebuild"))
    return figures


def _growth(sizes: tuple[int, ...]) -> list[Figure]:
    """The cost of one probe as the gallery grows; the ratio is against the bare product over the same rows."""
    figures = []
    vectors = _units(sizes[-1], 128)
    for size in sizes:
        gallery, probe = _gallery(vectors[:size]), vectors[0]
        repeats = max(3, min(200, 2_000_000 // size))
        ours, _, ratio = paired(
            _repeat(partial(gallery.search, probe, TOP), repeats, 1),
            _repeat(partial(np.dot, vectors[:size], probe), repeats, 1),
        )
        figures.append(Figure(f"{size:,} x 128, one probe", ours, "probes/s", ratio, "bare float32 product"))
    return figures


def _change_seconds(gallery: Gallery, probes: NDArray[np.float32]) -> float:
    """Seconds for adding one case and removing it, measured with the float16 copy in place."""
    gallery.search(probes[0], TOP)
    seen = []
    for _ in range(20):
        began = time.perf_counter()
        gallery.put(-1, [probes[0]], PACK)
        gallery.remove(-1)
        seen.append(time.perf_counter() - began)
    return median(seen)


def _repeat(work: Callable[[], object], times: int, items: int) -> Callable[[], int]:
    def many() -> int:
        for _ in range(times):
            work()
        return times * items

    return many


def _gallery(vectors: NDArray[np.float32]) -> Gallery:
    gallery = Gallery(vectors.shape[1], "bench", PACK)
    gallery.put_many(range(len(vectors)), vectors, PACK)
    return gallery


def _units(rows: int, dimension: int) -> NDArray[np.float32]:
    """Near-isotropic unit vectors: the hard case for any search."""
    vectors = np.random.default_rng(0).standard_normal((rows, dimension), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors
