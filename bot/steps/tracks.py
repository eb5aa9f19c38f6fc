"""One unknown child over time: faces of new sightings put on tracks, with the same calibrated bands that alerts need.

Several workers do this at once, each with the tracks in its own memory. A face is compared outside any transaction; then, in the
one that puts it on its track, the memory is brought up to date once more and the face compared with what came in between.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.faces import FaceBook
from matcher.tracks import Link, Seen, link
from store import recognition, sightings
from store.faces import FaceVector
from store.model import FaceQuality
from store.recognition import Mark
from store.session import Store, Tx
from store.sightings import SightingState


@dataclass(frozen=True, slots=True)
class Found:
    """The link of a face, as the tracks stood at ``mark``."""

    face: FaceVector
    link: Link
    mark: Mark


class TrackBook:
    """The faces of every track, held for comparing, and kept in step with the store. Safe to share between threads."""

    def __init__(self) -> None:
        self._tracks: dict[int, list[Seen]] = {}
        self._on: dict[int, int] = {}
        self._changed: dict[int, int] = {}
        self._mark = Mark()
        self._lock = threading.Lock()

    def find(self, store: Store, book: FaceBook, face: FaceVector) -> Found:
        """The track that a new face surely continues, if any."""
        with self._lock, store.read() as tx:
            self._sync(tx, book)
            return Found(face, self._link(tx, book, face, self._tracks), self._mark)

    def settle(self, tx: Tx, book: FaceBook, found: Found) -> Link:
        """The link as it holds in the transaction that will store it: what other workers stored meanwhile is compared too."""
        with self._lock:
            self._sync(tx, book)
            if self._mark == found.mark:
                return found.link
            if self._mark.gone != found.mark.gone:
                return self._link(tx, book, found.face, self._tracks)
            news = {number: self._tracks[number] for number, seq in self._changed.items() if seq > found.mark.seq}
            late = self._link(tx, book, found.face, {n: seen for n, seen in news.items() if seen})
            return _both(found.link, late, news)

    def _link(self, tx: Tx, book: FaceBook, face: FaceVector, tracks: Mapping[int, Sequence[Seen]]) -> Link:
        pairs = recognition.apart(tx, [face.face_id])
        strangers = {b if a == face.face_id else a for a, b in pairs}
        apart = {(face.face_id, self._on[other]) for other in strangers if other in self._on}
        return link(_seen(face), tracks, book.gallery, book.calibration, apart, among=len(self._tracks))

    def _sync(self, tx: Tx, book: FaceBook) -> None:
        """Take in what changed since the last time; everything anew where faces were removed."""
        now = recognition.mark(tx)
        if now == self._mark:
            return
        if now.gone != self._mark.gone:
            self._tracks, self._on, self._changed, self._mark = {}, {}, {}, Mark()
        for number, face in recognition.tracked_vectors(tx, book.pack.sha256, self._mark.seq):
            before = self._on.get(face.face_id)
            if before is not None:  # people moved it
                self._tracks[before] = [seen for seen in self._tracks[before] if seen.face != face.face_id]
                self._changed[before] = now.seq
            self._tracks.setdefault(number, []).append(_seen(face))
            self._on[face.face_id] = number
            self._changed[number] = now.seq
        self._mark = now


def _both(early: Link, late: Link, news: Mapping[int, object]) -> Link:
    """One link out of two: among the tracks as they stood, and among those that changed since."""
    if early.track is None or early.track in news:
        return late if early.one_in == 1 or early.track is not None else early
    if late.track is None:
        return early
    return Link(None, late.one_in, f"fits tracks {early.track}, {late.track}: for a person to decide")


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
