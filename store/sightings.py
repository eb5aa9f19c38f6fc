"""Sightings: posts that show a child, with when and where, each with its source and certainty."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, false, insert, or_, select, update

from store import codec
from store.errors import NotFound
from store.model import Certainty, Grain, When, Where
from store.refs import new_ref, tidy_ref
from store.session import Tx
from store.tables import media, posts, sightings


class SightingState(StrEnum):
    """OPEN sightings may alert. WITH_PARENTS: an official saw the child with verified parents; it never alerts again."""

    OPEN = "open"
    WITH_PARENTS = "with_parents"
    SET_ASIDE = "set_aside"


@dataclass(frozen=True, slots=True)
class Sighting:
    """A sighting. ``where_by``/``when_by`` name the person who set that value; extraction never overwrites it then.

    ``duplicate_of`` is the row of the earlier sighting that shows the same or a near-identical photo.
    """

    id: int
    ref: str
    post_id: int
    where: Where
    when: When
    where_by: str | None
    when_by: str | None
    duplicate_of: int | None
    state: SightingState
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SightingFilter:
    """What a list of sightings is narrowed to. ``adcode_prefix`` takes a whole province ("44") or prefecture ("4403");
    ``within`` are the prefixes of a reader's divisions; None is everywhere, none of them is nowhere."""

    adcode_prefix: str = ""
    within: tuple[str, ...] | None = None
    seen_since: datetime | None = None
    seen_until: datetime | None = None
    platform: str = ""
    state: SightingState | None = None
    with_duplicates: bool = True


def save(tx: Tx, post_row: int, where: Where, when: When, *, duplicate_of: int | None = None) -> Sighting:
    """Keep the sighting of a post, once; saving again updates it as :func:`update_extraction` does."""
    existing = of_post(tx, post_row)
    if existing is not None:
        update_extraction(tx, existing.id, where, when)
        if duplicate_of is not None and existing.duplicate_of is None and duplicate_of != existing.id:
            tx.execute(update(sightings).where(sightings.c.id == existing.id).values(duplicate_of=duplicate_of))
        return get(tx, existing.id)
    statement = insert(sightings).values(
        ref=new_ref(tx, sightings, "S"),
        post_id=post_row,
        **_where_out(where),
        **_when_out(when),
        duplicate_of=duplicate_of,
        state=SightingState.OPEN.value,
        created_at=tx.now,
        updated_at=tx.now,
    )
    return of_row(tx.execute(statement.returning(*sightings.c)).one())


def update_extraction(tx: Tx, sighting_id: int, where: Where, when: When) -> bool:
    """Put newly extracted values in, but never over what a person set. True if anything changed."""
    sighting = get(tx, sighting_id)
    values: dict[str, Any] = {}
    if sighting.where_by is None and sighting.where != where:
        values |= _where_out(where)
    if sighting.when_by is None and sighting.when != when:
        values |= _when_out(when)
    if values:
        tx.execute(update(sightings).where(sightings.c.id == sighting_id).values(updated_at=tx.now, **values))
    return bool(values)


def set_duplicate(tx: Tx, sighting_id: int, original: int) -> None:
    """The sighting repeats another one's pictures."""
    _set(tx, sighting_id, duplicate_of=original)


def set_where(tx: Tx, sighting_id: int, where: Where, by: str) -> None:
    """A person says where it was."""
    _set(tx, sighting_id, **_where_out(where), where_by=by)


def set_when(tx: Tx, sighting_id: int, when: When, by: str) -> None:
    """A person says when it was."""
    _set(tx, sighting_id, **_when_out(when), when_by=by)


def set_state(tx: Tx, sighting_id: int, state: SightingState, by: str) -> None:
    """An official or reviewer says what the sighting is."""
    _set(tx, sighting_id, state=state.value, state_by=by)


_BY_ROW = select(sightings).where(sightings.c.id == bindparam("key"))
_BY_REF = select(sightings).where(sightings.c.ref == bindparam("key"))
_OF_POST = select(sightings).where(sightings.c.post_id == bindparam("post"))
_SHOWN = select(media.c.post_id).where(media.c.photo_id.in_(bindparam("photos", expanding=True)))
_SHOWING = select(sightings).where(sightings.c.post_id.in_(_SHOWN)).order_by(sightings.c.id)


def get(tx: Tx, key: int | str) -> Sighting:
    """A sighting by its row number or its reference ("S-4F7K", as people type it).

    Raises:
        NotFound: there is none.
    """
    query, value = (_BY_ROW, key) if isinstance(key, int) else (_BY_REF, tidy_ref(key))
    row = tx.execute(query, {"key": value}).first()
    if row is None:
        raise NotFound(f"no sighting is stored as {key}", mend="list them with: suishoupai sightings list")
    return of_row(row)


def several(tx: Tx, ids: Iterable[int]) -> dict[int, Sighting]:
    """The sightings of these rows, in one query (for the page of a list: a few hundred at most)."""
    return {row.id: of_row(row) for row in tx.execute(select(sightings).where(sightings.c.id.in_(set(ids))))}


