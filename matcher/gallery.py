"""The registered faces, held in memory for search: one template a case, exact search, changed without a rebuild.

A template is the weighted mean of a case's face vectors, brought back to unit length. Measured with SFace: the
mean of 1, 2, 3 photos of a child brings rank 1 from 62% to 74% to 78%, so one template a case is both the smallest and the
best representation. Where the templates lie and how they are searched is the index's business (:mod:`matcher.index`).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from matcher import cohort as cohorts
from matcher.engines.base import Vector
from matcher.exact import ExactIndex
from matcher.index import VectorIndex
from store.errors import EngineError, NotFound

Vectors = NDArray[np.float32]
"""Unit vectors as rows, shape (n, dimension), C-contiguous."""

_UNIT_TOLERANCE = 1e-3
_NO_LIMIT = (1 << 64) - 1
_ALL = 1 << 62


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


_GROUPS = tuple(Group)
_NUMBER = {group: number for number, group in enumerate(_GROUPS)}
"""How an index keeps a group: never reordered, since a database may hold it."""


@dataclass(frozen=True, slots=True)
class Hits:
    """The best cases of each probe, best first: ``case_ids`` and cosine ``scores``, both of shape (probes, k)."""

    case_ids: NDArray[np.int64]
    scores: NDArray[np.float32]


class Gallery:
    """Case templates of one model pack, over a search index. Safe for concurrent use.

    Args:
        dimension: Length of the vectors.
        pack_id: Name of the pack that made them.
        pack_sha256: Hash of the pack; vectors of another one are refused.
        own_cohort: An operator's licensed cohort, unit vectors as rows (``suishoupai calibrate --cohort``); empty by default.
        index: Where the templates are held and searched; in this process by default.
    """

    def __init__(
        self,
        dimension: int,
        pack_id: str,
        pack_sha256: str,
        own_cohort: Vectors | None = None,
        index: VectorIndex | None = None,
    ) -> None:
        self.dimension = dimension
        self.pack_id = pack_id
        self.pack_sha256 = pack_sha256
        self._index: VectorIndex = ExactIndex(dimension) if index is None else index
        self._lock = threading.RLock()
        self._revision = 0
        self._count: int | None = None
        self._own_cohort: Vectors = np.zeros((0, dimension), np.float32) if own_cohort is None else self._checked(own_cohort)
        self._cohort: cohorts.Cohort | None = None
        self._cohort_limit = _NO_LIMIT

    def __len__(self) -> int:
        with self._lock:
            if self._count is None:
                self._count = self._index.members(0)[0]
            return self._count

    def __contains__(self, case_id: int) -> bool:
        return len(self._index.fetch([case_id])[0]) == 1

    def __repr__(self) -> str:
        return f"<Gallery of {len(self)} cases, pack {self.pack_id} {self.pack_sha256[:8]}>"

    @property
    def revision(self) -> int:
        """Grows with every change; equal revisions mean an equal gallery."""
        return self._revision

    def case_ids(self) -> list[int]:
        """All registered case ids, ascending."""
        ids: list[int] = self._index.members(_ALL)[1].tolist()
        return ids

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
        self._index.put([case_id], row[None], [_NUMBER[group]])
        self.note([case_id])

    def put_many(self, case_ids: Sequence[int], rows: Vectors, pack_sha256: str, groups: Sequence[Group] | None = None) -> None:
        """Add or replace many cases that have one ready unit vector each; for loading a large gallery at start.

        Raises:
            EngineError: as :meth:`put`.
        """
        self.check_pack(pack_sha256)
        rows = self._checked(rows)
        kinds = numbers(groups or [Group.CHILD] * len(rows))
        if not len(rows) == len(case_ids) == len(kinds):
            raise EngineError(f"{len(case_ids)} cases but {len(rows)} templates and {len(kinds)} groups")
        self._index.put(case_ids, rows, kinds.tolist())
        self.note(case_ids)

    def held(self, case_ids: Sequence[int]) -> tuple[NDArray[np.int64], Vectors, NDArray[np.uint8]]:
        """Those of the cases that are there, as :meth:`put_held` takes them back: ids (ascending), templates, group numbers."""
        return self._index.fetch(case_ids)

    def put_held(
        self, case_ids: NDArray[np.int64], rows: NDArray[np.float16], groups: NDArray[np.uint8], pack_sha256: str
    ) -> None:
        """Put cases back as :meth:`held` gave them.

        Raises:
            EngineError: as :meth:`put`.
        """
        self.check_pack(pack_sha256)
        if len(case_ids):
            self._index.put(case_ids.tolist(), self._checked(rows), groups.tolist())
            self.note(case_ids.tolist())

    def remove(self, case_id: int) -> None:
        """Take a case out (closed, or erased), in O(dimension). Removing one that is not there is no error."""
        if self._index.remove([case_id]):
            self.note([case_id])

    def note(self, case_ids: Sequence[int]) -> None:
        """These cases were put or removed, here or by another process that shares the index: what rests on them is stale."""
        with self._lock:
            self._revision += 1
            self._count = None
            if self._cohort is None:
                return
            if bool((cohorts.lot(np.asarray(case_ids, np.int64)) <= self._cohort_limit).any()):
                self._cohort = None
                return
            for case_id in case_ids:
                self._cohort.statistics.pop(case_id, None)

    def group_of(self, case_id: int) -> Group:
        """The age group that the case was put with; CHILD where it is not there."""
        return self.groups_of([case_id])[case_id]

    def groups_of(self, case_ids: Sequence[int]) -> dict[int, Group]:
        """The age group of each case, as :meth:`group_of`; one look-up for all."""
        ids, _, kinds = self._index.fetch(case_ids)
        known = dict(zip(ids.tolist(), (_GROUPS[kind] for kind in kinds), strict=True))
        return {case_id: known.get(case_id, Group.CHILD) for case_id in case_ids}

    def template_of(self, case_id: int) -> Vector:
        """One case's template.

        Raises:
            NotFound: the case is not in the gallery.
        """
        row: Vector = self.templates_of([case_id])[0]
        return row

    def templates_of(self, case_ids: Sequence[int]) -> Vectors:
        """Several templates, shape (cases, dimension), in the order asked. Raises NotFound as :meth:`template_of`."""
        ids, rows, _ = self._index.fetch(case_ids)
        missing = sorted(set(case_ids) - set(ids.tolist()))
        if missing:
            raise NotFound(f"case {missing[0]} is not in the gallery")
        ordered: Vectors = rows[np.searchsorted(ids, np.asarray(case_ids, np.int64))]
        return ordered

    def search(self, probes: Vectors | Vector, k: int) -> Hits:
        """The ``k`` most similar cases of each probe (all, if the gallery is smaller), best first, equal scores by case id.

        Args:
            probes: One unit vector or several as rows.
            k: How many cases to return.

        Raises:
            EngineError: the probes' dimension is not the gallery's.
        """
        return Hits(*self._index.search(self._checked(np.atleast_2d(probes)), k))

    def cohort(self) -> cohorts.Cohort:
        """The strangers that scores are normalised with; see :mod:`matcher.cohort`. Kept until one of its members changes."""
        with self._lock:
            if self._cohort is None:
                count, chosen = self._index.members(cohorts.COHORT_MAX)
                ids, rows, _ = self._index.fetch(chosen.tolist())
                self._cohort_limit = int(cohorts.lot(ids).max()) if count > len(chosen) else _NO_LIMIT
                self._cohort = cohorts.joined(rows, ids, self._own_cohort)
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

    def _checked(self, vectors: NDArray[np.floating] | Sequence[Vector]) -> Vectors:
        if len(vectors) == 0:
            raise EngineError("no face vector given")
        rows = np.ascontiguousarray(vectors, dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.dimension:
            raise EngineError(f"face vectors of shape {rows.shape} do not fit a gallery of dimension {self.dimension}")
        lengths = np.linalg.norm(rows, axis=1)
        if not bool(np.all(np.abs(lengths - 1.0) < _UNIT_TOLERANCE)):  # also catches what is not finite
            raise EngineError("a face vector is not of unit length", mend="it is damaged: embed its photo again")
        return rows


def numbers(groups: Sequence[Group]) -> NDArray[np.uint8]:
    """Groups as an index keeps them."""
    return np.array([_NUMBER[group] for group in groups], np.uint8)


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


def templates(case_ids: NDArray[np.int64], vectors: Vectors, weights: NDArray[np.floating]) -> tuple[NDArray[np.int64], Vectors]:
    """:func:`template` of many cases at once.

    Args:
        case_ids: The case of each vector, ascending.
        vectors: Unit vectors as rows.
        weights: A positive weight for each.

    Returns:
        The cases, ascending, and a template for each.

    Raises:
        EngineError: as :func:`template`; the message names the case.
    """
    ids, first = np.unique(case_ids, return_index=True)
    if not len(ids):
        return ids, np.zeros((0, vectors.shape[1]), np.float32)
    if not bool(np.all(weights > 0)):
        raise EngineError(f"{len(vectors)} vectors need as many positive weights")
    means = np.add.reduceat(vectors * np.asarray(weights, np.float32)[:, None], first, axis=0)
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    if bool((lengths < 1e-6).any()):
        case_id = int(ids[int(lengths.argmin())])
        raise EngineError(
            f"the photos of case {case_id} contradict each other", mend="check that all of them show the same child"
        )
    return ids, np.ascontiguousarray(means / lengths, dtype=np.float32)
