"""Weibo's Open API, reading: https://open.weibo.com/wiki (paths under /2, one route an endpoint)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.microblog import text as words
from bot.microblog.model import Account, Comment, Entry, Side
from bot.microblog.weibo_errors import WeiboError
from bot.microblog.weibo_gate import Gate, Params
from bot.microblog.weibo_shapes import Json, WeiboShapes, comment_envelope, status_envelope
from bot.microblog.weibo_write import WeiboWriting
from bot.microblog.world import World

Reading = Callable[[Account, Params], Json | list[Json]]
T = TypeVar("T", Entry, Comment)


class WeiboApi:
    """The reading endpoints, and the routes of all."""

    def __init__(self, world: World, base: str) -> None:
        self.world = world
        self.shapes = WeiboShapes(world, base)
        self.gate = Gate(world)
        self.writing = WeiboWriting(world, self.shapes, self.gate)

    def routes(self) -> list[Route]:
        """Every endpoint, under ``/weibo``."""
        reading: dict[str, Reading] = {
            "search/topics": self.search_topics,
            "statuses/mentions": self.statuses_mentions,
            "statuses/show": self.statuses_show,
            "statuses/show_batch": self.statuses_show_batch,
            "statuses/user_timeline": self.user_timeline,
            "comments/by_me": self.comments_by_me,
            "comments/to_me": self.comments_to_me,
            "comments/mentions": self.comments_mentions,
            "comments/show": self.comments_show,
            "comments/show_batch": self.comments_show_batch,
            "account/get_uid": lambda account, _: {"uid": account.uid},
            "users/show": self.users_show,
        }
        routes = [Route(f"/weibo/2/{name}.json", self._read(call), methods=["GET"]) for name, call in reading.items()]
        for name, write in self.writing.calls().items():
            routes.append(Route(f"/weibo/2/{name}.json", write, methods=["POST"]))
        routes.append(Route("/weibo/2/account/rate_limit_status.json", self._rate_limit_status, methods=["GET"]))
        for path in ("/weibo/oauth2/get_token_info", "/weibo/2/oauth2/get_token_info"):
            routes.append(Route(path, self._token_info, methods=["POST"]))
        known = {route.path for route in routes}

        async def unknown(request: Request) -> Response:
            raise WeiboError(10021 if request.url.path in known else 10020)

        routes.append(Route("/weibo/2/{rest:path}", unknown, methods=["GET", "POST", "PUT", "DELETE"]))
        return routes

    def _read(self, call: Reading) -> Callable[[Request], object]:
        async def endpoint(request: Request) -> Response:
            account, params = await self.gate.enter(request)
            with self.world.lock:
                return JSONResponse(call(account, params))

        return endpoint

    # --- statuses ---

    def search_topics(self, account: Account, params: Params) -> Json:
        """``search/topics``: posts with ``#q#``, the newest 200 only, without since_id; beyond them error 21411."""
        wanted = params.text("q").strip("#")
        count = params.number("count", 10, low=1, high=50)
        page = params.number("page", 1, low=1)
        if (page - 1) * count >= self.world.rules.weibo_search_window:
            raise WeiboError(21411)
        found = [e for e in self.world.posts(Side.WEIBO) if wanted in _topics(e)]
        shown = found[: self.world.rules.weibo_search_window][(page - 1) * count : page * count]
        return {"statuses": [self.shapes.status(e, "pic_ids") for e in shown], "total_number": len(found)}

    def statuses_mentions(self, account: Account, params: Params) -> Json:
        """``statuses/mentions``: posts that name the caller, newest first; ``max_id`` inclusive."""
        found = [e for e in self.world.posts(Side.WEIBO) if account.key in self.world.named_in(e.text, Side.WEIBO)]
        kind = params.number("filter_by_type", 0)
        found = [e for e in found if kind == 0 or e.repost_of is None]
        return self._statuses(found, params)

    def statuses_show(self, account: Account, params: Params) -> Json:
        """``statuses/show``: one post; error 20101 where it is gone."""
        entry = self.world.visible(params.number("id"), Side.WEIBO)
        if entry is None:
            raise WeiboError(20101)
        return self.shapes.status(entry, "pic_urls", params.number("isGetLongText", 0) == 1)

    def statuses_show_batch(self, account: Account, params: Params) -> Json:
        """``statuses/show_batch``: at most 50 posts; those that are gone are left out without a word."""
        found = [e for i in params.numbers("ids", 50) if (e := self.world.visible(i, Side.WEIBO))]
        long_text = params.number("isGetLongText", 0) == 1
        return {"statuses": [self.shapes.status(e, "pic_urls", long_text) for e in found], "total_number": len(found)}

    def user_timeline(self, account: Account, params: Params) -> Json:
        """``statuses/user_timeline``: the caller's own latest five; another's uid is error 21335."""
        if params.number("uid", account.uid) != account.uid or params.text("screen_name", account.screen_name) != (
            account.screen_name
        ):
            raise WeiboError(21335)
        own = [e for e in self.world.posts(Side.WEIBO) if e.author == account.key]
        return self._statuses(own[:5], params) | {"total_number": len(own)}

    def _statuses(self, found: Sequence[Entry], params: Params) -> Json:
        shown, following = _window(found, params)
        long_text = params.number("isGetLongText", 0) == 1
        return status_envelope([self.shapes.status(e, "pic_urls", long_text) for e in shown], len(found), following)

    # --- comments ---

    def comments_by_me(self, account: Account, params: Params) -> Json:
        """``comments/by_me``: what the caller commented, newest first."""
        return self._comments(self.world.comments_where(author=account.key), params)

    def comments_to_me(self, account: Account, params: Params) -> Json:
        """``comments/to_me``: comments under the caller's posts, and answers to the caller's comments."""
        own = self.world.comments
        return self._comments(
            [
                c
                for c in self.world.comments_where()
                if c.author != account.key
                and (
                    self.world.entry(c.post_id).author == account.key
                    or (c.reply_to is not None and own[c.reply_to].author == account.key)
                )
            ],
            params,
        )

    def comments_mentions(self, account: Account, params: Params) -> Json:
        """``comments/mentions``: comments that name the caller."""
        named = (c for c in self.world.comments_where() if account.key in self.world.named_in(c.text, Side.WEIBO))
        return self._comments(list(named), params)

    def comments_show(self, account: Account, params: Params) -> Json:
        """``comments/show``: the comments under one post."""
        post_id = params.number("id")
        if self.world.visible(post_id, Side.WEIBO) is None:
            raise WeiboError(20101)
        return self._comments(self.world.comments_where(post_id=post_id), params)

    def comments_show_batch(self, account: Account, params: Params) -> list[Json]:
        """``comments/show_batch``: at most 50 comments, as a bare list; those that are gone are left out."""
        cids = params.numbers("cids", 50)
        return [self.shapes.comment(c) for c in self.world.comments_where() if c.id in cids]

    def _comments(self, found: Sequence[Comment], params: Params) -> Json:
        shown, following = _window(found, params)
        return comment_envelope([self.shapes.comment(c) for c in shown], len(found), following)

    # --- accounts ---

    def users_show(self, account: Account, params: Params) -> Json:
        """``users/show``: an account by uid or screen_name, exactly one of them."""
        uid, name = params.number("uid", 0), params.text("screen_name", "")
        if bool(uid) == bool(name):
            raise WeiboError(10008, "uid or screen_name")
        found = self.world.by_handle(Side.WEIBO, name) if name else _by_uid(self.world.accounts.values(), uid)
        if found is None:
            raise WeiboError(20003)
        return self.shapes.user(found)

    async def _rate_limit_status(self, request: Request) -> Response:
        return JSONResponse(self.gate.status(request))

    async def _token_info(self, request: Request) -> Response:
        """``oauth2/get_token_info``: how long the token lives (``expire_in``, seconds). Costs no call."""
        given = (await request.form()).get("access_token")
        token = self.world.tokens.weibo.get(given) if isinstance(given, str) else None
        if token is None or token.revoked or token.expires_at is None:
            raise WeiboError(21317)
        left = int((token.expires_at - self.world.clock()).total_seconds())
        if left <= 0:
            raise WeiboError(21327)
        return JSONResponse(
            {
                "uid": self.world.account(token.account).uid,
                "appkey": int(self.world.tokens.app_key),
                "scope": None,
                "create_at": int(token.created_at.timestamp()),
                "expire_in": left,
            }
        )


def _topics(entry: Entry) -> set[str]:
    return {span.value for span in words.topics(entry.text, Side.WEIBO)}


def _by_uid(accounts: Iterable[Account], uid: int) -> Account | None:
    return next((a for a in accounts if a.uid == uid), None)


def _window(found: Sequence[T], params: Params) -> tuple[Sequence[T], int]:
    """The page that since_id, max_id (inclusive), count and page ask for, and the ``max_id`` of what follows (0: nothing)."""
    since, top = params.number("since_id", 0), params.number("max_id", 0)
    count, page = params.number("count", 20, low=1, high=200), params.number("page", 1, low=1)
    left = [item for item in found if item.id > since and (not top or item.id <= top)]
    shown, rest = left[(page - 1) * count : page * count], left[page * count :]
    return shown, rest[0].id if rest else 0
