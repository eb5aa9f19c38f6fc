"""Face x gallery -> ranked candidates, each with what its score means. Pure: no SQL, no network, no clock.

Flow: cosine search for a shortlist -> AS-norm (from 60 cases on) -> band and "about 1 in N photos" from the calibration ->
what only the whole photo shows (a face that matches many cases, one case claimed by two faces).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from matcher import as_norm
from matcher.calibrate import Calibration, Rule
from matcher.engines.base import DetectedFace, Vector
from matcher.gallery import Gallery, Group, Vectors
from store.model import Band, FaceQuality

CROWD = 3
"""A face that reaches the high threshold with this many cases is set aside: at least all but one of them are wrong."""
SHORTLIST = 200
"""Cases that a face is compared with by its normalised score: the best by cosine."""
_BLOCK = 4096
_BATCH = 512


@dataclass(frozen=True, slots=True)
class Probe:
    """A searched face: its index in the photo (or whatever the caller counts by), its vector and its quality."""

    index: int
    vector: Vector
    quality: FaceQuality = FaceQuality.GOOD

    def __repr__(self) -> str:
        return f"Probe(index={self.index}, quality={self.quality.value})"


@dataclass(frozen=True, slots=True)
class Match:
    """One (face, case) pair worth keeping. Only ``band`` and ``one_in`` mean anything to people.

    ``raw`` is the cosine, ``normalised`` the AS-norm score (None below 60 cases). ``one_in``: a stranger reaches this in about
    1 of so many photos. ``rank`` is the case's place for this face, 1 the best. ``why`` is for a reviewer; ``pack_id`` and
    ``calibration`` say what made the number.
    """

    case_id: int
    face_index: int
    raw: float
    normalised: float | None
    one_in: int
    rank: int
    band: Band
    why: str
    pack_id: str
    calibration: str


@dataclass(frozen=True, slots=True)
class Observation:
    """How unusual the best score of one searched face was: the share of strangers' photos that should reach it.

    This is what the drift histogram counts (:meth:`matcher.drift.Drift.observe`).
    """

    face_index: int
    quality: FaceQuality
    share: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search of one photo gave: candidates of the bands HIGH and REVIEW, and each searched face's best score."""

    matches: tuple[Match, ...]
    observed: tuple[Observation, ...]


def probes(faces: Sequence[DetectedFace]) -> list[Probe]:
    """The faces of one photo as probes, in their order."""
    return [Probe(index, face.vector, face.quality) for index, face in enumerate(faces)]


def search(
    faces: Sequence[Probe],
    gallery: Gallery,
    calibration: Calibration,
    *,
    excluded: Collection[tuple[int, int]] = (),
    keep: int = 20,
) -> Outcome:
    """Search the faces of ONE photo in the gallery.

    Args:
        faces: The photo's faces; UNUSABLE ones are passed over.
        gallery: Case templates of the same pack.
        calibration: Made for this gallery's pack and size.
        excluded: (face index, case id) pairs that people rejected: never returned again, whatever they score.
        keep: Candidates kept for one face.

    Raises:
        EngineError: the vectors do not fit the gallery.
    """
    searched = [face for face in faces if face.quality is not FaceQuality.UNUSABLE]
    if not searched or not len(gallery):
        return Outcome((), ())
    rejected: defaultdict[int, set[int]] = defaultdict(set)
    for face_index, case_id in excluded:
        rejected[face_index].add(case_id)
    scored = _scored(searched, gallery, calibration, keep)
    found = [
        scored.of_face(row, face, calibration, rejected[face.index], keep, len(searched)) for row, face in enumerate(searched)
    ]
    matches = [match for _, theirs in found for match in theirs]
    return Outcome(tuple(_one_face_a_case(matches)), tuple(observed for observed, _ in found))


def search_each(faces: Sequence[Probe], gallery: Gallery, calibration: Calibration, *, keep: int = 20) -> list[Outcome]:
    """Search many faces, each as if it were alone in a photo: what :func:`search` gives for each, at the price of a few batches.

    Raises:
        EngineError: the vectors do not fit the gallery.
    """
    outcomes = [Outcome((), ())] * len(faces)
    searched = [i for i, face in enumerate(faces) if face.quality is not FaceQuality.UNUSABLE] if len(gallery) else []
    for start in range(0, len(searched), _BATCH):
        batch = searched[start : start + _BATCH]
        scored = _scored([faces[i] for i in batch], gallery, calibration, keep)
        for row, i in enumerate(batch):
            observed, matches = scored.of_face(row, faces[i], calibration, set(), keep, 1)
            outcomes[i] = Outcome(tuple(_one_face_a_case(matches)), (observed,))
    return outcomes


@dataclass(frozen=True, slots=True)
class _Scored:
    """The shortlists of several faces, each best score first: cases, cosines and scores on the calibration's scale, all of shape
    (faces, k), and the cases' age groups."""

    case_ids: NDArray[np.int64]
    raw: NDArray[np.float32]
    scores: NDArray[np.float32]
    groups: Mapping[int, Group]

    def of_face(
        self, row: int, face: Probe, calibration: Calibration, rejected: Collection[int], keep: int, faces: int
    ) -> tuple[Observation, list[Match]]:
        """What the search of one of ``faces`` faces of a photo observed, and its candidates."""
        best = self.groups[int(self.case_ids[row, 0])]
        observed = Observation(face.index, face.quality, calibration.share(float(self.scores[row, 0]), best))
        first = slice(keep + len(rejected))
        columns = (column[row, first].tolist() for column in (self.case_ids, self.raw, self.scores))
        allowed = [entry for entry in zip(*columns, strict=True) if entry[0] not in rejected][:keep]
        return observed, _of_face(face, allowed, self.groups, calibration, faces)


