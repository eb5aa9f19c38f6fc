"""Weibo counts calls: 100 a day for one user of one app on the basic tier. Answers matter more than one more poll."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from ingest.source import CallCount, Counter, OwnCount
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

    Reading stops ``reserve`` calls before the end; writing may use the last one. The count is this process's own until
    :meth:`count_in` names the one place in which every process on the account counts.
    """

    def __init__(self, daily_calls: int, reserve: int, clock: Clock) -> None:
        self._daily, self._reserve, self._clock = daily_calls, reserve, clock
        self._counter: Counter = OwnCount()
        self._ceiling: tuple[int, datetime] | None = None
        """How high the count may go until the platform's own reset."""

    def count_in(self, counter: Counter) -> None:
        """Count there from now on."""
        self._counter, self._ceiling = counter, None

    def take(self, *, writing: bool) -> None:
        """Count one call about to be made.

        Raises:
            RateLimited: none is left for this purpose; ``until`` is the reset.
        """
        self._counter.change(lambda count: self._one_more(count, writing=writing))

    def _one_more(self, count: CallCount, *, writing: bool) -> CallCount:
        count = self._of_today(count)
        left, reset = self._left(count)
        if left <= (0 if writing else self._reserve):
            kept = "" if writing else f", {self._reserve} of them kept for answers"
            raise RateLimited(
                f"weibo: {left} calls are left until {reset.astimezone(_DAY_ZONE):%Y-%m-%d %H:%M %Z}{kept}",
                until=reset,
                mend="Poll fewer streams, or raise platforms.weibo.daily_calls if the app's tier allows more.",
            )
        return replace(count, made=count.made + 1)

    def made(self) -> int:
        """Calls that were ever counted; to be read before the platform is asked what is left (see :meth:`observe`)."""
        return self._counter.read().made

    def observe(self, calls_left: int, seconds_to_reset: float, made: int) -> None:
        """Take over what the platform says is left, until its own reset. ``made``: :meth:`made` before it was asked, so that a
        call that another process made meanwhile is rather counted twice than not at all."""
        self._ceiling = (made + calls_left, self._clock() + timedelta(seconds=seconds_to_reset))

    def left(self) -> tuple[int, datetime]:
        """Calls left for any purpose, and when that number is renewed."""
        return self._left(self._of_today(self._counter.read()))

    def known_reset(self) -> datetime | None:
        """The reset the platform named, None where it named none that is still to come."""
        ceiling = self._ceiling
        return ceiling[1] if ceiling and self._clock() < ceiling[1] else None

    def interval_s(self, streams: int) -> float:
        """:func:`poll_interval_s` from here and now."""
        left, reset = self.left()
        return poll_interval_s(streams, left, (reset - self._clock()).total_seconds(), self._reserve)

    def _of_today(self, count: CallCount) -> CallCount:
        if count.day_ends is not None and self._clock() < count.day_ends:
            return count
        return CallCount(count.made, day_began=count.made, day_ends=self._next_midnight())

    def _left(self, count: CallCount) -> tuple[int, datetime]:
        assert count.day_ends is not None
        own = (self._daily - (count.made - count.day_began), count.day_ends)
        ceiling = self._ceiling
        if ceiling is None or self._clock() >= ceiling[1]:
            return own
        return min(own, (ceiling[0] - count.made, ceiling[1]))

    def _next_midnight(self) -> datetime:
        today = self._clock().astimezone(_DAY_ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
        return today + timedelta(days=1)
