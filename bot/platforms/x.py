"""X (formerly Twitter), through tweepy's v2 client: recent search and mentions for reading, replies in user context for speaking.

Reading: GET /2/tweets/search/recent reaches 7 days back, GET /2/users/:id/mentions 800 posts. Both are paged with one
``since_id`` and the answer's ``next_token``; the page token of this adapter holds both, so that a chain keeps its window.
What X's terms forbid without its approval is off until ``approvals`` records one.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import requests
import tweepy
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bot.platforms import _x_answers as answers
from bot.platforms import _x_parse as parse
from bot.platforms import _x_rules as facts
from bot.platforms._http import json_object, own_base_url
from bot.platforms._x_transport import Session
from bot.platforms._x_window import SEARCH_DAYS, Chain
from bot.platforms.base import Platform, PlatformSettings
from ingest.source import Rules
from store.errors import BadInput, BadResponse, Doubtful, PlatformError, Refused, SettingsError
from store.model import (
    AccountInfo,
    Allowance,
    Capability,
    Clock,
    LookUp,
    Outgoing,
    OwnPost,
    Page,
    Sent,
    Stream,
    StreamKind,
)

_log = logging.getLogger(__name__)

SECRETS: dict[str, str] = {
    "X_BEARER_TOKEN": "bearer token of the X app, for reading",
    "X_CONSUMER_KEY": "API key of the X app, for writing",
    "X_CONSUMER_SECRET": "API key secret of the X app, for writing",
    "X_ACCESS_TOKEN": "access token of the bot's own account (Read and write)",
    "X_ACCESS_TOKEN_SECRET": "access token secret of the bot's own account",
}

_PAGE = 100
_MENTIONS_WINDOW = 800
_LOOK_UP = 100
_POST_FIELDS = [
    "attachments", "author_id", "conversation_id", "created_at", "display_text_range", "entities", "geo", "id",
    "in_reply_to_user_id", "lang", "note_tweet", "referenced_tweets", "text",
]  # fmt: skip
_JOINED: dict[str, Any] = {
    "expansions": [
        "author_id", "attachments.media_keys", "geo.place_id", "referenced_tweets.id", "referenced_tweets.id.author_id",
        "referenced_tweets.id.attachments.media_keys",
    ],
    "tweet_fields": _POST_FIELDS,
    "media_fields": ["height", "media_key", "preview_image_url", "type", "url", "width"],
    "place_fields": ["country_code", "full_name", "geo", "id", "name", "place_type"],
    "user_fields": ["created_at", "id", "location", "name", "username", "verified"],
}  # fmt: skip
_USAGE_EVERY = timedelta(hours=1)
_USAGE_FIELDS = ("cap_reset_day", "project_cap", "project_id", "project_usage")
_ACCOUNT_FIELDS = ["id", "name", "protected", "username", "verified", "verified_type"]
_OWN: dict[str, Any] = {
    "exclude": ["retweets"],
    "tweet_fields": ["created_at", "entities", "id", "note_tweet", "referenced_tweets", "text"],
}


class Approval(BaseModel):
    """X's written approval of one capability, as the operator records it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: str = Field(min_length=3, description="How X's approval can be found again (case number, mail, contract).")
    date: date


