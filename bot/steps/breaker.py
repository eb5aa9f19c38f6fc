"""A circuit breaker for each platform (Nygard, "Release It!"): what keeps failing is left alone for growing pauses. Pure.

closed: calls go through. After :data:`OPENS_AFTER` failures in a row it is open: nothing is called until ``until``. Then it is
half open: one call may try; success closes it, failure opens it for twice as long, an hour at most.

Only trouble of the *whole* platform counts (it is not reachable, or answers with something that is not its API): a rate limit
names its own time, a refused message is about that message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from store.errors import BadResponse, Blocked, Doubtful, PlatformError, Unreachable

OPENS_AFTER = 5
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
_TROUBLE = (Unreachable, Blocked, BadResponse, Doubtful)


@dataclass(frozen=True, slots=True)
class Breaker:
    """The state: failures in a row, how often it opened since the last success, and until when nothing is called."""

    failures: int = 0
    openings: int = 0
    until: datetime | None = None
    why: str = ""

    @classmethod
    def from_json(cls, kept: Mapping[str, Any] | None) -> Breaker:
        """The state that :meth:`as_json` gave; a closed breaker for None."""
        if kept is None:
            return cls()
        until = kept["until"]
        return cls(kept["failures"], kept["openings"], None if until is None else datetime.fromisoformat(until), kept["why"])

    def as_json(self) -> dict[str, Any]:
        """The state as JSON, for the next process on this platform."""
        until = None if self.until is None else self.until.isoformat()
        return {"failures": self.failures, "openings": self.openings, "until": until, "why": self.why}

    def open_at(self, now: datetime) -> bool:
        """Whether nothing may be called at ``now``."""
        return self.until is not None and now < self.until

    def after(self, error: PlatformError | None, now: datetime) -> Breaker:
        """The state after a call that ended with ``error`` (None: well) at ``now``."""
        if error is None:
            return Breaker()
        if not isinstance(error, _TROUBLE):
            return self
        failures = self.failures + 1
        if failures < OPENS_AFTER:
            return replace(self, failures=failures, why=str(error))
        pause = min(FIRST_PAUSE * 2 ** min(self.openings, 10), LONGEST_PAUSE)
        return Breaker(failures, self.openings + 1, now + pause, str(error))
