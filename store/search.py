"""Sightings as people look for them: by place, time, source and state; on the map; month by month.

Lists run newest post first (by the post's row, so that narrowing to a platform follows an index); a page ends at a post's row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from sqlalchemy import ColumnElement, func, select

from store.cases import Case
from store.cases import several as several_cases
from store.leads import Lead
from store.leads import of_row as lead_of_row
from store.model import LeadState
from store.session import Tx
from store.sightings import Sighting, SightingFilter, fits, get, lies_in, of_row
from store.sightings import several as several_sightings
from store.tables import leads, posts, sightings


@dataclass(frozen=True, slots=True)
class Found:
    """A sighting with what a list shows of its post."""

    sighting: Sighting
    platform: str
    posted_at: datetime | None


@dataclass(frozen=True, slots=True)
class FoundLead:
    """A lead with what a list shows of its sighting and its case."""

    lead: Lead
    sighting: Sighting
    case: Case


NEWEST = 2000
"""Sightings that are looked through one by one, newest first, before an index by place, state or time is asked."""


def search(tx: Tx, narrow: SightingFilter, *, limit: int = 50, before: int | None = None, newest: int = NEWEST) -> list[Found]:
    """Sightings that fit, newest post first; ``before`` (a post's row) goes on where an earlier page ended.

    What many sightings fit fills its page from the newest few; only what few fit is asked of the indexes, and then few rows
    come back. So neither costs more as sightings grow in number.
    """
    row = sightings.c.post_id
    oldest = select(row).order_by(row.desc()).limit(1).offset(newest - 1)
    if before is not None:
        oldest = oldest.where(row < before)
    floor = tx.execute(oldest).scalar()
    found = _fitting(tx, narrow, limit, before, floor)
    if len(found) < limit and floor is not None:
        found = _fitting(tx, narrow, limit, before, None)
    return _page(tx, found) if found else []


def _fitting(tx: Tx, narrow: SightingFilter, limit: int, before: int | None, floor: int | None) -> Sequence[int]:
    """Rows of the sightings that fit, newest first, none of a post below the row ``floor``."""
    query = select(sightings.c.id).where(*fits(narrow, walking=floor is not None))
    row: ColumnElement[int] = sightings.c.post_id
    placed = bool(narrow.adcode_prefix) or narrow.within is not None
    dated = narrow.seen_since is not None or narrow.seen_until is not None
    if narrow.platform:
        # Few sightings lie in a span of time, and nearly all of them are of one platform: its index is not offered then.
        platform = posts.c.platform.concat("") if dated and not placed else posts.c.platform
        query = query.join(posts, posts.c.id == row).where(platform == narrow.platform)
    if before is not None:
        query = query.where(row < before)
    if floor is not None:
        query = query.where(row >= floor)
    elif (placed or dated) and len(narrow.adcode_prefix) < 6:
        row = row + 0  # the index that narrows has another order: without the sum SQLite would walk all posts to have this one
    return tx.execute(query.order_by(row.desc()).limit(limit)).scalars().all()


def _page(tx: Tx, ids: Sequence[int]) -> list[Found]:
    page = (
        select(sightings, posts.c.platform, posts.c.posted_at)
        .join(posts, posts.c.id == sightings.c.post_id)
        .where(sightings.c.id.in_(ids))
        .order_by(sightings.c.post_id.desc())
    )
    return [Found(of_row(row), row.platform, row.posted_at) for row in tx.execute(page)]


def by_adcode(tx: Tx) -> dict[str | None, int]:
    """How many sightings lie in each division; under None those without a place."""
    query = select(sightings.c.adcode, func.count().label("n")).group_by(sightings.c.adcode)
    return {row.adcode: row.n for row in tx.execute(query)}


def between(tx: Tx, bounds: list[datetime]) -> list[int]:
    """How many sightings began in each span from one bound to the next (one shorter than ``bounds``)."""
    counts = []
    for start, end in pairwise(bounds):
        query = select(func.count()).select_from(sightings).where(sightings.c.seen_from >= start, sightings.c.seen_from < end)
        counts.append(int(tx.execute(query).scalar_one()))
    return counts


def same_photo(tx: Tx, sighting: Sighting) -> list[Sighting]:
    """The other sightings of the group that shows one photo (the earliest and its repeats), oldest first."""
    first = sighting.duplicate_of or sighting.id
    repeats = tx.execute(select(sightings.c.id).where(sightings.c.duplicate_of == first).order_by(sightings.c.id)).scalars()
    return [get(tx, number) for number in (first, *repeats) if number != sighting.id]


OPEN = tuple(state for state in LeadState if state not in (LeadState.RULED_OUT, LeadState.CONFIRMED, LeadState.CLOSED))
"""States of a lead that somebody still has to do something about."""


def leads_in(
    tx: Tx, within: Sequence[str] | None, states: Sequence[LeadState] = (), *, limit: int = 50, before: int | None = None
) -> list[FoundLead]:
    """Leads in any of ``states`` (none given: all), newest first, whose sightings lie in any of these divisions ("44",
    "4403", "440303"); None is everywhere, none of them is nowhere."""
    query = select(leads).order_by(leads.c.id.desc()).limit(limit)
    if states:
        query = query.where(leads.c.state.in_([state.value for state in states]))
    if before is not None:
        query = query.where(leads.c.id < before)
    if within is not None:
        query = query.join(sightings, sightings.c.id == leads.c.sighting_id).where(lies_in(within))
    found = [lead_of_row(row) for row in tx.execute(query)]
    seen = several_sightings(tx, [lead.sighting_id for lead in found])
    about = several_cases(tx, [lead.case_id for lead in found])
    return [FoundLead(lead, seen[lead.sighting_id], about[lead.case_id]) for lead in found]


def count_leads_in(tx: Tx, within: Sequence[str] | None) -> dict[LeadState, int]:
    """How many leads stand in each state, in the divisions that :func:`leads_in` would list."""
    query = select(leads.c.state, func.count().label("n")).group_by(leads.c.state)
    if within is not None:
        query = query.join(sightings, sightings.c.id == leads.c.sighting_id).where(lies_in(within))
    told = {row.state: row.n for row in tx.execute(query)}
    return {state: told.get(state.value, 0) for state in LeadState}
