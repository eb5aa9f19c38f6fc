"""What the local microblog's world is made of: accounts, posts, comments, photos, places."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from store.errors import SuishoupaiError


class WorldError(SuishoupaiError):
    """The world was asked for something it cannot do (an unknown account, post or side)."""


class Side(StrEnum):
    """The platform a post belongs to."""

    WEIBO = "weibo"
    X = "x"


class Role(StrEnum):
    BOT = "bot"
    OFFICIAL = "official"
    PASSER_BY = "passer_by"


@dataclass(frozen=True, slots=True)
class Account:
    """One person or body, with an account on either side.

    ``key`` is its name inside the world. ``verified_type`` is Weibo's (-1 none, 0 a person, 1 government, 2 company, 3 media);
    ``x_verified_type`` is X's (none, blue, business, government). ``province`` and ``city`` are Weibo's own codes.
    """

    key: str
    role: Role
    uid: int
    screen_name: str
    x_id: str
    username: str
    name: str
    created_at: datetime
    verified_type: int = -1
    verified_reason: str = ""
    province: str = "100"
    city: str = "1000"
    location: str = "其他"
    x_verified_type: str = "none"

    def handle(self, side: Side) -> str:
        """The name by which ``side`` mentions this account, without ``@``."""
        return self.screen_name if side is Side.WEIBO else self.username


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture as it was handed in. ``name`` stands in its URL: Weibo's pid, X's media file name."""

    name: str
    media_key: str
    data: bytes
    width_px: int
    height_px: int
    extension: str


@dataclass(frozen=True, slots=True)
class PlaceTag:
    """A place attached to a post. ``bbox`` is (west, south, east, north) in degrees; ``kind`` is X's place_type."""

    id: str
    name: str
    lat: float | None = None
    lon: float | None = None
    bbox: tuple[float, float, float, float] | None = None
    kind: str = "poi"
    country: str = "中国"
    country_code: str = "CN"


@dataclass(frozen=True, slots=True)
class Entry:
    """One post. ``geo`` is (latitude, longitude) exactly as its author gave it: the world converts no datum.

    ``visible_at`` is when lists and look-ups begin to show it (indexing). ``conversation_id`` is the first post of its thread.
    ``unnamed`` are the accounts its author took off the mentions that X puts before an answer.
    """

    id: int
    side: Side
    author: str
    text: str
    posted_at: datetime
    visible_at: datetime
    conversation_id: int
    photos: tuple[str, ...] = ()
    geo: tuple[float, float] | None = None
    place: PlaceTag | None = None
    reply_to: int | None = None
    repost_of: int | None = None
    quote_of: int | None = None
    reply_settings: str = "everyone"
    client: str = "microblog"
    unnamed: tuple[str, ...] = ()
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Comment:
    """A Weibo comment; ``reply_to`` is the comment it answers."""

    id: int
    post_id: int
    author: str
    text: str
    posted_at: datetime
    visible_at: datetime
    reply_to: int | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Publication:
    """One thing that was said through a platform's API, as the client sent it. ``mentions`` are account keys."""

    at: datetime
    side: Side
    kind: str
    id: str
    author: str
    text: str
    target_id: str | None = None
    target_comment_id: str | None = None
    mentions: tuple[str, ...] = ()
