"""Where each case's row lies: a table for the database's small ascending ids, four bytes each, and a dictionary for any other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_NOWHERE = -1
_SPARE = 65_536


class Places:
    """case id -> row number. A Python dictionary alone would take 120 bytes a case: 120 MB beside 256 MB of vectors."""

    def __init__(self) -> None:
        self._table: NDArray[np.int32] = np.full(0, _NOWHERE, np.int32)
        self._others: dict[int, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._table.nbytes + 120 * len(self._others)

    def of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each case, -1 where there is none."""
        inside = (ids >= 0) & (ids < len(self._table))
        found = np.full(len(ids), _NOWHERE, np.int64)
        found[inside] = self._table[ids[inside]]
        if self._others:
            for i in np.flatnonzero(found == _NOWHERE):
                found[i] = self._others.get(int(ids[i]), _NOWHERE)
        return found

    def add(self, ids: NDArray[np.int64], first: int) -> None:
        """Note new cases, each once, in the rows from ``first`` on."""
        self._count += len(ids)
        # Ids of a database lie densely, so a table of a few times their number holds them; one that does not goes aside.
        room = 4 * self._count + _SPARE
        inside = (ids >= 0) & (ids < room)
        if inside.any():
            self._reach(int(ids[inside].max()) + 1)
        rows = np.arange(first, first + len(ids))
        self._table[ids[inside]] = rows[inside]
        self._others.update(zip(ids[~inside].tolist(), rows[~inside].tolist(), strict=True))

    def move(self, case_id: int, place: int) -> None:
        """Note another row for a case that is there."""
        if case_id in self._others:
            self._others[case_id] = place
        else:
            self._table[case_id] = place

    def pop(self, case_id: int) -> int:
        """Forget a case; returns the row it had, -1 where it is not there."""
        place = self._others.pop(case_id, _NOWHERE)
        if place == _NOWHERE and 0 <= case_id < len(self._table):
            place = int(self._table[case_id])
            self._table[case_id] = _NOWHERE
        self._count -= place != _NOWHERE
        return place

    def _reach(self, end: int) -> None:
        if end > len(self._table):
            wider = np.full(end + end // 8, _NOWHERE, np.int32)
            wider[: len(self._table)] = self._table
            self._table = wider
