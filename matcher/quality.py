"""How far one face can be trusted, from signs the engine gives for free. Pure.

The order of the signs is measured: the embedding's length before normalising predicts errors best, then the detection score;
size and pose explain to people why. Below 32 px a face misses its mate too often (90% found at 24 px wide, 70% at 20, 37% at
16, against 98.6% at 40), so it is LOW: matched for people only. Below 20 px it is UNUSABLE: kept and shown, never matched.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from store.model import Box, FaceQuality

LOW_PX = 32.0
UNUSABLE_PX = 20.0
TURNED = 0.65
"""|yaw sign| from which a face counts as turned too far: the nose lies within 1/6 of the eye distance of one eye."""


@dataclass(frozen=True, slots=True)
class Floors:
    """A pack's own limits, from its calibration file. None: this sign is not calibrated for the pack and is not used.

    ``det_sure``: a photo whose best face scores below is also searched turned by 90, 180 and 270 degrees.
    """

    norm_low: float | None = None
    norm_unusable: float | None = None
    det_low: float | None = None
    det_sure: float = 0.6


def assess(
    box: Box, det_score: float, norm: float, landmarks: Sequence[tuple[float, float]], floors: Floors
) -> tuple[FaceQuality, str]:
    """The quality of one face and the sentence that says why (empty for GOOD).

    Args:
        box: The face in pixels of the photo as it was sent.
        det_score: The detector's score, 0 to 1.
        norm: Length of the embedding before normalising.
        landmarks: Five (x, y) points: eyes, nose, mouth corners.
        floors: The pack's limits.
    """
    width_px = min(box.width_px, box.height_px)
    if width_px < UNUSABLE_PX:
        return FaceQuality.UNUSABLE, f"too small: {width_px:.0f} px wide, at least {UNUSABLE_PX:.0f} needed"
    if floors.norm_unusable is not None and norm < floors.norm_unusable:
        return FaceQuality.UNUSABLE, "not clear enough to compare (blurred, covered, or no face at all)"
    reasons = []
    if width_px < LOW_PX:
        reasons.append(f"small: {width_px:.0f} px wide, {LOW_PX:.0f} wanted")
    if floors.norm_low is not None and norm < floors.norm_low:
        reasons.append("unclear: blurred, dark or partly covered")
    if floors.det_low is not None and det_score < floors.det_low:
        reasons.append("hardly recognised as a face")
    if abs(yaw(landmarks)) > TURNED:
        reasons.append("turned too far aside")
    return (FaceQuality.LOW, "; ".join(reasons)) if reasons else (FaceQuality.GOOD, "")


def yaw(landmarks: Sequence[tuple[float, float]]) -> float:
    """How far a face is turned: 0 seen from the front, about 1 in profile, signed, whatever the photo's rotation.

    It is the nose's position along the line through both eyes: 0 half-way, 1 at an eye. 1 where the eyes coincide.
    """
    (ax, ay), (bx, by), (nx, ny) = landmarks[0], landmarks[1], landmarks[2]
    length = math.hypot(bx - ax, by - ay)
    if length < 1e-6:
        return 1.0
    along = ((nx - (ax + bx) / 2) * (bx - ax) + (ny - (ay + by) / 2) * (by - ay)) / length
    return max(-1.0, min(1.0, 2 * along / length))


def template_weight(norm: float) -> float:
    """How much a photo counts in its case's template: the square of the embedding's norm, so that a blurred one counts less.

    Measured with one of three photos blurred: the mean cosine of mates rises from 0.745 to 0.764, d' from 8.28 to 8.37.
    """
    return norm * norm


def age_weight(years_before_newest: float) -> float:
    """How much a photo counts for its closeness in age to a sighting, against the newest photo of the case (1).

    A child is seen after it was lost, so the newest photo is the nearest in age to any sighting. Measured with a childhood and
    a grown-up photo a case, grown-ups searched: FNIR at FPIR 1% is 16.0% with equal weights, 11.7% to 11.8% where the nearer one
    weighs 65% to 80%, 13.4% with it alone. So an older photo always keeps a say: 0.77 at three years, 0.33 at twenty.
    """
    return 1.0 / (1.0 + max(0.0, years_before_newest) / 10.0)
