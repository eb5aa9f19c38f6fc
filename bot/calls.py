"""The calls of an account, counted in the store: every process that calls counts in one place, and a restart forgets none."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bot.bot import PlatformSeat
from ingest.source import CallCount
from store import platform_states
from store.session import Store, Tx


class StoredCount:
    """An :class:`ingest.source.Counter` in the store. Each count is committed before its call is made."""

    def __init__(self, store: Store, platform: str) -> None:
        self._store, self._platform = store, platform

    def read(self) -> CallCount:
        """The count now.

        Raises:
            StoreError: it cannot be read.
        """
        with self._store.read() as tx:
            return self._now(tx)

    def change(self, step: Callable[[CallCount], CallCount]) -> None:
        """See :class:`ingest.source.Counter`; writers go one at a time.

        Raises:
            StoreError: it cannot be counted; then the call is not to be made.
        """
        with self._store.write("calls.counted") as tx:
            count = step(self._now(tx))
            platform_states.put(
                tx, self._platform, calls_made=count.made, calls_day_began=count.day_began, calls_day_ends=count.day_ends
            )

    def _now(self, tx: Tx) -> CallCount:
        state = platform_states.get(tx, self._platform)
        return CallCount(state.calls_made, state.calls_day_began, state.calls_day_ends)


def count_together(store: Store, seats: Iterable[PlatformSeat]) -> None:
    """Let each platform that has a call budget count its calls in the store."""
    for seat in seats:
        if seat.platform.rules.count_in is not None:
            seat.platform.rules.count_in(StoredCount(store, seat.name))
