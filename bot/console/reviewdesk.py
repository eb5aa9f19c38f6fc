"""A reviewer's desk: the pair before them, their decision and what follows from it, and taking it back.

Reviewers see the faces alone until they have decided: no score, no place, no colleague's vote. (Context told before the
comparison sways examiners; Dror et al. 2021, "Linear Sequential Unmasking-Expanded".)
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import SystemRandom

from bot.console.parts import Parts, Person
from bot.console.photoview import FaceArea
from bot.console.reviewing import Outcome, rule
from store import audit, cases, faces, gallery, known_pairs, leads, matches, photos, reviews, sightings
from store.cases import Case
from store.errors import BadInput
from store.known_pairs import Check
from store.matches import Candidate, CandidateState
from store.model import LeadState
from store.reviews import NewVote, Stage, Verdict, Vote
from store.session import Tx

UNDO_MINUTES = 10
SKIP_HOURS = 24
_LONGEST_S = 3600.0
_DICE = SystemRandom()


@dataclass(frozen=True, slots=True)
class Shown:
    """A face on the screen: the photo, which face of it, when it was taken, and what its views are recorded under."""

    sha256: str
    face: FaceArea
    object: str
    taken_on: date | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A pair as the reviewer sees it. ``token`` names it in forms and addresses without telling which kind it is."""

    token: str
    left: Shown
    rights: tuple[Shown, ...]
    case: Case
    given_at: datetime
    candidate: Candidate | None = None
    check: Check | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A reviewer's newest decision; for a known pair, ``known`` is whether the two are one child."""

    task: Task
    verdict: Verdict
    note: str
    at: datetime
    vote: Vote | None = None

    @property
    def known(self) -> bool | None:
        return None if self.task.check is None else self.task.check.mated


# --- the pair before them ------------------------------------------------------------------------------------------


def present(parts: Parts, person: Person, session: str) -> Task | None:
    """The pair this reviewer has, or the next one; None where nothing waits for them."""
    settings = parts.console
    with parts.store.write("console.review_next") as tx:
        check = known_pairs.pending(tx, person.id)
        held = reviews.holding(tx, person.id)
        fresh = held is None or held.until <= tx.now
        if check is None and fresh and settings.known_pair_one_in and reviews.waiting(tx, person.id, person.divisions, most=1):
            draw = _DICE.randrange(settings.known_pair_one_in) == 0
            check = known_pairs.give(tx, person.id, _DICE) if draw else None
        if check is not None:
            return _known(tx, check, session)
        lock = reviews.take_next(tx, person.id, tx.now + timedelta(minutes=settings.review_lock_minutes), person.divisions)
        return None if lock is None else _pair(tx, lock.candidate_id, lock.given_at, session)


def find(parts: Parts, person: Person, session: str, token: str) -> Task:
    """The pair of this token, where it is the one they have or the one they decided last.

    Raises:
        BadInput: it is neither; somebody else may have it now.
    """
    with parts.store.read() as tx:
        for task in _mine(tx, person, session):
            if hmac.compare_digest(task.token.encode(), token.encode()):
                return task
    raise BadInput("this pair is no longer yours", mend="go on with the next one")


def _mine(tx: Tx, person: Person, session: str) -> list[Task]:
    found = []
    for check in (known_pairs.pending(tx, person.id), known_pairs.last_of(tx, person.id)):
        if check is not None:
            found.append(_known(tx, check, session))
    held, voted = reviews.holding(tx, person.id), reviews.last_of(tx, person.id)
    if held is not None:
        found.append(_pair(tx, held.candidate_id, held.given_at, session))
    if voted is not None:
        found.append(_pair(tx, voted.candidate_id, voted.at, session))
    return found


def of_candidate(tx: Tx, candidate_id: int) -> Task:
    """Any pair, for the lead reviewer."""
    return _pair(tx, candidate_id, tx.now, "")


