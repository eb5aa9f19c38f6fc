"""What is due now, read from the rows alone: a queue that lost a job, or never had it, learns of it here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Column, ColumnElement, or_, select

from store import cases
from store.model import AlertState
from store.posts import WAITING
from store.session import Due, DueKind, Tx
from store.tables import alerts, platform_states, posts


def due(tx: Tx, platforms: Sequence[str], limit: int) -> list[Due]:
    """Everything that is due for these platforms, at most ``limit`` posts of each step, those to be worked on first."""
    found = [Due(DueKind.POLL, name) for name in platforms if _to_poll(tx, name)]
    found += [Due(DueKind.SEND, name) for name in platforms if _to_send(tx, name)]
    if cases.pending_reverse(tx, 1):
        found.append(Due(DueKind.CASES))
    for step, kind in WAITING.items():
        query = (
            select(posts.c.id, posts.c.lane)
            .where(posts.c.step == step, _reached(posts.c.not_before, tx.now))
            .order_by(posts.c.lane, posts.c.id)
            .limit(limit)
        )
        found += [Due(kind, str(row.id), after=row.lane) for row in tx.execute(query)]
    return found


def _to_poll(tx: Tx, platform: str) -> bool:
    waits = select(platform_states.c.platform).where(platform_states.c.platform == platform, platform_states.c.poll_at > tx.now)
    return tx.execute(waits).first() is None


def _to_send(tx: Tx, platform: str) -> bool:
    quiet = select(platform_states.c.platform).where(
        platform_states.c.platform == platform, platform_states.c.quiet_until > tx.now
    )
    if tx.execute(quiet).first() is not None:
        return False
    waiting = select(alerts.c.id).where(
        alerts.c.platform == platform,
        alerts.c.state.in_((AlertState.READY.value, AlertState.UNKNOWN.value)),
        _reached(alerts.c.not_before, tx.now),
    )
    orphaned = select(alerts.c.id).where(
        alerts.c.platform == platform, alerts.c.state == AlertState.SENDING.value, alerts.c.lease_until <= tx.now
    )
    return any(tx.execute(query.limit(1)).first() is not None for query in (waiting, orphaned))


def _reached(column: Column[datetime], now: datetime) -> ColumnElement[bool]:
    return or_(column.is_(None), column <= now)
