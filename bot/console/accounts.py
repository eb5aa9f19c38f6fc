"""Passwords, second factors and invitations: the rules, apart from pages and command line.

Passwords: argon2id with the library's defaults (RFC 9106, low-memory profile), 12 characters at least and no other rule
(NIST SP 800-63B, 5.1.1.2). Second factor: TOTP (RFC 6238), 30 s steps, one step of drift either way, each step used once.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from bot.console.parts import Parts, public_url
from bot.settings import Loaded
from ingest import divisions as division_table
from store import audit, cases, invitations, people
from store.errors import BadInput
from store.people import Role, User
from store.session import Store, Tx

MIN_PASSWORD = 12
MAX_PASSWORD = 256
_BESIDE_NAME = 8
_STEP_S = 30
_SECRET_BYTES = 20
_HASHER = PasswordHasher()


@dataclass(frozen=True, slots=True)
class Entered:
    """A good sign-in: who it is, and the session's token for their cookie."""

    user: User
    token: str


def enter(parts: Parts, login: str, password: str, code: str) -> Entered | None:
    """Check all three at once and begin a session. None where any is wrong or the person is locked out: a stranger learns
    neither which, nor whether there is such a person."""
    with parts.store.read() as tx:
        user = people.by_login(tx, login)
        secret = people.totp_secret(tx, user.id) if user is not None else None
    right = _password_fits(user.password_hash if user is not None else None, password)
    if user is None:
        return None
    now, settings = parts.clock(), parts.console
    with parts.store.write("console.sign_in") as tx:
        user = people.get(tx, user.id)
        if user.disabled_at is not None or (user.locked_until is not None and user.locked_until > now):
            return None
        step = None if secret is None or not right else matching_step(secret, code, now)
        if step is None or not people.use_totp_step(tx, user.id, step):
            _count_failure(tx, parts, user, now)
            return None
        token = secrets.token_urlsafe(32)
        people.note_sign_in(tx, user.id, well=True)
        people.start_session(tx, user.id, token, now + timedelta(hours=settings.session_hours))
        audit.append(tx, who=user.login, what="console.signed_in", object=f"user:{user.login}")
    return Entered(user, token)


def _count_failure(tx: Tx, parts: Parts, user: User, now: datetime) -> None:
    settings = parts.console
    out = (user.failures + 1) % settings.lockout_failures == 0
    until = now + timedelta(minutes=settings.lockout_minutes) if out else None
    people.note_sign_in(tx, user.id, well=False, locked_until=until)
    what = "console.locked_out" if out else "console.sign_in_failed"
    audit.append(tx, who=user.login, what=what, object=f"user:{user.login}")


def matching_step(secret: bytes, code: str, now: datetime) -> int | None:
    """The time step whose code was given (now, or one step either way), None where none fits."""
    given = "".join(code.split())
    present = int(now.timestamp()) // _STEP_S
    totp = pyotp.TOTP(base32(secret), interval=_STEP_S)
    for step in (present, present - 1, present + 1):
        if secrets.compare_digest(totp.at(step * _STEP_S).encode(), given.encode()):
            return step
    return None


def base32(secret: bytes) -> str:
    """A second factor's secret as authenticator apps read it."""
    return base64.b32encode(secret).decode("ascii").rstrip("=")


def enrolment_uri(user: User, secret: bytes) -> str:
    """The ``otpauth:`` address that the QR code holds."""
    return pyotp.TOTP(base32(secret)).provisioning_uri(name=user.login, issuer_name="suishoupai")


