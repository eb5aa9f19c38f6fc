"""pgvector beside the others: a PostgreSQL of the bench's own, filled with cases and their templates."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from bot.bench._yardsticks import FaissHalf
from bot.bench.base import Figure
from matcher.index import lot
from store.local_postgres import LocalServer
from store.session import Store
from store.vectors import PgvectorIndex

TOP = 10
_CHUNK = 20_000
_EF = 400
_MOST_HNSW = 100_000
"""Building it over a million takes some five to eight minutes of a core."""
_CASES = (
    "INSERT INTO cases (id, ref, name, contacts, registered_by, registered_at, state, seq)"
    " SELECT n, n::text, '', '[]', 'bench', now(), 'verified', n FROM generate_series(1, %d) n"
)

_SIZE = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND starts_with(relname, 'gallery_vectors_')"


@contextmanager
def server() -> Iterator[LocalServer]:
    """A server that ends with the block, its files with it."""
    with tempfile.TemporaryDirectory(prefix="suishoupai-bench-") as folder:
        Path(folder).chmod(0o755)
        with LocalServer(Path(folder) / "postgres", lasting=False, leave="delete") as started:
            yield started


def at_size(started: LocalServer, vectors: NDArray[np.float32], truth: NDArray[np.int64]) -> list[Figure]:
    """pgvector's exact scan over ``vectors`` as templates, beside faiss; ``truth``: the best rows of the first probes."""
    rows, dimension = vectors.shape
    label, name = f"{rows:,} x {dimension}", f"bench_{rows}_{dimension}"
    url = started.make(name)
    store = Store(url, lambda: datetime.now(UTC))
    try:
        store.migrate()
        with store.write() as tx:
            tx.connection.exec_driver_sql("CREATE EXTENSION vector")
            tx.connection.exec_driver_sql(_CASES % rows)
        index = PgvectorIndex(store, name, dimension, lot)
        index.open()
        began = time.perf_counter()
        for start in range(0, rows, _CHUNK):
            part = vectors[start : start + _CHUNK]
            index.put(range(start + 1, start + len(part) + 1), part, [0] * len(part))
        filled_s = time.perf_counter() - began
        with store.write() as tx:
            tx.connection.exec_driver_sql("ANALYZE")
            megabytes = float(tx.connection.exec_driver_sql(_SIZE).scalar_one()) / 1e6
        half = FaissHalf(vectors)
        ours, theirs = (median(_seconds(partial(search, vectors[:1], TOP))) for search in (index.search, half.search))
        several = vectors[:8]
        began = time.perf_counter()
        found = index.search(several, TOP)[0] - 1
        batch = len(several) / (time.perf_counter() - began)
        near = _approximate(store, name, vectors, label, ours) if rows <= _MOST_HNSW else []
    finally:
        store.close()
        started.drop(name)
    recall = float(np.mean([len(set(a) & set(b)) / TOP for a, b in zip(found.tolist(), truth[:8].tolist(), strict=True)]))
    return [
        Figure(f"{label}, pgvector exact, one probe", 1 / ours, "probes/s", theirs / ours, half.name),
        Figure(f"{label}, pgvector exact, eight probes", batch, "probes/s"),
        Figure(f"{label}, pgvector exact, recall", recall, "of 1"),
        Figure(
            f"{label}, pgvector, its tables and indexes", megabytes, "MB", megabytes / (half.nbytes / 1e6), half.name, "lower"
        ),
        Figure(f"{label}, pgvector, filling", rows / filled_s, "cases/s"),
        *near,
    ]


def _approximate(store: Store, name: str, vectors: NDArray[np.float32], label: str, exact_s: float) -> list[Figure]:
    """HNSW over the same table, as an operator may opt in to it: its recall as the bot measures it at its start."""
    index = PgvectorIndex(store, name, vectors.shape[1], lot, _EF)
    began = time.perf_counter()
    index.build_graph()
    built_s = time.perf_counter() - began
    one = median(_seconds(partial(index.search, vectors[:1], TOP)))
    recall = index.measure_recall()
    assert recall is not None  # there are cases, and the search is approximate
    with store.read() as tx:
        megabytes = float(tx.connection.exec_driver_sql(_SIZE).scalar_one()) / 1e6
    words = f"{label}, pgvector HNSW (ef {_EF})"
    return [
        Figure(f"{words}, one probe", 1 / one, "probes/s", exact_s / one, "pgvector exact"),
        Figure(f"{words}, recall over {recall.probes} probes", recall.share, "of 1"),
        Figure(f"{words}, building", built_s, "s", better="lower"),
        Figure(f"{words}, tables and indexes", megabytes, "MB", better="lower"),
    ]


def _seconds(work: Callable[[], object]) -> list[float]:
    work()
    seen = []
    for _ in range(5):
        began = time.perf_counter()
        work()
        seen.append(time.perf_counter() - began)
    return seen
