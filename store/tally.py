"""Counting rows by the value of one column, and numbering changes so that memories elsewhere can follow them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import Column, bindparam, func, select

from store import dialect
from store.session import Tx
from store.tables import counters

Kind = TypeVar("Kind", bound=StrEnum)


def tally(tx: Tx, column: Column[Any], kinds: type[Kind], *conditions: Any) -> dict[Kind, int]:
    """How many rows have each value of ``kinds`` in ``column``; zero where none has."""
    query = select(column.label("kind"), func.count().label("n")).where(*conditions).group_by(column)
    found = {row.kind: row.n for row in tx.execute(query)}
    return {kind: found.get(kind.value, 0) for kind in kinds}


def next_number(tx: Tx, name: str) -> int:
    """The next number of the sequence ``name``. Writers go one at a time, so numbers are committed in their order."""
    statement = dialect.upsert(counters, ["name"], {"value": counters.c.value + 1}).values(name=name, value=1)
    return int(tx.execute(statement.returning(counters.c.value)).scalar_one())


_LAST = select(counters.c.value).where(counters.c.name == bindparam("name"))


def last_number(tx: Tx, name: str) -> int:
    """The last number given of the sequence ``name``; 0 before the first."""
    return int(tx.execute(_LAST, {"name": name}).scalar() or 0)
