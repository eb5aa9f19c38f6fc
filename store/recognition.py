"""What the matcher remembers beside vectors and candidates: drift, an operator's cohort, and tracks (one child over time)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, func, insert, or_, select, update

from store import dialect, faces
from store.errors import BadInput, NotFound
from store.faces import FaceVector
from store.model import FaceQuality
from store.refs import new_ref, tidy_ref
from store.session import Tx
from store.tables import cohort_vectors, drift, media, sightings, track_faces, tracks, tracks_apart
from store.tables import faces as face_table
from store.tally import last_number, next_number
from store.vault import Vector, open_vector, seal_vector

_SEQUENCE = "tracks"

Histogram = Mapping[str, Sequence[int]]


# --- drift ------------------------------------------------------------------------------------------------------


def drift_of(tx: Tx, pack_sha256: str) -> dict[str, list[int]]:
    """How often everyday faces reached which share of strangers' scores with this pack; empty before the first."""
    kept = tx.execute(select(drift.c.histogram).where(drift.c.pack_sha256 == pack_sha256)).scalar()
    return dict(kept or {})


def keep_drift(tx: Tx, pack_sha256: str, histogram: Histogram) -> None:
    """Put the histogram in place of what stood."""
    values = {"histogram": {name: list(row) for name, row in histogram.items()}, "updated_at": tx.now}
    statement = dialect.upsert(drift, ["pack_sha256"], list(values)).values(pack_sha256=pack_sha256, since=tx.now, **values)
    tx.execute(statement)


# --- an operator's cohort ---------------------------------------------------------------------------------------


def cohort(tx: Tx, pack_sha256: str) -> list[Vector]:
    """The vectors of an operator's own cohort for this pack, in their order."""
    query = select(cohort_vectors).where(cohort_vectors.c.pack_sha256 == pack_sha256).order_by(cohort_vectors.c.position)
    return [open_vector(tx.vault, row.vector, _context(pack_sha256, row.position)) for row in tx.execute(query)]


def replace_cohort(tx: Tx, pack_sha256: str, vectors: Sequence[Vector]) -> int:
    """Keep these vectors as the pack's cohort, and nothing of the photos they came from. Returns how many."""
    tx.execute(delete(cohort_vectors).where(cohort_vectors.c.pack_sha256 == pack_sha256))
    rows = [
        {
            "pack_sha256": pack_sha256,
            "position": position,
            "vector": seal_vector(tx.vault, vector, _context(pack_sha256, position)),
        }
        for position, vector in enumerate(vectors)
    ]
    if rows:
        tx.execute(insert(cohort_vectors), rows)
    return len(rows)


def _context(pack_sha256: str, position: int) -> str:
    return f"cohort:{pack_sha256}:{position}"


# --- tracks: one unknown child over days and cities -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Track:
    """Faces that are taken to be one child. Nobody knows who; that is a matter for cases and leads."""

    id: int
    ref: str
    created_at: datetime
    faces: tuple[int, ...]


def start_track(tx: Tx, face_id: int, *, by: str, why: str) -> int:
    """A new track with one face."""
    statement = insert(tracks).values(ref=new_ref(tx, tracks, "T"), created_at=tx.now)
    number = int(tx.execute(statement.returning(tracks.c.id)).scalar_one())
    put_on_track(tx, face_id, number, by=by, why=why)
    return number


def put_on_track(tx: Tx, face_id: int, track_id: int, *, by: str, why: str) -> None:
    """Add a face to a track; a face that is on one already is moved."""
    values = {"track_id": track_id, "why": why, "by": by, "at": tx.now, "seq": next_number(tx, _SEQUENCE)}
    tx.execute(dialect.upsert(track_faces, ["face_id"], list(values)).values(face_id=face_id, **values))


_TRACK_OF = select(track_faces.c.track_id).where(track_faces.c.face_id == bindparam("face"))


def track_of(tx: Tx, face_id: int) -> int | None:
    """The track a face is on."""
    return tx.execute(_TRACK_OF, {"face": face_id}).scalar()


def track(tx: Tx, key: int | str) -> Track:
    """A track by its number or reference.

    Raises:
        NotFound: there is none.
    """
    column, value = (tracks.c.id, key) if isinstance(key, int) else (tracks.c.ref, tidy_ref(key))
    row = tx.execute(select(tracks).where(column == value)).first()
    if row is None:
        raise NotFound(f"no track is stored as {key}")
    on_it = tx.execute(select(track_faces.c.face_id).where(track_faces.c.track_id == row.id).order_by(track_faces.c.face_id))
    return Track(row.id, row.ref, row.created_at, tuple(on_it.scalars()))


def sightings_on(tx: Tx, track_id: int) -> list[int]:
    """Rows of the sightings whose photos show a face of the track, by when the child was seen: its trajectory."""
    query = (
        select(sightings.c.id)
        .join(media, media.c.post_id == sightings.c.post_id)
        .join(face_table, face_table.c.photo_id == media.c.photo_id)
        .join(track_faces, track_faces.c.face_id == face_table.c.id)
        .where(track_faces.c.track_id == track_id)
        .group_by(sightings.c.id)
        .order_by(func.coalesce(sightings.c.seen_from, sightings.c.seen_to, sightings.c.created_at), sightings.c.id)
    )
    return list(tx.execute(query).scalars())


