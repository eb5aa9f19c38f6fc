"""Streams and their cursors, the posts that were read, what is still to be done with each, and who opted out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, bindparam, or_, select, update

from store import codec, dialect, media, save_posts
from store.errors import Moved, NotFound
from store.media import StoredMedia
from store.model import Malformed, Post, Stream
from store.session import Due, DueKind, Tx
from store.tables import media as media_table
from store.tables import opt_outs, photos, posts, streams
from store.tally import tally


class Step(StrEnum):
    """stored -> extracted -> matched -> decided; failed and ignored are ends too. A step is marked with its effect."""

    STORED = "stored"
    EXTRACTED = "extracted"
    MATCHED = "matched"
    DECIDED = "decided"
    FAILED = "failed"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Chain:
    """Pages of one poll that are not all read yet: go on at page token ``next``, reading since ``since``; once the last
    page is stored the cursor becomes ``head``."""

    head: str | None
    next: str | None
    since: str | None


@dataclass(frozen=True, slots=True)
class StreamState:
    """Where a stream stands. ``started_at`` is the first time it was ever polled (older posts are never answered)."""

    cursor: str | None
    started_at: datetime
    last_success_at: datetime | None
    last_attempt_at: datetime | None
    last_outcome: str | None
    last_error: str | None
    failures: int
    chain: Chain | None


@dataclass(frozen=True, slots=True)
class PageStored:
    """``new``: row ids stored for the first time (originals of reposts included); the rest is counted.

    ``erased`` posts were erased for good and are not stored again.
    """

    new: tuple[int, ...]
    known: int
    failed: int
    erased: int = 0


@dataclass(frozen=True, slots=True)
class StoredPost:
    """A post with what the store knows about it. ``post.raw`` is empty here (see :func:`raw`) and ``post.repost_of`` too:
    the original is the row ``repost_of_id``. ``post`` is None for a malformed body. ``direct`` is False where it was only
    ever seen as the original of a repost."""

    id: int
    platform: str
    post_id: str
    post: Post | None
    stream: str
    direct: bool
    step: Step
    silent: bool
    attempts: int
    not_before: datetime | None
    error: str | None
    first_read_at: datetime
    deleted_at: datetime | None
    repost_of_id: int | None
    media: tuple[StoredMedia, ...]


# --- streams ----------------------------------------------------------------------------------------------------


def stream_state(tx: Tx, stream: Stream) -> StreamState:
    """Where ``stream`` stands; for one that was never polled, a fresh state that starts now (stored with its first page)."""
    row = tx.execute(select(streams).where(streams.c.key == stream.key)).first()
    if row is None:
        return StreamState(None, tx.now, None, None, None, None, 0, None)
    return StreamState(
        cursor=row.cursor,
        started_at=row.started_at,
        last_success_at=row.last_success_at,
        last_attempt_at=row.last_attempt_at,
        last_outcome=row.last_outcome,
        last_error=row.last_error,
        failures=row.failures,
        chain=None if row.chain is None else Chain(**row.chain),
    )


def save_page(
    tx: Tx,
    stream: Stream,
    page: Iterable[Post | Malformed],
    *,
    now: datetime,
    silent: Callable[[Post], bool],
    cursor: str | None,
    chain: Chain | None,
) -> PageStored:
    """Store one page and move the stream, in the caller's one transaction.

    Posts are unique by (platform, id): what is known stays as it is, except that it learns a deletion, a summons, or a
    readable body where only a malformed one stood. ``silent`` says which posts are never to be answered.
    ``cursor`` None leaves the cursor; ``chain`` is what remains to be read, None when this was the last page.
    """
    saver = save_posts.Saver(tx, stream.key, now, silent)
    for item in page:
        saver.save(item)
    note_poll(tx, stream, "ok", None, now)
    values: dict[str, Any] = {"chain": None if chain is None else {"head": chain.head, "next": chain.next, "since": chain.since}}
    if cursor is not None:
        values["cursor"] = cursor
    if saver.newest is not None:
        values["newest_posted_at"] = saver.newest
    tx.execute(update(streams).where(streams.c.key == stream.key).values(**values))
    return PageStored(tuple(saver.new), saver.known, saver.failed, saver.erased)


def note_poll(tx: Tx, stream: Stream, outcome: str, error: str | None, now: datetime) -> None:
    """Record how a poll ended ("ok", or the platform error's name). Cursor and chain stay as they are."""
    well = outcome == "ok"
    values = {
        "last_attempt_at": now,
        "last_outcome": outcome,
        "last_error": error,
        "failures": 0 if well else streams.c.failures + 1,
    }
    if well:
        values["last_success_at"] = now
    statement = dialect.upsert(streams, ["key"], values).values(
        key=stream.key,
        platform=stream.platform,
        started_at=now,
        last_attempt_at=now,
        last_success_at=now if well else None,
        last_outcome=outcome,
        last_error=error,
        failures=0 if well else 1,
    )
    tx.execute(statement)


# --- what is to be done -----------------------------------------------------------------------------------------


def pending(tx: Tx, step: Step, now: datetime, limit: int) -> list[int]:
    """Ids of posts that wait at ``step``, in the order they are to be worked on.

    Fair by account: an author's second waiting post stands behind everyone's first (its *lane*), so that a flood from
    some accounts delays their own posts and nobody else's. New accounts' further posts count threefold; banned accounts' come
    last.
    """
    due = or_(posts.c.not_before.is_(None), posts.c.not_before <= now)
    query = select(posts.c.id).where(posts.c.step == step.value, due).order_by(posts.c.lane, posts.c.id).limit(limit)
    return list(tx.execute(query).scalars())


def mark(tx: Tx, post_row: int, step: Step, why: str | None = None) -> None:
    """Move a post to ``step`` in the transaction of the step's effect; attempts and waiting start anew."""
    _set(tx, post_row, step=step.value, attempts=0, not_before=None, error=why)


def hold(tx: Tx, post_row: int, step: Step) -> StoredPost:
    """The post, locked until the transaction ends: for a step's last transaction, in which effect and mark are committed.

    Raises:
        Moved: it does not wait at ``step`` any more, or was erased. A worker that stood still for an hour comes back to this,
            and does nothing.
    """
    rows = tx.execute(_HELD, {"row": post_row}).all()
    if not rows or rows[0].step != step.value:
        raise Moved(f"post {post_row} is {rows[0].step if rows else 'gone'} by now, not {step.value}")
    return _post(rows[0], media.of_rows(rows))


def defer(tx: Tx, post_row: int, error: str, not_before: datetime) -> int:
    """Try this post's present step again, not before ``not_before``. Returns how often it has now been tried."""
    _set(tx, post_row, attempts=posts.c.attempts + 1, not_before=not_before, error=error)
    return int(tx.execute(select(posts.c.attempts).where(posts.c.id == post_row)).scalar_one())


def fail(tx: Tx, post_row: int, error: str) -> None:
    """Give a post up, with the reason; it stays readable and can be taken up again with :func:`mark`."""
    _set(tx, post_row, step=Step.FAILED.value, attempts=posts.c.attempts + 1, not_before=None, error=error)


def waits(tx: Tx, post_row: int, step: Step) -> bool:
    """Whether the post waits at ``step``, locked until the transaction ends; see :func:`hold`."""
    try:
        hold(tx, post_row, step)
    except Moved:
        return False
    return True


def _set(tx: Tx, post_row: int, **values: Any) -> None:
    statement = update(posts).where(posts.c.id == post_row).values(**values)
    row = tx.execute(statement.returning(posts.c.step, posts.c.lane, posts.c.not_before)).first()
    if row is None:
        raise NotFound(f"no post is stored as number {post_row}")
    if row.step in WAITING:
        tx.leave(Due(WAITING[row.step], str(post_row), at=row.not_before, after=row.lane))


WAITING = {
    Step.STORED.value: DueKind.EXTRACT,
    Step.EXTRACTED.value: DueKind.SCAN,
    Step.MATCHED.value: DueKind.DECIDE,
}
"""The steps at which a post waits for work, and which."""


# --- reading back -----------------------------------------------------------------------------------------------


# A round asks these many times over: they are built once, for building one takes longer than SQLite's answer. The pictures come
# with the post, in one query; the platform's own body (raw) does not.
_BY_ROW = (
    select(*(column for column in posts.c if column is not posts.c.raw), *media.COLUMNS)
    .select_from(
        posts.outerjoin(media_table, media_table.c.post_id == posts.c.id).outerjoin(photos, photos.c.id == media_table.c.photo_id)
    )
    .where(posts.c.id == bindparam("row"))
    .order_by(media_table.c.position)
)
_HELD = _BY_ROW.with_for_update(of=posts)
_NAMES = select(posts.c.id, posts.c.platform, posts.c.post_id).where(posts.c.id.in_(bindparam("rows", expanding=True)))
_FIND = select(posts.c.id).where(posts.c.platform == bindparam("platform"), posts.c.post_id == bindparam("post"))


def get(tx: Tx, post_row: int) -> StoredPost:
    """The post of row ``post_row`` with its pictures.

    Raises:
        NotFound: there is no such row.
    """
    rows = tx.execute(_BY_ROW, {"row": post_row}).all()
    if not rows:
        raise NotFound(f"no post is stored as number {post_row}")
    return _post(rows[0], media.of_rows(rows))


def find(tx: Tx, platform: str, post_id: str) -> int | None:
    """The row of a platform's post, or None."""
    return tx.execute(_FIND, {"platform": platform, "post": post_id}).scalar()


def name(tx: Tx, post_row: int) -> tuple[str, str] | None:
    """(platform, the platform's id) of a row; None where it is gone."""
    return names(tx, [post_row]).get(post_row)


def names(tx: Tx, post_rows: Sequence[int]) -> dict[int, tuple[str, str]]:
    """:func:`name` of several rows; those that are gone are left out."""
    return {row.id: (row.platform, row.post_id) for row in tx.execute(_NAMES, {"rows": list(post_rows)})}


def raw(tx: Tx, post_row: int) -> Any:
    """The platform's own body of a post, as it was first read."""
    blob = tx.execute(select(posts.c.raw).where(posts.c.id == post_row)).scalar()
    return None if blob is None else codec.unsqueeze(blob)


def _post(row: Row[Any], pictures: tuple[StoredMedia, ...]) -> StoredPost:
    return StoredPost(
        id=row.id,
        platform=row.platform,
        post_id=row.post_id,
        post=None if row.details is None else _restore(row, pictures),
        stream=row.stream,
        direct=row.direct,
        step=Step(row.step),
        silent=row.silent,
        attempts=row.attempts,
        not_before=row.not_before,
        error=row.error,
        first_read_at=row.first_read_at,
        deleted_at=row.deleted_at,
        repost_of_id=row.repost_of_id,
        media=pictures,
    )


def _restore(row: Row[Any], pictures: Sequence[StoredMedia]) -> Post:
    details = row.details
    return Post(
        platform=row.platform,
        id=row.post_id,
        author=codec.author_in(details["author"], row.author_id, row.author_handle),
        text=row.text,
        posted_at=row.posted_at,
        url=row.url,
        lang=row.lang,
        media=tuple(picture.media for picture in pictures),
        point=codec.point_in(details["point"]),
        place=codec.place_in(details["place"]),
        reply_to_id=row.reply_to_id,
        thread_id=row.thread_id,
        mentions=tuple(details["mentions"]),
        hashtags=tuple(details["hashtags"]),
        summons=row.summons,
        deleted=row.deleted_at is not None,
    )


# --- deletions and opt-outs -------------------------------------------------------------------------------------


def mark_deleted(tx: Tx, platform: str, ids: Sequence[str]) -> list[int]:
    """Note that posts are gone from their platform; returns the rows that were not known as gone before."""
    query = (
        update(posts)
        .where(posts.c.platform == platform, posts.c.post_id.in_(list(ids)), posts.c.deleted_at.is_(None))
        .values(deleted_at=tx.now)
        .returning(posts.c.id)
    )
    return sorted(tx.execute(query).scalars())


def to_look_up(tx: Tx, platform: str, not_checked_since: datetime, limit: int) -> list[str]:
    """Platform ids of stored posts whose existence was last seen before ``not_checked_since``, longest ago first."""
    query = (
        select(posts.c.post_id)
        .where(
            posts.c.platform == platform,
            posts.c.deleted_at.is_(None),
            posts.c.details.is_not(None),
            posts.c.checked_at < not_checked_since,
        )
        .order_by(posts.c.checked_at)
        .limit(limit)
    )
    return list(tx.execute(query).scalars())


def mark_looked_up(tx: Tx, platform: str, ids: Sequence[str]) -> None:
    """Note that posts were seen to exist now."""
    tx.execute(update(posts).where(posts.c.platform == platform, posts.c.post_id.in_(list(ids))).values(checked_at=tx.now))


def opt_out(tx: Tx, platform: str, author_id: str, now: datetime) -> bool:
    """Permanent silence towards an author. True if that is new."""
    statement = dialect.upsert(opt_outs, ["platform", "author_id"]).values(platform=platform, author_id=author_id, at=now)
    return tx.execute(statement.returning(opt_outs.c.author_id)).first() is not None


_OPTED_OUT = select(opt_outs.c.at).where(
    opt_outs.c.platform == bindparam("platform"), opt_outs.c.author_id == bindparam("author")
)


def opted_out(tx: Tx, platform: str, author_id: str) -> bool:
    """Whether the author asked never to be spoken to."""
    return tx.execute(_OPTED_OUT, {"platform": platform, "author": author_id}).first() is not None


def counts(tx: Tx) -> dict[Step, int]:
    """How many posts stand at each step."""
    return tally(tx, posts.c.step, Step)
