"""The pictures of posts and how far the fetching of each is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, bindparam, or_, select, update

from store.errors import NotFound
from store.model import Media
from store.session import Tx
from store.tables import media, photos, posts


class MediaState(StrEnum):
    """pending until fetched; refused is final (hostile, unreadable, wrong host), failed means given up after trying."""

    PENDING = "pending"
    STORED = "stored"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class StoredMedia:
    """One picture of a post and how far its fetching is. ``photo_id`` and ``sha256`` are set once it is stored."""

    id: int
    post_id: int
    position: int
    media: Media
    state: MediaState
    error: str | None
    attempts: int
    not_before: datetime | None
    photo_id: int | None
    sha256: str | None


COLUMNS = (*(column.label(f"media_{column.name}") for column in media.c), photos.c.sha256.label("media_sha256"))
"""A picture's columns under names of their own, for a query that joins ``media`` and ``photos`` to something else."""
_ALL = select(*COLUMNS).select_from(media.outerjoin(photos, photos.c.id == media.c.photo_id))
_OF_POST = _ALL.where(media.c.post_id == bindparam("post")).order_by(media.c.position)



def of_post(tx: Tx, post_row: int) -> tuple[StoredMedia, ...]:
    """The pictures of a post, in the post's order."""
    return of_rows(tx.execute(_OF_POST, {"post": post_row}))


def pending(tx: Tx, now: datetime, limit: int) -> tuple[StoredMedia, ...]:
    """Pictures that are to be fetched now, of posts that still exist; the post's fair lane orders them."""
    due = or_(media.c.not_before.is_(None), media.c.not_before <= now)
    query = (
        _ALL
        .join(posts, posts.c.id == media.c.post_id)
        .where(media.c.state == MediaState.PENDING.value, due, posts.c.deleted_at.is_(None))
        .order_by(posts.c.lane, media.c.id)
        .limit(limit)
    )
    return of_rows(tx.execute(query))


def mark_stored(tx: Tx, media_id: int, photo_id: int) -> None:
    """The picture was fetched: it shows photo ``photo_id``."""
    _set(tx, media_id, state=MediaState.STORED.value, photo_id=photo_id, error=None, not_before=None)


def mark_refused(tx: Tx, media_id: int, error: str) -> None:
    """The picture cannot or may not be used. Final."""
    _set(tx, media_id, state=MediaState.REFUSED.value, attempts=media.c.attempts + 1, error=error, not_before=None)


def mark_failed(tx: Tx, media_id: int, error: str) -> None:
    """Fetching was given up after trying."""
    _set(tx, media_id, state=MediaState.FAILED.value, attempts=media.c.attempts + 1, error=error, not_before=None)


def defer(tx: Tx, media_id: int, error: str, not_before: datetime) -> int:
    """Try again later. Returns how often it has now been tried."""
    _set(tx, media_id, attempts=media.c.attempts + 1, error=error, not_before=not_before)
    return int(tx.execute(select(media.c.attempts).where(media.c.id == media_id)).scalar_one())


def posts_showing(tx: Tx, photo_id: int) -> list[int]:
    """Rows of the posts that show a photo, oldest row first."""
    return list(
        tx.execute(select(media.c.post_id).where(media.c.photo_id == photo_id).distinct().order_by(media.c.post_id)).scalars()
    )


def _set(tx: Tx, media_id: int, **values: Any) -> None:
    waiting = media.c.state == MediaState.PENDING.value
    if tx.execute(update(media).where(media.c.id == media_id, waiting).values(**values)).rowcount == 1:
        return
    # Two may fetch one picture at once, or one come back late: what is final stays.
    if tx.execute(select(media.c.id).where(media.c.id == media_id)).first() is None:
        raise NotFound(f"no picture is stored as number {media_id}")


def of_rows(rows: Iterable[Row[Any]]) -> tuple[StoredMedia, ...]:
    """The pictures of rows that hold :data:`COLUMNS`, leaving out rows without a picture."""
    return tuple(
        StoredMedia(
            id=row.media_id,
            post_id=row.media_post_id,
            position=row.media_position,
            media=Media(row.media_key, tuple(row.media_urls), row.media_kind),
            state=MediaState(row.media_state),
            error=row.media_error,
            attempts=row.media_attempts,
            not_before=row.media_not_before,
            photo_id=row.media_photo_id,
            sha256=row.media_sha256,
        )
        for row in rows
        if row.media_id is not None
    )
