"""Limits and manners of the two platforms. Tests and the demo change them; the defaults never stand in a demo's way."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Rules:
    """What the platforms allow.

    The real basic tier of Weibo gives 100 calls a day to an authorised user (``weibo_daily_calls``), 15,000 an hour to an
    address and 30 posts an hour. ``bound_domain`` is the app's security domain, one address of which ``statuses/share`` demands.
    ``x_limits`` are calls per 15 minutes and endpoint, ``x_monthly_posts`` the posts a project may read in a month.
    ``indexing_delay_s`` passes before a client's own post shows in any list.
    """

    weibo_daily_calls: int = 100_000
    weibo_hourly_calls_per_ip: int = 1_000_000
    weibo_hourly_posts: int = 100_000
    weibo_search_window: int = 200
    bound_domain: str = "127.0.0.1"
    indexing_delay_s: float = 0.0
    x_requires_summons: bool = True
    x_search_days: int = 7
    x_mentions_window: int = 800
    x_monthly_posts: int = 2_000_000
    x_limits: dict[str, int] = field(
        default_factory=lambda: {
            "search": 45_000,
            "mentions": 30_000,
            "timeline": 30_000,
            "lookup": 30_000,
            "create": 10_000,
            "delete": 10_000,
            "users": 30_000,
            "usage": 50,
        }
    )