class Approvals(BaseModel):
    """X's approvals of what its terms forbid otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reply_uninvited: Approval | None = Field(default=None, description="Of answering authors who did not tag the bot.")
    mention_others: Approval | None = Field(default=None, description="Of mentioning officials in posts.")
    match_faces: Approval | None = Field(default=None, description="Of matching faces in photos from X.")


class Settings(PlatformSettings):
    """The keys under ``platforms.x``."""

    base_url: str = Field(
        default="https://api.x.com", description="Where X's API is; the local microblog: http://127.0.0.1:PORT/x"
    )
    user_id: str = Field(default="", description="The bot account's numeric id; empty: asked from X once a process.")
    handle: str = Field(default="", description="The bot account's handle without '@'; goes with user_id.")
    search_terms: str = Field(default="has:images -is:retweet", description="Search operators that go with each hashtag.")
    photo_hosts: tuple[str, ...] = Field(default=(), description="Further hosts photos may come from (the local microblog's).")

    read_hashtag: bool = Field(default=True, description="Search the campaign's hashtags.")
    read_mentions: bool = Field(default=True, description="Read posts that tag the bot.")
    reply_author: bool = Field(default=True, description="Answer authors who tagged the bot.")
    reply_uninvited: bool = Field(default=False, description="Answer authors who did not tag it; needs X's approval.")
    mention_others: bool = Field(default=False, description="Mention officials; needs X's approval.")
    match_faces: bool = Field(default=False, description="Match faces in photos from X; needs X's approval.")
    approvals: Approvals = Field(default_factory=Approvals, description="X's written approvals, one for each capability.")

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str) -> str:
        return own_base_url(value)

    @model_validator(mode="after")
    def _fits_together(self) -> Settings:
        for tag in self.hashtags:
            facts.search_query(tag, self.search_terms)
        if bool(self.user_id) != bool(self.handle):
            raise ValueError("user_id and handle go together: give both or neither")
        if self.user_id and not (facts.is_id(self.user_id) and facts.is_handle(self.handle)):
            raise ValueError("user_id is 1 to 19 digits, handle 1 to 15 letters, digits or underscores without '@'")
        for name, approval in self.approvals:
            if getattr(self, name) and approval is None:
                raise ValueError(f"{name}: {facts.WHY_OFF[name]} Record X's approval under approvals.{name} (reference, date)")
        return self


def build(settings: Settings, secrets: Mapping[str, str], clock: Clock) -> Platform:
    """The X platform; opens no connection.

    Raises:
        SettingsError: a token is missing or cannot be one, or an approval lies in the future.
    """
    missing = [name for name in SECRETS if not secrets.get(name)]
    if missing:
        raise SettingsError(f"platforms.x: not set: {', '.join(missing)}", mend="Set them in the environment or in .env.")
    broken = [name for name in SECRETS if not re.fullmatch(r"[!-~]+", secrets[name])]
    if broken:
        raise SettingsError(f"platforms.x: {', '.join(broken)} holds a space, a line end or another character no token has")
    for name, approval in settings.approvals:
        if approval is not None and approval.date > clock().date():
            raise SettingsError(f"platforms.x.approvals.{name}.date: {approval.date} lies in the future")
    for library in ("tweepy", "requests_oauthlib", "oauthlib"):
        logging.getLogger(library).setLevel(logging.WARNING)  # at DEBUG they write tokens and signatures into the log
    return X(settings, secrets, clock)


def rules(settings: Settings, clock: Clock) -> Rules:
    """Limits, lengths and capabilities, which need no token."""
    return _rules(settings)


class X:
    """X as a :class:`bot.platforms.base.Platform`. May be used from several threads."""

    name = parse.PLATFORM

    def __init__(self, settings: Settings, secrets: Mapping[str, str], clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._client = tweepy.Client(*(secrets[name] for name in SECRETS), return_type=requests.Response)
        self._client.session = Session(settings.base_url, settings.timeout_s, clock, [secrets[name] for name in SECRETS])
        self._rules = replace(_rules(settings), calls_left=self._posts_left)
        self._usage: tuple[int, datetime] | None = None
        self._usage_asked: datetime | None = None
        self._lock = threading.Lock()
        self._known_me = parse.Me(settings.user_id, settings.handle) if settings.user_id else None

    @property
    def rules(self) -> Rules:
        return self._rules

    def read(self, stream: Stream, since: str | None, page: str | None, not_before: datetime) -> Page:
        """One page of a hashtag (recent search) or of the mentions; see :class:`ingest.source.Source`.

        ``since`` is moved back by ``rules.overlap_s``, for X indexes late at the edge of ``since_id``. ``truncated`` is set where
        the cursor is older than search reaches, and where the mentions end at X's 800.
        """
        searching = stream.kind is StreamKind.HASHTAG
        if page:
            chain = Chain.parse(page)
        else:
            chain = Chain.start(
                since, not_before, self._clock(), self._rules.overlap_s, within_days=SEARCH_DAYS if searching else None
            )
        me = self._me()
        params = {**_JOINED, "max_results": _PAGE, **chain.window()}
        if searching:
            response = self._client.search_recent_tweets(self._query(stream), next_token=chain.token or None, **params)
        else:
            response = self._client.get_users_mentions(me.id, pagination_token=chain.token or None, **params)
        body = _body(response)
        meta, posts = _meta(body), parse.read_posts(body, me)
        following = chain.after(len(posts), meta.get("next_token"))
        ended = not searching and following is None and chain.seen + len(posts) >= _MENTIONS_WINDOW
        head = None if page else facts.newer_id(since, meta.get("newest_id"))
        return Page(posts, next=str(following) if following else None, head=head, truncated=chain.cut or ended)

    def look_up(self, ids: Sequence[str]) -> LookUp:
        """Posts by id (at most 100). Gone is what X names as not found or no longer to be seen (deleted, protected, suspended).

        An id that X neither returns nor names stays out of both lists: nothing is known of it.
        """
        if len(ids) > _LOOK_UP or not all(facts.is_id(i) for i in ids):
            raise BadInput(f"X looks up at most {_LOOK_UP} ids of 1 to 19 digits at once; {len(ids)} were given")
        if not ids:
            return LookUp((), ())
        me = self._me()
        body = _body(self._client.get_tweets(list(ids), **_JOINED))
        posts, gone = parse.read_posts(body, me), answers.gone_ids(body)
        found = {post.id for post in posts}
        if not posts and not gone:
            raise BadResponse("X GET /2/tweets: neither posts nor what became of them")
        return LookUp(posts, tuple(i for i in dict.fromkeys(ids) if i in gone and i not in found))

    def say(self, message: Outgoing) -> Sent:
        """Publish with one POST /2/tweets in user context; see :class:`bot.platforms.base.Platform`."""
        length = facts.weighted_length(message.text)
        if not 0 < length <= facts.MAX_LENGTH:
            raise Refused(f"X takes 1 to {facts.MAX_LENGTH} weighted characters; the text has {length}", code="too_long")
        if message.reply_to_id is not None and not facts.is_id(message.reply_to_id):
            raise Refused("the post to be answered has no id of X", code="no_such_target")
        response = self._client.create_tweet(text=message.text, in_reply_to_tweet_id=message.reply_to_id)
        data = (json_object(response) or {}).get("data")
        post_id = data.get("id") if isinstance(data, dict) else None
        if not facts.is_id(post_id):
            raise Doubtful(f"X POST /2/tweets: HTTP {response.status_code} without the new post's id; it may have been published")
        return Sent(str(post_id), facts.post_url(self._known_me.handle if self._known_me else "", str(post_id)))

    def own_recent(self, reply_to_id: str | None, since: datetime) -> Sequence[OwnPost]:
        """The bot's own timeline since ``since``, newest first, narrowed to answers to ``reply_to_id``.

        Raises as :meth:`read`, and BadResponse where the timeline is longer than ``max_pages`` pages: half of it proves nothing.
        """
        me, token, found = self._me(), None, list[OwnPost]()
        for _ in range(self._settings.max_pages):
            response = self._client.get_users_tweets(
                me.id, start_time=since, pagination_token=token, max_results=_PAGE, user_auth=True, **_OWN
            )
            body = _body(response)
            token = _meta(body).get("next_token")
            found += answers.own_posts(body, me)
            if token is None:
                wanted = (p for p in found if reply_to_id is None or p.reply_to_id == reply_to_id)
                return sorted(wanted, key=lambda p: int(p.id), reverse=True)
        raise BadResponse(
            f"X GET /2/users/:id/tweets: more than {self._settings.max_pages} pages since {since:%Y-%m-%d %H:%M %Z}"
        )

    def account(self, handle: str | None = None) -> AccountInfo | None:
        """The account of ``handle``, or the bot's own. X's user tokens do not expire, and its limits count by endpoint."""
        if handle is None:
            body = _body(self._client.get_me(user_fields=_ACCOUNT_FIELDS))
        elif facts.is_handle(handle.lstrip("@")):
            body = _body(self._client.get_user(username=handle.lstrip("@"), user_fields=_ACCOUNT_FIELDS))
        else:
            return None
        return answers.account(body)

    def _posts_left(self) -> tuple[int, datetime] | None:
        """Posts that the project may still read this month, asked at most once an hour; None where X did not say."""
        now = self._clock()
        if self._usage_asked is None or now - self._usage_asked >= _USAGE_EVERY:
            self._usage_asked = now
            try:
                answer = self._client.request("GET", "/2/usage/tweets", params={"usage.fields": ",".join(_USAGE_FIELDS)})
                self._usage = answers.posts_left(_body(answer), now)
            except PlatformError as error:
                _log.info("x: how many posts may still be read is not to be had: %s", error)
        return self._usage

    def _me(self) -> parse.Me:
        """The bot's own id and handle, asked once a process."""
        with self._lock:
            if self._known_me is None:
                own = self.account()
                if own is None:
                    raise BadResponse("X GET /2/users/me: the token belongs to no account")
                self._known_me = parse.Me(own.id, own.handle)
            return self._known_me

    def _query(self, stream: Stream) -> str:
        try:
            return facts.search_query(stream.query, self._settings.search_terms)
        except ValueError as error:
            raise BadInput(f"platforms.x: {error}") from error


