"""X's API v2, the endpoints a bot reads (https://docs.x.com/x-api), and the routes of all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.microblog.ids import x_floor
from bot.microblog.model import Account, Entry, Side
from bot.microblog.world import World
from bot.microblog.x_errors import XError, invalid, not_found
from bot.microblog.x_gate import XGate, XParams, answered, page_token
from bot.microblog.x_query import QueryError, compile_query
from bot.microblog.x_shapes import Json, XShapes
from bot.microblog.x_write import XWriting, names

Endpoint = Callable[[Request], Awaitable[Response]]

_PAGING = {"since_id", "until_id", "start_time", "end_time", "max_results", "pagination_token"}


class XApi:
    """The endpoints and their routes, under ``/x``."""

    def __init__(self, world: World, base: str) -> None:
        self.world = world
        self.shapes = XShapes(world, base)
        self.gate = XGate(world)
        self.writing = XWriting(world, self.shapes, self.gate)

    def routes(self) -> list[Route]:
        """Every endpoint."""
        table: list[tuple[str, str, Endpoint]] = [
            ("GET", "/tweets/search/recent", self.search),
            ("GET", "/users/{id}/mentions", self.mentions),
            ("GET", "/users/{id}/tweets", self.timeline),
            ("GET", "/tweets", self.look_up),
            ("POST", "/tweets", self.writing.create),
            ("GET", "/tweets/{id}", self.look_up_one),
            ("DELETE", "/tweets/{id}", self.writing.delete),
            ("GET", "/usage/tweets", self.usage),
            ("GET", "/users/me", self.me),
            ("GET", "/users/by", self.users_by),
            ("GET", "/users/by/username/{username}", self.user_by_name),
            ("GET", "/users", self.users),
            ("GET", "/users/{id}", self.user_by_id),
        ]
        routes = [Route(f"/x/2{path}", endpoint, methods=[method]) for method, path, endpoint in table]
        return [*routes, Route("/x/2/{rest:path}", _unknown, methods=["GET", "POST", "PUT", "DELETE"])]

    # --- lists of posts ---

    async def search(self, request: Request) -> Response:
        """``GET /2/tweets/search/recent``: seven days, newest first."""
        self.gate.enter(request, "search")
        params = XParams(request, _PAGING | {"query", "next_token", "sort_order"})
        query = params.text("query") or ""
        if not query:
            raise invalid("query", "", "The `query` query parameter can not be empty")
        try:
            test = compile_query(query)
        except QueryError as error:
            raise invalid("query", query, str(error)) from error
        oldest = self.world.clock() - timedelta(days=self.world.rules.x_search_days)
        floor = x_floor(oldest)
        if (since := params.post_id("since_id")) is not None and since < floor:
            raise invalid(
                "since_id",
                str(since),
                f"'since_id' must be a tweet id created after [{oldest:%Y-%m-%dT%H:%MZ}]. "
                f"Please use a 'since_id' that is larger than {floor}",
            )
        if (start := params.moment("start_time")) is not None and start < oldest:
            raise invalid(
                "start_time", start.isoformat(), f"Invalid 'start_time'. 'start_time' must be on or after {oldest.isoformat()}"
            )
        with self.world.lock:
            found = [e for e in self.world.posts(Side.X) if e.id >= floor and test(self.shapes.facts(e))]
            return self._page(request, params, found, 10, 10, "next_token")

    async def mentions(self, request: Request) -> Response:
        """``GET /2/users/:id/mentions``: posts that name the account, answers to it included; the newest 800."""
        self.gate.enter(request, "mentions")
        params = XParams(request, _PAGING)
        account = self._account(request.path_params["id"])
        with self.world.lock:
            found = [e for e in self.world.posts(Side.X) if names(self.world, e, account)]
            return self._page(request, params, found[: self.world.rules.x_mentions_window], 10, 5, "pagination_token")

    async def timeline(self, request: Request) -> Response:
        """``GET /2/users/:id/tweets``: the account's own posts, newest first; the newest 3200."""
        self.gate.enter(request, "timeline")
        params = XParams(request, _PAGING | {"exclude"})
        account = self._account(request.path_params["id"])
        left_out = (params.text("exclude") or "").split(",")
        with self.world.lock:
            found = [
                e
                for e in self.world.posts(Side.X)
                if e.author == account.key
                and not ("replies" in left_out and e.reply_to is not None)
                and not ("retweets" in left_out and e.repost_of is not None)
            ]
            return self._page(request, params, found[:3200], 10, 5, "pagination_token")

    def _page(
        self, request: Request, params: XParams, found: Sequence[Entry], default: int, low: int, token_name: str
    ) -> Response:
        count = params.number("max_results", default, low, 100)
        before = params.before(token_name if params.text(token_name) else "pagination_token")
        since, until = params.post_id("since_id"), params.post_id("until_id")
        start, end = params.moment("start_time"), params.moment("end_time")
        left = [
            e
            for e in found
            if (before is None or e.id < before)
            and (since is None or e.id > since)
            and (until is None or e.id < until)
            and (start is None or e.posted_at >= start)
            and (end is None or e.posted_at < end)
        ]
        shown = left[:count]
        self.gate.count_posts(len(shown))
        meta: Json = {"result_count": len(shown)}
        if shown:
            meta = {"newest_id": str(shown[0].id), "oldest_id": str(shown[-1].id)} | meta
        if len(left) > count:
            meta["next_token"] = page_token(shown[-1].id)
        return answered(request, self.shapes.listing(shown, params.wanted()) | {"meta": meta})

    # --- single posts ---

    async def look_up(self, request: Request) -> Response:
        """``GET /2/tweets?ids=``: what is missing stands in ``errors`` of the 200."""
        self.gate.enter(request, "lookup")
        params = XParams(request, {"ids"})
        ids = params.listed("ids", 100)
        for one in ids:
            if not one.isdigit() or len(one) > 19:
                raise invalid("ids", one, f"The `ids` query parameter value [{one}] is not valid")
        with self.world.lock:
            found = [e for one in ids if (e := self.world.visible(int(one), Side.X))]
            self.gate.count_posts(len(found))
            body = self.shapes.listing(found, params.wanted())
        there = {str(e.id) for e in found}
        if gone := [not_found("ids", one, "tweet") for one in ids if one not in there]:
            body["errors"] = gone + body.get("errors", [])
        return answered(request, body)

    async def look_up_one(self, request: Request) -> Response:
        """``GET /2/tweets/:id``."""
        self.gate.enter(request, "lookup")
        params = XParams(request, set())
        raw = request.path_params["id"]
        entry = self.world.visible(int(raw), Side.X) if raw.isdigit() else None
        if entry is None:
            return answered(request, {"errors": [not_found("id", raw, "tweet")]})
        with self.world.lock:
            self.gate.count_posts(1)
            body = self.shapes.listing([entry], params.wanted())
        return answered(request, body | {"data": body["data"][0]})

    # --- the project ---

    async def usage(self, request: Request) -> Response:
        """``GET /2/usage/tweets``: posts read in this month, of how many, and the days until the count starts anew."""
        if self.gate.enter(request, "usage") is not None:
            raise XError(403)
        days_left, read = self.gate.posts_read()
        told = {"cap_reset_day": days_left, "project_cap": self.world.rules.x_monthly_posts, "project_usage": read}
        return answered(request, {"data": {**told, "project_id": "1700000000000000001"}})

    # --- accounts ---

    async def me(self, request: Request) -> Response:
        """``GET /2/users/me``: user context only."""
        account = self.gate.enter_as_user(request, "users")
        return self._one_user(request, account, "id", account.x_id)

    async def user_by_id(self, request: Request) -> Response:
        """``GET /2/users/:id``."""
        self.gate.enter(request, "users")
        number = request.path_params["id"]
        return self._one_user(request, self._find("x_id", number), "id", number)

    async def user_by_name(self, request: Request) -> Response:
        """``GET /2/users/by/username/:username``."""
        self.gate.enter(request, "users")
        name = request.path_params["username"]
        return self._one_user(request, self.world.by_handle(Side.X, name), "username", name)

    async def users(self, request: Request) -> Response:
        """``GET /2/users?ids=``."""
        self.gate.enter(request, "users")
        params = XParams(request, {"ids"})
        return self._users(request, params, {i: self._find("x_id", i) for i in params.listed("ids", 100)}, "ids")

    async def users_by(self, request: Request) -> Response:
        """``GET /2/users/by?usernames=``."""
        self.gate.enter(request, "users")
        params = XParams(request, {"usernames"})
        found = {name: self.world.by_handle(Side.X, name) for name in params.listed("usernames", 100)}
        return self._users(request, params, found, "usernames")

    def _users(self, request: Request, params: XParams, found: dict[str, Account | None], parameter: str) -> Response:
        wanted = params.wanted().user
        data = [{k: v for k, v in self.shapes.user(a).items() if k in wanted} for a in found.values() if a]
        gone = [not_found(parameter, name, "user") for name, account in found.items() if account is None]
        return answered(request, ({"data": data} if data else {}) | ({"errors": gone} if gone else {}))

    def _one_user(self, request: Request, account: Account | None, parameter: str, value: str) -> Response:
        if account is None:
            return answered(request, {"errors": [not_found(parameter, value, "user")]})
        wanted = XParams(request, set()).wanted().user
        return answered(request, {"data": {k: v for k, v in self.shapes.user(account).items() if k in wanted}})

    def _find(self, field: str, value: str) -> Account | None:
        return next((a for a in self.world.accounts.values() if getattr(a, field) == value), None)

    def _account(self, number: str) -> Account:
        account = self._find("x_id", number)
        if account is None:
            raise invalid("id", number, f"The `id` query parameter value [{number}] is not valid")
        return account


async def _unknown(request: Request) -> Response:
    raise XError(404)
