"""Work shared by many workers: Procrastinate's tables in the store's own PostgreSQL, and nothing else knows Procrastinate.

A job is deferred in the transaction that makes its row pending (:class:`Deferrer`), so neither is there without the other. Who
guards what:

- *queueing lock* ``KIND:KEY``: one waiting job for each row and step; a second wish makes the first come earlier.
- *lock* ``post:N`` or ``platform:KIND:NAME``: two jobs about one post, or two pollers or senders of one platform, never run at
  once as long as every worker is alive and known.
- a worker that stalls and comes back, or a poller started by mistake, is beyond locks: each step's last transaction holds the row
  and looks whether it still stands where the step began (:func:`store.posts.hold`, the stream's cursor, the outbox's attempt).
- the sweep (:meth:`Floor.sweep`) gives back the jobs of dead workers, and makes jobs for due rows that have none.

Procrastinate's own retries are not used: what failed is put off in its row, with growing pauses, and its job with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector, exceptions
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

from bot.bot import Bot
from bot.log import get
from bot.work.jobs import CHORES, WORK, Line
from store import pending, posts
from store.errors import StoreError, SuishoupaiError
from store.posts import Step
from store.session import Due, DueKind

log = get("work")

SWEEP = "sweep"
"""The queue that every worker takes: making the rows' jobs sure."""
SWEPT_AT_ONCE = 500
_URGENT = {DueKind.POLL: 2, DueKind.SEND: 1}
"""Platforms before posts: a poster waits for an answer, and a poll lasts a second."""
_FAILURES = (exceptions.ConnectorException, exceptions.AppNotOpen, psycopg.Error, OSError)

_COMES_EARLIER = """
UPDATE procrastinate_jobs AS job
   SET scheduled_at = CASE WHEN job.scheduled_at IS NOT NULL THEN LEAST(job.scheduled_at, COALESCE(wish.at, now())) END
  FROM unnest(%(keys)s::text[], %(times)s::timestamptz[]) AS wish (key, at)
 WHERE job.queueing_lock = wish.key AND job.status = 'todo'
RETURNING job.queueing_lock AS key
"""
# Two indexes, so two halves: one is unique among waiting jobs, the other holds the few that run.
_HAVE_A_JOB = """
SELECT queueing_lock AS key FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock = ANY(%(keys)s)
UNION ALL
SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'doing'
"""
_INDEX = "CREATE INDEX suishoupai_jobs_lock ON procrastinate_jobs (lock) WHERE status IN ('todo', 'doing')"
"""Taking a job asks whether another with its lock waits or runs; without this index that reads every waiting job."""


def prepare(url: str) -> None:
    """Make Procrastinate's tables where they are not there yet; safe to repeat, and from several processes at once.

    Raises:
        StoreError: the server does not allow it.
    """
    schema = (resources.files("procrastinate.sql") / "schema.sql").read_text(encoding="utf-8")
    try:
        with psycopg.connect(url) as connection:
            connection.execute("SELECT pg_advisory_xact_lock(hashtext('suishoupai: tables of the queue'))")
            [there] = connection.execute("SELECT to_regclass('procrastinate_jobs')").fetchone() or [None]
            if there is None:
                connection.execute(schema.encode())
                connection.execute(_INDEX)
    except psycopg.Error as error:
        raise StoreError(f"the queue's tables cannot be made: {error}", mend="let the user of store.url create tables") from error


def job_for(due: Due) -> Job:
    """The job that does what a row asks for."""
    work = WORK[due.kind]
    about = {"post": f"post:{due.key}", "platform": f"platform:{due.kind}:{due.key}"}.get(work.about, f"all:{due.kind}")
    return Job(
        queue=work.queue,
        lock=about,
        queueing_lock=key_of(due),
        task_name=due.kind.value,
        task_kwargs={"key": due.key},
        priority=_URGENT.get(due.kind, -due.after),
        scheduled_at=due.at,
    )


def key_of(due: Due) -> str:
    """What no two waiting jobs share. Scanning and matching are one step of a post."""
    kind = DueKind.MATCH if due.kind is DueKind.SCAN else due.kind
    return f"{kind}:{due.key}"


class Deferrer:
    """A :data:`store.session.Queue`: defers jobs on the connection of the transaction that asks for them."""

    def __init__(self) -> None:
        self._connector = SyncPsycopgConnector()
        self._manager = JobManager(self._connector)

    def __call__(self, connection: Any, left: Sequence[Due]) -> None:
        """Defer a job for each piece of work, or have the one that waits already come earlier.

        Raises:
            StoreError: the queue's tables are not there, or cannot be written; the transaction is lost.
        """
        wanted: dict[str, Due] = {}
        for due in left:
            before = wanted.get(key_of(due))
            # A post asks for one thing, the last; a platform for several, of which the earliest counts.
            if before is not None and due.kind is DueKind.SEND and due.at is not None:
                due = before if before.at is None or before.at <= due.at else due
            wanted[key_of(due)] = due
        times = [due.at for due in wanted.values()]
        try:
            moved = self._connector.execute_query_all_with_connection(connection, _COMES_EARLIER, keys=list(wanted), times=times)
            for row in moved:
                wanted.pop(row["key"], None)
            if wanted:
                self._manager.batch_defer_jobs([job_for(due) for due in wanted.values()], connection=connection)
        except (exceptions.ConnectorException, exceptions.AlreadyEnqueued) as error:
            raise StoreError(f"the queue cannot be written: {error}", mend="run: suishoupai migrate") from error


