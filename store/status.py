"""The figures that ``status``, ``doctor`` and the health page show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from store import alerts, cases, leads, photos, platform_states, posts
from store.media import MediaState
from store.model import AlertState, CaseState, LeadState
from store.posts import Step
from store.session import Tx
from store.tables import alerts as alert_table
from store.tables import candidates, file_removals, media, sightings, streams
from store.tables import posts as post_table
from store.tally import tally


@dataclass(frozen=True, slots=True)
class StreamFigures:
    """How a stream does. ``lag`` is the time since its last successful poll; None where there was none yet."""

    key: str
    platform: str
    cursor: str | None
    in_chain: bool
    last_attempt_at: datetime | None
    last_success_at: datetime | None
    last_outcome: str | None
    last_error: str | None
    failures: int
    newest_posted_at: datetime | None
    lag: timedelta | None


@dataclass(frozen=True, slots=True)
class Figures:
    """The whole at a glance, as one transaction saw it. ``oldest_ready_at``: since when the oldest sendable message waits.
    ``calls_left``: calls that a platform still allows, and until when, as it stood after the last poll."""

    at: datetime
    streams: tuple[StreamFigures, ...]
    posts: dict[Step, int]
    oldest_waiting_at: datetime | None
    media: dict[MediaState, int]
    photos: int
    sightings: int
    cases: dict[CaseState, int]
    reverse_pending: int
    candidates_open: int
    leads: dict[LeadState, int]
    alerts: dict[AlertState, int]
    oldest_ready_at: datetime | None
    files_to_remove: int
    calls_left: dict[str, tuple[int, datetime]]


def figures(tx: Tx) -> Figures:
    """Count everything that waits, is done, or is stuck."""
    waiting = select(func.min(post_table.c.first_read_at)).where(
        post_table.c.step.in_([Step.STORED.value, Step.EXTRACTED.value, Step.MATCHED.value])
    )
    ready = select(func.min(alert_table.c.created_at)).where(alert_table.c.state == AlertState.READY.value)
    open_candidates = select(func.count()).select_from(candidates).where(candidates.c.state == "open")
    return Figures(
        at=tx.now,
        streams=stream_figures(tx),
        posts=posts.counts(tx),
        oldest_waiting_at=tx.execute(waiting).scalar(),
        media=tally(tx, media.c.state, MediaState),
        photos=photos.count(tx),
        sightings=int(tx.execute(select(func.count()).select_from(sightings)).scalar_one()),
        cases=cases.counts(tx),
        reverse_pending=len(cases.pending_reverse(tx, limit=1000)),
        candidates_open=int(tx.execute(open_candidates).scalar_one()),
        leads=leads.counts(tx),
        alerts=alerts.counts(tx),
        oldest_ready_at=tx.execute(ready).scalar(),
        files_to_remove=int(tx.execute(select(func.count()).select_from(file_removals)).scalar_one()),
        calls_left=platform_states.budgets(tx),
    )


def stream_figures(tx: Tx) -> tuple[StreamFigures, ...]:
    """How each stream does, by name."""
    return tuple(
        StreamFigures(
            key=row.key,
            platform=row.platform,
            cursor=row.cursor,
            in_chain=row.chain is not None,
            last_attempt_at=row.last_attempt_at,
            last_success_at=row.last_success_at,
            last_outcome=row.last_outcome,
            last_error=row.last_error,
            failures=row.failures,
            newest_posted_at=row.newest_posted_at,
            lag=None if row.last_success_at is None else tx.now - row.last_success_at,
        )
        for row in tx.execute(select(streams).order_by(streams.c.key))
    )
