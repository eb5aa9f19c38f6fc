"""What reviewers say of candidates: who has a pair to themselves, their votes, and where a pair stands between them.

What votes mean together is decided elsewhere (``bot.console.reviewing``); here they are kept, the undone ones too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, delete, func, insert, or_, select, update

from store import dialect
from store.errors import NotFound
from store.matches import CandidateState
from store.model import CaseState
from store.session import Tx
from store.tables import candidates, cases, faces, media, rejections, review_locks, review_votes, reviews, sightings, users

REVIEWERS = 2
"""Blind votes that a pair needs before anything follows."""


class Verdict(StrEnum):
    DIFFERENT = "different"
    CANNOT_TELL = "cannot_tell"
    SIMILAR = "similar"


class Stage(StrEnum):
    """WAITING for votes, ESCALATED to the lead reviewer, or DECIDED."""

    WAITING = "waiting"
    ESCALATED = "escalated"
    DECIDED = "decided"


@dataclass(frozen=True, slots=True)
class NewVote:
    """A reviewer's decision. ``unblinded``: they had seen the score before; ``leading``: the lead reviewer decides alone.

    ``checklist`` maps a component of the face to "similar", "different" or "unclear".
    """

    verdict: Verdict
    seconds: float
    unblinded: bool = False
    leading: bool = False
    checklist: Mapping[str, str] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Vote:
    """A stored decision; ``undone_at`` is set where the reviewer took it back."""

    id: int
    candidate_id: int
    user_id: int
    login: str
    verdict: Verdict
    unblinded: bool
    leading: bool
    checklist: Mapping[str, str]
    note: str
    seconds: float
    at: datetime
    undone_at: datetime | None


@dataclass(frozen=True, slots=True)
class Lock:
    """A pair that one reviewer has before them, until then. Past ``until`` others may be given it."""

    candidate_id: int
    given_at: datetime
    until: datetime


# --- who has what ------------------------------------------------------------------------------------------------


def take_next(tx: Tx, user_id: int, until: datetime, divisions: Sequence[str] = ()) -> Lock | None:
    """The pair this reviewer has, else the next that needs their vote, held until then: the high band first, in it by turn
    (how rarely strangers reach the score, moved by what else is known), then the oldest.

    A pair is given to as many at once as it still needs votes, never twice to one person, and only for verified cases.
    None where nothing waits for them.
    """
    held = holding(tx, user_id)
    if held is not None and held.until > tx.now and _wanted(tx, user_id, held.candidate_id):
        return held
    query = _waiting(tx, user_id, divisions).order_by(candidates.c.band, candidates.c.turn, candidates.c.id)
    number = tx.execute(query.limit(1)).scalar()
    return None if number is None else hold(tx, number, user_id, until)


def holding(tx: Tx, user_id: int) -> Lock | None:
    """The pair that was last given to this reviewer and not yet answered or skipped, expired or not."""
    query = select(review_locks).where(review_locks.c.user_id == user_id, review_locks.c.skipped.is_(False))
    row = tx.execute(query.order_by(review_locks.c.given_at.desc(), review_locks.c.candidate_id.desc())).first()
    return None if row is None else Lock(row.candidate_id, row.given_at, row.until)


def hold(tx: Tx, candidate_id: int, user_id: int, until: datetime) -> Lock:
    """Give a pair to a reviewer; what they held before is free again."""
    drop(tx, user_id)
    statement = dialect.upsert(review_locks, ["candidate_id", "user_id"], ["given_at", "until", "skipped"])
    tx.execute(statement.values(candidate_id=candidate_id, user_id=user_id, given_at=tx.now, until=until, skipped=False))
    return Lock(candidate_id, tx.now, until)


def drop(tx: Tx, user_id: int) -> None:
    """Free what a reviewer holds. Skipped pairs stay skipped."""
    tx.execute(delete(review_locks).where(review_locks.c.user_id == user_id, review_locks.c.skipped.is_(False)))


def skip(tx: Tx, candidate_id: int, user_id: int, until: datetime) -> None:
    """Do not give this pair to this reviewer before ``until``."""
    statement = dialect.upsert(review_locks, ["candidate_id", "user_id"], ["until", "skipped"])
    tx.execute(statement.values(candidate_id=candidate_id, user_id=user_id, given_at=tx.now, until=until, skipped=True))


def waiting(tx: Tx, user_id: int, divisions: Sequence[str] = (), *, most: int = 1000) -> int:
    """How many pairs wait for this reviewer, counted up to ``most``."""
    # In the order of an index, so that the search ends with the last that is counted.
    some = _waiting(tx, user_id, divisions).order_by(candidates.c.band, candidates.c.id).limit(most)
    return len(tx.execute(some).all())


def still_open(tx: Tx, candidate_id: int) -> bool:
    """Whether votes on a pair still count: nobody decided, and its case is verified."""
    query = select(candidates.c.id).join(cases, cases.c.id == candidates.c.case_id)
    return tx.execute(query.where(candidates.c.id == candidate_id, *_open())).first() is not None


def _wanted(tx: Tx, user_id: int, candidate_id: int) -> bool:
    return tx.execute(_waiting(tx, user_id, ()).where(candidates.c.id == candidate_id)).first() is not None


def _open() -> tuple[ColumnElement[bool], ...]:
    return candidates.c.state == CandidateState.OPEN.value, cases.c.state == CaseState.VERIFIED.value


def _waiting(tx: Tx, user_id: int, divisions: Sequence[str]) -> Select[Any]:
    mine = select(review_votes.c.candidate_id).where(review_votes.c.user_id == user_id, review_votes.c.undone_at.is_(None))
    skipped = select(review_locks.c.user_id).where(
        review_locks.c.candidate_id == candidates.c.id,
        review_locks.c.user_id == user_id,
        review_locks.c.skipped.is_(True),
        review_locks.c.until > tx.now,
    )
    query = (
        select(candidates.c.id)
        .join(cases, cases.c.id == candidates.c.case_id)
        .outerjoin(reviews, reviews.c.candidate_id == candidates.c.id)
        .where(
            *_open(),
            or_(reviews.c.stage.is_(None), reviews.c.stage == Stage.WAITING.value),
            candidates.c.id.not_in(mine),
            ~skipped.exists(),
            _count_votes() + _count_others(tx, user_id) < func.coalesce(reviews.c.needed, REVIEWERS),
        )
    )
    return query.where(_seen_in(divisions)) if divisions else query


def _count_votes() -> ScalarSelect[int]:
    """Votes on the candidate of the outer query that stand."""
    standing = (review_votes.c.candidate_id == candidates.c.id, review_votes.c.undone_at.is_(None))
    return select(func.count()).select_from(review_votes).where(*standing).correlate(candidates).scalar_subquery()


def _count_others(tx: Tx, user_id: int) -> ScalarSelect[int]:
    held = select(func.count()).select_from(review_locks)
    rule = (
        review_locks.c.candidate_id == candidates.c.id,
        review_locks.c.user_id != user_id,
        review_locks.c.skipped.is_(False),
        review_locks.c.until > tx.now,
    )
    return held.where(*rule).correlate(candidates).scalar_subquery()


def _seen_in(divisions: Sequence[str]) -> ColumnElement[bool]:
    """The candidate's photo is shown by a sighting in one of these divisions (prefixes)."""
    # As a range, which an index serves; ":" follows "9". And as one list for all candidates, not a look-up for each.
    places = or_(*((sightings.c.adcode >= prefix) & (sightings.c.adcode < prefix + ":") for prefix in divisions))
    shown = (
        select(faces.c.id)
        .join(media, media.c.photo_id == faces.c.photo_id)
        .join(sightings, sightings.c.post_id == media.c.post_id)
        .where(places)
    )
    return candidates.c.face_id.in_(shown)


