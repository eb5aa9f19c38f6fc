"""The registered faces, held in memory for search: one template a case, exact search, changed without a rebuild.

A template is the weighted mean of a case's face vectors, brought back to unit length. Measured with the default engine: the
mean of 1, 2, 3 photos of a child brings rank 1 from 62% to 74% to 78%, so one template a case is both the smallest and the
best representation. Templates lie in one contiguous float32 matrix; a removed case's row is taken by the last one.

Search is exact: a missed mate is a missed child, and how far an approximate index can be trusted depends on data nobody can
check beforehand (recall 0.66 to 0.996 with one setting).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from matcher import cohort as cohorts
from matcher.engines.base import Vector
from matcher.nearest import ERROR, HalfIndex, best_rows
from store.errors import EngineError, NotFound

Vectors = NDArray[np.float32]
"""Unit vectors as rows, shape (n, dimension), C-contiguous."""

HALF_FROM = 50_000
"""Cases from which on a float16 copy serves single probes (0.5 ms instead of 1.7 at 100,000); below it gains nothing."""
_FIRST_CAPACITY = 64
_UNIT_TOLERANCE = 1e-3
_NO_LIMIT = (1 << 64) - 1


class Group(StrEnum):
    """The age of the child in a case's photos: small children resemble each other most. CHILD where nothing is known."""

    TODDLER = "toddler"
    CHILD = "child"
    ADULT = "adult"

    @classmethod
    def of_age(cls, years: float | None) -> Group:
        """Below 3 years TODDLER, from 18 on ADULT, otherwise (or unknown) CHILD."""
        if years is None:
            return cls.CHILD
        return cls.TODDLER if years < 3 else cls.ADULT if years >= 18 else cls.CHILD


@dataclass(frozen=True, slots=True)
class Hits:
    """The best cases of each probe, best first: ``case_ids`` and cosine ``scores``, both of shape (probes, k)."""

    case_ids: NDArray[np.int64]
    scores: NDArray[np.float32]


