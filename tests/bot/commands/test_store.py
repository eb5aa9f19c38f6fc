"""The database from the command line: moving it, and what is said and returned when its server cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from bot.__main__ import build
from bot.commands import common
from store.errors import SuishoupaiError


@pytest.fixture
def run(tmp_path: Path):
    """``run(URL, WORDS...)``: a command with that database in its settings."""

    def invoke(url: str, *words: str) -> SimpleNamespace:
        path = tmp_path / "config.yaml"
        path.write_text(json.dumps({"store": {"url": url}}), encoding="utf-8")
        result = CliRunner().invoke(build(), [*words, "--config", str(path)])
        if isinstance(result.exception, SuishoupaiError):
            error = f"{result.exception}\n{result.exception.mend}"
            return SimpleNamespace(code=common.exit_code(result.exception), out=result.stdout, error=error)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return SimpleNamespace(code=result.exit_code, out=result.stdout, error=result.stderr)

    return invoke


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://bot:hush@127.0.0.1:1/suishoupai", "no server answers there"),
        ("postgresql://bot:hush@no-such-host.invalid/suishoupai", "the server's name is not known"),
        ("postgresql://bot:hush@127.0.0.1", "it names no database"),
        ("postgresql//bot:hush@127.0.0.1/suishoupai", "it is no database's URL"),
        ("postgresql://bot:hush@127.0.0.1:port/suishoupai", "it is no database's URL"),
        ("mysql://bot:hush@127.0.0.1/suishoupai", "not a database this version can use"),
        ("postgresql+asyncpg://bot:hush@127.0.0.1:1/suishoupai", "no server answers there"),
    ],
)
def test_a_database_that_cannot_be_used_is_code_4(run, url, words) -> None:
    """Each fault of the URL has its own words and a remedy; the password is in neither."""
    said = run(url, "status")
    assert said.code == common.EXIT_STORE
    assert words in said.error
    assert said.error.strip().count("\n") == 1, "what is wrong, and how to mend it"
    assert "hush" not in said.error + said.out


@pytest.mark.only_on("postgresql", why="asks a server")
def test_a_database_that_is_not_on_the_server_is_code_4(run, database, postgres_server) -> None:
    """The server answers and has no such database."""
    said = run(postgres_server.url("not_made"), "status")
    assert (said.code, "no such database" in said.error) == (common.EXIT_STORE, True)


@pytest.mark.only_on("postgresql", why="asks a server")
def test_doctor_says_which_database_and_how_busy(run, database_url) -> None:
    """The version, connections used and allowed, the pool, and whether pgvector is there; no password."""
    found = json.loads(run(database_url, "doctor", "--json").out)
    words = next(f["words"] for f in found if f["part"] == "database")
    assert all(word in words for word in ("PostgreSQL 1", "connections", "pool", "pgvector"))


def test_doctor_waits_for_an_absent_server_once(run) -> None:
    """One finding with its remedy; what stands in the database is named as not looked at, and does not say the same again."""
    found = json.loads(run("postgresql://bot:hush@127.0.0.1:1/suishoupai", "doctor", "--json").out)
    refused = [f for f in found if "no server answers there" in f["words"]]
    assert [(f["part"], f["level"]) for f in refused] == [("database", "problem")]
    assert refused[0]["mend"]
    unseen = {f["part"] for f in found if "not looked at" in f["words"]}
    assert unseen == {"calibration", "search", "queue", "officials"}
    assert "hush" not in json.dumps(found)


@pytest.mark.only_on("postgresql", why="moves to a server")
def test_store_copy_moves_an_installation(run, database, fresh_database, tmp_path: Path) -> None:
    """A new SQLite installation is copied to an empty database; both then say the same, and its key is the same."""
    source = f"sqlite:///{tmp_path / 'from.sqlite'}"
    assert run(source, "status").code == 0
    assert run(source, "bans", "add", "account", "anna", "--platform", "weibo", "--by", "operator", "--why", "flood").code == 0
    with fresh_database(database, tmp_path, tables=False) as target:
        said = run(source, "store", "copy", source, target, "--json")
        told = json.loads(said.out)
        assert (said.code, told["complete"]) == (0, True)
        assert {t["table"]: t["rows"] for t in told["tables"]}["bans"] == 1
        assert "anna" in run(target, "bans", "list").out
        assert run(target, "audit", "verify").code == 0
        again = run(source, "store", "copy", source, target)
        assert again.code == 0
        assert "complete" in again.out


@pytest.mark.on_both
def test_the_tables_go_back_a_version_and_forth_again(run, database, fresh_database, tmp_path: Path) -> None:
    """``store migrate --to`` takes the last migration back where that is asked for twice; the program then refuses the tables
    until they are current again. A migration that there is not is named with those there are."""
    with fresh_database(database, tmp_path) as url:
        newest = json.loads(run(url, "store", "migrate", "--json").out)["after"]
        older = f"{int(newest) - 1:04}"
        refused = run(url, "store", "migrate", "--to", older)
        assert (refused.code != 0, "--yes" in refused.error) == (True, True)
        back = json.loads(run(url, "store", "migrate", "--to", older, "--yes", "--json").out)
        assert (back["before"], back["after"]) == (newest, older)
        old = run(url, "status")
        assert (old.code, "suishoupai migrate" in old.error) == (common.EXIT_STORE, True)
        assert run(url, "store", "migrate").code == 0
        assert run(url, "status").code == 0
        assert "there are: 0001, " in run(url, "store", "migrate", "--to", "9999").error
        assert run(url, "store", "migrate", "--to", "base", "--yes").code != 0
