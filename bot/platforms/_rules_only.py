"""A platform whose rules are known and which is never spoken with: for workers on machines without its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NoReturn

from bot.platforms.base import Platform, PlatformSettings
from bot.platforms.loading import PlatformModule
from ingest.source import Rules
from store.errors import SettingsError, Unauthorised
from store.model import AccountInfo, Clock, LookUp, Outgoing, OwnPost, Page, Sent, Stream


class RulesOnly:
    """A :class:`bot.platforms.base.Platform` that knows limits and capabilities and refuses every call."""

    def __init__(self, name: str, rules: Rules) -> None:
        self.name = name
        self.rules = rules

    def read(self, stream: Stream, since: str | None, page: str | None, not_before: datetime) -> Page:
        """Refused."""
        self._refuse()

    def look_up(self, ids: Sequence[str]) -> LookUp:
        """Refused."""
        self._refuse()

    def say(self, message: Outgoing) -> Sent:
        """Refused."""
        self._refuse()

    def own_recent(self, reply_to_id: str | None, since: datetime) -> Sequence[OwnPost]:
        """Refused."""
        self._refuse()

    def account(self, handle: str | None = None) -> AccountInfo | None:
        """Refused."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise Unauthorised(f"{self.name}: this worker has no token", mend="take poll and deliver off its --queues")


def rules_only(name: str, module: PlatformModule, settings: PlatformSettings, clock: Clock) -> Platform:
    """Platform ``name`` without its secrets.

    Raises:
        SettingsError: its file does not say its rules apart from its client.
    """
    rules = getattr(module, "rules", None)
    if rules is not None:
        return RulesOnly(name, rules(settings, clock))
    if not module.SECRETS:
        return module.build(settings, {}, clock)
    raise SettingsError(
        f"platforms.{name}: its file has no rules(settings, clock): a worker cannot do without its secrets",
        mend=f"set them here too ({', '.join(module.SECRETS)}), or add rules() to the file",
    )
