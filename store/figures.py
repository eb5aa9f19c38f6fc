"""Counts for the public page: by province and month, never by person. What is shown of them decides bot/figures.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, String, func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement

from store.leads import RecordKind
from store.model import CaseState, LeadState, MessageKind
from store.session import Tx
from store.tables import alerts, cases, lead_events, leads, sightings

_CHECKED = (LeadState.CHECKING, LeadState.RULED_OUT, LeadState.DNA_PENDING, LeadState.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Count:
    """``number`` of ``measure`` in a province (its adcode's first two digits, "" where unknown) and month ("2026-11")."""

    measure: str
    province: str
    month: str
    number: int


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A new case's notice that a person released and the bot published."""

    text: str
    url: str
    sent_at: datetime
    ref: str


class _Month(FunctionElement[str]):
    """``_Month(column, "+8 hours")``: an instant's month as "YYYY-MM", that far from UTC."""

    type = String()
    inherit_cache = True
    name = "month"


@compiles(_Month, "sqlite")
def _month_sqlite(element: _Month, compiler: SQLCompiler, **kw: Any) -> str:
    column, shift = element.clauses
    return f"strftime('%Y-%m', {compiler.process(column, **kw)}, {compiler.process(shift, **kw)})"


@compiles(_Month, "postgresql")
def _month_postgresql(element: _Month, compiler: SQLCompiler, **kw: Any) -> str:
    column, shift = element.clauses
    moment = f"({compiler.process(column, **kw)} AT TIME ZONE 'UTC') + CAST({compiler.process(shift, **kw)} AS interval)"
    return f"to_char({moment}, 'YYYY-MM')"


def counts(tx: Tx, offset: timedelta) -> list[Count]:
    """Everything the public page counts. ``offset`` is how far the campaign's clock is ahead of UTC.

    Sightings by when they were read, without repeats of a photo; cases by when a second person verified them; leads by when
    each was first checked, confirmed by DNA, or ruled out, at the sighting's place.
    """
    shift = f"{int(offset.total_seconds() // 60):+d} minutes"
    found: list[Count] = []
    of_sightings = select(_province(sightings.c.adcode), _month(sightings.c.created_at, shift), func.count())
    found += _rows(tx, "sightings", of_sightings.where(sightings.c.duplicate_of.is_(None)).group_by("province", "month"))
    of_cases = select(_province(cases.c.missing_adcode), _month(cases.c.verified_at, shift), func.count())
    verified = (cases.c.state.in_([CaseState.VERIFIED.value, CaseState.CLOSED.value]), cases.c.verified_at.is_not(None))
    found += _rows(tx, "cases", of_cases.where(*verified).group_by("province", "month"))
    for measure, states, dna in (
        ("leads_checked", _CHECKED, False),
        ("confirmed_by_dna", (LeadState.CONFIRMED,), True),
        ("ruled_out", (LeadState.RULED_OUT,), False),
    ):
        found += _rows(tx, measure, _leads(shift, states, dna=dna))
    return found


def _leads(shift: str, states: Sequence[LeadState], *, dna: bool) -> Select[Any]:
    """Leads by when they first came to one of ``states``."""
    first = (
        select(lead_events.c.lead_id, func.min(lead_events.c.at).label("at"))
        .where(lead_events.c.to_state.in_([state.value for state in states]))
        .group_by(lead_events.c.lead_id)
    )
    if dna:
        first = first.where(lead_events.c.record_kind == RecordKind.DNA.value)
    moved = first.subquery()
    return (
        select(_province(sightings.c.adcode), _month(moved.c.at, shift), func.count())
        .select_from(moved.join(leads, leads.c.id == moved.c.lead_id).join(sightings, sightings.c.id == leads.c.sighting_id))
        .group_by("province", "month")
    )


def _province(adcode: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(func.substr(adcode, 1, 2), "").label("province")


def _month(moment: ColumnElement[Any], shift: str) -> ColumnElement[Any]:
    return _Month(moment, shift).label("month")


def _rows(tx: Tx, measure: str, query: Select[Any]) -> list[Count]:
    found: list[Any] = list(tx.execute(query))
    return [Count(measure, province, month, int(number)) for province, month, number in found]


def broadcasts(tx: Tx, limit: int = 50) -> list[Broadcast]:
    """The newest notices that a person released, as they were published."""
    query = (
        select(alerts.c.text, alerts.c.sent_url, alerts.c.sent_at, alerts.c.ref)
        .where(alerts.c.kind == MessageKind.BROADCAST.value, alerts.c.state == "sent", alerts.c.sent_at.is_not(None))
        .order_by(alerts.c.id.desc())
        .limit(limit)
    )
    return [Broadcast(row.text, row.sent_url, row.sent_at, row.ref) for row in tx.execute(query)]
