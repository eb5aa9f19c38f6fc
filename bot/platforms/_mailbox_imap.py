"""The mailbox over IMAP4rev1 (RFC 3501), a connection a call; the library's errors become the project's.

Addresses: ``imaps://host[:993]`` is TLS from the first byte, ``imap://host[:143]`` must offer STARTTLS. Plain text is spoken
with this machine alone.
"""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from store.errors import BadResponse, Blocked, PlatformError, RateLimited, Unauthorised, Unreachable

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
READING = ("imaps", "imap")
SENDING = ("smtps", "smtp")
_PORTS = {"imaps": 993, "imap": 143, "smtps": 465, "smtp": 587}
_LATER = re.compile(r"\[(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG|CONTACTADMIN)\]|too many|try again|rate limit", re.IGNORECASE)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens and how it is spoken to."""

    scheme: str
    host: str
    port: int

    @property
    def is_local(self) -> bool:
        return self.host in LOOPBACK


def server_address(url: str, schemes: Sequence[str]) -> Address:
    """``scheme://host[:port]`` as an :class:`Address`.

    Raises:
        ValueError: another scheme, no host, or more than that in it.
    """
    found = urlsplit(url)
    if found.scheme not in schemes or not found.hostname or found.path.strip("/") or found.query or found.username:
        raise ValueError(f"expected {' or '.join(s + '://host[:port]' for s in schemes)}, without user name or path")
    return Address(found.scheme, found.hostname, found.port or _PORTS[found.scheme])


@lru_cache(maxsize=8)
def tls(ca_file: Path | None) -> ssl.SSLContext:
    """A context that proves the server's name, with the system's authorities or those of ``ca_file``; read once a process."""
    return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)


@dataclass(frozen=True, slots=True)
class Account:
    """What it takes to open the mailbox. Its repr hides the password."""

    server: Address
    user: str
    password: str
    folder: str
    timeout_s: float
    context: ssl.SSLContext

    def __repr__(self) -> str:
        return f"Account({self.user} at {self.server.host})"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the server knows of a mail without opening it."""

    uid: int
    arrived_at: datetime
    size_bytes: int


class Box:
    """An open, selected folder. Made by :func:`open_box`."""

    def __init__(self, connection: imaplib.IMAP4, where: str) -> None:
        self._connection, self._where = connection, where
        self.validity = self._number("UIDVALIDITY")

    def _number(self, code: str) -> int:
        value = self._connection.response(code)[1]
        if not value or not isinstance(value[0], bytes) or not value[0].isdigit():
            raise BadResponse(f"{self._where}: the server names no {code}")
        return int(value[0])

    def search(self, *criteria: str) -> list[int]:
        """The UIDs that fit all ``criteria``, ascending."""
        data = self._ask("SEARCH", *criteria)
        numbers = b" ".join(item for item in data if isinstance(item, bytes)).split()
        if not all(n.isdigit() for n in numbers):
            raise BadResponse(f"{self._where}: SEARCH gave something else than numbers")
        return sorted({int(n) for n in numbers})

    def envelopes(self, uids: Sequence[int]) -> list[Envelope]:
        """Arrival and size of each mail that still exists, in the order of ``uids``."""
        if not uids:
            return []
        found = {}
        for item in self._ask("FETCH", ",".join(map(str, uids)), "(UID INTERNALDATE RFC822.SIZE)"):
            line = item[0] if isinstance(item, tuple) else item
            if isinstance(line, bytes) and (envelope := _envelope(line)) is not None:
                found[envelope.uid] = envelope
        return [found[uid] for uid in uids if uid in found]

    def whole(self, uid: int) -> bytes | None:
        """A mail as it came, without marking it as read; None where it is gone."""
        return self._literal(uid, "(UID BODY.PEEK[])")

    def head(self, uid: int) -> bytes | None:
        """A mail's header section; None where it is gone."""
        return self._literal(uid, "(UID BODY.PEEK[HEADER])")

    def remove(self, uids: Sequence[int]) -> None:
        """Delete mails for good."""
        if uids:
            self._ask("STORE", ",".join(map(str, uids)), "+FLAGS.SILENT", r"(\Deleted)")
            with _translated(self._where):
                self._connection.expunge()

    def _literal(self, uid: int, what: str) -> bytes | None:
        for item in self._ask("FETCH", str(uid), what):
            if isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], bytes):
                return item[1]
        return None

    def _ask(self, command: str, *words: str) -> list[Any]:
        with _translated(self._where):
            kind, data = self._connection.uid(command, *words)
        if kind != "OK":
            raise _refusal(f"{self._where}: {command}", data)
        return data


