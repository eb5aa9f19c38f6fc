"""HNSW inside PostgreSQL, which an operator may opt in to: how quick it is, what it misses, and what it takes to build."""

from __future__ import annotations

from bot.bench import _paper, _pgvector
from bot.bench._yardsticks import units
from bot.bench.base import Figure, Result
from store.local_postgres import why_not

SIZES = (10_000, 100_000, 1_000_000)


def run(quick: bool) -> Result:
    """5,000 x 128 (quick); or 10,000, 100,000 and a million x 128 and x 512 (half an hour of two cores), and
    docs/benchmarks/graph.md, written anew after each size."""
    lacking = why_not()
    if lacking:
        return Result("graph", (), (f"pgvector: {lacking}",))
    figures: list[Figure] = []
    with _pgvector.server() as server:
        for dimension, sizes in ((128, (5_000,)),) if quick else ((128, SIZES), (512, SIZES)):
            vectors = units(sizes[-1], dimension)
            for rows in sizes:
                figures += _pgvector.graph_at_size(server, vectors[:rows])
                if not quick:
                    _paper.page("graph", "Searching by HNSW", "./run.sh bench graph --full", _words(figures))
    return Result("graph", tuple(figures))


def _words(figures: list[Figure]) -> list[str]:
    """The page's parts."""
    return [
        f"pgvector's HNSW (`matching.approximate_ef: {_pgvector.EF}`, iterative scan, candidates scored exactly) over "
        "near-isotropic vectors, the hard case; the recall is the one that the bot measures at each start and `doctor` tells. "
        "The ratio is against the exact scan of the same table.",
        _paper.table(("figure", "measured", "ratio", ""), _paper.rows(figures)),
        "A graph that misses a case misses a child: exact is the default at every size.",
    ]