def _pair(tx: Tx, candidate_id: int, given_at: datetime, session: str) -> Task:
    candidate = matches.get(tx, candidate_id)
    face = faces.get(tx, candidate.face_id)
    if face is None:
        raise BadInput("this pair is no longer there", mend="go on with the next one")
    photo = photos.get(tx, face.photo_id)
    seen = sightings.showing(tx, [photo.id])
    left = Shown(photo.sha256, FaceArea(face.box, face.landmarks), f"sighting:{seen[0].ref}" if seen else f"photo:{photo.id}")
    case = cases.get(tx, candidate.case_id)
    rights = _case_side(tx, case, face.pack_sha256)
    return Task(_token(session, "pair", candidate_id), left, rights, case, given_at, candidate=candidate)


def _known(tx: Tx, check: Check, session: str) -> Task:
    """A known pair in the shape of any other: one photo of a case on the left, the case of the other on the right."""
    left_case, right_case = (cases.get(tx, known_pairs.case_of(tx, row)) for row in (check.left_id, check.right_id))
    left = next(shown for row, shown in _shown_faces(tx, left_case) if row == check.left_id)
    others = [(row, shown) for row, shown in _shown_faces(tx, right_case) if row != check.left_id]
    rights = [shown for row, shown in others if row == check.right_id] + [s for row, s in others if row != check.right_id]
    return Task(_token(session, "known", check.id), left, tuple(rights), right_case, check.given_at, check=check)


def _case_side(tx: Tx, case: Case, pack_sha256: str) -> tuple[Shown, ...]:
    """The case's faces, newest photo first."""
    found = [shown for _, shown in _shown_faces(tx, case, pack_sha256) or _shown_faces(tx, case)]
    return tuple(sorted(found, key=lambda shown: shown.taken_on or date.min, reverse=True))


def _shown_faces(tx: Tx, case: Case, pack_sha256: str | None = None) -> list[tuple[int, Shown]]:
    boxes = {face.case_photo_id: face.box for face in gallery.faces_of_case(tx, case.id, pack_sha256)}
    return [
        (photo.id, Shown(photo.sha256, FaceArea(boxes[photo.id]), f"case:{case.ref}", photo.taken_on))
        for photo in cases.photos_of(tx, case.id)
        if photo.id in boxes
    ]


def _token(session: str, kind: str, number: int) -> str:
    return hmac.new(session.encode(), f"{kind}:{number}".encode(), hashlib.sha256).hexdigest()[:24]


# --- deciding ------------------------------------------------------------------------------------------------------


def decide(parts: Parts, person: Person, task: Task, verdict: Verdict, checklist: Mapping[str, str], note: str) -> None:
    """Keep a decision and do what follows from it, in one transaction. A second decision on the same pair changes nothing.

    Raises:
        BadInput: others decided the pair, or its case was closed, while it lay there.
    """
    with parts.store.write("console.review") as tx:
        seconds = min((tx.now - task.given_at).total_seconds(), _LONGEST_S)
        if task.check is not None:
            known_pairs.answer(tx, task.check.id, verdict, seconds, checklist, note)
            audit.append(tx, who=person.login, what="review.known_pair", object=f"check:{task.check.id}")
        elif task.candidate is not None:
            number = task.candidate.id
            seen = reviews.saw_score(tx, number, person.id)
            _vote(tx, person, number, NewVote(verdict, seconds, unblinded=seen, checklist=checklist, note=note))


def decide_alone(parts: Parts, person: Person, candidate_id: int, verdict: Verdict, note: str) -> None:
    """The lead reviewer decides a pair that was passed to them.

    Raises:
        BadInput: it was decided meanwhile, its case was closed, or they give no ground.
    """
    if not note.strip():
        raise BadInput("say on what ground")
    with parts.store.write("console.review_lead") as tx:
        _vote(tx, person, candidate_id, NewVote(verdict, 0.0, unblinded=True, leading=True, note=note))


def _vote(tx: Tx, person: Person, candidate_id: int, new: NewVote) -> None:
    mine = [v for v in reviews.votes_of(tx, candidate_id) if v.user_id == person.id and v.leading == new.leading]
    if mine:
        return
    if not reviews.still_open(tx, candidate_id):
        reviews.drop(tx, person.id)
        raise BadInput("this pair was decided, or its case was closed, while it lay before you", mend="go on with the next one")
    reviews.vote(tx, candidate_id, person.id, new)
    details = {"verdict": new.verdict.value, "unblinded": new.unblinded, "leading": new.leading}
    audit.append(tx, who=person.login, what="review.voted", object=f"candidate:{candidate_id}", details=details)
    settle(tx, candidate_id)


