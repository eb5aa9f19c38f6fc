"""Accounts and pictures that were found to be junk. What they post is stored and can be looked at; it is worked on last,
and never answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import bindparam, delete, select

from store import dialect
from store.errors import BadInput
from store.session import Tx
from store.tables import bans


class BanKind(StrEnum):
    """ACCOUNT: the platform's account id. PICTURE: a perceptual hash (16 hexadecimal digits; the platform does not matter)."""

    ACCOUNT = "account"
    PICTURE = "picture"


@dataclass(frozen=True, slots=True)
class Ban:
    """One entry of the list."""

    kind: BanKind
    platform: str
    value: str
    by: str
    why: str
    at: datetime


def ban(tx: Tx, kind: BanKind, value: str, *, by: str, why: str, platform: str = "") -> bool:
    """Put an account or a picture on the list. True if it was not there.

    Raises:
        BadInput: nobody, no reason, or (for an account) no platform is named.
    """
    if not value.strip() or not by.strip() or not why.strip() or (kind is BanKind.ACCOUNT) != bool(platform):
        raise BadInput("a ban names what is banned, who bans it and why, and an account's platform")
    statement = dialect.upsert(bans, ["kind", "platform", "value"]).values(
        kind=kind.value, platform=platform, value=value, by=by, why=why, at=tx.now
    )
    return tx.execute(statement.returning(bans.c.value)).first() is not None


def lift(tx: Tx, kind: BanKind, value: str, *, platform: str = "") -> bool:
    """Take an entry off the list. True if it was there."""
    where = (bans.c.kind == kind.value, bans.c.platform == platform, bans.c.value == value)
    return tx.execute(delete(bans).where(*where)).rowcount == 1


def account_banned(tx: Tx, platform: str, author_id: str) -> bool:
    """Whether an account is on the list."""
    return _stands(tx, BanKind.ACCOUNT, platform, author_id)


def picture_banned(tx: Tx, phash: str, max_distance: int = 0) -> bool:
    """Whether a picture, or one within ``max_distance`` differing bits of 64, is on the list (a short one: it is walked)."""
    if max_distance == 0:
        return _stands(tx, BanKind.PICTURE, "", f"{int(phash, 16):016x}")
    listed = tx.execute(select(bans.c.value).where(bans.c.kind == BanKind.PICTURE.value)).scalars()
    return any((int(value, 16) ^ int(phash, 16)).bit_count() <= max_distance for value in listed)


def listing(tx: Tx) -> list[Ban]:
    """The whole list, newest first."""
    rows = tx.execute(select(bans).order_by(bans.c.at.desc(), bans.c.kind, bans.c.value))
    return [Ban(BanKind(row.kind), row.platform, row.value, row.by, row.why, row.at) for row in rows]


_STANDS = select(bans.c.at).where(
    bans.c.kind == bindparam("kind"), bans.c.platform == bindparam("platform"), bans.c.value == bindparam("value")
)


def _stands(tx: Tx, kind: BanKind, platform: str, value: str) -> bool:
    return tx.execute(_STANDS, {"kind": kind.value, "platform": platform, "value": value}).first() is not None
