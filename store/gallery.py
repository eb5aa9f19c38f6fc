"""The faces of cases, one for each case photo and model pack; only verified cases are in the gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Row, Select, func, select

from store import cases, dialect
from store.cases import CasePhoto
from store.errors import NotFound
from store.faces import NewFace, box_in, box_out
from store.model import Box, CaseState, FaceQuality
from store.session import Tx
from store.tables import case_faces, case_photos, photos
from store.tables import cases as case_table
from store.vault import open_vectors, seal_vector


@dataclass(frozen=True, slots=True)
class GalleryFaces:
    """Faces of verified cases, for comparing inside the process and nothing else: one entry a face, by case and photo.

    ``vectors`` are unit length, float32, shape (faces, dimension); ``norms`` those of the embeddings before that.
    """

    case_ids: NDArray[np.int64]
    norms: NDArray[np.float64]
    taken_on: tuple[date | None, ...]
    birth_on: tuple[date | None, ...]
    missing_on: tuple[date | None, ...]
    vectors: NDArray[np.float32] = field(repr=False)

    def __len__(self) -> int:
        return len(self.case_ids)


@dataclass(frozen=True, slots=True)
class CaseFace:
    """The face of a case photo, without its vector."""

    id: int
    case_photo_id: int
    box: Box
    det_score: float
    quality: FaceQuality
    quality_why: str
    norm: float
    pack_id: str
    pack_sha256: str


def save_case_face(tx: Tx, case_photo_id: int, pack_id: str, pack_sha256: str, face: NewFace) -> CaseFace:
    """Keep the face of a case photo for one pack, replacing what this pack said before; the gallery learns of the change.

    Raises:
        NotFound: there is no such case photo.
    """
    case_id = tx.execute(select(case_photos.c.case_id).where(case_photos.c.id == case_photo_id)).scalar()
    if case_id is None:
        raise NotFound(f"no case photo is stored as number {case_photo_id}")
    values = {
        **box_out(face.box),
        "det_score": float(face.det_score),
        "quality": face.quality.value,
        "quality_why": face.quality_why,
        "norm": float(face.norm),
        "pack_id": pack_id,
        "vector": seal_vector(tx.vault, face.vector, _context(case_photo_id, pack_sha256)),
    }
    statement = dialect.upsert(case_faces, ["case_photo_id", "pack_sha256"], list(values)).values(
        case_photo_id=case_photo_id, pack_sha256=pack_sha256, **values
    )
    tx.execute(statement)
    cases.touch(tx, case_id)
    return next(found for found in faces_of_case(tx, case_id, pack_sha256) if found.case_photo_id == case_photo_id)


def chosen_box(tx: Tx, case_photo_id: int) -> Box | None:
    """Where the chosen face of a case photo lies, as any pack saw it: another pack finds the same face by it."""
    row = tx.execute(select(case_faces).where(case_faces.c.case_photo_id == case_photo_id).order_by(case_faces.c.id)).first()
    return None if row is None else box_in(row)


def faces_of_case(tx: Tx, case_id: int, pack_sha256: str | None = None) -> list[CaseFace]:
    """The faces of a case for one pack (for every pack where none is named), in the order of its photos."""
    query = (
        select(case_faces)
        .join(case_photos, case_photos.c.id == case_faces.c.case_photo_id)
        .where(case_photos.c.case_id == case_id)
        .order_by(case_photos.c.id, case_faces.c.id)
    )
    if pack_sha256 is not None:
        query = query.where(case_faces.c.pack_sha256 == pack_sha256)
    return [_face(row) for row in tx.execute(query)]


def gallery(tx: Tx, pack_sha256: str, case_ids: Sequence[int] | None = None) -> GalleryFaces:
    """Faces of VERIFIED cases for one pack; ``case_ids`` narrows it to what :func:`store.cases.changed_since` named.

    A case that was changed and gives no face here (closed, no longer verified) has left the gallery.
    """
    if case_ids is None:
        return _faces(tx, tx.execute(_gallery_query(pack_sha256)).all(), pack_sha256)
    rows: list[Row[Any]] = []
    for start in range(0, len(case_ids), 500):
        rows += tx.execute(_gallery_query(pack_sha256).where(case_table.c.id.in_(case_ids[start : start + 500]))).all()
    rows.sort(key=lambda row: (row.case_id, row.case_photo_id))
    return _faces(tx, rows, pack_sha256)


def gallery_between(tx: Tx, pack_sha256: str, first: int, end: int) -> GalleryFaces:
    """The same for all cases with ids from ``first`` up to, not including, ``end``."""
    query = _gallery_query(pack_sha256).where(case_table.c.id >= first, case_table.c.id < end)
    return _faces(tx, tx.execute(query).all(), pack_sha256)


def verified(tx: Tx) -> int:
    """How many cases are VERIFIED: the gallery's size, but for those without a usable photo."""
    query = select(func.count()).select_from(case_table).where(case_table.c.state == CaseState.VERIFIED.value)
    return int(tx.execute(query).scalar_one())


