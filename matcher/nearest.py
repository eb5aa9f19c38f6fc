"""The kernels of exact search over a large matrix: rows kept as float16, and the two fastest ways to read them.

A single probe is all reading, and float16 halves the bytes: over a million 128-d vectors 6.5 ms against 15.6 ms in float32. So it
goes through faiss' float16 scan. A batch is all multiplying, which BLAS does in float32: a block of rows small enough for the
processor's cache is widened and multiplied there, so that the matrix is read once, in float16, whatever the batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matcher.huge_pages import PAGE, advise

PIECE_BYTES = 1 << 27
"""Memory of one piece: growing adds pieces and copies at most one. Halving it costs a single probe 3%; doubling it would leave a
million 128-d cases in one piece, which two threads cannot share."""
SLACK = 4e-6
"""Bound on the rounding of a float32 product of unit vectors: scores this near to the k-th best are looked at too."""
_BLOCK_BYTES = 1 << 21
_TIGHTEN_EVERY = 8
_SIGN_AND_VALUE = np.int32(-0x70000001)
_OFFSET = np.float32(2.0**112)
_SHARES = 4
"""Parts of a batch's work that threads take in turn."""

Block = tuple[int, NDArray[np.float32]]
"""(number of the first row, rows)."""


class HalfRows:
    """Rows of ``dimension`` float16 numbers, growing and shrinking at the end: one faiss index for every 128 MB.

    Not thread-safe: the index that holds it locks.
    """

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._height = PIECE_BYTES // (2 * dimension)
        self._pieces: list[Any] = []
        self._lies_at: dict[int, int] = {}

    def __len__(self) -> int:
        return (len(self._pieces) - 1) * self._height + int(self._pieces[-1].ntotal) if self._pieces else 0

    @property
    def nbytes(self) -> int:
        """Bytes of the rows that are there."""
        return len(self) * self._dimension * 2

    def extend(self, rows: NDArray[np.float16]) -> None:
        """Append rows."""
        done = 0
        while done < len(rows):
            if not self._pieces or self._pieces[-1].ntotal == self._height:
                self._pieces.append(_piece(self._dimension))
            last = self._pieces[-1]
            part = rows[done : done + self._height - last.ntotal]
            last.add_sa_codes(np.ascontiguousarray(part).view(np.uint8))
            done += len(part)
            self._on_huge_pages(len(self._pieces) - 1)

    def write(self, place: int, row: NDArray[np.float16]) -> None:
        """Replace one row."""
        piece, at = divmod(place, self._height)
        self._codes(piece)[at] = row

    def read(self, places: NDArray[np.int64]) -> NDArray[np.float16]:
        """Copies of rows, in the order asked."""
        if len(self._pieces) == 1:
            return self._codes(0)[places]
        rows = np.empty((len(places), self._dimension), np.float16)
        piece_of = places // self._height
        for piece in np.unique(piece_of):
            here = piece_of == piece
            rows[here] = self._codes(int(piece))[places[here] % self._height]
        return rows

    def drop_last(self) -> None:
        """Remove the last row, overwriting it: erased means erased."""
        self.write(len(self) - 1, np.zeros(self._dimension, np.float16))
        last = self._pieces[-1]
        left = last.ntotal - 1
        # Not remove_ids: it walks over every row. The last row's bytes are simply no longer part of the index.
        last.codes.resize(left * self._dimension * 2)
        last.ntotal = left
        if not left:
            self._pieces.pop()
            self._lies_at.pop(len(self._pieces), None)

    def scan(self, probe: NDArray[np.float32], count: int, pool: Executor | None) -> tuple[NDArray[np.int64], bool]:
        """Rows that surely hold the ``count`` best of ``probe``; the flag is False where nearly equal scores leave that open.

        The pieces are read one after the other, or by the threads of ``pool``.
        """
        wanted = count + 16

        def one(number: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
            piece = self._pieces[number]
            scores, rows = piece.search(probe[None], min(wanted, piece.ntotal))
            return scores[0], rows[0] + number * self._height

        numbers = range(len(self._pieces))
        found = list(map(one, numbers)) if pool is None else list(pool.map(one, numbers))
        scores = np.concatenate([part[0] for part in found])
        rows = np.concatenate([part[1] for part in found])
        least = np.partition(scores, -count)[-count] - SLACK
        # A piece that gave all it was asked for may hold more rows as good as the k-th best.
        sure = all(len(part[0]) < wanted or part[0][-1] < least for part in found)
        return rows[scores >= least], sure

    def multiply(self, probes: NDArray[np.float32], count: int, pool: Executor | None) -> list[NDArray[np.int64]]:
        """Rows among which each probe's ``count`` best surely are, ties included. Threads of ``pool`` share the pieces."""
        if pool is None:
            return best_rows(probes, self.blocks(range(len(self._pieces))), count)
        shares = [range(len(self._pieces))[i::_SHARES] for i in range(min(_SHARES, len(self._pieces)))]
        found = list(pool.map(lambda share: best_rows(probes, self.blocks(share), count), shares))
        return [np.concatenate(parts) for parts in zip(*found, strict=True)]

    def blocks(self, pieces: Iterable[int]) -> Iterator[Block]:
        """The rows of some pieces, widened to float32, in blocks that stay in the processor's cache; each is valid until the
        next one."""
        height = block_rows(self._dimension)
        wide = np.empty((height, self._dimension), np.float32)
        for number in pieces:
            codes = self._codes(number)
            for at in range(0, len(codes), height):
                half = codes[at : at + height]
                yield number * self._height + at, widen(half, wide[: len(half)])

    def _on_huge_pages(self, piece: int) -> None:
        """A piece that has grown to another place in memory is put on large pages there."""
        codes = self._codes(piece)
        if codes.nbytes >= PAGE and self._lies_at.get(piece) != codes.ctypes.data:
            advise(codes.ctypes.data, codes.nbytes)
            self._lies_at[piece] = codes.ctypes.data

    def _codes(self, piece: int) -> NDArray[np.float16]:
        """A piece's rows where they lie, for reading and writing; valid until it grows."""
        import faiss

        index = self._pieces[piece]
        flat: NDArray[np.uint8] = faiss.rev_swig_ptr(index.codes.data(), index.ntotal * self._dimension * 2)
        return flat.view(np.float16).reshape(index.ntotal, self._dimension)


def _piece(dimension: int) -> Any:
    # Imported here: only a large gallery needs it, and it takes a quarter of a second.
    import faiss

    return faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def widen(half: NDArray[np.float16], wide: NDArray[np.float32]) -> NDArray[np.float32]:
    """``half`` as float32, written into ``wide`` (same shape): exact for all finite numbers, subnormal ones too.

    Sign and exponent are moved to where float32 has them, and the exponent's other offset is multiplied away. Four passes over
    a block in the cache take a quarter of the time of numpy's own conversion, and a third of faiss'.
    """
    bits = wide.view(np.int32)
    np.copyto(bits, half.view(np.int16))
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, _SIGN_AND_VALUE, out=bits)
    return np.multiply(wide, _OFFSET, out=wide)


def block_rows(dimension: int) -> int:
    """Rows of a float32 block of two megabytes: 3% better than one at 512 dimensions, a tenth better than a quarter."""
    return max(64, _BLOCK_BYTES // (4 * dimension))


def one_thread() -> None:
    """Keep faiss to the calling thread: its own threads spin while they wait, and each search here reads one piece alone."""
    import faiss

    faiss.omp_set_num_threads(1)


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
