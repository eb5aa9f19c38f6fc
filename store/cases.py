"""Cases: missing children whom a family or an organisation registered and a second person verified."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, select, union_all, update

from store import dialect
from store.errors import BadInput, NotFound
from store.model import CaseState
from store.refs import new_ref, tidy_ref
from store.session import Due, DueKind, Tx
from store.tables import case_photos, cases, photos, removed_cases
from store.tally import last_number, next_number, tally
from store.tombstones import Kind, Tombstones


@dataclass(frozen=True, slots=True)
class CaseFields:
    """What a registrant says. ``sex`` is "female", "male" or "". ``contacts`` are lines of free text (never published).

    ``source`` and ``source_ref`` name the register a case was imported from; a second import of the same is refused.
    """

    name: str
    sex: str = ""
    birth_on: date | None = None
    birth_adcode: str | None = None
    missing_on: date | None = None
    missing_adcode: str | None = None
    height_cm: int | None = None
    features: str = ""
    accent: str = ""
    clothing: str = ""
    circumstances: str = ""
    siblings: str = ""
    contacts: tuple[str, ...] = ()
    police_report_number: str = ""
    dna_filed: bool = False
    source: str = ""
    source_ref: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A case. ``seq`` grows with every change that concerns the gallery, over all cases."""

    id: int
    ref: str
    fields: CaseFields
    state: CaseState
    registered_by: str
    registered_at: datetime
    verified_by: str | None
    verified_at: datetime | None
    closed_by: str | None
    closed_at: datetime | None
    closed_reason: str | None
    closed_record: str | None
    seq: int


@dataclass(frozen=True, slots=True)
class CasePhoto:
    """A photo of a case. ``face_index`` is the face a person chose where the photo shows several."""

    id: int
    case_id: int
    photo_id: int
    sha256: str
    taken_on: date | None
    face_index: int | None


def add(tx: Tx, what: CaseFields, registered_by: str) -> Case:
    """Register a case as a draft: it is silent everywhere until :func:`verify`.

    Raises:
        BadInput: no name, no registrant, or the same (source, source_ref) is registered already or was erased.
    """
    if not what.name.strip() or not registered_by.strip():
        raise BadInput("a case needs the child's name and who registered it")
    if what.source_ref is not None and find_by_source(tx, what.source, what.source_ref) is not None:
        raise BadInput(f"the case {what.source} {what.source_ref} is registered already")
    if what.source_ref is not None and Tombstones(tx).stands(Kind.CASE, what.source, what.source_ref):
        raise BadInput(f"the case {what.source} {what.source_ref} was erased", mend="leave it out of the import")
    statement = insert(cases).values(
        ref=new_ref(tx, cases, "C"),
        **_fields_out(what),
        registered_by=registered_by,
        registered_at=tx.now,
        state=CaseState.DRAFT.value,
        seq=next_seq(tx),
    )
    return get(tx, int(tx.execute(statement.returning(cases.c.id)).scalar_one()))


def change(tx: Tx, key: int | str, what: CaseFields) -> Case:
    """Replace what a case says. A changed police report number takes its verification away: a second person looks anew."""
    case = get(tx, key)
    values = _fields_out(what)
    if case.state is CaseState.VERIFIED and what.police_report_number != case.fields.police_report_number:
        values |= {"state": CaseState.DRAFT.value, "verified_by": None, "verified_at": None}
    _set(tx, case.id, **values)
    return get(tx, case.id)


def add_photo(tx: Tx, key: int | str, photo_id: int, taken_on: date | None = None, face_index: int | None = None) -> CasePhoto:
    """Add a photo (``store.photos.save`` made its row) to a case; the same photo twice is one, with the newer particulars."""
    case = get(tx, key)
    if case.state is CaseState.CLOSED:
        raise BadInput(f"{case.ref} is closed; its photos stay as they are")
    statement = dialect.upsert(case_photos, ["case_id", "photo_id"], ["taken_on", "face_position"]).values(
        case_id=case.id, photo_id=photo_id, taken_on=taken_on, face_position=face_index, added_at=tx.now
    )
    number = int(tx.execute(statement.returning(case_photos.c.id)).scalar_one())
    touch(tx, case.id)
    return next(photo for photo in photos_of(tx, case.id) if photo.id == number)


