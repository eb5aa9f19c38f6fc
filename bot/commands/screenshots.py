"""``screenshots``: pictures of every console page over the demo's data, for the README and for looking at them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bot.commands.common import DEFAULT_CONFIG, ConfigOption, JsonOption, emit_json, err, out
from bot.demo.run import play, stage
from bot.settings import load_settings
from bot.wiring import configure_logs


def register(app: typer.Typer) -> None:
    """Add the command to the top level."""
    app.command(epilog="Example: suishoupai screenshots --to docs/pictures")(screenshots)


def screenshots(
    config: ConfigOption = DEFAULT_CONFIG,
    to: Annotated[Path, typer.Option("--to", help="Folder for the PNG files.")] = Path("docs/pictures"),
    as_json: JsonOption = False,
) -> None:
    """Play the demo, open every page of the console as every role, and write a picture of each."""
    from bot.demo.screenshots import take

    loaded = load_settings(config)
    quiet = loaded.settings.log.model_copy(update={"level": "error"})
    local = type(loaded)(loaded.path, loaded.settings.model_copy(update={"log": quiet}), loaded.secrets, loaded.modules)
    configure_logs(local)
    folder = Path(loaded.settings.store.photos_dir).parent / "screenshots"
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    bar = Progress(*columns, console=err, transient=True, disable=as_json)
    with stage(local, folder) as (microblog, turned), bar as progress:
        task = progress.add_task("playing the demo ...", total=None)
        play(microblog, turned, folder, lambda words: progress.update(task, description=words))
        files = take(turned, to, lambda words: progress.update(task, description=words))
    if as_json:
        emit_json([str(file) for file in files])
        return
    for file in files:
        out.print(str(file), markup=False)
    out.print(f"{len(files)} pictures", markup=False)
