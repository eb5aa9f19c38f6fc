"""The face engine and the gallery of registered cases, kept in step with the store."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bot.log import get
from matcher.calibrate import BandTargets, Calibration, Calibrator
from matcher.compare import Outcome, Probe, search
from matcher.engines.base import Engine
from matcher.gallery import Gallery, Group, Vectors, numbers, templates
from matcher.index import halved
from matcher.quality import age_weight, template_weight
from store import cases, gallery, gallery_blocks
from store.errors import StoreError
from store.gallery import GalleryFaces
from store.session import Store, Tx
from store.vectors import PgvectorIndex

log = get("faces")

BLOCKS_FROM = 20_000
"""Cases from which sealed blocks of templates are kept for the next start; fewer are read from the tables in half a second."""
_STALE = gallery_blocks.CASES // 20
_BLOCKS_A_TIME = 16
_CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class Pack:
    """Which model pack made the vectors."""

    id: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Late:
    """An engine that is opened when a photo or the gallery first needs it, and whose pack is known before."""

    pack: Pack
    open: Callable[[], Engine]


class FaceBook:
    """An engine with the present gallery. :meth:`sync` takes in what changed; safe to share between threads."""

    def __init__(
        self,
        engine: Engine | Late,
        targets: BandTargets,
        keep: int,
        own_cohort: Vectors | None = None,
        shared: Callable[[int], PgvectorIndex] | None = None,
    ) -> None:
        self._late = engine
        self._own_cohort = own_cohort
        self._opening = threading.RLock()
        self.pack = engine.pack if isinstance(engine, Late) else Pack(engine.pack_id, engine.pack_sha256)
        self._calibrator = Calibrator(targets)
        self._keep = keep
        self._gallery: Gallery | None = None
        self._share = shared
        self._shared: PgvectorIndex | None = None
        self.building: threading.Thread | None = None
        """Builds the HNSW index, where one is asked for, and measures its recall; until it stands, searches are exact."""
        self._seq = 0
        self._stale: Counter[int] = Counter()
        self._lock = threading.Lock()

    @property
    def engine(self) -> Engine:
        """The engine.

        Raises:
            EngineError: it is opened only now, and cannot be.
        """
        with self._opening:
            if isinstance(self._late, Late):
                self._late = self._late.open()
            return self._late

    @property
    def gallery(self) -> Gallery:
        """The faces of the verified cases, as of the last :meth:`sync`."""
        with self._opening:
            if self._gallery is None:
                dimension = self.engine.dimension
                if self._share is not None:
                    self._shared = self._share(dimension)
                    self._shared.open()
                self._gallery = Gallery(dimension, self.pack.id, self.pack.sha256, self._own_cohort, self._shared)
            return self._gallery

    def sync(self, tx: Tx) -> int:
        """Bring the gallery to the store's present state. Returns how many cases changed; costs one look-up where none did."""
        with self._lock:
            if self._share is not None:
                return self._sync_shared(tx)
            if self._seq == 0:
                return self._load(tx)
            seq, changed = cases.changed_since(tx, self._seq)
            self._take_in(tx, changed)
            self._stale.update(case_id // gallery_blocks.CASES for case_id in changed)
            self._seq = seq
            return len(changed)

    def keep_blocks(self, store: Store) -> int:
        """Seal templates into blocks for the next start, where the gallery is large and enough changed; returns how many.

        A block is written only if nothing changed since the last :meth:`sync`: otherwise it could bring back an erased case.
        """
        with self._lock:
            if self._share is not None or not self._stale or len(self.gallery) < BLOCKS_FROM:
                return 0
            with store.read() as tx:
                there = gallery_blocks.kept(tx, self.pack.sha256)
            due = [number for number, count in self._stale.items() if count >= _STALE or number not in there]
            for number in due[:_BLOCKS_A_TIME]:
                first = number * gallery_blocks.CASES
                ids, rows, groups = self.gallery.held(range(first, first + gallery_blocks.CASES))
                with store.write("gallery.block") as tx:
                    if cases.changes(tx, self._seq, limit=1):
                        return 0
                    block = gallery_blocks.Block(ids, groups, halved(rows))
                    gallery_blocks.write(tx, self.pack.sha256, number, self._seq, block)
                del self._stale[number]
            return len(due[:_BLOCKS_A_TIME])

    @property
    def calibration(self) -> Calibration:
        """What a score means in the present gallery."""
        return self._calibrator.of(self.gallery)

    def search(self, probes: Sequence[Probe], excluded: Collection[tuple[int, int]]) -> Outcome:
        """Search the faces of one photo among the verified cases; see :func:`matcher.compare.search`."""
        return search(probes, self.gallery, self.calibration, excluded=excluded, keep=self._keep)

    def _sync_shared(self, tx: Tx) -> int:
        """The index inside PostgreSQL is brought up by whichever worker comes first; the others learn what is stale with them."""
        if self._seq == 0:
            seq = cases.present_seq(tx)
            if not seq:  # no case, no gallery: the engine may stay closed
                return 0
            index, count = self._opened_share(), len(self.gallery)
            index.bring_up(self._worked_out)
            self.gallery.note([])
            if index.approximate:
                self.building = threading.Thread(target=_build_graph, args=(index,), name="hnsw", daemon=True)
                self.building.start()
            self._seq = seq
            return len(self.gallery) - count
        seq, changed = cases.changed_since(tx, self._seq)
        # Asked for even where nothing changed: a server that crashed has emptied the table, and no search may find it so.
        if self._opened_share().bring_up(self._worked_out) or changed:
            self.gallery.note(changed)
        self._seq = seq
        return len(changed)

    def _opened_share(self) -> PgvectorIndex:
        _ = self.gallery
        assert self._shared is not None  # the gallery was opened over it
        return self._shared

    def _worked_out(self, tx: Tx, case_ids: Sequence[int]) -> tuple[NDArray[np.int64], Vectors, NDArray[np.uint8]]:
        ids, rows, groups = _templates(gallery.gallery(tx, self.pack.sha256, case_ids))
        return ids, rows, numbers(groups)

    def _load(self, tx: Tx) -> int:
        """The whole gallery: from its sealed blocks, with what changed since each of them and what has none from the tables."""
        seq = cases.present_seq(tx)
        there = gallery_blocks.kept(tx, self.pack.sha256)
        changed: defaultdict[int, dict[int, int]] = defaultdict(dict)
        for case_id, changed_at in cases.changes(tx, min(there.values())) if there else ():
            changed[case_id // gallery_blocks.CASES][case_id] = changed_at
        put = 0
        for number in gallery.blocks_of(tx, gallery_blocks.CASES):
            block = gallery_blocks.read(tx, self.pack.sha256, number) if number in there else None
            if block is None:
                first = number * gallery_blocks.CASES
                put += len(self._put(gallery.gallery_between(tx, self.pack.sha256, first, first + gallery_blocks.CASES)))
                self._stale[number] = _STALE
                continue
            since = [case_id for case_id, changed_at in changed[number].items() if changed_at > there[number]]
            left = ~np.isin(block.case_ids, since)
            self.gallery.put_held(block.case_ids[left], block.rows[left], block.groups[left], self.pack.sha256)
            put += int(left.sum())
            if since:
                put += len(self._put(gallery.gallery(tx, self.pack.sha256, since)))
                self._stale[number] += len(since)
        self._seq = seq
        return put

    def _take_in(self, tx: Tx, changed: Sequence[int]) -> None:
        for start in range(0, len(changed), _CHUNK):
            part = changed[start : start + _CHUNK]
            put = self._put(gallery.gallery(tx, self.pack.sha256, part))
            for case_id in set(part) - put:
                self.gallery.remove(case_id)

    def _put(self, faces: GalleryFaces) -> set[int]:
        """Put the templates of these faces into the gallery; returns their cases."""
        ids, rows, groups = _templates(faces)
        if len(ids):
            self.gallery.put_many(ids.tolist(), rows, self.pack.sha256, groups)
        return set(ids.tolist())


def _templates(faces: GalleryFaces) -> tuple[NDArray[np.int64], Vectors, list[Group]]:
    """The cases of these faces, ascending, with a template and the group of each."""
    ids, rows = templates(faces.case_ids, faces.vectors, _weights(faces))
    bounds = [*np.searchsorted(faces.case_ids, ids).tolist(), len(faces)]
    groups = [
        group_of(faces.birth_on[start], faces.missing_on[start], faces.taken_on[start:end]) for start, end in pairwise(bounds)
    ]
    return ids, rows, groups


def _weights(faces: GalleryFaces) -> NDArray[np.float64]:
    """How much each photo counts in its case's template: by quality, and by its age against the case's newest dated photo."""
    newest: dict[int, date] = {}
    for case_id, day in zip(faces.case_ids.tolist(), faces.taken_on, strict=True):
        if day is not None:
            newest[case_id] = max(day, newest.get(case_id, day))
    found = []
    for case_id, norm, day in zip(faces.case_ids.tolist(), faces.norms.tolist(), faces.taken_on, strict=True):
        years = 0.0 if day is None else (newest[case_id] - day).days / 365.25
        found.append(template_weight(norm) * age_weight(years))
    return np.array(found)


def group_of(birth_on: date | None, missing_on: date | None, taken_on: Iterable[date | None]) -> Group:
    """The age group of a case's photos: by the youngest photo's day, or by the day the child was lost; CHILD where unknown."""
    days = [day for day in taken_on if day is not None] or [day for day in (missing_on,) if day is not None]
    if birth_on is None or not days:
        return Group.of_age(None)
    return Group.of_age((min(days) - birth_on).days / 365.25)


def _build_graph(index: PgvectorIndex) -> None:
    try:
        recall = index.measure_recall() if index.build_graph() else None
    except StoreError as error:
        log.error(
            "the HNSW index could not be built: searches stay exact until the next start", error=str(error), mend=error.mend
        )
        return
    if recall is not None:
        log.info("approximate search", recall=round(recall.share, 3), probes=recall.probes)
