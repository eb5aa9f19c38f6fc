"""A table's rows as the move sees them: in parts, as plain values, with a hash that does not depend on the database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, MetaData, Row, String, Table, Text, bindparam, delete, func, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.types import TypeDecorator

from store.dialect import CleanText, Json, clean_text

PART = 2000
"""Rows that are read, compared and written at a time."""

Key = tuple[Any, ...]


class _Clean(TypeDecorator[str]):
    """Text as it lies in the table, JSON unread; what only SQLite keeps is replaced on the way (see ``clean_text``)."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else clean_text(value)


def plain(table: Table) -> Table:
    """``table`` with text read as text; ``info["within"]`` names the columns that refer to the table itself."""
    within = [column.name for column in table.columns if any(key.column.table is table for key in column.foreign_keys)]
    copied = [
        Column(
            column.name,
            _Clean() if isinstance(column.type, Json | CleanText | String) else column.type,
            primary_key=column.primary_key,
        )
        for column in table.columns
    ]
    return Table(table.name, MetaData(), *copied, info={"within": within})


@dataclass(frozen=True, slots=True)
class Part:
    """Rows whose first key column is above ``low`` and at most ``high``; None is no limit."""

    low: int | None = None
    high: int | None = None


@dataclass(slots=True)
class Differences:
    """One part: rows the target lacks, rows it has otherwise, what is to be set when all rows are there; how many rows were
    seen, and the sum of their hashes."""

    new: list[dict[str, Any]] = field(default_factory=list)
    other: dict[Key, dict[str, Any]] = field(default_factory=dict)
    later: dict[Key, dict[str, Any]] = field(default_factory=dict)
    seen: int = 0
    summed: int = 0

    @property
    def changed(self) -> int:
        return len(self.new) + len(self.other)


class Rows:
    """The rows of one table on one connection."""

    def __init__(self, connection: Connection, table: Table) -> None:
        self.connection = connection
        self.table = table
        self._key = list(table.primary_key.columns)

    def count(self) -> int:
        """How many there are."""
        return int(self.connection.execute(select(func.count()).select_from(self.table)).scalar_one())

    def keys(self, part: Part) -> set[Key]:
        """The keys of a part."""
        return {tuple(row) for row in self.connection.execute(select(*self._key).where(*self._within(part)))}

    def read(self, part: Part) -> dict[Key, Row[Any]]:
        """The rows of a part by key."""
        query = select(self.table).where(*self._within(part)).order_by(*self._key)
        return {tuple(getattr(row, column.name) for column in self._key): row for row in self.connection.execute(query)}

    def change(self, rows: Mapping[Key, Mapping[str, Any]]) -> None:
        """Set columns of rows that are there, each row the same columns."""
        if not rows:
            return
        names = list(next(iter(rows.values())))
        which = [column == bindparam(f"key_{column.name}") for column in self._key]
        statement = update(self.table).where(*which).values({name: bindparam(f"new_{name}") for name in names})
        self.connection.execute(
            statement,
            [
                {f"key_{column.name}": value for column, value in zip(self._key, key, strict=True)}
                | {f"new_{name}": value for name, value in values.items()}
                for key, values in rows.items()
            ],
        )

    def remove(self, keys: Iterable[Key]) -> None:
        """Delete rows by their keys."""
        which = [column == bindparam(f"key_{column.name}") for column in self._key]
        rows = [{f"key_{column.name}": value for column, value in zip(self._key, key, strict=True)} for key in keys]
        self.connection.execute(delete(self.table).where(*which), rows)

    def bound_after(self, low: int | None) -> int | None:
        """The first key that ends a part of :data:`PART` rows; None where fewer are left."""
        first = self._key[0]
        query = select(first).order_by(*self._key).offset(PART - 1).limit(1)
        return self.connection.execute(query if low is None else query.where(first > low)).scalar()

    @property
    def numbered(self) -> bool:
        """Whether the first key column is a number, by which the table can be read in parts. Text orders otherwise on each
        database; tables keyed by text alone are small and are one part."""
        return self._key[0].type.python_type is int

    def _within(self, part: Part) -> list[Any]:
        first = self._key[0]
        return ([] if part.low is None else [first > part.low]) + ([] if part.high is None else [first <= part.high])


def parts(rows: Rows) -> Iterator[Part]:
    """The table in parts that together leave no key out, on whichever side."""
    low: int | None = None
    while rows.numbered and (high := rows.bound_after(low)) is not None:
        yield Part(low, high)
        low = high
    yield Part(low, None)


def differences(source: Rows, target: Rows, part: Part) -> Differences:
    """What has to be written to the target to make this part the same."""
    found = Differences()
    there = {key: hashed(row) for key, row in target.read(part).items()}
    within = source.table.info["within"]
    for key, row in source.read(part).items():
        mine = hashed(row)
        found.seen += 1
        found.summed += mine
        if there.get(key) == mine:
            continue
        values = dict(row._mapping)
        links = {name: values[name] for name in within if values[name] is not None}
        if links:
            found.later[key] = {name: values[name] for name in within}
        values |= dict.fromkeys(links)
        if key in there:
            found.other[key] = values
        else:
            found.new.append(values)
    return found


def hashed(row: Row[Any]) -> int:
    """A row's hash, the same for equal values on every database."""
    return int.from_bytes(hashlib.blake2b(repr(tuple(row)).encode(), digest_size=16).digest(), "big")


def digest(rows: Rows, *, apart: str) -> tuple[int, str]:
    """(number of rows, sum of their hashes) of a whole table; the counter called ``apart`` is left out."""
    seen = summed = 0
    for part in parts(rows):
        for key, row in rows.read(part).items():
            if key != (apart,):
                seen, summed = seen + 1, summed + hashed(row)
    return seen, f"{summed % 2**128:032x}"