def photos_of(tx: Tx, key: int | str) -> list[CasePhoto]:
    """The photos of a case, in the order they were added."""
    query = (
        select(case_photos, photos.c.sha256)
        .join(photos, photos.c.id == case_photos.c.photo_id)
        .where(case_photos.c.case_id == get(tx, key).id)
        .order_by(case_photos.c.id)
    )
    return [
        CasePhoto(row.id, row.case_id, row.photo_id, row.sha256, row.taken_on, row.face_position) for row in tx.execute(query)
    ]


def verify(tx: Tx, key: int | str, by: str, report_number: str) -> Case:
    """A second person confirms the police report number; from now on the case is matched.

    Raises:
        BadInput: ``by`` registered the case, the number is missing or is not the registered one, or the case is closed.
    """
    case = get(tx, key)
    number = report_number.strip()
    if case.state is CaseState.CLOSED:
        raise BadInput(f"{case.ref} is closed")
    if not by.strip():
        raise BadInput("say who verifies the case")
    if by.strip().casefold() == case.registered_by.strip().casefold():
        raise BadInput(f"{by} registered {case.ref}: a second person must verify it")
    if not number:
        raise BadInput(f"{case.ref} cannot be verified without the number of its police report")
    registered = case.fields.police_report_number.strip()
    if registered and registered != number:
        raise BadInput(
            f"the number of the police report is not the one registered with {case.ref}", mend="ask the police, then correct it"
        )
    if case.state is CaseState.DRAFT:
        _set(tx, case.id, state=CaseState.VERIFIED.value, verified_by=by, verified_at=tx.now, police_report_number=number)
    return get(tx, case.id)


def close(tx: Tx, key: int | str, by: str, reason: str, record: str = "") -> Case:
    """Close a case: it leaves the gallery. ``record`` names the official or DNA record behind it.

    Raises:
        BadInput: it is closed already, or no one or no reason is named.
    """
    case = get(tx, key)
    if case.state is CaseState.CLOSED:
        raise BadInput(f"{case.ref} is closed already")
    if not by.strip() or not reason.strip():
        raise BadInput("say who closes the case, and why")
    closed = {"closed_by": by, "closed_at": tx.now, "closed_reason": reason, "closed_record": record or None}
    _set(tx, case.id, state=CaseState.CLOSED.value, **closed)
    return get(tx, case.id)


def get(tx: Tx, key: int | str) -> Case:
    """A case by its row number or its reference ("C-9X2M", as people type it).

    Raises:
        NotFound: there is none.
    """
    column, value = (cases.c.id, key) if isinstance(key, int) else (cases.c.ref, tidy_ref(key))
    row = tx.execute(select(cases).where(column == value)).first()
    if row is None:
        raise NotFound(f"no case is stored as {key}", mend="list them with: suishoupai cases list")
    return _case(row)


def find_by_source(tx: Tx, source: str, source_ref: str) -> int | None:
    """The case that was imported under this reference, if any."""
    return tx.execute(select(cases.c.id).where(cases.c.source == source, cases.c.source_ref == source_ref)).scalar()


def sources(tx: Tx) -> list[tuple[int, str, str]]:
    """(row, source, reference in that source) of every case; where it came from no source, ("", its own reference)."""
    rows = tx.execute(select(cases.c.id, cases.c.ref, cases.c.source, cases.c.source_ref).order_by(cases.c.id))
    return [(row.id, "", row.ref) if row.source_ref is None else (row.id, row.source, row.source_ref) for row in rows]


