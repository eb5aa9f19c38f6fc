"""A picture of a case photo inside a larger photo: a poster at a wall, a notice on a screen. Nobody was seen there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.bot import Bot
from matcher.compare import Match
from matcher.same_picture import SAME_PICTURE, Grey, likeness, standard
from store import cases, gallery, photos
from store.errors import Damaged, NotFound, PhotoRefused, PhotoUnavailable
from store.faces import StoredFace
from store.model import Box

ASK_FROM = 0.8
"""Cosine from which a face may be a picture of the case photo: 98% of the posters that were tried have it."""
_UNREADABLE = (NotFound, Damaged, PhotoRefused, PhotoUnavailable)


def pictured(bot: Bot, photo_id: int, hits: Sequence[Match], found: Sequence[StoredFace]) -> frozenset[tuple[int, int]]:
    """(face index, case id) of those ``hits`` whose face is a picture of one of the case's own photos.

    ``found`` are the photo's faces, which the hits count by. Decoding and detecting once more costs a tenth of a second for
    each case photo, and happens to the few faces that come so close. ``matching.pictures_alert`` turns it off.
    """
    asked = [hit for hit in hits if hit.raw >= ASK_FROM]
    if bot.settings.matching.pictures_alert or not asked:
        return frozenset()
    with bot.store.read() as tx:
        sha256 = photos.get(tx, photo_id).sha256
    try:
        image = bot.decoder.pixels(bot.files.get(sha256))
    except _UNREADABLE:
        return frozenset()
    same = set()
    for hit in asked:
        face = standard(image, found[hit.face_index].landmarks)
        if any(likeness(theirs, face) >= SAME_PICTURE for theirs in _of_case(bot, hit.case_id)):
            same.add((hit.face_index, hit.case_id))
    return frozenset(same)


def _of_case(bot: Bot, case_id: int) -> Iterator[Grey]:
    """The faces of a case's photos in the standard pose, where they can be read."""
    with bot.store.read() as tx:
        boxes = {face.case_photo_id: face.box for face in gallery.faces_of_case(tx, case_id, bot.faces.pack.sha256)}
        kept = [photo for photo in cases.photos_of(tx, case_id) if photo.id in boxes]
    for photo in kept:
        try:
            image = bot.decoder.pixels(bot.files.get(photo.sha256))
        except _UNREADABLE:
            continue
        seen = bot.faces.engine.faces(image)
        if seen:
            box = boxes[photo.id]
            yield standard(image, min(seen, key=lambda face: _apart(face.box, box)).landmarks)


def _apart(one: Box, other: Box) -> float:
    return abs(one.left - other.left) + abs(one.top - other.top) + abs(one.right - other.right) + abs(one.bottom - other.bottom)
