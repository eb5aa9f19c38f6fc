"""Figures that are counted seldom and given often.

Counting walks over every row (0.1 to 0.4 s for 100,000 sightings), so what was counted is kept for a while and renewed behind
the readers' backs. Pages say when their figures were counted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from bot import log
from store.errors import StoreError

_log = log.get("console")


class Counted(Protocol):
    """What was counted, and when."""

    @property
    def at(self) -> datetime: ...


Kept = TypeVar("Kept", bound=Counted)


def _in_background(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="figures", daemon=True).start()


@dataclass(slots=True)
class Keeper(Generic[Kept]):
    """Keeps what ``count`` gives for ``fresh``. Old figures are given while one thread counts anew; only the first reader
    after a start waits. What is ``passing`` was quick to count and is counted anew for each reader."""

    count: Callable[[], Kept]
    clock: Callable[[], datetime]
    fresh: timedelta
    start: Callable[[Callable[[], None]], None] = _in_background
    passing: Callable[[Kept], bool] = lambda _: False
    _kept: Kept | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self) -> Kept:
        """What was counted last."""
        kept = self._kept
        if kept is not None and self.passing(kept):
            self._kept = kept = self.count()
        elif kept is None:
            with self._lock:
                self._kept = kept = self._kept or self.count()
        elif self.clock() - kept.at >= self.fresh and self._lock.acquire(blocking=False):
            self.start(self._again)
        return kept

    def _again(self) -> None:
        try:
            self._kept = self.count()
        except StoreError as error:
            _log.warning("figures could not be counted; the old ones stay", error=str(error))
        finally:
            self._lock.release()
