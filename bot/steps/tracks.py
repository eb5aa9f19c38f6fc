"""One unknown child over time: faces of new sightings put on tracks, with the same calibrated bands that alerts need."""

from __future__ import annotations

import threading
from collections import defaultdict

from bot.faces import FaceBook
from matcher.tracks import Link, Seen, link
from store import recognition, sightings
from store.faces import FaceVector
from store.model import FaceQuality
from store.session import Store, Tx
from store.sightings import SightingState


class TrackBook:
    """The faces of every track, held for comparing. Loaded at first use; a restart, or people's splits and merges, load anew."""

    def __init__(self) -> None:
        self._tracks: dict[int, list[Seen]] | None = None
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Load anew at the next use: people split or merged."""
        with self._lock:
            self._tracks = None

    def find(self, store: Store, book: FaceBook, face: FaceVector) -> Link:
        """The track that a new face surely continues, if any."""
        seen = _seen(face)
        with self._lock, store.read() as tx:
            tracks = self._loaded(tx, book)
            others = {one.face: number for number, on_it in tracks.items() for one in on_it}
            pairs = recognition.apart(tx, [face.face_id])
        strangers = {b if a == face.face_id else a for a, b in pairs}
        apart = {(face.face_id, others[other]) for other in strangers if other in others}
        return link(seen, tracks, book.gallery, book.calibration, apart)

    def note(self, face: FaceVector, track: int) -> None:
        """A face was put on a track (after its transaction)."""
        with self._lock:
            if self._tracks is not None:
                self._tracks.setdefault(track, []).append(_seen(face))

    def _loaded(self, tx: Tx, book: FaceBook) -> dict[int, list[Seen]]:
        if self._tracks is None:
            loaded: dict[int, list[Seen]] = defaultdict(list)
            for number, face in recognition.tracked_vectors(tx, book.pack.sha256):
                loaded[number].append(_seen(face))
            self._tracks = dict(loaded)
        return self._tracks


def put(tx: Tx, face: FaceVector, found: Link) -> int:
    """Store the link: the face joins its track, or begins one. A face that is on a track stays there. Returns the track."""
    present = recognition.track_of(tx, face.face_id)
    if present is not None:
        return present
    if found.track is None:
        return recognition.start_track(tx, face.face_id, by="bot", why=found.why)
    recognition.put_on_track(tx, face.face_id, found.track, by="bot", why=found.why)
    return found.track


def with_parents(tx: Tx, face_id: int) -> bool:
    """Whether an official recorded the child of this face's track as being with verified parents, in any of its sightings."""
    number = recognition.track_of(tx, face_id)
    if number is None:
        return False
    return any(sightings.get(tx, row).state is SightingState.WITH_PARENTS for row in recognition.sightings_on(tx, number))


def linkable(face: FaceVector) -> bool:
    """Only faces of good quality are linked by themselves."""
    return face.quality is FaceQuality.GOOD


def _seen(face: FaceVector) -> Seen:
    return Seen(face.face_id, face.photo_id, face.vector, face.quality)


