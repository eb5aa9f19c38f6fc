"""From X's JSON to the project's posts: joins a post to its author, media, place and referenced posts.

X's document of 2.167 renames ``tweets`` to ``posts`` in several keys; both spellings are read. What stands where:
https://docs.x.com/x-api/fundamentals/data-dictionary.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from bot.platforms._json import Json, index, instant, is_number, object_, objects, string
from bot.platforms._x_rules import PHOTO_HOSTS, id_time, is_handle, is_id, post_url
from store.model import Author, Datum, GeoPoint, Malformed, Media, PlaceTag, Post

PLATFORM = "x"
_MENTION = re.compile(r"(?<![A-Za-z0-9_@])@([A-Za-z0-9_]{1,15})(?![A-Za-z0-9_@])")
_HASHTAG = re.compile(r"(?<![\w&/])[#＃](\w*[^\W\d_]\w*)")


@dataclass(frozen=True, slots=True)
class Me:
    """The bot's own account: who is summoned, and whose posts are read back."""

    id: str
    handle: str


class Unreadable(ValueError):
    """A body lacks what a post cannot do without; the message names the field."""


@dataclass(frozen=True, slots=True)
class Includes:
    """The objects a page carries beside its posts, by id or key."""

    users: Mapping[str, Json]
    media: Mapping[str, Json]
    places: Mapping[str, Json]
    posts: Mapping[str, Json]

    @classmethod
    def of(cls, body: Json) -> Includes:
        """Index ``includes`` of an answer; whatever has no readable id is left out."""
        given = object_(body.get("includes"))
        return cls(
            users=index(given.get("users"), "id"),
            media=index(given.get("media"), "media_key"),
            places=index(given.get("places"), "id"),
            posts=index([*objects(given.get("tweets")), *objects(given.get("posts"))], "id"),
        )

    def beside(self, *posts: Json) -> dict[str, list[Json]]:
        """The part that belongs to ``posts``, in X's own layout: kept as evidence with each of them."""
        chosen: dict[str, list[Json]] = {
            "users": _pick(self.users, (p.get("author_id") for p in posts)),
            "media": _pick(self.media, (key for p in posts for key in _media_keys(p))),
            "places": _pick(self.places, (object_(p.get("geo")).get("place_id") for p in posts)),
            "tweets": _pick(self.posts, (id_ for p in posts for _, id_ in references(p))),
        }
        return {name: found for name, found in chosen.items() if found}


def read_posts(body: Json, me: Me) -> tuple[Post | Malformed, ...]:
    """Every post of an answer's ``data``, in its order; what cannot be read comes as :class:`Malformed`."""
    includes = Includes.of(body)
    data = body.get("data")
    return tuple(_read_one(item, includes, me) for item in data) if isinstance(data, list) else ()


def _read_one(item: Any, includes: Includes, me: Me) -> Post | Malformed:
    if not isinstance(item, Mapping):
        return Malformed(PLATFORM, None, f"expected an object, found {type(item).__name__}", str(item)[:1000])
    try:
        return _post(item, includes, me, follow=True)
    except Unreadable as error:
        known = item.get("id")
        return Malformed(PLATFORM, known if is_id(known) else None, str(error), {"data": item, "includes": includes.beside(item)})


def _post(item: Json, includes: Includes, me: Me, *, follow: bool) -> Post:
    """``item`` as a post. Raises Unreadable. ``follow`` joins the post it refers to (whose own references X does not send)."""
    post_id = item.get("id")
    if not is_id(post_id):
        raise Unreadable("id: missing or not 1 to 19 digits")
    author = _author(item, includes)
    media = _media(item, includes)
    original = _original(item, media, includes, me) if follow else None
    refers = dict(references(item))
    mentions = _mentions(item)
    beside = [includes.posts[i] for i in refers.values() if i in includes.posts] if follow else []
    return Post(
        platform=PLATFORM,
        id=str(post_id),
        author=author,
        text=full_text(item),
        posted_at=posted_at(item, str(post_id)),
        url=post_url(author.handle, str(post_id)),
        lang=string(item.get("lang")) or "und",
        media=media,
        point=_point(object_(item.get("geo")).get("coordinates")),
        place=_place(item, includes),
        reply_to_id=refers.get("replied_to"),
        thread_id=string(item.get("conversation_id")) or None,
        repost_of=original,
        mentions=tuple(dict.fromkeys(handle for handle, _ in mentions)),
        hashtags=_hashtags(item),
        summons=_summoned(item, mentions, includes, me),
        raw={"data": item, "includes": includes.beside(item, *beside)},
    )


