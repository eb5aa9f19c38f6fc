"""The face engine and the gallery of registered cases, kept in step with the store."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date

from matcher.calibrate import BandTargets, Calibration, Calibrator
from matcher.compare import Outcome, Probe, search
from matcher.engines.base import Engine, Vector
from matcher.gallery import Gallery, Group, Vectors
from matcher.quality import template_weight
from store import cases, gallery
from store.cases import CaseFields
from store.session import Tx


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

    def __init__(self, engine: Engine | Late, targets: BandTargets, keep: int, own_cohort: Vectors | None = None) -> None:
        self._late = engine
        self._own_cohort = own_cohort
        self._opening = threading.RLock()
        self.pack = engine.pack if isinstance(engine, Late) else Pack(engine.pack_id, engine.pack_sha256)
        self._calibrator = Calibrator(targets)
        self._keep = keep
        self._gallery: Gallery | None = None
        self._seq = 0
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
                self._gallery = Gallery(dimension, self.pack.id, self.pack.sha256, self._own_cohort)
            return self._gallery

    def sync(self, tx: Tx) -> int:
        """Bring the gallery to the store's present state. Returns how many cases changed; costs one look-up where none did."""
        with self._lock:
            seq, changed = cases.changed_since(tx, self._seq)
            if not changed:
                return 0
            vectors: dict[int, list[Vector]] = defaultdict(list)
            weights: dict[int, list[float]] = defaultdict(list)
            taken: dict[int, list[date | None]] = defaultdict(list)
            for face in gallery.gallery(tx, self.pack.sha256, changed):
                vectors[face.case_id].append(face.vector)
                weights[face.case_id].append(template_weight(face.norm))
                taken[face.case_id].append(face.taken_on)
            for case_id in changed:
                if case_id in vectors:
                    group = group_of(cases.get(tx, case_id).fields, taken[case_id])
                    self.gallery.put(case_id, vectors[case_id], self.pack.sha256, weights[case_id], group)
                else:
                    self.gallery.remove(case_id)
            self._seq = seq
            return len(changed)

    @property
    def calibration(self) -> Calibration:
        """What a score means in the present gallery."""
        return self._calibrator.of(self.gallery)

    def search(self, probes: Sequence[Probe], excluded: Collection[tuple[int, int]]) -> Outcome:
        """Search the faces of one photo among the verified cases; see :func:`matcher.compare.search`."""
        return search(probes, self.gallery, self.calibration, excluded=excluded, keep=self._keep)


def group_of(fields: CaseFields, taken_on: Sequence[date | None]) -> Group:
    """The age group of a case's photos: by the youngest photo's day, or by the day the child was lost; CHILD where unknown."""
    days = [day for day in taken_on if day is not None] or [day for day in (fields.missing_on,) if day is not None]
    if fields.birth_on is None or not days:
        return Group.of_age(None)
    return Group.of_age((min(days) - fields.birth_on).days / 365.25)
