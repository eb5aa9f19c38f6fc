"""The mailbox against real servers: pymap (IMAP) and aiosmtpd (SMTP), and Debian's dovecot where it is installed."""

from __future__ import annotations

import getpass
import grp
import importlib.util
import json
import os
import pwd
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.platforms import _mailbox_imap as imap
from bot.platforms import _mailbox_mime as mime
from bot.platforms import mailbox
from bot.platforms._mailbox_text import html_to_text, own_words
from bot.platforms.base import Platform
from ingest.photo import Decoder
from store import errors
from store.model import MessageKind, Outgoing, Page, Post, Stream, StreamKind

EXAMPLES = Path(__file__).resolve().parents[1] / "examples" / "mailbox"
NOW = datetime.fromisoformat("2026-11-20T12:00:00+08:00")
CASES = sorted(p for p in EXAMPLES.glob("*.json") if not p.name.startswith("_") and not p.name.endswith(".expected.json"))
MENTIONS = Stream("mailbox", StreamKind.MENTIONS)
TEXT = "收到，谢谢您！编号 S-4F7K。孩子有危险请拨打110。"

pytest.importorskip("pymap", reason="pymap is not installed: pip install -r requirements.txt")
pytest.importorskip("aiosmtpd", reason="aiosmtpd is not installed: pip install -r requirements.txt")


