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
    parser.add_argument("--compare", type=Path, metavar="FILE", help="hold the ratios against those kept in FILE")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(names()))
    if unknown:
        parser.error(f"no bench {', '.join(unknown)}; there are: {', '.join(names())}")
    results = []
    for name in options.names or names():
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
    """Hold ratios against an earlier run's; a ratio at half of what it was (or twice, where lower is better) is a finding."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    before = {(r["name"], f["name"]): f["ratio"] for r in kept for f in r["figures"] if f["ratio"]}
    worse = []
    for result in results:
        for figure in result.figures:
            old = before.get((result.name, figure.name))
            if old and figure.ratio:
                change = figure.ratio / old if figure.better == "higher" else old / figure.ratio
                if change < 0.5:
                    worse.append(f"{result.name}: {figure.name}: {figure.ratio:.2f}, was {old:.2f}")
    for line in worse:
        err.print(line, markup=False, style="red")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
