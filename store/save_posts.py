"""Writes the posts of one page: what is new, what is known, what is an original behind a repost, what is malformed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from store import codec
from store.bans import account_banned
from store.model import Malformed, Post
from store.session import Due, DueKind, Tx
from store.tables import media, posts
from store.tombstones import Kind, Tombstones

_WAITING = ("stored", "extracted", "matched")
_LANES = 10_000
_NEW_ACCOUNT = timedelta(days=7)
_NEW_WEIGHT = 3
_ASKED_OF_KNOWN = ("id", "details", "summons", "direct", "deleted_at", "repost_of_id", "step")
_KNOWN = select(*(posts.c[name] for name in _ASKED_OF_KNOWN)).where(
    posts.c.platform == bindparam("platform"), posts.c.post_id == bindparam("post")
)
_WAITING_OF_AUTHOR = select(func.count()).where(
    posts.c.platform == bindparam("platform"), posts.c.author_id == bindparam("author"), posts.c.step.in_(_WAITING)
)


class Saver:
    """Collects what became of each item of a page while writing it into the transaction."""

    def __init__(self, tx: Tx, stream: str, now: datetime, silent: Callable[[Post], bool]) -> None:
        self.new: list[int] = []
        self.known = 0
        self.failed = 0
        self.erased = 0
        self.newest: datetime | None = None
        self._tx = tx
        self._stream = stream
        self._now = now
        self._silent = silent
        self._tombstones = Tombstones(tx)

    def save(self, item: Post | Malformed) -> None:
        """Store one item of the page, and the original behind it where it is a repost."""
        if isinstance(item, Malformed):
            self._malformed(item)
            return
        if self._buried(item):
            self.erased += 1
            return
        if self.newest is None or item.posted_at > self.newest:
            self.newest = item.posted_at
        behind = item.repost_of
        if behind is None or behind.id == item.id:
            self._post(item, direct=True, original=None)
        elif self._buried(behind):
            self._post(replace(item, raw={}), direct=True, original=None)  # the raw body holds the original's
        else:
            self._post(item, direct=True, original=self._post(behind, direct=False, original=None))

    def _buried(self, post: Post) -> bool:
        """Whether the post or its author was erased for good."""
        stands = self._tombstones.stands
        return stands(Kind.POST, post.platform, post.id) or stands(Kind.AUTHOR, post.platform, post.author.id)

    def _post(self, post: Post, *, direct: bool, original: int | None) -> int:
        row = self._find(post.platform, post.id)
        if row is None or row.details is None:
            values = self._values(post, direct=direct, original=original)
            number = self._insert(post, values) if row is None else self._mend(row.id, post, values)
            self.new.append(number)
            return number
        self.known += 1
        learnt = self._learnt(row, post, direct=direct, original=original)
        self._tx.execute(update(posts).where(posts.c.id == row.id).values(checked_at=self._now, **learnt))
        return int(row.id)

    def _find(self, platform: str, post_id: str) -> Any:
        return self._tx.execute(_KNOWN, {"platform": platform, "post": post_id}).first()

    def _learnt(self, row: Any, post: Post, *, direct: bool, original: int | None) -> dict[str, Any]:
        """What a known post did not say before: a summons (another stream brought it), a deletion, its original."""
        learnt: dict[str, Any] = {}
        if post.summons and not row.summons:
            learnt["summons"] = True
        if direct and not row.direct:
            learnt["direct"] = True
        if learnt and row.step == "decided":
            # What was decided for somebody who had not spoken to the bot is decided anew for somebody who has.
            learnt["step"] = "matched"
            self._tx.leave(Due(DueKind.DECIDE, str(row.id)))
        if post.deleted and row.deleted_at is None:
            learnt["deleted_at"] = self._now
        if original is not None and row.repost_of_id is None:
            learnt["repost_of_id"] = original
        return learnt

    def _values(self, post: Post, *, direct: bool, original: int | None) -> dict[str, Any]:
        banned = account_banned(self._tx, post.platform, post.author.id)
        return {
            "platform": post.platform,
            "post_id": post.id,
            "stream": self._stream,
            "direct": direct,
            "author_id": post.author.id,
            "author_handle": post.author.handle,
            "text": post.text,
            "lang": post.lang,
            "posted_at": post.posted_at,
            "url": post.url,
            "reply_to_id": post.reply_to_id,
            "thread_id": post.thread_id,
            "repost_of_id": original,
            "summons": post.summons,
            "silent": banned or self._silent(post),
            "details": codec.post_out(post),
            "raw": codec.squeeze(post.raw),
            "step": "stored",
            "error": None,
            "lane": self._lane(post, banned=banned),
            "deleted_at": self._now if post.deleted else None,
            "checked_at": self._now,
        }

    def _lane(self, post: Post, *, banned: bool) -> int:
        """How many posts of this author already wait, counted several times for a new account; banned ones come last.

        See :func:`store.posts.pending`.
        """
        if banned:
            return _LANES
        waiting = int(self._tx.execute(_WAITING_OF_AUTHOR, {"platform": post.platform, "author": post.author.id}).scalar_one())
        born = post.author.created_at
        new = born is not None and self._now - born < _NEW_ACCOUNT
        return min(waiting * _NEW_WEIGHT if new else waiting, _LANES - 1)

    def _insert(self, post: Post, values: dict[str, Any]) -> int:
        number = self._tx.execute(insert(posts).values(first_read_at=self._now, **values).returning(posts.c.id)).scalar_one()
        self._pictures(number, post)
        self._tx.leave(Due(DueKind.EXTRACT, str(number), after=values["lane"]))
        return int(number)

    def _mend(self, number: int, post: Post, values: dict[str, Any]) -> int:
        """A body that was malformed is readable now: the post starts its way."""
        self._tx.execute(update(posts).where(posts.c.id == number).values(attempts=0, **values))
        self._pictures(number, post)
        self._tx.leave(Due(DueKind.EXTRACT, str(number), after=values["lane"]))
        return number

    def _pictures(self, number: int, post: Post) -> None:
        rows = [
            {
                "post_id": number,
                "position": position,
                "key": picture.key,
                "urls": list(picture.urls),
                "kind": picture.kind,
                "state": "pending",
            }
            for position, picture in enumerate(post.media)
        ]
        if rows:
            self._tx.execute(insert(media), rows)

    def _malformed(self, item: Malformed) -> None:
        """Keep a body nobody could read, once: by its id, or by its own hash where it has none."""
        self.failed += 1
        body = codec.squeeze(item.raw)
        post_id = item.id or "malformed:" + hashlib.sha256(body).hexdigest()[:32]
        if self._find(item.platform, post_id) is not None or self._tombstones.stands(Kind.POST, item.platform, post_id):
            return
        self._tx.execute(
            insert(posts).values(
                platform=item.platform,
                post_id=post_id,
                stream=self._stream,
                direct=True,
                silent=True,
                raw=body,
                step="failed",
                error=item.error,
                first_read_at=self._now,
            )
        )
