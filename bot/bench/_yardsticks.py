"""What exact search is held against: the best exact indexes that were measured (faiss' float16 flat index, BLAS over float32
blocks), and the memory itself, read once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import faiss
import numpy as np
from numpy.typing import NDArray

_BLOCK = 65_536


def units(rows: int, dimension: int, seed: int = 0) -> NDArray[np.float32]:
    """Near-isotropic unit vectors: the hard case for any search."""
    vectors = np.random.default_rng(seed).standard_normal((rows, dimension), dtype=np.float32)
    for start in range(0, rows, _BLOCK):
        block = vectors[start : start + _BLOCK]
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    return vectors


class FaissHalf:
    """faiss IndexScalarQuantizer in float16, one thread: the fastest for single probes, two bytes a number."""

    name = "faiss fp16 flat, one thread"

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self._index = faiss.IndexScalarQuantizer(vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        self._index.add(vectors)
        self.nbytes = vectors.size * 2

    def search(self, probes: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """Rows of the ``k`` best."""
        faiss.omp_set_num_threads(1)
        rows: NDArray[np.int64] = self._index.search(probes, k)[1]
        return rows


class Blas:
    """The product by BLAS over blocks of float32 rows, and the best of each block: fastest for batches, four bytes a number."""

    name = "BLAS over fp32 blocks, one thread"

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self._rows = vectors
        self.nbytes = vectors.nbytes

    def search(self, probes: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """Rows of the ``k`` best."""
        scores, rows = [], []
        for start in range(0, len(self._rows), _BLOCK):
            block = probes @ self._rows[start : start + _BLOCK].T
            best = np.argpartition(block, max(0, block.shape[1] - k), axis=1)[:, -k:]
            scores.append(np.take_along_axis(block, best, axis=1))
            rows.append(best + start)
        order = np.argsort(-np.concatenate(scores, axis=1), axis=1)[:, :k]
        return np.take_along_axis(np.concatenate(rows, axis=1), order, axis=1)

    def product(self, probe: NDArray[np.float32]) -> NDArray[np.float32]:
        """The bare product with every row: as fast as float32 can be read."""
        return self._rows @ probe


class Memory:
    """As many bytes as the rows have in float16, read once and added up: no search that reads all of them can be faster.

    Args:
        threads: Threads that share the reading, a part each.
    """

    def __init__(self, vectors: NDArray[np.float32], threads: int) -> None:
        rng = np.random.default_rng(0)
        numbers = rng.integers(0, 1 << 63, max(threads, vectors.size * 2 // 8), dtype=np.uint64)
        self._parts = np.array_split(numbers, threads)
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self.name = f"reading the same bytes once, {'one thread' if threads == 1 else f'{threads} threads'}"

    def read(self) -> int:
        """Every byte; the sum, so that nothing is left out."""
        sums = map(_sum, self._parts) if self._pool is None else self._pool.map(_sum, self._parts)
        return sum(sums)


def _sum(part: NDArray[np.uint64]) -> int:
    return int(part.sum())
