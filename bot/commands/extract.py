"""``suishoupai extract`` and ``suishoupai evaluate extract``: when and where, read from the words of posts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from bot.commands import evaluate_faces
from bot.commands.common import EXIT_PROBLEM, JsonOption, emit_json, err, out, table
from ingest.evaluate import PLACE_OUTCOMES, TIME_OUTCOMES, Figures, Miss, read_gold
from ingest.evaluate import evaluate as measure
from ingest.extract import as_json as result_of
from ingest.extract import extract_line, read_item, resolve
from store.errors import BadInput
from store.model import Evidence


def register(app: typer.Typer) -> None:
    """Add ``extract`` and the group ``evaluate`` (extract, faces) to the command line."""
    app.command(epilog="Example: suishoupai extract posts.jsonl --explain")(extract)
    measure_app = typer.Typer(no_args_is_help=True, help="Measure on labelled data.")
    measure_app.command("extract", epilog="Example: suishoupai evaluate extract gold.jsonl")(evaluate_extract)
    measure_app.registered_commands += evaluate_faces.app.registered_commands
    app.add_typer(measure_app, name="evaluate")


def extract(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="JSON lines of posts; - reads standard input.")],
    explain: Annotated[bool, typer.Option("--explain", help="A table, with the words that counted highlighted.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Read when and where from posts: JSON lines in, JSON lines out. Exit code 1 if a line could not be read.

    A line holds "id", "text", "post_time" (ISO 8601), and may hold "geo", "place", "exif", "profile_place", "lang".
    """
    bad = 0
    for number, line in _lines(file):
        if explain and not as_json:
            bad += not _explain(number, line)
            continue
        result = extract_line(line)
        if "error" in result:
            bad += 1
            err.print(f"line {number}: {result['error']}", markup=False, highlight=False)
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    if bad:
        raise typer.Exit(EXIT_PROBLEM)


def _lines(name: str) -> Iterator[tuple[int, str]]:
    """Numbered lines that hold anything; bytes that are no UTF-8 become marks, which no rule reads."""
    if name == "-":
        yield from _numbered(sys.stdin.buffer)
        return
    path = Path(name)
    try:
        with path.open("rb") as file:
            yield from _numbered(file)
    except OSError as error:
        raise BadInput(f"{path}: not readable ({error.strerror})", mend="name a file of JSON lines, or - for input") from error


def _numbered(file: Any) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(file, start=1):
        text = line.decode("utf-8-sig", "replace").strip()
        if text:
            yield number, text


_STYLES = {"text": "bold cyan", "refused": "strike dim red", "place": "bold green"}


def _explain(number: int, line: str) -> bool:
    try:
        item = read_item(line)
    except BadInput as error:
        err.print(f"line {number}: {error}\n  to mend it: {error.mend}", markup=False, highlight=False)
        return False
    where, when = resolve(item)
    result = result_of(item, where, when)
    words = Text(item.text)
    for evidence, style in (*((e, "place") for e in where.evidence), *((e, "text") for e in when.evidence)):
        if evidence.span is not None:
            words.stylize(_STYLES[style if evidence.value is not None else "refused"], *evidence.span)
    place = f"{result['adcode']} {result['place']} ({result['certainty']})" if result["adcode"] else "unknown"
    if result["alternatives"]:
        place = "one of " + ", ".join(result["alternatives"])
    moment = f"{result['seen_from'] or '?'} to {result['seen_to'] or '?'} ({result['grain']}, {result['time_certainty']})"
    grid = Table(title=Text(f"post {item.id}, {item.posted_at.isoformat()}"), title_justify="left", show_header=False)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("text", words)
    grid.add_row("where", Text(place, style="green"))
    grid.add_row("", _reasons(where.evidence))
    grid.add_row("when", Text(moment if when.seen_to else "unknown", style="cyan"))
    grid.add_row("", _reasons(when.evidence))
    out.print(grid)
    return True


def _reasons(evidence: tuple[Evidence, ...]) -> Text:
    return Text("\n".join(f"{e.source} ({e.certainty.value}): {e.why}" for e in evidence))


def evaluate_extract(
    gold: Annotated[Path, typer.Argument(help="JSON lines with the expected adcode and time (see ingest/evaluate.py).")],
    misses: Annotated[bool, typer.Option("--misses/--no-misses", help="List the posts that were read wrongly.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Print how well place and time are read, how many misreadings would have called somebody, and how fast."""
    figures = measure(read_gold(gold))
    if as_json:
        emit_json({**_summary(figures), "misses": figures.misses if misses else []})
        return
    names = dict.fromkeys((*PLACE_OUTCOMES, *TIME_OUTCOMES))
    place, certain, times = figures.place, figures.certain, figures.time
    cells = ((name, place.get(name, ""), certain.get(name, ""), times.get(name, "")) for name in names)
    table(f"{gold}: {figures.posts} posts", ("outcome", "place", "of it certain", "time"), cells)
    out.print(f"wrong officials mentioned: {figures.misled} of {figures.posts} posts", markup=False, highlight=False)
    out.print(f"{figures.texts_per_s:.0f} texts/s on one core, first text after {figures.load_s:.2f} s", markup=False)
    if misses:
        shown = ((m.id, m.what, m.outcome, m.expected, _got(m), m.text) for m in figures.misses)
        table("Misread", ("id", "", "outcome", "expected", "got", "text"), shown, empty="none")


def _got(miss: Miss) -> str:
    return f"{miss.got}, certain" if miss.certain else miss.got


def _summary(figures: Figures) -> dict[str, Any]:
    return {
        "posts": figures.posts,
        "place": figures.place,
        "place_right": figures.place_right,
        "place_certain": figures.certain,
        "wrong_officials_mentioned": figures.misled,
        "time": {name: figures.time[name] for name in TIME_OUTCOMES},
        "texts_per_s": round(figures.texts_per_s),
        "load_s": round(figures.load_s, 3),
    }
