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
EF = 400
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


@contextmanager
def filled(started: LocalServer, vectors: NDArray[np.float32]) -> Iterator[tuple[PgvectorIndex, Store, float]]:
    """An index in a database of its own that holds ``vectors`` as templates, ids from 1, and the seconds that took."""
    rows, dimension = vectors.shape
    name = f"bench_{rows}_{dimension}"
    store = Store(started.make(name), lambda: datetime.now(UTC))
    try:
        store.migrate()
        with store.write() as tx:
            tx.connection.exec_driver_sql("CREATE EXTENSION vector")
            tx.connection.exec_driver_sql(_CASES % rows)
        index = PgvectorIndex(store, name, dimension, lot, EF)
        index.open()
        began = time.perf_counter()
        for start in range(0, rows, _CHUNK):
            part = vectors[start : start + _CHUNK]
            index.put(range(start + 1, start + len(part) + 1), part, [0] * len(part))
        filled_s = time.perf_counter() - began
        with store.write() as tx:
            tx.connection.exec_driver_sql("ANALYZE")
        yield index, store, filled_s
    finally:
        store.close()
        started.drop(name)


def at_size(started: LocalServer, vectors: NDArray[np.float32], truth: NDArray[np.int64]) -> list[Figure]:
    """pgvector's exact scan over ``vectors`` as templates, beside faiss; ``truth``: the best rows of the first probes."""
    label = _label(vectors)
    with filled(started, vectors) as (index, store, filled_s):
        megabytes = _megabytes(store)
        half = FaissHalf(vectors)
        ours, theirs = (median(_seconds(partial(search, vectors[:1], TOP))) for search in (index.search, half.search))
        several = vectors[:8]
        began = time.perf_counter()
        found = index.search(several, TOP)[0] - 1
        batch = len(several) / (time.perf_counter() - began)
    recall = float(np.mean([len(set(a) & set(b)) / TOP for a, b in zip(found.tolist(), truth[:8].tolist(), strict=True)]))
    return [
        Figure(f"{label}, pgvector exact, one probe", 1 / ours, "probes/s", theirs / ours, half.name),
        Figure(f"{label}, pgvector exact, eight probes", batch, "probes/s"),
        Figure(f"{label}, pgvector exact, recall", recall, "of 1"),
        Figure(
            f"{label}, pgvector, its tables and indexes", megabytes, "MB", megabytes / (half.nbytes / 1e6), half.name, "lower"
        ),
        Figure(f"{label}, pgvector, filling", len(vectors) / filled_s, "cases/s"),
    ]


def graph_at_size(started: LocalServer, vectors: NDArray[np.float32]) -> list[Figure]:
    """HNSW over ``vectors``, as an operator may opt in to it, beside the exact scan of the same table: its recall as the bot
    measures it at its start."""
    label = _label(vectors)
    with filled(started, vectors) as (index, store, _):
        exact_s = median(_seconds(partial(index.search, vectors[:1], TOP)))  # exact, until the graph stands
        began = time.perf_counter()
        index.build_graph()
        built_s = time.perf_counter() - began
        one_s = median(_seconds(partial(index.search, vectors[:1], TOP)))
        recall = index.measure_recall()
        assert recall is not None  # there are cases, and the search is approximate
        megabytes = _megabytes(store)
    return [
        Figure(f"{label}, one probe", 1 / one_s, "probes/s", exact_s / one_s, "pgvector exact"),
        Figure(f"{label}, recall over {recall.probes} probes", recall.share, "of 1"),
        Figure(f"{label}, building", built_s, "s", better="lower"),
        Figure(f"{label}, tables and indexes", megabytes, "MB", better="lower"),
    ]


def _label(vectors: NDArray[np.float32]) -> str:
    return f"{len(vectors):,} x {vectors.shape[1]}"


def _megabytes(store: Store) -> float:
    with store.read() as tx:
        return float(tx.connection.exec_driver_sql(_SIZE).scalar_one()) / 1e6


def _seconds(work: Callable[[], object]) -> list[float]:
    work()
    seen = []
    for _ in range(5):
        began = time.perf_counter()
        work()
        seen.append(time.perf_counter() - began)
    return seen
