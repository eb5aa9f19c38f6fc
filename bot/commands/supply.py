"""``suishoupai supply``: what this installation is made of, checked without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot import supply as parts
from bot.commands.common import (
    DEFAULT_CONFIG,
    EXIT_PROBLEM,
    ConfigOption,
    JsonOption,
    emit_json,
    out,
    table,
)
from bot.licences import licence_of
from bot.settings import load_settings
from bot.supply import Finding
from matcher import packs
from store.errors import EngineError

app = typer.Typer(no_args_is_help=True, help="What this is made of: pins, files, known weaknesses, licences.")


@app.command(epilog="Example: suishoupai supply audit --advisories PyPI-all.zip")
def audit(
    advisories: Annotated[
        Path | None,
        typer.Option(help="An OSV export of PyPI's advisories: its zip, a folder, or one JSON file. Bring it from osv.dev."),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Compare every package with its pin, every file with its package's record, every model with its hash, and every version
    with the advisories you bring. Code 1 where something is wrong. Nothing is asked of any network."""
    present, wanted = parts.installed(), parts.pins()
    findings = parts.unpinned(present, wanted, parts.pins(files=parts.NEEDED))
    files = 0
    for name, package in sorted(present.items()):
        if name != parts.OWN:
            compared, changed = parts.changed_files(package)
            files, findings = files + compared, [*findings, *changed]
    models, broken = _models(config)
    findings += broken
    known = parts.read_advisories(advisories) if advisories is not None else None
    if known is not None:
        findings += parts.weaknesses(present, known)
    if as_json:
        told = None if known is None else {"read": known.count, "newest": known.newest}
        emit_json({"packages": len(present), "files": files, "models": models, "advisories": told, "findings": findings})
    else:
        out.print(f"{len(present)} packages against their pins, {files} files against their records, {models} model pack(s)")
        if known is None:
            out.print("known weaknesses: NOT checked; bring an OSV export of PyPI and add --advisories FILE", style="yellow")
        else:
            out.print(f"known weaknesses: held against {known.count} advisories, the newest of {known.newest[:10]}", markup=False)
        table("Findings", ("package", "kind", "what"), ((f.package, f.kind, f.words) for f in findings), empty="none")
    if findings:
        raise typer.Exit(EXIT_PROBLEM)


def _models(config: Path) -> tuple[int, list[Finding]]:
    """How many model packs stand there, and those that are not what was installed."""
    folder = load_settings(config).settings.models.dir
    found, bad = packs.installed(folder) if folder.exists() else [], []
    for pack in found:
        try:
            packs.check(pack.path)
        except EngineError as error:
            bad.append(Finding(pack.name, "model changed", str(error)))
    return len(found), bad


@app.command(epilog="Example: suishoupai supply licences --json")
def licences(as_json: JsonOption = False) -> None:
    """List the licence of every installed package. Code 1 where one is not on the list of bot/licences.py."""
    found = [licence_of(package) for name, package in sorted(parts.installed().items())]
    if as_json:
        emit_json(found)
    else:
        rows = ((one.package, one.version, one.licence or "unknown", one.source, "" if one.allowed else "NO") for one in found)
        table("Licences", ("package", "version", "licence", "found in", "allowed"), rows)
    if not all(one.allowed for one in found):
        raise typer.Exit(EXIT_PROBLEM)
