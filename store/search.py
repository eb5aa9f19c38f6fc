"""Sightings as people look for them: by place, time, source and state; on the map; month by month.

Lists run newest post first (by the post's row, so that narrowing to a platform follows an index); a page ends at a post's row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from sqlalchemy import func, or_, select

from store.leads import Lead
from store.leads import get as get_lead
from store.model import LeadState
from store.session import Tx
from store.sightings import Sighting, SightingFilter, get
from store.tables import leads, posts, sightings


@dataclass(frozen=True, slots=True)
class Found:
    """A sighting with what a list shows of its post."""

    sighting: Sighting
    platform: str
    posted_at: datetime | None


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
        low = narrow.adcode_prefix
        query = query.where(sightings.c.adcode >= low.ljust(6, "0"), sightings.c.adcode <= low.ljust(6, "9"))
    if narrow.seen_since is not None:
        query = query.where(sightings.c.seen_to >= narrow.seen_since)
    if narrow.seen_until is not None:
        query = query.where(sightings.c.seen_from < narrow.seen_until)
    if narrow.state is not None:
        query = query.where(sightings.c.state == narrow.state.value)
    if not narrow.with_duplicates:
        query = query.where(sightings.c.duplicate_of.is_(None))
    return [_found(tx, int(number)) for number in tx.execute(query).scalars().all()]


def _found(tx: Tx, sighting_id: int) -> Found:
    sighting = get(tx, sighting_id)
    row = tx.execute(select(posts.c.platform, posts.c.posted_at).where(posts.c.id == sighting.post_id)).one()
    return Found(sighting, row.platform, row.posted_at)


def by_division(tx: Tx, prefix: str = "") -> dict[str, int]:
    """How many sightings lie in each province (two digits), or in each prefecture (four digits) of the province ``prefix``."""
    digits = 4 if prefix else 2
    place = func.substr(sightings.c.adcode, 1, digits).label("place")
    query = select(place, func.count().label("n")).where(sightings.c.adcode.is_not(None))
    if prefix:
        query = query.where(sightings.c.adcode >= prefix.ljust(6, "0"), sightings.c.adcode <= prefix.ljust(6, "9"))
    return {row.place: row.n for row in tx.execute(query.group_by(place))}


def without_place(tx: Tx) -> int:
    """How many sightings have no division yet."""
    return int(tx.execute(select(func.count()).select_from(sightings).where(sightings.c.adcode.is_(None))).scalar_one())


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


_OPEN = tuple(state.value for state in LeadState if state not in (LeadState.RULED_OUT, LeadState.CONFIRMED, LeadState.CLOSED))


def leads_in(tx: Tx, prefixes: Sequence[str], *, limit: int = 50) -> list[Lead]:
    """Open leads whose sightings lie in any of these divisions ("44", "4403", "440303"), newest first."""
    if not prefixes:
        return []
    here = or_(*(sightings.c.adcode.between(low.ljust(6, "0"), low.ljust(6, "9")) for low in prefixes))
    query = (
        select(leads.c.id)
        .join(sightings, sightings.c.id == leads.c.sighting_id)
        .where(leads.c.state.in_(_OPEN), here)
        .order_by(leads.c.id.desc())
        .limit(limit)
    )
    return [get_lead(tx, int(number)) for number in tx.execute(query).scalars().all()]