def _scored(faces: Sequence[Probe], gallery: Gallery, calibration: Calibration, keep: int) -> _Scored:
    vectors = np.stack([face.vector for face in faces])
    hits = gallery.search(vectors, max(keep, SHORTLIST))
    scores = _scores(vectors, hits.case_ids, hits.scores, gallery, calibration)
    order = np.lexsort((hits.case_ids, -scores))
    groups = gallery.groups_of(np.unique(hits.case_ids).tolist())
    rows = np.arange(len(faces))[:, None]
    return _Scored(hits.case_ids[rows, order], hits.scores[rows, order], scores[rows, order], groups)


def against_cases(case_ids: Sequence[int], faces: Sequence[Probe], gallery: Gallery, calibration: Calibration) -> list[Match]:
    """The other direction: which of many faces (of any photos) may show one of the new or changed cases ``case_ids``.

    All faces are scored with these cases alone first, and each face's impostors are looked up once for all of them; only faces
    in the review band of one are searched in full. Rejected pairs are left out by the caller (it knows the photos);
    ``face_index`` is whatever the probes were counted by.

    Raises:
        EngineError, NotFound: the vectors do not fit the gallery, or a case is not in it.
    """
    usable = [face for face in faces if face.quality is not FaceQuality.UNUSABLE]
    if not usable or not case_ids:
        return []
    vectors, wanted = np.stack([face.vector for face in usable]), np.asarray(case_ids, np.int64)
    templates, groups = gallery.templates_of(case_ids), gallery.groups_of(case_ids)
    limits = np.array([calibration.groups[groups[case_id]].review for case_id in case_ids])
    found: list[Match] = []
    for start in range(0, len(usable), _BLOCK):
        part = vectors[start : start + _BLOCK]
        raw = part @ templates.T
        scores = _scores(part, np.broadcast_to(wanted, raw.shape), raw, gallery, calibration)
        for i in np.flatnonzero((scores >= limits).any(axis=1)).tolist():
            outcome = search([usable[start + i]], gallery, calibration, keep=SHORTLIST)
            found += [match for match in outcome.matches if match.case_id in groups]
    return sorted(found, key=lambda match: (-_value(match), match.face_index, match.case_id))


def _scores(
    vectors: Vectors, case_ids: NDArray[np.int64], raw: NDArray[np.float32], gallery: Gallery, calibration: Calibration
) -> NDArray[np.float32]:
    if calibration.rule is Rule.RAW:
        return raw
    return as_norm.normalise(vectors, case_ids, raw, gallery)


def _of_face(
    face: Probe, ranked: Sequence[tuple[int, float, float]], groups: Mapping[int, Group], calibration: Calibration, faces: int
) -> list[Match]:
    """The candidates of one of ``faces`` faces, from (case id, cosine, score on the calibration's scale), best first."""
    matches = []
    high = {group: thresholds.high for group, thresholds in calibration.groups.items()}
    crowd = sum(1 for case_id, _, score in ranked if score >= high[groups[case_id]])
    for rank, (case_id, raw, score) in enumerate(ranked, start=1):
        group = groups[case_id]
        band = calibration.band(score, face.quality, group, faces)
        if band is Band.NONE:
            continue
        reasons = []
        if crowd >= CROWD:
            band = Band.REVIEW
            reasons.append(f"matches {crowd} cases, so it is set aside")
        if face.quality is FaceQuality.LOW:
            reasons.append("the face is of low quality: for people only")
        one_in = calibration.one_in(score, group, faces)
        reasons.insert(0, f"a stranger's face reaches this in about 1 of {one_in:,} photos")
        normalised = None if calibration.rule is Rule.RAW else score
        matches.append(
            Match(
                case_id,
                face.index,
                raw,
                normalised,
                one_in,
                rank,
                band,
                "; ".join(reasons),
                calibration.pack_id,
                calibration.version,
            )
        )
    return matches


def _one_face_a_case(matches: Sequence[Match]) -> list[Match]:
    """Two faces of one photo cannot both be one child: the better keeps the case, the other is for people at most."""
    of_case: defaultdict[int, list[Match]] = defaultdict(list)
    for match in matches:
        of_case[match.case_id].append(match)
    kept = []
    for rivals in of_case.values():
        best, *others = sorted(rivals, key=lambda match: (-_value(match), match.face_index))
        kept.append(best)
        kept += [
            replace(other, band=Band.REVIEW, why=f"{other.why}; face {best.face_index + 1} of this photo fits the case better")
            for other in others
        ]
    return sorted(kept, key=lambda match: (-_value(match), match.face_index, match.case_id))


def _value(match: Match) -> float:
    return match.raw if match.normalised is None else match.normalised
