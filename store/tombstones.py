"""What was erased and must not come back: keyed hashes, from which nobody can read what they stand for.

The key (the *pepper*) is random, made once for each database and kept in it sealed by the vault, so that the tombstones
outlive a change of the vault's key, and a copy of the database without that key cannot be searched for a name or photo.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets as random
from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import insert, select

from store import dialect
from store.session import Store, Tx
from store.tables import secrets, tombstones

PEPPER = "pepper"


class Kind(StrEnum):
    """What a tombstone stands for, and what is hashed: POST (platform, id), AUTHOR (platform, id), PHOTO (sha256 of the
    bytes, or phash of the picture), CASE (source, reference in that source)."""

    POST = "post"
    AUTHOR = "author"
    PHOTO = "photo"
    CASE = "case"


_ANY = select(tombstones.c.mac).limit(1)
_PEPPER = select(secrets.c.sealed).where(secrets.c.name == PEPPER)


class Tombstones:
    """The tombstones as one transaction sees them. Cheap to make; nothing is computed while there are none."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._any = tx.execute(_ANY).first() is not None
        self._pepper = pepper(tx) if self._any else b""

    def stands(self, kind: Kind, *parts: str) -> bool:
        """Whether this was erased for good."""
        if not self._any:
            return False
        wanted = mac(self._pepper, kind, *parts)
        return self._tx.execute(select(tombstones.c.mac).where(tombstones.c.mac == wanted)).first() is not None


def put(tx: Tx, kind: Kind, *parts: str) -> str:
    """Make a tombstone (twice is once) and return its hash."""
    made = mac(pepper(tx), kind, *parts)
    put_macs(tx, [(made, kind)])
    return made


def put_macs(tx: Tx, made: Iterable[tuple[str, Kind]]) -> None:
    """Make tombstones whose hashes are known (a restore brings back the newer ones)."""
    for found, kind in made:
        tx.execute(dialect.upsert(tombstones, ["mac"]).values(mac=found, kind=kind.value, at=tx.now))


def all_macs(tx: Tx) -> dict[str, Kind]:
    """Every tombstone."""
    return {row.mac: Kind(row.kind) for row in tx.execute(select(tombstones.c.mac, tombstones.c.kind))}


def pepper(tx: Tx) -> bytes:
    """The key of this database's tombstones, made at first use (which needs a writing transaction).

    Raises:
        StoreError: the vault's key is not the one of this database.
    """
    sealed = tx.execute(_PEPPER).scalar()
    if sealed is not None:
        return tx.vault.open(sealed, PEPPER)
    made = random.token_bytes(32)
    tx.execute(insert(secrets).values(name=PEPPER, sealed=tx.vault.seal(made, PEPPER)))
    return made


def check_key(tx: Tx) -> None:
    """Make sure, before anything is sealed or read, that the key at hand is the one of this database.

    Raises:
        StoreError: it is another key, or there is none though the database is sealed (or the other way round).
    """
    pepper(tx)


def check_store_key(store: Store) -> None:
    """:func:`check_key` for a store that is being opened; writes only where the database has no pepper yet.

    Raises:
        StoreError: as :func:`check_key`. Going on with another key would seal new faces and photos apart from the old ones.
    """
    with store.read() as tx:
        known = tx.execute(select(secrets.c.name).where(secrets.c.name == PEPPER)).first() is not None
        if known:
            check_key(tx)
    if not known:
        with store.write("key.first") as tx:
            check_key(tx)


def mac(key: bytes, kind: Kind, *parts: str) -> str:
    """The keyed hash of a tombstone; the parts are told apart, so ("a", "bc") is not ("ab", "c")."""
    body = "\x1f".join((kind.value, *(dialect.clean_text(part).replace("\x1f", "\ufffd") for part in parts)))
    return hmac.new(key, body.encode(), hashlib.sha256).hexdigest()