class Floor:
    """The tasks of one worker: each calls the same function that the embedded schedule does."""

    def __init__(self, bot: Bot, line: Line) -> None:
        self._bot, self._line = bot, line
        self._settings = bot.settings.work

    def app(self, url: str, connections: int) -> App:
        """Procrastinate's application over ``url``, with every task."""
        app = App(connector=PsycopgConnector(conninfo=url, min_size=1, max_size=connections, timeout=10))
        for kind, work in WORK.items():
            app.task(name=kind.value, queue=work.queue)(self._task(kind))
        for name, chore in CHORES.items():
            lock = f"chore:{name}"
            task = app.task(name=name, queue=chore.queue, lock=lock, queueing_lock=lock)(self._chore(name))
            app.periodic(cron=chore.cron, periodic_id=name)(task)

        async def sweep(timestamp: int) -> None:
            await self.sweep(app.job_manager)

        task = app.task(name=SWEEP, queue=SWEEP, queueing_lock=SWEEP, priority=100)(sweep)
        app.periodic(cron=f"* * * * * */{self._settings.sweep_every_s}", periodic_id=SWEEP)(task)
        return app

    def _task(self, kind: DueKind) -> Any:
        def run(key: str) -> None:
            self._guarded(f"{kind}:{key}", lambda: WORK[kind].run(self._bot, key, self._line))

        return run

    def _chore(self, name: str) -> Any:
        def run(timestamp: int) -> None:
            self._guarded(name, lambda: CHORES[name].run(self._bot, self._line))

        return run

    def _guarded(self, what: str, work: Any) -> None:
        if self._bot.stopping.is_set():
            return  # its row is as it was: the next sweep of another worker sees to it
        try:
            work()
        except SuishoupaiError as error:
            # The row still asks for it: the sweep brings it back.
            log.error("a job failed; its row still asks for it", job=what, error=str(error), mend=error.mend)

    # --- making sure ------------------------------------------------------------------------------------------------

    async def sweep(self, manager: JobManager) -> None:
        """Give back what dead workers held, and make a job for every due row that has none."""
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=self._settings.stalled_after_s):
            await self._give_back(manager, job)
        asked = await asyncio.to_thread(self._due)
        rows = await manager.connector.execute_query_all_async(_HAVE_A_JOB, keys=[key_of(due) for due in asked])
        have = {row["key"] for row in rows}
        if missing := [due for due in asked if key_of(due) not in have]:
            await asyncio.to_thread(self._leave, missing)

    def _due(self) -> list[Due]:
        names = [name for name, seat in self._bot.settings.platforms.items() if seat.enabled]
        with self._bot.store.read() as tx:
            return pending.due(tx, names, SWEPT_AT_ONCE)

    def _leave(self, missing: Sequence[Due]) -> None:
        with self._bot.store.write("work.swept") as tx:
            for due in missing:
                tx.leave(due)

    async def _give_back(self, manager: JobManager, job: Job) -> None:
        """A job whose worker is gone goes to another one, a little later each time; one that ends every worker is set aside."""
        log.warning("a worker is gone; its job is given back", job=job.call_string, attempts=job.attempts)
        poison = job.attempts + 1 >= self._bot.settings.schedule.attempts
        if poison and job.task_name in _STEP:
            await asyncio.to_thread(self._set_aside, job)
            await manager.finish_job(job, status=Status.FAILED, delete_job=True)
            return
        try:
            await manager.retry_job(job, retry_at=datetime.now(UTC) + timedelta(seconds=2 ** min(job.attempts, 6) - 1))
        except exceptions.UniqueViolation:  # a new one for the same row waits already
            await manager.finish_job(job, status=Status.FAILED, delete_job=True)

    def _set_aside(self, job: Job) -> None:
        row, step = int(str(job.task_kwargs["key"])), _STEP[job.task_name]
        why = f"{step.value}: {job.attempts + 1} workers ended while they had this post in hand"
        with self._bot.store.write("post.failed") as tx:
            if posts.waits(tx, row, step):
                posts.fail(tx, row, why)
        log.error("post failed", post=row, error=why)


_STEP = {
    DueKind.EXTRACT.value: Step.STORED,
    DueKind.SCAN.value: Step.EXTRACTED,
    DueKind.MATCH.value: Step.EXTRACTED,
    DueKind.DECIDE.value: Step.MATCHED,
}


async def serve(app: App, queues: Sequence[str], concurrency: int, beat_s: float, dead_s: float) -> None:
    """Take jobs from ``queues`` until cancelled; what is in hand then is finished.

    Raises:
        StoreError: the connection to the database was lost.
    """
    try:
        async with app.open_async():
            await app.run_worker_async(
                queues=[*queues, SWEEP],
                concurrency=concurrency,
                install_signal_handlers=False,
                fetch_job_polling_interval=1.0,
                delete_jobs="always",
                update_heartbeat_interval=beat_s,
                stalled_worker_timeout=dead_s,
            )
    except _FAILURES as error:
        raise StoreError(f"the queue is out of reach: {error}", mend="see the database's own log") from error
    raise StoreError("the worker's connections broke off", mend="see the database's own log")
