"""Extract: from a stored post to a sighting: its photos fetched and hashed, when and where read, each with its source."""

from __future__ import annotations

from bot.bot import Bot, PlatformSeat
from bot.log import get
from bot.steps.each import Later, backoff
from ingest.duplicate import FLAT, NEAR_BITS
from ingest.fetch import FetchLimits, fetch_photo
from ingest.when import resolve_when
from ingest.where import resolve_where
from store import media, photos, posts, sightings
from store.errors import PhotoGone, PhotoRefused, PhotoUnavailable
from store.media import MediaState, StoredMedia
from store.model import Exif, Post, When, Where
from store.posts import Step, StoredPost
from store.session import Tx

log = get("extract")

_ORIGINAL_WAIT_S = 5.0


def extract(bot: Bot, row: int) -> None:
    """Take one stored post to EXTRACTED (with a sighting where it shows a photo) or IGNORED.

    Effect and mark are one transaction. Fetching happens before it and is idempotent: a photo file is named by its content.

    Raises:
        Later: its original is not extracted yet, or a photo host is down for now.
    """
    with bot.store.read() as tx:
        stored = posts.get(tx, row)
    seat = bot.seats.get(stored.platform)
    post = stored.post
    if post is None or seat is None:
        _ignore(bot, row, "malformed" if post is None else f"platform {stored.platform} is not in the settings")
        return
    if stored.deleted_at is not None or post.deleted:
        _ignore(bot, row, "deleted by its author")
        return
    if seat.own_id and post.author.id == seat.own_id:
        _ignore(bot, row, "the bot's own post")
        return
    _wait_for_original(bot, stored)
    _fetch_all(bot, seat, stored)
    with bot.store.write("extract.done") as tx:
        fresh = posts.get(tx, row)
        if _shown(fresh) and sightings.of_post(tx, row) is None:
            _save_sighting(tx, fresh, post)
        posts.mark(tx, row, Step.EXTRACTED)


def read_again(tx: Tx, row: int) -> tuple[Where, When] | None:
    """When and where as today's rules read them, for :func:`store.sightings.update_extraction`; None for an unreadable post."""
    stored = posts.get(tx, row)
    return None if stored.post is None else _where_when(tx, stored, stored.post)


def _ignore(bot: Bot, row: int, why: str) -> None:
    with bot.store.write("extract.ignored") as tx:
        posts.mark(tx, row, Step.IGNORED, why)


def _wait_for_original(bot: Bot, stored: StoredPost) -> None:
    if stored.repost_of_id is None:
        return
    with bot.store.read() as tx:
        original = posts.get(tx, stored.repost_of_id)
    if original.step is Step.STORED:
        raise Later("its original is not read yet", seconds=_ORIGINAL_WAIT_S)


def _fetch_all(bot: Bot, seat: PlatformSeat, stored: StoredPost) -> None:
    """Fetch every picture that is still pending; one that is refused or gone is recorded and does not stop the others."""
    unavailable: PhotoUnavailable | None = None
    for picture in stored.media:
        if picture.state is MediaState.PENDING:
            try:
                _fetch_one(bot, seat, picture)
            except PhotoUnavailable as error:
                unavailable = error
    if unavailable is not None:
        raise Later(f"a photo cannot be fetched for now: {unavailable}", seconds=backoff(stored.attempts).total_seconds())


def _fetch_one(bot: Bot, seat: PlatformSeat, picture: StoredMedia) -> None:
    """Fetch, decode and store one picture; what makes it final is stored with it.

    Raises:
        PhotoUnavailable: it may be had later, and tries are left.
    """
    settings, rules = bot.settings.photos, seat.platform.rules
    last_try = picture.attempts + 1 >= settings.attempts
    try:
        data = fetch_photo(
            picture.media.urls,
            hosts=rules.photo_hosts,
            headers=rules.photo_headers,
            limits=FetchLimits(max_bytes=settings.max_bytes, total_s=settings.fetch_seconds),
            allow_loopback=settings.allow_loopback,
            settle=last_try,
        )
        photo = bot.decoder.open(data)
        with bot.store.read() as tx:
            photos.refuse_erased(tx, photo.sha256, photo.phash)
    except (PhotoGone, PhotoRefused) as error:
        with bot.store.write("photo.refused") as tx:
            media.mark_refused(tx, picture.id, str(error))
        return
    except PhotoUnavailable as error:
        with bot.store.write("photo.later") as tx:
            if last_try:
                media.mark_failed(tx, picture.id, str(error))
                return
            media.defer(tx, picture.id, str(error), tx.now)
        raise
    bot.files.put(data)
    with bot.store.write("photo.stored") as tx:
        kept = photos.save(
            tx,
            sha256=photo.sha256,
            phash=photo.phash,
            width_px=photo.width_px,
            height_px=photo.height_px,
            format=photo.format,
            size_bytes=photo.size_bytes,
            exif=photo.exif,
        )
        media.mark_stored(tx, picture.id, kept.id)


def _save_sighting(tx: Tx, stored: StoredPost, post: Post) -> None:
    where, when = _where_when(tx, stored, post)
    sightings.save(tx, stored.id, where, when, duplicate_of=_repeats(tx, stored))


def _where_when(tx: Tx, stored: StoredPost, post: Post) -> tuple[Where, When]:
    """When and where, from everything the post and its photos say."""
    exif = _exif(tx, stored)
    where = resolve_where(
        post.text, point=post.point, place=post.place, exif_point=exif.point, profile_place=post.author.place, lang=post.lang
    )
    seen = [first.posted_at for photo_id in _shown(stored) if (first := photos.first_seen(tx, photo_id, NEAR_BITS))]
    first_seen_at = min(seen, default=None)
    when = resolve_when(
        post.text,
        post.posted_at,
        exif_taken_at=exif.taken_at,
        first_seen_at=first_seen_at if first_seen_at and first_seen_at < post.posted_at else None,
        lang=post.lang,
    )
    return where, when


def _exif(tx: Tx, stored: StoredPost) -> Exif:
    """What the first photo with a record of its own says."""
    found = [exif for photo_id in _shown(stored) if (exif := photos.get(tx, photo_id).exif) is not None]
    return next((exif for exif in found if exif.taken_at or exif.point), Exif())


def _repeats(tx: Tx, stored: StoredPost) -> int | None:
    """The earliest sighting that already shows one of these photos, or a near-identical one."""
    alike: set[int] = set()
    for photo_id in _shown(stored):
        photo = photos.get(tx, photo_id)
        alike.add(photo_id)
        if photo.phash != FLAT:
            alike |= {hit.photo_id for hit in photos.near(tx, photo.phash, NEAR_BITS)}
    earlier = [s for s in sightings.showing(tx, sorted(alike)) if s.post_id != stored.id]
    return (earlier[0].duplicate_of or earlier[0].id) if earlier else None


def _shown(stored: StoredPost) -> list[int]:
    return [picture.photo_id for picture in stored.media if picture.photo_id is not None]
