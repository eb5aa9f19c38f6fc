"""Short references that people read, type and say: ``S-4F7K`` for a sighting, ``C-9X2M`` for a case."""

from __future__ import annotations

import secrets

from sqlalchemy import Table, select

from store.errors import StoreError
from store.session import Tx

ALPHABET = "0123456789BCDFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32 without its vowels: no letter looks like a digit, and no word can come out."""


def new_ref(tx: Tx, table: Table, prefix: str) -> str:
    """A random reference that no row of ``table`` has. Starts with four signs (810,000 of them), grows as they fill up."""
    for attempt in range(32):
        ref = f"{prefix}-" + "".join(secrets.choice(ALPHABET) for _ in range(4 + attempt // 4))
        if tx.execute(select(table.c.id).where(table.c.ref == ref)).first() is None:
            return ref
    raise StoreError(f"no free reference {prefix}-... was found", mend="this cannot happen by chance; please report it")


def tidy_ref(text: str) -> str:
    """What a person typed as the reference they meant: upper case, no blanks, O read as 0, I and L as 1."""
    prefix, dash, rest = text.strip().upper().replace(" ", "").partition("-")
    return prefix + dash + rest.translate(str.maketrans("OIL", "011"))
