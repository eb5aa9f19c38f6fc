"""``./run.sh chaos [--rounds N]``: kills the real bot N times and prints what the auditor finds. Exit code 1 where he finds
anything lost or said twice."""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path

from bot.chaos.audit import Ledger
from bot.chaos.run import Report, run
from bot.commands.common import emit_json, err, guarded, out, table
from store.local_postgres import LocalServer

_RAM = Path("/dev/shm")


def main() -> int:
    """Read the words, run, print. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="./run.sh chaos", description="The real bot, killed again and again, and an auditor.")
    parser.add_argument("--rounds", type=int, default=200, help="lives of the bot (default: 200)")
    parser.add_argument("--scaled", action="store_true", help="three workers on a PostgreSQL, which is killed too")
    parser.add_argument("--seed", type=int, default=1, help="another seed, another plan (default: 1)")
    parser.add_argument("--lanes", type=int, default=2, help="installations side by side (default: 2)")
    parser.add_argument("--within", type=float, default=540.0, metavar="S", help="no round begins after S seconds (default: 540)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep databases, ledgers and logs in this new folder")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--verbose", action="store_true", help="print each round")
    options = parser.parse_args()
    if options.rounds < 1 or (options.keep and options.keep.exists()):
        parser.error("--rounds is at least 1, and --keep names a folder that does not exist yet")
    found: list[Report] = []

    def work() -> None:
        # In memory where there is such a folder: a killed process leaves what it wrote either way, and fsync costs nothing there.
        with tempfile.TemporaryDirectory(prefix="suishoupai-chaos-", dir=_RAM if _RAM.is_dir() else None) as passing:
            folder = options.keep or Path(passing) / "run"
            say = (lambda line: err.print(line, markup=False, highlight=False)) if options.verbose else (lambda line: None)
            with ExitStack() as stack:
                server = None
                if options.scaled:
                    home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="suishoupai-chaos-db-")))
                    server = stack.enter_context(LocalServer(home / "postgres", lasting=False))
                wide = {"lanes": options.lanes, "within_s": options.within}
                found.append(run(folder, options.rounds, options.seed, **wide, say=say, server=server))

    guarded(work)
    [report] = found
    if options.json:
        emit_json(report)
    else:
        show(report)
    return 0 if report.clean else 1


def show(report: Report) -> None:
    """Print the run and its ledger as tables."""
    run_rows = [
        ("rounds", report.rounds),
        ("killed (SIGKILL)", report.kills),
        ("  at named commits", f"{report.killed_at_points} ({len(report.points)} distinct)"),
        ("  at random moments", report.killed_at_moments),
        ("stopped (SIGTERM)", report.stopped),
        ("database server killed", report.databases),
        ("faults set", report.faults),
        ("seconds", f"{report.seconds:.0f}"),
    ]
    table("Chaos", ("what", "count"), run_rows)
    names = [field.name for field in fields(Ledger) if field.name != "wrong"]
    table("Ledger", ("what", "count"), ((name.replace("_", " "), getattr(report.ledger, name)) for name in names))
    for words in (*report.ledger.wrong, *report.crashes):
        err.print(words, markup=False, style="red")
    if report.out_of_time:
        err.print("out of time: fewer rounds than asked for", style="yellow")
    out.print("nothing lost, nothing said twice" if report.clean else "NOT CLEAN", style="green" if report.clean else "red")


if __name__ == "__main__":
    sys.exit(main())
