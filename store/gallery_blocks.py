"""The gallery's templates, sealed in blocks, so that a restart with a million cases opens hundreds of values and not a million.

A block holds the templates of the cases ``[number * CASES, (number + 1) * CASES)`` for one model pack as they stood at a change
sequence number; whoever reads it takes in what changed since. It is derived: a block that is not there, or does not open, costs
time and nothing else. It lies in the database, so that it is sealed like every vector, and goes with the transaction that erases
one of its cases.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, select

from store import dialect
from store.errors import StoreError
from store.session import Tx
from store.tables import gallery_blocks

CASES = 4096
"""Case ids of one block: 1 MB of templates at 128 dimensions, 4 MB at 512."""


@dataclass(frozen=True, slots=True)
class Block:
    """Templates as rows (float16, shape (n, dimension)), with their cases' ids (ascending) and group numbers."""

    case_ids: NDArray[np.int64]
    groups: NDArray[np.uint8]
    rows: NDArray[np.float16] = field(repr=False)


def number_of(case_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """The block that each case belongs to."""
    return case_ids // CASES


def kept(tx: Tx, pack_sha256: str) -> dict[int, int]:
    """The blocks that are there for a pack, each with the change sequence number at which it was made."""
    query = select(gallery_blocks.c.number, gallery_blocks.c.seq).where(gallery_blocks.c.pack_sha256 == pack_sha256)
    return {row.number: row.seq for row in tx.execute(query)}


def read(tx: Tx, pack_sha256: str, number: int) -> Block | None:
    """One block; None where it is not there or does not open (another key, damage): the tables still have everything."""
    query = select(gallery_blocks.c.sealed).where(gallery_blocks.c.pack_sha256 == pack_sha256, gallery_blocks.c.number == number)
    sealed = tx.execute(query).scalar()
    if sealed is None:
        return None
    try:
        plain = tx.vault.open(sealed, _context(pack_sha256, number))
    except StoreError:
        return None
    count = int(np.frombuffer(plain, "<i8", 1)[0])
    ids = np.frombuffer(plain, "<i8", count, offset=8)
    groups = np.frombuffer(plain, np.uint8, count, offset=8 + 8 * count)
    rows = np.frombuffer(plain, "<f2", offset=8 + 9 * count).reshape(count, -1)
    return Block(ids, groups, rows)


def write(tx: Tx, pack_sha256: str, number: int, seq: int, block: Block) -> None:
    """Keep a block as its cases stand at ``seq``, in place of what was there. The caller has made sure, in this transaction,
    that nothing changed since."""
    count = np.array([len(block.case_ids)], "<i8")
    parts = (count, block.case_ids.astype("<i8"), block.groups, block.rows.astype("<f2"))
    sealed = tx.vault.seal(b"".join(np.ascontiguousarray(part).tobytes() for part in parts), _context(pack_sha256, number))
    values = {"seq": seq, "sealed": sealed}
    statement = dialect.upsert(gallery_blocks, ["pack_sha256", "number"], list(values))
    tx.execute(statement.values(pack_sha256=pack_sha256, number=number, **values))


def forget(tx: Tx, case_ids: Iterable[int]) -> None:
    """Remove the blocks that hold these cases, for every pack: what is erased must not live on in a copy."""
    numbers = {case_id // CASES for case_id in case_ids}
    if numbers:
        tx.execute(delete(gallery_blocks).where(gallery_blocks.c.number.in_(sorted(numbers))))


def forget_all(tx: Tx, but: str | None = None) -> int:
    """Remove every block (but those of one pack); returns how many. The next start makes them anew."""
    query = delete(gallery_blocks)
    return tx.execute(query if but is None else query.where(gallery_blocks.c.pack_sha256 != but)).rowcount


def _context(pack_sha256: str, number: int) -> str:
    return f"gallery_block:{pack_sha256}:{number}"
