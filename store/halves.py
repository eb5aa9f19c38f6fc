"""The numbers that a template is kept in, by every index and in the sealed blocks: float16, in whole steps of 2**-15.

Half the bytes of float32, and reading them is the whole cost of a search. The steps cost nothing above 2**-5, where float16 is
no finer itself; below, they let two bytes of fixed point hold exactly the same numbers (``matcher.planes``). A cosine moves by
about 1e-5, and since every index keeps the same numbers, a score does not depend on which of them serves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STEPS = 1 << 15
"""Steps of a coordinate between 0 and 1."""
_SPLITTER = np.float32((1 << 13) + 1)
"""Splits a float32 into the 11 bits that float16 has and the rest (T. J. Dekker, Numerische Mathematik 18, 1971)."""
_AT_ONCE = 1 << 18
"""Numbers that are worked on together: 1 MB, which stays in the processor's cache."""


def stepped(rows: NDArray[np.floating]) -> NDArray[np.int16]:
    """The numbers that are kept of ``rows`` (coordinates of unit vectors, -1 to 1; shape (n, dimension)), counted in steps.
    1 itself would be one step too far and is 32,767, which is no other number's count."""
    counted = np.empty(rows.shape, np.int16)
    height = max(1, _AT_ONCE // max(1, rows.shape[1]))
    for start in range(0, len(rows), height):
        steps = rows[start : start + height].astype(np.float32)
        np.multiply(steps, np.float32(STEPS), out=steps)
        np.rint(steps, out=steps)
        far = steps * _SPLITTER
        np.subtract(far, far - steps, out=steps)
        np.clip(steps, -STEPS, STEPS - 1, out=steps)
        counted[start : start + height] = steps
    return counted


def unstepped(steps: NDArray[np.int16]) -> NDArray[np.float32]:
    """The numbers themselves, from :func:`stepped`."""
    rows = steps.astype(np.float32)
    rows[steps == STEPS - 1] = STEPS
    return np.multiply(rows, np.float32(1 / STEPS), out=rows)


def halved(rows: NDArray[np.floating]) -> NDArray[np.float16]:
    """The numbers that are kept of ``rows``, as float16. What was kept once stays as it is."""
    return unstepped(stepped(rows)).astype("<f2")
