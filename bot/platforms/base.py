"""The Protocol every platform follows (five methods), and the settings they share."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from ingest.source import Source
from store.model import AccountInfo, Allowance, Capability, Outgoing, OwnPost, Sent


@runtime_checkable
class Platform(Source, Protocol):
    """A platform that can be read (``read``, ``look_up``) and spoken on (``say``, ``own_recent``, ``account``)."""

    def say(self, message: Outgoing) -> Sent:
        """Publish ``message`` with one request; never retries by itself.

        Raises:
            Doubtful: it may have been published (time-out, reset after sending, 5xx, unreadable 2xx).
            AlreadySaid: the platform's duplicate guard refused identical text.
            RateLimited, Unauthorised, Blocked, Unreachable: certainly not published; may be tried later.
            TargetGone, Refused: certainly not published, for good.
        """

    def own_recent(self, reply_to_id: str | None, since: datetime) -> Sequence[OwnPost]:
        """The bot's own publications since ``since`` (under ``reply_to_id`` where the platform can ask so), newest first.

        Raises as :meth:`ingest.source.Source.read`: an error is not an empty list.
        """

    def account(self, handle: str | None = None) -> AccountInfo | None:
        """Look an account up by handle; None asks for the bot's own (token expiry, calls left). None if there is none."""


class PlatformSettings(BaseModel):
    """Keys that every platform has under ``platforms.<name>``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(default=False, description="Poll this platform and speak on it.")
    hashtags: tuple[str, ...] = Field(default=(), description="Campaign hashtags to read, without '#'.")
    mentions: bool = Field(default=True, description="Read posts that tag the bot.")
    poll_every_s: int = Field(default=1800, ge=1, description="Seconds between polls of one stream.")
    backfill_hours: int = Field(default=24, ge=0, le=24 * 7, description="How far back the first start reads (never answered).")
    max_pages: int = Field(default=20, ge=1, le=100, description="Pages that one poll reads at most; the next poll goes on.")
    timeout_s: float = Field(default=20.0, gt=0, le=120, description="Connect and read time-out of one request.")


def allowances(
    platform: str, settings: PlatformSettings, why: Mapping[Capability, str], never: Collection[Capability] = ()
) -> dict[Capability, Allowance]:
    """What is on, and why: each capability's switch in the platform's settings. What it can ``never`` do is off all the same."""
    found = {}
    for capability in Capability:
        on = bool(getattr(settings, capability.value)) and capability not in never
        found[capability] = Allowance(on, f"{why[capability]} platforms.{platform}.{capability.value}: {'on' if on else 'off'}.")
    return found