def by_time(found: Iterable[Sighting]) -> list[Sighting]:
    """In the order in which they were seen, those without a time by when they came in (pure)."""
    return sorted(found, key=lambda one: (one.when.seen_from or one.when.seen_to or one.created_at, one.id))


def of_post(tx: Tx, post_row: int) -> Sighting | None:
    """The sighting of a post, if it has one."""
    row = tx.execute(_OF_POST, {"post": post_row}).first()
    return None if row is None else of_row(row)


def showing(tx: Tx, photo_ids: Sequence[int]) -> list[Sighting]:
    """The sightings whose posts show any of these photos, oldest first."""
    return [of_row(row) for row in tx.execute(_SHOWING, {"photos": list(photo_ids)})]


def listing(tx: Tx, narrow: SightingFilter | None = None, *, limit: int = 50, before: int | None = None) -> list[Sighting]:
    """Sightings, newest first; ``before`` (a row number) goes on where an earlier page ended."""
    narrow = narrow or SightingFilter()
    # Only the page's own rows are read whole: what narrows to a division is answered by its index alone.
    query = select(sightings.c.id).where(*fits(narrow)).order_by(sightings.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(sightings.c.id < before)
    if narrow.platform:
        query = query.join(posts, posts.c.id == sightings.c.post_id).where(posts.c.platform == narrow.platform)
    page = select(sightings).where(sightings.c.id.in_(query)).order_by(sightings.c.id.desc())
    return [of_row(row) for row in tx.execute(page)]


def fits(narrow: SightingFilter, *, walking: bool = False) -> list[ColumnElement[bool]]:
    """What a sighting's own row must hold to fit (all but the platform, which stands with the post); for the query modules of
    ``store``.

    What nearly all sightings have (no original, the state "open") is written so that it offers no index where something else
    narrows: without statistics SQLite would take it for the rarest of all. ``walking`` along the newest, places offer none.
    """
    other = (narrow.adcode_prefix or None, narrow.within, narrow.seen_since, narrow.seen_until) != (None,) * 4
    found = []
    if narrow.adcode_prefix:
        found.append(lies_in((narrow.adcode_prefix,), walking=walking))
    if narrow.within is not None:
        found.append(lies_in(narrow.within, walking=walking))
    if narrow.seen_since is not None:
        found.append(sightings.c.seen_to >= narrow.seen_since)
    if narrow.seen_until is not None:
        found.append(sightings.c.seen_from < narrow.seen_until)
    if narrow.state is not None:
        state = sightings.c.state.concat("") if other else sightings.c.state
        found.append(state == narrow.state.value)
    if not narrow.with_duplicates:
        found.append((sightings.c.duplicate_of + 0).is_(None))
    return found


def lies_in(prefixes: Sequence[str], *, walking: bool = False) -> ColumnElement[bool]:
    """Whether a sighting lies in any of these divisions ("44", "4403", "440303"), none of them: nowhere; for the query modules
    of ``store``."""
    # A range instead of LIKE: it uses the index on every database and reads no wildcard out of the input.
    # A whole code is compared as such: then the index by place gives its rows in the order of their posts.
    column = sightings.c.adcode.concat("") if walking else sightings.c.adcode
    spans = (column == low if len(low) == 6 else column.between(low.ljust(6, "0"), low.ljust(6, "9")) for low in prefixes)
    return or_(false(), *spans)


def _set(tx: Tx, sighting_id: int, **values: Any) -> None:
    if tx.execute(update(sightings).where(sightings.c.id == sighting_id).values(updated_at=tx.now, **values)).rowcount != 1:
        raise NotFound(f"no sighting is stored as number {sighting_id}")


def _where_out(where: Where) -> dict[str, Any]:
    return {
        "adcode": where.adcode,
        "place": where.place,
        "alternatives": list(where.alternatives),
        "where_certainty": where.certainty.value,
        "where_evidence": codec.evidence_out(where.evidence),
    }


def _when_out(when: When) -> dict[str, Any]:
    return {
        "seen_from": when.seen_from,
        "seen_to": when.seen_to,
        "grain": None if when.grain is None else when.grain.value,
        "when_certainty": when.certainty.value,
        "when_evidence": codec.evidence_out(when.evidence),
    }


def of_row(row: Row[Any]) -> Sighting:
    """A row of the table as a sighting; for the query modules of ``store``."""
    where = Where(
        row.adcode, row.place, tuple(row.alternatives), Certainty(row.where_certainty), codec.evidence_in(row.where_evidence)
    )
    grain = None if row.grain is None else Grain(row.grain)
    when = When(row.seen_from, row.seen_to, grain, Certainty(row.when_certainty), codec.evidence_in(row.when_evidence))
    return Sighting(
        id=row.id,
        ref=row.ref,
        post_id=row.post_id,
        where=where,
        when=when,
        where_by=row.where_by,
        when_by=row.when_by,
        duplicate_of=row.duplicate_of,
        state=SightingState(row.state),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
