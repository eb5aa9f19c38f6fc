"""The command line: ``suishoupai WORD``. Each noun's commands stand in bot/commands/NOUN.py."""

from __future__ import annotations

import functools

import typer

from bot.commands import (
    alerts,
    calibrate,
    cases,
    console,
    doctor,
    extract,
    keeping,
    live,
    matches,
    models,
    officials,
    postgres,
    screenshots,
    sightings,
    simulate,
    store,
    supply,
    tracks,
    worker,
)
from bot.commands.common import guarded

EPILOG = "Exit codes: 0 done, 1 a problem found or bad input, 2 wrong words, 3 settings, 4 database, 5 platform, 6 engine."


@functools.cache
def build() -> typer.Typer:
    """The whole command line, put together once a process."""
    app = typer.Typer(
        name="suishoupai",
        help="随手拍: reads tagged posts, matches photos of children against registered cases, answers and alerts.",
        epilog=EPILOG,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for module in (live, doctor, calibrate, extract, keeping, console, screenshots, simulate, worker):
        module.register(app)
    for name, module in (
        ("cases", cases),
        ("officials", officials),
        ("sightings", sightings),
        ("matches", matches),
        ("alerts", alerts),
        ("tracks", tracks),
        ("models", models),
        ("postgres", postgres),
        ("store", store),
        ("supply", supply),
    ):
        app.add_typer(module.app, name=name)
    return app


def main() -> None:
    """Run the command line; known errors are printed with their remedy and become exit codes."""
    guarded(build())


if __name__ == "__main__":
    main()