def blocks_of(tx: Tx, size: int) -> list[int]:
    """Which spans of ``size`` case ids hold a VERIFIED case, by number."""
    query = select(case_table.c.id // size).where(case_table.c.state == CaseState.VERIFIED.value).distinct()
    return sorted(tx.execute(query).scalars())


def embedded(tx: Tx, case_photo_id: int, pack_sha256: str) -> bool:
    """Whether a case photo has its face for this pack."""
    known = (case_faces.c.case_photo_id == case_photo_id, case_faces.c.pack_sha256 == pack_sha256)
    return tx.execute(select(case_faces.c.id).where(*known)).first() is not None


def faces_missing(tx: Tx, pack_sha256: str, limit: int = 100, after: int = 0) -> list[CasePhoto]:
    """Photos (rows above ``after``, ascending) of cases that are not closed and have no face for this pack yet: what a change of
    engine has to embed."""
    known = select(case_faces.c.id).where(case_faces.c.case_photo_id == case_photos.c.id, case_faces.c.pack_sha256 == pack_sha256)
    query = (
        select(case_photos, photos.c.sha256)
        .join(photos, photos.c.id == case_photos.c.photo_id)
        .join(case_table, case_table.c.id == case_photos.c.case_id)
        .where(case_photos.c.id > after, ~known.exists(), case_table.c.state != CaseState.CLOSED.value)
        .order_by(case_photos.c.id)
        .limit(limit)
    )
    return [
        CasePhoto(row.id, row.case_id, row.photo_id, row.sha256, row.taken_on, row.face_position) for row in tx.execute(query)
    ]


def _gallery_query(pack_sha256: str) -> Select[Any]:
    columns = (case_faces.c.case_photo_id, case_faces.c.norm, case_faces.c.vector, case_photos.c.case_id, case_photos.c.taken_on)
    return (
        select(*columns, case_table.c.birth_on, case_table.c.missing_on)
        .join(case_photos, case_photos.c.id == case_faces.c.case_photo_id)
        .join(case_table, case_table.c.id == case_photos.c.case_id)
        .where(case_faces.c.pack_sha256 == pack_sha256, case_table.c.state == CaseState.VERIFIED.value)
        .order_by(case_photos.c.case_id, case_photos.c.id)
    )


def _faces(tx: Tx, rows: Sequence[Row[Any]], pack_sha256: str) -> GalleryFaces:
    sealed = [(row.vector, _context(row.case_photo_id, pack_sha256)) for row in rows]
    return GalleryFaces(
        case_ids=np.array([row.case_id for row in rows], np.int64),
        norms=np.array([row.norm for row in rows], np.float64),
        taken_on=tuple(row.taken_on for row in rows),
        birth_on=tuple(row.birth_on for row in rows),
        missing_on=tuple(row.missing_on for row in rows),
        vectors=open_vectors(tx.vault, sealed),
    )


def context(row: Row[Any]) -> str:
    """What binds a case face's sealed vector to its row."""
    return _context(row.case_photo_id, row.pack_sha256)


def _context(case_photo_id: int, pack_sha256: str) -> str:
    return f"case_face:{case_photo_id}:{pack_sha256}"


def _face(row: Row[Any]) -> CaseFace:
    return CaseFace(
        id=row.id,
        case_photo_id=row.case_photo_id,
        box=box_in(row),
        det_score=row.det_score,
        quality=FaceQuality(row.quality),
        quality_why=row.quality_why,
        norm=row.norm,
        pack_id=row.pack_id,
        pack_sha256=row.pack_sha256,
    )
