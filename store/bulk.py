"""Many ready-made rows at once, past every rule of the query modules: for simulations and measurements, never for the bot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import func, insert, select

from store import dialect
from store.errors import BadInput
from store.session import Tx
from store.tables import cases, counters, metadata, track_faces

BATCH = 5000


def add(tx: Tx, table: str, rows: Iterable[Mapping[str, Any]]) -> int:
    """Insert rows (all with the same columns) into the named table. Returns how many.

    Raises:
        BadInput: there is no such table.
    """
    if table not in metadata.tables:
        raise BadInput(f"there is no table {table}")
    statement, count, left = insert(metadata.tables[table]), 0, iter(rows)
    while batch := list(islice(left, BATCH)):
        tx.execute(statement, _dicts(batch))
        count += len(batch)
    return count


def settle(tx: Tx) -> None:
    """After rows with numbers of their own: whatever is stored next is numbered behind them, and what follows the changes of
    cases and tracks (galleries held in memory) sees them as changes."""
    dialect.set_sequences(tx.connection, metadata.sorted_tables)
    for name, column in (("cases", cases.c.seq), ("tracks", track_faces.c.seq)):
        highest = tx.execute(select(func.coalesce(func.max(column), 0))).scalar_one()
        tx.execute(dialect.upsert(counters, ["name"], ["value"]).values(name=name, value=highest))


def _dicts(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [dict(row) for row in rows]
