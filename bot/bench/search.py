"""Exact search beside the best exact indexes on the same vectors: one probe, a batch of 64, memory, changes, growth."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from statistics import median

import numpy as np
from numpy.typing import NDArray

from bot.bench import _paper, _pgvector
from bot.bench._yardsticks import Blas, FaissHalf, Memory, units
from bot.bench.base import Figure, Result, paired
from matcher.compare import SHORTLIST
from matcher.cores import cores
from matcher.exact import ExactIndex
from store.local_postgres import why_not

BATCH = 64
TOP = 10
FLOOR = 1.3
"""How many times the reading of the rows a probe may take, where the gallery is large."""
GROWTH = (10, 100, 1_000, 10_000, 100_000, 1_000_000)


def run(quick: bool) -> Result:
    """100,000 x 128 (quick); or 10,000, 100,000 and a million x 128 and x 512, pgvector beside them where a server can be had,
    and docs/benchmarks/search.md with its plot, written anew after each size."""
    if quick:
        figures = [*at_size(units(100_000, 128)), *_growth(units(100_000, 128), GROWTH[:5])[0]]
        return Result("search", tuple(figures))
    figures = []
    curves: dict[str, list[_paper.Curve]] = {}
    lacking = why_not()
    with nullcontext() if lacking else _pgvector.server() as server:
        for dimension in (128, 512):
            vectors = units(GROWTH[-1], dimension)
            grown, curves[f"{dimension}-d"] = _growth(vectors, GROWTH)
            figures += grown
            _paper.curves(_paper.FOLDER / "search.png", curves, x="cases in the gallery", y="milliseconds a probe")
            for rows in GROWTH[3:]:
                figures += at_size(vectors[:rows])
                if server is not None:
                    truth = Blas(vectors[:rows]).search(vectors[:8], TOP)
                    figures += _pgvector.at_size(server, vectors[:rows], truth)
                _paper.page("search", "Search among the registered cases", "./run.sh bench search --full", _words(figures))
    return Result("search", tuple(figures), (f"pgvector: {lacking}",) if lacking else ())


def at_size(vectors: NDArray[np.float32]) -> list[Figure]:
    """Our index over ``vectors`` (unit rows) beside both yardsticks: rates as ratios taken in turn, recall, memory, changes."""
    label = f"{len(vectors):,} x {vectors.shape[1]}"
    single, shared = _index(vectors, 1), cores() > 1
    half, blas = FaissHalf(vectors), Blas(vectors)
    probes = vectors[:BATCH].copy()
    times = max(3, min(50, 20_000_000 // vectors.size * 10))
    figures = [
        _beside(f"{label}, one probe", single, half, probes[:1], times),
        _beside(f"{label}, batch of 64", single, blas, probes, max(1, times // 15)),
        _beside(f"{label}, batch of 64, against faiss", single, half, probes, 1),
    ]
    if shared and len(vectors) >= 200_000:
        threads = _index(vectors, None)
        figures.insert(1, _beside(f"{label}, one probe, a thread a core (as the bot runs it)", threads, half, probes[:1], times))
        figures += [
            _beside_memory(f"{label}, one probe, beside the memory", single, vectors, 1, times),
            _beside_memory(f"{label}, one probe, a thread a core, beside the memory", threads, vectors, cores(), times),
            _beside_memory(
                f"{label}, the bot's {SHORTLIST}, beside the memory", threads, vectors, cores(), times, SHORTLIST
            ),
        ]
        del threads
    found, truth = single.search(probes, TOP)[0] - 1, blas.search(probes, TOP)
    recall = float(np.mean([len(set(a) & set(b)) / TOP for a, b in zip(found.tolist(), truth.tolist(), strict=True)]))
    megabytes = single.nbytes / 1e6
    best = half.nbytes / 1e6
    figures += [
        Figure(f"{label}, recall against the float32 product", recall, "of 1"),
        Figure(f"{label}, memory", megabytes, "MB", megabytes / best, half.name, "lower", promised="about 1"),
        Figure(
            f"{label}, add and remove a case", _change_seconds(single, probes) * 1e6, "µs", better="lower", promised="no rebuild"
        ),
    ]
    return figures


def _beside(name: str, ours: ExactIndex, theirs: FaissHalf | Blas, probes: NDArray[np.float32], times: int) -> Figure:
    rate, _, ratio = paired(
        _repeat(partial(ours.search, probes, TOP), times, len(probes)),
        _repeat(partial(theirs.search, probes, TOP), times, len(probes)),
        rounds=7 if len(probes) == 1 else 3,
    )
    return Figure(name, rate, "probes/s", ratio, theirs.name, promised="at least 1")


def _beside_memory(
    name: str, ours: ExactIndex, vectors: NDArray[np.float32], threads: int, times: int, best: int = TOP
) -> Figure:
    memory = Memory(vectors, threads)
    rate, _, ratio = paired(
        _repeat(partial(ours.search, vectors[:1].copy(), best), times, 1), _repeat(memory.read, times, 1), rounds=7
    )
    return Figure(name, rate, "probes/s", ratio, memory.name, promised=f"at least {1 / FLOOR:.2f}")


def _growth(vectors: NDArray[np.float32], sizes: tuple[int, ...]) -> tuple[list[Figure], list[_paper.Curve]]:
    """The cost of a probe as the gallery grows. The ratio is against the bare product over the same rows in float32."""
    dimension = vectors.shape[1]
    figures: list[Figure] = []
    lines: dict[str, list[tuple[float, float]]] = {"one probe": [], "in a batch of 64": [], "bare fp32 product": []}
    for size in sizes:
        index, blas, probes = _index(vectors[:size], 1), Blas(vectors[:size]), vectors[:BATCH]
        times = max(3, min(200, 100_000_000 // (size * dimension)))
        ours, bare, ratio = paired(
            _repeat(partial(index.search, probes[:1], TOP), times, 1), _repeat(partial(blas.product, probes[0]), times, 1)
        )
        batch, _, _ = paired(_repeat(partial(index.search, probes, TOP), max(1, times // 20), len(probes)), lambda: 1, rounds=3)
        figures.append(Figure(f"growth: {size:,} x {dimension}, one probe", ours, "probes/s", ratio, "bare float32 product"))
        for name, rate in (("one probe", ours), ("in a batch of 64", batch), ("bare fp32 product", bare)):
            lines[name].append((size, 1e3 / rate))
    return figures, [_paper.Curve(name, points, "--" if "bare" in name else "-o") for name, points in lines.items()]


def _change_seconds(index: ExactIndex, probes: NDArray[np.float32]) -> float:
    """Seconds for adding one case and removing it."""
    seen = []
    for _ in range(20):
        began = time.perf_counter()
        index.put([0], probes[:1], [0])
        index.remove([0])
        seen.append(time.perf_counter() - began)
    return median(seen)


def _index(vectors: NDArray[np.float32], threads: int | None) -> ExactIndex:
    index = ExactIndex(vectors.shape[1], threads)
    index.put(range(1, len(vectors) + 1), vectors, np.zeros(len(vectors), np.uint8).tolist())
    return index


def _repeat(work: Callable[[], object], times: int, items: int) -> Callable[[], int]:
    def many() -> int:
        for _ in range(times):
            work()
        return times * items

    return many


def _words(figures: list[Figure]) -> list[str]:
    """The page's parts."""
    return [
        "Every index is exact; the vectors are near-isotropic, the hard case. Ratios are taken in turn in one process: "
        "each side with one thread unless the line says otherwise; for rates, above 1 is faster.",
        _paper.table(("figure", "measured", "ratio", "promised"), _paper.rows(figures)),
        "![cost of a probe as the gallery grows](search.png)",
        "Up to 8,192 cases the rows lie widened in float32, from there on in two bytes a number, of which a single probe reads "
        "one: the step in the curves, and how a probe can be quicker than reading the same bytes once.",
    ]
