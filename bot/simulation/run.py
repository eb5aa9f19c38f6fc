"""A simulated campaign played through the real pipeline: lag, queue and cost over the hours, in a fraction of the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bot.alerts.deliver import deliver_all
from bot.pipeline import work
from bot.simulation import past
from bot.simulation.campaign import PLATFORM, Campaign
from bot.simulation.platform import SimClock
from bot.simulation.site import Site, open_site
from bot.steps.poll import poll_all
from store import alerts, posts
from store.model import AlertState
from store.posts import Step
from store.session import Store

OFFICIALS = 300


@dataclass(frozen=True, slots=True)
class Pace:
    """What the generators stand for: seconds of a face engine for a photo, of the network for a request, between two polls; and
    how many posts are played at most."""

    engine_s: float = 0.03
    network_s: float = 0.2
    poll_every_s: int = 60
    most_posts: int = 2000


@dataclass(frozen=True, slots=True)
class Sample:
    """After one round: hours since the start, age of the oldest post that is not decided, posts that wait (those not yet read
    included), and what a post cost in this round: really worked and stood for, in milliseconds."""

    hours: float
    lag_s: float
    waiting: int
    worked_ms: float
    stood_for_ms: float


@dataclass(frozen=True, slots=True)
class Report:
    """What was played. ``real_s`` is how long it took, ``simulated_s`` how much time passed on the simulation's clock."""

    samples: tuple[Sample, ...]
    posts: int
    sent: int
    held: int
    failed: int
    real_s: float
    simulated_s: float

    @property
    def worked_ms(self) -> float:
        """Milliseconds of this machine's work for a post, over all."""
        return sum(s.worked_ms for s in self.samples) / max(1, len(self.samples))


def play(store: Callable[[SimClock], Store], folder: Path, campaign: Campaign, pace: Pace) -> Report:
    """Fill a store with cases and officials, then let the campaign's posts come for as long as ``most_posts`` take.

    The steps run one after the other, as in one process; the processor time that a post costs here passes in full on the
    simulated clock, what the engine and the network would have taken is added, waiting is skipped. Sending is not charged: it
    runs beside.
    """
    clock = SimClock(campaign.start, time.process_time)
    opened = store(clock)
    past.add_cases(opened, 1, campaign.shape.cases, campaign.start)
    past.add_officials(opened, OFFICIALS)
    spent = [0.0]

    def spend(seconds: float) -> None:
        spent[0] += seconds
        clock.spend(seconds)

    costs = {"network_s": pace.network_s, "engine_s": pace.engine_s, "spend": spend, "poll_every_s": pace.poll_every_s}
    began, samples = time.perf_counter(), []
    with open_site(opened, folder, campaign, clock, **costs) as site:  # type: ignore[arg-type]
        poll_all(site.bot)  # a first look: what is older is never answered
        work(site.bot)
        start, done = clock(), campaign.newest(clock())
        site.platform.first = done + 1
        last = done + pace.most_posts
        while done < last and campaign.moment(min(last, done + 1)) < start + timedelta(days=30):
            sample, done = _round(site, campaign, clock, start, done, spent)
            samples += [sample] if sample is not None else []
        with opened.read() as tx:
            said, steps = alerts.counts(tx), posts.counts(tx)
        simulated = (clock() - start).total_seconds()
    sent, held, failed = said[AlertState.SENT], said[AlertState.HELD], steps[Step.FAILED]
    return Report(tuple(samples), sum(steps.values()), sent, held, failed, time.perf_counter() - began, simulated)


def _round(
    site: Site, campaign: Campaign, clock: SimClock, start: datetime, done: int, spent: list[float]
) -> tuple[Sample | None, int]:
    """Poll, work, send; then skip to the next poll. Returns what was seen and the last post that is decided."""
    next_poll = clock() + timedelta(seconds=site.bot.seats[PLATFORM].settings.poll_every_s)
    real, modelled = time.process_time(), spent[0]
    polled = poll_all(site.bot)
    work(site.bot)
    worked, stood_for = time.process_time() - real, spent[0] - modelled
    while any(one.sent for one in deliver_all(site.bot)):
        pass
    clock.spend(-(time.process_time() - real - worked) - (spent[0] - modelled - stood_for))
    new = sum(one.new for one in polled)
    now = clock()
    decided = done + new
    waiting = campaign.newest(now) - decided
    lag = (now - campaign.moment(done + 1)).total_seconds() if new else 0.0
    clock.skip_to(next_poll)
    if not new:
        return None, done
    hours = (now - start).total_seconds() / 3600
    return Sample(hours, max(0.0, lag), max(0, waiting + new), 1000 * worked / new, 1000 * stood_for / new), decided


def plot(report: Report, path: Path, title: str) -> None:
    """Lag, queue and cost over the hours, as a PNG."""
    # Half a second to import, which no other command should pay.
    from matplotlib.figure import Figure as Plot

    hours = [sample.hours for sample in report.samples]
    figure = Plot(figsize=(9, 8), layout="constrained")
    panels = figure.subplots(3, 1, sharex=True)
    panels[0].plot(hours, [s.lag_s for s in report.samples])
    panels[0].set(ylabel="lag of the oldest post, s", title=title)
    panels[1].plot(hours, [s.waiting for s in report.samples])
    panels[1].set(ylabel="posts waiting")
    panels[2].plot(hours, [s.worked_ms for s in report.samples], label="this machine's work")
    panels[2].plot(hours, [s.stood_for_ms for s in report.samples], label="engine and network, stood for")
    panels[2].set(ylabel="a post, ms", xlabel="hours since the start")
    panels[2].legend(fontsize=8)
    for axes in panels:
        axes.grid(visible=True, alpha=0.3)
        axes.set_ylim(bottom=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