def listing(tx: Tx, state: CaseState | None = None, *, limit: int = 50, before: int | None = None) -> list[Case]:
    """Cases, newest first; ``before`` (a row number) goes on where an earlier page ended."""
    query = select(cases).order_by(cases.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(cases.c.state == state.value)
    if before is not None:
        query = query.where(cases.c.id < before)
    return [_case(row) for row in tx.execute(query)]


def several(tx: Tx, ids: Iterable[int]) -> dict[int, Case]:
    """The cases of these rows, in one query (for the page of a list: a few hundred at most)."""
    return {row.id: _case(row) for row in tx.execute(select(cases).where(cases.c.id.in_(set(ids))))}


def counts(tx: Tx) -> dict[CaseState, int]:
    """How many cases stand in each state."""
    return tally(tx, cases.c.state, CaseState)


def registrants(tx: Tx, since: datetime) -> dict[str, int]:
    """How many cases each person registered since then, whatever became of them: {who: cases}."""
    query = select(cases.c.registered_by, func.count().label("n")).where(cases.c.registered_at >= since)
    return {row.registered_by: row.n for row in tx.execute(query.group_by(cases.c.registered_by))}


# --- what a search has to follow --------------------------------------------------------------------------------


def changed_since(tx: Tx, seq: int) -> tuple[int, tuple[int, ...]]:
    """(the present sequence number, cases changed or erased after ``seq``): what an in-memory gallery has to take in."""
    rows = changes(tx, seq)
    return (rows[-1][1] if rows else seq), tuple(case_id for case_id, _ in rows)


_BOTH = union_all(
    select(cases.c.id, cases.c.seq).where(cases.c.seq > bindparam("seq")),
    select(removed_cases.c.case_id, removed_cases.c.seq).where(removed_cases.c.seq > bindparam("seq")),
).subquery()
_CHANGES = select(_BOTH.c.id, _BOTH.c.seq).order_by(_BOTH.c.seq)


def changes(tx: Tx, seq: int, limit: int | None = None) -> list[tuple[int, int]]:
    """(case, sequence number) of what was changed or erased after ``seq``, oldest first; the first ``limit`` of them."""
    query = _CHANGES if limit is None else _CHANGES.limit(limit)
    return [(row.id, row.seq) for row in tx.execute(query, {"seq": seq})]


def present_seq(tx: Tx) -> int:
    """The number of the last change; 0 before the first."""
    return last_number(tx, "cases")


def last_seq(tx: Tx) -> int:
    """The number of the last change of any case, 0 before the first."""
    return last_number(tx, "cases")


def pending_reverse(tx: Tx, limit: int = 100) -> list[tuple[int, int]]:
    """(case, seq) of verified cases that were not searched over all past sightings since their last change."""
    query = (
        select(cases.c.id, cases.c.seq)
        .where(dialect.aside(cases.c.state) == CaseState.VERIFIED.value, cases.c.searched_seq < cases.c.seq)
        .order_by(cases.c.seq)
        .limit(limit)
    )
    return [(row.id, row.seq) for row in tx.execute(query)]


def reverse_done(tx: Tx, case_id: int, seq: int) -> None:
    """The search over past sightings was made for the case as it stood at ``seq``; a change since then stays pending."""
    tx.execute(update(cases).where(cases.c.id == case_id, cases.c.searched_seq < seq).values(searched_seq=seq))


def awaits_reverse(tx: Tx, case_id: int, seq: int) -> bool:
    """Whether nobody has searched the case as it stood at ``seq``, or later; its row is locked until the transaction ends."""
    query = select(cases.c.id).where(cases.c.id == case_id, cases.c.searched_seq < seq).with_for_update()
    return tx.execute(query).first() is not None


def touch(tx: Tx, case_id: int) -> None:
    """Note that what the gallery holds of a case has changed."""
    _set(tx, case_id)


def next_seq(tx: Tx) -> int:
    """The next number of the change sequence."""
    return next_number(tx, "cases")


def _set(tx: Tx, case_id: int, **values: Any) -> None:
    tx.execute(update(cases).where(cases.c.id == case_id).values(seq=next_seq(tx), **values))
    tx.leave(Due(DueKind.CASES))


def _fields_out(what: CaseFields) -> dict[str, Any]:
    values = {field.name: getattr(what, field.name) for field in fields(what)}
    return values | {"contacts": list(what.contacts)}


def _case(row: Row[Any]) -> Case:
    said = {field.name: getattr(row, field.name) for field in fields(CaseFields)}
    return Case(
        id=row.id,
        ref=row.ref,
        fields=CaseFields(**said | {"contacts": tuple(row.contacts)}),
        state=CaseState(row.state),
        registered_by=row.registered_by,
        registered_at=row.registered_at,
        verified_by=row.verified_by,
        verified_at=row.verified_at,
        closed_by=row.closed_by,
        closed_at=row.closed_at,
        closed_reason=row.closed_reason,
        closed_record=row.closed_record,
        seq=row.seq,
    )
