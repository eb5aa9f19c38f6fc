"""What every Weibo call passes first: the token, the call budgets, typed parameters."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from starlette.datastructures import FormData, QueryParams
from starlette.requests import Request

from bot.microblog.model import Account
from bot.microblog.weibo_errors import WeiboError
from bot.microblog.weibo_shapes import BEIJING, Json
from bot.microblog.world import World


class Params:
    """Query or form parameters, typed. Raises WeiboError 10016 where one is missing, 10008 where it is malformed."""

    def __init__(self, values: QueryParams | FormData) -> None:
        self._values = values

    def text(self, name: str, default: str | None = None) -> str:
        """A string; required where ``default`` is None."""
        value = self._values.get(name)
        if not isinstance(value, str) or not value:
            if default is None:
                raise WeiboError(10016, name)
            return default
        return value

    def number(self, name: str, default: int | None = None, *, low: int = 0, high: int | None = None) -> int:
        """A whole number between ``low`` and ``high``; above ``high`` it is cut, as Weibo does."""
        raw = self.text(name, None if default is None else str(default))
        if not raw.lstrip("-").isdigit() or int(raw) < low:
            raise WeiboError(10008, name)
        return min(int(raw), high) if high is not None else int(raw)

    def numbers(self, name: str, most: int) -> list[int]:
        """Whole numbers separated by commas, at most ``most``."""
        values = self.text(name).split(",")
        if len(values) > most or not all(v.strip().isdigit() for v in values):
            raise WeiboError(10008, name)
        return [int(v) for v in values]


class Gate:
    """Counts calls a day (Beijing time) and user, and an hour and address; checks tokens."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._by_user: Counter[tuple[str, str]] = Counter()
        self._by_ip: Counter[tuple[str, str]] = Counter()

    async def enter(self, request: Request) -> tuple[Account, Params]:
        """The caller's account and parameters. Raises WeiboError for a bad token or a spent budget."""
        values = await request.form() if request.method == "POST" else request.query_params
        account = self._caller(request, values)
        day, hour = self._windows()
        address = request.client.host if request.client else ""
        self._by_ip[address, hour] += 1
        if self._by_ip[address, hour] > self.world.rules.weibo_hourly_calls_per_ip:
            raise WeiboError(10022)
        self._by_user[account.key, day] += 1
        if self._by_user[account.key, day] > self.world.rules.weibo_daily_calls:
            raise WeiboError(10023)
        return account, Params(values)

    def status(self, request: Request) -> Json:
        """The body of ``account/rate_limit_status``, which costs no call."""
        account = self._caller(request, request.query_params)
        rules, now = self.world.rules, self.world.clock()
        day, hour = self._windows()
        address = request.client.host if request.client else ""
        reset = (now.astimezone(BEIJING) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return {
            "ip_limit": rules.weibo_hourly_calls_per_ip,
            "limit_time_unit": "DAYS",
            "remaining_ip_hits": max(0, rules.weibo_hourly_calls_per_ip - self._by_ip[address, hour]),
            "remaining_user_hits": max(0, rules.weibo_daily_calls - self._by_user[account.key, day]),
            "reset_time": f"{reset:%Y-%m-%d %H:%M:%S}",
            "reset_time_in_seconds": int((reset - now).total_seconds()),
            "user_limit": rules.weibo_daily_calls,
        }

    def check_posting(self, account: Account) -> None:
        """Raise WeiboError 20016 where the caller published as much in the past hour as is allowed."""
        since = self.world.clock() - timedelta(hours=1)
        said = [p for p in self.world.ledger.publications if p.author == account.key and p.at > since]
        if len(said) >= self.world.rules.weibo_hourly_posts:
            raise WeiboError(20016)

    def _caller(self, request: Request, values: QueryParams | FormData) -> Account:
        given = values.get("access_token") or request.query_params.get("access_token")
        if not given:
            header = request.headers.get("authorization", "")
            given = header.removeprefix("OAuth2 ") if header.startswith("OAuth2 ") else None
        if not isinstance(given, str):
            raise WeiboError(10006)
        token = self.world.tokens.weibo.get(given)
        if token is None:
            raise WeiboError(21332)
        if token.revoked:
            raise WeiboError(21316)
        if token.expires_at is not None and token.expires_at <= self.world.clock():
            raise WeiboError(21327)
        return self.world.account(token.account)

    def _windows(self) -> tuple[str, str]:
        now: datetime = self.world.clock().astimezone(BEIJING)
        return f"{now:%Y-%m-%d}", f"{now:%Y-%m-%d %H}"
