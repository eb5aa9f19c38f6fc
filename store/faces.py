"""The faces of photos, one set for each model pack. Vectors stay inside: no repr, no log, no export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Row, bindparam, delete, func, insert, select, update

from store.model import Box, FaceQuality
from store.session import Tx
from store.tables import candidates, case_photos, face_scans, faces, leads, media, photos
from store.tally import next_number
from store.vault import Vector, open_vector, seal_vector

FACES_GONE = "faces gone"
"""The sequence that counts removals of faces: a memory of vectors in a process lets go of everything when it moves."""


class NewFace(Protocol):
    """What an engine says of a face (``matcher.engines.base.DetectedFace``): pixels of the upright photo, unit vector."""

    @property
    def box(self) -> Box: ...
    @property
    def det_score(self) -> float: ...
    @property
    def landmarks(self) -> tuple[tuple[float, float], ...]: ...
    @property
    def quality(self) -> FaceQuality: ...
    @property
    def quality_why(self) -> str: ...
    @property
    def norm(self) -> float: ...
    @property
    def vector(self) -> Vector: ...


@dataclass(frozen=True, slots=True)
class StoredFace:
    """A face of a photo, without its vector. ``index`` counts the photo's faces from 0, largest first."""

    id: int
    photo_id: int
    index: int
    box: Box
    det_score: float
    landmarks: tuple[tuple[float, float], ...]
    quality: FaceQuality
    quality_why: str
    norm: float
    pack_id: str
    pack_sha256: str


@dataclass(frozen=True, slots=True)
class FaceVector:
    """A face with its embedding (unit length, float32), for comparing inside the process and nothing else."""

    face_id: int
    photo_id: int
    quality: FaceQuality
    norm: float
    vector: Vector = field(repr=False)


def save_faces(tx: Tx, photo_id: int, pack_id: str, pack_sha256: str, found: Sequence[NewFace]) -> tuple[int, ...]:
    """Keep what an engine found in a photo, none included: a photo is scanned once per pack. Returns the faces' ids.

    Where the photo was scanned with this pack before, what stands stays and its ids are returned.
    """
    if not scanned(tx, photo_id, pack_sha256):
        tx.execute(
            insert(face_scans).values(photo_id=photo_id, pack_sha256=pack_sha256, pack_id=pack_id, faces=len(found), at=tx.now)
        )
        rows = [_row(tx, photo_id, pack_id, pack_sha256, index, face) for index, face in enumerate(found)]
        if rows:
            tx.execute(insert(faces), rows)
    return tuple(face.id for face in faces_of_photo(tx, photo_id, pack_sha256))


def _row(tx: Tx, photo_id: int, pack_id: str, pack_sha256: str, index: int, face: NewFace) -> dict[str, Any]:
    return {
        "photo_id": photo_id,
        "position": index,
        **box_out(face.box),
        "det_score": float(face.det_score),
        "landmarks": [[float(x), float(y)] for x, y in face.landmarks],
        "quality": face.quality.value,
        "quality_why": face.quality_why,
        "norm": float(face.norm),
        "pack_id": pack_id,
        "pack_sha256": pack_sha256,
        "vector": seal_vector(tx.vault, face.vector, _context(photo_id, pack_sha256, index)),
    }


_SCANNED = select(face_scans.c.faces).where(
    face_scans.c.photo_id == bindparam("photo"), face_scans.c.pack_sha256 == bindparam("pack")
)


def scanned(tx: Tx, photo_id: int, pack_sha256: str) -> bool:
    """Whether the photo was already searched for faces with this pack."""
    return tx.execute(_SCANNED, {"photo": photo_id, "pack": pack_sha256}).first() is not None


def unscanned(tx: Tx, pack_sha256: str, limit: int, after: int = 0) -> list[int]:
    """Photos of posts (rows above ``after``, ascending) that this pack has not seen: what a change of engine has to do."""
    query = select(photos.c.id).where(photos.c.id > after, *_not_seen(pack_sha256)).order_by(photos.c.id).limit(limit)
    return list(tx.execute(query).scalars())


def newest_photo(tx: Tx) -> int:
    """The last photo's row, 0 before the first."""
    return int(tx.execute(select(func.coalesce(func.max(photos.c.id), 0))).scalar_one())


def unscanned_count(tx: Tx, pack_sha256: str) -> int:
    """How many photos of posts this pack has not seen yet."""
    query = select(func.count()).select_from(photos).where(*_not_seen(pack_sha256))
    return int(tx.execute(query).scalar_one())


def forget_pack(tx: Tx, pack_sha256: str) -> int:
    """Remove everything a pack that is no longer used found in photos, its candidates included. Returns how many faces."""
    drawn = select(faces.c.id).where(faces.c.pack_sha256 == pack_sha256)
    scored = select(candidates.c.id).where(candidates.c.face_id.in_(drawn))
    tx.execute(update(leads).where(leads.c.candidate_id.in_(scored)).values(candidate_id=None))
    tx.execute(delete(face_scans).where(face_scans.c.pack_sha256 == pack_sha256))
    next_number(tx, FACES_GONE)
    return tx.execute(delete(faces).where(faces.c.pack_sha256 == pack_sha256)).rowcount


