"""Candidates: (face, case) pairs with a score and its meaning, and the pairs that people rejected for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, Select, bindparam, insert, select, update

from store import dialect, faces
from store import photos as photo_store
from store.errors import NotFound
from store.model import Band, Box
from store.session import Tx
from store.tables import candidates, media, photos, rejections
from store.tables import faces as face_table

_COPY_BITS = 4
_SAME_FACE_IOU = 0.3
"""Boxes that two detectors give one face overlap far more, boxes of two neighbours less. Only faces of one photo are compared."""


class CandidateState(StrEnum):
    OPEN = "open"
    REJECTED = "rejected"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class NewCandidate:
    """What the matcher says of a pair. ``one_in``: strangers reach this score about once in that many photos (None: not known).

    ``normalised`` is None while the gallery is too small for normalisation; ``calibration`` names the version of the rule.
    ``turn`` orders the review queue within a band, lower first.
    """

    case_id: int
    raw: float
    normalised: float | None
    one_in: float | None
    rank: int
    band: Band
    why: str = ""
    calibration: str = ""
    turn: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored candidate and what people made of it."""

    id: int
    face_id: int
    case_id: int
    raw: float
    normalised: float | None
    one_in: float | None
    rank: int
    band: Band
    why: str
    pack_id: str
    calibration: str
    state: CandidateState
    state_by: str | None
    created_at: datetime


def save_candidates(tx: Tx, face_id: int, pack_id: str, found: Sequence[NewCandidate]) -> tuple[int, ...]:
    """Keep the candidates of a face. A pair that stands is brought up to date and keeps what people decided; a pair that
    people rejected, with this or any other pack, is left out, and so is a case that people found in another face of this
    photo. Returns the ids of the pairs that are kept, in order."""
    refused = rejected_cases(tx, face_id) | _found_beside(tx, face_id)
    kept = []
    for new in found:
        if new.case_id in refused or new.band is Band.NONE:
            continue
        values = {
            "raw": float(new.raw),
            "normalised": None if new.normalised is None else float(new.normalised),
            "one_in": None if new.one_in is None else float(new.one_in),
            "rank": new.rank,
            "band": new.band.value,
            "why": new.why,
            "pack_id": pack_id,
            "calibration": new.calibration,
            "turn": float(new.turn),
            "updated_at": tx.now,
        }
        statement = dialect.upsert(candidates, ["face_id", "case_id"], list(values)).values(
            face_id=face_id, case_id=new.case_id, state=CandidateState.OPEN.value, created_at=tx.now, **values
        )
        kept.append(int(tx.execute(statement.returning(candidates.c.id)).scalar_one()))
    return tuple(kept)


def rejected_cases(tx: Tx, face_id: int) -> frozenset[int]:
    """Cases that people said this face is not.

    A rejection is kept by photo and place in it, so that a new model's face of the same child knows it; and it holds for
    other copies of the photo (smaller, compressed anew), in which the face stands at the same place.
    """
    face = faces.get(tx, face_id)
    if face is None:
        raise NotFound(f"no face is stored as number {face_id}")
    if tx.execute(select(rejections.c.id).limit(1)).first() is None:
        return frozenset()
    photo = photo_store.get(tx, face.photo_id)
    copies = [hit.photo_id for hit in photo_store.near(tx, photo.phash, _COPY_BITS)]
    query = (
        select(rejections, photos.c.width_px, photos.c.height_px)
        .join(photos, photos.c.sha256 == rejections.c.photo_sha256)
        .where(photos.c.id.in_([photo.id, *copies]))
    )
    here = _share(face.box, photo.width_px, photo.height_px)
    return frozenset(
        row.case_id
        for row in tx.execute(query)
        if _overlap(here, _share(faces.box_in(row), row.width_px, row.height_px)) >= _SAME_FACE_IOU
    )


def reject(tx: Tx, candidate_id: int, by: str, why: str = "") -> None:
    """People say that this is another child. The pair never comes back: through re-indexing and through other models."""
    candidate = get(tx, candidate_id)
    face = faces.get(tx, candidate.face_id)
    if face is not None and candidate.state is not CandidateState.REJECTED:
        sha256 = tx.execute(select(photos.c.sha256).where(photos.c.id == face.photo_id)).scalar_one()
        tx.execute(
            insert(rejections).values(
                case_id=candidate.case_id, photo_sha256=sha256, **faces.box_out(face.box), by=by, why=why, at=tx.now
            )
        )
    _decide(tx, candidate_id, CandidateState.REJECTED, by)