class Gallery:
    """Case templates of one model pack. Safe for concurrent use: every method holds the gallery's lock.

    Args:
        dimension: Length of the vectors.
        pack_id: Name of the pack that made them.
        pack_sha256: Hash of the pack; vectors of another one are refused.
        own_cohort: An operator's licensed cohort, unit vectors as rows (``suishoupai calibrate --cohort``); empty by default.
    """

    def __init__(self, dimension: int, pack_id: str, pack_sha256: str, own_cohort: Vectors | None = None) -> None:
        self.dimension = dimension
        self.pack_id = pack_id
        self.pack_sha256 = pack_sha256
        self._lock = threading.RLock()
        self._rows: Vectors = np.zeros((_FIRST_CAPACITY, dimension), np.float32)
        self._ids: NDArray[np.int64] = np.zeros(_FIRST_CAPACITY, np.int64)
        self._row_of: dict[int, int] = {}
        self._group_of: dict[int, Group] = {}
        self._revision = 0
        self._own_cohort: Vectors = np.zeros((0, dimension), np.float32) if own_cohort is None else self._checked(own_cohort)
        self._half: HalfIndex | None = None
        self._cohort: cohorts.Cohort | None = None
        self._cohort_limit = _NO_LIMIT

    def __len__(self) -> int:
        return len(self._row_of)

    def __contains__(self, case_id: int) -> bool:
        return case_id in self._row_of

    def __repr__(self) -> str:
        return f"<Gallery of {len(self)} cases, pack {self.pack_id} {self.pack_sha256[:8]}>"

    @property
    def revision(self) -> int:
        """Grows with every change; equal revisions mean an equal gallery."""
        return self._revision

    def case_ids(self) -> list[int]:
        """All registered case ids, ascending."""
        with self._lock:
            return sorted(self._row_of)

    def put(
        self,
        case_id: int,
        vectors: Sequence[Vector],
        pack_sha256: str,
        weights: Sequence[float] | None = None,
        group: Group = Group.CHILD,
    ) -> None:
        """Add a case, or replace its template, in O(dimension).

        Args:
            case_id: The case.
            vectors: Its face vectors, unit length.
            pack_sha256: The hash of the pack that made them.
            weights: One positive weight a vector (see :func:`template`); equal by default.
            group: The age of the child in these photos.

        Raises:
            EngineError: vectors of another pack or dimension, not of unit length, or none at all.
        """
        self.check_pack(pack_sha256)
        row = template(self._checked(vectors), weights)
        with self._lock:
            place = self._row_of.get(case_id)
            if place is None:
                place = len(self._row_of)
                self._grow(place + 1)
                self._row_of[case_id] = place
                self._ids[place] = case_id
            self._rows[place] = row
            if self._half is not None:
                self._half.put(place, row)
            self._group_of[case_id] = group
            self._changed(case_id)

    def put_many(self, case_ids: Sequence[int], templates: Vectors, pack_sha256: str) -> None:
        """Add or replace many cases that have one ready unit vector each; for loading a large gallery at start.

        Raises:
            EngineError: as :meth:`put`.
        """
        self.check_pack(pack_sha256)
        rows = self._checked(templates)
        if len(rows) != len(case_ids):
            raise EngineError(f"{len(case_ids)} cases but {len(rows)} templates")
        with self._lock:
            self._grow(len(self) + len(rows))
            for case_id, row in zip(case_ids, rows, strict=True):
                place = self._row_of.setdefault(int(case_id), len(self._row_of))
                self._ids[place] = case_id
                self._rows[place] = row
            self._revision += 1
            self._cohort = None
            self._half = None

    def remove(self, case_id: int) -> None:
        """Take a case out (closed, or erased), in O(dimension). Removing one that is not there is no error."""
        with self._lock:
            place = self._row_of.pop(case_id, None)
            self._group_of.pop(case_id, None)
            if place is None:
                return
            last = len(self._row_of)
            if place != last:
                self._rows[place] = self._rows[last]
                self._ids[place] = self._ids[last]
                self._row_of[int(self._ids[place])] = place
                if self._half is not None:
                    self._half.put(place, self._rows[place])
            self._rows[last] = 0.0  # erased means erased
            if self._half is not None:
                self._half.pop()
            self._changed(case_id)

    def memory_bytes(self) -> int:
        """Bytes held for searching: the templates, their ids and, once a single probe asked for it, the float16 copy."""
        with self._lock:
            halved = 0 if self._half is None else len(self._half) * self.dimension * 2
            return self._rows.nbytes + self._ids.nbytes + halved

    def group_of(self, case_id: int) -> Group:
        """The age group that the case was put with; CHILD by default."""
        return self._group_of.get(case_id, Group.CHILD)

    def template_of(self, case_id: int) -> Vector:
        """A copy of one case's template.

        Raises:
            NotFound: the case is not in the gallery.
        """
        with self._lock:
            if case_id not in self._row_of:
                raise NotFound(f"case {case_id} is not in the gallery")
            row: Vector = self._rows[self._row_of[case_id]].copy()
            return row

    def templates_of(self, case_ids: Iterable[int]) -> Vectors:
        """Copies of several templates, shape (cases, dimension), in the order asked. Raises NotFound as :meth:`template_of`."""
        rows = [self.template_of(case_id) for case_id in case_ids]
        return np.stack(rows) if rows else np.zeros((0, self.dimension), np.float32)

    def search(self, probes: Vectors | Vector, k: int) -> Hits:
        """The ``k`` most similar cases of each probe (all, if the gallery is smaller), best first, equal scores by case id.

        Args:
            probes: One unit vector or several as rows.
            k: How many cases to return.

        Raises:
            EngineError: the probes' dimension is not the gallery's.
        """
        queries = self._checked(np.atleast_2d(probes))
        with self._lock:
            count = len(self._row_of)
            k = min(k, count)
            if k == 0:
                return Hits(np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32))
            found = self._halved(queries[0], k) if len(queries) == 1 and count >= HALF_FROM else None
            rows = [found] if found is not None else best_rows(queries, self._rows[:count], k)
            ids = np.empty((len(queries), k), np.int64)
            scores = np.empty((len(queries), k), np.float32)
            for i, (query, near) in enumerate(zip(queries, rows, strict=True)):
                # Row by row in float64: equal vectors have equal scores wherever they lie.
                exact = (self._rows[near].astype(np.float64) * query).sum(axis=1)
                order = np.lexsort((self._ids[near], -exact))[:k]
                ids[i], scores[i] = self._ids[near[order]], exact[order]
        return Hits(ids, scores)

    def _halved(self, query: Vector, k: int) -> NDArray[np.int64] | None:
        """Rows that surely hold the ``k`` best, by the float16 copy; None where too many are nearly equal to tell."""
        if self._half is None:
            self._half = HalfIndex(self._rows[: len(self._row_of)])
        rows, last = self._half.best(query, 2 * k + 16)
        kth = float(np.partition(self._rows[rows] @ query, -k)[-k])
        return rows if last + ERROR < kth or len(rows) == len(self._row_of) else None

    def cohort(self) -> cohorts.Cohort:
        """The strangers that scores are normalised with; see :mod:`matcher.cohort`. Kept until one of its members changes."""
        with self._lock:
            if self._cohort is None:
                count = len(self._row_of)
                rows = cohorts.members(self._ids[:count])
                chosen = cohorts.Cohort(self._rows[rows], self._ids[rows])
                full = count > cohorts.COHORT_MAX
                self._cohort_limit = int(cohorts.lot(chosen.case_ids).max()) if full else _NO_LIMIT
                self._cohort = cohorts.join(chosen, self._own_cohort)
            return self._cohort

    def check_pack(self, pack_sha256: str) -> None:
        """Refuse what another pack made: vectors of two packs are never compared.

        Raises:
            EngineError: the hash is not the gallery's.
        """
        if pack_sha256 != self.pack_sha256:
            raise EngineError(
                f"vectors of pack {pack_sha256[:8]} cannot be compared with those of {self.pack_id} {self.pack_sha256[:8]}",
                mend="embed the photos again with the pack in use (it goes on in the background after a change of models.pack)",
            )

    def _checked(self, vectors: Vectors | Sequence[Vector]) -> Vectors:
        if len(vectors) == 0:
            raise EngineError("no face vector given")
        rows = np.ascontiguousarray(vectors, dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.dimension:
            raise EngineError(f"face vectors of shape {rows.shape} do not fit a gallery of dimension {self.dimension}")
        lengths = np.linalg.norm(rows, axis=1)
        if not bool(np.all(np.abs(lengths - 1.0) < _UNIT_TOLERANCE)):  # also catches what is not finite
            raise EngineError("a face vector is not of unit length", mend="it is damaged: embed its photo again")
        return rows

    def _changed(self, case_id: int) -> None:
        self._revision += 1
        if int(cohorts.lot(np.array([case_id]))[0]) <= self._cohort_limit:
            self._cohort = None
        elif self._cohort is not None:
            self._cohort.statistics.pop(case_id, None)

    def _grow(self, rows: int) -> None:
        if rows <= len(self._rows):
            return
        capacity = max(rows, len(self._rows) * 2)
        self._rows = np.concatenate([self._rows, np.zeros((capacity - len(self._rows), self.dimension), np.float32)])
        self._ids = np.concatenate([self._ids, np.zeros(capacity - len(self._ids), np.int64)])


def template(vectors: Vectors | Sequence[Vector], weights: Sequence[float] | None = None) -> Vector:
    """The weighted mean of unit vectors, brought back to unit length.

    Raises:
        EngineError: the weights do not fit, are not positive, or the vectors cancel each other out.
    """
    rows = np.asarray(vectors, dtype=np.float32)
    factors = np.ones(len(rows), np.float32) if weights is None else np.asarray(weights, dtype=np.float32)
    if factors.shape != (len(rows),) or not bool(np.all(factors > 0)):
        raise EngineError(f"{len(rows)} vectors need as many positive weights")
    mean = factors @ rows
    length = float(np.linalg.norm(mean))
    if length < 1e-6:
        raise EngineError("the photos of this case contradict each other", mend="check that all of them show the same child")
    unit: Vector = np.ascontiguousarray(mean / length, dtype=np.float32)
    return unit
