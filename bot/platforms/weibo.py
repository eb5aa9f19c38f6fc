"""Weibo's Open API (https://open.weibo.com/wiki): topic search and mentions in, comments and shares out.

No client for the official API is maintained, so this speaks it with requests. Private modules beside it: ``_weibo_parse``
(bodies to posts, pure), ``_weibo_say`` (a message to a form, pure), ``_weibo_http`` (one call and its errors), ``_weibo_budget``
(100 calls a day), ``_weibo_settings``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.platforms import _weibo_answers as answers
from bot.platforms import _weibo_http as http
from bot.platforms import _weibo_parse as parse
from bot.platforms._json import whole_number
from bot.platforms._weibo_answers import Reach
from bot.platforms._weibo_budget import CallBudget
from bot.platforms._weibo_ids import comment_part, id_before, id_key, status_part
from bot.platforms._weibo_say import MAX_LENGTH, compose
from bot.platforms._weibo_settings import Settings, capabilities, length
from ingest.source import Rules
from store.errors import BadInput, BadResponse, Doubtful, PlatformError, RateLimited, SettingsError, Unauthorised
from store.model import (
    AccountInfo,
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

__all__ = ["SECRETS", "Settings", "Weibo", "build"]

SECRETS: dict[str, str] = {
    "WEIBO_ACCESS_TOKEN": "OAuth2 access token of the bot's account for your app on open.weibo.com (expires; doctor shows when).",
}

_BATCH = 50
_COMMENTS = "c:"
_LONGEST_TOKEN_S = 100 * 366 * 86_400
_SYNC_EVERY = timedelta(hours=1)

_log = logging.getLogger(__name__)


def build(settings: Settings, secrets: Mapping[str, str], clock: Clock) -> Weibo:
    """The Weibo platform object; opens no connection.

    Raises:
        SettingsError: the token is missing.
    """
    token = secrets.get("WEIBO_ACCESS_TOKEN", "").strip()
    if not token:
        raise SettingsError(
            "platforms.weibo: WEIBO_ACCESS_TOKEN is not set", mend="Put the access token into the environment or .env."
        )
    if settings.token_in == "parameter":
        logging.getLogger("urllib3").setLevel(logging.WARNING)  # at DEBUG it writes whole addresses into the log
    return Weibo(settings, http.Caller(token, settings.token_in, settings.base_url, settings.timeout_s, clock), clock)


def rules(settings: Settings, clock: Clock) -> Rules:
    """Limits, lengths and capabilities, which need no token."""
    reader = parse.Reader(settings.photo_url, settings.web_url, lambda *_: False)
    return _rules(settings, reader, CallBudget(settings.daily_calls, settings.reserve_for_writing, clock))


def _rules(settings: Settings, reader: parse.Reader, budget: CallBudget) -> Rules:
    return Rules(
        max_length=MAX_LENGTH,
        length=length,
        id_key=id_key,
        post_url=reader.post_url,
        mention=lambda handle: f"@{handle}",
        photo_hosts=("*.sinaimg.cn", *settings.photo_hosts),
        capabilities=capabilities(settings),
        photo_headers={"Referer": "https://weibo.com/"},
        indexing_delay_s=settings.indexing_delay_s,
        overlap_s=settings.overlap_s,
        look_up_batch=_BATCH,
        link_required=settings.alert_form == "share",
        poll_interval_s=budget.interval_s,
        calls_left=budget.left,
        count_in=budget.count_in,
        reads_replies=settings.read_replies,
    )


class Weibo:
    """Weibo as a :class:`bot.platforms.base.Platform`. Safe to use from several threads."""

    name = parse.PLATFORM

    def __init__(self, settings: Settings, caller: http.Caller, clock: Clock) -> None:
        self._settings, self._caller, self._clock = settings, caller, clock
        self._budget = CallBudget(settings.daily_calls, settings.reserve_for_writing, clock)
        self._synced: datetime | None = None
        self._handle = settings.screen_name
        self._reader = parse.Reader(settings.photo_url, settings.web_url, self._is_bot)
        self._rules = _rules(settings, self._reader, self._budget)

    @property
    def rules(self) -> Rules:
        """Limits, lengths, addresses and capabilities."""
        return self._rules

    # --- reading ---------------------------------------------------------------------------------------------------

    def read(self, stream: Stream, since: str | None, page: str | None, not_before: datetime) -> Page:
        """One page of ``stream``; see :meth:`ingest.source.Source.read`. The overlap is taken off ``since`` here."""
        reach = Reach(id_before(id_key(since), self._settings.overlap_s) if since else None, not_before)
        self._sync_budget()
        if stream.kind is StreamKind.HASHTAG:
            if not (page or "1").isdigit():
                raise BadResponse(f"weibo: {page!r} is no page of a search")
            return self._search(stream.query, reach, int(page or 1))
        if stream.kind is StreamKind.REPLIES:
            return self._replies(reach, page)
        if page and page.startswith(_COMMENTS):
            return self._comments(reach, page.removeprefix(_COMMENTS) or None)
        return self._mentions(reach, page)

    def _search(self, tag: str, reach: Reach, number: int) -> Page:
        """search/topics knows no since_id: read newest first until what was read before, or the end of its window."""
        count = self._settings.page_size
        query = {"q": self._settings.search_query.replace("{tag}", tag), "count": count, "page": number}
        try:
            envelope = self._get(self._settings.search_path, {**self._settings.search_params, **query})
        except http.Declined as error:
            if error.code != http.WINDOW_ENDS:
                raise
            return Page(posts=(), truncated=True)
        bodies = answers.items(envelope, "statuses", self._settings.search_path)
        total = whole_number(envelope, "total_number")
        all_seen = len(bodies) < count and total is not None and total <= number * count
        reached = all_seen or reach.ends_in(bodies)
        window_ends = (number + 1) * count > self._settings.search_window
        return Page(
            posts=self._posts(reach.new(bodies), summons=False),
            next=None if reached or window_ends else str(number + 1),
            truncated=window_ends and not reached and len(bodies) >= count,
        )

    def _mentions(self, reach: Reach, max_id: str | None) -> Page:
        bodies, older = self._page_back(self._settings.mentions_path, "statuses", reach, max_id)
        after = older or (_COMMENTS if self._settings.read_comments else None)
        return Page(posts=self._posts(reach.new(bodies, max_id), summons=True), next=after)

    def _comments(self, reach: Reach, max_id: str | None) -> Page:
        """Comments that name the bot: people also tag it under somebody else's photo, and ask it there to be silent."""
        bodies, older = self._page_back("comments/mentions.json", "comments", reach, max_id)
        read = tuple(self._reader.comment(b) for b in reach.new(bodies, max_id))
        return Page(posts=read, next=f"{_COMMENTS}{older}" if older else None)

    def _replies(self, reach: Reach, max_id: str | None) -> Page:
        """Comments on the bot's posts and answers to its comments: where officials answer, and people ask for silence."""
        bodies, older = self._page_back("comments/to_me.json", "comments", reach, max_id)
        return Page(posts=tuple(self._reader.reply(b) for b in reach.new(bodies, max_id)), next=older)

    def _page_back(
        self, path: str, key: str, reach: Reach, max_id: str | None, *, writing: bool = False
    ) -> tuple[list[Any], str | None]:
        """One page of a list that is paged by max_id: its bodies, and the max_id of the next older page."""
        window: dict[str, Any] = {"count": self._settings.page_size}
        if reach.floor_id:
            window["since_id"] = reach.floor_id
        if max_id:
            window["max_id"] = max_id
        envelope = self._get(path, window, writing=writing)
        bodies = answers.items(envelope, key, path)
        return bodies, answers.next_max_id(envelope, bodies, max_id, reach, self._settings.page_size)

    def _posts(self, bodies: Sequence[Any], *, summons: bool) -> tuple[Post | Malformed, ...]:
        """``bodies`` as posts, with the full text of those that are cut short: one batched call a page."""
        cut = list(dict.fromkeys(i for body in bodies for i in parse.needs_long_text(body)))
        reader = parse.Reader(self._settings.photo_url, self._settings.web_url, self._is_bot, self._long_texts(cut))
        return tuple(reader.post(body, summons=summons) for body in bodies)

    def _long_texts(self, ids: Sequence[str]) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for start in range(0, len(ids), _BATCH):
            try:
                bodies = self._show_batch(ids[start : start + _BATCH])
            except (Unauthorised, http.Declined) as error:
                # Without this permission the stream must go on, with the texts as far as the page gave them.
                _log.warning("weibo: long texts cannot be read, posts keep their short text: %s", error)
                return found
            found |= {i: parse.text_of(b) for b in bodies if (i := parse.id_of(b)) and isinstance(b, Mapping)}
        return found

    def _show_batch(self, ids: Sequence[str]) -> list[Any]:
        return self._list("statuses/show_batch.json", {"ids": ",".join(ids), "isGetLongText": 1}, "statuses")

    def look_up(self, ids: Sequence[str]) -> LookUp:
        """Fetch posts by id; what the platform leaves out, or marks as deleted, is gone."""
        if len(ids) > _BATCH:
            raise BadInput(f"weibo: {len(ids)} ids in one look-up, {_BATCH} at most")
        comments = [i for i in ids if comment_part(i)]
        statuses = [i for i in ids if not comment_part(i)]
        found: list[Post | Malformed] = []
        if statuses:
            bodies = self._show_batch(statuses)
            if not bodies:
                self._confirm_gone(statuses[0])
            found += [self._reader.post(b) for b in bodies]
        if comments:
            wanted = {"cids": ",".join(i.partition("_")[2] for i in comments)}
            found += [self._reader.comment(b) for b in self._list("comments/show_batch.json", wanted, "comments")]
        there = {p.id for p in found if isinstance(p, Malformed) or not p.deleted}
        gone = tuple(i for i in ids if i not in there and comment_part(i) not in there)
        return LookUp(posts=tuple(p for p in found if p.id not in gone), gone=gone)

    def _confirm_gone(self, id_: str) -> None:
        """A batch without a single post may also be withheld; what is gone is erased here, so one of them must say that it is.

        Raises:
            BadResponse: the post exists all the same. Others as :meth:`look_up`.
        """
        try:
            body = self._get("statuses/show.json", {"id": id_})
        except http.Declined as error:
            if error.code in http.GONE:
                return
            raise
        if not isinstance(body, Mapping) or parse.id_of(body) is None or not parse.is_deleted(body):
            raise BadResponse(f"weibo statuses/show_batch: it held no post, though {id_} does not say that it is gone")

    # --- speaking --------------------------------------------------------------------------------------------------

    def say(self, message: Outgoing) -> Sent:
        """Comment on a post, answer a comment, or share a post of the bot's own, with one request."""
        path, form = compose(message, self._settings)
        self._budget.take(writing=True)
        body = self._caller.write(self._url(path), form)
        error = http.ErrorBody.of(body)
        if error is not None:  # 20032: accepted, shown later
            return Sent(id=None)
        id_ = parse.id_of(body)
        if id_ is None:
            raise Doubtful(f"weibo {path}: accepted, but the answer holds no id")
        return Sent(id=id_, url=self._url_of(body.get("status", body)))

    def own_recent(self, reply_to_id: str | None, since: datetime) -> Sequence[OwnPost]:
        """The bot's comments (under the post of ``reply_to_id``) and its own shares since ``since``, newest first.

        Shares are read where one may be meant: without ``reply_to_id``, or where alerts go out as shares.
        """
        found = self._own_comments(reply_to_id, since)
        if reply_to_id is None or self._settings.alert_form == "share":
            found += self._own_shares(since)
        return sorted(found, key=lambda p: p.posted_at, reverse=True)

    def _own_comments(self, reply_to_id: str | None, since: datetime) -> list[OwnPost]:
        target = status_part(reply_to_id) if reply_to_id else None
        own = []
        for body in self._by_me(since):
            under = parse.id_of(body.get("status"))
            if target is None or under is None or under == target:
                own.append(answers.own_post(body, reply_to_id or under, self._url_of(body.get("status"))))
        return own

    def _by_me(self, since: datetime) -> Iterator[Mapping[str, Any]]:
        """The bot's comments back to ``since``.

        Raises:
            BadResponse: they reach further back than ``max_pages``: a list with a hole would look like "never said".
        """
        reach, max_id = Reach(None, since), None
        for _ in range(self._settings.max_pages):
            bodies, older = self._page_back("comments/by_me.json", "comments", reach, max_id, writing=True)
            if not all(isinstance(body, Mapping) for body in bodies):
                raise BadResponse("weibo comments/by_me: an entry is no comment")
            yield from reach.new(bodies, max_id)
            if older is None:
                return
            max_id = older
        raise BadResponse(f"weibo comments/by_me: more than {self._settings.max_pages} pages since {since.isoformat()}")

    def _own_shares(self, since: datetime) -> list[OwnPost]:
        """Weibo shows an app the latest five posts of its own user alone; if all are newer, earlier ones may be missing."""
        path = "statuses/user_timeline.json"
        bodies = answers.items(self._get(path, {"count": self._settings.page_size}, writing=True), "statuses", path)
        recent = [b for b in bodies if answers.created(b, path) >= since]
        if len(recent) == len(bodies) >= self._settings.own_timeline_window:
            raise BadResponse(f"weibo {path}: the {len(bodies)} posts it shows do not reach back to {since.isoformat()}")
        return [answers.own_post(b, None, self._url_of(b)) for b in recent]

    def _url_of(self, status: Any) -> str:
        """The public address of ``status``, empty where it does not say whose it is."""
        user = status.get("user") if isinstance(status, Mapping) else None
        author, id_ = parse.id_of(user), parse.id_of(status)
        return self._reader.post_url(author, id_) if author and id_ else ""

    # --- the account -----------------------------------------------------------------------------------------------

    def account(self, handle: str | None = None) -> AccountInfo | None:
        """An account by screen name; for None the bot's own, with its token's expiry and the calls left."""
        if handle is not None:
            try:
                return answers.account(self._get("users/show.json", {"screen_name": handle}, writing=True), {})
            except http.Declined as error:
                if error.code == http.NO_SUCH_USER:
                    return None
                raise
        token = self._caller.post(f"{self._settings.oauth_base}/get_token_info", {})
        self._sync_budget(now=True)
        uid = self._settings.uid or whole_number(token, "uid")
        if uid is None:
            uid = whole_number(self._get("account/get_uid.json", {}, writing=True), "uid")
        expires_in = whole_number(token, "expire_in", _LONGEST_TOKEN_S)
        user = self._get("users/show.json", {"uid": uid}, writing=True)
        left, reset = self._budget.left()
        own = answers.account(
            user,
            {
                "token_expires_at": None if expires_in is None else self._clock().astimezone(UTC) + timedelta(seconds=expires_in),
                "calls_left": left,
                "calls_reset_at": reset.astimezone(UTC),
            },
        )
        self._handle = self._handle or own.handle
        return own

    def _is_bot(self, handle: str) -> bool:
        return bool(self._handle) and handle == self._handle

    # --- calls -----------------------------------------------------------------------------------------------------

    def _url(self, path: str) -> str:
        return path if "://" in path else f"{self._settings.base_url.rstrip('/')}/{path}"

    def _get(self, path: str, params: Mapping[str, Any], *, writing: bool = False) -> Any:
        """One counted reading call; ``writing`` where it serves an answer and may use the reserved calls."""
        self._budget.take(writing=writing)
        try:
            return self._caller.get(self._url(path), params)
        except RateLimited as error:
            raise self._with_reset(error) from None

    def _list(self, path: str, params: Mapping[str, Any], key: str) -> list[Any]:
        return answers.items(self._get(path, params), key, path)

    def _sync_budget(self, *, now: bool = False) -> None:
        """Ask what is left (Weibo does not count this call), at most once an hour. Without an answer, our own count holds."""
        moment = self._clock()
        if not self._settings.ask_rate_limit or (not now and self._synced and moment - self._synced < _SYNC_EVERY):
            return
        self._synced, made = moment, self._budget.made()
        try:
            status = self._caller.get(self._url("account/rate_limit_status.json"), {})
        except PlatformError as error:
            _log.info("weibo: rate_limit_status is not to be had, counting alone: %s", error)
            return
        left, seconds = whole_number(status, "remaining_user_hits"), whole_number(status, "reset_time_in_seconds", 86_400)
        if left is not None and seconds is not None:
            self._budget.observe(left, seconds, made)

    def _with_reset(self, error: RateLimited) -> RateLimited:
        """``error`` with the platform's own reset where its body, as always on Weibo, named none."""
        if error.until is None:
            self._sync_budget(now=True)
            return RateLimited(str(error), until=self._budget.known_reset(), mend=error.mend)
        return error
