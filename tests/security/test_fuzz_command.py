"""The command that fuzzes: a short run finds nothing and says what it did; without its engine it does not pretend."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from bot.fuzz import __main__ as command

SECONDS = 2


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["fuzz", *words])
    return command.main()


def test_without_its_engine_it_says_so_and_does_not_succeed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Code 69 and the file that names the requirement: a run that did not happen is no "nothing escaped"."""
    monkeypatch.setitem(sys.modules, "atheris", None)
    assert run(monkeypatch) == command.UNAVAILABLE == 69
    told = capsys.readouterr()
    assert "requirements-fuzz.txt" in told.err
    assert "nothing was fuzzed" in told.err
    assert "nothing escaped" not in told.out + told.err


def test_an_unknown_parser_is_wrong_usage(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Code 2, as of any wrong words, and the name."""
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "no-such-parser")
    assert ended.value.code == 2
    assert "no-such-parser" in capsys.readouterr().err


@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed here: ./run.sh fuzz installs it")
def test_a_short_run_over_two_parsers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Coverage-guided for a second each: nothing escapes, and the inputs that reached new code are kept."""
    assert run(monkeypatch, "address", "mail", "--seconds", str(SECONDS), "--corpus", str(tmp_path)) == 0
    told = capsys.readouterr().out
    assert "nothing escaped" in told
    assert "address: Done " in told
    assert "mail: Done " in told
    assert any((tmp_path / "address").iterdir())
