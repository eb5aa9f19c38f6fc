"""``worker``: one of many processes that do the bot's work together, on one PostgreSQL."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

import typer

from bot.commands.common import DEFAULT_CONFIG, ConfigOption, JsonOption
from bot.commands.lines import live_lines
from bot.schedule import until_signalled
from bot.settings import load_settings
from bot.watch import alarming, watching
from bot.wiring import configure_logs, open_worker
from bot.work import QUEUES
from bot.work.worker import run
from ingest.where import prepare
from store.errors import BadInput

WATCHES = "chores"
"""The queue whose worker also serves /healthz and /metrics (health.port) and raises the alarm."""


def register(app: typer.Typer) -> None:
    """Add the command to the top level."""
    app.command(epilog="Example: suishoupai worker --queues faces,match --concurrency 2")(worker)


def worker(
    config: ConfigOption = DEFAULT_CONFIG,
    queues: Annotated[str, typer.Option(help="What this worker takes, separated by commas.")] = ",".join(QUEUES),
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Jobs at a time.")] = 2,
    as_json: JsonOption = False,
) -> None:
    """Take jobs from the shared queue (work.mode: shared) until SIGTERM. Only poll and deliver need the platforms' tokens."""
    wanted = [name.strip() for name in queues.split(",") if name.strip()]
    unknown = sorted(set(wanted) - set(QUEUES))
    if unknown or not wanted:
        raise BadInput(f"--queues: no such queue: {', '.join(unknown) or 'none named'}; there are: {', '.join(QUEUES)}")
    loaded = load_settings(config)
    configure_logs(loaded)
    with open_worker(loaded, wanted) as bot, until_signalled(bot.stopping):
        say = live_lines(bot, as_json=as_json)
        if "extract" in wanted:
            prepare()
        say(f"a worker takes {', '.join(wanted)}, {concurrency} at a time. Ctrl-C ends it.")
        with ExitStack() as stack:
            if WATCHES in wanted:
                stack.enter_context(alarming(stack.enter_context(watching(bot, loaded.secrets)), bot.stopping))
            run(bot, wanted, concurrency, say)
        say("stopped cleanly")
