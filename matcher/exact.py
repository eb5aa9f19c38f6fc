"""Exact search inside this process: case templates in one matrix, changed in place. See :class:`matcher.index.VectorIndex`.

Exact, because a missed mate is a missed child, and how far an approximate index can be trusted depends on data nobody can check
beforehand (recall 0.66 to 0.996 with one setting). Up to ``SPLIT_FROM`` cases the numbers lie widened in a float32 matrix,
which BLAS searches at once; above, they lie in two bytes a number (:mod:`matcher.planes`): a quarter of a gigabyte for a million
128-d cases, and nothing beside it but 13 bytes a case.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from matcher.cores import cores
from matcher.index import Groups, Ids, Rows, drawn
from matcher.nearest import Block, best_of_all, best_rows, block_rows
from matcher.places import Places
from matcher.planes import SplitRows, one_thread
from store.halves import stepped, unstepped

SPLIT_FROM = 8_192
"""Cases from which the rows are kept in two bytes a number; below, the float32 matrix fits the cache and needs no faiss."""
THREADS_FROM = 200_000
"""Cases from which one probe is shared between threads; below, it is over before a second one wakes up."""
SCAN_UP_TO = 8
"""Probes that are scanned one by one; more are multiplied together."""
_FIRST_CAPACITY = 64
_EXACT_AT_ONCE = 4096
_Array = TypeVar("_Array", Ids, Groups, Rows)


class ExactIndex:
    """Case templates of one dimension. Every method holds the index's lock.

    Args:
        dimension: Length of the vectors.
        threads: Threads that share the search of one probe; by default as many as there are cores, 4 at most.
    """

    def __init__(self, dimension: int, threads: int | None = None) -> None:
        self._dimension = dimension
        self._threads = min(4, cores()) if threads is None else threads
        self._lock = threading.RLock()
        self._places = Places()
        self._ids: Ids = np.zeros(_FIRST_CAPACITY, np.int64)
        self._groups: Groups = np.zeros(_FIRST_CAPACITY, np.uint8)
        self._wide: Rows = np.zeros((_FIRST_CAPACITY, dimension), np.float32)
        self._split: SplitRows | None = None

    def __repr__(self) -> str:
        return f"<ExactIndex of {len(self._places)} cases, {self._dimension}-d>"

    @property
    def nbytes(self) -> int:
        """Bytes held for searching: the rows, their ids and groups, and where each case lies."""
        with self._lock:
            rows = self._wide.nbytes if self._split is None else self._split.nbytes
            return rows + self._ids.nbytes + self._groups.nbytes + self._places.nbytes

    def put(self, case_ids: Sequence[int], rows: Rows, groups: Sequence[int]) -> None:
        """Add cases, or replace their templates; see :class:`matcher.index.VectorIndex`."""
        ids, steps, kinds = np.asarray(case_ids, np.int64), stepped(rows), np.asarray(groups, np.uint8)
        if len(np.unique(ids)) != len(ids):  # one case twice in a call: the later wins, as in two calls
            _, last = np.unique(ids[::-1], return_index=True)
            keep = np.sort(len(ids) - 1 - last)
            ids, steps, kinds = ids[keep], steps[keep], kinds[keep]
        with self._lock:
            places = self._places.of(ids)
            here = np.flatnonzero(places >= 0)
            for i in here:
                self._write(int(places[i]), steps[i])
            self._groups[places[here]] = kinds[here]
            new = places < 0
            self._append(ids[new], steps[new], kinds[new])

    def remove(self, case_ids: Sequence[int]) -> int:
        """Take cases out: the last row takes the place of each. See :class:`matcher.index.VectorIndex`."""
        with self._lock:
            return sum(self._remove(case_id) for case_id in case_ids)

    def search(self, probes: Rows, k: int) -> tuple[Ids, Rows]:
        """The ``k`` most similar cases of each probe; see :class:`matcher.index.VectorIndex`."""
        with self._lock:
            k = min(k, len(self._places))
            if not k:
                return np.empty((len(probes), 0), np.int64), np.empty((len(probes), 0), np.float32)
            near = list(self._near(probes, k))
            counts = np.array([len(rows) for rows in near])
            places, probe_of = np.concatenate(near), np.repeat(np.arange(len(probes)), counts)
            exact, ids = self._exact(places, probe_of, probes), self._ids[places]
            order = np.lexsort((ids, -exact, probe_of))
            best = order[(np.cumsum(counts) - counts)[:, None] + np.arange(k)]
            return ids[best], exact[best].astype(np.float32)

    def _exact(self, places: NDArray[np.int64], probe_of: NDArray[np.int64], probes: Rows) -> NDArray[np.float64]:
        """Scores of rows with their probes, each summed by itself in float64: equal rows have equal scores wherever they lie."""
        scores = np.empty(len(places))
        for start in range(0, len(places), _EXACT_AT_ONCE):
            part = slice(start, start + _EXACT_AT_ONCE)
            scores[part] = (self._rows(places[part]).astype(np.float64) * probes[probe_of[part]]).sum(axis=1)
        return scores

    def fetch(self, case_ids: Sequence[int]) -> tuple[Ids, Rows, Groups]:
        """Those of the cases that are there; see :class:`matcher.index.VectorIndex`."""
        with self._lock:
            wanted = np.unique(np.asarray(case_ids, np.int64))
            places = self._places.of(wanted)
            here = places >= 0
            return wanted[here], self._rows(places[here]), self._groups[places[here]]

    def members(self, most: int) -> tuple[int, Ids]:
        """How many cases there are, and which stand for all; see :class:`matcher.index.VectorIndex`."""
        with self._lock:
            ids = self._ids[: len(self._places)]
            return len(ids), np.sort(ids[drawn(ids, most)])

    def _near(self, probes: Rows, k: int) -> Iterator[NDArray[np.int64]]:
        """Rows among which each probe's ``k`` best surely are."""
        split = self._split
        if split is None:
            count = len(self._places)
            if len(probes) == 1:
                yield best_of_all(self._wide[:count] @ probes[0], k)
            else:
                yield from best_rows(probes, self._wide_blocks(), k)
            return
        one_thread()
        pool = _pool(self._threads) if self._threads > 1 and len(split) >= THREADS_FROM else None
        if len(probes) > SCAN_UP_TO:
            yield from split.multiply(probes, k, pool)
            return
        for probe in probes:
            rows, sure = split.scan(probe, k, pool)
            yield rows if sure else split.multiply(probe[None], k, pool)[0]

    def _wide_blocks(self) -> Iterator[Block]:
        count, height = len(self._places), block_rows(self._dimension)
        return ((start, self._wide[start : min(start + height, count)]) for start in range(0, count, height))

    def _rows(self, places: NDArray[np.int64]) -> Rows:
        return self._wide[places] if self._split is None else unstepped(self._split.read(places))

    def _write(self, place: int, row: NDArray[np.int16]) -> None:
        if self._split is None:
            self._wide[place] = unstepped(row)
        else:
            self._split.write(place, row)

    def _append(self, ids: Ids, rows: NDArray[np.int16], groups: Groups) -> None:
        start, end = len(self._places), len(self._places) + len(ids)
        self._ids, self._groups = _grown(self._ids, end), _grown(self._groups, end)
        self._ids[start:end], self._groups[start:end] = ids, groups
        if self._split is None and end >= SPLIT_FROM:
            self._split = SplitRows(self._dimension)
            self._split.extend(stepped(self._wide[:start]))
            self._wide = np.zeros((0, self._dimension), np.float32)
        if self._split is None:
            self._wide = _grown(self._wide, end)
            self._wide[start:end] = unstepped(rows)
        else:
            self._split.extend(rows)
        self._places.add(ids, start)

    def _remove(self, case_id: int) -> bool:
        place = self._places.pop(case_id)
        if place < 0:
            return False
        last = len(self._places)
        if place != last:
            self._write(place, stepped(self._rows(np.array([last])))[0])
            self._ids[place], self._groups[place] = self._ids[last], self._groups[last]
            self._places.move(int(self._ids[place]), place)
        if self._split is None:
            self._wide[last] = 0.0  # erased means erased
        else:
            self._split.drop_last()
        return True


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """The threads that share single probes, one set a process: they wait without spinning when there is nothing to do."""
    return ThreadPoolExecutor(threads, "search", initializer=one_thread)


def _grown(array: _Array, rows: int) -> _Array:
    """``array`` with room for ``rows`` rows: an eighth more than asked, so that adding one by one copies rarely."""
    if rows <= len(array):
        return array
    room = np.zeros((max(rows + rows // 8, _FIRST_CAPACITY), *array.shape[1:]), array.dtype)
    room[: len(array)] = array
    return cast(_Array, room)