def check_password(password: str, login: str) -> str:
    """The hash of a password that may be used.

    Raises:
        BadInput: too short, too long, little more than the sign-in name, or the same few characters.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise BadInput(f"the password needs {MIN_PASSWORD} to {MAX_PASSWORD} characters")
    beside_name = password.casefold().replace(login.casefold(), "")
    if len(beside_name) < _BESIDE_NAME or len(set(password)) < 5:
        raise BadInput("the password is too easy to guess")
    return _HASHER.hash(password)


@cache
def _nobody() -> str:
    return _HASHER.hash(secrets.token_urlsafe(16))


def _password_fits(stored: str | None, given: str) -> bool:
    """Whether the password fits. Without a stored one the same time is spent, so that nobody learns who exists."""
    try:
        _HASHER.verify(stored or _nobody(), given[: MAX_PASSWORD + 1])
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


# --- inviting ------------------------------------------------------------------------------------------------------


def add(
    tx: Tx,
    login: str,
    *,
    by: str,
    name: str = "",
    roles: Sequence[Role],
    divisions: Sequence[str] = (),
    cases_of: Sequence[str] = (),
) -> User:
    """Make a person who may be invited.

    Args:
        divisions: Adcodes or their prefixes; an official needs one.
        cases_of: References of the cases that a family's sign-in is for; a family needs one.

    Raises:
        BadInput: no role, a division that does not exist, an official without one, a family without a case.
    """
    if not roles:
        raise BadInput("give the person a role")
    prefixes = [division_prefix(code) for code in divisions]
    if Role.OFFICIAL in roles and not prefixes:
        raise BadInput("an official needs the division they are responsible for")
    rows = [cases.get(tx, ref).id for ref in cases_of]
    if (Role.FAMILY in roles) != bool(rows):
        raise BadInput("a family's sign-in needs its case, and nobody else's has one")
    if Role.FAMILY in roles and len(set(roles)) > 1:
        raise BadInput("a family has no other role: nobody who asks for a child may see where children were seen")
    user = people.add(tx, login, name=name, roles=sorted({role.value for role in roles}), divisions=prefixes, cases=rows)
    details = {"roles": list(user.roles), "divisions": prefixes}
    audit.append(tx, who=by, what="console.person_added", object=f"user:{user.login}", details=details)
    return user


def division_prefix(code: str) -> str:
    """"440300" or "4403" as the prefix that holds the whole division ("4403").

    Raises:
        BadInput: there is no such division.
    """
    digits = code.strip()
    whole = digits.ljust(6, "0")
    if len(digits) not in (2, 4, 6) or not digits.isdecimal() or division_table.table().get(whole) is None:
        raise BadInput(f"{code!r} is no division code", mend="six digits of GB/T 2260, as in: suishoupai officials list")
    while len(digits) > 2 and digits.endswith("00"):
        digits = digits[:-2]
    return digits


def invite(loaded: Loaded, store: Store, login: str, *, by: str) -> str:
    """A new invitation of a person, as its address. They begin anew: the password, the second factor and all sessions of
    before no longer hold. The link works once, for ``console.invitation_hours``.

    Raises:
        BadInput: there is no such person.
    """
    token = secrets.token_urlsafe(32)
    with store.write("console.invite") as tx:
        user = people.by_login(tx, login)
        if user is None:
            raise BadInput(f"nobody is called {login}", mend="suishoupai people list")
        people.start_anew(tx, user.id, secrets.token_bytes(_SECRET_BYTES))
        expires = tx.now + timedelta(hours=loaded.settings.console.invitation_hours)
        invitations.add(tx, user.id, token, by=by, expires_at=expires)
        audit.append(tx, who=by, what="console.invited", object=f"user:{user.login}")
    return f"{public_url(loaded.settings)}/welcome/{token}"


def accept_invitation(parts: Parts, token: str, password: str, code: str) -> Entered | None:
    """Take an invitation: the password is set where the second factor's code proves that the app holds the secret.

    Returns None where the code is wrong (the invitation stays).

    Raises:
        BadInput: the password may not be used, or the invitation no longer works.
    """
    gone = BadInput("this invitation no longer works", mend="ask for a new one")
    with parts.store.read() as tx:
        user = invitations.find(tx, token)
        secret = people.totp_secret(tx, user.id) if user is not None else None
    if user is None or secret is None:
        raise gone
    hashed = check_password(password, user.login)
    now = parts.clock()
    step = matching_step(secret, code, now)
    if step is None:
        return None
    session = secrets.token_urlsafe(32)
    with parts.store.write("console.welcome") as tx:
        if not invitations.use(tx, token):
            raise gone
        people.set_password(tx, user.id, hashed)
        people.use_totp_step(tx, user.id, step)
        people.start_session(tx, user.id, session, now + timedelta(hours=parts.console.session_hours))
        audit.append(tx, who=user.login, what="console.joined", object=f"user:{user.login}")
    return Entered(user, session)


def revoke(tx: Tx, login: str, *, by: str) -> int:
    """Nobody signs in as this person any more, at once. Returns how many sessions ended.

    Raises:
        BadInput: there is no such person.
    """
    user = people.by_login(tx, login)
    if user is None:
        raise BadInput(f"nobody is called {login}", mend="suishoupai people list")
    ended = people.end_sessions(tx, user.id)
    people.disable(tx, user.id)
    invitations.void(tx, user.id)
    audit.append(tx, who=by, what="console.revoked", object=f"user:{user.login}")
    return ended
