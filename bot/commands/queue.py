"""The shared queue for ``status`` and ``doctor``: how much waits in it, and whether anybody takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.work.jobs import QUEUES
from store.session import Tx

if TYPE_CHECKING:
    from bot.settings import Settings
    from bot.work.shared import Backlog

HEADERS = ("queue", "ready", "put off", "in hand")


def backlog(tx: Tx, settings: Settings) -> Backlog | None:
    """The queue's state; None where one process does all the work and there is no queue.

    Raises:
        StoreError: the queue's tables are not there.
    """
    if settings.work.mode != "shared":
        return None
    from bot.work import shared  # here, since a lone process on SQLite does without Procrastinate

    return shared.backlog(tx, settings.work.stalled_after_s)


def rows(queue: Backlog) -> list[tuple[str, int, int, int]]:
    """One row a queue, under :data:`HEADERS`."""
    return [(name, queue.ready.get(name, 0), queue.later.get(name, 0), queue.in_hand.get(name, 0)) for name in QUEUES]


def in_words(queue: Backlog) -> str:
    """One line."""
    ready, later, in_hand = (sum(part.values()) for part in (queue.ready, queue.later, queue.in_hand))
    return f"{queue.workers} worker(s) alive; {ready} job(s) ready, {later} put off, {in_hand} in hand"
