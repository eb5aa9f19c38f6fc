"""One unknown child over time: sightings linked into tracks, conservatively. Pure.

A wrong link would send one child's whereabouts into another child's case, so a link needs the high band of the same calibration
that alerts do, on faces of good quality; and a face joins a track only if it reaches that with the track's mean AND with at
least half of its faces, so that one likeness cannot chain two children together. People split and merge; what they said stands.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matcher import as_norm
from matcher.calibrate import Calibration, Rule
from matcher.engines.base import Vector
from matcher.gallery import Gallery, Group, template
from store.model import FaceQuality

MOST_FACES = 50
"""Faces of a track that a new one is compared with, the newest: a child grows."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A face of a sighting. ``photo`` and ``face`` are whatever the caller counts by; faces of one photo are never linked."""

    face: int
    photo: int
    vector: Vector
    quality: FaceQuality = FaceQuality.GOOD

    def __repr__(self) -> str:
        return f"Seen(face={self.face}, photo={self.photo}, quality={self.quality.value})"


@dataclass(frozen=True, slots=True)
class Link:
    """The track a face was found to belong to, how rarely a stranger would reach it, and why it was (or was not) taken."""

    track: int | None
    one_in: int
    why: str


def link(
    new: Seen,
    tracks: Mapping[int, Sequence[Seen]],
    gallery: Gallery,
    calibration: Calibration,
    apart: Collection[tuple[int, int]] = (),
    among: int | None = None,
) -> Link:
    """Find the one track that a new face surely continues, or none.

    Args:
        new: The new face.
        tracks: Faces of each track that may fit (see :func:`plausible`), oldest first.
        gallery: Gives the cohort that scores are normalised with.
        calibration: The bands in force; stricter where there are more tracks than cases.
        apart: (face, track) pairs that people took apart: never joined again.
        among: How many tracks there are in all, where ``tracks`` are only some of them.

    Returns:
        The link; its track is None where no track, or more than one, fits.
    """
    if new.quality is not FaceQuality.GOOD:
        return Link(None, 1, "the face is not good enough to be linked by itself")
    wanted = _wanted(calibration, len(tracks) if among is None else among)
    fitting: list[tuple[float, int]] = []
    for track, faces in tracks.items():
        good = [seen for seen in faces if seen.quality is FaceQuality.GOOD][-MOST_FACES:]
        if not good or (new.face, track) in apart or any(seen.photo == new.photo for seen in faces):
            continue
        members = np.stack([seen.vector for seen in good])
        scores = _scores(new.vector, np.concatenate([members, template(members)[None]]), gallery, calibration)
        if scores[-1] >= wanted and (scores[:-1] >= wanted).mean() >= 0.5:
            fitting.append((float(scores[-1]), track))
    if not fitting:
        return Link(None, 1, "no earlier sighting is surely the same child")
    best, track = max(fitting)
    one_in = calibration.one_in(best)
    if len(fitting) > 1:
        names = ", ".join(str(number) for _, number in sorted(fitting, reverse=True))
        return Link(None, one_in, f"fits tracks {names}: for a person to decide")
    return Link(track, one_in, f"a stranger reaches this likeness with about 1 of {one_in:,}")


def plausible(
    vector: Vector, others: NDArray[np.float32], gallery: Gallery, calibration: Calibration, among: int
) -> NDArray[np.bool_]:
    """Which of ``others`` (unit vectors, shape (n, dimension)) a face could be linked by, among so many tracks. A track none of
    whose faces is one of them cannot fit: at least half of its faces would have to be."""
    return _scores(vector, others, gallery, calibration) >= _wanted(calibration, among)


def _wanted(calibration: Calibration, tracks: int) -> float:
    """The high threshold, raised so that a face compared with more tracks than there are cases is as rarely linked wrongly."""
    rate = calibration.strangers(calibration.high) * min(1.0, max(1, calibration.gallery_size) / max(1, tracks))
    return max(calibration.high, calibration.groups[Group.CHILD].tail.score(rate))


def _scores(vector: Vector, others: NDArray[np.float32], gallery: Gallery, calibration: Calibration) -> NDArray[np.float64]:
    """Scores of a face with others on the calibration's scale, neither side being registered."""
    if calibration.rule is Rule.RAW:
        return (others @ vector).astype(np.float64)
    cohort = gallery.cohort()
    freed, face = cohort.common.without(others), cohort.common.without(vector[None])
    raw = (freed @ face[0]).astype(np.float64)
    nobody = np.full((len(others), 1), -1, np.int64)
    mean, deviation = as_norm.statistics_without(freed @ cohort.freed.T, nobody)
    like = face @ cohort.freed.T
    own_mean, own_deviation = as_norm.statistics_without(like, nobody[:1])
    both: NDArray[np.float64] = 0.5 * ((raw - mean[:, 0]) / deviation[:, 0] + (raw - own_mean[0, 0]) / own_deviation[0, 0])
    return both - float(as_norm.surplus(cohort, like)[0])
