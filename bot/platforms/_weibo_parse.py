"""Reads Weibo's JSON into the project's words. Pure, and lenient: only an id, a time and an author are required.

Shapes as recorded: search returns ``pic_ids``, timelines ``pic_urls``; ids come as numbers and strings; coordinates are
[lat, lon] in GCJ-02; ``annotations`` may be a list, an object or absent; a deleted status may have no author.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from bot.platforms._weibo_ids import base62, id_time, status_part
from store.model import Author, Datum, GeoPoint, Malformed, Media, PlaceTag, Post

PLATFORM = "weibo"
SIZES = ("large", "mw690", "bmiddle", "thumbnail")
"""Path words of sinaimg.cn, largest first; ``large`` is the uploaded picture."""

_MONTHS = {m: i for i, m in enumerate(("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1)}
_CREATED = re.compile(r"\w{3} (\w{3}) (\d{1,2}) (\d\d:\d\d:\d\d) ([+-]\d{4}) (\d{4})")
_DELETED = re.compile(r"(抱歉，)?(该|此)微博已被(原?作者)?删除")
_HIDDEN = re.compile(r"抱歉，由于作者设置，你暂时没有这条微博的查看权限")
_REPLIES_TO = re.compile(r"^\s*回复@[^:：\s]+\s*[:：]")
_MENTION = re.compile(r"(?<![A-Za-z0-9._%+-])@([\w-]{1,30})")
_HASHTAG = re.compile(r"#([^#\n]{1,100})#")
_CJK = re.compile(r"[一-鿿]")


class Unreadable(ValueError):
    """A body lacks what every post must have."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns bodies into posts. ``photo_url`` is the pattern for bare picture ids, ``web_url`` the site's address.

    ``is_bot`` tells whether a mentioned handle is the bot's own; ``long_texts`` holds full texts by status id.
    """

    photo_url: str
    web_url: str
    is_bot: Callable[[str], bool]
    long_texts: Mapping[str, str] = field(default_factory=dict)

    def post(self, status: Any, *, summons: bool = False) -> Post | Malformed:
        """``status`` as a post; a Malformed with the raw body where it cannot be read, never an exception."""
        return _guarded(status, lambda: self._status(status, summons=summons))

    def comment(self, comment: Any) -> Post | Malformed:
        """A comment that names the bot, as a post that links to the status under which it stands.

        Its id is ``<status id>_<comment id>``: both are needed to answer it.
        """
        return _guarded(comment, lambda: self._comment(comment))

    def reply(self, comment: Any) -> Post | Malformed:
        """A comment that answers the bot, as :meth:`comment` gives it; a summons only where it names the bot beside the
        "回复@name:" with which the platform begins every answer."""

        def read() -> Post:
            post = self._comment(comment)
            named = _found(_MENTION, _REPLIES_TO.sub("", post.text))
            return replace(post, summons=any(map(self.is_bot, named)))

        return _guarded(comment, read)

    def post_url(self, author: str, post_id: str) -> str:
        """The public address; a comment's is its status's."""
        return f"{self.web_url}/{author}/{base62(status_part(post_id))}"

    def _status(self, status: Mapping[str, Any], *, summons: bool = False) -> Post:
        id_ = id_of(status)
        if id_ is None:
            raise Unreadable("the status has no id")
        gone = is_deleted(status)
        text = self.long_texts.get(id_) or text_of(status)
        user = status.get("user")
        author = author_of(user) if isinstance(user, Mapping) else Author(id="", handle="")
        original = status.get("retweeted_status")
        repost_of = self._status(original) if isinstance(original, Mapping) else None
        mentions = _found(_MENTION, text)
        return Post(
            platform=PLATFORM,
            id=id_,
            author=author,
            text=text,
            posted_at=_posted_at(status, id_, gone),
            url=self.post_url(author.id, id_) if author.id else "",
            lang=_lang(text, user),
            media=() if gone else self._media(status),
            point=_point_of(status.get("geo")),
            place=place_of(status.get("annotations")),
            reply_to_id=_plain(status.get("in_reply_to_status_id")) or None,
            thread_id=(repost_of.thread_id or repost_of.id) if repost_of else id_,
            repost_of=repost_of,
            mentions=mentions,
            hashtags=hashtags(text),
            summons=(summons or any(map(self.is_bot, mentions))) and not gone,
            deleted=gone,
            raw=status,
        )

    def _comment(self, comment: Mapping[str, Any]) -> Post:
        id_ = id_of(comment)
        under = comment.get("status")
        user = comment.get("user")
        if id_ is None or not isinstance(under, Mapping) or not isinstance(user, Mapping):
            raise Unreadable("the comment has no id, no author or no status")
        original = self._status(under)
        author = author_of(user)
        text = text_of(comment)
        return Post(
            platform=PLATFORM,
            id=f"{original.id}_{id_}",
            author=author,
            text=text,
            posted_at=created_at(comment.get("created_at")),
            url=original.url,
            lang=_lang(text, user),
            reply_to_id=original.id,
            thread_id=original.thread_id,
            repost_of=original,
            mentions=_found(_MENTION, text),
            hashtags=hashtags(text),
            summons=True,
            raw=comment,
        )

    def _media(self, status: Mapping[str, Any]) -> tuple[Media, ...]:
        first = next((u for k in ("original_pic", "bmiddle_pic", "thumbnail_pic") if (u := _plain(status.get(k)))), "")
        urls = [_picture_url(p) for p in _list(status.get("pic_urls"))]
        by_key = {picture_key(u): u for u in (*urls, first) if u}
        pids = [p for p in map(_plain, _list(status.get("pic_ids"))) if p] or list(by_key)
        return tuple(Media(key=pid, urls=self._sizes(by_key.get(pid) or self._beside(first, pid))) for pid in dict.fromkeys(pids))

    def _beside(self, first: str, pid: str) -> str:
        """The address of ``pid``: beside the status's first picture, whose host the platform itself named, else by pattern."""
        key = picture_key(first) if first else ""
        return first.replace(key, pid) if key else self.photo_url.replace("{pid}", pid)

    @staticmethod
    def _sizes(url: str) -> tuple[str, ...]:
        """``url`` in each size from large to small; one address where its path names no size."""
        if (urlsplit(url).hostname or "").endswith(".sinaimg.cn"):
            url = "https://" + url.partition("://")[2]
        named = next((s for s in SIZES if f"/{s}/" in url), None)
        return tuple(url.replace(f"/{named}/", f"/{s}/", 1) for s in SIZES) if named else (url,)


