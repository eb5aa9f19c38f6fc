"""Pairs whose answer is known, from cases' own photos: given to reviewers among the others, they measure how well they see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from sqlalchemy import Row, Select, exists, func, insert, select, update

from store.model import CaseState
from store.reviews import Verdict
from store.session import Tx
from store.tables import case_faces, case_photos, cases, review_checks, review_votes, users

_TRIES = 12


@dataclass(frozen=True, slots=True)
class Check:
    """A known pair that one reviewer was given. ``left_id`` and ``right_id`` are rows of case photos; ``mated``: one child."""

    id: int
    user_id: int
    left_id: int
    right_id: int
    mated: bool
    given_at: datetime
    verdict: Verdict | None
    note: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Figures:
    """How one reviewer does; ``seconds`` is their median time.

    Of known pairs: one child called similar (``hits``) or different (``misses``), two children called similar
    (``false_alarms``) or different (``correct_rejections``), and ``undecided``.
    """

    login: str
    name: str
    votes: int
    seconds: float | None
    hits: int
    misses: int
    false_alarms: int
    correct_rejections: int
    undecided: int

    @property
    def known(self) -> int:
        return self.hits + self.misses + self.false_alarms + self.correct_rejections + self.undecided

    @property
    def right(self) -> int:
        return self.hits + self.correct_rejections


def give(tx: Tx, user_id: int, dice: Random) -> Check | None:
    """Draw a known pair that this reviewer has not had: as often one child as two. None where the cases give none."""
    for mated in ((True, False) if dice.random() < 0.5 else (False, True)):
        for _ in range(_TRIES):
            pair = _mated(tx, dice) if mated else _non_mated(tx, dice)
            if pair is not None and not _had(tx, user_id, *pair):
                return _keep(tx, user_id, pair, mated)
    return None


def pending(tx: Tx, user_id: int) -> Check | None:
    """The known pair that a reviewer has before them."""
    query = select(review_checks).where(review_checks.c.user_id == user_id, review_checks.c.verdict.is_(None))
    row = tx.execute(query.order_by(review_checks.c.id.desc()).limit(1)).first()
    return None if row is None else _check(row)


def last_of(tx: Tx, user_id: int) -> Check | None:
    """A reviewer's newest answered known pair."""
    query = select(review_checks).where(review_checks.c.user_id == user_id, review_checks.c.verdict.is_not(None))
    row = tx.execute(query.order_by(review_checks.c.at.desc(), review_checks.c.id.desc()).limit(1)).first()
    return None if row is None else _check(row)


def answer(tx: Tx, check_id: int, verdict: Verdict, seconds: float, checklist: Mapping[str, str], note: str) -> None:
    """Keep the answer, the first one alone."""
    query = update(review_checks).where(review_checks.c.id == check_id, review_checks.c.verdict.is_(None))
    values = {"verdict": verdict.value, "seconds": float(seconds), "checklist": dict(checklist), "note": note, "at": tx.now}
    tx.execute(query.values(**values))


def skip(tx: Tx, check_id: int) -> None:
    """Leave a known pair out: it counts as undecided, so that skipping does not polish the figures."""
    answer(tx, check_id, Verdict.CANNOT_TELL, 0.0, {}, "")


def figures(tx: Tx, user_id: int | None = None) -> list[Figures]:
    """The figures of every reviewer who has voted (or of one), by sign-in name."""
    query = select(users.c.id, users.c.login, users.c.name).order_by(users.c.login)
    if user_id is not None:
        query = query.where(users.c.id == user_id)
    else:
        voted = exists().where(review_votes.c.user_id == users.c.id)
        query = query.where(voted | exists().where(review_checks.c.user_id == users.c.id))
    return [_figures(tx, row) for row in tx.execute(query).all()]


def _figures(tx: Tx, who: Row[Any]) -> Figures:
    stand = (review_votes.c.user_id == who.id, review_votes.c.undone_at.is_(None))
    times = sorted(tx.execute(select(review_votes.c.seconds).where(*stand)).scalars())
    said = select(review_checks.c.mated, review_checks.c.verdict, func.count().label("times")).where(
        review_checks.c.user_id == who.id, review_checks.c.verdict.is_not(None)
    )
    grouped = tx.execute(said.group_by(review_checks.c.mated, review_checks.c.verdict))
    counted = {(row.mated, Verdict(row.verdict)): row.times for row in grouped}
    return Figures(
        login=who.login,
        name=who.name,
        votes=len(times),
        seconds=times[len(times) // 2] if times else None,
        hits=counted.get((True, Verdict.SIMILAR), 0),
        misses=counted.get((True, Verdict.DIFFERENT), 0),
        false_alarms=counted.get((False, Verdict.SIMILAR), 0),
        correct_rejections=counted.get((False, Verdict.DIFFERENT), 0),
        undecided=counted.get((True, Verdict.CANNOT_TELL), 0) + counted.get((False, Verdict.CANNOT_TELL), 0),
    )


def _with_face() -> Select[Any]:
    """Photos of cases that are not drafts, in which a face was found."""
    found = exists().where(case_faces.c.case_photo_id == case_photos.c.id)
    return (
        select(case_photos.c.id, case_photos.c.case_id, cases.c.sex, cases.c.birth_on)
        .join(cases, cases.c.id == case_photos.c.case_id)
        .where(cases.c.state != CaseState.DRAFT.value, found)
        .order_by(case_photos.c.id)
    )


def _any(tx: Tx, dice: Random) -> Row[Any] | None:
    last = tx.execute(select(func.max(case_photos.c.id))).scalar()
    if last is None:
        return None
    start = dice.randint(1, last)
    return tx.execute(_with_face().where(case_photos.c.id >= start).limit(1)).first()


def _mated(tx: Tx, dice: Random) -> tuple[int, int] | None:
    one = _any(tx, dice)
    if one is None:
        return None
    others = tx.execute(_with_face().where(case_photos.c.case_id == one.case_id, case_photos.c.id != one.id)).all()
    return (one.id, dice.choice(others).id) if others else None


def _non_mated(tx: Tx, dice: Random) -> tuple[int, int] | None:
    """Two cases of one sex whose birthdays differ: one child registered twice would have the same."""
    one, other = _any(tx, dice), _any(tx, dice)
    if one is None or other is None or one.case_id == other.case_id or one.sex != other.sex:
        return None
    if one.birth_on is not None and one.birth_on == other.birth_on:
        return None
    return one.id, other.id


def _had(tx: Tx, user_id: int, left: int, right: int) -> bool:
    pair = review_checks.c.left_id.in_((left, right)) & review_checks.c.right_id.in_((left, right))
    return tx.execute(select(review_checks.c.id).where(review_checks.c.user_id == user_id, pair)).first() is not None


def _keep(tx: Tx, user_id: int, pair: tuple[int, int], mated: bool) -> Check:
    values = {"user_id": user_id, "left_id": pair[0], "right_id": pair[1], "mated": mated, "given_at": tx.now, "checklist": {}}
    row = tx.execute(insert(review_checks).values(**values).returning(*review_checks.c)).one()
    return _check(row)


def _check(row: Row[Any]) -> Check:
    verdict = None if row.verdict is None else Verdict(row.verdict)
    return Check(row.id, row.user_id, row.left_id, row.right_id, row.mated, row.given_at, verdict, row.note, row.at)


def case_of(tx: Tx, case_photo_id: int) -> int:
    """The case (row) that a case photo belongs to."""
    return int(tx.execute(select(case_photos.c.case_id).where(case_photos.c.id == case_photo_id)).scalar_one())
