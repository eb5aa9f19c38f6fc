"""X API v2 objects: posts with the fields asked for, and the users, media, places and posts that expansions add."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.microblog import text as words
from bot.microblog.model import Account, Entry, Photo, PlaceTag, Side
from bot.microblog.world import World
from bot.microblog.x_errors import not_found
from bot.microblog.x_query import Facts

Json = dict[str, Any]

DEFAULTS = {
    "tweet.fields": {"id", "text", "edit_history_tweet_ids"},
    "user.fields": {"id", "name", "username"},
    "media.fields": {"media_key", "type"},
    "place.fields": {"id", "full_name"},
}
MAX_WEIGHT = 280


@dataclass(frozen=True, slots=True)
class Wanted:
    """The field names and expansions a request asked for, defaults included."""

    tweet: frozenset[str]
    user: frozenset[str]
    media: frozenset[str]
    place: frozenset[str]
    expansions: frozenset[str]


def when(at: datetime) -> str:
    """``2021-01-06T18:40:40.000Z``."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


@dataclass(frozen=True, slots=True)
class Shown:
    """A text as X gives it: leading mentions of whom it answers, t.co addresses; what a reader sees of it stands in ``range``."""

    text: str
    range: tuple[int, int]
    entities: Json


class XShapes:
    """Renders the world as X would. ``base`` is the address media are served under (``http://127.0.0.1:8765/x``)."""

    def __init__(self, world: World, base: str) -> None:
        self.world = world
        self.base = base

    def listing(self, entries: Iterable[Entry], wanted: Wanted) -> Json:
        """``data`` and ``includes`` (and ``errors`` for what can no longer be included); empty parts are left out."""
        found = list(entries)
        body: Json = {}
        if found:
            body["data"] = [_only(self.tweet(e), wanted.tweet) for e in found]
        includes, errors = self._includes(found, wanted)
        if includes:
            body["includes"] = includes
        if errors:
            body["errors"] = errors
        return body

    def tweet(self, entry: Entry) -> Json:
        """Every field this server knows of a post."""
        account = self.world.account(entry.author)
        shown = self.shown(entry)
        number = str(entry.id)
        body: Json = {
            "id": number,
            "text": shown.text,
            "display_text_range": list(shown.range),
            "edit_history_tweet_ids": [number],
            "author_id": account.x_id,
            "conversation_id": str(entry.conversation_id),
            "created_at": when(entry.posted_at),
            "lang": words.language(entry.text),
            "possibly_sensitive": False,
            "reply_settings": entry.reply_settings,
            "source": entry.client,
            "public_metrics": self._metrics(entry),
        }
        if shown.entities:
            body["entities"] = shown.entities
        if words.x_length(entry.text) > MAX_WEIGHT:
            body["note_tweet"] = {"text": shown.text}
            body["text"] = _cut(shown.text)
            body.pop("entities", None)
        if entry.photos:
            body["attachments"] = {"media_keys": [self.world.photos[name].media_key for name in entry.photos]}
        if geo := self._geo(entry):
            body["geo"] = geo
        if entry.reply_to is not None:
            body["in_reply_to_user_id"] = self.world.account(self.world.entry(entry.reply_to).author).x_id
        if references := _references(entry):
            body["referenced_tweets"] = [{"type": kind, "id": str(number)} for kind, number in references]
        return body

    def shown(self, entry: Entry) -> Shown:
        """The text as X gives it back, which is not byte for byte what was sent."""
        text, expanded = entry.text, {}
        for span in reversed(words.links(text)):
            short = words.short_link(span.value)
            expanded[short] = span.value
            text = text[: span.start] + short + text[span.end :]
        if entry.repost_of is not None:
            original = self.world.entry(entry.repost_of)
            text = f"RT @{self.world.account(original.author).username}: {self.shown(original).text}"
        lead = "".join(f"@{handle} " for handle in self.world.led_by(entry))
        text = lead + text
        seen = (len(lead), len(text))
        media = {}
        if entry.photos:
            short = words.short_link(f"photo:{entry.id}")
            media[short] = self.world.photos[entry.photos[0]].media_key
            expanded[short] = f"https://x.com/{self.world.account(entry.author).username}/status/{entry.id}/photo/1"
            text = f"{text} {short}".strip()
        return Shown(text, seen, self._entities(text, expanded, media))

    def user(self, account: Account) -> Json:
        """Every field this server knows of an account."""
        return {
            "id": account.x_id,
            "name": account.name,
            "username": account.username,
            "created_at": when(account.created_at),
            "description": account.verified_reason,
            "location": account.location,
            "protected": False,
            "verified": account.x_verified_type != "none",
            "verified_type": account.x_verified_type,
            "profile_image_url": f"{self.base}/face/{account.x_id}.svg",
            "public_metrics": {
                "followers_count": 0,
                "following_count": 0,
                "tweet_count": sum(e.author == account.key for e in self.world.posts(Side.X)),
                "listed_count": 0,
            },
        }

    def media(self, photo: Photo) -> Json:
        """A photo."""
        url = f"{self.base}/media/{photo.name}.{photo.extension}"
        size = {"width": photo.width_px, "height": photo.height_px}
        return {"media_key": photo.media_key, "type": "photo", "url": url, **size}

    def place(self, place: PlaceTag) -> Json:
        """A place. A point without a box becomes a box of no size, as X gives points of interest."""
        bbox = place.bbox or (place.lon or 0.0, place.lat or 0.0, place.lon or 0.0, place.lat or 0.0)
        return {
            "id": place.id,
            "full_name": place.name,
            "name": place.name,
            "country": place.country,
            "country_code": place.country_code,
            "place_type": place.kind,
            "geo": {"type": "Feature", "bbox": list(bbox), "properties": {}},
        }

    def facts(self, entry: Entry) -> Facts:
        """What a search query can ask of ``entry``."""
        source = self.world.entry(entry.repost_of) if entry.repost_of is not None else entry
        text = self.shown(entry).text
        handles = frozenset(s.value.lower() for s in words.mentions(text, Side.X))
        tags = frozenset(s.value.lower() for s in words.topics(source.text, Side.X))
        has = {
            "images": bool(source.photos),
            "media": bool(source.photos),
            "links": bool(words.links(source.text)),
            "hashtags": bool(tags),
            "mentions": bool(handles),
            "geo": source.geo is not None or source.place is not None,
        }
        kinds = {"retweet": entry.repost_of, "reply": entry.reply_to, "quote": entry.quote_of}
        return Facts(
            text=f"{text} {source.text}".lower(),
            author=self.world.account(entry.author).username.lower(),
            hashtags=tags,
            mentions=handles,
            reply_to=self._answered(entry),
            lang=words.language(source.text),
            conversation_id=str(entry.conversation_id),
            has=frozenset(name for name, there in has.items() if there),
            kinds=frozenset(name for name, there in kinds.items() if there is not None),
        )

    def _answered(self, entry: Entry) -> str:
        if entry.reply_to is None:
            return ""
        return self.world.account(self.world.entry(entry.reply_to).author).username.lower()

    def _entities(self, text: str, expanded: Mapping[str, str], media: Mapping[str, str]) -> Json:
        urls: list[Json] = []
        for span in words.links(text):
            address = expanded.get(span.value, span.value)
            extra = {"media_key": media[span.value]} if span.value in media else {}
            shown = address.split("://", 1)[-1][:30]
            found_at = {"start": span.start, "end": span.end, "url": span.value}
            urls.append({**found_at, "expanded_url": address, "display_url": shown, **extra})
        found: Json = {
            "hashtags": [{"start": s.start, "end": s.end, "tag": s.value} for s in words.topics(text, Side.X)],
            "mentions": [self._mention(s) for s in words.mentions(text, Side.X)],
            "urls": urls,
        }
        return {name: spans for name, spans in found.items() if spans}

    def _mention(self, span: words.Span) -> Json:
        account = self.world.by_handle(Side.X, span.value)
        known = {"id": account.x_id} if account else {}
        return {"start": span.start, "end": span.end, "username": span.value, **known}

    def _geo(self, entry: Entry) -> Json:
        geo: Json = {}
        if entry.place is not None:
            geo["place_id"] = entry.place.id
        if entry.geo is not None:
            lat, lon = entry.geo
            geo["coordinates"] = {"type": "Point", "coordinates": [lon, lat]}
        return geo

    def _metrics(self, entry: Entry) -> Json:
        others = self.world.about(entry.id)
        return {
            "retweet_count": sum(e.repost_of == entry.id for e in others),
            "reply_count": sum(e.reply_to == entry.id for e in others),
            "quote_count": sum(e.quote_of == entry.id for e in others),
            "like_count": 0,
            "bookmark_count": 0,
            "impression_count": 0,
        }

    def _includes(self, entries: list[Entry], wanted: Wanted) -> tuple[Json, list[dict[str, str]]]:
        asked = wanted.expansions
        gone: list[dict[str, str]] = []
        referenced: dict[int, Entry] = {}
        if any(name.startswith("referenced_tweets.id") for name in asked):
            for number in dict.fromkeys(n for e in entries for _, n in _references(e)):
                other = self.world.visible(number, Side.X)
                if other is None:
                    gone.append(not_found("referenced_tweets.id", str(number), "tweet"))
                else:
                    referenced[number] = other
        users = self._included_users(entries, list(referenced.values()), asked)
        media: dict[str, Photo] = {}
        if "attachments.media_keys" in asked:
            media |= self._photos(entries)
        if "referenced_tweets.id.attachments.media_keys" in asked:
            media |= self._photos(referenced.values())
        places = {e.place.id: e.place for e in entries if e.place} if "geo.place_id" in asked else {}
        includes: Json = {
            "users": [_only(self.user(u), wanted.user) for u in users],
            "tweets": [_only(self.tweet(e), wanted.tweet) for e in referenced.values()],
            "media": [_only(self.media(p), wanted.media) for p in media.values()],
            "places": [_only(self.place(p), wanted.place) for p in places.values()],
        }
        return {name: items for name, items in includes.items() if items}, gone

    def _included_users(self, entries: list[Entry], referenced: list[Entry], asked: frozenset[str]) -> list[Account]:
        keys: list[str] = []
        if "author_id" in asked:
            keys += [e.author for e in entries]
        if "in_reply_to_user_id" in asked:
            keys += [self.world.entry(e.reply_to).author for e in entries if e.reply_to is not None]
        if "entities.mentions.username" in asked:
            keys += [key for e in entries for key in self.world.mentioned(e)]
        if "referenced_tweets.id.author_id" in asked:
            keys += [e.author for e in referenced]
        return [self.world.account(key) for key in dict.fromkeys(keys)]

    def _photos(self, entries: Iterable[Entry]) -> dict[str, Photo]:
        return {name: self.world.photos[name] for e in entries for name in e.photos}


def _only(body: Json, fields: frozenset[str]) -> Json:
    return {name: value for name, value in body.items() if name in fields}


def _references(entry: Entry) -> list[tuple[str, int]]:
    kinds = (("replied_to", entry.reply_to), ("quoted", entry.quote_of), ("retweeted", entry.repost_of))
    return [(kind, number) for kind, number in kinds if number is not None]


def _cut(text: str) -> str:
    kept = text
    while words.x_length(kept) > MAX_WEIGHT - 26:
        kept = kept[:-4]
    return f"{kept}… https://t.co/{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def place_id(name: str) -> str:
    """A place id in X's shape: 16 hexadecimal digits."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]
