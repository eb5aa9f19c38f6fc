"""A later run of the benches is held against the ratios of an earlier one."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from bot.bench.__main__ import KEPT, compare, names
from bot.bench.base import Figure, Result


def result(**ratios: float) -> Result:
    """A bench with these ratios; names that begin with cost are better when lower."""
    figures = [Figure(n, 1.0, "x", r, "y", "lower" if n.startswith("cost") else "higher") for n, r in ratios.items()]
    return Result("made", tuple(figures))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    path = tmp_path / "ratios.json"
    path.write_text(json.dumps([asdict(result(speed=1.0, cost=1.0)), asdict(Result("other", (Figure("f", 1, "x", 2.0),)))]))
    return path


@pytest.mark.parametrize(
    ("ratios", "code", "word"),
    [
        ({"speed": 0.8, "cost": 1.3}, 0, ""),
        ({"speed": 0.4, "cost": 1.0}, 1, "worse: made: speed: 0.40, was 1.00"),
        ({"speed": 1.0, "cost": 2.5}, 1, "worse: made: cost: 2.50, was 1.00"),
        ({"speed": 3.0, "cost": 1.0}, 0, "better: made: speed: 3.00, was 1.00"),
        ({"speed": 1.0}, 1, "worse: made: cost: not measured any more, was 1.00"),
    ],
)
def test_what_moved_is_printed_and_what_got_worse_fails(kept: Path, capsys, ratios, code: int, word: str) -> None:
    """Within the tolerance no ratio is named; beyond it each is; only a fall, or a loss, is a regression. A bench not run is
    held against nothing, and said to be so."""
    assert compare([result(**ratios)], kept) == code
    told = " ".join(capsys.readouterr().err.split())
    assert word in told
    assert f"2 ratio(s) held against ratios.json, {code} worse" in told
    assert ("made:" in told) == bool(word)
    assert "not held, for they were not asked for: other" in told


def test_a_bench_that_cannot_run_says_why_its_ratios_are_missing(kept: Path, capsys) -> None:
    """Nobody measured it, so it counts; the reason (a package that is not installed) stands beside it."""
    assert compare([Result("made", (), ("no server here",))], kept) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "worse: made: speed: not measured any more, was 1.00 (no server here)" in told


def test_the_kept_ratios_are_of_benches_that_there_are() -> None:
    """The committed file names benches of this project, each with a ratio."""
    held = json.loads(KEPT.read_text(encoding="utf-8"))
    assert {entry["name"] for entry in held} <= set(names())
    assert any(figure["ratio"] for entry in held for figure in entry["figures"])
