"""``suishoupai models``: the face model packs that are installed, and bringing in another one."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from bot.alerts.compose import load_templates
from bot.bot import Bot
from bot.commands.common import (
    DEFAULT_CONFIG,
    EXIT_ENGINE,
    ConfigOption,
    JsonOption,
    emit_json,
    err,
    out,
    show_error,
    table,
)
from bot.commands.evaluate_faces import open_pack
from bot.settings import load_settings
from bot.steps import housekeeping
from bot.wiring import open_decoder, open_face_book, open_files, open_platforms, open_store, utc_now
from matcher import packs
from store import faces
from store.errors import BadInput, EngineError

app = typer.Typer(no_args_is_help=True, help="Face model packs: which are there, whether they are whole, bringing in another.")


@app.command("list", epilog="Example: suishoupai models list --json")
def list_(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show the installed packs and which one is in use."""
    settings = load_settings(config).settings.models
    packs.ensure_built_in(settings.dir)
    rows = [_row(pack, settings.pack) for pack in packs.installed(settings.dir)]
    if as_json:
        emit_json(rows)
        return
    columns = ("in use", "name", "MB", "sha256", "licence accepted")
    shown = (
        ("yes" if row["in_use"] else "", row["name"], f"{row['size_bytes'] / 1e6:.0f}", row["sha256"][:12], row["accepted"])
        for row in rows
    )
    table("Model packs", columns, shown)


@app.command(epilog="Example: suishoupai models install ~/buffalo_l --accept-licence")
def install(
    path: Annotated[Path, typer.Argument(help="A directory with the pack's .onnx files.")],
    name: Annotated[str, typer.Option(help="The pack's name; by default the directory's.")] = "",
    accept_licence: Annotated[bool, typer.Option("--accept-licence", help="Accept its licence without being asked.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Copy a model pack from a directory, after its licence is shown and accepted. Nothing is ever downloaded."""
    everything = load_settings(config).settings
    settings = everything.models

    def accept(licence: str) -> bool:
        (err if as_json else out).print(licence, markup=False, highlight=False)
        if accept_licence:
            return True
        if as_json:
            raise BadInput("the licence must be accepted", mend="read it above, then add --accept-licence")
        return typer.confirm("Do you accept this licence for what this bot does?", default=False)

    pack = packs.install(path, settings.dir, accept, datetime.now(UTC), name)
    try:
        open_pack(everything, pack.name)
    except EngineError as error:
        shutil.rmtree(pack.path)
        raise EngineError(f"{path} was not installed: {error}", mend=error.mend) from error
    if as_json:
        emit_json(_row(pack, settings.pack))
        return
    out.print(f"installed {pack.name} ({pack.size_bytes / 1e6:.0f} MB, sha256 {pack.sha256[:12]})", markup=False)
    if pack.name != settings.pack:
        out.print(f"to use it, set in {config}:  models: {{pack: {pack.name}}}", markup=False)


@app.command(epilog="Example: suishoupai models check")
def check(
    name: Annotated[str, typer.Argument(help="One pack; by default all.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Compare every file of the installed packs with what was installed. Exit code 6 if one differs."""
    settings = load_settings(config).settings.models
    packs.ensure_built_in(settings.dir)
    names = [name] if name else [pack.name for pack in packs.installed(settings.dir)]
    results: list[dict[str, str]] = []
    errors: list[EngineError] = []
    for each in names:
        try:
            pack = packs.check(packs.find(settings.dir, each))
            results.append({"name": each, "state": "whole", "sha256": pack.sha256, "problem": ""})
        except EngineError as error:
            errors.append(error)
            results.append({"name": each, "state": "bad", "sha256": "", "problem": str(error)})
    if as_json:
        emit_json(results)
    else:
        table("Model packs", ("name", "state", "sha256"), ((r["name"], r["state"], r["sha256"][:12]) for r in results))
        for problem in errors:
            show_error(problem)
    if errors:
        raise typer.Exit(EXIT_ENGINE)


def _row(pack: packs.Pack, in_use: str) -> dict[str, Any]:
    accepted = "not needed (free for any use)" if pack.built_in else pack.accepted_at
    return {
        "name": pack.name,
        "in_use": pack.name == in_use,
        "size_bytes": pack.size_bytes,
        "sha256": pack.sha256,
        "accepted": accepted,
        "licence": pack.licence.splitlines()[0] if pack.licence else "",
        "path": str(pack.path),
    }


@app.command(epilog="Example: suishoupai models embed buffalo_l")
def embed(
    name: Annotated[str, typer.Argument(help="An installed pack.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Embed every case photo and every past photo with another pack, while the bot runs on with its own.

    It can be interrupted and goes on where it stopped. Afterwards set models.pack to NAME and restart the bot.
    """
    loaded = load_settings(config)
    models = loaded.settings.models.model_copy(update={"pack": name})
    settings = loaded.settings.model_copy(update={"models": models})
    store = open_store(loaded)
    with open_decoder(settings) as decoder:
        bot = Bot(
            settings,
            settings.zone,
            utc_now,
            store,
            open_files(loaded, store),
            open_platforms(loaded),
            decoder,
            open_face_book(settings, store),
            load_templates(settings.alerts.templates_dir),
        )
        cases = housekeeping.embed_case_photos(bot)
        with store.read() as tx:
            waiting = faces.unscanned_count(tx, bot.faces.pack.sha256)
        done = 0
        with Progress(console=err, disable=as_json or not err.is_terminal, transient=True) as bar:
            task = bar.add_task("photos", total=waiting)
            while step := housekeeping.embed_past_photos(bot, bot.faces, 50):
                done += step
                bar.update(task, completed=done)
    store.close()
    if as_json:
        emit_json({"pack": bot.faces.pack.id, "case_photos": cases, "photos": done})
    else:
        out.print(f"{cases} case photo(s) and {done} past photo(s) are done; now set models.pack: {name}", markup=False)
