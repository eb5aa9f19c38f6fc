"""The watch over a running bot: its health as pages and metrics, and the alarm that calls a person."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from bot.alerts import brake
from bot.bot import Bot, PlatformSeat
from bot.conduct import unusual
from bot.console.health import SMTP_PASSWORD, WEBHOOK, HealthServer, tell
from bot.drift import verdict
from bot.health import Alarmed, Health, SeatHealth, check, metrics, to_tell
from bot.log import get
from bot.steps.poll import poll_interval_s, streams
from bot.work.backlog import backlog
from store import alerts, status
from store.errors import SuishoupaiError
from store.model import AlertState, MessageKind
from store.status import Figures

log = get("watch")


class Watch:
    """Looks at the store and the seats of ``bot``; :meth:`alarm` tells the operator what is new."""

    def __init__(self, bot: Bot, secrets: Mapping[str, str]) -> None:
        self._bot = bot
        self._webhook = secrets.get(WEBHOOK, "")
        self._password = secrets.get(SMTP_PASSWORD, "")
        self._alarmed = Alarmed({})
        self._lock = threading.Lock()

    def look(self) -> tuple[Figures, list[SeatHealth], Health]:
        """The figures now and what they mean."""
        bot = self._bot
        with bot.store.read() as tx:
            figures = status.figures(tx)
            drift = verdict(tx, bot.faces.pack.sha256)
            conduct = unusual(tx, bot.settings.health)
            held = alerts.listing(tx, state=AlertState.HELD, kind=MessageKind.ALERT)
        seats = [_seat(seat) for seat in bot.seats.values()]
        stopped = [words for alert in held if (words := alert.hold_reason or "").startswith(brake.WORD)]
        drifted, braked = drift.why if drift.holds is False else "", stopped[0] if stopped else ""
        health = check(figures, seats, bot.settings.health.missed_polls, drifted, braked, conduct)
        return figures, seats, health

    def health(self) -> tuple[bool, list[str]]:
        """For ``/healthz``."""
        found = self.look()[2]
        return found.well, [finding.words for finding in found.findings]

    def metrics(self) -> str:
        """For ``/metrics``."""
        figures, seats, health = self.look()
        work = self._bot.settings.work
        if work.mode != "shared":
            return metrics(figures, seats, health)
        with self._bot.store.read() as tx:
            return metrics(figures, seats, health, backlog(tx, work.stalled_after_s))

    def alarm(self) -> list[str]:
        """Tell the operator what is new, what lasts, and what is over. Returns the sentences; they are logged in any case.

        Where nobody could be told, all of it is told again at the next call.
        """
        settings = self._bot.settings.health
        with self._lock:
            lines, after = to_tell(self.look()[2], self._alarmed, timedelta(hours=settings.repeat_hours))
            if lines:
                log.error("a person must look", findings=lines)
            ways = bool(self._webhook or settings.mail.host)
            if not lines or not ways or tell(lines, webhook=self._webhook, mail=settings.mail, password=self._password):
                self._alarmed = after
        return lines


@contextmanager
def alarming(watch: Watch, stopping: threading.Event, every_s: float = 60.0) -> Iterator[None]:
    """Within the block the alarm looks every ``every_s`` seconds, in a thread of its own, for processes without a schedule."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(every_s) and not stopping.is_set():
            try:
                watch.alarm()
            except SuishoupaiError as error:
                log.error("the alarm could not look", error=str(error))

    thread = threading.Thread(target=look, name="alarm", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(every_s)


def _seat(seat: PlatformSeat) -> SeatHealth:
    keys = tuple(stream.key for stream in streams(seat))
    return SeatHealth(seat.name, poll_interval_s(seat), keys, seat.quiet_until, seat.breaker.until)


@contextmanager
def watching(bot: Bot, secrets: Mapping[str, str]) -> Iterator[Watch]:
    """A watch over ``bot``; within the block ``/healthz`` and ``/metrics`` are served where ``health.port`` is set.

    Raises:
        SettingsError: the port is taken.
    """
    watch, port = Watch(bot, secrets), bot.settings.health.port
    if port is None:
        yield watch
        return
    with HealthServer(port, watch.health, watch.metrics):
        yield watch
