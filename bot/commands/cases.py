"""``cases``: registering missing children, verifying by a second person, closing on a record."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from bot import casework
from bot.commands.common import (
    DEFAULT_CONFIG,
    EXIT_PROBLEM,
    ConfigOption,
    JsonOption,
    acting,
    emit_json,
    err,
    out,
    reading,
    table,
    tell,
)
from bot.settings import load_settings
from bot.wiring import configure_logs, open_decoder, open_face_book, open_files, open_store
from store import cases
from store.cases import Case, CaseFields
from store.errors import BadInput, SuishoupaiError
from store.model import CaseState

app = typer.Typer(no_args_is_help=True, help="Registered missing children. A case is silent until a second person verified it.")

ByOption = Annotated[str, typer.Option("--by", help="Who does this; stands in the record.", envvar="SUISHOUPAI_USER")]


@contextmanager
def desk(config: Path) -> Iterator[casework.Desk]:
    """What registering needs, opened from the settings."""
    loaded = load_settings(config)
    configure_logs(loaded)
    store = open_store(loaded)
    try:
        with open_decoder(loaded.settings) as decoder:
            yield casework.Desk(store, open_files(loaded, store), decoder, open_face_book(loaded.settings, store))
    finally:
        store.close()


@app.command(epilog="Example: suishoupai cases add 'Demo child' photo1.jpg photo2.jpg --by clerk --report 'A-2026-17' --sex male")
def add(
    name: Annotated[str, typer.Argument(help="The child's name (never published).")],
    photos: Annotated[list[Path], typer.Argument(help="Photos; three from different days find a child far more often.")],
    by: ByOption = "",
    report: Annotated[str, typer.Option(help="Number of the police report.")] = "",
    sex: Annotated[str, typer.Option(help="female or male.")] = "",
    born: Annotated[str, typer.Option(help="Date of birth, YYYY-MM-DD.")] = "",
    missing: Annotated[str, typer.Option(help="Missing since, YYYY-MM-DD.")] = "",
    missing_adcode: Annotated[str, typer.Option(help="Where from: six-digit division code.")] = "",
    taken: Annotated[str, typer.Option(help="When the photos were taken, YYYY-MM-DD.")] = "",
    face: Annotated[int | None, typer.Option(help="Which face, counted from the left, where a photo shows several.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Register a case with its photos, as a draft."""
    fields = CaseFields(
        name=name,
        sex=_sex(sex),
        birth_on=_day(born, "--born"),
        missing_on=_day(missing, "--missing"),
        missing_adcode=missing_adcode or None,
        police_report_number=report,
    )
    taken_on = _day(taken, "--taken")
    given = [casework.CasePhotoInput(p.name, casework.read_photo_file(p), taken_on, face) for p in photos]
    with desk(config) as open_desk:
        case = casework.register(open_desk, fields, given, by)
        weak = casework.weak_photos(open_desk, case.id)
    if as_json:
        emit_json({**_shown(case), "weak_photos": weak})
        return
    out.print(f"{case.ref} is registered as a draft with {len(given)} photo(s).", markup=False)
    for words in weak:
        out.print(words, markup=False)
    verify_with = f"suishoupai cases verify {case.ref} --by NAME --report NUMBER"
    out.print(f"It is silent until somebody else verifies it: {verify_with}", markup=False)