def _original(item: Json, own: Sequence[Media], includes: Includes, me: Me) -> Post | None:
    """The post that holds the sighting which ``item`` only points to, where X sent it along.

    A retweet always points to its original. A quote or a reply without a picture of its own points to the post it quotes or
    answers if that has one: people tag the bot under somebody else's photo. With a picture of its own it is a sighting itself.
    """
    refers = references(item)
    for kind in ("retweeted", "quoted", "replied_to"):
        for found, post_id in refers:
            referenced = includes.posts.get(post_id)
            if found != kind or referenced is None or (own and kind != "retweeted"):
                continue
            try:
                original = _post(referenced, includes, me, follow=False)
            except Unreadable:
                continue  # the post itself is readable and counts; what it points to stays in its raw body
            if original.media or kind == "retweeted":
                return original
    return None


def references(item: Json) -> list[tuple[str, str]]:
    """(type, id) of each post that ``item`` refers to; type is retweeted, quoted or replied_to."""
    listed = objects(item.get("referenced_tweets")) or objects(item.get("referenced_posts"))
    return [(str(r.get("type")), r["id"]) for r in listed if is_id(r.get("id"))]


def _author(item: Json, includes: Includes) -> Author:
    author_id = item.get("author_id")
    if not is_id(author_id):
        raise Unreadable("author_id: missing or not 1 to 19 digits")
    user = includes.users.get(str(author_id), {})
    handle = user.get("username") or item.get("username")
    return Author(
        id=str(author_id),
        handle=handle if isinstance(handle, str) and is_handle(handle) else "",
        name=string(user.get("name")),
        place=string(user.get("location")),
        created_at=instant(user.get("created_at")),
        verified=user.get("verified") is True,
    )


def posted_at(item: Json, post_id: str) -> datetime:
    """``created_at``; where X left it out, the instant in the id, which is when it was handed out."""
    if item.get("created_at") is None and (minted := id_time(post_id)) is not None:
        return minted
    at = instant(item.get("created_at"))
    if at is None:
        raise Unreadable("created_at: not an RFC 3339 instant")
    return at


def full_text(item: Json) -> str:
    """The full text: ``note_tweet`` holds what goes over 280. X escapes ``&``, ``<`` and ``>`` and nothing else."""
    text = _note(item).get("text") or item.get("text")
    if not isinstance(text, str):
        raise Unreadable("text: missing")
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def entities(item: Json, name: str) -> list[Json]:
    """Entities of the short text, then those of the long one."""
    return [*objects(object_(item.get("entities")).get(name)), *objects(object_(_note(item).get("entities")).get(name))]


def _note(item: Json) -> Json:
    return object_(item.get("note_tweet") or item.get("note_post"))


def _mentions(item: Json) -> list[tuple[str, int]]:
    """(handle, first character) of each mention: as X marks them, or as they stand in the text where X marks nothing at all."""
    if not item.get("entities") and not _note(item).get("entities"):
        return [(m[1], m.start()) for m in _MENTION.finditer(full_text(item))]
    found = [(m.get("username"), m.get("start")) for m in entities(item, "mentions")]
    return [(str(handle), start if isinstance(start, int) else 0) for handle, start in found if is_handle(handle)]


