"""Removing the rows of posts, photos and cases with all that hangs on them; the caller's transaction holds it together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import case, delete, exists, insert, or_, select, update

from store import cases, dialect, gallery_blocks
from store.faces import FACES_GONE
from store.model import AlertState, MessageKind
from store.session import Tx
from store.tables import (
    alerts,
    candidates,
    case_faces,
    case_photos,
    faces,
    file_removals,
    leads,
    media,
    photos,
    posts,
    rejections,
    removed_cases,
    sightings,
)
from store.tables import cases as case_table
from store.tally import next_number
from store.tombstones import Kind, put

_CHUNK = 500


def remove_posts(tx: Tx, rows: Sequence[int], counts: Counter[str], *, bury: bool) -> None:
    """Remove posts with their pictures, sightings and leads, and every photo that nothing else shows.

    What was said about them keeps its place in the outbox (so that nothing is said again) without its text or target.
    ``bury`` leaves tombstones, for erasures that must survive the next poll.
    """
    for chunk in _chunks(rows):
        told = tx.execute(select(posts.c.id, posts.c.platform, posts.c.post_id).where(posts.c.id.in_(chunk))).all()
        shown = set(
            tx.execute(select(media.c.photo_id).where(media.c.post_id.in_(chunk), media.c.photo_id.is_not(None))).scalars()
        )
        seen = list(tx.execute(select(sightings.c.id).where(sightings.c.post_id.in_(chunk))).scalars())
        for row in told:
            _hush(tx, counts, row.platform, row.post_id)
            if bury:
                put(tx, Kind.POST, row.platform, row.post_id)
        _forget_leads(tx, counts, leads.c.sighting_id.in_(seen))
        tx.execute(update(alerts).where(alerts.c.sighting_id.in_(seen)).values(sighting_id=None))
        tx.execute(update(sightings).where(sightings.c.duplicate_of.in_(seen)).values(duplicate_of=None))
        # A repost's raw body holds the original's text and pictures.
        tx.execute(update(posts).where(posts.c.repost_of_id.in_(chunk)).values(repost_of_id=None, raw=None))
        counts["sightings"] += tx.execute(delete(sightings).where(sightings.c.id.in_(seen))).rowcount
        counts["posts"] += tx.execute(delete(posts).where(posts.c.id.in_(chunk))).rowcount
        remove_unshown_photos(tx, sorted(shown), counts)


def remove_unshown_photos(tx: Tx, photo_ids: Sequence[int], counts: Counter[str]) -> None:
    """Remove those of the photos that no post and no case shows any more."""
    for chunk in _chunks(photo_ids):
        used = or_(
            exists(select(media.c.id).where(media.c.photo_id == photos.c.id)),
            exists(select(case_photos.c.id).where(case_photos.c.photo_id == photos.c.id)),
        )
        loose = tx.execute(select(photos.c.id).where(photos.c.id.in_(chunk), ~used)).scalars()
        _remove_photos(tx, list(loose), counts)


def remove_photo_everywhere(tx: Tx, photo_id: int, counts: Counter[str]) -> None:
    """Remove one photo from every post and case that shows it; posts keep their words, not their raw bodies."""
    showing = list(tx.execute(select(media.c.post_id).where(media.c.photo_id == photo_id)).scalars())
    gone: dict[str, Any] = {"state": "refused", "error": "erased", "photo_id": None, "urls": [], "not_before": None}
    counts["pictures"] += tx.execute(update(media).where(media.c.photo_id == photo_id).values(**gone)).rowcount
    for chunk in _chunks(showing):
        tx.execute(update(posts).where(posts.c.id.in_(chunk)).values(raw=None))
    holding = list(tx.execute(select(case_photos.c.case_id).where(case_photos.c.photo_id == photo_id)).scalars())
    held = select(case_photos.c.id).where(case_photos.c.photo_id == photo_id)
    counts["case faces"] += tx.execute(delete(case_faces).where(case_faces.c.case_photo_id.in_(held))).rowcount
    counts["case photos"] += tx.execute(delete(case_photos).where(case_photos.c.photo_id == photo_id)).rowcount
    for case_id in holding:
        cases.touch(tx, case_id)
    gallery_blocks.forget(tx, holding)
    _remove_photos(tx, [photo_id], counts)


def remove_case(tx: Tx, case_id: int, counts: Counter[str]) -> None:
    """Remove a case with its photos, faces, candidates and leads; galleries in memory learn of it by the sequence."""
    held = list(tx.execute(select(case_photos.c.photo_id).where(case_photos.c.case_id == case_id)).scalars())
    _hush_broadcasts(tx, counts, case_id)
    _forget_leads(tx, counts, leads.c.case_id == case_id)
    counts["candidates"] += tx.execute(delete(candidates).where(candidates.c.case_id == case_id)).rowcount
    mine = select(case_photos.c.id).where(case_photos.c.case_id == case_id)
    counts["case faces"] += tx.execute(delete(case_faces).where(case_faces.c.case_photo_id.in_(mine))).rowcount
    counts["case photos"] += tx.execute(delete(case_photos).where(case_photos.c.case_id == case_id)).rowcount
    counts["cases"] += tx.execute(delete(case_table).where(case_table.c.id == case_id)).rowcount
    tx.execute(insert(removed_cases).values(case_id=case_id, seq=cases.next_seq(tx)))
    gallery_blocks.forget(tx, [case_id])
    remove_unshown_photos(tx, held, counts)


def _remove_photos(tx: Tx, photo_ids: Sequence[int], counts: Counter[str]) -> None:
    hashes = list(tx.execute(select(photos.c.sha256).where(photos.c.id.in_(photo_ids))).scalars())
    drawn = select(faces.c.id).where(faces.c.photo_id.in_(photo_ids))
    scored = select(candidates.c.id).where(candidates.c.face_id.in_(drawn))
    tx.execute(update(leads).where(leads.c.candidate_id.in_(scored)).values(candidate_id=None))
    counts["candidates"] += tx.execute(delete(candidates).where(candidates.c.face_id.in_(drawn))).rowcount
    next_number(tx, FACES_GONE)
    counts["faces"] += tx.execute(delete(faces).where(faces.c.photo_id.in_(photo_ids))).rowcount
    tx.execute(delete(rejections).where(rejections.c.photo_sha256.in_(hashes)))
    counts["photos"] += tx.execute(delete(photos).where(photos.c.id.in_(photo_ids))).rowcount
    for sha256 in hashes:
        tx.execute(dialect.upsert(file_removals, ["sha256"]).values(sha256=sha256))


def _forget_leads(tx: Tx, counts: Counter[str], which: Any) -> None:
    gone = select(leads.c.id).where(which)
    tx.execute(update(alerts).where(alerts.c.lead_id.in_(gone)).values(lead_id=None))
    counts["leads"] += tx.execute(delete(leads).where(which)).rowcount


def _hush(tx: Tx, counts: Counter[str], platform: str, post_id: str) -> None:
    """Take text and target out of what was said, or was to be said, about a post; what was not said yet never will be."""
    waiting = alerts.c.state.in_((AlertState.HELD.value, AlertState.READY.value))
    doubtful = alerts.c.state == AlertState.UNKNOWN.value
    state = case((waiting, AlertState.CANCELLED.value), (doubtful, AlertState.DEAD.value), else_=alerts.c.state)
    about = (alerts.c.platform == platform, alerts.c.target_post_id == post_id)
    for number in tx.execute(select(alerts.c.id).where(*about)).scalars().all():
        counts["messages"] += 1
        tx.execute(
            update(alerts)
            .where(alerts.c.id == number)
            .values(
                state=state,
                text="",
                target_post_id=f"erased:{number}",
                reply_to_id=None,
                reply_to_comment_id=None,
                thread_id=None,
                sighting_id=None,
                lead_id=None,
                error="erased",
            )
        )


def _hush_broadcasts(tx: Tx, counts: Counter[str], case_id: int) -> None:
    """Take the family's page out of a case's broadcasts; those that were not said yet never will be."""
    about = (alerts.c.kind == MessageKind.BROADCAST.value, alerts.c.scope.like(f"case:{case_id}:%"))
    waiting = alerts.c.state.in_((AlertState.HELD.value, AlertState.READY.value))
    state = case((waiting, AlertState.CANCELLED.value), else_=alerts.c.state)
    counts["messages"] += tx.execute(update(alerts).where(*about).values(state=state, text="", error="erased")).rowcount


def _chunks(rows: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(rows), _CHUNK):
        yield rows[start : start + _CHUNK]
