"""Who may sign in to the console, and their sessions. Passwords and tokens are kept as hashes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from store.errors import BadInput, NotFound
from store.session import Tx
from store.tables import user_cases, user_sessions, users
from store.tokens import token_hash


class Role(StrEnum):
    """What a person may do in the console. An official sees their divisions alone, a family its cases alone."""

    VOLUNTEER = "volunteer"
    LEAD_REVIEWER = "lead_reviewer"
    OFFICIAL = "official"
    FAMILY = "family"
    OPERATOR = "operator"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class User:
    """A person who may sign in. ``divisions`` are adcode prefixes ("4403"); none means everywhere (but for an official:
    nowhere). ``cases`` are the rows of the cases that a family's sign-in is for. ``lang`` is "" until they chose."""

    id: int
    login: str
    name: str
    roles: tuple[str, ...]
    divisions: tuple[str, ...]
    failures: int
    locked_until: datetime | None
    disabled_at: datetime | None
    created_at: datetime
    password_hash: str | None = field(repr=False)
    cases: tuple[int, ...] = ()
    lang: str = ""
    totp_step: int | None = field(default=None, repr=False)


def add(
    tx: Tx,
    login: str,
    *,
    name: str = "",
    password_hash: str | None = None,
    totp_secret: bytes | None = None,
    roles: Sequence[str] = (),
    divisions: Sequence[str] = (),
    cases: Sequence[int] = (),
) -> User:
    """Make a user.

    Raises:
        BadInput: the login is empty or taken.
    """
    login = login.strip().casefold()
    if not login or by_login(tx, login) is not None:
        raise BadInput(f"the sign-in name '{login}' is empty or taken")
    statement = insert(users).values(
        login=login,
        name=name,
        password_hash=password_hash,
        totp_secret=None if totp_secret is None else tx.vault.seal(totp_secret, _context(login)),
        roles=list(roles),
        divisions=list(divisions),
        created_at=tx.now,
    )
    number = int(tx.execute(statement.returning(users.c.id)).scalar_one())
    set_cases(tx, number, cases)
    return get(tx, number)


def set_cases(tx: Tx, user_id: int, cases: Sequence[int]) -> None:
    """The cases that a family's sign-in is for, replacing those before."""
    tx.execute(delete(user_cases).where(user_cases.c.user_id == user_id))
    if cases:
        tx.execute(insert(user_cases), [{"user_id": user_id, "case_id": case_id} for case_id in sorted(set(cases))])


def get(tx: Tx, user_id: int) -> User:
    """A user by number.

    Raises:
        NotFound: there is none.
    """
    row = tx.execute(select(users).where(users.c.id == user_id)).first()
    if row is None:
        raise NotFound(f"no user is stored as number {user_id}")
    return _user(tx, row)


def by_login(tx: Tx, login: str) -> User | None:
    """A user by the name they sign in with (case does not matter)."""
    row = tx.execute(select(users).where(users.c.login == login.strip().casefold())).first()
    return None if row is None else _user(tx, row)


def totp_secret(tx: Tx, user_id: int) -> bytes | None:
    """The secret of a user's second factor."""
    row = tx.execute(select(users.c.totp_secret, users.c.login).where(users.c.id == user_id)).first()
    return None if row is None or row.totp_secret is None else tx.vault.open(row.totp_secret, context(row))


def listing(tx: Tx) -> list[User]:
    """All users, by sign-in name."""
    return [_user(tx, row) for row in tx.execute(select(users).order_by(users.c.login))]


def set_password(tx: Tx, user_id: int, password_hash: str) -> None:
    """Change a password; every session of the user ends."""
    _set(tx, user_id, password_hash=password_hash, failures=0, locked_until=None)
    end_sessions(tx, user_id)


def start_anew(tx: Tx, user_id: int, totp_secret: bytes) -> None:
    """Take a user's password away and give a new second factor: only an invitation lets them in again. Sessions end."""
    sealed = tx.vault.seal(totp_secret, _context(get(tx, user_id).login))
    _set(tx, user_id, password_hash=None, totp_secret=sealed, totp_step=None, failures=0, locked_until=None, disabled_at=None)
    end_sessions(tx, user_id)


def set_lang(tx: Tx, user_id: int, lang: str) -> None:
    """Remember the language a user reads ("zh", "en")."""
    _set(tx, user_id, lang=lang)


def use_totp_step(tx: Tx, user_id: int, step: int) -> bool:
    """Take a time step of the second factor, once: False where this or a later one was used (RFC 6238, section 5.2)."""
    unused = users.c.totp_step.is_(None) | (users.c.totp_step < step)
    return tx.execute(update(users).where(users.c.id == user_id, unused).values(totp_step=step)).rowcount == 1


def disable(tx: Tx, user_id: int) -> None:
    """Nobody signs in as this user any more; every session ends."""
    _set(tx, user_id, disabled_at=tx.now)
    end_sessions(tx, user_id)


def note_sign_in(tx: Tx, user_id: int, *, well: bool, locked_until: datetime | None = None) -> None:
    """Count failed attempts; a good one starts the count anew."""
    _set(tx, user_id, failures=0 if well else users.c.failures + 1, locked_until=locked_until)


def start_session(tx: Tx, user_id: int, token: str, expires_at: datetime) -> None:
    """Remember a session by the hash of its token."""
    values = {"token_hash": token_hash(token), "user_id": user_id, "created_at": tx.now, "expires_at": expires_at}
    tx.execute(insert(user_sessions).values(**values))


def of_session(tx: Tx, token: str) -> User | None:
    """Who a session's token belongs to; None where it is unknown, expired, ended, or its user is disabled."""
    query = (
        select(users)
        .join(user_sessions, user_sessions.c.user_id == users.c.id)
        .where(
            user_sessions.c.token_hash == token_hash(token),
            user_sessions.c.expires_at > tx.now,
            user_sessions.c.revoked_at.is_(None),
            users.c.disabled_at.is_(None),
        )
    )
    row = tx.execute(query).first()
    return None if row is None else _user(tx, row)


def end_sessions(tx: Tx, user_id: int) -> int:
    """End every session of a user. Returns how many."""
    query = update(user_sessions).where(user_sessions.c.user_id == user_id, user_sessions.c.revoked_at.is_(None))
    return tx.execute(query.values(revoked_at=tx.now)).rowcount


def end_session(tx: Tx, token: str) -> None:
    """Sign out."""
    tx.execute(update(user_sessions).where(user_sessions.c.token_hash == token_hash(token)).values(revoked_at=tx.now))


def context(row: Row[Any]) -> str:
    """What binds a user's sealed second factor to their row."""
    return _context(row.login)


def _context(login: str) -> str:
    return f"totp:{login}"


def _set(tx: Tx, user_id: int, **values: Any) -> None:
    if tx.execute(update(users).where(users.c.id == user_id).values(**values)).rowcount != 1:
        raise NotFound(f"no user is stored as number {user_id}")


def _user(tx: Tx, row: Row[Any]) -> User:
    mine = select(user_cases.c.case_id).where(user_cases.c.user_id == row.id).order_by(user_cases.c.case_id)
    return User(
        id=row.id,
        login=row.login,
        name=row.name,
        roles=tuple(row.roles),
        divisions=tuple(row.divisions),
        failures=row.failures,
        locked_until=row.locked_until,
        disabled_at=row.disabled_at,
        created_at=row.created_at,
        password_hash=row.password_hash,
        cases=tuple(tx.execute(mine).scalars()) if Role.FAMILY in row.roles else (),
        lang=row.lang,
        totp_step=row.totp_step,
    )
