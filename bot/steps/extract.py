"""Extract: from a stored post to a sighting: its photos fetched and hashed, when and where read, each with its source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.bot import Bot, PlatformSeat
from bot.log import get
from bot.steps.alike import Alike, look_alike
from bot.steps.each import Later, backoff
from ingest.fetch import FetchLimits, fetch_photo
from ingest.when import resolve_when
from ingest.where import resolve_where
from store import media, photos, posts, sightings
from store.errors import Moved, PhotoGone, PhotoRefused, PhotoUnavailable
from store.media import MediaState, StoredMedia
from store.model import Exif, Post, When, Where
from store.posts import Step, StoredPost
from store.session import Tx
from store.sightings import Sighting

log = get("extract")

_ORIGINAL_WAIT_S = 5.0
_LOOKS = 5


def extract(bot: Bot, row: int) -> None:
    """Take one stored post to EXTRACTED (with a sighting where it shows a photo) or IGNORED.

    Effect and mark are one transaction. Fetching happens before it and is idempotent: a photo file is named by its content.

    Raises:
        Later: its original is not extracted yet, or a photo host is down for now.
    """
    with bot.store.read() as tx:
        stored = posts.get(tx, row)
    if stored.step is not Step.STORED:
        raise Moved(f"post {row} is {stored.step.value} by now")
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
    with bot.store.read() as tx:
        shown = _shown(posts.get(tx, row))
        exif = _exif(tx, shown)
    where = _where(post, exif)  # takes longer than all the rest, and no other writer should wait for it
    for _ in range(_LOOKS):
        if _finish(bot, row, post, where, exif, [look_alike(bot, photo_id) for photo_id in shown]):
            return
    raise Later("photos like its own are just coming in", seconds=1.0)


def _finish(bot: Bot, row: int, post: Post, where: Where, exif: Exif, alike: Sequence[Alike]) -> bool:
    """Store the sighting and the mark. False where another worker stored a photo like these since they were compared: then one
    picture would become two sightings, each with its alert, so it is to be looked at again."""
    with bot.store.write("extract.done") as tx:
        posts.hold(tx, row, Step.STORED)
        if not all(one.complete(tx) for one in alike):
            return False
        if alike and sightings.of_post(tx, row) is None:
            same = [one.same for one in alike]
            everything = frozenset[int]().union(*same)
            when = _when(tx, post, exif, everything)
            saved = sightings.save(tx, row, where, when, duplicate_of=_repeats(tx, row, same))
            _take_precedence(tx, saved, everything)
        posts.mark(tx, row, Step.EXTRACTED)
    return True


def read_again(tx: Tx, row: int) -> tuple[Where, When] | None:
    """When and where as today's rules read them, for :func:`store.sightings.update_extraction`; None for an unreadable post."""
    stored, sighting = posts.get(tx, row), sightings.of_post(tx, row)
    if stored.post is None:
        return None
    alike = set(_shown(stored))
    if sighting is not None and sighting.duplicate_of is not None:
        alike |= set(_shown(posts.get(tx, sightings.get(tx, sighting.duplicate_of).post_id)))
    exif = _exif(tx, _shown(stored))
    return _where(stored.post, exif), _when(tx, stored.post, exif, alike)


def _ignore(bot: Bot, row: int, why: str) -> None:
    with bot.store.write("extract.ignored") as tx:
        posts.hold(tx, row, Step.STORED)
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
        raise Later(f"a photo cannot be fetched for now: {unavailable}", seconds=backoff(bot, stored.attempts).total_seconds())


def _fetch_one(bot: Bot, seat: PlatformSeat, picture: StoredMedia) -> None:
    """Fetch, decode and store one picture; what makes it final is stored with it.

    Raises:
        PhotoUnavailable: it may be had later, and tries are left.
    """
    settings, rules = bot.settings.photos, seat.platform.rules
    last_try = picture.attempts + 1 >= settings.attempts
    try:
        if rules.photo_reader is not None:
            data = rules.photo_reader(picture.media.urls[0])
        else:
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
    with bot.store.write("photo.stored", beside=True) as tx:
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


def _where(post: Post, exif: Exif) -> Where:
    """Where, from everything the post and its photos say."""
    return resolve_where(
        post.text, point=post.point, place=post.place, exif_point=exif.point, profile_place=post.author.place, lang=post.lang
    )


def _when(tx: Tx, post: Post, exif: Exif, alike: Iterable[int]) -> When:
    """When, from everything the post and its photos say. ``alike`` are all photos that show the same pictures: a picture that
    was seen earlier was not taken later."""
    seen = [first.posted_at for photo_id in alike if (first := photos.first_seen(tx, photo_id))]
    first_seen_at = min(seen, default=None)
    return resolve_when(
        post.text,
        post.posted_at,
        exif_taken_at=exif.taken_at,
        first_seen_at=first_seen_at if first_seen_at and first_seen_at < post.posted_at else None,
        lang=post.lang,
    )


def _exif(tx: Tx, shown: Iterable[int]) -> Exif:
    """What the first photo with a record of its own says."""
    found = [exif for photo_id in shown if (exif := photos.get(tx, photo_id).exif) is not None]
    return next((exif for exif in found if exif.taken_at or exif.point), Exif())


def _repeats(tx: Tx, row: int, alike: Iterable[frozenset[int]]) -> int | None:
    """The earliest sighting that this one repeats: where every one of its pictures was posted before. One new picture makes
    it a sighting of its own, for another child may be in it.

    *Before* is the order of the posts, not that of the workers; but what is decided already has spoken for its picture.
    """
    firsts = []
    for same in alike:
        earlier = [
            sighting
            for sighting in sightings.showing(tx, sorted(same))
            if sighting.post_id < row or (sighting.post_id > row and _decided(tx, sighting))
        ]
        if not earlier:
            return None
        firsts.append(earlier[0])
    first = min(firsts, key=lambda sighting: sighting.id)
    return first.duplicate_of or first.id


def _take_precedence(tx: Tx, saved: Sighting, same: frozenset[int]) -> None:
    """Later posts with the same pictures, which another worker was quicker with, become repeats of this one."""
    original = saved.duplicate_of or saved.id
    for other in sightings.showing(tx, sorted(same)):
        later = other.post_id > saved.post_id and other.id != original
        if later and not _decided(tx, other) and same.issuperset(_shown(posts.get(tx, other.post_id))):
            sightings.set_duplicate(tx, other.id, original)


def _decided(tx: Tx, sighting: Sighting) -> bool:
    return posts.get(tx, sighting.post_id).step not in (Step.STORED, Step.EXTRACTED, Step.MATCHED)


def _shown(stored: StoredPost) -> list[int]:
    return [picture.photo_id for picture in stored.media if picture.photo_id is not None]