def settle(tx: Tx, candidate_id: int) -> Outcome:
    """Do what the standing votes on a pair mean: reject it for good, make it a reviewed lead, pass it on, or wait."""
    votes = reviews.votes_of(tx, candidate_id)
    ruling = rule(votes)
    by = ", ".join(sorted({vote.login for vote in votes}))
    if ruling.outcome is Outcome.REJECT:
        matches.reject(tx, candidate_id, by, "; ".join(vote.note for vote in votes if vote.note))
    elif ruling.outcome is Outcome.ACCEPT:
        matches.accept(tx, candidate_id, by)
        _open_leads(tx, candidate_id, by)
    stage = {Outcome.WAIT: Stage.WAITING, Outcome.ASK: Stage.ESCALATED}.get(ruling.outcome, Stage.DECIDED)
    reviews.set_stage(tx, candidate_id, stage, ruling.needed)
    if stage is Stage.DECIDED:
        what = f"review.{ruling.outcome.value}"
        audit.append(tx, who=by, what=what, object=f"candidate:{candidate_id}", details={"votes": len(votes)})
    return ruling.outcome


def _open_leads(tx: Tx, candidate_id: int, by: str) -> None:
    """A lead for each sighting that shows the face (copies of a sighting aside), reviewed from the start."""
    candidate = matches.get(tx, candidate_id)
    face = faces.get(tx, candidate.face_id)
    shown = sightings.showing(tx, [face.photo_id]) if face is not None else []
    firsts = [sighting for sighting in shown if sighting.duplicate_of is None] or shown[:1]
    for sighting in firsts:
        lead = leads.open_lead(tx, sighting.id, candidate.case_id, candidate_id=candidate_id, who=by, why="reviewers: similar")
        if lead.state is LeadState.NEW:
            leads.move(tx, lead.id, LeadState.REVIEWED, who=by, why="reviewers: similar")


def skip(parts: Parts, person: Person, task: Task) -> None:
    """Put a pair aside for a day; a known one counts as undecided."""
    with parts.store.write("console.review_skip") as tx:
        if task.check is not None:
            known_pairs.skip(tx, task.check.id)
        elif task.candidate is not None:
            reviews.drop(tx, person.id)
            reviews.skip(tx, task.candidate.id, person.id, tx.now + timedelta(hours=SKIP_HOURS))


# --- what was decided ----------------------------------------------------------------------------------------------


def last(parts: Parts, person: Person, session: str) -> Done | None:
    """The newest decision of this reviewer."""
    with parts.store.read() as tx:
        vote, check = reviews.last_of(tx, person.id), known_pairs.last_of(tx, person.id)
        if check is not None and check.at is not None and check.verdict is not None and (vote is None or check.at > vote.at):
            return Done(_known(tx, check, session), check.verdict, check.note, check.at)
        if vote is None:
            return None
        return Done(_pair(tx, vote.candidate_id, vote.at, session), vote.verdict, vote.note, vote.at, vote)


def undo(parts: Parts, person: Person, session: str) -> None:
    """Take the newest decision back; the pair lies before the reviewer again, and their next vote on it is no blind one.

    Raises:
        BadInput: there is none, it is too long ago, it was a known pair, or it has become a lead.
    """
    done = last(parts, person, session)
    if done is None or done.vote is None or done.task.candidate is None:
        raise BadInput("there is no decision to take back")
    number = done.task.candidate.id
    with parts.store.write("console.review_undo") as tx:
        if tx.now - done.at > timedelta(minutes=UNDO_MINUTES):
            raise BadInput("this decision is too long ago to take back", mend="tell the lead reviewer")
        state = matches.get(tx, number).state
        if state is CandidateState.ACCEPTED:
            raise BadInput("this pair is already a lead that people follow", mend="tell the lead reviewer")
        if state is CandidateState.REJECTED:
            reviews.reopen(tx, number)
        reviews.undo(tx, done.vote.id)
        audit.append(tx, who=person.login, what="review.undone", object=f"candidate:{number}")
        settle(tx, number)
        reviews.hold(tx, number, person.id, tx.now + timedelta(minutes=parts.console.review_lock_minutes))
