"""Mastodon, over its REST API (https://docs.joinmastodon.org/api/): tag timelines and mentions in, answers out.

Two things differ from other platforms. Answers carry an Idempotency-Key, so that within its hour the server itself refuses to
publish one message twice. And nobody is told of an answer that does not name them, so it begins with its addressee's handle.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import parse_qs, quote, urlsplit

import requests
from pydantic import Field, field_validator

from bot.platforms import _mastodon_parse as parse
from bot.platforms._http import own_base_url
from bot.platforms._mastodon_http import Caller, NotThere
from bot.platforms.base import Platform, PlatformSettings, allowances
from ingest.source import Rules
from store.errors import BadInput, BadResponse, Doubtful, Refused, SettingsError, TargetGone
from store.model import (
    AccountInfo,
    Capability,
    Clock,
    LookUp,
    Malformed,
    Outgoing,
    OwnPost,
    Page,
    Post,
    Sent,
    Stream,
    StreamKind,
)

SECRETS: dict[str, str] = {"MASTODON_ACCESS_TOKEN": "access token of the bot's account (scopes read and write:statuses)"}

_PAGE = 40
_BATCH = 20
_URL = re.compile(r"https?://\S+")
_REMOTE = re.compile(r"(@\w+)@[\w.-]+\w")
_REMEMBERED = 10_000
"""Posts whose author and visibility are remembered, for the answers to them."""


class Settings(PlatformSettings):
    """The keys under ``platforms.mastodon``."""

    base_url: str = Field(default="https://mastodon.social", description="The server the bot's account is on.")
    web_url: str = Field(default="", description="Its address for people, where it differs from base_url.")
    photo_hosts: tuple[str, ...] = Field(default=(), description="Hosts of the server's media storage, beside its own.")
    max_characters: int = Field(default=500, ge=100, description="Characters the server takes (Mastodon: 500).")
    visibility: Literal["public", "unlisted"] = Field(
        default="unlisted", description="Of what the bot says; unlisted is bots' manner."
    )
    overlap_s: float = Field(default=600, ge=0, le=86_400, description="Seconds before the last post that each poll reads again.")

    read_hashtag: bool = Field(default=True, description="Read the campaign's hashtags.")
    read_mentions: bool = Field(default=True, description="Read posts that tag the bot.")
    reply_author: bool = Field(default=True, description="Answer authors who tagged the bot.")
    reply_uninvited: bool = Field(default=False, description="Answer authors who only used the hashtag.")
    mention_others: bool = Field(default=False, description="Mention officials under a post that matched.")
    match_faces: bool = Field(default=False, description="Search faces of photos from here among the registered cases.")

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str) -> str:
        return own_base_url(value)


def build(settings: Settings, secrets: Mapping[str, str], clock: Clock) -> Platform:
    """The Mastodon platform; opens no connection. Raises SettingsError where the token is missing or cannot be one."""
    token = secrets.get("MASTODON_ACCESS_TOKEN", "")
    if not re.fullmatch(r"[!-~]+", token):
        raise SettingsError(
            "platforms.mastodon: MASTODON_ACCESS_TOKEN is not set, or holds a character no token has",
            mend="Create an application in the account's preferences, and put its token into the environment or .env.",
        )
    return Mastodon(settings, Caller(settings.base_url, token, settings.timeout_s, clock), clock)


def rules(settings: Settings, clock: Clock) -> Rules:
    """Limits, lengths and capabilities, which need no token."""
    web = (settings.web_url or settings.base_url).rstrip("/")
    return Rules(
        max_length=settings.max_characters,
        length=length,
        id_key=id_key,
        post_url=lambda author, post_id: f"{web}/@{quote(author, safe='@')}/{quote(post_id, safe='')}",
        mention=lambda handle: "@" + handle.lstrip("@"),
        photo_hosts=(urlsplit(settings.base_url).hostname or "", *settings.photo_hosts),
        capabilities=allowances("mastodon", settings, _WHY),
        photo_headers={},
        overlap_s=settings.overlap_s,
        indexing_delay_s=5.0,
        look_up_batch=_BATCH,
    )


class Mastodon:
    """One Mastodon server as a :class:`bot.platforms.base.Platform`."""

    name = parse.PLATFORM

    def __init__(self, settings: Settings, caller: Caller, clock: Clock) -> None:
        self._settings, self._caller, self._clock = settings, caller, clock
        self._own_id = ""
        self._read: OrderedDict[str, tuple[str, bool]] = OrderedDict()
        self._rules = rules(settings, clock)

    @property
    def rules(self) -> Rules:
        return self._rules

    def read(self, stream: Stream, since: str | None, page: str | None, not_before: datetime) -> Page:
        """One page of a tag timeline or of the mention notifications, newest first; see :class:`ingest.source.Source`.

        The mentions' cursor is a notification's id. A chain ends at its cursor, or without one at ``not_before``.
        """
        window: dict[str, Any] = {"limit": _PAGE}
        searching = stream.kind is StreamKind.HASHTAG
        if since:
            window["since_id"] = earlier_id(since, self._settings.overlap_s) if searching else since
        if page:
            window["max_id"] = page
        if searching:
            path = f"/api/v1/timelines/tag/{quote(stream.query, safe='')}"
            items, links = self._list(path, window)
            statuses = items
        else:
            path = "/api/v1/notifications"
            items, links = self._list(path, {**window, "types[]": "mention"})
            statuses = [i.get("status") if isinstance(i, Mapping) else i for i in items]
        posts = tuple(self._read_one(status) for status in statuses)
        ended = since is None and any(isinstance(p, Post) and p.posted_at < not_before for p in posts)
        wanted = tuple(p for p in posts if since or isinstance(p, Malformed) or p.posted_at >= not_before)
        return Page(wanted, next=None if ended else _older(links), head=None if page else self._head(items, since))

    def _head(self, items: Sequence[Any], since: str | None) -> str | None:
        ids = [i["id"] for i in items if isinstance(i, Mapping) and parse.is_id(i.get("id"))]
        return max([*ids, *([since] if since else [])], key=id_key, default=None)

    def _read_one(self, status: Any) -> Post | Malformed:
        """A status as a post, with the post it answers where the photo is there: people tag the bot under another's photo."""
        reader = parse.Reader(self._me())
        post = reader.post(status)
        if isinstance(post, Post) and post.summons and not post.media and not post.repost_of and post.reply_to_id:
            try:
                parent = self._caller.get(f"/api/v1/statuses/{quote(post.reply_to_id, safe='')}")
                post = reader.post(status, parent.json())
            except NotThere:
                pass  # the answered post is gone; the summons stands by itself
        if isinstance(post, Post):
            self._read[post.id] = (post.author.handle, post.raw.get("visibility") in ("private", "direct"))
            while len(self._read) > _REMEMBERED:
                self._read.popitem(last=False)
        return post

    def look_up(self, ids: Sequence[str]) -> LookUp:
        """Posts by id, one call each; gone is what the server answers with 404 (deleted, or hidden from the bot)."""
        if len(ids) > _BATCH or not all(parse.is_id(i) for i in ids):
            raise BadInput(f"Mastodon: at most {_BATCH} ids of letters and digits at once; {len(ids)} were given")
        posts: list[Post | Malformed] = []
        gone: list[str] = []
        reader = parse.Reader(self._me()) if ids else None
        for post_id in dict.fromkeys(ids):
            try:
                body = self._caller.get(f"/api/v1/statuses/{post_id}").json()
            except NotThere:
                gone.append(post_id)
                continue
            assert reader is not None
            posts.append(reader.post(_object(body)))
        return LookUp(tuple(posts), tuple(gone))

    def say(self, message: Outgoing) -> Sent:
        """Publish with one POST /api/v1/statuses; see :class:`bot.platforms.base.Platform`.

        The Idempotency-Key is made of target and text: sent again within an hour, the server gives the first post back.
        """
        addressee, in_private = self._read.get(message.reply_to_id or "", ("", False))
        text = message.text if not addressee or f"@{addressee}" in message.text else f"@{addressee} {message.text}"
        if not 0 < length(text) <= self._settings.max_characters:
            text = message.text
        if not 0 < length(text) <= self._settings.max_characters:
            raise Refused(f"Mastodon: {length(text)} characters, 1 to {self._settings.max_characters} allowed", code="too_long")
        # Who wrote to the bot in private is answered in private.
        form = {"status": text, "visibility": "direct" if in_private and addressee else self._settings.visibility}
        if message.reply_to_id:
            form["in_reply_to_id"] = message.reply_to_id
        key = hashlib.sha256(f"{message.reply_to_id}\n{message.text}".encode()).hexdigest()
        try:
            response = self._caller.post("/api/v1/statuses", form, {"Idempotency-Key": key})
        except NotThere as error:
            raise (TargetGone(str(error)) if message.reply_to_id else Refused(str(error), code="404")) from None
        body = response.json()
        if not isinstance(body, Mapping) or not parse.is_id(body.get("id")):
            raise Doubtful("Mastodon POST /api/v1/statuses: no id in the answer; it may have been published")
        return Sent(str(body["id"]), body["url"] if isinstance(body.get("url"), str) else "")

    def own_recent(self, reply_to_id: str | None, since: datetime) -> Sequence[OwnPost]:
        """The bot's own posts since ``since``, newest first, narrowed to answers to ``reply_to_id``.

        Raises as :meth:`read`, and BadResponse where ``max_pages`` pages do not reach ``since``: half of it proves nothing.
        """
        path, found = f"/api/v1/accounts/{self._me()}/statuses", list[OwnPost]()
        window: dict[str, Any] = {"limit": _PAGE, "exclude_reblogs": "true"}
        for _ in range(self._settings.max_pages):
            items, links = self._list(path, window)
            read = [parse.own_post(item) for item in items]
            found += [p for p in read if p.posted_at >= since]
            window["max_id"] = _older(links)
            # A pinned post may stand first whatever its age: the last one decides.
            if not window["max_id"] or (read and read[-1].posted_at < since):
                wanted = (p for p in found if reply_to_id is None or p.reply_to_id == reply_to_id)
                return sorted(wanted, key=lambda p: id_key(p.id), reverse=True)
        raise BadResponse(f"Mastodon {path}: more than {self._settings.max_pages} pages since {since.isoformat()}")

    def account(self, handle: str | None = None) -> AccountInfo | None:
        """The account of ``handle`` (``name`` or ``name@server``), or the bot's own. None where there is none."""
        try:
            if handle is None:
                response = self._caller.get("/api/v1/accounts/verify_credentials")
            else:
                response = self._caller.get("/api/v1/accounts/lookup", {"acct": handle.lstrip("@")})
        except NotThere as error:
            if handle is None:
                raise BadResponse(str(error)) from None
            return None
        return parse.account(_object(response.json()))

    def _me(self) -> str:
        """The bot's own account id, asked once a process."""
        if not self._own_id:
            own = self.account()
            self._own_id = own.id if own else ""
        return self._own_id

    def _list(self, path: str, params: Mapping[str, Any]) -> tuple[list[Any], Mapping[str, Any]]:
        """A list answer and its Link header (RFC 8288). Raises BadResponse where it is no list: that is not "no posts"."""
        try:
            response: requests.Response = self._caller.get(path, params)
        except NotThere as error:
            raise BadResponse(str(error)) from None
        body = response.json()
        if not isinstance(body, list):
            raise BadResponse(f"Mastodon GET {path}: expected a list, found {type(body).__name__}")
        return body, response.links


