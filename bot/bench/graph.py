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
    drawn: dict[str, list[_paper.Curve]] = {"seconds to build": [], "recall of the ten best": []}
    with _pgvector.server() as server:
        for dimension, sizes in ((128, (5_000,)),) if quick else ((128, SIZES), (512, SIZES)):
            vectors = units(sizes[-1], dimension)
            points: list[tuple[int, list[Figure]]] = []
            for rows in sizes:
                points.append((rows, _pgvector.graph_at_size(server, vectors[:rows])))
                figures += points[-1][1]
                if not quick:
                    _paper.page("graph", "Searching by HNSW", "./run.sh bench graph --full", _words(figures))
            for title, at in (("seconds to build", 2), ("recall of the ten best", 1)):
                drawn[title].append(_paper.Curve(f"{dimension}-d", [(rows, found[at].value) for rows, found in points]))
            if not quick:
                _paper.curves(_paper.FOLDER / "graph.png", drawn, x="cases in the gallery", y="")
    return Result("graph", tuple(figures))


def _words(figures: list[Figure]) -> list[str]:
    """The page's parts."""
    return [
        f"pgvector's HNSW (`matching.approximate_ef: {_pgvector.EF}`, iterative scan, candidates scored exactly) over "
        "near-isotropic vectors, the hard case; the recall is the one that the bot measures at each start and `doctor` tells. "
        "The ratio is against the exact scan of the same table.",
        _paper.table(("figure", "measured", "ratio", ""), _paper.rows(figures)),
        "![seconds to build, and recall, as the gallery grows](graph.png)",
        "A graph that misses a case misses a child: exact is the default at every size.",
    ]