def _hashtags(item: Json) -> tuple[str, ...]:
    """As X marks them, or as they stand in the text where X marks nothing at all."""
    if not item.get("entities") and not _note(item).get("entities"):
        return tuple(dict.fromkeys(_HASHTAG.findall(full_text(item))))
    return tuple(dict.fromkeys(string(h.get("tag")) for h in entities(item, "hashtags") if string(h.get("tag"))))


def _summoned(item: Json, mentions: Sequence[tuple[str, int]], includes: Includes, me: Me) -> bool:
    """Whether the author tagged or quoted the bot, so that X's terms let it answer.

    X puts the people of a thread before each reply; such a mention stands before ``display_text_range``. It is not the
    author's own where the answered post is the bot's or names the bot.
    """
    refers = references(item)
    if any(kind == "retweeted" for kind, _ in refers):
        return False  # the names in it are its original's
    if any(kind == "quoted" and string(includes.posts.get(i, {}).get("author_id")) == me.id for kind, i in refers):
        return True
    shown = item.get("display_text_range")
    shown_from = shown[0] if isinstance(shown, list) and shown and isinstance(shown[0], int) else 0
    parents = [includes.posts[i] for kind, i in refers if kind == "replied_to" and i in includes.posts]
    inherited = any(p.get("author_id") == me.id or _names(_mentions(p), me) for p in parents)
    return any(_names([m], me) and not (inherited and m[1] < shown_from) for m in mentions)


def _names(mentions: Iterable[tuple[str, int]], me: Me) -> bool:
    return any(handle.lower() == me.handle.lower() for handle, _ in mentions)


def _media_keys(item: Json) -> list[str]:
    keys = object_(item.get("attachments")).get("media_keys")
    return [k for k in keys if isinstance(k, str)] if isinstance(keys, list) else []


def _media(item: Json, includes: Includes) -> tuple[Media, ...]:
    """The pictures of a post; a video or GIF gives its preview picture."""
    found = []
    for key in dict.fromkeys(_media_keys(item)):
        one = includes.media.get(key, {})
        kind = string(one.get("type"))
        url = string(one.get("url") if kind == "photo" else one.get("preview_image_url"))
        if url:
            found.append(Media(key, sizes(url), kind))
    return tuple(found)


def sizes(url: str) -> tuple[str, ...]:
    """Addresses of one picture, largest first. Only X's own picture host knows sizes; others stay as they are."""
    parts = urlsplit(url)
    stem, dot, suffix = parts.path.rpartition(".")
    if parts.hostname not in PHOTO_HOSTS or not stem.startswith("/media/") or not dot or parts.query:
        return (url,)
    base = f"https://{parts.hostname}{stem}?format={suffix}&name="
    return (f"{base}orig", f"{base}large", url)


def _place(item: Json, includes: Includes) -> PlaceTag | None:
    place = includes.places.get(string(object_(item.get("geo")).get("place_id")))
    if place is None:
        return None
    geo = object_(place.get("geo"))
    box = geo.get("bbox")
    numbers = tuple(float(n) for n in box if is_number(n)) if isinstance(box, list) else ()
    return PlaceTag(
        name=string(place.get("full_name")) or string(place.get("name")),
        point=_point(geo.get("geometry")),
        bbox=(numbers[0], numbers[1], numbers[2], numbers[3]) if len(numbers) == 4 else None,
        kind=string(place.get("place_type")),
        country_code=string(place.get("country_code")),
    )


def _point(value: Any) -> GeoPoint | None:
    """A GeoJSON point, which has the longitude first (RFC 7946, 3.1.1), in WGS 84."""
    pair = object_(value).get("coordinates")
    if not (isinstance(pair, list) and len(pair) == 2 and all(is_number(n) for n in pair)):
        return None
    return GeoPoint(lat=float(pair[1]), lon=float(pair[0]), datum=Datum.WGS84)


def _pick(known: Mapping[str, Json], keys: Iterable[Any]) -> list[Json]:
    return [known[k] for k in dict.fromkeys(k for k in keys if isinstance(k, str)) if k in known]
