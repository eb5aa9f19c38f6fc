"""Runs any insightface model pack (SCRFD-like detector, ArcFace-like recogniser) with ``FaceAnalysis`` on onnxruntime.

The pack is chosen by its directory; see :mod:`matcher.packs`. Facts behind the choices below, measured on two shared cores:
detection takes 7.5 ms at 640 px and 38 ms at 1280; on a 1920x1280 photo the first finds 79% of faces 30 px wide and the
second all; embedding takes 20 ms a face and gains next to nothing from batches; more than one thread a session gains less than
one more worker does.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import onnxruntime
from insightface.app import FaceAnalysis
from numpy.typing import NDArray

from matcher import calibrate, packs, quality
from matcher.engines import align
from matcher.engines.base import DetectedFace, Engine, EngineSettings, Image, Vector
from store.errors import EngineError
from store.model import Box

DETECTION_THRESHOLD = 0.5
TURNED_THRESHOLD = 0.7
TURNED_MARGIN = 0.03
"""A turned view of the photo is taken only if its best face is sure by itself and surer than the upright one by this."""
_MIN_SIDE_PX = 16
_MAX_ASPECT = 16.0
_TOGETHER = 4
"""Faces that are embedded in one call, where the pack's graph takes several: 3% quicker than one by one, for 15 MB each."""
_FALLBACK_PX = 256
"""Faces that fill the photo are missed at 640 px (the largest anchors are smaller): this size finds them for 1.5 ms more."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Detections in pixels: boxes (n, 4), scores (n,), points (n, 5, 2)."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    points: NDArray[np.float32]


def open_engine(settings: EngineSettings) -> Engine:
    """Load the pack in ``settings.pack_dir`` (about 0.2 s), after checking every file's hash.

    Raises:
        EngineError: the pack is missing, tampered with, has no detector or recogniser, or a provider is not available.
    """
    pack = packs.check(settings.pack_dir)
    missing = set(settings.providers) - set(onnxruntime.get_available_providers())
    if missing:
        raise EngineError(
            f"onnxruntime here has no {', '.join(sorted(missing))}; it has {', '.join(onnxruntime.get_available_providers())}",
            mend="correct models.providers, or install the onnxruntime package that has it (onnxruntime-gpu, ...)",
        )
    return InsightFacePack(pack, settings)


class InsightFacePack:
    """An opened pack. Thread-safe: onnxruntime sessions are, and nothing else is written after the constructor."""

    def __init__(self, pack: packs.Pack, settings: EngineSettings) -> None:
        self._pack = pack
        self._settings = settings
        cv2.setNumThreads(settings.threads)  # its own threads would take the cores from the other photos in hand
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = settings.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        with _translated(pack):
            # insightface prints a line a model; a command with --json must own its standard output.
            with redirect_stdout(io.StringIO()):
                app = FaceAnalysis(
                    name=str(pack.path),
                    allowed_modules=["detection", "recognition"],
                    providers=list(settings.providers),
                    sess_options=options,
                )
                app.prepare(ctx_id=0, det_thresh=DETECTION_THRESHOLD, det_size=(settings.detect_px, settings.detect_px))
            self._detector, self._recogniser = app.models["detection"], app.models["recognition"]
            side = self._recogniser.input_size[0]
            self._together = 1 if isinstance(self._recogniser.session.get_inputs()[0].shape[0], int) else _TOGETHER
            self._dimension = int(self._raw_vectors([np.zeros((side, side, 3), np.uint8)]).shape[1])
        self._floors = calibrate.floors(pack.name)

    @property
    def pack_id(self) -> str:
        return self._pack.name

    @property
    def pack_sha256(self) -> str:
        return self._pack.sha256

    @property
    def dimension(self) -> int:
        return self._dimension

    def sessions(self) -> tuple[Any, Any]:
        """The detector's and the recogniser's onnxruntime sessions, for measuring what the engine adds to them."""
        return self._detector.session, self._recogniser.session

    def faces(self, image: Image) -> list[DetectedFace]:
        """All faces of ``image``, largest first; see :class:`matcher.engines.base.Engine`."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise EngineError(f"expected an upright RGB image of uint8, got shape {image.shape} of {image.dtype}")
        short, long = sorted(image.shape[:2])
        if short < _MIN_SIDE_PX or long > short * _MAX_ASPECT:
            return []
        bgr = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), np.uint8)
        with _translated(self._pack):
            found = self._detect(bgr)
            side = self._recogniser.input_size[0]
            raw = self._raw_vectors([align.crop(bgr, points, side) for points in found.points])
            faces = [self._face(bgr, found, i, raw[i]) for i in range(len(found.scores))]
        return sorted(faces, key=lambda face: (-face.box.width_px * face.box.height_px, face.box.left, face.box.top))

    def _detect(self, bgr: Image) -> _Found:
        """Faces as the photo stands, or, where none is sure, as it looks turned by the quarter turns that shows one best.

        Turned faces are found too, but with landmarks so wrong that the embedding is useless (cosine 0.1 to 0.3 with the same
        face upright): the best score then is 0.55 to 0.85 instead of 0.93 to 0.95.
        """
        found = self._detect_upright(bgr)
        best = float(found.scores.max(initial=0.0))
        if best >= self._floors.det_sure:
            return found
        wanted = max(best + TURNED_MARGIN, TURNED_THRESHOLD)
        for quarters in (1, 3, 2):
            turned = self._detect_upright(np.ascontiguousarray(np.rot90(bgr, quarters)))
            score = float(turned.scores.max(initial=0.0))
            if score > wanted:
                found, wanted = _turned_back(turned, quarters, bgr.shape[0], bgr.shape[1]), score
        return found

    def _detect_upright(self, bgr: Image) -> _Found:
        large = max(bgr.shape[:2]) > 1.5 * self._settings.detect_px
        side = self._settings.detect_large_px if large else self._settings.detect_px
        sizes = [(side, side), (_FALLBACK_PX, _FALLBACK_PX)]
        boxes, points = self._detector.detect(bgr, input_size=sizes, det_thresh=DETECTION_THRESHOLD)
        if points is None:
            raise EngineError(f"{self.pack_id}: its detector gives no landmarks", mend="use a pack whose detector gives five")
        return _Found(boxes[:, :4], boxes[:, 4], points)

    def _face(self, bgr: Image, found: _Found, index: int, raw: Vector) -> DetectedFace:
        points, score = found.points[index], float(found.scores[index])
        norm = float(np.linalg.norm(raw))
        if not np.isfinite(norm) or norm == 0.0:
            raise EngineError(f"{self.pack_id}: an embedding is not finite or zero", mend="suishoupai models check")
        height, width = bgr.shape[:2]
        left, top, right, bottom = (float(value) for value in found.boxes[index])
        box = Box(max(0.0, left), max(0.0, top), min(float(width), right), min(float(height), bottom))
        landmarks = tuple((float(x), float(y)) for x, y in points)
        grade, why = quality.assess(box, score, norm, landmarks, self._floors)
        vector: Vector = np.ascontiguousarray(raw / norm, dtype=np.float32)
        return DetectedFace(box, score, landmarks, grade, why, norm, vector)

    def _raw_vectors(self, crops: list[Image]) -> NDArray[np.float32]:
        """Embeddings before normalising, shape (len(crops), dimension)."""
        parts = [self._recogniser.get_feat(crops[at : at + self._together]) for at in range(0, len(crops), self._together)]
        vectors: NDArray[np.float32] = np.concatenate(parts) if parts else np.empty((0, 0), np.float32)
        return vectors


