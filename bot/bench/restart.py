"""How long a start takes to have the whole gallery ready: from the tables alone, and from its sealed blocks."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bot.bench import _paper
from bot.bench._cases import PACK, fill
from bot.bench._yardsticks import units
from bot.bench.base import Figure, Result
from bot.faces import FaceBook
from matcher.calibrate import BandTargets
from store.keys import make_key, parse_keys
from store.session import Store
from store.vault import AesVault

DIMENSION = 128


def run(quick: bool) -> Result:
    """25,000 cases (quick), or a million and docs/benchmarks/restart.md: SQLite, vectors sealed."""
    count = 25_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(f"sqlite:///{Path(folder) / 'cases.sqlite'}", count)
    if not quick:
        rows = [
            (f.name, f"{f.value:,.4g} {f.unit}", "" if f.ratio is None else f"{f.ratio:.2f} x {f.yardstick}") for f in figures
        ]
        parts = [_paper.table(("figure", "measured", "ratio"), rows)]
        _paper.page("restart", "Starting with a large gallery", "./run.sh bench restart --full", parts)
    return Result("restart", tuple(figures))


def measured(url: str, count: int) -> list[Figure]:
    """Fill an empty database with ``count`` cases and start twice."""
    store = Store(url, lambda: datetime.now(UTC), AesVault(parse_keys(make_key())))
    store.migrate()
    fill(store, units(count, DIMENSION))
    cold_s, book = _start(store)
    began = time.perf_counter()
    blocks = 0
    while written := book.keep_blocks(store):
        blocks += written
    sealing_s = time.perf_counter() - began
    del book
    warm_s, book = _start(store)
    found = len(book.gallery)
    store.close()
    label = f"{count:,} x {DIMENSION}"
    return [
        Figure(f"{label}: ready, from the tables (the first start)", cold_s, "s", better="lower"),
        Figure(f"{label}: ready, from sealed blocks (every later one)", warm_s, "s", warm_s / cold_s, "from the tables", "lower"),
        Figure(f"{label}: sealing all {blocks} blocks, in the background", sealing_s, "s", better="lower"),
        Figure("cases missing after it", count - found, "cases", better="lower", promised="0"),
    ]


def _start(store: Store) -> tuple[float, FaceBook]:
    engine: Any = SimpleNamespace(pack_id="bench", pack_sha256=PACK, dimension=DIMENSION)
    book = FaceBook(engine, BandTargets(), 20)
    began = time.perf_counter()
    with store.read() as tx:
        book.sync(tx)
    return time.perf_counter() - began, book
