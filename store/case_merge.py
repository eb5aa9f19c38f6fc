"""Two registrations of one child: finding them, and making one of them. The one that is not kept is closed, not deleted."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import Table, and_, delete, or_, select, update

from store import cases, history
from store.cases import Case, CaseFields
from store.errors import BadInput
from store.model import CaseState
from store.session import Tx
from store.tables import alerts as alert_table
from store.tables import (
    candidates,
    case_photos,
    family_picks,
    lead_events,
    leads,
    official_replies,
    rejections,
    user_cases,
)
from store.tables import cases as case_table

_MOST = 20


@dataclass(frozen=True, slots=True)
class Alike:
    """Another case that may be the same child, and what they share."""

    case: Case
    why: tuple[str, ...]


def shared(one: CaseFields, other: CaseFields) -> tuple[str, ...]:
    """What two registrations have in common that two children rarely have (pure); empty where nothing tells."""
    if one.sex and other.sex and one.sex != other.sex:
        return ()
    found = []
    if one.police_report_number.strip() and one.police_report_number.strip() == other.police_report_number.strip():
        found.append("police report number")
    if _tidy(one.name) and _tidy(one.name) == _tidy(other.name):
        found.append("name")
    if one.birth_on is not None and one.birth_on == other.birth_on:
        found.append("birth date")
    near = one.missing_adcode and other.missing_adcode and one.missing_adcode[:4] == other.missing_adcode[:4]
    if near and one.missing_on is not None and one.missing_on == other.missing_on:
        found.append("day and place of loss")
    # A birth date alone is shared by fifty thousand people.
    return () if found == ["birth date"] else tuple(found)


def alike(tx: Tx, case: Case) -> list[Alike]:
    """Cases that are not closed and may be the same child, those that share most first; at most 20."""
    what = case.fields
    asked = [and_(case_table.c.name == what.name)]
    if what.birth_on is not None:
        asked.append(and_(case_table.c.birth_on == what.birth_on))
    if what.police_report_number.strip():
        asked.append(and_(case_table.c.police_report_number == what.police_report_number.strip()))
    query = select(case_table.c.id).where(or_(*asked)).limit(500)
    found = [cases.get(tx, number) for number in tx.execute(query).scalars() if number != case.id]
    told = [Alike(other, shared(what, other.fields)) for other in found if other.state is not CaseState.CLOSED]
    return sorted((item for item in told if item.why), key=lambda item: (-len(item.why), item.case.id))[:_MOST]


def merge(tx: Tx, keep: int | str, drop: int | str, by: str) -> Case:
    """Make ``drop`` part of ``keep``: photos, candidates, leads, rejections and family sign-ins move over, empty fields are
    filled in, and ``drop`` is closed. A verified case stays verified only by what was verified in it.

    Raises:
        BadInput: they are one case, one is closed, nobody is named, ``drop`` is verified and ``keep`` is not, or a lead of
            theirs on one sighting stands in two states.
    """
    kept, dropped = cases.get(tx, keep), cases.get(tx, drop)
    if kept.id == dropped.id:
        raise BadInput("a case cannot be merged with itself")
    if CaseState.CLOSED in (kept.state, dropped.state):
        raise BadInput("one of the two cases is closed")
    if dropped.state is CaseState.VERIFIED and kept.state is not CaseState.VERIFIED:
        raise BadInput(f"{dropped.ref} is verified and {kept.ref} is not", mend=f"merge {kept.ref} into {dropped.ref} instead")
    if not by.strip():
        raise BadInput("say who merges the cases")
    filled = filled_in(kept.fields, dropped.fields)
    if filled != kept.fields:
        history.edit(tx, kept.id, filled, by)
    for table, own in _MOVED:
        _move(tx, table, own, dropped.id, kept.id)
    tx.execute(update(rejections).where(rejections.c.case_id == dropped.id).values(case_id=kept.id))
    cases.close(tx, dropped.id, by, f"the same child as {kept.ref}")
    cases.touch(tx, kept.id)
    return cases.get(tx, kept.id)


def filled_in(keep: CaseFields, drop: CaseFields) -> CaseFields:
    """``keep`` with its empty fields taken from ``drop`` (pure). The police report number is never taken over: a person
    verified the one that stands. Contacts are joined."""
    own = {"police_report_number", "source", "source_ref", "contacts", "dna_filed"}
    values: dict[str, Any] = {
        field.name: getattr(drop, field.name)
        for field in fields(CaseFields)
        if field.name not in own and getattr(keep, field.name) in ("", None)
    }
    values["contacts"] = tuple(dict.fromkeys((*keep.contacts, *drop.contacts)))
    values["dna_filed"] = keep.dna_filed or drop.dna_filed
    return replace(keep, **values)


_MOVED: tuple[tuple[Table, str], ...] = (
    (case_photos, "photo_id"),
    (candidates, "face_id"),
    (leads, "sighting_id"),
    (family_picks, "face_id"),
    (user_cases, "user_id"),
)
"""Tables that hold a pair (case, something) once, and that something's column."""


def _move(tx: Tx, table: Table, own: str, old: int, new: int) -> None:
    """Give rows of one case to the other; where the other has the same pair, its own stands and the old row is dropped.

    A lead that both have keeps the history, messages and picks of either; nothing that was said is forgotten.
    """
    theirs = table.alias()
    clash = select(theirs.c[own]).where(theirs.c.case_id == new)
    both = table.c.case_id == old, table.c[own].in_(clash)
    if table is leads:
        _join_leads(tx, old, new)
    elif table is candidates:
        held = select(candidates.c.id).where(*both)
        tx.execute(update(leads).where(leads.c.candidate_id.in_(held)).values(candidate_id=None))
    tx.execute(delete(table).where(*both))
    tx.execute(update(table).where(table.c.case_id == old).values(case_id=new))


def _join_leads(tx: Tx, old: int, new: int) -> None:
    ours = leads.alias()
    both = select(leads.c.id, leads.c.state, ours.c.id.label("kept"), ours.c.state.label("kept_state"))
    pairs = both.join(ours, ours.c.sighting_id == leads.c.sighting_id)
    for row in tx.execute(pairs.where(leads.c.case_id == old, ours.c.case_id == new)).all():
        if row.state != row.kept_state:
            raise BadInput(
                f"both cases have a lead on one sighting, {row.kept} ({row.kept_state}) and {row.id} ({row.state})",
                mend="bring the two leads to the same state first",
            )
        for table in (alert_table, official_replies, family_picks, lead_events):
            tx.execute(update(table).where(table.c.lead_id == row.id).values(lead_id=row.kept))


def _tidy(name: str) -> str:
    return "".join(name.split()).casefold()
