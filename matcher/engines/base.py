"""The Protocol every face engine follows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from store.model import Box, FaceQuality

Image = NDArray[np.uint8]
"""An upright RGB image, shape (height_px, width_px, 3)."""

Vector = NDArray[np.float32]
"""A face embedding of unit length, shape (dimension,). It never leaves the store: not in logs, responses or exports."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How an engine is opened: the pack's directory, onnxruntime providers, threads a session, and a licence accepted."""

    pack_dir: Path
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    threads: int = 1
    detect_px: int = 640
    detect_large_px: int = 1280


@dataclass(frozen=True, slots=True)
class DetectedFace:
    """One face of a photo. ``landmarks`` are five (x, y) pixel points: eyes, nose, mouth corners.

    ``norm`` is the embedding's length before normalising (the best sign of quality that costs nothing).
    """

    box: Box
    det_score: float
    landmarks: tuple[tuple[float, float], ...]
    quality: FaceQuality
    quality_why: str
    norm: float
    # Out of repr and comparison: a vector must not reach a log line, and arrays have no single truth value.
    vector: Vector = field(repr=False, compare=False)


@runtime_checkable
class Engine(Protocol):
    """Finds and embeds faces. Thread-safe; equal input gives equal output.

    ``pack_id`` is the pack's name and ``pack_sha256`` the hash over its files: vectors of two packs are never compared.
    """

    @property
    def pack_id(self) -> str: ...

    @property
    def pack_sha256(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    def faces(self, image: Image) -> list[DetectedFace]:
        """All faces of ``image``, largest first; empty where none is visible.

        Raises:
            EngineError: the pack misbehaved (wrong shape, not finite).
        """
