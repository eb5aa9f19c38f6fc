"""How long each class of data is kept, and the run that lets go of what is over its time.

The defaults follow China's Personal Information Protection Law (art. 19: the shortest time the purpose needs; art. 28 and 31:
children under 14), the 2025 measures on face recognition (art. 7: keep no longer than needed), GDPR art. 5(1)(e) and X's rule
that deleted posts go within 24 hours. A post belongs to the class that keeps it longest.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any

from sqlalchemy import Select, delete, exists, select, update

from store import audit
from store.erase import finish_removals
from store.erase_rows import remove_case, remove_posts
from store.errors import BadInput
from store.matches import CandidateState
from store.model import CaseState, LeadState
from store.photos import PhotoFiles, without_row
from store.posts import Step
from store.session import Store, Tx
from store.tables import candidates, cases, faces, leads, media, posts, sightings, user_sessions

_BATCH = 200
_ENDED = (LeadState.RULED_OUT.value, LeadState.CLOSED.value)
_WAITING = (Step.STORED.value, Step.EXTRACTED.value, Step.MATCHED.value)


@dataclass(frozen=True, slots=True)
class Policy:
    """Days (or hours) each class is kept after it was last of use.

    ``gone_hours``: posts deleted at their source. ``without_face_days``: posts that show no face, were ignored or failed.
    ``unmatched_days``: posts with a face that matches no case yet; a case registered later is searched over them, which is
    what they are kept for. ``candidate_days``: posts with an open or accepted candidate and no lead.
    ``lead_ended_days``: posts all of whose leads were ruled out or closed. Posts with a lead under way stay.
    ``raw_days``: the platform's own body of a post. ``case_closed_days``: closed cases.
    ``gone_keeps_leads``: a deleted post stays while a lead of it is under way, so that an investigation does not lose its
    ground; switch it off where a platform's terms leave no room for that.
    """

    gone_hours: int = 24
    without_face_days: int = 30
    unmatched_days: int = 365
    candidate_days: int = 730
    lead_ended_days: int = 180
    raw_days: int = 30
    case_closed_days: int = 90
    gone_keeps_leads: bool = True

    def __post_init__(self) -> None:
        for each in fields(self):
            if each.name != "gone_keeps_leads" and getattr(self, each.name) < 1:
                raise BadInput(f"retention.{each.name} must be at least 1, not {getattr(self, each.name)}")


class PostClass(StrEnum):
    """Why a post is kept, from the shortest time to the longest."""

    GONE = "gone"
    WITHOUT_FACE = "without_face"
    UNMATCHED = "unmatched"
    CANDIDATE = "candidate"
    LEAD_ENDED = "lead_ended"


def due(tx: Tx, policy: Policy, kind: PostClass, limit: int = _BATCH) -> list[int]:
    """Rows of the posts of one class that are over their time, oldest first."""
    return list(tx.execute(_query(tx, policy, kind).order_by(posts.c.id).limit(limit)).scalars())


def apply(store: Store, files: PhotoFiles, policy: Policy) -> dict[str, int]:
    """Let go of everything that is over its time, a batch a transaction; returns how much of each noun went.

    Posts deleted at their source leave a tombstone; those that only grew old do not need one (no poll reads so far back).
    """
    counts: Counter[str] = Counter()
    for kind in PostClass:
        while _apply_batch(store, policy, kind, counts):
            pass
    with store.write("retention.rest") as tx:
        counts["raw bodies"] += _drop_raw(tx, policy)
        for case_id in _closed_cases(tx, policy):
            remove_case(tx, case_id, counts)
        tx.execute(delete(user_sessions).where(user_sessions.c.expires_at < tx.now - timedelta(days=30)))
        told = {noun: number for noun, number in sorted(counts.items()) if number}
        if told:
            audit.append(tx, "bot", "retention", "store", told)
    finish_removals(store, files)
    sweep_files(store, files)
    if told:
        store.checkpoint()
    return told


def sweep_files(store: Store, files: PhotoFiles, kept_for: timedelta = timedelta(days=1)) -> int:
    """Remove photo files that no row names (their process died between file and row, or the row was refused). Returns how many.

    ``kept_for`` leaves alone what was put lately: its row may be on the way.
    """
    swept = 0
    with store.read() as tx:
        before = tx.now - kept_for
    names = files.all()
    while part := list(islice(names, _BATCH)):
        with store.read() as tx:
            strays = without_row(tx, part)
        for name in strays:
            if files.older(name, before):
                with store.write("retention.file") as tx:
                    swept += bool(without_row(tx, [name])) and files.delete(name)
    files.clear_leftovers(before)
    return swept


def _apply_batch(store: Store, policy: Policy, kind: PostClass, counts: Counter[str]) -> bool:
    with store.write(f"retention.{kind.value}") as tx:
        rows = due(tx, policy, kind)
        remove_posts(tx, rows, counts, bury=kind is PostClass.GONE)
    return len(rows) == _BATCH


def _query(tx: Tx, policy: Policy, kind: PostClass) -> Select[Any]:
    old = _old_enough(tx, policy, kind)
    here = sightings.c.post_id == posts.c.id
    has_lead = select(leads.c.id).join(sightings, sightings.c.id == leads.c.sighting_id).where(here)
    if kind is PostClass.GONE:
        gone = select(posts.c.id).where(posts.c.deleted_at < old)
        return gone.where(~exists(has_lead.where(leads.c.state.not_in(_ENDED)))) if policy.gone_keeps_leads else gone
    query = select(posts.c.id).where(posts.c.first_read_at < old, posts.c.step.not_in(_WAITING))
    if kind is PostClass.LEAD_ENDED:
        return query.where(exists(has_lead), ~exists(has_lead.where(leads.c.state.not_in(_ENDED) | (leads.c.updated_at >= old))))
    shown = select(faces.c.id).join(media, media.c.photo_id == faces.c.photo_id).where(media.c.post_id == posts.c.id)
    wanted = shown.join(candidates, candidates.c.face_id == faces.c.id).where(candidates.c.state != CandidateState.REJECTED.value)
    query = query.where(~exists(has_lead))
    if kind is PostClass.WITHOUT_FACE:
        return query.where(~exists(shown))
    if kind is PostClass.UNMATCHED:
        return query.where(exists(shown), ~exists(wanted))
    return query.where(exists(wanted))


def _old_enough(tx: Tx, policy: Policy, kind: PostClass) -> datetime:
    kept = {
        PostClass.GONE: timedelta(hours=policy.gone_hours),
        PostClass.WITHOUT_FACE: timedelta(days=policy.without_face_days),
        PostClass.UNMATCHED: timedelta(days=policy.unmatched_days),
        PostClass.CANDIDATE: timedelta(days=policy.candidate_days),
        PostClass.LEAD_ENDED: timedelta(days=policy.lead_ended_days),
    }
    return tx.now - kept[kind]


def _drop_raw(tx: Tx, policy: Policy) -> int:
    old = tx.now - timedelta(days=policy.raw_days)
    where = (posts.c.raw.is_not(None), posts.c.first_read_at < old, posts.c.step.in_([Step.DECIDED.value, Step.IGNORED.value]))
    return tx.execute(update(posts).where(*where).values(raw=None)).rowcount


def _closed_cases(tx: Tx, policy: Policy) -> list[int]:
    old = tx.now - timedelta(days=policy.case_closed_days)
    query = select(cases.c.id).where(cases.c.state == CaseState.CLOSED.value, cases.c.closed_at < old)
    return list(tx.execute(query).scalars())
