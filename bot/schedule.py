"""When the steps run: APScheduler jobs, one instance each, coalesced after a pause, ended cleanly by SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from types import FrameType

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from bot.alerts.deliver import Delivered, deliver
from bot.bot import Bot, PlatformSeat
from bot.log import get
from bot.pipeline import work
from bot.steps import housekeeping
from bot.steps.each import StepReport
from bot.steps.poll import Polled, keep_budget, poll, poll_interval_s, streams
from bot.watch import Watch
from store import retention
from store.errors import StoreError, SuishoupaiError

log = get("schedule")

Line = Callable[[str], None]
ALARM_EVERY_S = 60.0


class Schedule:
    """The jobs of a running bot. ``line`` is told one sentence a round, for the operator's terminal."""

    def __init__(self, bot: Bot, line: Line, watch: Watch | None = None) -> None:
        self._bot = bot
        self._watch = watch
        self._line = line
        self._working = threading.Lock()
        self._sending = {name: threading.Lock() for name in bot.seats}
        self._idle = threading.Condition()
        self._running = 0
        self._scheduler = BackgroundScheduler(
            timezone="UTC",
            executors={"default": ThreadPoolExecutor(2 + 2 * max(1, len(bot.seats)))},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._scheduler.add_listener(self._failed, EVENT_JOB_ERROR)

    def start(self) -> None:
        """Add every job and begin. Each runs at once, then at its interval."""
        bot = self._bot
        for seat in bot.seats.values():
            self._every(f"poll:{seat.name}", poll_interval_s(seat), partial(self._poll, seat))
            self._every(f"deliver:{seat.name}", bot.settings.schedule.deliver_every_s, partial(self._deliver, seat))
            self._every(f"deletions:{seat.name}", 3600, partial(housekeeping.look_for_deletions, bot, seat))
        self._every("work", bot.settings.schedule.work_every_s, self._work)
        policy = retention.Policy(**bot.settings.retention.model_dump())
        self._every("retention", 3600, partial(retention.apply, bot.store, bot.files, policy))
        if self._watch is not None:
            self._every("alarm", ALARM_EVERY_S, self._watch.alarm, first_s=ALARM_EVERY_S)
        self._scheduler.start()

    def stop(self) -> None:
        """End after the post in hand: no step starts another, and what runs finishes its transaction."""
        self._bot.stopping.set()
        # APScheduler's own waiting holds the lock that a poll in hand needs to set its next time: neither would ever end.
        with self._idle:
            self._idle.wait_for(lambda: self._running == 0)
        self._scheduler.shutdown(wait=True)

    def _every(self, name: str, seconds: float, job: Callable[[], object], first_s: float = 0.01) -> None:
        first = self._bot.clock() + timedelta(seconds=first_s)
        self._scheduler.add_job(self._counted, "interval", (job,), seconds=seconds, id=name, name=name, next_run_time=first)

    def _counted(self, job: Callable[[], object]) -> None:
        """Run ``job`` so that :meth:`stop` can wait for it; not at all once stopping has begun."""
        with self._idle:
            if self._bot.stopping.is_set():
                return
            self._running += 1
        try:
            job()
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()

    def _poll(self, seat: PlatformSeat) -> None:
        """Poll every stream of a platform; ask the call budget when to come again."""
        for stream in streams(seat):
            if self._bot.stopping.is_set():
                return
            self._line(describe_poll(poll(self._bot, seat, stream)))
        keep_budget(self._bot, seat)
        self._scheduler.reschedule_job(f"poll:{seat.name}", trigger="interval", seconds=poll_interval_s(seat))
        self._work()

    def _work(self) -> None:
        # Polls and the timer both ask for work; one at a time does it, the other's posts are seen by the round under way.
        if self._working.acquire(blocking=False):
            try:
                reports, hits = work(self._bot)
            finally:
                self._working.release()
            if any(report.done or report.failed for report in reports) or hits:
                self._line(describe_work(reports, hits))
                # What was decided is said at once: a poster waits for one poll, not for the next round of sending too.
                for seat in self._bot.seats.values():
                    self._deliver(seat)

    def _deliver(self, seat: PlatformSeat) -> None:
        if self._sending[seat.name].acquire(blocking=False):
            try:
                done = deliver(self._bot, seat)
            finally:
                self._sending[seat.name].release()
            if done != Delivered(seat.name):
                self._line(describe_delivery(done))

    def _failed(self, event: JobExecutionEvent) -> None:
        error = event.exception
        if isinstance(error, StoreError):
            log.error("the store failed; it is tried again at the job's next time", job=event.job_id, error=str(error))
        elif isinstance(error, SuishoupaiError):
            log.error("job failed", job=event.job_id, error=str(error), mend=error.mend)
        else:
            log.error("job failed unexpectedly", job=event.job_id, error=repr(error), trace=event.traceback)


@contextmanager
def until_signalled(stopping: threading.Event) -> Iterator[None]:
    """Within the block, SIGTERM and SIGINT set ``stopping`` instead of killing the process."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        stopping.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(bot: Bot, line: Line, watch: Watch | None = None) -> None:
    """Run until SIGTERM or SIGINT, then leave a clean state."""
    housekeeping.recover(bot)
    schedule = Schedule(bot, line, watch)
    with until_signalled(bot.stopping):
        schedule.start()
        try:
            # A timed wait lets Python run the signal's handler on every platform.
            while not bot.stopping.wait(0.5):
                pass
        finally:
            schedule.stop()


def describe_poll(polled: Polled) -> str:
    """One line for the operator."""
    if polled.outcome != "ok":
        return f"poll   {polled.stream}: {polled.outcome}: {polled.error}"
    more = ", more to come" if polled.unfinished else ""
    broken = f", {polled.failed} unreadable" if polled.failed else ""
    return f"poll   {polled.stream}: {polled.new} new, {polled.known} known{broken}, {polled.pages} page(s){more}"


def describe_work(reports: tuple[StepReport, ...], hits: int) -> str:
    """One line for the operator."""
    parts = [f"{r.step.value}: {r.done} done" + (f", {r.later} later" if r.later else "") for r in reports if r.done or r.later]
    parts += [f"{r.step.value}: {r.failed} FAILED" for r in reports if r.failed]
    return "work   " + "; ".join(parts) + (f"; {hits} past posts may show a changed case" if hits else "")


def describe_delivery(done: Delivered) -> str:
    """One line for the operator."""
    names = ("sent", "found", "unknown", "held", "dead", "back")
    parts = [f"{getattr(done, name)} {name}" for name in names if getattr(done, name)]
    return f"say    {done.platform}: " + (", ".join(parts) or "nothing") + (f" ({done.stopped})" if done.stopped else "")
