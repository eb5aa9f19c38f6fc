"""``suishoupai extract`` and ``suishoupai evaluate extract`` as a person uses them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bot.commands import extract
from store.errors import SuishoupaiError

POST = {"id": 7, "text": "昨天下午在深圳罗湖火车站看到，2009年10月3日走失", "post_time": "2011-02-16T21:00:00+08:00"}


def run(*words: str, given: str | bytes | None = None) -> Result:
    app = typer.Typer()
    extract.register(app)
    return CliRunner(env={"COLUMNS": "160"}).invoke(app, list(words), input=given)


def jsonl(*posts: object) -> str:
    return "".join(json.dumps(post, ensure_ascii=False) + "\n" for post in posts)


def test_lines_in_lines_out(tmp_path: Path) -> None:
    """Each line of the file gives one JSON line, in order."""
    path = tmp_path / "posts.jsonl"
    path.write_text(jsonl(POST, POST | {"id": 8, "text": "无"}), encoding="utf-8")
    result = run("extract", str(path))
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["id"], row["adcode"]) for row in rows] == [(7, "440303"), (8, None)]
    assert rows[0]["seen_from"] == "2011-02-15T12:00:00+08:00"


def test_dash_reads_standard_input() -> None:
    """``-`` reads standard input; a BOM and empty lines do no harm."""
    result = run("extract", "-", given=("\ufeff" + jsonl(POST) + "\n\n").encode())
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 1)


def test_a_bad_line_does_not_stop_the_others() -> None:
    """A line that cannot be read gives an error line, the rest goes on, and the exit code is 1."""
    result = run("extract", "-", given=jsonl(POST) + "{broken\n" + jsonl({"id": 9}) + jsonl(POST))
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert ["error" in row for row in rows] == [False, True, True, False]
    assert rows[2]["id"] == 9
    assert "line 2" in result.stderr


def test_bytes_that_are_no_text_are_read_as_marks() -> None:
    """Broken UTF-8 inside a text is no reason to stop."""
    result = run("extract", "-", given=jsonl(POST).encode().replace("罗湖".encode(), b"\xff\xfe"))
    assert result.exit_code == 0


def test_missing_file_is_a_clear_error() -> None:
    """A file that is not there is named."""
    result = run("extract", "no-such-file.jsonl")
    assert isinstance(result.exception, SuishoupaiError)
    assert "no-such-file.jsonl" in str(result.exception)


def test_explain_shows_the_words_and_the_reasons() -> None:
    """--explain shows text, place and time with the reasons, those for refusing included."""
    output = run("extract", "-", "--explain", given=jsonl(POST)).output
    assert "440303" in output
    assert "2011-02-15T12:00:00+08:00" in output
    assert "refused" in output
    [plain] = (json.loads(line) for line in run("extract", "-", given=jsonl(POST)).output.splitlines())
    assert "went missing" in json.dumps(plain["time_evidence"])


def test_explain_prints_markup_as_it_stands() -> None:
    """Square brackets in a post are shown, never read as styling."""
    output = run("extract", "-", "--explain", given=jsonl(POST | {"text": "[red]昨天[/red] 在深圳"})).output
    assert "[red]昨天[/red]" in output


def test_evaluate_prints_figures_and_misses(tmp_path: Path) -> None:
    """The figures count each outcome; what was misread is listed, as JSON too."""
    path = tmp_path / "gold.jsonl"
    right = POST | {"adcode": "440303", "accept": [], "time": "2011-02-15T15:00:00+08:00", "tol_min": 180}
    wrong = POST | {"id": 8, "adcode": None, "accept": [], "time": None, "tol_min": None}
    path.write_text(jsonl(right, wrong), encoding="utf-8")
    figures = json.loads(run("evaluate", "extract", str(path), "--json").stdout)
    assert figures["place"]["exact"] == figures["place"]["false alarm"] == 1
    assert figures["time"]["right"] == figures["time"]["false alarm"] == 1
    assert [(miss["id"], miss["what"]) for miss in figures["misses"]] == [(8, "place"), (8, "time")]
    assert figures["place_certain"]["false alarm"] == figures["wrong_officials_mentioned"] == 1
    table = run("evaluate", "extract", str(path)).output
    assert "wrong officials mentioned: 1 of 2 posts" in table
    assert "texts/s" in table
    assert "false alarm" in table


@pytest.mark.parametrize("words", [("extract", "--help"), ("evaluate", "extract", "--help")])
def test_help_has_an_example(words: tuple[str, ...]) -> None:
    """Every command's help shows how it is used."""
    assert "Example: suishoupai" in run(*words).output
