"""Work that follows a change rather than a post: case photos to embed, posts whose source deleted them."""

from __future__ import annotations

from datetime import timedelta

from bot.bot import Bot, PlatformSeat
from bot.log import get
from store import alerts, gallery, posts
from store.errors import NotFound, PhotoRefused, PlatformError
from store.model import Post

log = get("housekeeping")

LOOK_UP_AFTER = timedelta(hours=20)
"""Deleted posts have to be gone within a day (X's terms): each stored post is looked up a little more often than that."""


def embed_case_photos(bot: Bot) -> int:
    """Embed the case photos that the present model pack has not seen yet (a new photo, a changed pack). Returns how many."""
    done = 0
    with bot.store.read() as tx:
        missing = gallery.faces_missing(tx, bot.faces.pack.sha256)
    for photo in missing:
        if bot.stopping.is_set() or photo.id in bot.unusable_case_photos:
            continue
        try:
            found = bot.faces.engine.faces(bot.decoder.pixels(bot.files.get(photo.sha256)))
        except (PhotoRefused, NotFound) as error:
            log.warning("a case photo cannot be read", case_photo=photo.id, error=str(error))
            bot.unusable_case_photos.add(photo.id)
            continue
        index = photo.face_index if photo.face_index is not None else 0
        if index >= len(found):
            log.warning("no face in a case photo with this model pack", case_photo=photo.id, pack=bot.faces.pack.id)
            bot.unusable_case_photos.add(photo.id)
            continue
        with bot.store.write("case.embedded") as tx:
            gallery.save_case_face(tx, photo.id, bot.faces.pack.id, bot.faces.pack.sha256, found[index])
        done += 1
    return done


def look_for_deletions(bot: Bot, seat: PlatformSeat) -> int:
    """Ask the platform, in batches, which stored posts still exist; note those that are gone and stop what was to be said
    about them. Returns how many are newly gone."""
    gone_rows = 0
    batch = seat.platform.rules.look_up_batch
    while not bot.stopping.is_set():
        with bot.store.read() as tx:
            ids = posts.to_look_up(tx, seat.name, tx.now - LOOK_UP_AFTER, batch)
        if not ids:
            break
        try:
            found = seat.platform.look_up(ids)
        except PlatformError as error:
            log.warning("look-up failed", platform=seat.name, error=str(error))
            break
        gone = set(found.gone) | {post.id for post in found.posts if isinstance(post, Post) and post.deleted}
        with bot.store.write("deletions.noted") as tx:
            for row in posts.mark_deleted(tx, seat.name, sorted(gone)):
                stored = posts.get(tx, row)
                alerts.cancel_for_post(tx, seat.name, stored.post_id, "its author deleted the post")
                gone_rows += 1
            posts.mark_looked_up(tx, seat.name, [i for i in ids if i not in gone])
    return gone_rows


def recover(bot: Bot) -> int:
    """At start: what an earlier process was sending when it ended may have been published. Returns how many messages."""
    with bot.store.write("recovered") as tx:
        interrupted = alerts.interrupted(tx)
    if interrupted:
        log.warning("messages of an interrupted run will be looked for before anything is sent again", alerts=interrupted)
    return len(interrupted)
