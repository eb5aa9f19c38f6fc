"""Health: from the store's figures to findings a person acts on, and to Prometheus gauges. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.work import QUEUES
from bot.work.backlog import Backlog
from store.model import AlertState
from store.posts import Step
from store.status import Figures

Labels = tuple[tuple[str, str], ...]

LATE_WORK = timedelta(minutes=30)
"""A post or a message that waits for longer than this is a finding."""


@dataclass(frozen=True, slots=True)
class SeatHealth:
    """What the running bot knows of a platform beside the database. ``poll_s`` is the interval that its call budget leaves."""

    name: str
    poll_s: float
    streams: tuple[str, ...]
    quiet_until: datetime | None = None
    left_alone_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a person has to look at. ``key`` is stable while it lasts, ``words`` tell the present state.

    ``of_people``: it is about what somebody does; it is told, but the bot is well and no supervisor should restart it.
    """

    key: str
    words: str
    of_people: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """``findings`` is empty where all is well."""

    at: datetime
    findings: tuple[Finding, ...]

    @property
    def well(self) -> bool:
        """Whether the bot itself does what it should; what people do (:attr:`Finding.of_people`) is told apart from that."""
        return all(finding.of_people for finding in self.findings)


def check(
    figures: Figures,
    seats: Iterable[SeatHealth],
    missed_polls: float,
    drift: str = "",
    braked: str = "",
    more: Iterable[Finding] = (),
) -> Health:
    """Every finding: streams not read for ``missed_polls`` intervals, what waits or is in doubt, drift, the brake, ``more``."""
    found: list[Finding] = []
    states = {stream.key: stream for stream in figures.streams}
    for seat in seats:
        for key in seat.streams:
            stream = states.get(key)
            if stream is None or stream.lag is None:
                found.append(Finding(f"poll:{key}", f"{key} was never read" + _error(stream.last_error if stream else None)))
            elif stream.lag.total_seconds() > missed_polls * seat.poll_s:
                minutes = stream.lag.total_seconds() / 60
                found.append(Finding(f"poll:{key}", f"{key} was last read {minutes:.0f} minutes ago" + _error(stream.last_error)))
    if figures.oldest_waiting_at is not None and figures.at - figures.oldest_waiting_at > LATE_WORK:
        found.append(Finding("work", f"posts wait since {figures.oldest_waiting_at:%Y-%m-%d %H:%M} UTC"))
    if figures.oldest_ready_at is not None and figures.at - figures.oldest_ready_at > LATE_WORK:
        found.append(Finding("say", f"messages wait since {figures.oldest_ready_at:%Y-%m-%d %H:%M} UTC"))
    if figures.alerts[AlertState.UNKNOWN]:
        words = f"{figures.alerts[AlertState.UNKNOWN]} message(s) may or may not have been published"
        found.append(Finding("unknown", words))
    if figures.posts[Step.FAILED]:
        found.append(Finding("failed", f"{figures.posts[Step.FAILED]} post(s) could not be worked on"))
    found += [Finding(key, words) for key, words in (("drift", drift), ("brake", braked)) if words]
    return Health(figures.at, (*found, *more))


def _error(words: str | None) -> str:
    return f" ({words})" if words else ""