@pytest.fixture(scope="session")
def mail() -> ModuleType:
    """The mail replay helper's module."""
    path = Path(__file__).with_name("mail_replay.py")
    spec = importlib.util.spec_from_file_location("contracts_mail_replay", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["contracts_mail_replay"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def imap_port(mail: ModuleType) -> Iterator[int]:
    with mail.imap_server() as port:
        yield port


@pytest.fixture
def server(mail: ModuleType, imap_port: int) -> Iterator[Any]:
    """A mail system with an empty folder."""
    with mail.mail_server(imap_port) as running:
        yield running


@pytest.fixture
def build(server: Any, mail: ModuleType) -> Callable[..., Platform]:
    """Builds the mailbox on that folder."""

    def built(now: datetime = NOW, password: str = "", **changes: Any) -> Platform:
        secrets = {"MAILBOX_USER": mail.USER, "MAILBOX_PASSWORD": password or mail.PASSWORD}
        return mailbox.build(mailbox.Settings.model_validate(server.settings | changes), secrets, lambda: now)

    return built


def letter(number: int, sender: str = "dora@people.example.org", text: str = "seen in Luohu", **headers: str) -> bytes:
    """A plain mail with a number of its own."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, "suishoupai@mail.example.org", f"mail {number}"
    message["Date"], message["Message-ID"] = format_datetime(NOW - timedelta(hours=1)), f"<n{number}@people.example.org>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes().replace(b"\n", b"\r\n")


def answer(target: str, text: str = TEXT) -> Outgoing:
    return Outgoing(MessageKind.ANSWER, text, "S-4F7K", reply_to_id=target)


# --- recorded examples ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_the_example_replays(path: Path, mail: ModuleType, replay: ModuleType, server: Any) -> None:
    """With these mails in the folder the call returns, raises and sends exactly what is expected."""
    example = json.loads(path.read_text(encoding="utf-8"))
    expected = json.loads(path.with_name(f"{path.stem}.expected.json").read_text(encoding="utf-8"))
    mail.fill(server, path.parent, example.get("mails", ()))
    words = {"validity": str(server.validity())}
    given_settings = server.settings | example.get("settings", {})
    secrets = {"MAILBOX_USER": mail.USER, "MAILBOX_PASSWORD": mail.PASSWORD} | example.get("secrets", {})
    now = datetime.fromisoformat(example.get("now", NOW.isoformat()))
    platform = mailbox.build(mailbox.Settings.model_validate(given_settings), secrets, lambda: now)
    outcome = replay.outcome(platform, mail.substitute(example["call"], words))
    assert replay.compare(mail.substitute(expected, words), outcome) == []
    assert mail.check_sent(example.get("sent", ()), server.smtp.sent) == []


# --- reading -------------------------------------------------------------------------------------------------------


def test_a_long_queue_is_read_page_by_page_and_nothing_is_lost(server: Any, build: Callable[..., Platform]) -> None:
    """45 mails come in three pages, oldest first; the chain's head is the newest one, and after it nothing is new."""
    for number in range(45):
        server.put(letter(number), NOW - timedelta(minutes=50 - number))
    platform = build()
    first = platform.read(MENTIONS, None, None, NOW - timedelta(days=1))
    pages = [first]
    while pages[-1].next:
        pages.append(platform.read(MENTIONS, None, pages[-1].next, NOW - timedelta(days=1)))
    ids = [post.id for page in pages for post in page.posts]
    assert ids == [f"n{number}@people.example.org" for number in range(45)]
    assert [len(page.posts) for page in pages] == [20, 20, 5]
    assert platform.read(MENTIONS, first.head, None, NOW) == Page((), head=first.head)


def test_numbering_anew_doubles_no_post(server: Any, build: Callable[..., Platform]) -> None:
    """After the server numbers its mails anew the old cursor reads again, and the ids are the ones that are known."""
    server.put(letter(1), NOW - timedelta(hours=1))
    platform = build()
    before = platform.read(MENTIONS, None, None, NOW - timedelta(days=1))
    server.number_anew()
    server.put(letter(1), NOW - timedelta(hours=1))
    after = platform.read(MENTIONS, before.head, None, NOW - timedelta(days=1))
    assert [p.id for p in after.posts] == [p.id for p in before.posts]
    assert after.head != before.head


def test_an_attachment_comes_byte_for_byte_with_its_record(server: Any, mail: ModuleType, build: Callable[..., Platform]) -> None:
    """The photo behind a post's own address is the attached file itself: its EXIF time is still there."""
    mail.fill(server, EXAMPLES, [{"file": "photo_by_phone.eml", "arrived": "2026-11-20T10:21:00+08:00"}])
    platform = build()
    (post,) = platform.read(MENTIONS, None, None, NOW - timedelta(days=1)).posts
    assert isinstance(post, Post)
    reader = platform.rules.photo_reader
    assert reader is not None
    data = reader(post.media[0].urls[0])
    with Decoder() as decoder:
        assert decoder.open(data).format == "JPEG"
    assert b"2026:11:20 10:15:00" in data


def test_a_photo_that_cannot_be_had_says_why(server: Any, mail: ModuleType, build: Callable[..., Platform]) -> None:
    """Gone, too large and not-for-now are three outcomes."""
    mail.fill(server, EXAMPLES, [{"file": "photo_by_phone.eml", "arrived": "2026-11-20T10:21:00+08:00"}])
    url = "mailbox:1:phone-0001@people.example.org"
    with pytest.raises(errors.PhotoGone):
        _reader(build())("mailbox:1:other@people.example.org")
    with pytest.raises(errors.PhotoRefused, match="no such attachment"):
        _reader(build())("mailbox:7:phone-0001@people.example.org")
    server.put(letter(3, text="x" * 40_000), NOW)
    with pytest.raises(errors.PhotoRefused, match="larger"):
        _reader(build(max_mail_bytes=10_000))("mailbox:-1:n3@people.example.org")
    with pytest.raises(errors.PhotoUnavailable):
        _reader(build(password="wrong"))(url)


def _reader(platform: Platform) -> Callable[[str], bytes]:
    assert platform.rules.photo_reader is not None
    return platform.rules.photo_reader


def test_a_mail_over_the_limit_is_noted_without_being_read(server: Any, build: Callable[..., Platform]) -> None:
    """A huge mail becomes a post whose picture is refused, so that its sender hears that it could not be opened."""
    server.put(letter(1, text="x" * 40_000), NOW - timedelta(minutes=5))
    (post,) = build(max_mail_bytes=10_000).read(MENTIONS, None, None, NOW - timedelta(days=1)).posts
    assert isinstance(post, Post)
    assert [media.key for media in post.media] == ["too-large"]
    assert "xxx" not in post.text


def test_old_mails_are_deleted_only_where_that_is_asked_for(server: Any, build: Callable[..., Platform]) -> None:
    """keep_days deletes what was read and is over its time; without it the bot deletes nothing."""
    server.put(letter(1), NOW - timedelta(days=40))
    server.put(letter(2), NOW - timedelta(hours=1))
    head = build().read(MENTIONS, None, None, NOW - timedelta(days=60)).head
    build().read(MENTIONS, head, None, NOW)
    assert len(build().read(MENTIONS, None, None, NOW - timedelta(days=60)).posts) == 2
    build(keep_days=30).read(MENTIONS, head, None, NOW)
    left = build().read(MENTIONS, None, None, NOW - timedelta(days=60)).posts
    assert [p.id for p in left] == ["n2@people.example.org"]


def test_a_sender_is_shown_masked_and_known_by_address(server: Any, build: Callable[..., Platform]) -> None:
    """Reviewers tell writers apart without seeing whole addresses; the id stays the address, for opting out and erasing."""
    server.put(letter(1, sender="Dora D <Dora@People.Example.org>"), NOW)
    (post,) = build().read(MENTIONS, None, None, NOW - timedelta(days=1)).posts
    assert isinstance(post, Post)
    assert (post.author.id, post.author.handle, post.author.name) == ("dora@people.example.org", "d…@people.example.org", "")


def test_nobody_can_close_another_persons_conversation(server: Any, build: Callable[..., Platform]) -> None:
    """Two people who refer to the same mail are in two conversations: an answer to one does not silence the other."""
    server.put(letter(1, sender="a@people.example.org", References="<root@x.example>"), NOW)
    server.put(letter(2, sender="b@people.example.org", References="<root@x.example>"), NOW)
    server.put(letter(3, sender="a@people.example.org", References="<root@x.example> <n1@people.example.org>"), NOW)
    posts = build().read(MENTIONS, None, None, NOW - timedelta(days=1)).posts
    threads = [post.thread_id for post in posts if isinstance(post, Post)]
    assert threads[0] == threads[2] != threads[1]


# --- writing -------------------------------------------------------------------------------------------------------


def test_a_lost_reply_is_found_again_by_the_copy(server: Any, build: Callable[..., Platform]) -> None:
    """The server takes the mail and the line breaks: Doubtful; reading back finds it, so that nothing is said twice."""
    now = datetime.now(UTC)
    server.put(letter(1), now)
    server.smtp.hang_up = True
    platform = build(now)
    with pytest.raises(errors.Doubtful):
        platform.say(answer("n1@people.example.org"))
    own = platform.own_recent("n1@people.example.org", now - timedelta(minutes=5))
    assert [post.text for post in own] == [TEXT]
    assert len(server.smtp.sent) == 1


def test_a_mail_that_was_not_taken_leaves_no_copy(server: Any, build: Callable[..., Platform]) -> None:
    """The line breaks before the mail is taken: just as doubtful, but nothing is found, so that it may be sent again."""
    now = datetime.now(UTC)
    server.put(letter(1), now)
    server.smtp.hang_up, server.smtp.takes = True, False
    platform = build(now)
    with pytest.raises(errors.Doubtful):
        platform.say(answer("n1@people.example.org"))
    assert platform.own_recent("n1@people.example.org", now - timedelta(minutes=5)) == []
    server.smtp.hang_up, server.smtp.takes = False, True
    sent = platform.say(answer("n1@people.example.org"))
    assert [post.id for post in platform.own_recent("n1@people.example.org", now - timedelta(minutes=5))] == [sent.id]


@pytest.mark.parametrize(
    ("stage", "reply", "error"),
    [
        ("RCPT", "550 5.1.1 no such user", errors.Refused),
        ("RCPT", "450 4.2.1 busy", errors.RateLimited),
        ("MAIL", "550 5.7.1 not your address", errors.Blocked),
        ("MAIL", "421 4.3.2 closing", errors.RateLimited),
        ("DATA", "554 5.7.1 looks like spam", errors.Refused),
        ("DATA", "452 4.3.1 too many today", errors.RateLimited),
    ],
)
def test_a_reply_code_is_certain(
    stage: str, reply: str, error: type[errors.PlatformError], server: Any, build: Callable[..., Platform]
) -> None:
    """4yz is "not now", 5yz is for good, and either way nothing was published."""
    server.put(letter(1), NOW)
    server.smtp.replies[stage] = reply
    with pytest.raises(error) as caught:
        build().say(answer("n1@people.example.org"))
    assert caught.value.certain
    assert server.smtp.sent == []


def test_the_answer_is_the_same_mail_each_time(server: Any, build: Callable[..., Platform]) -> None:
    """Sent twice with the same words it has the same Message-ID, by which mail programs show it once."""
    server.put(letter(1), NOW)
    first, second = build().say(answer("n1@people.example.org")), build().say(answer("n1@people.example.org"))
    other = build().say(answer("n1@people.example.org", TEXT + "！"))
    assert first == second != other


def test_a_line_that_begins_with_a_dot_arrives_whole(server: Any, build: Callable[..., Platform]) -> None:
    """A lone dot in the text does not end the mail (RFC 5321, 4.5.2)."""
    now = datetime.now(UTC)
    server.put(letter(1), now)
    text = "first\n.\n..second\nlast"
    platform = build(now)
    platform.say(answer("n1@people.example.org", text))
    assert [own.text for own in platform.own_recent(None, now - timedelta(minutes=5))] == [text]


def test_words_of_the_mail_never_go_out(server: Any, mail: ModuleType, build: Callable[..., Platform]) -> None:
    """Neither subject nor name nor text of the sender stands in the answer: a forged sender carries nothing to anybody."""
    server.put(letter(1, sender='"Buy pills" <v@people.example.org>', text="cheap pills"), NOW)
    build().say(answer("n1@people.example.org"))
    ((_, raw),) = server.smtp.sent
    assert b"pills" not in raw
    assert b"mail 1" not in raw


def test_a_sender_who_breaks_the_header_adds_no_recipient(server: Any, build: Callable[..., Platform]) -> None:
    """A sender's name with line breaks and further addresses yields the one bare address or no post at all."""
    server.put(letter(1, sender="x@people.example.org").replace(b"From: x@", b'From: "a\r\n Bcc: z@evil.example" <x@'), NOW)
    posts = build().read(MENTIONS, None, None, NOW - timedelta(days=1)).posts
    if posts and isinstance(posts[0], Post):
        build().say(answer("n1@people.example.org"))
        assert server.smtp.sent[0][0] == ["x@people.example.org", "suishoupai@mail.example.org"]
        assert b"evil" not in server.smtp.sent[0][1]


# --- servers that are down, or none --------------------------------------------------------------------------------


@contextmanager
def line_server(*lines: bytes, silent: bool = False) -> Iterator[int]:
    """A TCP server that sends each of ``lines`` after one line read (the first at once), then closes; or says nothing."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                if silent:
                    stopping.wait(10)
                    continue
                for number, line in enumerate(lines):
                    if number:
                        connection.recv(4096)
                    connection.sendall(line)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stopping.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.mark.parametrize(
    ("lines", "silent", "error"),
    [
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), False, errors.Blocked),
        ((b"* BYE [UNAVAILABLE] too many connections\r\n",), False, errors.RateLimited),
        ((b"* OK ready\r\n", b"* CAP"), False, errors.Unreachable),
        ((), True, errors.Unreachable),
        ((), False, errors.Unreachable),
    ],
    ids=["another protocol", "too many connections", "cut off", "silent", "closed at once"],
)
def test_a_faulty_imap_server_is_never_no_mail(
    lines: tuple[bytes, ...], silent: bool, error: type[errors.PlatformError], build: Callable[..., Platform]
) -> None:
    """Whatever stands at the other end, an error says so; an empty page means an empty mailbox alone."""
    with line_server(*lines, silent=silent) as port:
        platform = build(base_url=f"imap://127.0.0.1:{port}", timeout_s=0.5 if silent else 20)
        for call in (lambda: platform.read(MENTIONS, None, None, NOW), lambda: platform.own_recent(None, NOW), platform.account):
            with pytest.raises((error, errors.Blocked) if lines == () and not silent else error):
                call()


@pytest.mark.parametrize(
    ("lines", "silent", "error"),
    [
        ((b"* OK an IMAP server\r\n",), False, (errors.Unreachable, errors.Blocked)),
        ((b"421 4.3.2 busy\r\n",), False, errors.RateLimited),
        ((b"554 5.7.1 not from here\r\n",), False, errors.Blocked),
        ((), True, errors.Unreachable),
        ((b"220 ready\r\n", b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"), False, errors.Doubtful),
    ],
    ids=["another protocol", "busy", "refused", "silent", "cut off after the mail"],
)
def test_a_faulty_smtp_server_says_whether_it_may_have_been_sent(
    lines: tuple[bytes, ...], silent: bool, error: Any, server: Any, build: Callable[..., Platform]
) -> None:
    """Only where the whole mail was handed over is it doubtful; before that it is certain that nothing was sent."""
    server.put(letter(1), NOW)
    with line_server(*lines, silent=silent) as port, pytest.raises(error) as caught:
        build(smtp_url=f"smtp://127.0.0.1:{port}", timeout_s=3 if silent else 20).say(answer("n1@people.example.org"))
    assert caught.value.certain is (error is not errors.Doubtful)


def test_secrets_stay_out_of_errors(server: Any, build: Callable[..., Platform]) -> None:
    """A refused sign-in names the variables, never their values."""
    platform = build(password="a-very-secret-word")
    with pytest.raises(errors.Unauthorised) as caught:
        platform.account()
    shown = repr(caught.value) + repr(caught.value.__context__) + caught.value.mend + repr(platform.__dict__)
    assert "a-very-secret-word" not in shown
    assert "MAILBOX_PASSWORD" in caught.value.mend


def test_addresses_that_cannot_be_used_are_refused_in_the_settings() -> None:
    """Another protocol, a user name, a path or no host: refused with what is expected, before anything is opened."""
    for url in ("http://mail.example.org", "imap://user@mail.example.org", "imaps://", "imaps://mail.example.org/INBOX"):
        with pytest.raises(ValueError, match="expected"):
            mailbox.Settings.model_validate({"base_url": url})


def test_no_password_goes_to_a_server_without_tls(server: Any, mail: ModuleType) -> None:
    """A server elsewhere that offers no TLS is refused before anything secret is said."""
    # Another spelling of 127.0.0.1: to the adapter it is a host elsewhere.
    account = imap.Account(
        imap.Address("imap", "127.1", server.imap_port), mail.USER, mail.PASSWORD, server.folder, 5, imap.tls(None)
    )
    with pytest.raises(errors.Blocked, match="offers no TLS"):
        imap.check_sign_in(account)


def test_a_certificate_that_nobody_signed_is_refused(server: Any, mail: ModuleType, tmp_path: Path) -> None:
    """TLS proves the server's name: an unknown authority is Blocked, a known one (ca_file) lets it through."""
    key, cert = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with _tls_before(server.imap_port, context) as port:
        for ca_file, passes in ((None, False), (cert, True)):
            account = imap.Account(
                imap.Address("imaps", "localhost", port), mail.USER, mail.PASSWORD, server.folder, 10, imap.tls(ca_file)
            )
            if passes:
                imap.check_sign_in(account)
            else:
                with pytest.raises(errors.Blocked, match="TLS"):
                    imap.check_sign_in(account)


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate for localhost, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "key.pem", folder / "cert.pem"
    files[0].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    files[1].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return files


@contextmanager
def _tls_before(port: int, context: ssl.SSLContext) -> Iterator[int]:
    """A TLS door before the plain server at ``port``."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                target.sendall(data)
        except OSError:
            pass
        finally:
            target.close()

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                outer = context.wrap_socket(plain, server_side=True)
            except OSError:
                continue
            inner = socket.create_connection(("127.0.0.1", port))
            threading.Thread(target=pump, args=(outer, inner), daemon=True).start()
            threading.Thread(target=pump, args=(inner, outer), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


# --- words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "subject", "words"),
    [
        ("在东门看到。\n\n-- \n小林\n电话 000", "", "在东门看到。"),
        ("At the station.\n\nOn Fri, 20 Nov 2026 at 10:00, 随手拍 <s@x> wrote:\n> old\n> words", "", "At the station."),
        ("At the station.\n\nOn Fri, 20 Nov 2026 at 10:00,\n随手拍 <s@x> wrote:\n> old", "", "At the station."),
        ("补充地点\n\n------------------ 原始邮件 ------------------\n发件人: x\n主题: y", "", "补充地点"),
        ("补充地点\n\n发件人: x\n发送时间: 今天\n旧话", "", "补充地点"),
        ("new\n\nFrom: x@y\nSent: today\nTo: z\n\nold", "", "new"),
        ("> quoted\nanswer below", "", "answer below"),
        (
            "---------- Forwarded message ---------\nFrom: x\nIn Luohu, 3pm",
            "Fwd: look",
            "---------- Forwarded message ---------\nFrom: x\nIn Luohu, 3pm",
        ),
        ("在汉堡王门口，孩子在乞讨", "", "在汉堡王门口，孩子在乞讨"),
        ("From the station you see her.", "", "From the station you see her."),
        ("see photo\nSent from my iPhone", "", "see photo"),
        ("", "", ""),
    ],
)
def test_what_a_person_wrote_is_told_from_what_they_quoted(body: str, subject: str, words: str) -> None:
    """Quotes and signatures in Chinese and English go, and a person's own sentence that looks a little like one stays."""
    assert own_words(body, subject) == words


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=400), st.binary(max_size=600))
def test_no_text_and_no_mail_stops_the_reader(text: str, raw: bytes) -> None:
    """Any text yields words; any bytes yield a mail or a ValueError that makes it malformed."""
    own_words(text)
    html_to_text(text)
    for body in (raw, b"From: a@b.example\r\nSubject: " + raw + b"\r\n\r\n" + raw):
        try:
            mime.read_mail(body, NOW)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            continue


