"""Photos made from numbers: a strip of black and white squares says who is shown, noise below makes each look like no other."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

NOBODY = 0
SIDE_PX = 128
_SQUARE_PX = 4
_BITS_A_ROW = SIDE_PX // _SQUARE_PX
_PERSON_BITS = 32


def photo(person: int, seed: int) -> bytes:
    """A PNG of ``person`` (1 to 2**32 - 1; :data:`NOBODY`: an empty street). Another ``seed``, another picture."""
    code = (seed << _PERSON_BITS) | person
    bits = np.array([code >> i & 1 for i in range(2 * _BITS_A_ROW)], np.uint8).reshape(2, _BITS_A_ROW)
    noise = np.random.default_rng(code).integers(0, 256, (8, 8), dtype=np.uint8)
    pixels = np.kron(noise, np.ones((SIDE_PX // 8, SIDE_PX // 8), np.uint8))
    pixels[: 2 * _SQUARE_PX] = np.kron(bits * 255, np.ones((_SQUARE_PX, _SQUARE_PX), np.uint8))
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def read(image: NDArray[np.uint8]) -> tuple[int, int]:
    """(person, seed) of a photo's pixels, shape (height, width, 3)."""
    rows = (_SQUARE_PX // 2, _SQUARE_PX + _SQUARE_PX // 2)
    bits = np.concatenate([image[row, _SQUARE_PX // 2 :: _SQUARE_PX, 0][:_BITS_A_ROW] > 127 for row in rows])
    code = sum(1 << i for i, bit in enumerate(bits.tolist()) if bit)
    return code & ((1 << _PERSON_BITS) - 1), code >> _PERSON_BITS
