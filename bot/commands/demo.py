"""``demo``: the whole pipeline on the local microblog, with a table of what happened."""

from __future__ import annotations

import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bot import schedule
from bot.commands.common import DEFAULT_CONFIG, EXIT_PROBLEM, ConfigOption, JsonOption, emit_json, err, out, table, tell
from bot.commands.lines import live_lines
from bot.demo.crew import alone, three_workers
from bot.demo.run import DemoReport, play, stage
from bot.demo.seats import Seat, serve
from bot.settings import load_settings
from bot.wiring import configure_logs, open_bot
from store.errors import BadInput


def register(app: typer.Typer) -> None:
    """Add this command to the top level."""
    app.command(epilog="Example: suishoupai demo --keep")(demo)


def demo(
    config: ConfigOption = DEFAULT_CONFIG,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the microblog page and the bot running afterwards.")] = False,
    scaled: Annotated[bool, typer.Option("--scaled", help="The same on a PostgreSQL of its own, with three workers.")] = False,
    browser: Annotated[bool, typer.Option("--open", help="With --keep: open the page in a browser.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Play the demo: real photos, posted to a local microblog, polled, stored, matched, answered, officials mentioned."""
    loaded = load_settings(config)
    quiet = loaded.settings.log.model_copy(update={"level": "error"})
    if scaled and keep:
        raise BadInput("--keep leaves the bot of this process running; --scaled has none", mend="leave one of them away")
    local = type(loaded)(loaded.path, loaded.settings.model_copy(update={"log": quiet}), loaded.secrets, loaded.modules)
    configure_logs(local)
    folder = Path(loaded.settings.store.photos_dir).parent / "demo"
    with stage(local, folder) as (microblog, turned):
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=err, transient=True, disable=as_json) as progress:
            task = progress.add_task("opening the face engine ...", total=None)
            crew = three_workers if scaled else alone
            report = play(microblog, turned, folder, lambda words: progress.update(task, description=words), crew)
        if as_json:
            emit_json(report)
        else:
            show(report, folder, scaled=scaled)
        if keep:
            words = f"\nThe page stays up: {microblog.url}  (post a photo there and watch the answer arrive; Ctrl-C ends it)"
            tell(words, {"url": microblog.url}, as_json=as_json)
            if browser:
                threading.Thread(target=webbrowser.open, args=(microblog.url,), daemon=True).start()
            with open_bot(turned) as bot, serve(bot, turned) as (url, seats):
                show_seats(url, seats, as_json=as_json)
                schedule.run(bot, live_lines(bot, as_json=as_json))
    if report.failures:
        raise typer.Exit(EXIT_PROBLEM)


def show_seats(url: str, seats: Sequence[Seat], *, as_json: bool) -> None:
    """Print the console's address and how to sign in as each role."""
    if as_json:
        emit_json({"console": url, "seats": seats})
        return
    out.print(f"\nThe console stays up too: {url}. Each link signs you in as that role (one browser window each):", markup=False)
    for seat in seats:
        out.print(f"  {seat.login:22} {seat.link}", markup=False, highlight=False, soft_wrap=True)
    shown = seats[0]
    words = f"The sign-in itself, to try: {shown.login}, {shown.password}, and six digits from an app that holds {shown.secret}"
    out.print(words, markup=False, highlight=False, soft_wrap=True)


def show(report: DemoReport, folder: Path, *, scaled: bool = False) -> None:
    """Print the table of what happened, and where to look. A narrow terminal gets the columns that matter."""
    wide = out.width >= 140
    columns = ("post", "place", "faces", "answer", "officials", "as expected", *(("why it is here",) if wide else ()))
    rows = []
    for o in report.outcomes:
        ok = "yes" if o.as_expected else "NO"
        row = (o.post.key, o.place, o.best_band, o.answer.split(":")[0], o.alert, ok)
        rows.append((*row, o.post.note) if wide else row)
    table("What happened to each post (w- Weibo, x- X)", columns, rows)
    out.print(
        f"{sum(report.polled.values())} posts polled ({report.polled['weibo']} from the Weibo side,"
        f" {report.polled['x']} from the X side), {report.real_photos} real photos, {report.true_alerts} true matches alerted,"
        f" {report.silent_faces} non-matching faces not alerted, in {report.seconds:.0f} s.",
        markup=False,
    )
    if report.failures:
        err.print("Not as promised:", style="bold red")
        for failure in report.failures:
            err.print(f"  {failure}", markup=False)
    where = _short(folder / "config.yaml")
    if scaled:
        out.print(f"Its PostgreSQL is stopped again. What the workers said: {_short(folder)}/worker-*.log", markup=False)
        return
    out.print(f"To look further, name the demo's settings: ./run.sh matches list --config {where}", markup=False, soft_wrap=True)
    out.print("  or `sightings show S-...`, `alerts list`, `cases list`, `status`, with the same --config.", markup=False)
    out.print("Next: ./run.sh demo --keep leaves the microblog's page up, so that you can post a photo by hand.", markup=False)


def _short(path: Path) -> Path:
    """``path`` as one types it here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
