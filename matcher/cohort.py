"""Which registered cases stand for "strangers" when a score is normalised. Pure.

All of them up to ``COHORT_MAX``; of a larger gallery a fixed random part, chosen by a hash of the case id
(:func:`matcher.index.lot`), so that adding or closing one case changes the cohort by one member at most and two machines choose
alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from matcher import likeness
from matcher.index import lot as lot
from matcher.likeness import Likeness

if TYPE_CHECKING:
    from matcher.as_norm import Local

COHORT_MAX = 2048
_NOBODY = -1


@dataclass(frozen=True, slots=True)
class Cohort:
    """Templates of strangers, shape (m, dimension), and their case ids (-1: an operator's own cohort vector).

    ``common`` is what they have in common and ``freed`` the templates without it. ``statistics`` keeps what was worked out for
    a case with this cohort, ``local`` how high its members come among each other; :mod:`matcher.as_norm` fills both.
    """

    templates: NDArray[np.float32] = field(repr=False)
    case_ids: NDArray[np.int64]
    common: Likeness = field(init=False, repr=False, compare=False)
    freed: NDArray[np.float32] = field(init=False, repr=False, compare=False)
    statistics: dict[int, tuple[float, float]] = field(default_factory=dict, compare=False)
    local: Local | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "common", likeness.of_members(self.templates))
        object.__setattr__(self, "freed", self.common.without(self.templates))

    def __len__(self) -> int:
        return len(self.case_ids)

    def positions(self, case_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each case in ``templates``, -1 where it is not a member."""
        order = np.argsort(self.case_ids, kind="stable")
        place = np.searchsorted(self.case_ids, case_ids, sorter=order)
        found = order[np.minimum(place, len(order) - 1)]
        return np.where(self.case_ids[found] == case_ids, found, _NOBODY)


def joined(templates: NDArray[np.float32], case_ids: NDArray[np.int64], own: NDArray[np.float32]) -> Cohort:
    """The cohort of these cases, with an operator's own vectors added."""
    nobody = np.full(len(own), _NOBODY, np.int64)
    return Cohort(np.concatenate([templates, own]), np.concatenate([case_ids, nobody]))
