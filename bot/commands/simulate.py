"""``simulate``: a synthetic campaign through the real pipeline, in a fraction of the time."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bot import log
from bot.commands.common import JsonOption, emit_json, out, table
from bot.simulation.campaign import Campaign, Shape
from bot.simulation.engine import DIMENSION
from bot.simulation.platform import SimClock
from bot.simulation.run import Pace, Report, play, plot
from bot.simulation.site import open_store
from store import cases as case_rows
from store import posts as post_rows
from store.errors import BadInput
from store.session import Store

_ROWS = 12
_EVENING = datetime(2026, 3, 1, 12, tzinfo=UTC)


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command(epilog="Example: suishoupai simulate --posts-per-day 1000000 --cases 10000 --posts 3000")(simulate)


def simulate(
    posts_per_day: Annotated[int, typer.Option(min=1, max=10**9, help="How many posts a day the campaign brings.")] = 100_000,
    cases: Annotated[int, typer.Option(min=0, max=10**6, help="Registered cases.")] = 1000,
    posts: Annotated[int, typer.Option(min=10, max=10**6, help="Posts to play; they set how much of the evening passes.")] = 1000,
    engine_ms: Annotated[float, typer.Option(min=0, help="What the face engine stands for, a photo.")] = 30.0,
    network_ms: Annotated[float, typer.Option(min=0, help="What the network stands for, a request.")] = 200.0,
    poll_every_s: Annotated[int, typer.Option(min=1, help="Seconds between polls.")] = 60,
    seed: Annotated[int, typer.Option(help="Another number, other posts.")] = 1,
    store: Annotated[str, typer.Option(help="An EMPTY database to play in (postgresql://...); default: a file of its own.")] = "",
    figure: Annotated[Path, typer.Option("--plot", help="Where the plot goes.")] = Path("var/simulation.png"),
    as_json: JsonOption = False,
) -> None:
    """Play a synthetic campaign (posts, faces as vectors, officials) through the real pipeline and show lag, queue and cost.

    Platform and face engine are generators; the store, every step and all decisions are the real ones. Time is injected: what
    this process really works (processor time) counts in full, what the generators stand for is added, waiting is skipped.
    """
    log.configure(level="error")
    campaign = Campaign(Shape(posts_per_day, cases), _EVENING, seed)
    pace = Pace(engine_ms / 1000, network_ms / 1000, poll_every_s, posts)
    with tempfile.TemporaryDirectory() as folder:
        url = store or f"sqlite:///{Path(folder) / 'simulation.sqlite'}"

        def opened(clock: SimClock) -> Store:
            found = context.enter_context(open_store(url, clock))
            if found_rows(found):
                raise BadInput(
                    f"{found.place} is not empty", mend="name a database that holds nothing: made-up rows would mix with its own"
                )
            return found

        with ExitStack() as context:
            report = play(opened, Path(folder), campaign, pace)
    plot(report, figure, f"{posts_per_day:,} posts a day, {cases:,} cases, faces of {DIMENSION} numbers")
    if as_json:
        emit_json(report)
        return
    show(report, figure)


def found_rows(store: Store) -> bool:
    """Whether a store holds posts or cases."""
    with store.read() as tx:
        return any(post_rows.counts(tx).values()) or any(case_rows.counts(tx).values())


def show(report: Report, figure: Path) -> None:
    """A dozen of the rounds, and the sums."""
    step = max(1, len(report.samples) // _ROWS)
    rows = [
        (f"{s.hours:.2f}", f"{s.lag_s:.0f} s", f"{s.waiting:,}", f"{s.worked_ms:.1f} ms", f"{s.stood_for_ms:.0f} ms")
        for s in report.samples[::step]
    ]
    table("A simulated evening", ("hours", "lag", "waiting", "work a post", "stood for, a post"), rows)
    speed = report.simulated_s / max(report.real_s, 0.001)
    out.print(
        f"{report.posts:,} posts, {report.sent:,} messages sent, {report.held:,} held for people, {report.failed:,} failed;"
        f" {report.simulated_s / 3600:.2f} hours in {report.real_s:.0f} s ({speed:.0f} times as fast). Plot: {figure}",
        markup=False,
    )
