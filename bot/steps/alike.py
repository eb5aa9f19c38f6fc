"""Which stored photos are one and the same picture: near by perceptual hash, and then confirmed by looking at both.

A near hash alone would silence a stranger's match once in some 100,000 pairs of portraits; a child would be lost by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.bot import Bot
from ingest.duplicate import FLAT, NEAR_BITS, SAME_LIKENESS, likeness
from store import photos
from store.errors import NotFound, PhotoRefused, PhotoUnavailable
from store.photos import StoredPhoto
from store.session import Tx


def same_photos(bot: Bot, photo_id: int) -> frozenset[int]:
    """The rows of all stored photos that show the same picture as ``photo_id``, itself included."""
    return look_alike(bot, photo_id).same


@dataclass(frozen=True, slots=True)
class Alike:
    """Photos that show the same picture as ``photo``, itself included, out of those ``looked_at``."""

    photo: StoredPhoto
    same: frozenset[int]
    looked_at: frozenset[int]

    def complete(self, tx: Tx) -> bool:
        """Whether nobody stored another near photo since the look: asked in the transaction that relies on it."""
        return _near(tx, self.photo) <= self.looked_at


def look_alike(bot: Bot, photo_id: int) -> Alike:
    """Look for the same picture among all stored photos.

    Costs an indexed look-up, and decoding only where a hash is near.
    """
    with bot.store.read() as tx:
        photo = photos.get(tx, photo_id)
        near = _near(tx, photo)
        others = [photos.get(tx, other) for other in sorted(near - {photo_id})]
    return Alike(photo, _same(bot, photo, others), near)


def _near(tx: Tx, photo: StoredPhoto) -> frozenset[int]:
    found = [] if photo.phash == FLAT else photos.near(tx, photo.phash, NEAR_BITS)
    return frozenset({photo.id} | {hit.photo_id for hit in found})


def _same(bot: Bot, photo: StoredPhoto, others: Sequence[StoredPhoto]) -> frozenset[int]:
    if not others:
        return frozenset({photo.id})
    try:
        own = bot.decoder.pixels(bot.files.get(photo.sha256))
    except (NotFound, PhotoRefused, PhotoUnavailable):
        return frozenset({photo.id})
    same = {photo.id}
    for other in others:
        try:
            if likeness(own, bot.decoder.pixels(bot.files.get(other.sha256))) >= SAME_LIKENESS:
                same.add(other.id)
        except (NotFound, PhotoRefused, PhotoUnavailable):
            continue
    return frozenset(same)
