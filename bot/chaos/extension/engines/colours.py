"""A face engine of a few milliseconds for chaos rounds, where the engine is not what is tested: a photo's hue is the person.

Twelve hues are twelve people; a grey photo shows nobody. It follows the same Protocol as the real engines and is opened from an
extension folder, as an operator's own engine would be.
"""

from __future__ import annotations

import hashlib

import numpy as np

from matcher.engines.base import DetectedFace, EngineSettings, Image, Vector
from store.model import Box, FaceQuality

PEOPLE = 12
_DIMENSION = 64
_LEAST_SATURATION = 0.15


def open_engine(settings: EngineSettings) -> Colours:
    """The engine; needs no file of the pack."""
    return Colours()


class Colours:
    """See :class:`matcher.engines.base.Engine`."""

    # A built-in pack's name: one without a calibration of its own never reaches the high band, and alerts are wanted here.
    pack_id = "yunet_sface"
    pack_sha256 = hashlib.sha256(b"chaos-colours/1").hexdigest()
    dimension = _DIMENSION

    def faces(self, image: Image) -> list[DetectedFace]:
        """One face that fills the photo, or none where it has no colour."""
        person = person_of(image)
        if person is None:
            return []
        height, width = image.shape[:2]
        points = ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8))
        marks = tuple((x * width, y * height) for x, y in points)
        box = Box(0.0, 0.0, float(width), float(height))
        return [DetectedFace(box, 0.99, marks, FaceQuality.GOOD, "", 1.0, vector_of(person))]


def person_of(image: Image) -> int | None:
    """Which of the people the photo's mean hue is; None where it is grey."""
    red, green, blue = (float(value) / 255 for value in image.reshape(-1, 3).mean(axis=0))
    most, least = max(red, green, blue), min(red, green, blue)
    if most == 0 or (most - least) / most < _LEAST_SATURATION:
        return None
    spread = most - least
    if most == red:
        hue = ((green - blue) / spread) % 6
    elif most == green:
        hue = (blue - red) / spread + 2
    else:
        hue = (red - green) / spread + 4
    return round(hue / 6 * PEOPLE) % PEOPLE


def vector_of(person: int) -> Vector:
    """The person's unit vector: another person's is about orthogonal to it."""
    vector = np.random.default_rng(person).standard_normal(_DIMENSION)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)
