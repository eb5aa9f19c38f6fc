"""Brings a face to the standard pose that ArcFace-like recognisers were trained on. Pure apart from OpenCV's warp."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from matcher.engines.base import Image

# Where eyes, nose and mouth corners lie in a 112 x 112 crop (ArcFace, Deng et al. 2019; the same in insightface and OpenCV).
_STANDARD = np.array([38.2946 + 51.6963j, 73.5318 + 51.5014j, 56.0252 + 71.7366j, 41.5493 + 92.3655j, 70.7299 + 92.2041j])
_STANDARD_PX = 112


def similarity(points: NDArray[np.float32], side_px: int) -> NDArray[np.float64]:
    """The rotation, scale and shift that moves five landmarks best (least squares) onto the standard ones.

    In the complex plane a similarity is z -> a z + b, so the fit has a closed form; it equals Umeyama's (1991) where no
    reflection is involved, and spares 0.3 ms a face against a general solver.

    Args:
        points: (5, 2) pixels.
        side_px: Side of the square crop; a multiple of 112, or of 128 with the face 8 px (of 128) further right.

    Returns:
        The (2, 3) affine matrix for ``cv2.warpAffine``.
    """
    target = _STANDARD * (side_px / _STANDARD_PX)
    if side_px % _STANDARD_PX:
        target = (_STANDARD + 8.0) * (side_px / 128.0)
    source = points[:, 0].astype(np.float64) + 1j * points[:, 1].astype(np.float64)
    centred = source - source.mean()
    spread = float(np.vdot(centred, centred).real)
    a = complex(np.vdot(centred, target - target.mean())) / spread if spread > 0 else 1 + 0j
    b = complex(target.mean() - a * source.mean())
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def crop(bgr: Image, points: NDArray[np.float32], side_px: int) -> Image:
    """The aligned face, shape (side_px, side_px, 3); black where the face lies beyond the photo's border."""
    warped = cv2.warpAffine(bgr, similarity(points, side_px), (side_px, side_px), borderValue=(0.0, 0.0, 0.0))
    return warped.astype(np.uint8, copy=False)
