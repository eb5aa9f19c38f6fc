"""Work that follows a change rather than a post: case photos to embed, posts whose source deleted them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bot.bot import Bot, PlatformSeat
from bot.faces import FaceBook
from bot.log import get
from bot.steps import match
from bot.steps.scan import Look, scan, seen_ahead
from matcher.engines.base import DetectedFace
from store import alerts, cases, faces, gallery, media, photos, posts
from store.cases import CasePhoto
from store.errors import Damaged, NotFound, PhotoRefused, PlatformError
from store.model import Box, Post
from store.posts import Step
from store.session import Tx

log = get("housekeeping")

LOOK_UP_AFTER = timedelta(hours=20)
"""Deleted posts have to be gone within a day (X's terms): each stored post is looked up a little more often than that."""


def embed_case_photos(bot: Bot, book: FaceBook | None = None) -> int:
    """Embed the case photos that a model pack has not seen yet (a new photo, a changed pack). Returns how many."""
    book = book or bot.faces
    with bot.store.read() as tx:
        seq = cases.last_seq(tx)
    if bot.case_photos_at.get(book.pack.sha256) == seq:  # asked in every round: no case changed, nothing to look for
        return 0
    done = after = 0
    while not bot.stopping.is_set():
        with bot.store.read() as tx:
            missing = gallery.faces_missing(tx, book.pack.sha256, after=after)
        if not missing:
            bot.case_photos_at[book.pack.sha256] = seq
            break
        done += _embed(bot, book, missing)
        after = missing[-1].id
    return done


def _embed(bot: Bot, book: FaceBook, missing: Sequence[CasePhoto]) -> int:
    wanted = [photo for photo in missing if (book.pack.sha256, photo.id) not in bot.unusable_case_photos]
    with seen_ahead(bot, book, (photo.sha256 for photo in wanted)) as look:
        return sum(_embed_one(bot, book, photo, look) for photo in wanted if not bot.stopping.is_set())


def _embed_one(bot: Bot, book: FaceBook, photo: CasePhoto, look: Look) -> bool:
    try:
        found = look(photo.sha256)
    except (PhotoRefused, NotFound, Damaged) as error:
        log.warning("a case photo cannot be read", case_photo=photo.id, error=str(error))
        bot.unusable_case_photos.add((book.pack.sha256, photo.id))
        return False
    with bot.store.read() as tx:
        face = chosen(found, gallery.chosen_box(tx, photo.id), photo.face_index)
    if face is None:
        log.warning("no face in a case photo with this model pack", case_photo=photo.id, pack=book.pack.id)
        bot.unusable_case_photos.add((book.pack.sha256, photo.id))
        return False
    with bot.store.write("case.embedded") as tx:
        if gallery.embedded(tx, photo.id, book.pack.sha256):
            return False  # by another worker; saving it again would have every past photo searched again
        gallery.save_case_face(tx, photo.id, book.pack.id, book.pack.sha256, face)
    return True


def chosen(found: Sequence[DetectedFace], box: Box | None, index: int | None) -> DetectedFace | None:
    """The face of a case photo that the registrant meant: the one where another pack saw it, else by its number."""
    if box is not None and found:
        best = max(found, key=lambda face: match.overlap(face.box, box))
        return best if match.overlap(best.box, box) >= match.SAME_FACE_OVERLAP else None
    wanted = index if index is not None else 0
    return found[wanted] if wanted < len(found) else None


def embed_past_photos(bot: Bot, book: FaceBook, limit: int) -> int:
    """Look at photos of past posts that a model pack has not seen, oldest first; returns how many. After a change of engine
    this goes on in the background, resumable at any photo, and what is found is searched like anything new. Photos that only
    platforms without the right to match show are passed over."""
    looked_at = 0
    after = bot.embedded_up_to.get(book.pack.sha256, 0)
    with bot.store.read() as tx:
        newest = faces.newest_photo(tx)
        waiting = faces.unscanned(tx, book.pack.sha256, limit, after) if newest > after else []
        due = {photo_id: photos.get(tx, photo_id).sha256 for photo_id in waiting if _may_match(bot, tx, photo_id)}
    with seen_ahead(bot, book, due.values()) as look:
        for photo_id in waiting:
            if bot.stopping.is_set():
                break
            bot.embedded_up_to[book.pack.sha256] = photo_id
            if photo_id in due:
                scan(bot, photo_id, book, look)
                if book is bot.faces:
                    match.search_again(bot, photo_id)
            looked_at += 1
    if len(waiting) < limit and looked_at == len(waiting):  # all photos up to here were seen: never walk over them again
        bot.embedded_up_to[book.pack.sha256] = newest
    return looked_at


def _may_match(bot: Bot, tx: Tx, photo_id: int) -> bool:
    past = (posts.get(tx, row) for row in media.posts_showing(tx, photo_id))
    return any(match.allowed(bot, stored) for stored in past if stored.step in (Step.MATCHED, Step.DECIDED))


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
