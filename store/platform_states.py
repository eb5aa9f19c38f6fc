"""What the workers on one platform share: the bot's own account, a pause it asked for, the breaker, when to poll again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from store import dialect
from store.session import Tx
from store.tables import platform_states


@dataclass(frozen=True, slots=True)
class PlatformState:
    """One platform's state. ``breaker`` is the caller's own JSON (see bot/steps/breaker.py); ``poll_at`` is when the next poll
    is due, None for at once. ``calls_left`` calls may still be made until ``calls_reset_at``; None where nobody counts them. The
    count itself: calls ever made, how many were made when the budget's day began, and when that day ends (see
    ``ingest.source.CallCount``)."""

    own_id: str = ""
    own_handle: str = ""
    quiet_until: datetime | None = None
    breaker: Mapping[str, Any] | None = None
    poll_at: datetime | None = None
    calls_left: int | None = None
    calls_reset_at: datetime | None = None
    calls_made: int = 0
    calls_day_began: int = 0
    calls_day_ends: datetime | None = None


def get(tx: Tx, platform: str) -> PlatformState:
    """The state of a platform; a blank one before anything is known."""
    row = tx.execute(select(platform_states).where(platform_states.c.platform == platform)).first()
    if row is None:
        return PlatformState()
    return PlatformState(
        row.own_id, row.own_handle, row.quiet_until, row.breaker, row.poll_at, row.calls_left, row.calls_reset_at,
        row.calls_made, row.calls_day_began, row.calls_day_ends,
    )  # fmt: skip


def budgets(tx: Tx) -> dict[str, tuple[int, datetime]]:
    """Calls left on each platform that counts them, and until when: as it stood after the last poll. A day that is over is
    left out: nobody knows yet what the new one allows."""
    query = select(platform_states).where(platform_states.c.calls_left.is_not(None), platform_states.c.calls_reset_at > tx.now)
    rows = tx.execute(query.order_by(platform_states.c.platform))
    return {row.platform: (row.calls_left, row.calls_reset_at) for row in rows}


def put(tx: Tx, platform: str, **values: Any) -> None:
    """Change the named fields of a platform's state."""
    statement = dialect.upsert(platform_states, ["platform"], list(values)).values(platform=platform, **values)
    tx.execute(statement)
