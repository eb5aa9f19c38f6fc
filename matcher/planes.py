"""The rows of a large gallery as two planes of bytes, so that a single probe reads half of each number, and misses nothing.

A single probe is all reading. The rows lie as the upper and the lower half of 16-bit fixed point. faiss scans the upper plane;
how far the lower one can move a score is known (Cauchy and Schwarz: at most its length), so a few rows are left that can be among
the best, and those are scored exactly. A million 128-d vectors take 0.6 of the time of faiss' float16 scan, which reads both
halves. Batches are put together block by block and multiplied (:mod:`matcher.nearest`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matcher.huge_pages import PAGE, advise
from matcher.nearest import SLACK, Block, best_rows, block_rows
from store.halves import STEPS, unstepped

PIECE_BYTES = 1 << 27
"""Memory of one piece: growing adds pieces and copies at most one. Halving it costs a single probe 3%; doubling it would leave a
million 128-d cases in one piece, which two threads cannot share."""
_AT_ONCE = 2048
"""Rows that are split together, so that what lies between stays in the processor's cache."""
_SHARES = 4
"""Parts of a batch's work that threads take in turn."""
_MIDDLE = 127.5
"""Where the lower byte is taken to be while it is not read."""
_MOST_CODE = 127
_FINEST = 3
"""Coordinates are held times two to this at most."""
_FIRST_EXTRA, _MOST_EXTRA = 64, 4096
"""Rows that a piece is asked for beyond those wanted: at least, and at most."""
_TOO_MANY = 32
"""A part of the rows, of which more than one in so many are no longer few: the whole product is the shorter way then."""


@dataclass(slots=True)
class _Piece:
    """Rows that lie together."""

    upper: Any
    """A faiss index: its codes are the upper bytes, each with its sign bit turned over."""
    lower: NDArray[np.uint8] = field(repr=False)
    """The lower bytes, with room for as many rows as a piece may have (untouched room takes no memory)."""
    lies_at: int = 0

    def __len__(self) -> int:
        return int(self.upper.ntotal)

    def codes(self) -> NDArray[np.uint8]:
        """The upper bytes where they lie, for reading and writing; valid until the piece grows."""
        import faiss

        count, dimension = len(self), self.lower.shape[1]
        flat: NDArray[np.uint8] = faiss.rev_swig_ptr(self.upper.codes.data(), count * dimension)
        return flat.reshape(count, dimension)