@contextmanager
def open_box(account: Account, *, writes: bool = False) -> Iterator[Box]:
    """Connect, sign in and select the folder (read-only unless ``writes``); signs out at the end.

    Raises:
        Unreachable, Unauthorised, RateLimited, Blocked, BadResponse: as :class:`ingest.source.Source` has it.
    """
    where = f"IMAP {account.server.host}"
    connection = _connect(account, where)
    try:
        _sign_in(connection, account, where)
        with _translated(where):
            kind, data = connection.select(_quoted(account.folder), readonly=not writes)
        if kind != "OK":
            raise _refusal(f"{where}: folder {account.folder}", data, otherwise=BadResponse)
        yield Box(connection, where)
    finally:
        try:
            connection.logout()
        except (imaplib.IMAP4.error, OSError):
            connection.shutdown()


def check_sign_in(account: Account) -> None:
    """Sign in and out again. Raises as :func:`open_box`."""
    with open_box(account):
        pass


def _connect(account: Account, where: str) -> imaplib.IMAP4:
    server = account.server
    try:
        if server.scheme == "imaps":
            return imaplib.IMAP4_SSL(server.host, server.port, ssl_context=account.context, timeout=account.timeout_s)
        connection = imaplib.IMAP4(server.host, server.port, timeout=account.timeout_s)
    except ssl.SSLError as error:
        raise Blocked(f"{where}: no proven TLS ({error.reason or type(error).__name__})", mend="check address and port") from None
    except imaplib.IMAP4.error as error:
        if isinstance(error, imaplib.IMAP4.abort) and "unexpected" not in str(error):
            raise Unreachable(f"{where}: the connection broke at once") from None
        if _LATER.search(str(error)):
            raise RateLimited(f"{where}: the server takes nobody now") from None
        raise Blocked(f"{where}: this is not an IMAP server's greeting", mend="check address and port") from None
    except OSError as error:
        raise Unreachable(f"{where}: {type(error).__name__}") from None
    if "STARTTLS" in connection.capabilities:
        with _translated(where):
            connection.starttls(account.context)
    elif not server.is_local:
        connection.shutdown()
        raise Blocked(f"{where}: the server offers no TLS; nothing was sent", mend="use imaps://")
    return connection


def _sign_in(connection: imaplib.IMAP4, account: Account, where: str) -> None:
    try:
        connection.login(account.user, account.password)
    except imaplib.IMAP4.abort:
        raise Unreachable(f"{where}: the connection broke while signing in") from None
    except imaplib.IMAP4.error as error:
        # The library's error repeats the server's words, never the password; only the code is passed on.
        if _LATER.search(str(error)):
            raise RateLimited(f"{where}: the server takes no sign-in now") from None
        raise Unauthorised(f"{where}: the server refused the sign-in", mend="check MAILBOX_USER and MAILBOX_PASSWORD") from None
    except OSError as error:
        raise Unreachable(f"{where}: {type(error).__name__}") from None
    if "ID" in connection.capabilities:
        # RFC 2971. NetEase (163, 126) refuses SELECT to clients that do not say who they are.
        with _translated(where):
            connection.xatom("ID", '("name" "suishoupai" "version" "1")')


@contextmanager
def _translated(where: str) -> Iterator[None]:
    try:
        yield
    except imaplib.IMAP4.abort as error:
        raise Unreachable(f"{where}: the connection broke ({str(error)[:80]})") from None
    except imaplib.IMAP4.error as error:
        raise BadResponse(f"{where}: {str(error)[:120]}") from None
    except OSError as error:
        raise Unreachable(f"{where}: {type(error).__name__}") from None


def _refusal(where: str, data: Sequence[Any], otherwise: type[PlatformError] = BadResponse) -> PlatformError:
    words = b" ".join(item for item in data if isinstance(item, bytes)).decode("utf-8", "replace")[:160]
    return RateLimited(f"{where}: {words}") if _LATER.search(words) else otherwise(f"{where}: refused: {words}")


def _envelope(line: bytes) -> Envelope | None:
    uid, size = re.search(rb"\bUID (\d{1,10})\b", line), re.search(rb"\bRFC822\.SIZE (\d{1,12})\b", line)
    date = re.search(rb'INTERNALDATE "([^"]{20,30})"', line)
    if uid is None or size is None or date is None:
        return None
    try:
        arrived = parsedate_to_datetime(date[1].decode("ascii", "replace").strip().replace("-", " ", 2))
    except (ValueError, TypeError):
        return None
    return Envelope(int(uid[1]), arrived.astimezone(UTC), int(size[1]))


def day(moment: datetime, *, days_before: int = 0) -> str:
    """An IMAP date, ``days_before`` days earlier: servers search by their own time zone's days."""
    at = moment.astimezone(UTC) - timedelta(days=days_before)
    return f"{at.day:02d}-{_MONTHS[at.month - 1]}-{at.year}"


def quoted(value: str) -> str:
    """A quoted string for a search. Raises ValueError for what cannot stand in one."""
    if not value.isascii() or not value.isprintable():
        raise ValueError("only printable ASCII can be searched for")
    return _quoted(value)


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
