"""Many ready-made rows at once, past every rule of the query modules: for simulations and measurements, never for the bot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import insert

from store.errors import BadInput
from store.session import Tx
from store.tables import metadata

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


def _dicts(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [dict(row) for row in rows]
