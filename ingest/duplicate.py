"""The same photo again: a 64-bit perceptual hash that survives what platforms do to a photo.

pHash (Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash Functions"): the signs of the 8x8 lowest
frequencies of a 32x32 grey rendering, by the ImageHash package.
"""

from __future__ import annotations

import imagehash
import numpy as np
from PIL import Image

FLAT = "0" * 16
"""The hash of a photo with nothing on it (blank, black, one colour). Never near anything, itself included.

No real hash is all zeros: half of its bits lie above the median of the frequencies.
"""

NEAR_BITS = 8
"""Photos this many bits apart or less count as the same photo."""

_FLAT_DEVIATION = 3.0
_HASHED_PX = 512


def perceptual_hash(image: Image.Image) -> str:
    """Return the pHash of an upright ``image`` as 16 hexadecimal digits, :data:`FLAT` where it shows nothing."""
    factor = max(1, min(image.size) // _HASHED_PX)
    grey = image.convert("L").reduce(factor) if factor > 1 else image.convert("L")
    small = np.asarray(grey.resize((32, 32), Image.Resampling.LANCZOS), dtype=np.float32)
    if float(small.std()) < _FLAT_DEVIATION:
        return FLAT
    return str(imagehash.phash(grey))


def hamming(a: str, b: str) -> int:
    """Return in how many of their 64 bits two perceptual hashes differ.

    Raises:
        ValueError: one of them is not 16 hexadecimal digits.
    """
    if len(a) != 16 or len(b) != 16:
        raise ValueError("a perceptual hash has 16 hexadecimal digits")
    return (int(a, 16) ^ int(b, 16)).bit_count()


def is_near(a: str, b: str, bits: int = NEAR_BITS) -> bool:
    """Whether two photos are the same one, recompressed, resized or slightly cropped. Flat photos are never near."""
    return FLAT not in (a, b) and hamming(a, b) <= bits