def id_key(value: str) -> str:
    """Ids in order of age: the longer one is later, else the later in the alphabet (Mastodon's rule for its ids)."""
    return f"{len(value):04d}{value}"


def earlier_id(post_id: str, seconds: float) -> str:
    """The id ``seconds`` before ``post_id``: Mastodon's status ids carry milliseconds above 16 bits. Others stay as they are."""
    if not (post_id.isascii() and post_id.isdigit()):
        return post_id
    minted = datetime.fromtimestamp((int(post_id) >> 16) / 1000, tz=UTC) if len(post_id) in (17, 18, 19) else None
    if minted is None or minted < datetime(2016, 1, 1, tzinfo=UTC):
        return post_id
    return str(int(post_id) - (int(timedelta(seconds=seconds).total_seconds() * 1000) << 16))


def length(text: str) -> int:
    """Mastodon's count: an address 23, a mention without its server, everything else by character."""
    rest, addresses = _URL.subn("", text)
    return len(_REMOTE.sub(r"\1", rest)) + 23 * addresses


def _older(links: Mapping[str, Any]) -> str | None:
    """``max_id`` of the Link header's rel="next"."""
    query = parse_qs(urlsplit(str(links.get("next", {}).get("url", ""))).query)
    found = query.get("max_id", [""])[0]
    return found if parse.is_id(found) else None


def _object(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise BadResponse(f"Mastodon: expected an object, found {type(body).__name__}")
    return body


_WHY = {
    Capability.READ_HASHTAG: "The server's tag timeline shows posts of this server and of those it is connected to.",
    Capability.READ_MENTIONS: "Posts that tag the bot arrive as notifications.",
    Capability.REPLY_AUTHOR: "People who tag the bot get one answer.",
    Capability.REPLY_UNINVITED: "Many servers ask bots to answer only those who speak to them: read your server's rules first.",
    Capability.MENTION_OTHERS: "Many servers count mentions that nobody asked for as spam: read your server's rules first.",
    Capability.MATCH_FACES: "Photos here belong to many servers with rules of their own: have your server's agreement first.",
}