def test_a_megabyte_of_quotes_costs_what_its_length_costs() -> None:
    """Reading grows no faster than the mail: ten times the lines take at most forty times as long."""

    def cost(lines: int) -> float:
        began = time.process_time()
        own_words("On " + "a " * 90 + "\n" + "在 " * lines, "")
        html_to_text("<b>" * lines + "x" * lines)
        return time.process_time() - began

    cost(100)
    assert cost(20_000) < max(cost(2_000), 0.005) * 40


# --- dovecot -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def dovecot() -> Iterator[int]:
    """Debian's dovecot with one account, in a folder of its own; yields its port."""
    binary = shutil.which("dovecot") or ("/usr/sbin/dovecot" if Path("/usr/sbin/dovecot").exists() else None)
    if binary is None:
        pytest.skip("dovecot is not installed (Debian: apt-get install dovecot-imapd)")
    # Not below pytest's own folder: started by root, dovecot's sign-in process is another user and must be able to enter.
    home = Path(tempfile.mkdtemp(prefix="dovecot-"))
    home.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    user, group = getpass.getuser(), grp.getgrgid(os.getgid()).gr_name
    as_root = os.getuid() == 0
    uid, gid = (pwd.getpwnam("nobody")[2:4]) if as_root else (os.getuid(), os.getgid())
    if as_root:
        os.chown(home, uid, gid)
    config = home / "dovecot.conf"
    config.write_text(
        f"""
protocols = imap
listen = 127.0.0.1
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
ssl = no
disable_plaintext_auth = no
first_valid_uid = 0
default_internal_user = {"dovecot" if as_root else user}
default_login_user = {"dovenull" if as_root else user}
default_internal_group = {"dovecot" if as_root else group}
mail_location = maildir:{home}/mail
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
passdb {{
  driver = static
  args = password=example-MAILBOX_PASSWORD
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}
}}
"""
    )
    process = subprocess.Popen([binary, "-F", "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if process.poll() is not None:
                pytest.skip(
                    f"dovecot does not start here: {(home / 'log').read_text()[-300:] if (home / 'log').exists() else ''}"
                )
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=2) as line:
                    if line.recv(100).startswith(b"* OK"):
                        break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(home, ignore_errors=True)


def test_it_reads_answers_and_finds_its_answer_on_dovecot(dovecot: int, mail: ModuleType) -> None:
    """The same round on the IMAP server most mail in the world lies on: read, photo, answer, copy, cursor."""
    with mail.mail_server(dovecot) as server:
        now = datetime.now(UTC)
        mail.fill(server, EXAMPLES, [{"file": "photo_by_phone.eml", "arrived": now.isoformat()}])
        secrets = {"MAILBOX_USER": mail.USER, "MAILBOX_PASSWORD": mail.PASSWORD}
        platform = mailbox.build(mailbox.Settings.model_validate(server.settings), secrets, lambda: now)
        page = platform.read(MENTIONS, None, None, now - timedelta(hours=1))
        (post,) = page.posts
        assert isinstance(post, Post)
        assert post.text == "深圳市罗湖区火车站\n昨天下午三点，出站口左边，一个七八岁的男孩。"
        assert b"Exif" in _reader(platform)(post.media[0].urls[0])
        sent = platform.say(answer(post.id))
        own = platform.own_recent(post.id, now - timedelta(minutes=5))
        assert [(o.id, o.text) for o in own] == [(sent.id, TEXT)]
        assert platform.look_up([post.id]).posts == (post,)
        again = platform.read(MENTIONS, page.head, None, now)
        assert again.posts == ()
        assert again.head != page.head
