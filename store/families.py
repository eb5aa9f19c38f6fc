"""What a family may look at, and the faces it pointed to.

A family sees faces and the month, never a place, a day, a poster or a source: some who ask for a child must not find it
(design, promise 3). These queries return nothing else, so that no page can leak it by mistake.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import Row, Select, and_, exists, func, or_, select

from store import dialect, faces, matches
from store.cases import Case
from store.errors import BadInput, NotFound
from store.model import CaseState, FaceQuality, LeadState
from store.session import Tx
from store.sightings import SightingState
from store.tables import candidates, face_notes, family_picks, leads, media, rejections, sightings
from store.tables import faces as face_table


@dataclass(frozen=True, slots=True)
class FaceNote:
    """What a reviewer noted of a face: apparent sex ("female", "male" or "") and age in years."""

    sex: str = ""
    age_from: int | None = None
    age_to: int | None = None


@dataclass(frozen=True, slots=True)
class FamilyFilter:
    """What a family narrows its faces to. Faces without a note pass: nobody has looked at them yet.

    ``month_from``/``month_to`` are first days of months, both included.
    """

    sex: str = ""
    age_from: int | None = None
    age_to: int | None = None
    month_from: date | None = None
    month_to: date | None = None


@dataclass(frozen=True, slots=True)
class FamilyFace:
    """A face that a family may look at, and the month it was seen in (UTC; None: unknown). Nothing else is known to it."""

    face_id: int
    month: date | None
    picked: bool


@dataclass(frozen=True, slots=True)
class Pick:
    """A face that a family pointed to: "this may be my child", and how far people are with it."""

    id: int
    case_id: int
    face_id: int
    who: str
    note: str
    lead_id: int | None
    lead_state: LeadState | None
    at: datetime


def note_face(tx: Tx, face_id: int, note: FaceNote, by: str) -> None:
    """A reviewer notes what a face looks like.

    Raises:
        BadInput: the ages are no ages, or nobody is named.
    """
    ages = [age for age in (note.age_from, note.age_to) if age is not None]
    if note.sex not in ("", "female", "male") or any(not 0 <= age <= 120 for age in ages) or ages != sorted(ages):
        raise BadInput("give the sex as female or male, and ages in years, the younger first")
    if not by.strip():
        raise BadInput("say who notes this")
    values = {"sex": note.sex, "age_from": note.age_from, "age_to": note.age_to, "by": by, "at": tx.now}
    tx.execute(dialect.upsert(face_notes, ["face_id"], list(values)).values(face_id=face_id, **values))


def note_of(tx: Tx, face_id: int) -> FaceNote:
    """What was noted of a face; empty where nobody did."""
    row = tx.execute(select(face_notes).where(face_notes.c.face_id == face_id)).first()
    return FaceNote() if row is None else FaceNote(row.sex, row.age_from, row.age_to)


def faces_for(
    tx: Tx, case: Case, pack_sha256: str, narrow: FamilyFilter, *, limit: int = 24, before: int | None = None
) -> list[FamilyFace]:
    """Faces of open sightings that a verified case's family may look at, newest first; ``before`` is a face's number.

    Left out: what was seen before the child was missing, repeats of a photo, faces too poor to see, pairs that people rejected.
    """
    if case.state is not CaseState.VERIFIED:
        return []
    shown: list[Row[tuple[int, datetime | None]]] = []
    last = before
    judged = _has_rejections(tx, case.id)
    # Rejections are matched by place in the photo, which SQL cannot say: read on until the page is full.
    while len(shown) < limit:
        rows = _rows(tx, case, pack_sha256, narrow, limit, last)
        shown += [row for row in rows if not judged or case.id not in matches.rejected_cases(tx, row.id)]
        if len(rows) < limit:
            break
        last = rows[-1].id
    picked = _picked(tx, case.id)
    return [FamilyFace(row.id, _month(row.seen_from), row.id in picked) for row in shown[:limit]]


def may_see(tx: Tx, case: Case, face_id: int) -> bool:
    """Whether this face is one that the case's family may look at (whatever it narrowed to)."""
    if case.state is not CaseState.VERIFIED:
        return False
    query = _base(case).where(face_table.c.id == face_id)
    return tx.execute(query.limit(1)).first() is not None and case.id not in matches.rejected_cases(tx, face_id)


def sighting_of_face(tx: Tx, face_id: int) -> int:
    """The row of the earliest sighting that shows a face, for the lead that a family's pick becomes.

    Raises:
        NotFound: no sighting shows it.
    """
    query = (
        select(sightings.c.id)
        .join(media, media.c.post_id == sightings.c.post_id)
        .join(face_table, face_table.c.photo_id == media.c.photo_id)
        .where(face_table.c.id == face_id)
        .order_by(sightings.c.id)
    )
    found = tx.execute(query.limit(1)).scalar()
    if found is None:
        raise NotFound("no sighting shows this face any more")
    return int(found)


