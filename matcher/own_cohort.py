"""An operator's own cohort of strangers: licensed photos of people who are surely no registered child, kept as vectors only.

With it, bands are calibrated from the first case on, and for the people, light and cameras of the place. The photos are not
kept; the vectors go into the store, sealed like every other.
"""

from __future__ import annotations

import numpy as np

from matcher.gallery import Vectors
from store.errors import BadInput

LEAST = 60


def checked(vectors: Vectors, same: float) -> Vectors:
    """``vectors`` (unit rows) with each person once: rows at or above cosine ``same`` to an earlier one are left out.

    Raises:
        BadInput: fewer than 60 persons: too few to calibrate with.
    """
    kept = different(vectors, same)
    if len(kept) < LEAST:
        wanted = f"give photos of at least {LEAST} different persons, one a photo"
        raise BadInput(f"{len(kept)} usable faces are too few for a cohort", mend=wanted)
    return kept


def different(vectors: Vectors, same: float) -> Vectors:
    """``vectors`` without those that show a person who is there already (cosine at or above ``same``)."""
    kept: list[int] = []
    for row in range(len(vectors)):
        if not kept or float((vectors[kept] @ vectors[row]).max()) < same:
            kept.append(row)
    return np.ascontiguousarray(vectors[kept])
