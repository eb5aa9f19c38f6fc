"""What people changed in a case, field by field, and what its family made public."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import insert, select

from store import cases, dialect
from store.cases import Case, CaseFields
from store.errors import BadInput
from store.session import Tx
from store.tables import case_changes, case_publications


@dataclass(frozen=True, slots=True)
class Change:
    """One field of a case that somebody changed, as people read it."""

    at: datetime
    who: str
    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Publication:
    """Where a family itself made its child's particulars public; ``said_by`` is who agreed that others point there."""

    url: str
    said_by: str
    noted_by: str
    at: datetime


def differences(before: CaseFields, after: CaseFields) -> list[tuple[str, str, str]]:
    """(field, before, after) of every field that differs (pure); dates as ISO 8601, contacts one a line."""
    told = []
    for field in fields(CaseFields):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old != new:
            told.append((field.name, _words(old), _words(new)))
    return told


def edit(tx: Tx, key: int | str, what: CaseFields, who: str) -> Case:
    """Change what a case says (see :func:`store.cases.change`) and keep what stood there before.

    Raises:
        BadInput: nobody is named, the child's name is missing, or the case is closed.
    """
    case = cases.get(tx, key)
    if not who.strip() or not what.name.strip():
        raise BadInput("a case needs the child's name and who changes it")
    if case.closed_at is not None:
        raise BadInput(f"{case.ref} is closed; what it says stays as it is")
    told = differences(case.fields, what)
    if not told:
        return case
    changed = cases.change(tx, case.id, what)
    _note(tx, case.id, who, told)
    if changed.state is not case.state:
        # Shown as a change too: everybody reading the history sees why the case fell silent.
        _note(tx, case.id, who, [("state", case.state.value, changed.state.value)])
    return changed


def of_case(tx: Tx, case_id: int, limit: int = 200) -> list[Change]:
    """What was changed in a case, newest first."""
    query = select(case_changes).where(case_changes.c.case_id == case_id).order_by(case_changes.c.id.desc()).limit(limit)
    return [Change(row.at, row.who, row.field, row.before, row.after) for row in tx.execute(query)]


def publish(tx: Tx, case_id: int, url: str, said_by: str, noted_by: str) -> Publication:
    """Note the page on which the family made the case public.

    Raises:
        BadInput: the address is no https page, or nobody of the family is named.
    """
    address = url.strip()
    parts = urlsplit(address)
    if parts.scheme != "https" or "." not in (parts.hostname or "") or not address.isprintable() or " " in address:
        raise BadInput("give the full address of the family's page, beginning with https://")
    if not said_by.strip() or not noted_by.strip():
        raise BadInput("say who of the family agreed")
    values = {"url": address, "said_by": said_by.strip(), "noted_by": noted_by, "at": tx.now}
    tx.execute(dialect.upsert(case_publications, ["case_id"], list(values)).values(case_id=case_id, **values))
    return Publication(address, said_by.strip(), noted_by, tx.now)


def publication(tx: Tx, case_id: int) -> Publication | None:
    """The page on which the family made the case public; None where it did not."""
    row = tx.execute(select(case_publications).where(case_publications.c.case_id == case_id)).first()
    return None if row is None else Publication(row.url, row.said_by, row.noted_by, row.at)


def _note(tx: Tx, case_id: int, who: str, told: list[tuple[str, str, str]]) -> None:
    rows = [
        {"case_id": case_id, "at": tx.now, "who": who, "field": field, "before": before, "after": after}
        for field, before, after in told
    ]
    tx.execute(insert(case_changes), rows)


def _words(value: object) -> str:
    if isinstance(value, tuple):
        return "\n".join(str(item) for item in value)
    return "" if value is None else str(value)
