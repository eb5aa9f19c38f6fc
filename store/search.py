"""Sightings as people look for them: by place, time, source and state; on the map; month by month.

Lists run newest post first (by the post's row, so that narrowing to a platform follows an index); a page ends at a post's row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from sqlalchemy import func, select

from store.cases import Case
from store.cases import several as several_cases
from store.leads import Lead
from store.leads import of_row as lead_of_row
from store.model import LeadState
from store.session import Tx
from store.sightings import Sighting, SightingFilter, get, lies_in, of_row
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


def search(tx: Tx, narrow: SightingFilter, *, limit: int = 50, before: int | None = None) -> list[Found]:
    """Sightings that fit, newest post first; ``before`` (a post's row) goes on where an earlier page ended."""
    # The wide rows of posts are read for the page alone, unless the platform is what narrows.
    query = select(sightings.c.id).limit(limit)
    if narrow.platform:
        query = query.join(posts, posts.c.id == sightings.c.post_id).where(posts.c.platform == narrow.platform)
        query = query.order_by(posts.c.id.desc())
    else:
        query = query.order_by(sightings.c.post_id.desc())
    if before is not None:
        query = query.where((posts.c.id if narrow.platform else sightings.c.post_id) < before)
    if narrow.adcode_prefix:
        query = query.where(lies_in((narrow.adcode_prefix,)))
    if narrow.within is not None:
        query = query.where(lies_in(narrow.within))
    if narrow.seen_since is not None:
        query = query.where(sightings.c.seen_to >= narrow.seen_since)
    if narrow.seen_until is not None:
        query = query.where(sightings.c.seen_from < narrow.seen_until)
    if narrow.state is not None:
        query = query.where(sightings.c.state == narrow.state.value)
    if not narrow.with_duplicates:
        query = query.where(sightings.c.duplicate_of.is_(None))
    return _page(tx, tx.execute(query).scalars().all())


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