def accept(tx: Tx, candidate_id: int, by: str) -> None:
    """People say that this may be the same child: worth a lead. Another face of the photo cannot be this child as well, so
    its open pair with the case is closed; not for good, for the lead may come to nothing."""
    accepted = get(tx, candidate_id)
    _decide(tx, accepted.id, CandidateState.ACCEPTED, by)
    for row in tx.execute(_beside(accepted.face_id).where(candidates.c.case_id == accepted.case_id)).all():
        if row.state == CandidateState.OPEN.value and not _same_place(tx, accepted.face_id, row.face_id):
            _decide(tx, row.id, CandidateState.REJECTED, by)


def _beside(face_id: int) -> Select[Any]:
    """The candidates of the other faces of a face's photo, of every pack."""
    photo = select(face_table.c.photo_id).where(face_table.c.id == face_id).scalar_subquery()
    others = select(face_table.c.id).where(face_table.c.photo_id == photo, face_table.c.id != face_id)
    return select(candidates).where(candidates.c.face_id.in_(others))


def _found_beside(tx: Tx, face_id: int) -> frozenset[int]:
    """The cases that people found in another face of this photo."""
    query = _beside(face_id).where(candidates.c.state == CandidateState.ACCEPTED.value)
    return frozenset(row.case_id for row in tx.execute(query).all() if not _same_place(tx, face_id, row.face_id))


def _same_place(tx: Tx, one: int, other: int) -> bool:
    """Whether two rows are one face of the photo, as two packs saw it."""
    first, second = faces.get(tx, one), faces.get(tx, other)
    return first is not None and second is not None and _overlap(first.box, second.box) >= _SAME_FACE_IOU


def _decide(tx: Tx, candidate_id: int, state: CandidateState, by: str) -> None:
    tx.execute(update(candidates).where(candidates.c.id == candidate_id).values(state=state.value, state_by=by, state_at=tx.now))


def get(tx: Tx, candidate_id: int) -> Candidate:
    """A candidate by its id.

    Raises:
        NotFound: there is none.
    """
    row = tx.execute(select(candidates).where(candidates.c.id == candidate_id)).first()
    if row is None:
        raise NotFound(f"no candidate is stored as number {candidate_id}")
    return _candidate(row)


_OF_POST = (
    select(candidates)
    .join(face_table, face_table.c.id == candidates.c.face_id)
    .where(face_table.c.photo_id.in_(select(media.c.photo_id).where(media.c.post_id == bindparam("post"))))
    .order_by(candidates.c.band, candidates.c.rank, candidates.c.id)
)


def of_post(tx: Tx, post_row: int) -> list[Candidate]:
    """The candidates of all faces that a post shows, best first."""
    return [_candidate(row) for row in tx.execute(_OF_POST, {"post": post_row})]


def posts_of(tx: Tx, candidate_id: int) -> list[int]:
    """Rows of the posts that show a candidate's face, oldest row first."""
    query = (
        select(media.c.post_id)
        .join(face_table, face_table.c.photo_id == media.c.photo_id)
        .join(candidates, candidates.c.face_id == face_table.c.id)
        .where(candidates.c.id == candidate_id)
        .distinct()
        .order_by(media.c.post_id)
    )
    return list(tx.execute(query).scalars())


def cases_of_face(tx: Tx, face_id: int) -> frozenset[int]:
    """All cases that a face is a candidate for, whatever people decided."""
    return frozenset(tx.execute(select(candidates.c.case_id).where(candidates.c.face_id == face_id)).scalars())


def listing(
    tx: Tx,
    *,
    state: CandidateState | None = None,
    band: Band | None = None,
    case_id: int | None = None,
    limit: int = 50,
    before: int | None = None,
) -> list[Candidate]:
    """Candidates, newest first; ``before`` (a row number) goes on where an earlier page ended."""
    query = select(candidates).order_by(candidates.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(candidates.c.state == state.value)
    if band is not None:
        query = query.where(candidates.c.band == band.value)
    if case_id is not None:
        query = query.where(candidates.c.case_id == case_id)
    if before is not None:
        query = query.where(candidates.c.id < before)
    return [_candidate(row) for row in tx.execute(query)]


def _share(box: Box, width_px: int, height_px: int) -> Box:
    """A box as shares of the photo's width and height."""
    return Box(box.left / width_px, box.top / height_px, box.right / width_px, box.bottom / height_px)


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (one.width_px * one.height_px + other.width_px * other.height_px - shared)


def _candidate(row: Row[Any]) -> Candidate:
    return Candidate(
        id=row.id,
        face_id=row.face_id,
        case_id=row.case_id,
        raw=row.raw,
        normalised=row.normalised,
        one_in=row.one_in,
        rank=row.rank,
        band=Band(row.band),
        why=row.why,
        pack_id=row.pack_id,
        calibration=row.calibration,
        state=CandidateState(row.state),
        state_by=row.state_by,
        created_at=row.created_at,
    )
