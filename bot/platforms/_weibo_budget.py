"""Weibo counts calls: 100 a day for one user of one app on the basic tier. Answers matter more than one more poll."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from store.errors import RateLimited
from store.model import Clock

_DAY_ZONE = ZoneInfo("Asia/Shanghai")


def poll_interval_s(streams: int, calls_left: int, seconds_to_reset: float, reserve: int) -> float:
    """Seconds between two polls of ``streams`` streams (one call each) that spread ``calls_left`` evenly until the reset.

    ``reserve`` calls are left over for writing. Where not one round is left, the answer is to wait for the reset.
    """
    rounds = max(0, calls_left - reserve) // max(1, streams)
    return seconds_to_reset / rounds if rounds else seconds_to_reset


class CallBudget:
    """Counts the calls of a day (Asia/Shanghai) and holds what the platform itself last said is left. Thread-safe.

    Reading stops ``reserve`` calls before the end; writing may use the last one. The count starts anew with the process, so
    :meth:`observe` with ``account/rate_limit_status`` is what makes it true after a restart.
    """

    def __init__(self, daily_calls: int, reserve: int, clock: Clock) -> None:
        self._daily, self._reserve, self._clock = daily_calls, reserve, clock
        self._lock = threading.Lock()
        self._day_ends = self._next_midnight()
        self._used = 0
        self._platform: tuple[int, datetime] | None = None

    def take(self, *, writing: bool) -> None:
        """Count one call about to be made.

        Raises:
            RateLimited: none is left for this purpose; ``until`` is the reset.
        """
        with self._lock:
            left, reset = self._state()
            if left <= (0 if writing else self._reserve):
                kept = "" if writing else f", {self._reserve} of them kept for answers"
                raise RateLimited(
                    f"weibo: {left} calls are left until {reset:%Y-%m-%d %H:%M %Z}{kept}",
                    until=reset,
                    mend="Poll fewer streams, or raise platforms.weibo.daily_calls if the app's tier allows more.",
                )
            self._used += 1
            if self._platform:
                self._platform = (self._platform[0] - 1, self._platform[1])

    def observe(self, calls_left: int, seconds_to_reset: float) -> None:
        """Take over what the platform says is left, until its own reset."""
        with self._lock:
            self._platform = (calls_left, self._clock() + timedelta(seconds=seconds_to_reset))

    def left(self) -> tuple[int, datetime]:
        """Calls left for any purpose, and when that number is renewed."""
        with self._lock:
            return self._state()

    def known_reset(self) -> datetime | None:
        """The reset the platform named, None where it named none that is still to come."""
        with self._lock:
            self._state()
            return self._platform[1] if self._platform else None

    def interval_s(self, streams: int) -> float:
        """:func:`poll_interval_s` from here and now."""
        left, reset = self.left()
        return poll_interval_s(streams, left, (reset - self._clock()).total_seconds(), self._reserve)

    def _state(self) -> tuple[int, datetime]:
        now = self._clock()
        if now >= self._day_ends:
            self._used, self._day_ends = 0, self._next_midnight()
        if self._platform and now >= self._platform[1]:
            self._platform = None
        own = (self._daily - self._used, self._day_ends)
        return min(own, self._platform) if self._platform else own

    def _next_midnight(self) -> datetime:
        today = self._clock().astimezone(_DAY_ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
        return today + timedelta(days=1)
