"""From Mastodon's JSON to the project's posts (https://docs.joinmastodon.org/entities/Status/). Pure, and lenient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from html.parser import HTMLParser
from typing import Any

from bot.platforms._json import Json, instant, object_, objects, string
from store.errors import BadResponse
from store.model import AccountInfo, Author, Malformed, Media, OwnPost, Post

PLATFORM = "mastodon"


class Unreadable(ValueError):
    """A status lacks what a post cannot do without; the message names the field."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns statuses into posts. ``me`` is the bot's account id, by which a summons is seen."""

    me: str

    def post(self, status: Any, parent: Any = None) -> Post | Malformed:
        """``status`` as a post, pointing to ``parent`` where it answers a post whose photo it has not itself."""
        if not isinstance(status, Mapping):
            return Malformed(PLATFORM, None, f"expected an object, found {type(status).__name__}", str(status)[:1000])
        try:
            return self._post(status, parent)
        except Unreadable as error:
            return Malformed(PLATFORM, string(status.get("id")) or None, str(error), status)

    def _post(self, status: Json, parent: Any) -> Post:
        mentions = objects(status.get("mentions"))
        reblog = status.get("reblog")
        media = _media(status)
        original = self._original(reblog) if reblog else self._original(parent) if parent and not media else None
        reply_to = string(status.get("in_reply_to_id")) or None
        return Post(
            platform=PLATFORM,
            id=status_id(status),
            author=_author(status),
            text=text_of(status),
            posted_at=posted_at(status),
            url=string(status.get("url")) or string(status.get("uri")),
            lang=string(status.get("language")) or "und",
            media=media,
            reply_to_id=reply_to,
            thread_id=reply_to or status_id(status),
            repost_of=original if original is not None and (reblog or original.media) else None,
            mentions=tuple(string(m.get("acct")) for m in mentions if string(m.get("acct"))),
            hashtags=tuple(string(t.get("name")) for t in objects(status.get("tags")) if string(t.get("name"))),
            summons=not reblog and any(string(m.get("id")) == self.me for m in mentions),
            raw=status if parent is None else {**status, "in_reply_to": parent},
        )

    def _original(self, status: Any) -> Post | None:
        found = self.post(status)
        return found if isinstance(found, Post) else None


def status_id(status: Json) -> str:
    """The id, a text on every server. Raises Unreadable."""
    if not is_id(status.get("id")):
        raise Unreadable("id: missing or not letters and digits")
    return str(status["id"])


def is_id(value: object) -> bool:
    """True for an id as Mastodon (digits) and its relatives (letters too) give them."""
    return isinstance(value, str) and 0 < len(value) <= 64 and value.isascii() and value.replace("-", "").isalnum()


def posted_at(status: Json) -> datetime:
    """``created_at``. Raises Unreadable."""
    at = instant(status.get("created_at"))
    if at is None:
        raise Unreadable("created_at: not an RFC 3339 instant")
    return at


def _author(status: Json) -> Author:
    account = object_(status.get("account"))
    if not is_id(account.get("id")) or not string(account.get("acct")):
        raise Unreadable("account: missing, or without id and acct")
    return Author(
        id=str(account["id"]),
        handle=string(account.get("acct")),
        name=string(account.get("display_name")),
        created_at=instant(account.get("created_at")),
        automated=account.get("bot") is True,
    )


def _media(status: Json) -> tuple[Media, ...]:
    """The pictures; a video gives its preview picture. ``url`` is the original file."""
    found = []
    for one in objects(status.get("media_attachments")):
        kind = "photo" if one.get("type") == "image" else string(one.get("type"))
        full = one.get("url") if kind == "photo" else None
        urls = tuple(dict.fromkeys(string(u) for u in (full, one.get("preview_url")) if string(u).startswith("http")))
        if urls and kind in ("photo", "video", "gifv"):
            found.append(Media(string(one.get("id")) or urls[0], urls, kind))
    return tuple(found)


def text_of(status: Json) -> str:
    """The text of a status's HTML: paragraphs and breaks become line ends, links stay whole. Raises Unreadable."""
    content = status.get("content")
    if not isinstance(content, str):
        raise Unreadable("content: missing")
    reader = _Text()
    reader.feed(content)
    reader.close()
    return "".join(reader.parts).strip()


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "p":
            self.parts.append("\n\n")


def own_post(status: Any) -> OwnPost:
    """One of the bot's own posts. Raises BadResponse: a timeline with holes proves nothing."""
    try:
        if not isinstance(status, Mapping):
            raise Unreadable("not an object")
        reply_to = string(status.get("in_reply_to_id")) or None
        return OwnPost(status_id(status), text_of(status), reply_to, posted_at(status), string(status.get("url")))
    except Unreadable as error:
        raise BadResponse(f"Mastodon: a post of the bot cannot be read ({error})") from error


def account(body: Json) -> AccountInfo:
    """An account. Raises BadResponse where it is none."""
    if not is_id(body.get("id")) or not string(body.get("acct")):
        raise BadResponse("Mastodon: expected an account with id and acct")
    verified = [string(f.get("value")) for f in objects(body.get("fields")) if f.get("verified_at")]
    return AccountInfo(
        id=str(body["id"]),
        handle=string(body.get("acct")),
        name=string(body.get("display_name")),
        verified=bool(verified),
        verified_type="link" if verified else "",
        protected=body.get("locked") is True,
    )
