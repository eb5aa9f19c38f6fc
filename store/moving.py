"""Moves a living installation into another database: row by row, resumable, and held to be the same by hashes.

First everything is copied as one unchanging state shows it, while the bot goes on. Then, with the bot stopped and every other
writer kept out, what has changed since is brought over and each table is compared whole. Killed anywhere, the same call goes on
where it was, since what is equal already is passed over. Sealed columns move as they are; photo files stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from sqlalchemy import Table, delete, select

from store import audit, dialect
from store.errors import Occupied, StoreError
from store.moving_rows import Rows, differences, digest, parts, plain
from store.session import Store, Tx
from store.tables import counters, metadata, secrets
from store.tombstones import PEPPER

MARK = "moving"
"""Stands among the target's counters until the move is complete; :func:`refuse_half` looks for it."""

Progress = Callable[[str, int, int], None]
"""Told (table, rows looked at, rows there are)."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One table: its rows, how many of them this call wrote or removed, and the sum of their hashes (equal on both sides)."""

    table: str
    rows: int
    changed: int
    digest: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """``complete`` where every table is known to be the same; else the bot still ran, and ``why`` says so."""

    complete: bool
    tables: tuple[Moved, ...]
    why: str = ""


def copy(source: Store, target: Store, progress: Progress = lambda *_: None) -> Outcome:
    """Copy every row of ``source`` into ``target``, and make sure of it unless a bot still runs on ``source``.

    Raises:
        StoreError: a schema does not fit, ``target`` holds another installation or a running bot, or a database failed. What was
            copied so far stays, and the same call goes on from there.
    """
    _fit(source, target)
    with target.lock_bot():
        _claim(source, target)
        with source.read() as tx:
            copied = tuple(_bring(tx, target, table, progress) for table in _tables())
        try:
            with source.lock_bot(), source.write("move.source") as tx:
                moved = _settle(tx, target, progress)
        except Occupied as error:
            return Outcome(complete=False, tables=copied, why=str(error))
    return Outcome(complete=True, tables=moved)


def refuse_half(store: Store) -> None:
    """Nobody works on a database into which a move is not complete.

    Raises:
        StoreError: the mark of an unfinished move stands in it.
    """
    with store.read() as tx:
        half = tx.execute(select(counters.c.value).where(counters.c.name == MARK)).first() is not None
    if half:
        raise StoreError("the copy into this database is not complete", mend="run `suishoupai store copy FROM TO` once more")


def _fit(source: Store, target: Store) -> None:
    if source.place == target.place:
        raise StoreError("a database is not copied into itself", mend="name two databases")
    state = source.schema_state()
    if state != "current":
        raise StoreError(f"the tables of {source.place} are {state} for this program", mend="migrate it first, or name another")
    if target.schema_state() in ("empty", "old"):
        target.migrate()
    if target.schema_state() != "current":
        raise StoreError(f"the tables of {target.place} are newer than this program", mend="update the program")


def _claim(source: Store, target: Store) -> None:
    """Mark the target as half done; what belongs to another installation is left alone."""
    pepper = select(secrets.c.sealed).where(secrets.c.name == PEPPER)
    with source.read() as tx:
        own = tx.execute(pepper).scalar()
    with target.write("move.claimed") as tx:
        there = tx.execute(pepper).scalar()
        filled = any(tx.execute(select(*table.primary_key.columns).limit(1)).first() for table in _tables())
        marked = tx.execute(select(counters.c.value).where(counters.c.name == MARK)).first()
        if filled and not marked and (own is None or there != own):
            raise StoreError(f"{target.place} holds another installation's data", mend="name an empty database")
        tx.execute(dialect.upsert(counters, ["name"]).values(name=MARK, value=1))


@cache
def _tables() -> tuple[Table, ...]:
    """Parents before children; secrets first, so that the target is known as this installation's from the start."""
    return tuple(sorted((plain(table) for table in metadata.sorted_tables), key=lambda table: table.name != secrets.name))


def _settle(source: Tx, target: Store, progress: Progress) -> tuple[Moved, ...]:
    """With the source held still: remove what it no longer has, bring what changed, compare every table, and lift the mark."""
    removed = {table.name: _remove(source, target, table) for table in reversed(_tables())}
    moved = []
    for table in _tables():
        brought = _bring(source, target, table, progress)
        with target.read() as tx:
            rows, found = digest(Rows(tx.connection, table), apart=MARK if table.name == counters.name else "")
        if (rows, found) != (brought.rows, brought.digest):
            raise StoreError(
                f"{table.name} differs after the copy: {brought.rows} rows became {rows}",
                mend="see that nobody else writes to the target, then run it once more",
            )
        moved.append(Moved(table.name, rows, brought.changed + removed[table.name], found))
    with target.write("move.complete") as tx:
        dialect.set_sequences(tx.connection, metadata.sorted_tables)
        tx.execute(delete(counters).where(counters.c.name == MARK))
    with target.read() as tx:
        broken = audit.verify(tx) if _opens(tx) else None
    if broken is not None:
        raise StoreError(f"event {broken.event_id} of the audit record does not hold: {broken.why}", mend="audit verify both")
    return tuple(moved)


def _opens(tx: Tx) -> bool:
    """Whether the key at hand opens the pepper: without it the record of events is compared, but not recomputed."""
    sealed = tx.execute(select(secrets.c.sealed).where(secrets.c.name == PEPPER)).scalar()
    if sealed is None:
        return False
    try:
        tx.vault.open(sealed, PEPPER)
    except StoreError:
        return False
    return True


def _remove(source: Tx, target: Store, table: Table) -> int:
    """Remove rows that the source does not have (any more)."""
    gone = 0
    for part in parts(Rows(source.connection, table)):
        with target.read() as tx:
            extra = Rows(tx.connection, table).keys(part) - Rows(source.connection, table).keys(part)
        if table.name == counters.name:
            extra -= {(MARK,)}
        if extra:
            with target.write("move.removed") as tx:
                Rows(tx.connection, table).remove(extra)
        gone += len(extra)
    return gone


def _bring(source: Tx, target: Store, table: Table, progress: Progress) -> Moved:
    """Write what the target lacks or has otherwise. References within the table are set once all its rows are there."""
    rows = Rows(source.connection, table)
    total, seen, changed, summed = rows.count(), 0, 0, 0
    later: dict[tuple[object, ...], dict[str, object]] = {}
    for part in parts(rows):
        with target.read() as tx:
            found = differences(rows, Rows(tx.connection, table), part)
        if found.changed:
            with target.write("move.part") as tx:
                dialect.insert_many(tx.connection, table, found.new)
                Rows(tx.connection, table).change(found.other)
        later |= found.later
        seen, changed, summed = seen + found.seen, changed + found.changed, summed + found.summed
        progress(table.name, seen, total)
    for links in _by_thousands(later):
        with target.write("move.links") as tx:
            Rows(tx.connection, table).change(links)
    return Moved(table.name, seen, changed, f"{summed % 2**128:032x}")


def _by_thousands(later: dict[tuple[object, ...], dict[str, object]]) -> Iterator[dict[tuple[object, ...], dict[str, object]]]:
    keys = list(later)
    for start in range(0, len(keys), 1000):
        yield {key: later[key] for key in keys[start : start + 1000]}
