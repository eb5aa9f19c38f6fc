"""``store``: moving an installation from one database to another, and its tables from one version to another."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from bot.commands.common import DEFAULT_CONFIG, EXIT_PROBLEM, ConfigOption, JsonOption, emit_json, out, table, tell
from bot.commands.keeping import bar
from bot.settings import database_url, load_settings
from bot.wiring import open_files, open_keys, utc_now
from store import erase, moving
from store.errors import BadInput
from store.migrate import NEWEST, NOTHING
from store.session import Store

app = typer.Typer(no_args_is_help=True, help="The database itself: moving it to another server, its tables to another version.")


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


@app.command(epilog="Example: suishoupai store migrate --to 0014")
def migrate(
    to: Annotated[str, typer.Option(help="The migration to end at, as store/migrations/versions numbers it; or head.")] = NEWEST,
    yes: Annotated[bool, typer.Option("--yes", help="Go back, though what later migrations added is lost.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Bring the tables to another version, forth or back, all or nothing; for an upgrade that has to be taken back.

    Going back drops what later migrations added, with what stands in it: back up first, and stop the new version's processes.
    """
    loaded = load_settings(config)
    with closing(Store(loaded.settings.store.url, utc_now)) as store:
        if to == NOTHING:
            raise BadInput("before the first migration there is nothing", mend="to begin anew, name another database")
        before = store.version()
        if store.goes_back(to) and not yes:
            raise BadInput(f"from {before} back to {to}: what was added in between is lost", mend="back up, then: --yes")
        store.migrate(to)
        after = store.version()
    words = f"{store.place}: tables are at {after}" + (f", were at {before}" if before != after else " already")
    tell(words, {"database": store.place, "before": before, "after": after}, as_json=as_json)
