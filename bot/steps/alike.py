"""Which stored photos are one and the same picture: near by perceptual hash, and then confirmed by looking at both.

A near hash alone would silence a stranger's match once in some 100,000 pairs of portraits; a child would be lost by it.
"""

from __future__ import annotations

from bot.bot import Bot
from ingest.duplicate import FLAT, NEAR_BITS, SAME_LIKENESS, likeness
from store import photos
from store.errors import NotFound, PhotoRefused, PhotoUnavailable


def same_photos(bot: Bot, photo_id: int) -> frozenset[int]:
    """The rows of all stored photos that show the same picture as ``photo_id``, itself included.

    Costs an indexed look-up, and decoding only where a hash is near.
    """
    with bot.store.read() as tx:
        photo = photos.get(tx, photo_id)
        near = [] if photo.phash == FLAT else photos.near(tx, photo.phash, NEAR_BITS)
        others = [photos.get(tx, hit.photo_id) for hit in near if hit.photo_id != photo_id]
    if not others:
        return frozenset({photo_id})
    try:
        own = bot.decoder.pixels(bot.files.get(photo.sha256))
    except (NotFound, PhotoRefused, PhotoUnavailable):
        return frozenset({photo_id})
    same = {photo_id}
    for other in others:
        try:
            if likeness(own, bot.decoder.pixels(bot.files.get(other.sha256))) >= SAME_LIKENESS:
                same.add(other.id)
        except (NotFound, PhotoRefused, PhotoUnavailable):
            continue
    return frozenset(same)