def longest(tx: Tx, limit: int = 50) -> list[int]:
    """Tracks with at least two faces, those with most faces first."""
    count = func.count().label("n")
    query = select(track_faces.c.track_id).group_by(track_faces.c.track_id).having(count > 1).order_by(count.desc()).limit(limit)
    return list(tx.execute(query).scalars())


def split(tx: Tx, face_id: int, *, by: str, why: str) -> int:
    """A person says that this face is another child than the rest of its track. They stay apart. Returns its new track.

    Raises:
        BadInput: the face is on no track, or alone on it.
    """
    old = track_of(tx, face_id)
    others = [] if old is None else [other for other in track(tx, old).faces if other != face_id]
    if not others:
        raise BadInput(f"face {face_id} is on no track with others")
    new = start_track(tx, face_id, by=by, why=why)
    for other in others:
        pair = {"face_a": min(face_id, other), "face_b": max(face_id, other)}
        tx.execute(dialect.upsert(tracks_apart, ["face_a", "face_b"]).values(**pair, by=by, at=tx.now))
    return new


def merge(tx: Tx, keep: int, other: int, *, by: str, why: str) -> None:
    """A person says that two tracks are one child.

    Raises:
        BadInput: they are the same track, or a person said before that two of their faces are different children.
    """
    if keep == other:
        raise BadInput("a track cannot be merged with itself")
    ours, theirs = track(tx, keep).faces, track(tx, other).faces
    if apart(tx, ours) & {(min(a, b), max(a, b)) for a in ours for b in theirs}:
        raise BadInput("people said before that these are different children", mend="undo that first, if it was wrong")
    moved = {"track_id": keep, "by": by, "why": why, "at": tx.now, "seq": next_number(tx, _SEQUENCE)}
    tx.execute(update(track_faces).where(track_faces.c.track_id == other).values(**moved))
    tx.execute(delete(tracks).where(tracks.c.id == other))


def apart(tx: Tx, face_ids: Sequence[int]) -> set[tuple[int, int]]:
    """Pairs that people said are different children, of which one is among ``face_ids``; the smaller id first."""
    found: set[tuple[int, int]] = set()
    for start in range(0, len(face_ids), 500):
        part = list(face_ids[start : start + 500])
        query = select(tracks_apart.c.face_a, tracks_apart.c.face_b).where(
            or_(tracks_apart.c.face_a.in_(part), tracks_apart.c.face_b.in_(part))
        )
        found |= {(row.face_a, row.face_b) for row in tx.execute(query)}
    return found


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a process's memory of the tracks has come: the last change of a track, and the last removal of faces."""

    seq: int = -1
    gone: int = -1


def mark(tx: Tx) -> Mark:
    """Where the tracks stand now."""
    return Mark(last_number(tx, _SEQUENCE), last_number(tx, faces.FACES_GONE))


def tracks_made(tx: Tx) -> int:
    """How many tracks were ever begun, merged ones included: read from the last number, so it costs nothing to ask."""
    return int(tx.execute(select(func.coalesce(func.max(tracks.c.id), 0))).scalar_one())


def tracks_with(tx: Tx, face_ids: Sequence[int], pack_sha256: str) -> dict[int, list[FaceVector]]:
    """The tracks on which any of these faces is: track -> its faces that this pack embedded, oldest first."""
    on_it = select(track_faces.c.track_id).where(track_faces.c.face_id.in_(list(face_ids)))
    query = (
        select(track_faces.c.track_id, track_faces.c.face_id)
        .join(face_table, face_table.c.id == track_faces.c.face_id)
        .where(track_faces.c.track_id.in_(on_it), face_table.c.pack_sha256 == pack_sha256)
    )
    track_of_face = {row.face_id: row.track_id for row in tx.execute(query)}
    found: dict[int, list[FaceVector]] = {}
    for face in faces.with_vectors(tx, sorted(track_of_face)):
        found.setdefault(track_of_face[face.face_id], []).append(face)
    return found


_CHANGES = (
    select(track_faces.c.seq)
    .where(track_faces.c.seq > bindparam("after"))
    .order_by(track_faces.c.seq)
    .offset(bindparam("last"))
    .limit(1)
)
_TRACKED = (
    select(track_faces.c.face_id)
    .join(face_table, face_table.c.id == track_faces.c.face_id)
    .where(track_faces.c.seq > bindparam("after"), track_faces.c.seq <= bindparam("upto"))
    .where(dialect.aside(face_table.c.pack_sha256) == bindparam("pack"), face_table.c.quality == FaceQuality.GOOD.value)
)


def tracked_after(tx: Tx, pack_sha256: str, after: int, limit: int) -> tuple[int, list[int]]:
    """Faces of good quality that this pack embedded and that came onto a track after change number ``after``: (the number up to
    which this tells all, their ids). About ``limit`` changes at once; what one change moved comes together."""
    end = tx.execute(_CHANGES, {"after": after, "last": limit - 1}).scalar()
    upto = last_number(tx, _SEQUENCE) if end is None else int(end)
    return upto, sorted(tx.execute(_TRACKED, {"after": after, "upto": upto, "pack": pack_sha256}).scalars())


def on_tracks(tx: Tx) -> set[int]:
    """Every face that is on a track."""
    return set(tx.execute(select(track_faces.c.face_id)).scalars())