class SplitRows:
    """Rows of ``dimension`` numbers counted in steps (:mod:`store.halves`), growing and shrinking at the end, in pieces of
    128 MB.

    The fewer numbers the upper byte has to tell apart, the more it says: while no coordinate reaches a half (a quarter, an
    eighth), which unit vectors of hundreds of dimensions rarely do, all are held times two (four, eight). The first row that
    does not fit has all rows written anew, once.

    Not thread-safe: the index that holds it locks.
    """

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._height = PIECE_BYTES // (2 * dimension)
        self._pieces: list[_Piece] = []
        self._finer = _FINEST
        self._error = 0.0
        self._extra = _FIRST_EXTRA

    def __len__(self) -> int:
        return (len(self._pieces) - 1) * self._height + len(self._pieces[-1]) if self._pieces else 0

    @property
    def nbytes(self) -> int:
        """Bytes of the rows that are there."""
        return len(self) * self._dimension * 2

    def extend(self, rows: NDArray[np.int16]) -> None:
        """Append rows."""
        self._fit(rows)
        done = 0
        while done < len(rows):
            if not self._pieces or len(self._pieces[-1]) == self._height:
                self._pieces.append(_piece(self._dimension, self._height))
            last = self._pieces[-1]
            start = len(last)
            part = rows[done : done + self._height - start]
            upper = np.empty(part.shape, np.uint8)
            for at in range(0, len(part), _AT_ONCE):
                some = slice(at, at + _AT_ONCE)
                upper[some], last.lower[start:][: len(part)][some] = self._split(part[some])
            last.upper.add_sa_codes(upper)
            done += len(part)
            _on_huge_pages(last)

    def write(self, place: int, row: NDArray[np.int16]) -> None:
        """Replace one row."""
        self._fit(row[None])
        number, at = divmod(place, self._height)
        piece = self._pieces[number]
        upper, lower = self._split(row[None])
        piece.codes()[at], piece.lower[at] = upper[0], lower[0]

    def read(self, places: NDArray[np.int64]) -> NDArray[np.int16]:
        """Copies of rows, in the order asked."""
        upper = np.empty((len(places), self._dimension), np.uint8)
        lower = np.empty((len(places), self._dimension), np.uint8)
        piece_of = places // self._height
        for number in np.unique(piece_of):
            here, piece = piece_of == number, self._pieces[number]
            at = places[here] - number * self._height
            upper[here], lower[here] = piece.codes()[at], piece.lower[at]
        return joined(upper, lower) >> self._finer

    def drop_last(self) -> None:
        """Remove the last row, overwriting it: erased means erased."""
        self.write(len(self) - 1, np.zeros(self._dimension, np.int16))
        last = self._pieces[-1].upper
        left = last.ntotal - 1
        # Not remove_ids: it walks over every row. The last row's bytes are simply no longer part of the index.
        last.codes.resize(left * self._dimension)
        last.ntotal = left
        if not left:
            self._pieces.pop()

    def scan(self, probe: NDArray[np.float32], count: int, pool: Executor | None) -> tuple[NDArray[np.int64], bool]:
        """Rows that surely hold the ``count`` best of ``probe``; the flag is False where too many nearly equal scores leave that
        open.

        The pieces are read one after the other, or by the threads of ``pool``. Where more rows may be among the best than a
        piece was asked for, it is read once more, and asked for more the next time.
        """
        asked = _Asked.of(probe, self._unit)
        wanted = count + self._extra
        found = self._each(lambda piece: asked.best(piece, wanted), pool)
        scores, rows = _together(found)
        # The k-th best true score of all rows is at least that of any few.
        some = min(2 * count, len(rows))
        near = unstepped(self.read(rows[np.argpartition(-scores, some - 1)[:some]])) @ probe
        least = float(np.partition(near, -count)[-count]) - asked.error(self._error)
        if any(len(part) == wanted and part[-1] >= least for part, _ in found):
            found = self._each(lambda piece: asked.above(piece, least), pool)
            scores, rows = _together(found)
        kept = rows[scores >= least]
        enough = 3 * max(int(np.count_nonzero(part >= least)) for part, _ in found) // 2
        self._extra = min(max(enough, self._extra - self._extra // 8, _FIRST_EXTRA), _MOST_EXTRA)
        return kept, len(kept) < count + len(self) // _TOO_MANY

    def _each(self, read: Callable[[_Piece], _Scores], pool: Executor | None) -> list[_Scores]:
        found = map(read, self._pieces) if pool is None else pool.map(read, self._pieces)
        return [(scores, rows + number * self._height) for number, (scores, rows) in enumerate(found)]

    def multiply(self, probes: NDArray[np.float32], count: int, pool: Executor | None) -> list[NDArray[np.int64]]:
        """Rows among which each probe's ``count`` best surely are, ties included. Threads of ``pool`` share the pieces."""
        probes = probes / np.float32(self._unit)
        if pool is None:
            return best_rows(probes, self.blocks(range(len(self._pieces))), count)
        shares = [range(len(self._pieces))[i::_SHARES] for i in range(min(_SHARES, len(self._pieces)))]
        found = list(pool.map(lambda share: best_rows(probes, self.blocks(share), count), shares))
        return [np.concatenate(parts) for parts in zip(*found, strict=True)]

    def blocks(self, pieces: Iterable[int]) -> Iterator[Block]:
        """The rows of some pieces in float32, counted as they are held, in blocks that stay in the processor's cache; each is
        valid until the next one."""
        height = block_rows(self._dimension)
        wide = np.empty((height, self._dimension), np.float32)
        for number in pieces:
            piece = self._pieces[number]
            codes, lower = piece.codes(), piece.lower
            for at in range(0, len(codes), height):
                steps = joined(codes[at : at + height], lower[at : min(at + height, len(codes))])
                np.copyto(wide[: len(steps)], steps)
                yield number * self._height + at, wide[: len(steps)]

    @property
    def _unit(self) -> int:
        """What a coordinate of 1 would be held as."""
        return STEPS << self._finer

    def _fit(self, rows: NDArray[np.int16]) -> None:
        """Hold all rows coarser where these would not fit."""
        furthest = int(max(rows.max(initial=0), -int(rows.min(initial=0))))
        fitting = max(0, 15 - furthest.bit_length())
        if fitting >= self._finer:
            return
        by, self._finer, self._error = self._finer - fitting, fitting, 0.0
        for piece in self._pieces:
            codes = piece.codes()
            for at in range(0, len(codes), _AT_ONCE):
                some = slice(at, min(at + _AT_ONCE, len(codes)))
                codes[some], piece.lower[some] = self._planes(joined(codes[some], piece.lower[some]) >> by)

    def _split(self, rows: NDArray[np.int16]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return self._planes(rows << self._finer)

    def _planes(self, held: NDArray[np.int16]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Both planes of rows as they are held; the bound on what the upper one leaves open follows."""
        bits = held.view(np.uint16)
        lower = bits.astype(np.uint8)
        left = lower.astype(np.float32) - np.float32(_MIDDLE)
        longest = float(np.einsum("ij,ij->i", left, left).max(initial=0.0)) ** 0.5
        self._error = max(self._error, longest / self._unit)
        return (bits >> 8).astype(np.uint8) ^ np.uint8(0x80), lower


_Scores = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Scores and the numbers of their rows."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A probe as the upper plane is asked for it: in whole numbers of a byte, as faiss takes it beside such rows."""

    codes: NDArray[np.float32]
    scale: float
    """What one of faiss' whole numbers is as a score."""
    middle: float
    """What the lower plane adds where every byte lies in the middle."""
    length: float
    left: float
    """Lengths of the probe, and of what its whole numbers leave out."""

    @classmethod
    def of(cls, probe: NDArray[np.float32], unit: int) -> _Asked:
        step = (float(np.abs(probe).max()) or 1.0) / _MOST_CODE
        codes = np.rint(probe / np.float32(step))
        left = float(np.linalg.norm(probe - codes * np.float32(step)))
        return cls(codes, step * 256 / unit, float(codes.sum()) * _MIDDLE / 256, float(np.linalg.norm(probe)), left)

    def best(self, piece: _Piece, wanted: int) -> _Scores:
        """The ``wanted`` best rows of a piece (all, if there are fewer), best first."""
        scores, rows = piece.upper.search(self.codes[None], min(wanted, len(piece)))
        return (scores[0] + self.middle) * self.scale, rows[0]

    def above(self, piece: _Piece, least: float) -> _Scores:
        """All rows of a piece that score at least that much."""
        _, scores, rows = piece.upper.range_search(self.codes[None], least / self.scale - self.middle - 1)
        return (scores + self.middle) * self.scale, rows

    def error(self, lower: float) -> float:
        """How far a score may be off; ``lower``: how long what the lower plane adds may be (Cauchy and Schwarz)."""
        return lower * self.length + (1 + lower) * self.left + 2 * SLACK


def _together(found: list[_Scores]) -> _Scores:
    return np.concatenate([scores for scores, _ in found]), np.concatenate([rows for _, rows in found])


def _piece(dimension: int, height: int) -> _Piece:
    # Imported here: only a large gallery needs it, and it takes a quarter of a second.
    import faiss

    signed = faiss.ScalarQuantizer.QT_8bit_direct_signed
    return _Piece(
        faiss.IndexScalarQuantizer(dimension, signed, faiss.METRIC_INNER_PRODUCT), np.zeros((height, dimension), np.uint8)
    )


def _on_huge_pages(piece: _Piece) -> None:
    """A piece that has grown to another place in memory is put on large pages there (the lower plane is numpy's own business)."""
    codes = piece.codes()
    if codes.nbytes >= PAGE and piece.lies_at != codes.ctypes.data:
        advise(codes.ctypes.data, codes.nbytes)
        piece.lies_at = codes.ctypes.data


def one_thread() -> None:
    """Keep faiss to the calling thread: its own threads spin while they wait, and each search here reads one piece alone."""
    import faiss

    faiss.omp_set_num_threads(1)


def joined(upper: NDArray[np.uint8], lower: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Both planes put together."""
    bits = upper.astype(np.uint16)
    np.left_shift(bits, 8, out=bits)
    np.bitwise_or(bits, lower, out=bits)
    np.bitwise_xor(bits, 0x8000, out=bits)
    return bits.view(np.int16)
