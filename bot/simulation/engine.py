"""The face engine of a simulation: reads from the photo who it shows and makes that vector, in the time a real one takes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bot.simulation import pictures
from matcher.engines.base import DetectedFace, Image, Vector
from store.model import Box, FaceQuality

DIMENSION = 128
_WITHIN = 0.6
"""How far two photos of one person lie apart: their cosine is about 1 / (1 + 0.6²) = 0.74, as of good photos of one child."""


class VectorEngine:
    """See :class:`matcher.engines.base.Engine`. ``spend`` is called with the seconds that a real engine would have worked."""

    # A built-in pack's name: one without a calibration of its own never reaches the high band, and alerts are wanted here.
    pack_id = "yunet_sface"
    pack_sha256 = hashlib.sha256(b"simulation-vectors/1").hexdigest()
    dimension = DIMENSION

    def __init__(self, seconds: float = 0.0, spend: Callable[[float], None] = lambda seconds: None) -> None:
        self._seconds = seconds
        self._spend = spend

    def faces(self, image: Image) -> list[DetectedFace]:
        """One face in the middle of the photo, or none where it shows nobody."""
        self._spend(self._seconds)
        person, seed = pictures.read(image)
        if person == pictures.NOBODY:
            return []
        height, width = image.shape[:2]
        box = Box(width * 0.2, height * 0.2, width * 0.8, height * 0.8)
        marks = tuple((width * x, height * y) for x, y in ((0.35, 0.4), (0.65, 0.4), (0.5, 0.55), (0.4, 0.7), (0.6, 0.7)))
        return [DetectedFace(box, 0.99, marks, FaceQuality.GOOD, "", 14.0, vector_of(person, seed))]


def vector_of(person: int, seed: int) -> Vector:
    """The unit vector of one photo of a person; those of different persons are near orthogonal."""
    own = np.random.default_rng(person).standard_normal(DIMENSION)
    other = np.random.default_rng((person, seed)).standard_normal(DIMENSION)
    return _unit(own + _WITHIN * other)


def strangers(count: int, seed: int) -> NDArray[np.float32]:
    """``count`` unit vectors of different persons, shape (count, dimension), none of whom a photo shows."""
    rows = np.random.default_rng((seed, 1)).standard_normal((count, DIMENSION), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def _unit(vector: NDArray[np.float64]) -> Vector:
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)