def _guarded(body: Any, read: Callable[[], Post]) -> Post | Malformed:
    raw = body if isinstance(body, Mapping) else {"body": body}
    try:
        if not isinstance(body, Mapping):
            raise Unreadable(f"expected an object, got {type(body).__name__}")
        return read()
    except (Unreadable, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        return Malformed(PLATFORM, id_of(body), f"{type(error).__name__}: {error}", raw)


# --- single values -------------------------------------------------------------------------------------------------


def id_of(body: Any) -> str | None:
    """The id of a status or comment as text: ``idstr``, else ``id``, else ``mid`` (which differs for comments)."""
    if not isinstance(body, Mapping):
        return None
    ids = (_plain(body.get(k)) for k in ("idstr", "id", "mid"))
    return next((i for i in ids if i.isascii() and i.isdigit()), None)


def created_at(value: Any) -> datetime:
    """``Fri Jan 06 23:00:21 +0800 2017`` as an instant, whatever the process's locale.

    Raises:
        Unreadable: it is of another form.
    """
    match = _CREATED.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[1] not in _MONTHS:
        raise Unreadable(f"created_at {value!r} is no time")
    return datetime.strptime(f"{match[5]}-{_MONTHS[match[1]]}-{match[2]} {match[3]} {match[4]}", "%Y-%m-%d %H:%M:%S %z")


def is_deleted(status: Mapping[str, Any]) -> bool:
    """Whether a status is deleted or hidden: its mark, the sentence the platform puts in its place, or no author."""
    if _plain(status.get("deleted")) in ("1", "true", "True") or not isinstance(status.get("user"), Mapping):
        return True
    text = _plain(status.get("text"))
    return len(text) < 60 and bool(_DELETED.match(text) or _HIDDEN.match(text))


def text_of(body: Mapping[str, Any]) -> str:
    """The text, with the entities that Weibo escapes (``&lt;``) undone."""
    long_text = body.get("longText")
    full = long_text.get("longTextContent") or long_text.get("content") if isinstance(long_text, Mapping) else long_text
    return html.unescape(_plain(full) or _plain(body.get("text")))


def needs_long_text(status: Any) -> list[str]:
    """The ids of this status and of its original whose text is cut short."""
    if not isinstance(status, Mapping):
        return []
    id_ = id_of(status)
    mine = [id_] if id_ and status.get("isLongText") is True and not status.get("longText") and not is_deleted(status) else []
    return mine + needs_long_text(status.get("retweeted_status"))


def author_of(user: Mapping[str, Any]) -> Author:
    """A user as an author. ``place`` is the profile's own words, else its province as a division code."""
    id_ = _plain(user.get("idstr")) or _plain(user.get("id"))
    if not id_:
        raise Unreadable("the author has no id")
    province = _plain(user.get("province"))
    handle = _plain(user.get("screen_name")) or _plain(user.get("name"))
    try:
        since: datetime | None = created_at(user.get("created_at"))
    except (Unreadable, ValueError):
        since = None
    return Author(
        id=id_,
        handle=handle,
        name=_plain(user.get("name")) or handle,
        place=_plain(user.get("location")) or (f"{province}0000" if re.fullmatch(r"[1-8]\d", province) else ""),
        created_at=since,
        verified=user.get("verified") is True,
    )


def place_of(annotations: Any) -> PlaceTag | None:
    """The first place of ``annotations``; None where there is none or it has neither a name nor a point."""
    for annotation in [annotations] if isinstance(annotations, Mapping) else _list(annotations):
        place = annotation.get("place") if isinstance(annotation, Mapping) else None
        if isinstance(place, Mapping):
            name, point = _plain(place.get("title")), _point(place.get("lat"), place.get("lon"))
            if name or point:
                return PlaceTag(name=name, point=point, kind=_plain(place.get("type")))
    return None


def picture_key(url: str) -> str:
    """The picture id in a picture's address: the file's name without its ending."""
    return urlsplit(url).path.rpartition("/")[2].partition(".")[0]


def _picture_url(entry: Any) -> str:
    if isinstance(entry, Mapping):
        return next((u for k in ("original_pic", "bmiddle_pic", "thumbnail_pic", "url") if (u := _plain(entry.get(k)))), "")
    return _plain(entry)


def _point_of(geo: Any) -> GeoPoint | None:
    pair = geo.get("coordinates") if isinstance(geo, Mapping) else None
    return _point(pair[0], pair[1]) if isinstance(pair, list) and len(pair) == 2 else None


def _point(lat: Any, lon: Any) -> GeoPoint | None:
    """A point in GCJ-02, None for (0, 0), which means none, and for what is no position on Earth."""
    try:
        north, east = float(lat), float(lon)
    except (TypeError, ValueError):
        return None
    real = math.isfinite(north) and math.isfinite(east) and abs(north) <= 90 and abs(east) <= 180
    return GeoPoint(north, east, Datum.GCJ02) if real and (north, east) != (0.0, 0.0) else None


def _posted_at(status: Mapping[str, Any], id_: str, gone: bool) -> datetime:
    try:
        return created_at(status.get("created_at"))
    except (Unreadable, ValueError):
        if not gone:
            raise
        return id_time(id_)


def _lang(text: str, user: Any) -> str:
    """English where the profile is and the author's own words (names and topics apart) hold nothing Chinese."""
    profile = _plain(user.get("lang")) if isinstance(user, Mapping) else ""
    own_words = _MENTION.sub("", _HASHTAG.sub("", text))
    return "en" if profile.startswith("en") and not _CJK.search(own_words) else "zh"


def hashtags(text: str) -> tuple[str, ...]:
    """The topics ``#...#`` in ``text``, each once."""
    return _found(_HASHTAG, text)


def _found(pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(m.strip() for m in pattern.findall(text) if m.strip()))


def _list(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else ()


def _plain(value: Any) -> str:
    """Text or a whole number as text; everything else as the empty text."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) else ""