def _body(response: requests.Response) -> dict[str, Any]:
    """The JSON object of an answer that the session let through."""
    return json_object(response) or {}


def _meta(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """``meta`` of a list answer. Raises BadResponse where neither it nor posts are there: that is not "no posts"."""
    meta, data = body.get("meta"), body.get("data")
    if not isinstance(data, list | None) or not isinstance(meta, dict | None) or (meta is None and not data):
        raise BadResponse("X answered with neither posts nor their count")
    return meta or {}


def _rules(settings: Settings) -> Rules:
    return Rules(
        max_length=facts.MAX_LENGTH,
        length=facts.weighted_length,
        id_key=facts.id_key,
        post_url=facts.post_url,
        mention=facts.mention,
        photo_hosts=(*facts.PHOTO_HOSTS, *settings.photo_hosts),
        capabilities=_capabilities(settings),
        photo_headers={},
        look_up_batch=_LOOK_UP,
    )


def _capabilities(settings: Settings) -> dict[Capability, Allowance]:
    """What is on, and why; what X's terms forbid names the key that records X's approval."""
    found = {}
    for capability in Capability:
        name, on = capability.value, bool(getattr(settings, capability.value))
        approval: Approval | None = getattr(settings.approvals, name, None)
        if name not in facts.WHY_OFF:
            why = facts.WHY_ON[name] if on else f"Switched off: platforms.x.{name} is false."
        elif on and approval is not None:
            why = f"X approved it on {approval.date.isoformat()}, recorded as {approval.reference!r}."
        else:
            why = f"{facts.WHY_OFF[name]} To switch it on, set platforms.x.{name} and record the approval in approvals.{name}."
        found[capability] = Allowance(on, why)
    return found
