"""The command line: ``suishoupai WORD``. Each noun's commands stand in bot/commands/NOUN.py."""

from __future__ import annotations

import functools
import importlib
import sys

import typer

from bot.commands.common import guarded

MODULES: dict[str, tuple[str, ...]] = {
    "demo": ("demo",),
    "live": ("run", "poll", "status", "migrate", "microblog"),
    "doctor": ("doctor",),
    "calibrate": ("calibrate",),
    "extract": ("extract", "evaluate"),
    "keeping": ("backup", "restore", "erase", "audit", "keys", "retention", "bans"),
    "console": ("console", "people"),
    "screenshots": ("screenshots",),
    "simulate": ("simulate",),
    "worker": ("worker",),
    **{name: (name,) for name in (
        "cases", "officials", "sightings", "matches", "alerts", "tracks", "models", "postgres", "store", "supply",
    )},
}  # fmt: skip
"""The words of each module of bot/commands. The help shows them in this order, single commands before groups."""

EPILOG = "Exit codes: 0 done, 1 a problem found or bad input, 2 wrong words, 3 settings, 4 database, 5 platform, 6 engine."


@functools.cache
def build(word: str = "") -> typer.Typer:
    """The command line, put together once a process. With a ``word`` it knows, only the module of that word is loaded: all of
    them together take three times as long as most commands do."""
    app = typer.Typer(
        name="suishoupai",
        help="随手拍: reads tagged posts, matches photos of children against registered cases, answers and alerts.",
        epilog=EPILOG,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(lambda: None)  # or a lone command would stand without its word
    for name in [name for name, words in MODULES.items() if word in words] or MODULES:
        module = importlib.import_module(f"bot.commands.{name}")
        if hasattr(module, "register"):
            module.register(app)
        else:
            app.add_typer(module.app, name=name)
    return app


def main() -> None:
    """Run the command line; known errors are printed with their remedy and become exit codes."""
    guarded(build(sys.argv[1] if len(sys.argv) > 1 else ""))


if __name__ == "__main__":
    main()
