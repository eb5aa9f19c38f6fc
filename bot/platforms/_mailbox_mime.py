"""One mail, read: who, when, which words, which photos, and whether a person or a machine sent it.

Headers are read with the standard library's older policy (``compat32``) and decoded here: it keeps what a hostile header
holds as bytes, where the newer one parses every header's grammar at once and fails on some.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import parseaddr, parsedate_to_datetime

from bot.platforms._mailbox_text import html_to_text, own_words
from ingest.sniff import sniff

_ID = re.compile(r"<([!#-;=?-Z^-~\[\]]{3,200})>")
"""A Message-ID that can be put into an IMAP search as it is: printable, without quotes, backslash or brackets."""
_ADDRESS = re.compile(r"[^\s<>\"(),:;@\x00-\x20]{1,64}@[^\s<>\"(),:;@\x00-\x20]{1,190}")
_ROBOTS = re.compile(
    r"(?:mailer-daemon|postmaster|no-?reply|do-?not-?reply|bounces?|listserv|majordomo)(?:[+\-.].*)?@", re.IGNORECASE
)
_LOGO_BYTES = 30_000
"""An inline picture smaller than this that the HTML shows by its Content-ID is part of a signature, not a photo."""
_DATE_SKEW = timedelta(days=2)
_MAX_PARTS = 200
MAX_PHOTOS = 9
"""Photos taken from one mail, as many as a Weibo post holds."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture of a mail. ``part`` is its place in :func:`parts` of that mail."""

    part: int
    format: str


@dataclass(frozen=True, slots=True)
class Mail:
    """What the platform needs of a mail. ``thread`` groups a sender's conversation; ``references`` are Message-IDs."""

    id: str
    sender: str
    subject: str
    text: str
    sent_at: datetime
    photos: tuple[Photo, ...]
    automated: str
    to: tuple[str, ...]
    in_reply_to: str
    references: tuple[str, ...]

    @property
    def thread(self) -> str:
        """The conversation's first mail, together with who writes: nobody can close another person's conversation."""
        root = self.references[0] if self.references else self.id
        return hashlib.sha256(f"{self.sender}\n{root}".encode()).hexdigest()[:32]


def read_mail(raw: bytes, arrived_at: datetime) -> Mail:
    """Read one mail (RFC 5322, MIME). ``arrived_at`` is the server's time, within which the sender's own is believed.

    Raises:
        ValueError: it has no sender's address, or holds mails within mails without end.
    """
    try:
        message = message_from_bytes(raw, policy=policy.compat32)
    except RecursionError:
        raise ValueError("mails within mails, too deep to be read") from None
    sender = address(header(message, "From"))
    if not sender:
        raise ValueError("the mail names no sender's address")
    subject = header(message, "Subject")
    found = list(parts(message))
    return Mail(
        id=mail_id(message),
        sender=sender,
        subject=subject[:300],
        text=_text(found, subject),
        sent_at=_sent_at(message, arrived_at),
        photos=_photos(found),
        automated=automated(message),
        to=tuple(a for name in ("To", "Cc", "Delivered-To", "X-Original-To") for a in _addresses(message, name)),
        in_reply_to=next(iter(ids(message, "In-Reply-To")), ""),
        references=references(message),
    )


def mail_id(message: Message) -> str:
    """The mail's Message-ID without its brackets; a digest of its head where it has none that can be searched for."""
    found = _ID.fullmatch(str(message.get("Message-ID", "")).strip())
    if found:
        return found[1]
    head = "\n".join(f"{name}:{message.get(name, '')}" for name in ("From", "Date", "Subject", "Message-ID"))
    return "digest-" + hashlib.sha256(head.encode("utf-8", "replace")).hexdigest()[:40]


def address(value: str) -> str:
    """The bare address of a From or To value, in lower case; empty where there is none."""
    try:
        found = parseaddr(value)[1].strip()
    except RecursionError:  # comments within comments within comments
        return ""
    return found.lower() if _ADDRESS.fullmatch(found) else ""


def masked(value: str) -> str:
    """An address as reviewers see it: enough to tell two writers apart, too little to write to one."""
    name, _, host = value.partition("@")
    return f"{name[:1]}…@{host}"


def automated(message: Message) -> str:
    """Why this mail is not a person's, by RFC 3834 section 2 and common practice; empty where nothing says so."""
    auto = header(message, "Auto-Submitted").partition(";")[0].strip().lower()
    if auto and auto != "no":
        return f"Auto-Submitted: {auto}"
    if header(message, "Precedence").strip().lower() in ("bulk", "list", "junk", "auto_reply"):
        return "Precedence says bulk, list or junk"
    for name in ("List-Id", "List-Unsubscribe", "List-Post", "X-Autoreply", "X-Autorespond", "X-Loop", "Feedback-ID"):
        if name in message:
            return f"it carries {name}"
    if header(message, "Return-Path").strip() == "<>":
        return "its return path is empty: a notice of the mail system"
    if message.get_content_type() == "multipart/report":
        return "a delivery report"
    sender = address(header(message, "From"))
    return "its sender's name is a machine's" if _ROBOTS.match(sender) else ""