def _not_seen(pack_sha256: str) -> tuple[ColumnElement[bool], ...]:
    seen = select(face_scans.c.photo_id).where(face_scans.c.photo_id == photos.c.id, face_scans.c.pack_sha256 == pack_sha256)
    shown = select(media.c.id).where(media.c.photo_id == photos.c.id)
    return shown.exists(), ~seen.exists()


_OF_PHOTO = select(faces).where(faces.c.photo_id == bindparam("photo")).order_by(faces.c.pack_sha256, faces.c.position)
_OF_PHOTO_AND_PACK = _OF_PHOTO.where(faces.c.pack_sha256 == bindparam("pack"))


def faces_of_photo(tx: Tx, photo_id: int, pack_sha256: str | None = None) -> tuple[StoredFace, ...]:
    """The faces of a photo, largest first (of every pack where none is named)."""
    if pack_sha256 is None:
        return tuple(_face(row) for row in tx.execute(_OF_PHOTO, {"photo": photo_id}))
    return tuple(_face(row) for row in tx.execute(_OF_PHOTO_AND_PACK, {"photo": photo_id, "pack": pack_sha256}))


def get(tx: Tx, face_id: int) -> StoredFace | None:
    """A face by its id."""
    row = tx.execute(select(faces).where(faces.c.id == face_id)).first()
    return None if row is None else _face(row)


def of_photo_with_vectors(tx: Tx, photo_id: int, pack_sha256: str) -> tuple[FaceVector, ...]:
    """The faces of one photo with their vectors, largest first."""
    return tuple(_open(tx, row) for row in tx.execute(_OF_PHOTO_AND_PACK, {"photo": photo_id, "pack": pack_sha256}))


def vectors(tx: Tx, pack_sha256: str, after: int = 0, batch: int = 2000) -> Iterator[FaceVector]:
    """Every face that posts show (ids above ``after``, ascending), for the search of a new case over past sightings.

    Faces of photos that only a case shows are left out: a case must not find itself.
    """
    shown = select(media.c.id).where(media.c.photo_id == faces.c.photo_id)
    columns = (faces.c.id, faces.c.photo_id, faces.c.position, faces.c.pack_sha256, faces.c.quality, faces.c.norm, faces.c.vector)
    while True:
        query = (
            select(*columns)
            .where(faces.c.pack_sha256 == pack_sha256, faces.c.id > after, shown.exists())
            .order_by(faces.c.id)
            .limit(batch)
        )
        rows = tx.execute(query).all()
        for row in rows:
            yield _open(tx, row)
        if len(rows) < batch:
            return
        after = rows[-1].id


def with_vectors(tx: Tx, face_ids: Sequence[int]) -> Iterator[FaceVector]:
    """These faces with their vectors, by id."""
    for start in range(0, len(face_ids), 500):
        query = select(faces).where(faces.c.id.in_(face_ids[start : start + 500])).order_by(faces.c.id)
        yield from (_open(tx, row) for row in tx.execute(query).all())


def shown_by_case(tx: Tx, photo_id: int) -> tuple[int, ...]:
    """Cases that hold this very photo: what a passer-by posted is then a copy of the notice, not a child who was seen."""
    return tuple(tx.execute(select(case_photos.c.case_id).where(case_photos.c.photo_id == photo_id)).scalars())


def box_out(box: Box) -> dict[str, float]:
    """A box as the four columns that several tables share."""
    return {
        "box_left": float(box.left),
        "box_top": float(box.top),
        "box_right": float(box.right),
        "box_bottom": float(box.bottom),
    }


def box_in(row: Row[Any]) -> Box:
    """The box of :func:`box_out`."""
    return Box(row.box_left, row.box_top, row.box_right, row.box_bottom)


def context(row: Row[Any]) -> str:
    """What binds a face's sealed vector to its row."""
    return _context(row.photo_id, row.pack_sha256, row.position)


def _context(photo_id: int, pack_sha256: str, index: int) -> str:
    return f"face:{photo_id}:{pack_sha256}:{index}"


def _open(tx: Tx, row: Row[Any]) -> FaceVector:
    vector = open_vector(tx.vault, row.vector, context(row))
    return FaceVector(row.id, row.photo_id, FaceQuality(row.quality), row.norm, vector)


def _face(row: Row[Any]) -> StoredFace:
    return StoredFace(
        id=row.id,
        photo_id=row.photo_id,
        index=row.position,
        box=box_in(row),
        det_score=row.det_score,
        landmarks=tuple((x, y) for x, y in row.landmarks),
        quality=FaceQuality(row.quality),
        quality_why=row.quality_why,
        norm=row.norm,
        pack_id=row.pack_id,
        pack_sha256=row.pack_sha256,
    )
