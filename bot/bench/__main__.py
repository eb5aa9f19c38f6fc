"""``./run.sh bench [NAME ...]``: runs the benches, prints their figures, keeps them, and compares with an earlier run."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import platform
import sys
from dataclasses import asdict
from pathlib import Path

import bot.bench
from bot.bench.base import Result
from bot.commands.common import err, out, table

_NOT_BENCHES = frozenset({"base", "__main__"})
KEPT = Path(__file__).parents[2] / "docs" / "benchmarks" / "ratios.json"
"""The ratios of the last kept run (``--save``), quick sizes."""
TOLERANCE = 0.5


def names() -> list[str]:
    """Every bench, by its file's name."""
    return sorted(m.name for m in pkgutil.iter_modules(bot.bench.__path__) if m.name not in _NOT_BENCHES and m.name[0] != "_")


def main() -> int:
    """Run what was asked for. Returns 1 where a figure is worse than half of the compared run's."""
    parser = argparse.ArgumentParser(prog="./run.sh bench", description="Ratios against a yardstick of the same run.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(names())}; all where none is named")
    parser.add_argument("--full", action="store_true", help="larger sizes; minutes instead of seconds")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep the figures in FILE")
    words = f"hold the ratios against those kept in FILE ({KEPT.relative_to(KEPT.parents[2])} where none is named)"
    parser.add_argument("--compare", type=Path, nargs="?", const=KEPT, metavar="FILE", help=words)
    parser.add_argument(
        "--rivals", action="store_true", help="set up DeepFace and face_recognition in .venv-rivals (run.sh does)"
    )
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(names()))
    if unknown:
        parser.error(f"no bench {', '.join(unknown)}; there are: {', '.join(names())}")
    results = []
    for name in options.names or (_held(options.compare) if options.compare else names()):
        err.print(f"bench {name} ...", markup=False)
        module = importlib.import_module(f"bot.bench.{name}")
        results.append(module.run(quick=not options.full))
    if options.save:
        options.save.write_text(json.dumps([asdict(r) for r in results], indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if options.json:
        sys.stdout.write(json.dumps([asdict(r) for r in results], indent=1, ensure_ascii=False) + "\n")
    else:
        out.print(f"{platform.machine()}, Python {platform.python_version()}", markup=False)
        for result in results:
            show(result)
    return compare(results, options.compare) if options.compare else 0


def show(result: Result) -> None:
    """Print one bench's table."""
    rows = (
        (
            figure.name,
            f"{figure.value:,.4g} {figure.unit}",
            "" if figure.ratio is None else f"{figure.ratio:.2f} x {figure.yardstick}",
            figure.promised,
        )
        for figure in result.figures
    )
    table(result.name, ("figure", "measured", "ratio", "promised"), rows)
    for words in result.skipped:
        out.print(f"  not measured: {words}", markup=False)


def compare(results: list[Result], path: Path) -> int:
    """Hold ratios against an earlier run's and print what moved beyond the tolerance. 1 where a ratio fell to half of what it was
    (or doubled, where lower is better), or is not there any more; 0 otherwise, also where one became twice as good."""
    measured = {(result.name, figure.name): figure for result in results for figure in result.figures if figure.ratio}
    asked = {result.name: result for result in results}
    held, worse = 0, 0
    for (bench, name), old in _kept_ratios(path).items():
        if bench not in asked:
            continue
        held += 1
        figure = measured.get((bench, name))
        if figure is None or figure.ratio is None:
            why = f" ({'; '.join(skipped)})" if (skipped := asked[bench].skipped) else ""
            err.print(f"worse: {bench}: {name}: not measured any more, was {old:.2f}{why}", markup=False, style="red")
            worse += 1
            continue
        change = figure.ratio / old if figure.better == "higher" else old / figure.ratio
        if not TOLERANCE <= change <= 1 / TOLERANCE:
            word, style = ("worse", "red") if change < 1 else ("better", "green")
            err.print(f"{word}: {bench}: {name}: {figure.ratio:.2f}, was {old:.2f}", markup=False, style=style)
            worse += change < 1
    others = sorted({bench for bench, _ in _kept_ratios(path)} - set(asked))
    err.print(
        f"{held} ratio(s) held against {path.name}, {worse} worse: a ratio is worse where it fell to half of what it was"
        " (doubled, where lower is better), or is not measured any more",
        markup=False,
    )
    if others:
        err.print(f"not held, for they were not asked for: {', '.join(others)}", markup=False)
    return 1 if worse else 0


def _kept_ratios(path: Path) -> dict[tuple[str, str], float]:
    kept = json.loads(path.read_text(encoding="utf-8"))
    return {(bench["name"], one["name"]): one["ratio"] for bench in kept for one in bench["figures"] if one["ratio"]}


def _held(path: Path) -> list[str]:
    """The benches that an earlier run holds ratios of."""
    return sorted({bench for bench, _ in _kept_ratios(path)})


if __name__ == "__main__":
    sys.exit(main())