def parts(message: Message) -> Iterator[Message]:
    """The leaf parts, in order; mails attached to the mail are not opened (they are somebody else's words)."""
    waiting, seen = [message], 0
    while waiting and seen < _MAX_PARTS:
        part = waiting.pop(0)
        seen += 1
        if part.get_content_type() == "message/rfc822":
            continue
        if part.is_multipart():
            waiting[:0] = [child for child in part.get_payload() if isinstance(child, Message)]
        else:
            yield part


def part_bytes(raw: bytes, number: int) -> bytes | None:
    """The decoded bytes of leaf part ``number`` of a mail, exactly as attached (EXIF included); None where there is none."""
    for at, part in enumerate(parts(message_from_bytes(raw, policy=policy.compat32))):
        if at == number:
            return _payload(part)
    return None


def header(message: Message, name: str) -> str:
    """A header's words, decoded (RFC 2047), on one line. Never raises."""
    value = str(message.get(name, ""))[:4000]
    try:
        pieces = decode_header(value)
    except (HeaderParseError, ValueError, LookupError):
        pieces = [(value, None)]
    words = "".join(piece if isinstance(piece, str) else _decoded(piece, charset) for piece, charset in pieces)
    return re.sub(r"\s+", " ", words).strip()


def _payload(part: Message) -> bytes:
    found = part.get_payload(decode=True)
    return found if isinstance(found, bytes) else b""


def _decoded(data: bytes, charset: str | None) -> str:
    """Bytes as text. Mail that says gb2312 often holds more of GBK: the larger set reads both (WHATWG Encoding, 10.1)."""
    name = (charset or "utf-8").strip().lower()
    if name in ("gb2312", "gbk", "gb_2312-80", "x-gbk", "unknown-8bit", "us-ascii", "ascii", "default"):
        name = "gb18030" if name.startswith(("gb", "x-gbk")) else "utf-8"
    for encoding in (name, "utf-8", "gb18030"):
        try:
            return data.decode(encoding)
        except (UnicodeDecodeError, LookupError, ValueError):
            continue
    return data.decode("utf-8", "replace")


def ids(message: Message, name: str) -> list[str]:
    """The Message-IDs in a header, without brackets."""
    return _ID.findall(str(message.get(name, ""))[:20_000])


def references(message: Message) -> tuple[str, ...]:
    """The conversation so far: References, or In-Reply-To where there are none (RFC 5322, 3.6.4)."""
    return tuple(ids(message, "References") or ids(message, "In-Reply-To"))


def words(part: Message) -> str:
    """The text of a leaf part, decoded."""
    return _decoded(_payload(part), part.get_content_charset())


def _addresses(message: Message, name: str) -> list[str]:
    return [match.lower() for match in _ADDRESS.findall(header(message, name))]


def _sent_at(message: Message, arrived_at: datetime) -> datetime:
    """The sender's Date where it lies in the two days before the arrival ("yesterday" is meant from there), else the arrival."""
    try:
        sent = parsedate_to_datetime(str(message.get("Date", "")))
    except (ValueError, TypeError, IndexError, OverflowError):
        return arrived_at
    if sent.tzinfo is None:
        sent = sent.replace(tzinfo=UTC)
    return sent if arrived_at - _DATE_SKEW <= sent <= arrived_at else arrived_at


def _text(found: list[Message], subject: str) -> str:
    """Subject and body: people write the place into either."""
    plain = next((p for p in found if p.get_content_type() == "text/plain" and not p.get_filename()), None)
    html = next((p for p in found if p.get_content_type() == "text/html" and not p.get_filename()), None)
    body = words(plain) if plain is not None else ""
    if not body.strip() and html is not None:
        body = html_to_text(words(html))
    said = own_words(body, subject)
    topic = re.sub(r"^(?:\s*(?:re|aw|回复|答复|回覆|fwd?|转发)\s*[:：])+", "", subject, flags=re.IGNORECASE).strip()
    return "\n".join(part for part in (topic, said) if part)


def _photos(found: list[Message]) -> tuple[Photo, ...]:
    """The pictures among the parts, by their own first bytes: names and types are claims. Signature logos are left out."""
    shown = "".join(str(_payload(p), "utf-8", "ignore") for p in found if p.get_content_type() == "text/html")
    photos = []
    for number, part in enumerate(found):
        if part.get_content_maintype() == "text":
            continue
        data = _payload(part)
        kind = sniff(data[:4096])
        if kind is None:
            # A claimed photo that is none is kept, so that its sender hears that it could not be opened.
            kind = "" if part.get_content_maintype() == "image" else None
        content_id = str(part.get("Content-ID", "")).strip().strip("<>")
        logo = bool(content_id) and f"cid:{content_id}" in shown and len(data) < _LOGO_BYTES
        if kind is not None and not logo:
            photos.append(Photo(number, kind))
    return tuple(photos[:MAX_PHOTOS])
