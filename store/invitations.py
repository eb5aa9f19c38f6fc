"""Invitations to the console: links that work once and expire. Kept as hashes alone, like sessions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, select, update

from store import people
from store.people import User
from store.session import Tx
from store.tables import invitations
from store.tokens import token_hash


def add(tx: Tx, user_id: int, token: str, *, by: str, expires_at: datetime) -> None:
    """Remember an invitation of a user; those before it no longer work."""
    void(tx, user_id)
    values = {"token_hash": token_hash(token), "user_id": user_id, "by": by, "created_at": tx.now, "expires_at": expires_at}
    tx.execute(insert(invitations).values(**values))


def find(tx: Tx, token: str) -> User | None:
    """Whom an invitation is for; None where it is unknown, used or expired, or its user disabled."""
    query = select(invitations.c.user_id).where(
        invitations.c.token_hash == token_hash(token), invitations.c.used_at.is_(None), invitations.c.expires_at > tx.now
    )
    number = tx.execute(query).scalar()
    user = None if number is None else people.get(tx, number)
    return None if user is None or user.disabled_at is not None else user


def use(tx: Tx, token: str) -> bool:
    """Take an invitation. False where somebody was faster: of two at once, one gets in."""
    query = update(invitations).where(invitations.c.token_hash == token_hash(token), invitations.c.used_at.is_(None))
    return tx.execute(query.values(used_at=tx.now)).rowcount == 1


def void(tx: Tx, user_id: int) -> None:
    """No open invitation of this user works any more."""
    query = update(invitations).where(invitations.c.user_id == user_id, invitations.c.used_at.is_(None))
    tx.execute(query.values(used_at=tx.now))
