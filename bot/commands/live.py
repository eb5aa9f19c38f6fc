"""``run``, ``poll``, ``status``, ``migrate``, ``microblog``: the bot at work."""

from __future__ import annotations

from typing import Annotated

import typer

from bot import drift, pipeline, schedule
from bot.commands import queue
from bot.commands.common import (
    DEFAULT_CONFIG,
    EXIT_PLATFORM,
    ConfigOption,
    JsonOption,
    emit_json,
    err,
    out,
    plain,
    reading,
    table,
    tell,
)
from bot.commands.lines import live_lines
from bot.settings import load_settings
from bot.steps import housekeeping
from bot.watch import watching
from bot.wiring import configure_logs, open_bot, open_store
from ingest.where import prepare
from matcher import packs
from store import status as figures
from store.errors import SettingsError
from store.model import AlertState


def register(app: typer.Typer) -> None:
    """Add these commands to the top level."""
    app.command(epilog="Example: suishoupai run --config live.yaml")(run)
    app.command(epilog="Example: suishoupai poll --json")(poll)
    app.command(epilog="Example: suishoupai status --json")(status)
    app.command(epilog="Example: suishoupai migrate")(migrate)
    app.command(epilog="Example: suishoupai microblog --port 8765")(microblog)


def run(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Run the bot: poll, match, answer and alert on schedule, until SIGTERM or Ctrl-C. With --json: one object a line."""
    loaded = load_settings(config)
    configure_logs(loaded)
    if loaded.settings.work.mode == "shared":
        raise SettingsError("work.mode is shared: the work is done by workers", mend="start: suishoupai worker")
    with open_bot(loaded) as bot, schedule.until_signalled(bot.stopping), watching(bot, loaded.secrets) as watch:
        say = live_lines(bot, as_json=as_json)
        prepare()
        names = ", ".join(f"{s.name} ({'LIVE' if s.live else 'local'})" for s in bot.seats.values()) or "no platform enabled"
        say(f"suishoupai runs: {names}; alerts.release: {bot.settings.alerts.release}. Ctrl-C ends it.")
        schedule.run(bot, say, watch)
        say("stopped cleanly")


def poll(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """One round: read what is new, work, say what is due; then exit. Code 5 where a platform could not be read."""
    loaded = load_settings(config)
    configure_logs(loaded)
    with open_bot(loaded) as bot:
        housekeeping.recover(bot)
        done = pipeline.run_round(bot)
    if as_json:
        emit_json(done)
    else:
        for polled in done.polled:
            out.print(schedule.describe_poll(polled), markup=False)
        out.print(schedule.describe_work(done.steps, done.reverse_hits), markup=False)
        for delivered in done.delivered:
            out.print(schedule.describe_delivery(delivered), markup=False)
    if any(polled.outcome != "ok" for polled in done.polled):
        raise typer.Exit(EXIT_PLATFORM)


def status(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """What is polled, waiting, held and doubtful."""
    loaded = load_settings(config)
    with reading(loaded) as tx:
        now = figures.figures(tx)
        packs_here = {pack.name: pack.sha256 for pack in packs.installed(loaded.settings.models.dir)}
        calibrated = drift.verdict(tx, packs_here.get(loaded.settings.models.pack, ""))
        waiting = queue.backlog(tx, loaded.settings)
    if as_json:
        emit_json(plain(now) | {"calibration": plain(calibrated)} | ({} if waiting is None else {"queue": plain(waiting)}))
        return
    zone = loaded.settings.zone
    table(
        "Streams",
        ("stream", "last success", "lag", "last outcome", "error"),
        (
            (s.key, s.last_success_at and f"{s.last_success_at.astimezone(zone):%m-%d %H:%M:%S}", _short(s.lag), s.last_outcome,
             s.last_error)
            for s in now.streams
        ),
        empty="nothing polled yet; suishoupai poll",
    )  # fmt: skip
    table("Posts", ("step", "posts"), ((step.value, n) for step, n in now.posts.items() if n))
    table(
        "Remembered",
        ("what", "count"),
        (
            ("photos", now.photos),
            ("sightings", now.sightings),
            ("open candidates", now.candidates_open),
            *((f"cases {state.value}", n) for state, n in now.cases.items() if n),
            *((f"leads {state.value}", n) for state, n in now.leads.items() if n),
        ),
    )
    table("Messages", ("state", "messages"), ((state.value, n) for state, n in now.alerts.items() if n))
    if waiting is not None:
        table(f"Queue, {waiting.workers} worker(s) alive", queue.HEADERS, queue.rows(waiting))
    for name, (left, until) in now.calls_left.items():
        out.print(f"{name}: {left} left of the call budget until {until.astimezone(zone):%m-%d %H:%M}", markup=False)
    out.print(f"Calibration: {calibrated.why}", markup=False)
    if now.alerts[AlertState.HELD] or now.alerts[AlertState.UNKNOWN]:
        out.print(
            f"{now.alerts[AlertState.HELD]} held and {now.alerts[AlertState.UNKNOWN]} doubtful message(s) wait for a person: "
            "suishoupai alerts list --state held",
            markup=False,
        )


def migrate(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Bring the database's tables to this version; safe to repeat."""
    store = open_store(load_settings(config), migrate=True)
    with store.read():
        tell(f"{store.place}: tables are current", {"database": store.place, "tables": "current"}, as_json=as_json)
    store.close()


def microblog(
    config: ConfigOption = DEFAULT_CONFIG,
    port: Annotated[int | None, typer.Option(help="Port on 127.0.0.1; default: microblog.port of the settings.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Serve the local microblog alone: `suishoupai run` with config.yaml as it stands then talks to it."""
    from bot.microblog.server import Microblog

    settings = load_settings(config).settings
    with Microblog(port=settings.microblog.port if port is None else port) as server:
        tell(f"the local microblog is at {server.url}; Ctrl-C ends it", {"url": server.url}, as_json=as_json)
        try:
            server.wait()
        except KeyboardInterrupt:
            err.print("stopped")


def _short(lag: object) -> str:
    return "" if lag is None else str(lag).split(".")[0]
