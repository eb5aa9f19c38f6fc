"""Answers over SMTP (RFC 5321): one mail, one transaction, and a clear word on whether it was taken.

The point of no return is the final dot of DATA. Before it nothing was sent; after it only a reply code tells. The mail goes to
its addressee *and* to the bot's own mailbox in the same transaction, so that the copy there proves that it was taken.
"""

from __future__ import annotations

import hashlib
import hmac
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address as MailAddress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from bot.platforms._mailbox_imap import Address
from store.errors import Blocked, Doubtful, PlatformError, RateLimited, Refused, Unauthorised, Unreachable

_MAX_REFERENCES = 20


@dataclass(frozen=True, slots=True)
class Letter:
    """An answer before it is a mail. ``target`` and ``references`` are Message-IDs without brackets."""

    to: str
    text: str
    ref: str
    target: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sender:
    """The bot as a correspondent. Its repr hides the password."""

    server: Address
    user: str
    password: str
    address: str
    name: str
    timeout_s: float
    context: ssl.SSLContext

    def __repr__(self) -> str:
        return f"Sender({self.address} by {self.server.host})"

    def message_id(self, target: str, text: str) -> str:
        """The one id of this answer: the same words to the same mail have the same id, and nobody else can make it."""
        digest = hmac.new(self.password.encode(), f"{target}\n{text}".encode(), hashlib.sha256).hexdigest()[:40]
        return f"suishoupai.{digest}@{self.address.rpartition('@')[2]}"


def compose(sender: Sender, letter: Letter, now: datetime) -> EmailMessage:
    """The answer as a mail: threaded (RFC 5322, 3.6.4), marked automatic (RFC 3834, 5), none of the sender's words in it."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = MailAddress(sender.name, addr_spec=sender.address)
    mail["To"] = MailAddress(addr_spec=letter.to)
    # Not "Re: their subject": a forged sender would make the bot carry anybody's words to anybody.
    mail["Subject"] = f"{sender.name} {letter.ref}".strip()
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{sender.message_id(letter.target, letter.text)}>"
    mail["In-Reply-To"] = f"<{letter.target}>"
    earlier = [r for r in letter.references if r != letter.target]
    kept = earlier[:1] + earlier[1:][-_MAX_REFERENCES:]
    mail["References"] = " ".join(f"<{reference}>" for reference in (*kept, letter.target))
    mail["Auto-Submitted"] = "auto-replied"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(letter.text + "\n", cte="base64" if not letter.text.isascii() else "quoted-printable")
    return mail


def send(sender: Sender, mail: EmailMessage, to: str) -> None:
    """Hand ``mail`` to the server for ``to`` and the bot itself; never tries twice.

    Raises:
        Doubtful: it may have been taken. Unreachable, RateLimited, Unauthorised, Blocked: certainly not, perhaps later.
        Refused: certainly not, for good.
    """
    where = f"SMTP {sender.server.host}"
    connection = _connect(sender, where)
    try:
        _envelope(connection, sender, to, where)
        _data(connection, mail.as_bytes(), where)
    finally:
        try:
            connection.quit()
        except (smtplib.SMTPException, OSError):
            connection.close()


def _connect(sender: Sender, where: str) -> smtplib.SMTP:
    server = sender.server
    try:
        if server.scheme == "smtps":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=sender.timeout_s, context=sender.context
            )
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=sender.timeout_s)
        connection.ehlo_or_helo_if_needed()
        if server.scheme == "smtp" and connection.has_extn("starttls"):
            connection.starttls(context=sender.context)
        elif server.scheme == "smtp" and not server.is_local:
            connection.close()
            raise Blocked(f"{where}: the server offers no TLS; nothing was sent", mend="use smtps://")
        connection.ehlo_or_helo_if_needed()
        if sender.user and connection.has_extn("auth"):
            connection.login(sender.user, sender.password)
    except ssl.SSLError as error:
        raise Blocked(f"{where}: no proven TLS ({error.reason or type(error).__name__})", mend="check address and port") from None
    except smtplib.SMTPAuthenticationError as error:
        if 400 <= error.smtp_code < 500:
            raise RateLimited(f"{where}: {error.smtp_code} while signing in") from None
        mend = "check MAILBOX_USER and MAILBOX_PASSWORD"
        raise Unauthorised(f"{where}: the server refused the sign-in ({error.smtp_code})", mend=mend) from None
    except smtplib.SMTPResponseException as error:
        raise _by_code(where, "connecting", error.smtp_code, final=Blocked) from None
    except (smtplib.SMTPException, OSError) as error:
        raise Unreachable(f"{where}: {type(error).__name__}") from None
    return connection


def _envelope(connection: smtplib.SMTP, sender: Sender, to: str, where: str) -> None:
    """Name the bot and both recipients. Nothing is sent yet: every failure here is certain."""
    steps: Sequence[tuple[str, str]] = (("MAIL", sender.address), ("RCPT", to), ("RCPT to itself", sender.address))
    for step, value in steps:
        try:
            code, _ = connection.mail(value) if step == "MAIL" else connection.rcpt(value)
        except (smtplib.SMTPException, OSError) as error:
            raise Unreachable(f"{where}: {step}: {type(error).__name__}") from None
        if code not in (250, 251):
            raise _by_code(where, step, code, final=Refused if step == "RCPT" else Blocked)


def _data(connection: smtplib.SMTP, body: bytes, where: str) -> None:
    try:
        code, _ = connection.docmd("DATA")
    except (smtplib.SMTPException, OSError) as error:
        raise Unreachable(f"{where}: DATA: {type(error).__name__}") from None
    if code != 354:
        raise _by_code(where, "DATA", code, final=Refused)
    lines = body.replace(b"\r\n", b"\n").split(b"\n")
    stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines)
    try:
        connection.send(stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n"))
        code, _ = connection.getreply()
    except (smtplib.SMTPException, OSError) as error:
        raise Doubtful(f"{where}: no word on whether the mail was taken ({type(error).__name__})") from None
    if code == -1 or code < 200:
        raise Doubtful(f"{where}: an unreadable answer after the mail was handed over")
    if not 200 <= code < 300:
        raise _by_code(where, "end of DATA", code, final=Refused)


def _by_code(where: str, step: str, code: int, *, final: type[Refused] | type[Blocked]) -> PlatformError:
    """The error of a reply code: 4yz is "not now", 5yz is for good (RFC 5321, 4.2.1)."""
    if 400 <= code < 500:
        return RateLimited(f"{where}: {step}: {code}")
    if code in (530, 534, 535, 538):
        return Unauthorised(f"{where}: {step}: {code}", mend="check MAILBOX_USER and MAILBOX_PASSWORD")
    if final is Refused:
        return Refused(f"{where}: {step}: {code}", code=str(code))
    return Blocked(f"{where}: {step}: {code}", mend="the server must let the bot send as its own address, also to itself")
