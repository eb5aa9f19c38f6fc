"""The shared queue for ``status`` and ``doctor``: how much waits in it, and whether anybody takes it."""

from __future__ import annotations

from bot.settings import Settings
from bot.work import QUEUES
from bot.work import backlog as shared_queue
from bot.work.backlog import Backlog
from store.session import Tx

HEADERS = ("queue", "ready", "put off", "in hand", "oldest waits")


def backlog(tx: Tx, settings: Settings) -> Backlog | None:
    """The queue's state; None where one process does all the work and there is no queue.

    Raises:
        StoreError: the queue's tables are not there.
    """
    if settings.work.mode != "shared":
        return None
    return shared_queue.backlog(tx, settings.work.stalled_after_s)


def rows(queue: Backlog) -> list[tuple[str, int, int, int, str]]:
    """One row a queue, under :data:`HEADERS`."""
    return [
        (
            name,
            queue.ready.get(name, 0),
            queue.later.get(name, 0),
            queue.in_hand.get(name, 0),
            _seconds(queue.oldest_ready_s.get(name)),
        )
        for name in QUEUES
    ]


def _seconds(waits: float | None) -> str:
    return "" if waits is None else f"{waits:.0f} s"


def in_words(queue: Backlog) -> str:
    """One line."""
    ready, later, in_hand = (sum(part.values()) for part in (queue.ready, queue.later, queue.in_hand))
    return f"{queue.workers} worker(s) alive; {ready} job(s) ready, {later} put off, {in_hand} in hand"