@app.command("import", epilog="Example: suishoupai cases import register.csv --by clerk")
def import_(
    path: Annotated[Path, typer.Argument(help="CSV, UTF-8: name,photos (a;b),sex,born,missing,missing_adcode,report,source_ref")],
    by: ByOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Register many cases; each wrong line is reported and the good ones go in. Code 1 where any line was wrong."""
    rows = _read_rows(path)
    report: list[dict[str, object]] = []
    with desk(config) as open_desk:
        for number, row in track(rows, description="cases", console=err, disable=as_json or not err.is_terminal):
            try:
                case = _import_one(open_desk, path, row, by)
                report.append({"line": number, "case": case.ref, "error": ""})
            except SuishoupaiError as error:
                report.append({"line": number, "case": "", "error": f"{error}" + (f" ({error.mend})" if error.mend else "")})
    wrong = sum(1 for line in report if line["error"])
    if as_json:
        emit_json({"registered": len(report) - wrong, "wrong": wrong, "lines": report})
    else:
        table("Import", ("line", "case", "what is wrong"), ((line["line"], line["case"], line["error"]) for line in report))
        out.print(f"{len(report) - wrong} registered as drafts, {wrong} wrong")
    if wrong:
        raise typer.Exit(EXIT_PROBLEM)


@app.command("list", epilog="Example: suishoupai cases list --state verified --json")
def list_(
    state: Annotated[CaseState | None, typer.Option(help="Only these.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 50,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Cases, newest first."""
    with reading(config) as tx:
        found = cases.listing(tx, state, limit=limit)
    if as_json:
        emit_json([_shown(case) for case in found])
        return
    table(
        "Cases",
        ("case", "name", "state", "registered by", "verified by", "missing since"),
        ((c.ref, c.fields.name, c.state.value, c.registered_by, c.verified_by, c.fields.missing_on) for c in found),
        empty="none yet; suishoupai cases add --help",
    )


@app.command(epilog="Example: suishoupai cases show C-9X2M")
def show(
    ref: Annotated[str, typer.Argument(help="The case's reference.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """One case with its photos and what the engine says of them."""
    with reading(config) as tx:
        case = cases.get(tx, ref)
        photos = cases.photos_of(tx, case.id)
    if as_json:
        emit_json(_shown(case) | {"photos": [{"sha256": p.sha256, "taken_on": p.taken_on} for p in photos]})
        return
    rows = [(key, value) for key, value in _shown(case).items() if value not in ("", None, [], False)]
    table(f"Case {case.ref}", ("field", "value"), rows)
    table("Photos", ("photo", "taken on"), ((p.sha256[:12], p.taken_on) for p in photos))


@app.command(epilog="Example: suishoupai cases verify C-9X2M --by officer-2 --report A-2026-17")
def verify(
    ref: Annotated[str, typer.Argument(help="The case's reference.")],
    by: ByOption = "",
    report: Annotated[str, typer.Option(help="Number of the police report, as this second person has it.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Confirm the police report number as a second person; from then on the case is matched."""
    with acting(config, "case.verified", by) as (tx, audited):
        case = cases.verify(tx, ref, by, report)
        audited(case.ref)
    words = f"{case.ref} is verified; it is searched among all past sightings at the bot's next round."
    tell(words, _shown(case), as_json=as_json)


@app.command(epilog="Example: suishoupai cases close C-9X2M --by officer-2 --reason found --record 'DNA 2026-88'")
def close(
    ref: Annotated[str, typer.Argument(help="The case's reference.")],
    by: ByOption = "",
    reason: Annotated[str, typer.Option(help="Why it is closed.")] = "",
    record: Annotated[str, typer.Option(help="The official or DNA record behind it.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Close a case: it leaves the search at once."""
    with acting(config, "case.closed", by) as (tx, audited):
        case = cases.close(tx, ref, by, reason, record)
        audited(case.ref, {"reason": reason, "record": record})
    tell(f"{case.ref} is closed.", _shown(case), as_json=as_json)


def _shown(case: Case) -> dict[str, object]:
    """A case as this signed-in operator's terminal shows it: no vector, no photo."""
    from dataclasses import asdict

    values = asdict(case)
    fields = values.pop("fields")
    return {key: value for key, value in {**values, **fields}.items() if key not in ("id", "seq")}


def _read_rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = {"name", "photos"} - set(reader.fieldnames or ())
            if missing:
                raise BadInput(f"{path}: no column {', '.join(sorted(missing))}", mend="see suishoupai cases import --help")
            return [(number, {k: (v or "").strip() for k, v in row.items() if k}) for number, row in enumerate(reader, start=2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: cannot be read: {error}", mend="give a CSV file in UTF-8") from error


def _import_one(open_desk: casework.Desk, path: Path, row: dict[str, str], by: str) -> Case:
    taken_on = _day(row.get("taken", ""), "taken")
    given = [
        casework.CasePhotoInput(name, casework.read_photo_file(path.parent / name), taken_on)
        for name in (part.strip() for part in row["photos"].split(";"))
        if name
    ]
    fields = CaseFields(
        name=row["name"],
        sex=_sex(row.get("sex", "")),
        birth_on=_day(row.get("born", ""), "born"),
        missing_on=_day(row.get("missing", ""), "missing"),
        missing_adcode=row.get("missing_adcode") or None,
        police_report_number=row.get("report", ""),
        source=path.name if row.get("source_ref") else "",
        source_ref=row.get("source_ref") or None,
    )
    return casework.register(open_desk, fields, given, by)


def _day(text: str, what: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"{what}: {text!r} is no date", mend="write it as YYYY-MM-DD") from error


def _sex(text: str) -> str:
    words = {"": "", "male": "male", "m": "male", "男": "male", "female": "female", "f": "female", "女": "female"}
    if text.lower() not in words:
        raise BadInput(f"sex: {text!r}", mend="write female or male, or leave it out")
    return words[text.lower()]
