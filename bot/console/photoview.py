"""The one way by which a photo leaves the store for a reader: stripped, sized, kept in no cache, each view recorded."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from bot.console import imagelink
from bot.console.parts import Parts, current, parts_of
from ingest.photo import Pixels, encode, shrink
from matcher.engines.align import similarity
from store import audit
from store.model import Box

_STANDARD_PX = 112
_FACE_SHARE = 0.56
"""The standard pose fills this share of a crop's side: ears, hair and chin stay in sight, as morphological comparison needs."""
_BORDER_GREY = (124, 120, 112)
_SHARPEST_PX = 2048


@dataclass(frozen=True, slots=True)
class FaceArea:
    """Which face of a photo: its box and, where an engine found them, its five landmarks (pixels of the upright photo)."""

    box: Box
    landmarks: tuple[tuple[float, float], ...] = ()


def photo_view(
    request: Request,
    sha256: str,
    *,
    object: str,
    what: str = "photo.viewed",
    max_side_px: int = 1280,
    face: FaceArea | None = None,
) -> Response:
    """A photo, or one face of it, as a JPEG for the signed-in reader. The handler has checked that it is theirs to see.

    Args:
        sha256: The photo's content hash.
        object: What the view is recorded under ("sighting:S-4F7K", "case:C-9X2M").
        max_side_px: The longest side; the side of the square where a face is asked for.
        face: Cut out this face, its eyes level and at the same place in every crop.

    Raises:
        Forbidden: no page of this session gave the address out in the last half hour.
        NotFound, PhotoRefused, PhotoUnavailable: the file is gone, or cannot be decoded.
    """
    imagelink.check(request)
    parts = parts_of(request)
    side = max(32, min(max_side_px, _SHARPEST_PX))
    pixels = parts.decoder.pixels(parts.files.get(sha256))
    shown = shrink(pixels, side) if face is None else cut_face(pixels, face_area(parts, pixels, face), side)
    with parts.store.write("console.view") as tx:
        details = {"photo": sha256[:12], "face": face is not None}
        audit.append(tx, who=current(request).login, what=what, object=object, details=details)
    return Response(encode(shown), media_type="image/jpeg", headers={"Cache-Control": "private, no-store"})


def face_area(parts: Parts, pixels: Pixels, face: FaceArea) -> FaceArea:
    """``face`` with landmarks: those of the engine's face that overlaps its box most, where it came without."""
    if len(face.landmarks) == 5 or parts.faces is None:
        return face
    best, share = face, 0.3
    for found in parts.faces.engine.faces(pixels):
        overlap = found.box.overlap(face.box)
        if overlap > share:
            best, share = FaceArea(found.box, found.landmarks), overlap
    return best


def cut_face(pixels: Pixels, face: FaceArea, side_px: int) -> Pixels:
    """A square crop, shape (side_px, side_px, 3): eyes level and at the same place where landmarks are known, else the
    box with the same margin around it. Beyond the photo's border it is grey."""
    if len(face.landmarks) == 5:
        points = np.array(face.landmarks, dtype=np.float32)
        scale = side_px * _FACE_SHARE / _STANDARD_PX
        # Eyes stand at 0.46 of the height; the standard pose's own centre is a little below them.
        shift = np.array([side_px * (1 - _FACE_SHARE) / 2, side_px * (0.5 - _FACE_SHARE * 0.52)])
        matrix = similarity(points, _STANDARD_PX) * scale
        matrix[:, 2] += shift
    else:
        matrix = _box_matrix(face.box, side_px)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.6:  # warpAffine samples single pixels: a face that shrinks would flicker with noise it does not have
        pixels = np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        matrix[:, :2] /= scale
    warped = cv2.warpAffine(pixels, matrix, (side_px, side_px), flags=cv2.INTER_CUBIC, borderValue=_BORDER_GREY)
    return np.asarray(warped, dtype=np.uint8)


def _box_matrix(box: Box, side_px: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    reach = max(box.width_px, box.height_px) * 1.6
    scale = side_px / max(reach, 1.0)
    left, top = (box.left + box.right - reach) / 2, (box.top + box.bottom - reach) / 2
    return np.array([[scale, 0.0, -left * scale], [0.0, scale, -top * scale]])
