"""A platform whose posts are made up as they are read, and whose network costs time on the simulation's clock alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bot.platforms.base import PlatformSettings
from bot.simulation.campaign import PLATFORM, TAG, Campaign, bytes_of
from ingest.source import Rules
from store.model import AccountInfo, Allowance, Capability, LookUp, Outgoing, OwnPost, Page, Sent, Stream

PAGE_POSTS = 100


class Settings(PlatformSettings):
    """The simulated platform's settings are those that all share."""


class GeneratedPlatform:
    """See :class:`bot.platforms.base.Platform`. Reads the campaign's posts up to ``clock``; each request costs ``network_s``."""

    name = PLATFORM

    def __init__(
        self,
        campaign: Campaign,
        clock: Callable[[], datetime],
        network_s: float = 0.0,
        spend: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self.said: list[tuple[datetime, Outgoing]] = []
        self.requests = 0
        self.first = 1
        self._campaign = campaign
        self._clock = clock
        self._network_s = network_s
        self._spend = spend
        self._rules = Rules(
            max_length=2000,
            length=len,
            id_key=int,
            post_url=lambda _author, post: f"http://127.0.0.1/{post}",
            mention=lambda handle: "@" + handle,
            photo_hosts=(),
            capabilities={capability: Allowance(True, "a simulation") for capability in Capability},
            photo_headers={},
            photo_reader=self._photo,
            indexing_delay_s=0.0,
            overlap_s=0.0,
        )

    @property
    def rules(self) -> Rules:
        return self._rules

    def read(self, stream: Stream, since: str | None, page: str | None, not_before: datetime) -> Page:
        """The posts after ``since``, oldest page first: a page's token is its first number."""
        self._request()
        last = self._campaign.newest(self._clock())
        begin = int(page) if page is not None else max(int(since or 0) + 1, self.first)
        end = min(last, begin + PAGE_POSTS - 1)
        found = tuple(self._campaign.post(number) for number in range(begin, end + 1))
        return Page(found, next=str(end + 1) if end < last else None, head=str(last) if last >= begin else since)

    def look_up(self, ids: Sequence[str]) -> LookUp:
        """Everything still exists."""
        self._request()
        return LookUp(tuple(self._campaign.post(int(i)) for i in ids), ())

    def say(self, message: Outgoing) -> Sent:
        """Take the message; nobody reads it."""
        self._request()
        self.said.append((self._clock(), message))
        return Sent(f"own-{len(self.said)}")

    def own_recent(self, reply_to_id: str | None, since: datetime) -> Sequence[OwnPost]:
        """What was said, newest first."""
        self._request()
        return [
            OwnPost(f"own-{number}", message.text, message.reply_to_id, at)
            for number, (at, message) in reversed(list(enumerate(self.said, 1)))
            if at >= since and reply_to_id in (None, message.reply_to_id)
        ]

    def account(self, handle: str | None = None) -> AccountInfo | None:
        """The bot's own account, and officials under the handle they have in the directory."""
        self._request()
        if handle is None:
            return AccountInfo(id="bot", handle="随手拍助手")
        return AccountInfo(id=handle, handle=handle, verified=True)

    def _photo(self, url: str) -> bytes:
        self._request()
        return bytes_of(url)

    def _request(self) -> None:
        self.requests += 1
        self._spend(self._network_s)


def settings(poll_every_s: int) -> Settings:
    """Settings of a seat at this platform."""
    return Settings(enabled=True, hashtags=(TAG,), mentions=False, poll_every_s=poll_every_s, max_pages=100, backfill_hours=24)


class SimClock:
    """Simulated time: what the machine really works passes in full, what a generator stands for is added, waiting is skipped."""

    def __init__(self, start: datetime, real: Callable[[], float]) -> None:
        self._start = start
        self._real = real
        self._began = real()
        self._added = 0.0

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=self._real() - self._began + self._added)

    def spend(self, seconds: float) -> None:
        """Let ``seconds`` pass without waiting for them."""
        self._added += seconds

    def skip_to(self, moment: datetime) -> None:
        """Let the time until ``moment`` pass, if it lies ahead."""
        self._added += max(0.0, (moment - self()).total_seconds())
