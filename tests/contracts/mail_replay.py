"""A local mail system for the mailbox's suite: pymap for IMAP, aiosmtpd for SMTP, joined so that what is sent also arrives.

Both are real servers on 127.0.0.1. Examples (tests/examples/mailbox) name the mails that lie in the folder; see the README there.
"""

from __future__ import annotations

import imaplib
import json
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from itertools import count
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

USER, PASSWORD = "suishoupai@mail.example.org", "example-MAILBOX_PASSWORD"
_numbers = count(1)


@dataclass
class Smtp:
    """What the SMTP server does and saw. ``replies`` overrides the reply of a stage (MAIL, RCPT, DATA); ``hang_up`` cuts the
    line before the reply to DATA (the mail is taken all the same where ``takes`` is True)."""

    replies: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False
    takes: bool = True
    sent: list[tuple[list[str], bytes]] = field(default_factory=list)
    deliver: Any = None

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if "MAIL" not in self.replies:
            envelope.mail_from = address
        return self.replies.get("MAIL", "250 OK")

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if "RCPT" not in self.replies:
            envelope.rcpt_tos.append(address)
        return self.replies.get("RCPT", "250 OK")

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if "DATA" in self.replies:
            return self.replies["DATA"]
        if self.takes:
            self.sent.append((list(envelope.rcpt_tos), bytes(envelope.original_content)))
            if self.deliver is not None and USER in envelope.rcpt_tos:
                await server.loop.run_in_executor(None, self.deliver, bytes(envelope.original_content))
        if self.hang_up:
            server.transport.abort()
        return "250 taken"


@dataclass
class MailServer:
    """The running mail system: a fresh folder for each test."""

    imap_port: int
    smtp_port: int
    smtp: Smtp
    folder: str
    _line: imaplib.IMAP4 | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def settings(self) -> dict[str, Any]:
        """What the platform's settings need to reach it."""
        return {
            "enabled": True,
            "base_url": f"imap://127.0.0.1:{self.imap_port}",
            "smtp_url": f"smtp://127.0.0.1:{self.smtp_port}",
            "address": USER,
            "folder": self.folder,
            "timeout_s": 10,
        }

    @contextmanager
    def box(self) -> Iterator[imaplib.IMAP4]:
        """A signed-in connection of the test's own, kept: signing in costs pymap a third of a second."""
        with self._lock:
            if self._line is None:
                self._line = imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=10)
                self._line.login(USER, PASSWORD)
            yield self._line

    def close(self) -> None:
        """End that connection."""
        if self._line is not None:
            self._line.logout()

    def put(self, raw: bytes, arrived_at: datetime) -> None:
        """Let a mail lie in the folder since ``arrived_at``."""
        with self.box() as box:
            kind, data = box.append(self.folder, None, imaplib.Time2Internaldate(arrived_at), raw)  # type: ignore[arg-type]
            assert kind == "OK", data

    def validity(self) -> int:
        """The folder's UIDVALIDITY."""
        with self.box() as box:
            said = box.status(self.folder, "(UIDVALIDITY)")[1][0]
            return int(said.rpartition(b"UIDVALIDITY ")[2].rstrip(b")"))

    def number_anew(self) -> None:
        """Delete and make the folder again: another UIDVALIDITY."""
        with self.box() as box:
            box.delete(self.folder)
            box.create(self.folder)


# A password hashed half a million times, as is right elsewhere, costs a third of a second at each sign-in.
_PYMAP = """
from pysasl.hashing import BuiltinHash
BuiltinHash.__init__.__kwdefaults__["rounds"] = 1000
from pymap.main import main
main()
"""


@contextmanager
def imap_server() -> Iterator[int]:
    """pymap with one account, in a process of its own; yields its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = [
        sys.executable,
        "-c",
        _PYMAP,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--no-tls",
    ]
    command += ["dict", "--demo-user", USER, "--demo-password", PASSWORD]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        assert process.poll() is None, "pymap ended at once"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("pymap did not start to listen")


@contextmanager
def mail_server(imap_port: int) -> Iterator[MailServer]:
    """A fresh folder on the IMAP server, and an SMTP server that delivers into it."""
    smtp = Smtp()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that sign-in without TLS is weak: the server is on 127.0.0.1, for a test
        controller = _controller(smtp)
    server = MailServer(imap_port, controller.port, smtp, f"box{next(_numbers)}")
    smtp.deliver = lambda raw: server.put(raw, datetime.now(UTC))
    with server.box() as box:
        box.create(server.folder)
    try:
        yield server
    finally:
        controller.stop()
        server.close()


def _controller(smtp: Smtp) -> Controller:
    controller = Controller(
        smtp,
        hostname="127.0.0.1",
        port=0,
        auth_required=True,
        auth_require_tls=False,
        authenticator=lambda _s, _session, _e, _m, data: AuthResult(
            success=(data.login, data.password) == (USER.encode(), PASSWORD.encode())
        ),
    )
    controller.port = _free_port()
    controller.start()
    return controller


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def fill(server: MailServer, folder: Path, mails: Sequence[Mapping[str, str]]) -> None:
    """Put an example's mails into the folder, in order."""
    for mail in mails:
        raw = (folder / mail["file"]).read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        server.put(raw, datetime.fromisoformat(mail["arrived"]))


def substitute(value: Any, words: Mapping[str, str]) -> Any:
    """``{name}`` in every text of an example replaced."""
    text = json.dumps(value, ensure_ascii=False)
    for name, word in words.items():
        text = text.replace("{" + name + "}", word)
    return json.loads(text)


def check_sent(expected: Sequence[Mapping[str, Any]], sent: Sequence[tuple[list[str], bytes]]) -> list[str]:
    """The differences between the mails an example expects to be sent and those that were."""
    if len(expected) != len(sent):
        return [f"{len(expected)} mails expected, {len(sent)} sent"]
    found = []
    for wanted, (recipients, raw) in zip(expected, sent, strict=True):
        message = message_from_bytes(raw)
        body = message.get_payload(decode=True)
        if recipients != wanted["to"]:
            found.append(f"recipients: expected {wanted['to']}, were {recipients}")
        if isinstance(body, bytes) and body.decode().strip() != wanted["text"]:
            found.append(f"text: {body.decode()!r}")
        for name, value in wanted["headers"].items():
            seen = str(message.get(name, "")).replace("\r\n", "")
            if seen != value:
                found.append(f"{name}: expected {value!r}, was {seen!r}")
        found += [f"{name} must not be there" for name in wanted.get("absent", ()) if name in message]
    return found
