"""Many probes against many rows: a product of blocks by BLAS, of which only the best are kept, exactly.

A batch is all multiplying, which BLAS does in float32: a block of rows small enough for the processor's cache is multiplied
there, so that the matrix is read once, however many probes there are.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

SLACK = 4e-5
"""Scores this near to the k-th best are looked at too. It bounds the rounding of a float32 product of unit vectors (4e-6), and
the one step that a coordinate of 1 is held too low."""
_BLOCK_BYTES = 1 << 21
_TIGHTEN_EVERY = 8

Block = tuple[int, NDArray[np.float32]]
"""(number of the first row, rows)."""


def block_rows(dimension: int) -> int:
    """Rows of a float32 block of two megabytes: 3% better than one at 512 dimensions, a tenth better than a quarter."""
    return max(64, _BLOCK_BYTES // (4 * dimension))


def best_of_all(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Positions among which the ``k`` best scores are, exactly, ties included."""
    if len(scores) <= k:
        return np.arange(len(scores))
    return np.flatnonzero(scores >= np.partition(scores, -k)[-k] - SLACK)


def best_rows(queries: NDArray[np.float32], blocks: Iterator[Block], k: int) -> list[NDArray[np.int64]]:
    """Row numbers among which each query's ``k`` best are, exactly, ties included.

    A block's scores are compared with the k-th best so far, and few reach it: that is what makes the product the whole cost.
    The bound is tightened every few blocks; a bound that lags only lets a few more through.
    """
    bound = np.full(len(queries), -np.inf, np.float32)
    kept = _Kept(len(queries))
    across = np.ascontiguousarray(queries.T)
    for number, (start, rows) in enumerate(blocks):
        scores = rows @ across
        if number == 0 and len(rows) > k:
            bound = np.partition(scores, -k, axis=0)[-k] - SLACK
        kept.add(np.flatnonzero(scores >= bound), scores, start)
        if number < 4 or number % _TIGHTEN_EVERY == 0:
            bound = kept.tighten(k)
    kept.tighten(k)
    return kept.rows()


class _Kept:
    """What is still among the best: (query, row, score) in flat arrays, so that one step serves all queries."""

    def __init__(self, queries: int) -> None:
        self._queries = queries
        self._parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []

    def add(self, flat: NDArray[np.int64], scores: NDArray[np.float32], start: int) -> None:
        """Keep the entries at ``flat`` positions of a block's ``scores``, shape (rows, queries)."""
        row, query = np.divmod(flat, scores.shape[1])
        self._parts.append((query, row + start, scores.ravel()[flat]))

    def tighten(self, k: int) -> NDArray[np.float32]:
        """Let go of what is surely not among the ``k`` best; returns each query's least score worth keeping."""
        query, row, score = (np.concatenate(column) for column in zip(*self._parts, strict=True))
        order = np.lexsort((-score, query))
        query, row, score = query[order], row[order], score[order]
        first = np.searchsorted(query, np.arange(self._queries + 1))
        kth = np.minimum(first[:-1] + k, first[1:]) - 1
        enough = first[1:] - first[:-1] >= k
        bound = np.where(enough, score[kth] - SLACK, -np.inf).astype(np.float32)
        left = score >= bound[query]
        self._parts = [(query[left], row[left], score[left])]
        return bound

    def rows(self) -> list[NDArray[np.int64]]:
        """The rows of each query; after :meth:`tighten`."""
        query, row, _ = self._parts[0]
        return np.split(row, np.searchsorted(query, np.arange(1, self._queries)))
