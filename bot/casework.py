"""Registering a case: its photos checked before anything is stored, one face chosen in each, kept for the pack in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from bot.faces import FaceBook
from ingest.photo import Decoder, Photo
from matcher.engines.base import DetectedFace
from store import audit, cases, gallery, photos
from store.cases import Case, CaseFields
from store.errors import BadInput, PhotoRefused
from store.model import FaceQuality
from store.photos import PhotoFiles
from store.session import Store, Tx

PHOTO_ADVICE = "use a photo with the face upright, looking at the camera, in even light, at least 60 pixels wide, not blurred"


@dataclass(frozen=True, slots=True)
class CasePhotoInput:
    """A photo that a registrant gives. ``face`` counts from 1, left to right, where the photo shows several people."""

    name: str
    data: bytes
    taken_on: date | None = None
    face: int | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """A case photo that passed: its facts, the chosen face and that face's index in the engine's order."""

    source: CasePhotoInput
    photo: Photo
    face: DetectedFace
    index: int


@dataclass(frozen=True, slots=True)
class Desk:
    """What registering needs: the store, the photo folder, the decoder and the engine."""

    store: Store
    files: PhotoFiles
    decoder: Decoder
    faces: FaceBook


def register(desk: Desk, fields: CaseFields, given: Sequence[CasePhotoInput], by: str) -> Case:
    """Register a case as a draft with its photos: all of them, or none where one is not usable.

    Raises:
        BadInput: a photo without a face, with several and none chosen, or too poor; the fields are incomplete.
        PhotoRefused: a photo cannot be read.
    """
    if not given:
        raise BadInput("a case needs at least one photo", mend="three photos, from different days, find a child far more often")
    checked = [check_photo(desk, photo) for photo in given]
    for item in checked:
        desk.files.put(item.source.data)
    with desk.store.write("case.registered") as tx:
        case = cases.add(tx, fields, by)
        for item in checked:
            _keep(tx, desk, case.id, item)
        audit.append(tx, who=by, what="case.registered", object=case.ref, details={"photos": len(checked)})
        return cases.get(tx, case.id)


def add_photos(desk: Desk, ref: str, given: Sequence[CasePhotoInput], by: str) -> Case:
    """Add photos to a case; raises as :func:`register`."""
    checked = [check_photo(desk, photo) for photo in given]
    for item in checked:
        desk.files.put(item.source.data)
    with desk.store.write("case.photos") as tx:
        case = cases.get(tx, ref)
        for item in checked:
            _keep(tx, desk, case.id, item)
        audit.append(tx, who=by, what="case.photos", object=case.ref, details={"photos": len(checked)})
        return cases.get(tx, case.id)


def check_photo(desk: Desk, given: CasePhotoInput) -> Checked:
    """Read one photo, find its faces and choose the one that the registrant means.

    Raises:
        BadInput, PhotoRefused: why the photo cannot serve, and what a better one needs.
    """
    try:
        photo, pixels = desk.decoder.read(given.data)
    except PhotoRefused as error:
        raise PhotoRefused(f"{given.name}: {error}", mend="give a JPEG, PNG, WebP, GIF or HEIC photo") from error
    found = desk.faces.engine.faces(pixels)
    if not found:
        raise BadInput(f"{given.name}: no face was found in this photo", mend=PHOTO_ADVICE)
    index = _choose(given, found)
    face = found[index]
    if face.quality is FaceQuality.UNUSABLE:
        raise BadInput(f"{given.name}: the face is too poor to search with ({face.quality_why})", mend=PHOTO_ADVICE)
    return Checked(given, photo, face, index)


def weak_photos(desk: Desk, case_id: int) -> list[str]:
    """For each photo of a case that was taken but is of low quality: what is wrong with it, and what a better one needs."""
    with desk.store.read() as tx:
        found = gallery.faces_of_case(tx, case_id, desk.faces.pack.sha256)
    return [
        f"photo {number} was taken, but a better one finds far more ({face.quality_why}): {PHOTO_ADVICE}"
        for number, face in enumerate(found, start=1)
        if face.quality is FaceQuality.LOW
    ]


def _choose(given: CasePhotoInput, found: Sequence[DetectedFace]) -> int:
    """The index (engine's order) of the face that the registrant means; people count faces from left to right."""
    left_to_right = sorted(range(len(found)), key=lambda i: found[i].box.left)
    if given.face is None:
        if len(found) == 1:
            return 0
        spots = "; ".join(
            f"{n}: at ({found[i].box.left:.0f}, {found[i].box.top:.0f}), {found[i].box.width_px:.0f} px wide"
            for n, i in enumerate(left_to_right, start=1)
        )
        raise BadInput(
            f"{given.name}: {len(found)} faces in this photo, left to right {spots}", mend="choose the child's with --face NUMBER"
        )
    if not 1 <= given.face <= len(found):
        raise BadInput(f"{given.name}: --face {given.face}, but the photo has {len(found)} face(s)", mend="count from the left")
    return left_to_right[given.face - 1]


def _keep(tx: Tx, desk: Desk, case_id: int, item: Checked) -> None:
    photo = item.photo
    kept = photos.save(
        tx,
        sha256=photo.sha256,
        phash=photo.phash,
        width_px=photo.width_px,
        height_px=photo.height_px,
        format=photo.format,
        size_bytes=photo.size_bytes,
        exif=None,
    )
    case_photo = cases.add_photo(tx, case_id, kept.id, item.source.taken_on, item.index)
    gallery.save_case_face(tx, case_photo.id, desk.faces.pack.id, desk.faces.pack.sha256, item.face)


def read_photo_file(path: Path) -> bytes:
    """The bytes of a photo on disk.

    Raises:
        BadInput: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}", mend="check the path") from error