# --- votes -------------------------------------------------------------------------------------------------------


def vote(tx: Tx, candidate_id: int, user_id: int, new: NewVote) -> Vote:
    """Keep a vote and free the pair for others. A second vote of the same person on a pair changes nothing."""
    standing = next((v for v in votes_of(tx, candidate_id) if v.user_id == user_id and v.leading == new.leading), None)
    if standing is not None:
        return standing
    statement = insert(review_votes).values(
        candidate_id=candidate_id,
        user_id=user_id,
        verdict=new.verdict.value,
        unblinded=new.unblinded,
        leading=new.leading,
        checklist=dict(new.checklist or {}),
        note=new.note,
        seconds=float(new.seconds),
        at=tx.now,
    )
    number = int(tx.execute(statement.returning(review_votes.c.id)).scalar_one())
    tx.execute(delete(review_locks).where(review_locks.c.candidate_id == candidate_id, review_locks.c.user_id == user_id))
    return get(tx, number)


def get(tx: Tx, vote_id: int) -> Vote:
    """A vote by its id.

    Raises:
        NotFound: there is none.
    """
    row = tx.execute(_votes().where(review_votes.c.id == vote_id)).first()
    if row is None:
        raise NotFound(f"no vote is stored as number {vote_id}")
    return _vote(row)


