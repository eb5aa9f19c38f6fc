"""How long ``suishoupai store copy`` takes from SQLite to PostgreSQL, beside writing the same rows bare."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bot.bench import _paper
from bot.bench._pgvector import server
from bot.bench.base import Figure, Result
from bot.simulation import past
from bot.simulation.campaign import Campaign, Shape
from bot.simulation.site import open_store
from store import moving
from store.local_postgres import LocalServer, why_not

START = datetime(2026, 3, 1, tzinfo=UTC)
PER = 100_000


def run(quick: bool) -> Result:
    """5,000 posts with all that hangs on them (quick), or 100,000 and docs/benchmarks/copy.md."""
    if lacking := why_not():
        return Result("copy", (), (lacking,))
    count = 5_000 if quick else PER
    with tempfile.TemporaryDirectory(prefix="suishoupai-bench-") as folder, server() as started:
        figures = measured(Path(folder), started, count)
    if not quick:
        words = (
            "A post with its photo, scan, face, track, sighting and answer: nine rows, copied, read back from both sides and"
            " compared by hashes. The yardstick writes the same rows into PostgreSQL without reading or comparing any."
        )
        table = _paper.table(("figure", "measured", "ratio", "promised"), _paper.rows(figures))
        _paper.page("copy", "Moving from SQLite to PostgreSQL", "./run.sh bench copy --full", [words, table])
    return Result("copy", tuple(figures))


def measured(folder: Path, started: LocalServer, count: int) -> list[Figure]:
    """Copy ``count`` posts and 100 cases into an empty database."""
    campaign = Campaign(Shape(PER, 100), START)
    with (
        open_store(f"sqlite:///{folder / 'source.sqlite'}", lambda: START) as source,
        open_store(started.make("copied"), lambda: START) as target,
        open_store(started.make("written"), lambda: START) as bare,
    ):
        past.add_posts(source, campaign, 1, count)
        past.add_cases(source, 1, 100, START)
        began = time.perf_counter()
        past.add_posts(bare, campaign, 1, count)
        bare_s = time.perf_counter() - began
        began, cpu = time.perf_counter(), time.process_time()
        outcome = moving.copy(source, target)
        copy_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
        rows = sum(table.rows for table in outcome.tables)
    per = PER / count
    return [
        Figure(f"copy of {count:,} posts, for 100,000", copy_s * per, "s", copy_s / bare_s, "writing the rows", "lower"),
        Figure("processor time of the copying process, for 100,000", cpu_s * per, "s", better="lower"),
        Figure("rows of a post", rows / count, "rows", better="lower"),
        Figure("tables that are the same after it, row for row", float(outcome.complete), "of 1", promised="1"),
    ]