def candidate_of(tx: Tx, case_id: int, face_id: int) -> int | None:
    """The candidate of a (face, case) pair, where the matcher saw one too."""
    return tx.execute(select(candidates.c.id).where(candidates.c.face_id == face_id, candidates.c.case_id == case_id)).scalar()


def pick(tx: Tx, case_id: int, face_id: int, who: str, note: str, lead_id: int) -> Pick:
    """A family points to a face; the same face again changes its note alone.

    Raises:
        NotFound: there is no such face.
    """
    if faces.get(tx, face_id) is None:
        raise NotFound("there is no such face")
    statement = dialect.upsert(family_picks, ["case_id", "face_id"], ["note", "lead_id"]).values(
        case_id=case_id, face_id=face_id, who=who, note=note, lead_id=lead_id, at=tx.now
    )
    number = int(tx.execute(statement.returning(family_picks.c.id)).scalar_one())
    return next(found for found in picks(tx, case_id) if found.id == number)


def picks(tx: Tx, case_id: int) -> list[Pick]:
    """The faces that a family pointed to, newest first, with the state of their leads."""
    query = (
        select(family_picks, leads.c.state.label("lead_state"))
        .outerjoin(leads, leads.c.id == family_picks.c.lead_id)
        .where(family_picks.c.case_id == case_id)
        .order_by(family_picks.c.id.desc())
    )
    return [_pick(row) for row in tx.execute(query)]


def of_lead(tx: Tx, lead_id: int) -> list[Pick]:
    """The picks that a lead rests on."""
    query = select(family_picks, leads.c.state.label("lead_state")).join(leads, leads.c.id == family_picks.c.lead_id)
    return [_pick(row) for row in tx.execute(query.where(family_picks.c.lead_id == lead_id))]


def pack_in_use(tx: Tx) -> str:
    """The pack that found the newest face: for readers who have no engine of their own. Empty where there is no face."""
    query = select(face_table.c.pack_sha256).order_by(face_table.c.id.desc()).limit(1)
    return tx.execute(query).scalar() or ""


def _base(case: Case) -> Select[tuple[int, datetime | None]]:
    """Faces of open sightings since the child was missing, each once: of the earliest sighting of its photo."""
    first = select(func.min(media.c.post_id)).where(media.c.photo_id == face_table.c.photo_id).scalar_subquery()
    query = (
        select(face_table.c.id, sightings.c.seen_from)
        .select_from(face_table)
        .join(sightings, sightings.c.post_id == first)
        .where(
            sightings.c.state == SightingState.OPEN.value,
            sightings.c.duplicate_of.is_(None),
            face_table.c.quality != FaceQuality.UNUSABLE.value,
        )
    )
    if case.fields.missing_on is not None:
        start = _instant(case.fields.missing_on.replace(day=1))
        query = query.where(or_(sightings.c.seen_from.is_(None), sightings.c.seen_from >= start))
    return query


def _rows(
    tx: Tx, case: Case, pack_sha256: str, narrow: FamilyFilter, limit: int, before: int | None
) -> list[Row[tuple[int, datetime | None]]]:
    query = _base(case).where(face_table.c.pack_sha256 == pack_sha256).order_by(face_table.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(face_table.c.id < before)
    if narrow.month_from is not None:
        query = query.where(sightings.c.seen_from >= _instant(narrow.month_from))
    if narrow.month_to is not None:
        query = query.where(sightings.c.seen_from < _instant(_next_month(narrow.month_to)))
    unlike = []
    if narrow.sex:
        unlike.append(and_(face_notes.c.sex != "", face_notes.c.sex != narrow.sex))
    if narrow.age_from is not None:
        unlike.append(face_notes.c.age_to < narrow.age_from)
    if narrow.age_to is not None:
        unlike.append(face_notes.c.age_from > narrow.age_to)
    if unlike:
        query = query.where(~exists(select(face_notes.c.face_id).where(face_notes.c.face_id == face_table.c.id, or_(*unlike))))
    return list(tx.execute(query).all())


def _has_rejections(tx: Tx, case_id: int) -> bool:
    """Most cases have none, and each face's own look-up costs milliseconds."""
    return tx.execute(select(rejections.c.id).where(rejections.c.case_id == case_id).limit(1)).first() is not None


def _picked(tx: Tx, case_id: int) -> frozenset[int]:
    return frozenset(tx.execute(select(family_picks.c.face_id).where(family_picks.c.case_id == case_id)).scalars())


def _month(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date().replace(day=1)


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _instant(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _pick(row: Row[tuple[object, ...]]) -> Pick:
    values = dict(row._mapping)
    state = values.pop("lead_state")
    return Pick(**values, lead_state=None if state is None else LeadState(state))
