"""``suishoupai officials`` as a person uses it: import, list, check, export, remove, local; output, exit codes, errors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from bot.commands import officials
from store.errors import SuishoupaiError

EXAMPLE = Path(__file__).parents[3] / "examples" / "officials.example.csv"
NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``officials WORDS`` on an empty database, with the clock stopped on the day of the example's checks."""
    config = tmp_path / "config.yaml"
    lines = (f"store: {{url: 'sqlite:///{tmp_path}/db.sqlite'}}", "platforms: {weibo: {}, x: {}}", "")
    config.write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr(officials, "utc_now", lambda: NOW)
    app = typer.Typer()
    app.add_typer(officials.app, name="officials")

    def call(*words: str) -> Result:
        return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["officials", *words, "--config", str(config)])

    return call


def data(result: Result) -> Any:
    return json.loads(result.stdout)


def test_import_list_local(run: Run) -> None:
    """The example goes in, is listed with what keeps an account from being mentioned, and answers for its district."""
    done = run("import", str(EXAMPLE), "--json")
    assert done.exit_code == 0, done.output
    assert data(done)["accounts"] == 5
    listed = data(run("list", "--json"))
    assert len(listed) == 5
    assert [row["unfit"] for row in listed if row["type"] == "media"] == ["media are asked by a person only"]
    local = run("local", "前天晚上八点多在观音桥步行街看到的，听口音是贵州人", "--json", "--platform", "weibo")
    assert local.exit_code == 0
    choice = data(local)["platforms"]["weibo"]
    assert [account["agency"]["type"] for account in choice["accounts"]] == ["police", "civil_affairs"]
    assert data(local)["where"]["adcode"] == "500157"


def test_dry_run_stores_nothing(run: Run) -> None:
    """A dry run reports the same counts and leaves the directory as it was."""
    dry = data(run("import", str(EXAMPLE), "--dry-run", "--json"))
    assert (dry["dry_run"], dry["accounts"]) == (True, 5)
    assert data(run("list", "--json")) == []


def test_import_twice_changes_nothing(run: Run) -> None:
    """Importing the same file again renews the same rows."""
    run("import", str(EXAMPLE))
    first = data(run("list", "--json"))
    assert run("import", str(EXAMPLE)).exit_code == 0
    assert data(run("list", "--json")) == first


def test_clash_with_the_store_is_reported_with_its_line(run: Run, tmp_path: Path) -> None:
    """A handle stored under another number, or a number stored for another agency, is refused with line and remedy."""
    run("import", str(EXAMPLE))
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    changed = tmp_path / "changed.csv"
    taken = lines[2].replace("9000000002", "9000000099")
    moved = lines[3].replace("示例新区民政局", "另一个民政局").replace("示例民政局_虚构", "另一个_虚构")
    changed.write_text("\n".join([lines[0], taken, moved]), encoding="utf-8")
    result = run("import", str(changed), "--json")
    assert result.exit_code == 1
    assert [(p["line"], p["fatal"]) for p in data(result)["problems"]] == [(2, True), (3, True)]
    assert len(data(run("list", "--json"))) == 5


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_export_is_what_import_reads(run: Run, tmp_path: Path, ending: str) -> None:
    """An export comes back as the same directory, and does not write over a file unasked."""
    run("import", str(EXAMPLE))
    before = data(run("list", "--json"))
    path = tmp_path / f"out.{ending}"
    assert run("export", str(path)).exit_code == 0
    again = run("export", str(path))
    assert isinstance(again.exception, SuishoupaiError)
    assert "there already" in str(again.exception)
    assert run("import", str(path)).exit_code == 0
    assert data(run("list", "--json")) == before


def test_check_finds_holes_and_gives_exit_code_1(run: Run) -> None:
    """With the example alone most provinces have nobody: named, with a remedy, exit code 1."""
    run("import", str(EXAMPLE))
    result = run("check", "--platform", "weibo", "--json")
    assert result.exit_code == 1
    kinds = {finding["kind"] for finding in data(result)}
    assert kinds == {"alone"}
    assert not any(finding["adcode"] == "500000" for finding in data(result))


def test_stale_accounts_show_in_check_and_are_not_local(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a year later the example's accounts are stale: check says so, and local mentions nobody."""
    run("import", str(EXAMPLE))
    monkeypatch.setattr(officials, "utc_now", lambda: datetime(2027, 11, 22, tzinfo=UTC))
    assert "unfit" in {finding["kind"] for finding in data(run("check", "--json"))}
    local = run("local", "500157", "--json")
    assert local.exit_code == 1
    assert data(local)["platforms"]["weibo"]["accounts"] == []


def test_remove(run: Run) -> None:
    """A removed account is gone; removing it again is a clear error."""
    run("import", str(EXAMPLE))
    assert run("remove", "weibo", "9000000002").exit_code == 0
    assert "9000000002" not in {row["account_id"] for row in data(run("list", "--json"))}
    assert isinstance(run("remove", "weibo", "9000000002").exception, SuishoupaiError)


@pytest.mark.parametrize("text", ["朝阳区，小学门口，一个女孩在要饭", "请大家转发", "台州的汽车站Taizhou"])
def test_uncertain_place_mentions_nobody(run: Run, text: str) -> None:
    """An ambiguous or unknown place mentions nobody and says why."""
    run("import", str(EXAMPLE))
    result = run("local", text)
    if result.exit_code == 0:
        pytest.fail(result.output)
    assert "nobody is mentioned" in result.output or "mentioned: nobody" in result.output


def test_local_explains_in_numbered_steps(run: Run) -> None:
    """The table form says the place, each step and who is mentioned."""
    run("import", str(EXAMPLE))
    output = run("local", "500157", "--platform", "weibo").output
    assert re.search(r"^\s+1\. rules: the general ones", output, re.MULTILINE)
    assert re.search(r"^\s+2\. place 500157", output, re.MULTILINE)
    assert "mentioned: @示例公安分局_虚构" in output


def test_former_codes_are_understood_and_unknown_ones_refused(run: Run) -> None:
    """A code of the past answers as today's division; a code that never was is a clear error."""
    run("import", str(EXAMPLE))
    assert data(run("local", "500105", "--json"))["where"]["adcode"] == "500157"
    assert isinstance(run("local", "999999").exception, SuishoupaiError)


def test_list_by_division(run: Run) -> None:
    """--adcode shows the division and what lies in it."""
    run("import", str(EXAMPLE))
    assert {row["adcode"] for row in data(run("list", "--adcode", "500000", "--json"))} == {"500000", "500157"}
    assert date.fromisoformat(data(run("list", "--json"))[0]["checked_on"])


def test_local_without_a_platform_says_so(run: Run, tmp_path: Path) -> None:
    """Where the settings name no platform nobody could be mentioned: an error with its remedy, no empty answer."""
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8").replace("{weibo: {}, x: {}}", "{}"), encoding="utf-8")
    error = run("local", "500157").exception
    assert isinstance(error, SuishoupaiError)
    assert "no platform" in str(error)
    assert "platforms" in error.mend
