"""Leads: what people follow up, with every move, who made it and on what ground."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row, insert, select, update

from store import dialect
from store.errors import BadInput, NotFound
from store.model import LeadState
from store.session import Tx
from store.tables import lead_events, leads
from store.tally import tally

_S = LeadState

MOVES: Mapping[LeadState, frozenset[LeadState]] = MappingProxyType(
    {
        _S.NEW: frozenset({_S.REVIEWED, _S.SENT, _S.CHECKING, _S.RULED_OUT, _S.DNA_PENDING, _S.CONFIRMED}),
        _S.REVIEWED: frozenset({_S.SENT, _S.CHECKING, _S.RULED_OUT, _S.DNA_PENDING, _S.CONFIRMED}),
        _S.SENT: frozenset({_S.CHECKING, _S.RULED_OUT, _S.DNA_PENDING, _S.CONFIRMED}),
        _S.CHECKING: frozenset({_S.RULED_OUT, _S.DNA_PENDING, _S.CONFIRMED}),
        _S.DNA_PENDING: frozenset({_S.CHECKING, _S.RULED_OUT, _S.CONFIRMED}),
        _S.RULED_OUT: frozenset({_S.CHECKING, _S.CLOSED}),
        _S.CONFIRMED: frozenset({_S.CLOSED}),
        _S.CLOSED: frozenset(),
    }
)
"""Which state may follow which."""

ON_RECORD = frozenset({_S.RULED_OUT, _S.CONFIRMED, _S.CLOSED})
"""States that only an official's or a DNA record reaches. A score never closes a lead."""


class RecordKind(StrEnum):
    OFFICIAL = "official"
    DNA = "dna"


@dataclass(frozen=True, slots=True)
class Record:
    """What a final state rests on: an official's statement or a DNA result, and where it can be found again."""

    kind: RecordKind
    reference: str


@dataclass(frozen=True, slots=True)
class Lead:
    """A (sighting, case) pair that people follow up."""

    id: int
    sighting_id: int
    case_id: int
    candidate_id: int | None
    state: LeadState
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class LeadEvent:
    """One move of a lead."""

    from_state: LeadState | None
    to_state: LeadState
    at: datetime
    who: str
    why: str
    record: Record | None


def check_move(present: LeadState, wanted: LeadState, record: Record | None) -> None:
    """Whether a lead may go from ``present`` to ``wanted`` on ``record`` (pure).

    Raises:
        BadInput: the move is not one of :data:`MOVES`, or ``wanted`` needs a record that names where it can be found.
    """
    if wanted not in MOVES[present]:
        allowed = ", ".join(sorted(state.value for state in MOVES[present])) or "nothing"
        raise BadInput(f"a lead that is {present.value} cannot become {wanted.value}", mend=f"it may become: {allowed}")
    if wanted in ON_RECORD and (record is None or not record.reference.strip()):
        raise BadInput(f"only an official's or a DNA record makes a lead {wanted.value}", mend="name the record")


def open_lead(tx: Tx, sighting_id: int, case_id: int, *, candidate_id: int | None, who: str, why: str) -> Lead:
    """The lead of a (sighting, case) pair, made if it is not there."""
    statement = dialect.upsert(leads, ["sighting_id", "case_id"]).values(
        sighting_id=sighting_id,
        case_id=case_id,
        candidate_id=candidate_id,
        state=LeadState.NEW.value,
        created_at=tx.now,
        updated_at=tx.now,
    )
    number = tx.execute(statement.returning(leads.c.id)).scalar()
    if number is not None:
        _note(tx, number, None, LeadState.NEW, who, why, None)
    query = select(leads).where(leads.c.sighting_id == sighting_id, leads.c.case_id == case_id)
    return of_row(tx.execute(query).one())


def move(tx: Tx, lead_id: int, to: LeadState, *, who: str, why: str, record: Record | None = None) -> Lead:
    """Move a lead, with who and why. Asking for the state it is in changes nothing.

    Raises:
        BadInput: see :func:`check_move`; or nobody is named.
        NotFound: there is no such lead.
    """
    lead = get(tx, lead_id)
    if lead.state is to:
        return lead
    if not who.strip():
        raise BadInput("say who moves the lead")
    check_move(lead.state, to, record)
    tx.execute(update(leads).where(leads.c.id == lead_id).values(state=to.value, updated_at=tx.now))
    _note(tx, lead_id, lead.state, to, who, why, record)
    return get(tx, lead_id)


def get(tx: Tx, lead_id: int) -> Lead:
    """A lead by its id.

    Raises:
        NotFound: there is none.
    """
    row = tx.execute(select(leads).where(leads.c.id == lead_id)).first()
    if row is None:
        raise NotFound(f"no lead is stored as number {lead_id}")
    return of_row(row)


def history(tx: Tx, lead_id: int) -> list[LeadEvent]:
    """Every move of a lead, first to last."""
    rows = tx.execute(select(lead_events).where(lead_events.c.lead_id == lead_id).order_by(lead_events.c.id))
    return [
        LeadEvent(
            from_state=None if row.from_state is None else LeadState(row.from_state),
            to_state=LeadState(row.to_state),
            at=row.at,
            who=row.who,
            why=row.why,
            record=None if row.record_kind is None else Record(RecordKind(row.record_kind), row.record),
        )
        for row in rows
    ]


def listing(
    tx: Tx,
    *,
    state: LeadState | None = None,
    case_id: int | None = None,
    sighting_id: int | None = None,
    limit: int = 50,
    before: int | None = None,
) -> list[Lead]:
    """Leads, newest first; ``before`` (a row number) goes on where an earlier page ended."""
    query = select(leads).order_by(leads.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(leads.c.state == state.value)
    if case_id is not None:
        query = query.where(leads.c.case_id == case_id)
    if sighting_id is not None:
        query = query.where(leads.c.sighting_id == sighting_id)
    if before is not None:
        query = query.where(leads.c.id < before)
    return [of_row(row) for row in tx.execute(query)]


def counts(tx: Tx) -> dict[LeadState, int]:
    """How many leads stand in each state."""
    return tally(tx, leads.c.state, LeadState)


def _note(tx: Tx, lead_id: int, before: LeadState | None, after: LeadState, who: str, why: str, record: Record | None) -> None:
    tx.execute(
        insert(lead_events).values(
            lead_id=lead_id,
            from_state=None if before is None else before.value,
            to_state=after.value,
            at=tx.now,
            who=who,
            why=why,
            record_kind=None if record is None else record.kind.value,
            record=None if record is None else record.reference,
        )
    )


def of_row(row: Row[Any]) -> Lead:
    """A row of the table as a lead; for the query modules of ``store``."""
    return Lead(row.id, row.sighting_id, row.case_id, row.candidate_id, LeadState(row.state), row.created_at, row.updated_at)
