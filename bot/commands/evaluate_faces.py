"""``suishoupai evaluate faces PHOTOS.csv``: how good a pack is on labelled photos, and whether the bands keep their word."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from bot.commands._embedded import Embedded
from bot.commands.common import DEFAULT_CONFIG, ConfigOption, JsonOption, emit_json, err, out, table
from bot.settings import Settings, load_settings
from bot.steps.scan import ahead
from bot.wiring import open_engine, open_keys
from ingest.photo import Decoder
from matcher.calibrate import BandTargets
from matcher.engines.base import DetectedFace, Engine
from matcher.evaluate import evaluate, main_face
from matcher.measured import Sample
from store.errors import BadInput, PhotoRefused

app = typer.Typer(no_args_is_help=True, help="Measure a face engine on labelled photos of your own.")
_COLUMNS = ("path", "id", "group", "age")


@app.callback()
def _group() -> None:
    """Keeps ``faces`` a word of its own while it is the only one."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A line of the CSV: a photo, whose it is, an optional group and age in years."""

    path: Path
    person: str
    group: str
    age: float | None


@app.command(epilog="Example: suishoupai evaluate faces photos.csv --out var/evaluation --pack buffalo_l")
def faces(
    photos: Annotated[Path, typer.Argument(help="CSV with the columns path,id,group,age; paths relative to the CSV.")],
    folder: Annotated[Path, typer.Option("--out", help="Where the page, the plots and report.json go.")] = Path("var/evaluation"),
    pack: Annotated[str, typer.Option(help="The model pack to measure; by default the one in use.")] = "",
    seed: Annotated[int, typer.Option(help="Makes the random splits reproducible.")] = 0,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Measure a face engine: 1:1, 1:N open set with and without normalisation, and what the product's bands do."""
    # matplotlib takes half a second to import, which no other command should pay.
    from matcher import report as reports

    loaded = load_settings(config)
    settings, labelled = loaded.settings, read_labels(photos)
    engine = open_pack(settings, pack)
    kept = Embedded(folder, engine, open_keys(loaded).vault)
    samples, failed = embed(engine, labelled, kept, settings.models.at_once(), show=not as_json)
    with err.status("measuring") as status:
        report, plotted = evaluate(
            samples, failed, engine.pack_id, engine.pack_sha256, targets(settings), seed=seed, say=status.update
        )
    page = reports.write(report, plotted, folder)
    if as_json:
        emit_json({"page": str(page), **reports.as_json(report)})
        return
    out.print(f"{report.photos} photos of {report.persons} persons; failure to enrol {report.failure_to_enrol:.1%}")
    for title, columns, rows in reports.tables(report):
        table(title, columns, rows, empty="too few photos for this")
    out.print(f"the page with plots: {page}", markup=False, soft_wrap=True)


def targets(settings: Settings) -> BandTargets:
    """The bands' targets as the settings have them."""
    chosen = settings.matching
    return BandTargets(chosen.high_one_in_photos, chosen.review_per_day, chosen.photos_per_day)


def open_pack(settings: Settings, pack: str = "") -> Engine:
    """Open ``pack`` (by default the one in use) with the engine and providers of the settings.

    Raises:
        EngineError: there is no such pack or engine, or it cannot be opened.
    """
    models = settings.models
    return open_engine(settings.model_copy(update={"models": models.model_copy(update={"pack": pack or models.pack})}))


def read_labels(path: Path) -> list[Labelled]:
    """Read the CSV.

    Raises:
        BadInput: it is missing, has other columns, or a line lacks a path or id or has an age that is no number.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}", mend="name a UTF-8 CSV with the columns path,id,group,age") from error
    rows = csv.DictReader(text.splitlines())
    if not {"path", "id"} <= set(rows.fieldnames or ()):
        found = ", ".join(rows.fieldnames or ()) or "nothing"
        raise BadInput(f"{path}: columns path and id are needed, found {found}", mend=f"first line: {','.join(_COLUMNS)}")
    return list(_lines(path, rows))


def _lines(path: Path, rows: csv.DictReader[str]) -> Iterator[Labelled]:
    for row in rows:
        name, person = (row.get("path") or "").strip(), (row.get("id") or "").strip()
        if not name or not person:
            raise BadInput(f"{path}, line {rows.line_num}: path and id must not be empty")
        age = (row.get("age") or "").strip()
        try:
            years = float(age) if age else None
        except ValueError as error:
            raise BadInput(f"{path}, line {rows.line_num}: age {age!r} is no number of years") from error
        yield Labelled(path.parent / name, person, (row.get("group") or "").strip(), years)


def embed(
    engine: Engine, labelled: list[Labelled], kept: Embedded, at_once: int, *, show: bool
) -> tuple[list[Sample], list[str]]:
    """Find the main face of every photo, or take it from ``kept``. Returns the samples and the paths of photos without one.

    Raises:
        BadInput: a photo is missing; a photo that cannot be decoded counts as one without a face.
    """
    samples: list[Sample] = []
    failed: list[str] = []
    with Decoder(workers=at_once) as decoder, ExitStack() as stack:
        stack.callback(kept.keep)  # also where it is interrupted: what was found stays found
        look = stack.enter_context(ahead(partial(_main, engine, decoder, kept), (str(one.path) for one in labelled), at_once))
        for label in track(labelled, description="faces", console=err, disable=not show):
            try:
                sha256, face = look(str(label.path))
            except OSError as error:
                raise BadInput(f"{label.path}: cannot be read: {error}", mend="paths are relative to the CSV") from error
            if sha256 not in kept:
                kept[sha256] = face
            if face is None:
                failed.append(str(label.path))
            else:
                samples.append(Sample(label.person, label.group, label.age, face))
    return samples, failed


def _main(engine: Engine, decoder: Decoder, kept: Embedded, path: str) -> tuple[str, DetectedFace | None]:
    data = Path(path).read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 in kept:
        return sha256, kept[sha256]
    try:
        pixels = decoder.pixels(data)
    except PhotoRefused:
        return sha256, None
    return sha256, main_face(engine.faces(pixels), pixels.shape[1], pixels.shape[0])
