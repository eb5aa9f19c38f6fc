"""Counting rows by the value of one column."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import Column, func, select

from store.session import Tx

Kind = TypeVar("Kind", bound=StrEnum)


def tally(tx: Tx, column: Column[Any], kinds: type[Kind], *conditions: Any) -> dict[Kind, int]:
    """How many rows have each value of ``kinds`` in ``column``; zero where none has."""
    query = select(column.label("kind"), func.count().label("n")).where(*conditions).group_by(column)
    found = {row.kind: row.n for row in tx.execute(query)}
    return {kind: found.get(kind.value, 0) for kind in kinds}
