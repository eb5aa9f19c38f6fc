"""How much waits in the shared queue, for ``status``, ``doctor`` and the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from store.errors import StoreError
from store.session import Store, Tx

# Finished jobs are deleted as they end, and partial indexes hold the living ones: what this reads grows with what waits alone.
# Only a job that was put off says a time of its own: the lowest number among the others leads to the event that made it.
BY_QUEUE = """
SELECT queue_name, ready, later, in_hand, EXTRACT(EPOCH FROM now() - LEAST(put_off_to,
       (SELECT min(at) FROM procrastinate_events WHERE job_id = first_made AND type = 'deferred')))::float8
  FROM (SELECT queue_name,
               count(*) FILTER (WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())) AS ready,
               count(*) FILTER (WHERE status = 'todo' AND scheduled_at > now()) AS later,
               count(*) FILTER (WHERE status = 'doing') AS in_hand,
               min(id) FILTER (WHERE status = 'todo' AND scheduled_at IS NULL) AS first_made,
               min(scheduled_at) FILTER (WHERE status = 'todo' AND scheduled_at <= now()) AS put_off_to
          FROM procrastinate_jobs WHERE status IN ('todo', 'doing') GROUP BY queue_name) AS queues
 ORDER BY queue_name
"""


@dataclass(frozen=True, slots=True)
class Backlog:
    """The queue at a glance: workers that gave a sign of life lately; by queue, jobs that could be taken now, jobs put off to a
    later time, jobs in hand, and since how many seconds the oldest that could be taken could be."""

    workers: int
    ready: Mapping[str, int]
    later: Mapping[str, int]
    in_hand: Mapping[str, int]
    oldest_ready_s: Mapping[str, float]


def backlog(tx: Tx, alive_s: float) -> Backlog:
    """What waits in the queue, and how many workers were heard of within the last ``alive_s`` seconds.

    Raises:
        StoreError: the queue's tables are not there.
    """
    import psycopg  # here: a bot on SQLite does without it

    driver: Any = tx.connection.connection.driver_connection
    try:
        heard = "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => %s)"
        workers = driver.execute(heard, (alive_s,)).fetchone()[0]
        found = driver.execute(BY_QUEUE).fetchall()
    except psycopg.Error as error:
        raise StoreError(f"the queue cannot be read: {error}", mend="run: suishoupai migrate") from error
    ready, later, in_hand = ({name: row[i] for name, *row in found if row[i]} for i in range(3))
    return Backlog(workers, ready, later, in_hand, {name: max(0.0, row[3]) for name, *row in found if row[3] is not None})


def waiting(store: Store) -> dict[str, int]:
    """How many jobs wait or run, by queue."""
    with store.read() as tx:
        now = backlog(tx, 0.0)
    parts = (now.ready, now.later, now.in_hand)
    return {name: sum(part.get(name, 0) for part in parts) for name in sorted(set().union(*parts))}
