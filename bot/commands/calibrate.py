"""``suishoupai calibrate``: what the bands are just now, and an operator's own cohort of strangers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.progress import track

from bot.commands.common import DEFAULT_CONFIG, ConfigOption, JsonOption, emit_json, err, out, table
from bot.commands.evaluate_faces import open_pack, targets
from bot.settings import load_settings
from bot.wiring import open_store
from ingest.photo import Decoder
from matcher import calibrate as calibration
from matcher import own_cohort, packs
from matcher.engines.base import Engine, Vector
from matcher.gallery import Vectors
from store import audit, recognition
from store.errors import BadInput, PhotoRefused
from store.model import FaceQuality

_PHOTOS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif"})


def register(app: typer.Typer) -> None:
    """Add ``calibrate`` to the command line."""
    app.command(epilog="Example: suishoupai calibrate --cohort ~/licensed-photos")(calibrate)


def calibrate(
    cohort: Annotated[
        Path | None, typer.Option(help="A folder of photos of strangers, one person a photo, that you may use for this.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Show what score begins each band, at growing gallery sizes; with --cohort, first take in your own strangers.

    Only vectors are kept, sealed, in the store; the photos are not. Registered children must not be among them.
    """
    loaded = load_settings(config)
    settings = loaded.settings
    pack = packs.check(packs.find(settings.models.dir, settings.models.pack))
    store = open_store(loaded)
    if cohort is not None:
        engine = open_pack(settings)
        vectors = np.stack(list(_vectors(engine, cohort, show=not as_json)) or [np.zeros(engine.dimension, np.float32)])
        strangers = own_cohort.checked(vectors, calibration.same_person(pack.name))
        with store.write("cohort.kept") as tx:
            recognition.replace_cohort(tx, pack.sha256, list(strangers))
            audit.append(tx, who="operator", what="cohort.kept", object=pack.name, details={"strangers": len(strangers)})
    with store.read() as tx:
        kept = recognition.cohort(tx, pack.sha256)
    store.close()
    own = np.stack(kept) if kept else None
    rows = _rows(pack, own, targets(settings))
    if as_json:
        emit_json({"pack": pack.name, "own_cohort": 0 if own is None else len(own), "bands": rows})
        return
    out.print(f"pack {pack.name}; own cohort: {0 if own is None else len(own)} strangers", markup=False)
    columns = ("cases", "rule", "high from", "review from")
    table("Where the bands begin", columns, ([row[key] for key in ("cases", "rule", "high", "review")] for row in rows))
    if own is None:
        words = f"from {calibration.AS_NORM_FROM} cases on the cases calibrate each other"
        out.print(words, markup=False)


def _rows(pack: packs.Pack, own: Vectors | None, wanted: calibration.BandTargets) -> list[dict[str, object]]:
    """The thresholds at some gallery sizes: by published rates, or by the own cohort where there is one."""
    rows: list[dict[str, object]] = []
    for cases in (1, 5, 10, 20, 40, 59):
        if own is None:
            made = calibration.calibration(pack.name, cases, wanted)
        else:
            made = calibration.from_strangers(pack.name, own, cases, wanted)
        rows.append({"cases": cases, "rule": made.rule.value, "high": round(made.high, 3), "review": round(made.review, 3)})
    return rows


def _vectors(engine: Engine, folder: Path, *, show: bool) -> Iterator[Vector]:
    """The vector of each photo in ``folder`` that shows exactly one good face.

    Raises:
        BadInput: there is no such folder, or no photo in it.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _PHOTOS)
    if not paths:
        raise BadInput(f"{folder}: no photo there", mend="name a folder with .jpg, .png, .webp or .heic files")
    with Decoder() as decoder:
        for path in track(paths, description="taking in strangers", console=err, disable=not show):
            try:
                faces = engine.faces(decoder.pixels(path.read_bytes()))
            except PhotoRefused:
                continue
            if len(faces) == 1 and faces[0].quality is FaceQuality.GOOD:
                yield faces[0].vector
