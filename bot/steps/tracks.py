"""One unknown child over time: faces of new sightings put on tracks, with the same calibrated bands that alerts need.

Several workers do this at once, each with the faces in its own memory. A face is compared outside any transaction; then, in the
one that puts it on its track, it is compared with what came in between. The memory only proposes faces; which track each is on
the store says, so what people split, merged or erased holds at once, in every process.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.faces import FaceBook
from matcher.gallery import Gallery
from matcher.tracks import Link, Seen, link, plausible
from store import faces, recognition, sightings
from store.faces import FaceVector
from store.model import FaceQuality
from store.recognition import Mark
from store.session import Store, Tx
from store.sightings import SightingState

_FIRST_HITS, _MORE, _MOST_HITS = 16, 4, 4096
_LOADED_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Found:
    """The link of a face, as the tracks stood at ``mark``."""

    face: FaceVector
    link: Link
    mark: Mark


class TrackBook:
    """The good faces of every track, held for search, and kept in step with the store: a new face costs one exact search,
    whatever the number of tracks. Loaded at first use. Safe to share between threads."""

    def __init__(self) -> None:
        self._index: Gallery | None = None
        self._mark = Mark()
        self._lock = threading.Lock()

    def find(self, store: Store, book: FaceBook, face: FaceVector) -> Found:
        """The track that a new face surely continues, if any."""
        with self._lock, store.read() as tx:
            self._sync(tx, book)
            return Found(face, self._link(tx, book, face), self._mark)

    def settle(self, tx: Tx, book: FaceBook, found: Found) -> Link:
        """The link as it holds in the transaction that will store it: what other workers stored meanwhile is compared too."""
        with self._lock:
            news = self._sync(tx, book, since=found.mark.seq)
            if self._mark == found.mark:
                return found.link
            if self._mark.gone == found.mark.gone and found.link.track is None and not self._fit(tx, book, found.face, news):
                return found.link
            return self._link(tx, book, found.face)

    def _link(self, tx: Tx, book: FaceBook, face: FaceVector) -> Link:
        near = self._near(tx, book, face)
        if not near:
            return link(_seen(face), {}, book.gallery, book.calibration)
        on = recognition.tracks_with(tx, near, book.pack.sha256)
        track_of = {one.face_id: track for track, members in on.items() for one in members}
        strangers = {b if a == face.face_id else a for a, b in recognition.apart(tx, [face.face_id])}
        apart = {(face.face_id, track_of[other]) for other in strangers if other in track_of}
        tracks = {track: [_seen(one) for one in members] for track, members in on.items()}
        return link(_seen(face), tracks, book.gallery, book.calibration, apart, among=recognition.tracks_made(tx))

    def _near(self, tx: Tx, book: FaceBook, face: FaceVector) -> list[int]:
        """Every face by which this one could be linked; four times as many are asked for while all of them could."""
        assert self._index is not None  # _sync made it
        count = _FIRST_HITS
        while len(self._index):
            ids = self._index.search(face.vector, count).case_ids[0].tolist()
            fit = self._fit(tx, book, face, ids)
            if len(fit) < len(ids) - 1 or len(ids) < count or count >= _MOST_HITS:
                return fit
            count *= _MORE
        return []

    def _fit(self, tx: Tx, book: FaceBook, face: FaceVector, ids: Sequence[int]) -> list[int]:
        """Those of these faces by which ``face`` could be linked."""
        assert self._index is not None  # _sync made it
        others = [number for number in ids if number != face.face_id and number in self._index]
        if not others:
            return []
        made = recognition.tracks_made(tx)
        fits = plausible(face.vector, self._index.templates_of(others), book.gallery, book.calibration, made)
        return [number for number, fit in zip(others, fits.tolist(), strict=True) if fit]

    def _sync(self, tx: Tx, book: FaceBook, since: int | None = None) -> list[int]:
        """Take in what changed since the last time. Returns the faces that came onto a track after change number ``since``."""
        now = recognition.mark(tx)
        if self._index is None or self._index.pack_sha256 != book.pack.sha256:
            self._index, self._mark = Gallery(book.engine.dimension, book.pack.id, book.pack.sha256), Mark(gone=now.gone)
        if now.gone != self._mark.gone:
            for number in set(self._index.case_ids()) - recognition.on_tracks(tx):
                self._index.remove(number)
        after = self._mark.seq
        while after < now.seq:
            after, changed = recognition.tracked_after(tx, book.pack.sha256, after, _LOADED_AT_ONCE)
            new = [number for number in changed if number not in self._index]
            for start in range(0, len(new), _LOADED_AT_ONCE):
                self._take(tx, new[start : start + _LOADED_AT_ONCE])
        self._mark = now
        if since is None or since >= now.seq:
            return []
        return recognition.tracked_after(tx, book.pack.sha256, since, _LOADED_AT_ONCE)[1]

    def _take(self, tx: Tx, ids: Sequence[int]) -> None:
        assert self._index is not None  # _sync made it
        new = list(faces.with_vectors(tx, ids))
        if len(new) > _FIRST_HITS:
            self._index.put_many([one.face_id for one in new], np.stack([one.vector for one in new]), self._index.pack_sha256)
            return
        for one in new:
            self._index.put(one.face_id, [one.vector], self._index.pack_sha256)


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
