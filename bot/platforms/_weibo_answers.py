"""What Weibo's answers hold around the posts: lists, cursors, numbers, accounts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.platforms import _weibo_parse as parse
from bot.platforms._json import whole_number
from store.errors import BadResponse
from store.model import AccountInfo, OwnPost

_VERIFIED_TYPES = ("person", "government", "company", "media", "campus", "website", "application", "organisation")


def items(envelope: Any, key: str, path: str) -> list[Any]:
    """The list under ``key``, or the answer itself where it is a bare list (comments/show_batch).

    Raises:
        BadResponse: there is none; that is not "no posts".
    """
    found = envelope.get(key) if isinstance(envelope, Mapping) else envelope
    if not isinstance(found, list):
        raise BadResponse(f"weibo {path}: the answer holds no list {key!r}")
    return found


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back a poll reads: to an id where there is a cursor, to an instant on the first start."""

    floor_id: int | None
    not_before: datetime

    def covers(self, body: Any) -> bool:
        """Whether ``body`` is still wanted. One without an id or a time is: it must be kept as malformed."""
        id_ = parse.id_of(body)
        if self.floor_id is not None:
            return id_ is None or int(id_) > self.floor_id
        try:
            return parse.created_at(body.get("created_at")) >= self.not_before
        except (AttributeError, ValueError):
            return True

    def new(self, bodies: Sequence[Any], max_id: str | None = None) -> list[Any]:
        """The wanted ones of ``bodies``, without the inclusive ``max_id``, which the page before held."""
        return [b for b in bodies if self.covers(b) and (max_id is None or parse.id_of(b) != max_id)]

    def ends_in(self, bodies: Sequence[Any]) -> bool:
        """Whether a page, newest first, goes back far enough. Its last entry tells: an old one on top may be a pinned one."""
        return not bodies or not self.covers(bodies[-1])


def next_max_id(envelope: Any, bodies: Sequence[Any], max_id: str | None, reach: Reach, count: int) -> str | None:
    """The max_id of the next older page, None at the end.

    Pages come short where the platform filters posts out, so a short page is the end only where its ``next_cursor`` says 0
    or is missing; a page without anything new always is.
    """
    ids = [int(i) for b in bodies if (i := parse.id_of(b)) and i != max_id]
    if not ids or reach.ends_in(bodies):
        return None
    cursor = whole_number(envelope, "next_cursor", 10**20)
    return None if cursor == 0 or (cursor is None and len(bodies) < count) else str(min(ids))


def created(body: Any, path: str) -> datetime:
    """When an entry of the bot's own was made. Raises BadResponse: without it, nothing can be reconciled."""
    try:
        return parse.created_at(body.get("created_at"))
    except (AttributeError, ValueError):
        raise BadResponse(f"weibo {path}: an entry of the bot's own has no time") from None


def own_post(body: Mapping[str, Any], reply_to_id: str | None, url: str) -> OwnPost:
    """A comment or status as one of the bot's own publications. Raises BadResponse."""
    return OwnPost(
        id=parse.id_of(body) or "",
        text=parse.text_of(body),
        reply_to_id=reply_to_id,
        posted_at=created(body, "own posts"),
        url=url,
    )


def account(user: Any, own: Mapping[str, Any]) -> AccountInfo:
    """A user object as an account; ``own`` are the fields known for the bot's own account. Raises BadResponse."""
    try:
        author = parse.author_of(user)
    except (AttributeError, ValueError):
        raise BadResponse("weibo users/show: the answer holds no user") from None
    kind = whole_number(user, "verified_type")
    return AccountInfo(
        id=author.id,
        handle=author.handle,
        name=author.name,
        verified=author.verified,
        verified_type=_VERIFIED_TYPES[kind] if kind is not None and 0 <= kind < len(_VERIFIED_TYPES) else "",
        verified_reason=str(user.get("verified_reason") or ""),
        **own,
    )
