"""What a search index over case templates must offer. Two implement it: :class:`matcher.exact.ExactIndex` in this process, and
``store.vectors.PgvectorIndex`` inside PostgreSQL. tests/contracts/test_index.py holds both to the same words.

Every template is kept in the same numbers (:mod:`store.halves`), so a score does not depend on which index serves. Scores are
exact over those numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from store.halves import halved as halved

Rows = NDArray[np.float32]
"""Vectors as rows, shape (n, dimension), C-contiguous."""
Ids = NDArray[np.int64]
Groups = NDArray[np.uint8]
"""A small number a case, kept beside its template (the gallery's age group)."""


class VectorIndex(Protocol):
    """Case templates held for exact search. Safe to share between threads."""

    def put(self, case_ids: Sequence[int], rows: Rows, groups: Sequence[int]) -> None:
        """Add cases, or replace their templates, without a rebuild: O(dimension) for each."""

    def remove(self, case_ids: Sequence[int]) -> int:
        """Take cases out, leaving no trace of their vectors; returns how many were there."""

    def search(self, probes: Rows, k: int) -> tuple[Ids, Rows]:
        """The ``k`` most similar cases of each probe (all, if there are fewer): ids and cosines, both of shape (probes, k),
        best first, equal scores by case id."""

    def fetch(self, case_ids: Sequence[int]) -> tuple[Ids, Rows, Groups]:
        """Those of the cases that are there, in ascending order of their ids: ids, templates, groups."""

    def members(self, most: int) -> tuple[int, Ids]:
        """How many cases there are, and the ids (ascending) of ``most`` of them: those with the smallest :func:`lot`."""


def lot(case_ids: Ids) -> NDArray[np.uint64]:
    """A fixed pseudo-random number for each case id (the finaliser of SplitMix64, Steele et al. 2014).

    Two machines choose the same part of a large gallery by it, and one case more or less moves one member at most.
    """
    with np.errstate(over="ignore"):
        z = case_ids.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(z ^ (z >> np.uint64(31)), dtype=np.uint64)


def drawn(case_ids: Ids, most: int) -> NDArray[np.int64]:
    """Positions of the ``most`` ids with the smallest lots (all of them, where there are no more), ascending."""
    if len(case_ids) <= most:
        return np.arange(len(case_ids))
    return np.sort(np.argpartition(lot(case_ids), most)[:most])