def votes_of(tx: Tx, candidate_id: int, *, undone: bool = False) -> list[Vote]:
    """The votes on a pair, first to last; ``undone`` adds those that were taken back."""
    query = _votes().where(review_votes.c.candidate_id == candidate_id)
    if not undone:
        query = query.where(review_votes.c.undone_at.is_(None))
    return [_vote(row) for row in tx.execute(query.order_by(review_votes.c.id))]


def last_of(tx: Tx, user_id: int) -> Vote | None:
    """A reviewer's newest standing vote."""
    query = _votes().where(review_votes.c.user_id == user_id, review_votes.c.undone_at.is_(None))
    row = tx.execute(query.order_by(review_votes.c.id.desc()).limit(1)).first()
    return None if row is None else _vote(row)


def undo(tx: Tx, vote_id: int) -> None:
    """Take a vote back; it stays in the record as undone."""
    query = update(review_votes).where(review_votes.c.id == vote_id, review_votes.c.undone_at.is_(None))
    tx.execute(query.values(undone_at=tx.now))


def set_note(tx: Tx, vote_id: int, note: str) -> None:
    """Put words to a vote."""
    tx.execute(update(review_votes).where(review_votes.c.id == vote_id).values(note=note))


def saw_score(tx: Tx, candidate_id: int, user_id: int) -> bool:
    """Whether this reviewer voted on the pair before, undone or not: the score is shown after a vote."""
    query = select(review_votes.c.id).where(review_votes.c.candidate_id == candidate_id, review_votes.c.user_id == user_id)
    return tx.execute(query.limit(1)).first() is not None


def voted_since(tx: Tx, user_id: int, since: datetime) -> int:
    """How many standing votes a reviewer gave since then."""
    query = select(func.count()).where(
        review_votes.c.user_id == user_id, review_votes.c.at >= since, review_votes.c.undone_at.is_(None)
    )
    return int(tx.execute(query).scalar_one())


# --- where a pair stands -------------------------------------------------------------------------------------------


def set_stage(tx: Tx, candidate_id: int, stage: Stage, needed: int) -> None:
    """Note where a pair stands and how many votes it needs."""
    statement = dialect.upsert(reviews, ["candidate_id"], ["stage", "needed", "updated_at"])
    tx.execute(statement.values(candidate_id=candidate_id, stage=stage.value, needed=needed, updated_at=tx.now))


def escalated(tx: Tx, divisions: Sequence[str] = (), *, limit: int = 50) -> list[int]:
    """Candidates on which reviewers disagree, longest waiting first: the lead reviewer decides."""
    query = _passed_on(divisions).order_by(reviews.c.updated_at, candidates.c.id).limit(limit)
    return list(tx.execute(query).scalars())


def passed_on(tx: Tx, candidate_id: int, divisions: Sequence[str] = ()) -> bool:
    """Whether a pair waits for the lead reviewer of these divisions."""
    return tx.execute(_passed_on(divisions).where(candidates.c.id == candidate_id)).first() is not None


def _passed_on(divisions: Sequence[str]) -> Select[Any]:
    query = (
        select(candidates.c.id)
        .join(reviews, reviews.c.candidate_id == candidates.c.id)
        .join(cases, cases.c.id == candidates.c.case_id)
        .where(reviews.c.stage == Stage.ESCALATED.value, *_open())
    )
    return query.where(_seen_in(divisions)) if divisions else query


def reopen(tx: Tx, candidate_id: int) -> None:
    """Take back that a pair was rejected: the newest rejection that the decision made goes, the candidate is open again."""
    row = tx.execute(select(candidates).where(candidates.c.id == candidate_id)).one()
    mine = select(func.max(rejections.c.id)).where(
        rejections.c.case_id == row.case_id, rejections.c.by == row.state_by, rejections.c.at == row.state_at
    )
    tx.execute(delete(rejections).where(rejections.c.id == mine.scalar_subquery()))
    again = {"state": CandidateState.OPEN.value, "state_by": None, "state_at": None}
    tx.execute(update(candidates).where(candidates.c.id == candidate_id).values(**again))


def rejections_of(tx: Tx, case_id: int) -> int:
    """How many sightings people said this case is not."""
    return int(tx.execute(select(func.count()).where(rejections.c.case_id == case_id)).scalar_one())


def _votes() -> Select[Any]:
    return select(review_votes, users.c.login).join(users, users.c.id == review_votes.c.user_id)


def _vote(row: Row[Any]) -> Vote:
    return Vote(
        id=row.id,
        candidate_id=row.candidate_id,
        user_id=row.user_id,
        login=row.login,
        verdict=Verdict(row.verdict),
        unblinded=row.unblinded,
        leading=row.leading,
        checklist=dict(row.checklist),
        note=row.note,
        seconds=row.seconds,
        at=row.at,
        undone_at=row.undone_at,
    )