def metrics(figures: Figures, seats: Iterable[SeatHealth], health: Health, queue: Backlog | None = None) -> str:
    """The figures in Prometheus' text format (version 0.0.4); of the workers' ``queue``, where there is one."""
    lines = _Lines()
    lines.gauge("up", "1 while the bot answers.", {(): 1})
    lines.gauge("well", "1 where the bot itself does what it should.", {(): int(health.well)})
    lines.gauge("finding", "1 for each finding that stands.", {(("key", f.key),): 1 for f in health.findings})
    well = [s for s in figures.streams if s.last_success_at is not None]
    read: dict[Labels, float] = {(("stream", s.key),): s.last_success_at.timestamp() for s in well if s.last_success_at}
    lines.gauge("last_successful_poll_timestamp_seconds", "When a stream was last read to its end.", read)
    lag: dict[Labels, float] = {(("stream", s.key),): s.lag.total_seconds() for s in figures.streams if s.lag is not None}
    lines.gauge("poll_lag_seconds", "Time since then.", lag)
    lines.gauge("poll_failures", "Polls in a row that failed.", {(("stream", s.key),): s.failures for s in figures.streams})
    lines.gauge("posts", "Posts by step.", {(("step", step.value),): n for step, n in figures.posts.items()})
    lines.gauge("messages", "Messages by state.", {(("state", state.value),): n for state, n in figures.alerts.items()})
    lines.gauge("leads", "Leads by state.", {(("state", state.value),): n for state, n in figures.leads.items()})
    lines.gauge("cases", "Cases by state.", {(("state", state.value),): n for state, n in figures.cases.items()})
    lines.gauge("pictures", "Pictures of posts by state.", {(("state", state.value),): n for state, n in figures.media.items()})
    lines.gauge("photos", "Photos kept.", {(): figures.photos})
    lines.gauge("sightings", "Sightings.", {(): figures.sightings})
    lines.gauge("cases_to_search_back", "New or changed cases not yet searched over the past.", {(): figures.reverse_pending})
    lines.gauge("files_to_remove", "Photo files that erasures left to be removed.", {(): figures.files_to_remove})
    waits, ready = _since(figures.oldest_waiting_at, figures.at), _since(figures.oldest_ready_at, figures.at)
    lines.gauge("oldest_post_waiting_seconds", "How long the oldest post that waits has waited.", {(): waits})
    lines.gauge("oldest_message_ready_seconds", "How long the oldest sendable message has waited.", {(): ready})
    lines.gauge("candidates_open", "Candidates that wait for a reviewer.", {(): figures.candidates_open})
    budgets: dict[Labels, float] = {(("platform", name),): left for name, (left, _) in figures.calls_left.items()}
    lines.gauge("calls_left", "Left of the budget at the last poll: calls (Weibo), posts to read (X).", budgets)
    seats = list(seats)
    lines.gauge("poll_interval_seconds", "What the call budget leaves.", {(("platform", s.name),): s.poll_s for s in seats})
    left: dict[Labels, float] = {(("platform", s.name),): _seconds(s.left_alone_until, figures.at) for s in seats}
    lines.gauge("left_alone_seconds", "How long the breaker keeps calls away.", left)
    quiet: dict[Labels, float] = {(("platform", s.name),): _seconds(s.quiet_until, figures.at) for s in seats}
    lines.gauge("rate_limited_seconds", "How long the platform asked to wait with messages.", quiet)
    if queue is not None:
        _of_queue(lines, queue)
    return lines.text


def _of_queue(lines: _Lines, queue: Backlog) -> None:
    """Every queue each time, so that an empty one shows as 0 and not as missing."""
    states = {"ready": queue.ready, "put_off": queue.later, "in_hand": queue.in_hand}
    jobs: dict[Labels, float] = {
        (("queue", name), ("state", state)): counts.get(name, 0) for state, counts in states.items() for name in QUEUES
    }
    lines.gauge("jobs", "Jobs of the workers' queues: to be taken now, put off, in hand.", jobs)
    waits: dict[Labels, float] = {(("queue", name),): queue.oldest_ready_s.get(name, 0.0) for name in QUEUES}
    lines.gauge("oldest_job_ready_seconds", "How long the oldest job that could be taken has waited.", waits)
    lines.gauge("workers", "Workers that gave a sign of life lately.", {(): queue.workers})


def _seconds(until: datetime | None, now: datetime) -> float:
    return max(0.0, (until - now).total_seconds()) if until is not None else 0.0


def _since(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else max(0.0, (now - moment).total_seconds())


class _Lines:
    def __init__(self) -> None:
        self.text = ""

    def gauge(self, name: str, words: str, values: Mapping[Labels, float]) -> None:
        self.text += f"# HELP suishoupai_{name} {words}\n# TYPE suishoupai_{name} gauge\n"
        for labels, value in values.items():
            shown = ",".join(f'{key}="{_escaped(word)}"' for key, word in labels)
            self.text += f"suishoupai_{name}" + (f"{{{shown}}}" if shown else "") + f" {value!r}\n"


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@dataclass(frozen=True, slots=True)
class Alarmed:
    """What the operator was told, and when."""

    told: Mapping[str, datetime]


def to_tell(health: Health, before: Alarmed, repeat: timedelta) -> tuple[list[str], Alarmed]:
    """The sentences to tell the operator now: what is new, what lasts for ``repeat`` since it was told, and what is over."""
    lines, told = [], {}
    for finding in health.findings:
        since = before.told.get(finding.key)
        if since is None or health.at - since >= repeat:
            lines.append(finding.words)
            told[finding.key] = health.at
        else:
            told[finding.key] = since
    lines += [f"over: {key}" for key in before.told if key not in told]
    return lines, Alarmed(told)