def _turned_back(found: _Found, quarters: int, height: int, width: int) -> _Found:
    """Move detections of ``np.rot90(image, quarters)`` back to the image's own pixels (``height`` x ``width``)."""

    def back(points: NDArray[np.float32]) -> NDArray[np.float32]:
        x, y = points[..., 0], points[..., 1]
        if quarters == 1:
            return np.stack([width - y, x], axis=-1)
        if quarters == 2:
            return np.stack([width - x, height - y], axis=-1)
        return np.stack([y, height - x], axis=-1)

    corners = back(found.boxes.reshape(-1, 2, 2))
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    return _Found(boxes, found.scores, back(found.points))


_ORT: Any = onnxruntime.capi.onnxruntime_pybind11_state
# onnxruntime's own exceptions share no root below Exception; neither does OpenCV's.
_FOREIGN: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    TypeError,
    AssertionError,
    LookupError,
    OSError,
    cv2.error,
    _ORT.Fail,
    _ORT.InvalidArgument,
    _ORT.InvalidGraph,
    _ORT.InvalidProtobuf,
    _ORT.NoSuchFile,
    _ORT.NotImplemented,
    _ORT.RuntimeException,
)


@contextmanager
def _translated(pack: packs.Pack) -> Iterator[None]:
    """Turn what insightface, OpenCV and onnxruntime raise into EngineError. KeyError: the pack lacks a detector or recogniser."""
    try:
        yield
    except _FOREIGN as error:
        raise EngineError(
            f"model pack {pack.name} cannot be used: {type(error).__name__}: {error}".rstrip(": "),
            mend="suishoupai models check says whether its files are whole; it needs a detector and a recogniser",
        ) from error
