"""``postgres``: a server of one's own for the scaled demo and for trying things out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.commands.common import EXIT_PROBLEM, JsonOption, tell
from store.local_postgres import LocalServer

app = typer.Typer(no_args_is_help=True, help="A PostgreSQL of one's own on this machine, for the scaled demo and for trying out.")

FolderOption = Annotated[Path, typer.Option("--folder", help="Where its files are; not inside root's home.")]
DEFAULT_FOLDER = Path("var/postgres")


@app.command(epilog="Example: suishoupai postgres start --folder var/postgres")
def start(folder: FolderOption = DEFAULT_FOLDER, as_json: JsonOption = False) -> None:
    """Start the server (it outlives this command) and print the URL for ``store.url``."""
    url = LocalServer(folder).start()
    tell(url, {"url": url}, as_json=as_json)


@app.command(epilog="Example: suishoupai postgres url")
def url(folder: FolderOption = DEFAULT_FOLDER, as_json: JsonOption = False) -> None:
    """Print the URL of the running server's database."""
    found = LocalServer(folder).url("suishoupai")
    tell(found, {"url": found}, as_json=as_json)


@app.command(epilog="Example: suishoupai postgres stop")
def stop(folder: FolderOption = DEFAULT_FOLDER, as_json: JsonOption = False) -> None:
    """Stop the server; its data stay. Code 1 where none runs."""
    stopped = LocalServer(folder).stop()
    tell("stopped" if stopped else f"no server runs in {folder}", {"stopped": stopped}, as_json=as_json)
    if not stopped:
        raise typer.Exit(EXIT_PROBLEM)
