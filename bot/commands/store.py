"""``store``: moving an installation from one database to another."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.commands.common import DEFAULT_CONFIG, EXIT_PROBLEM, ConfigOption, JsonOption, emit_json, out, table
from bot.commands.keeping import bar
from bot.settings import database_url, load_settings
from bot.wiring import open_files, open_keys, utc_now
from store import erase, moving
from store.session import Store

app = typer.Typer(no_args_is_help=True, help="The database itself: moving an installation from SQLite to PostgreSQL, or back.")


@app.command(epilog="Example: suishoupai store copy sqlite:///var/suishoupai.sqlite postgresql://bot@db.example/suishoupai")
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="URL of the database that is in use.")],
    target: Annotated[
        str, typer.Argument(metavar="TO", help="URL of an empty database.", envvar="SUISHOUPAI_COPY_TO", show_envvar=True)
    ],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Copy everything, compared by counts and hashes; run again it goes on where it was.

    While the bot runs all is copied but nothing is settled (code 1): stop the bot, run it once more (only what changed is
    moved), set store.url to TO, start. Photo files stay where they are.
    """
    loaded = load_settings(config)
    vault, base = open_keys(loaded).vault, loaded.path.resolve().parent
    left, right = Store(database_url(source, base), utc_now, vault), Store(database_url(target, base), utc_now, vault)
    try:
        with bar(as_json) as told:
            outcome = moving.copy(left, right, told)
        if outcome.complete:
            erase.carry_log(left, right, open_files(loaded, left))
    finally:
        left.close()
        right.close()
    if as_json:
        emit_json(outcome)
    else:
        rows = ((t.table, t.rows, t.changed, t.digest[:12]) for t in outcome.tables)
        table("Copied", ("table", "rows", "written", "sum of hashes"), rows)
        done = f"complete: {right.place} holds the same, row for row. Set store.url to it."
        half = f"copied, not settled: {outcome.why}. Stop it and run this once more."
        out.print(done if outcome.complete else half, markup=False)
    if not outcome.complete:
        raise typer.Exit(EXIT_PROBLEM)
