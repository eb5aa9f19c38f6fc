"""A mailbox, for those without an account anywhere: mails with photos in over IMAP, answers out over SMTP.

A mail mentions nobody, so nothing said here ever calls officials: what matches goes to people. Automatic mails, lists and
bounces are kept and never answered (RFC 3834), and one sender gets at most ``answers_per_day`` answers, so that two machines
cannot talk to each other. The copy of each answer in the bot's own mailbox proves that it was sent.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import Message
from pathlib import Path

from pydantic import Field, field_validator

from bot.platforms import _mailbox_imap as imap
from bot.platforms import _mailbox_mime as mime
from bot.platforms import _mailbox_smtp as smtp
from bot.platforms.base import Platform, PlatformSettings, allowances
from ingest.source import Rules
from store.errors import (
    BadInput,
    BadResponse,
    PhotoGone,
    PhotoRefused,
    PhotoUnavailable,
    PlatformError,
    Refused,
    SettingsError,
    TargetGone,
)
from store.model import (
    AccountInfo,
    Author,
    Capability,
    Clock,
    LookUp,
    Malformed,
    Media,
    Outgoing,
    OwnPost,
    Page,
    Post,
    Sent,
    Stream,
    StreamKind,
)

SECRETS: dict[str, str] = {
    "MAILBOX_USER": "user name of the mailbox, usually its address",
    "MAILBOX_PASSWORD": "its password, or the code that the provider gives to programs",
}
WIRE = "mail"
"""What is spoken on the wire; the contract suite picks its replay server by it (HTTP where a platform says nothing)."""

_PAGE = 20
_TOKEN = re.compile(r"(\d{1,10}):(\d{1,10})")


class Settings(PlatformSettings):
    """The keys under ``platforms.mailbox``."""

    base_url: str = Field(default="", description="Where mail is read: imaps://HOST, or imap://HOST (STARTTLS).")
    smtp_url: str = Field(default="", description="Where answers are handed in: smtps://HOST, or smtp://HOST (STARTTLS).")
    address: str = Field(default="", description="The bot's own address; empty: MAILBOX_USER.")
    display_name: str = Field(default="随手拍", max_length=60, description="The name beside the address.")
    folder: str = Field(default="INBOX", description="The folder that is read.")
    ca_file: Path | None = Field(default=None, description="Certificate authorities (PEM), where not the system's.")
    poll_every_s: int = Field(default=120, ge=1, description="Seconds between polls.")
    max_mail_bytes: int = Field(default=60_000_000, ge=10_000, description="Larger mails are noted, their photos not read.")
    max_photo_bytes: int = Field(default=25_000_000, ge=10_000, description="Larger attachments are refused.")
    answers_per_day: int = Field(default=10, ge=1, le=100, description="Answers to one address in 24 hours.")
    keep_days: int = Field(
        default=0, ge=0, description="Mails older than this are deleted from the folder; 0: the bot deletes nothing there."
    )

    read_hashtag: bool = Field(default=False, description="Has no meaning here: a mailbox has no hashtags.")
    read_mentions: bool = Field(default=True, description="Read the mails.")
    reply_author: bool = Field(default=True, description="Answer people who wrote to the bot.")
    reply_uninvited: bool = Field(default=False, description="Has no meaning here: every mail is addressed to the bot.")
    mention_others: bool = Field(default=False, description="Has no meaning here: a mail mentions nobody.")
    match_faces: bool = Field(default=True, description="Search faces of photos from here among the registered cases.")

    @field_validator("base_url")
    @classmethod
    def _imap(cls, value: str) -> str:
        if value:
            imap.server_address(value, imap.READING)
        return value

    @field_validator("smtp_url")
    @classmethod
    def _smtp(cls, value: str) -> str:
        if value:
            imap.server_address(value, imap.SENDING)
        return value


def build(settings: Settings, secrets: Mapping[str, str], clock: Clock) -> Platform:
    """The mailbox; opens no connection.

    Raises:
        SettingsError: an address or a secret is missing.
    """
    missing = [f"platforms.mailbox.{key}" for key in ("base_url", "smtp_url") if not getattr(settings, key)]
    missing += [name for name in SECRETS if not secrets.get(name)]
    own = mime.address(settings.address or secrets.get("MAILBOX_USER", ""))
    if missing or not own:
        what = ", ".join(missing) or "platforms.mailbox.address"
        mend = "give both servers in the settings and MAILBOX_USER, MAILBOX_PASSWORD in the environment"
        raise SettingsError(f"platforms.mailbox: not set: {what}", mend=mend)
    user, password = secrets["MAILBOX_USER"], secrets["MAILBOX_PASSWORD"]
    context = imap.tls(settings.ca_file)
    reading = imap.server_address(settings.base_url, imap.READING)
    sending = imap.server_address(settings.smtp_url, imap.SENDING)
    account = imap.Account(reading, user, password, settings.folder, settings.timeout_s, context)
    sender = smtp.Sender(sending, user, password, own, settings.display_name, settings.timeout_s, context)
    return Mailbox(settings, account, sender, clock)


def rules(settings: Settings, clock: Clock) -> Rules:
    """Limits, lengths and capabilities. Photos are in the mailbox itself: without its password none can be had."""
    return Rules(
        max_length=2000,
        length=len,
        id_key=id_key,
        post_url=lambda _author, _post: "",
        mention=lambda handle: "@" + handle.lstrip("@"),
        photo_hosts=(),
        capabilities=allowances("mailbox", settings, _WHY, _NEVER),
        photo_headers={},
        photo_reader=_no_photo,
        indexing_delay_s=60.0,
        overlap_s=0.0,
    )


def _no_photo(url: str) -> bytes:
    raise PhotoUnavailable("this worker has no password of the mailbox")


class Mailbox:
    """One mailbox as a :class:`bot.platforms.base.Platform`. A post's id is its mail's Message-ID."""

    name = "mailbox"

    def __init__(self, settings: Settings, account: imap.Account, sender: smtp.Sender, clock: Clock) -> None:
        self._settings, self._account, self._sender, self._clock = settings, account, sender, clock
        self._rules = replace(rules(settings, clock), photo_reader=self._photo)

    @property
    def rules(self) -> Rules:
        return self._rules

    def read(self, stream: Stream, since: str | None, page: str | None, not_before: datetime) -> Page:
        """One page of mails, oldest first; see :class:`ingest.source.Source`. Cursors are ``UIDVALIDITY:UID``.

        Where the server has numbered its mails anew (RFC 3501, 2.3.1.1), reading starts again from ``not_before``: ids are
        Message-IDs, so that what is known is recognised.
        """
        if stream.kind is not StreamKind.MENTIONS:
            raise BadInput("a mailbox has no hashtags", mend="leave platforms.mailbox.hashtags empty")
        with imap.open_box(self._account, writes=self._settings.keep_days > 0 and page is None) as box:
            after = _position(page or since, box.validity)
            if page and after is None:
                raise BadResponse("mailbox: the server has numbered its mails anew in the middle of a chain")
            if after is not None:
                waiting = [uid for uid in box.search("UID", f"{after + 1}:*") if uid > after]
            else:
                waiting = box.search("SINCE", imap.day(not_before, days_before=1))
            taken = waiting[:_PAGE]
            posts = [self._read_one(box, e) for e in box.envelopes(taken) if after is not None or e.arrived_at >= not_before]
            if self._settings.keep_days and page is None and after is not None:
                self._tidy(box, after)
            head = f"{box.validity}:{waiting[-1]}" if waiting else since
            more = f"{box.validity}:{taken[-1]}" if len(waiting) > _PAGE else None
            return Page(tuple(post for post in posts if post is not None), next=more, head=None if page else head)

    def _tidy(self, box: imap.Box, after: int) -> None:
        """Delete what is over its time, and was read before the last chain ended."""
        old = box.search("BEFORE", imap.day(self._clock() - timedelta(days=self._settings.keep_days)))
        box.remove([uid for uid in old if uid <= after])

    def _read_one(self, box: imap.Box, envelope: imap.Envelope) -> Post | Malformed | None:
        """One mail as a post; None for the bot's own copies and for mails that went meanwhile."""
        large = envelope.size_bytes > self._settings.max_mail_bytes
        raw = box.head(envelope.uid) if large else box.whole(envelope.uid)
        if raw is None:
            return None
        try:
            mail = mime.read_mail(raw, envelope.arrived_at)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            head = raw[:2000].decode("utf-8", "replace")
            number = "digest-" + hashlib.sha256(raw).hexdigest()[:40]
            return Malformed(self.name, number, f"{type(error).__name__}: {error}", {"head": head})
        if mail.sender == self._sender.address:
            return None
        return self._post(mail, large=large)

    def _post(self, mail: mime.Mail, *, large: bool) -> Post:
        media = tuple(Media(f"{p.part}", (f"mailbox:{p.part}:{mail.id}",)) for p in mail.photos)
        if large:
            media = (Media("too-large", (f"mailbox:-1:{mail.id}",)),)
        return Post(
            platform=self.name,
            id=mail.id,
            author=Author(id=mail.sender, handle=mime.masked(mail.sender), automated=bool(mail.automated)),
            text=mail.text,
            posted_at=mail.sent_at,
            url="",
            lang="und",
            media=media,
            reply_to_id=mail.in_reply_to or None,
            thread_id=mail.thread,
            summons=not mail.automated,
            raw={"from": mail.sender, "subject": mail.subject, "automated": mail.automated, "references": list(mail.references)},
        )

    def look_up(self, ids: Sequence[str]) -> LookUp:
        """The mails that still stand in the folder. None is ever gone: a delivered mail cannot be taken back by its sender,
        and one that was moved or tidied away is no wish of theirs (they ask for removal by answering; see docs/privacy.md)."""
        if len(ids) > self._rules.look_up_batch:
            raise BadInput(f"at most {self._rules.look_up_batch} ids at once; {len(ids)} were given")
        with imap.open_box(self._account) as box:
            found = [self._read_one(box, e) for post_id in ids for e in self._find(box, post_id)]
        return LookUp(tuple(post for post in found if post is not None), ())

    def say(self, message: Outgoing) -> Sent:
        """Answer one mail, with one SMTP transaction; see :class:`bot.platforms.base.Platform`."""
        if message.reply_to_id is None:
            raise Refused("a mail needs an addressee: only answers can be sent here", code="no_addressee")
        if not 0 < len(message.text) <= self._rules.max_length:
            raise Refused(f"{len(message.text)} characters, 1 to {self._rules.max_length} allowed", code="too_long")
        target = self._addressee(message.reply_to_id)
        to, references = mime.address(mime.header(target, "From")), mime.references(target)
        letter = smtp.Letter(to, message.text, message.ref, message.reply_to_id, references)
        try:
            mail = smtp.compose(self._sender, letter, self._clock())
        except (ValueError, UnicodeError):
            raise Refused("the sender's address cannot be written to", code="address") from None
        smtp.send(self._sender, mail, to)
        return Sent(self._sender.message_id(message.reply_to_id, message.text))

    def _addressee(self, post_id: str) -> Message:
        """The head of the mail to be answered, after a last look at whether it may be.

        Raises:
            TargetGone: it is no longer in the folder. Refused: a machine sent it, or its sender got enough answers.
        """
        with imap.open_box(self._account) as box:
            found = self._find(box, post_id)
            raw = box.head(found[0].uid) if found else None
            if raw is None:
                raise TargetGone("mailbox: the mail to be answered is no longer in the folder")
            head = message_from_bytes(raw, policy=policy.compat32)
            why, to = mime.automated(head), mime.address(mime.header(head, "From"))
            if why or not to or to == self._sender.address:
                raise Refused(f"automatic mails are never answered: {why or 'no sender'}", code="automatic")
            since = self._clock() - timedelta(days=1)
            if len(self._own(box, since, to=to)) >= self._settings.answers_per_day:
                raise Refused(f"this sender got {self._settings.answers_per_day} answers within a day", code="too_many")
            return head

    def own_recent(self, reply_to_id: str | None, since: datetime) -> Sequence[OwnPost]:
        """The bot's own answers since ``since``, newest first, from their copies in the folder.

        A copy counts only if its Message-ID is the one that :meth:`_mailbox_smtp.Sender.message_id` gives for its words: a
        forged mail in the bot's name cannot make it believe that it has answered.
        """
        with imap.open_box(self._account) as box:
            return self._own(box, since, reply_to_id=reply_to_id)

    def _own(self, box: imap.Box, since: datetime, *, reply_to_id: str | None = None, to: str = "") -> list[OwnPost]:
        asked = ["FROM", imap.quoted(self._sender.address), "SINCE", imap.day(since, days_before=1)]
        if to:
            asked += ["TO", imap.quoted(to)]
        if reply_to_id:
            asked += ["HEADER", "In-Reply-To", imap.quoted(f"<{reply_to_id}>")]
        found = []
        for envelope in reversed(box.envelopes(box.search(*asked))):
            raw = box.whole(envelope.uid) if envelope.arrived_at >= since else None
            own = None if raw is None else self._own_post(raw, envelope.arrived_at)
            if own is not None and (reply_to_id is None or own.reply_to_id == reply_to_id):
                found.append(own)
        return found

    def _own_post(self, raw: bytes, arrived_at: datetime) -> OwnPost | None:
        message = message_from_bytes(raw, policy=policy.compat32)
        text = next((mime.words(part) for part in mime.parts(message)), "").replace("\r\n", "\n").strip()
        target = next(iter(mime.ids(message, "In-Reply-To")), "")
        if mime.mail_id(message) != self._sender.message_id(target, text):
            return None
        return OwnPost(mime.mail_id(message), text, target, arrived_at)

    def account(self, handle: str | None = None) -> AccountInfo | None:
        """The bot's own address, once the server has let it in. Other people's mailboxes cannot be looked up: None."""
        if handle is not None:
            return None
        imap.check_sign_in(self._account)
        return AccountInfo(id=self._sender.address, handle=self._sender.address, name=self._settings.display_name)

    def _find(self, box: imap.Box, post_id: str) -> list[imap.Envelope]:
        """The mail of a post: by its Message-ID, or by its digest among those that have none."""
        if not post_id.startswith("digest-"):
            try:
                return box.envelopes(box.search("HEADER", "Message-ID", imap.quoted(f"<{post_id}>"))[:1])
            except ValueError:
                return []
        for uid in reversed(box.search("NOT", "HEADER", "Message-ID", '"@"')):
            head = box.head(uid)
            if head is not None and mime.mail_id(message_from_bytes(head, policy=policy.compat32)) == post_id:
                return box.envelopes([uid])
        return []

    def _photo(self, url: str) -> bytes:
        """The bytes behind a photo's ``mailbox:PART:MESSAGE-ID``, as they were attached, EXIF included.

        Raises:
            PhotoGone: the mail is gone. PhotoRefused: too large, or no such part. PhotoUnavailable: the server is, for now.
        """
        _, part, post_id = url.split(":", 2)
        try:
            with imap.open_box(self._account) as box:
                found = self._find(box, post_id)
                if found and found[0].size_bytes > self._settings.max_mail_bytes:
                    raise PhotoRefused(f"the mail is larger than {self._settings.max_mail_bytes} bytes")
                raw = box.whole(found[0].uid) if found else None
        except PlatformError as error:
            raise PhotoUnavailable(f"the mailbox cannot be read: {error}") from None
        if raw is None:
            raise PhotoGone("the mail is no longer in the folder")
        data = mime.part_bytes(raw, int(part))
        if not data:
            raise PhotoRefused("the mail holds no such attachment")
        if len(data) > self._settings.max_photo_bytes:
            raise PhotoRefused(f"the attachment is larger than {self._settings.max_photo_bytes} bytes")
        return data


def id_key(value: str) -> str:
    """Cursors by folder numbering and UID, after every post id; Message-IDs have no order of age (pages come oldest first)."""
    cursor = _TOKEN.fullmatch(value)
    if cursor:
        return f"1{int(cursor[1]):010d}{int(cursor[2]):010d}"
    return f"0{len(value):04d}{value}" if value.isascii() and value.isdigit() else "0"


def _position(cursor: str | None, validity: int) -> int | None:
    """The UID after which to read; None where there is no cursor, or one of an earlier numbering."""
    found = _TOKEN.fullmatch(cursor or "")
    return int(found[2]) if found and int(found[1]) == validity else None


_WHY = {
    Capability.READ_HASHTAG: "A mailbox has no hashtags; people write to its address.",
    Capability.READ_MENTIONS: "Every mail to the bot's address is read.",
    Capability.REPLY_AUTHOR: "People who write get one answer; machines, lists and bounces never do.",
    Capability.REPLY_UNINVITED: "Every mail is addressed to the bot: there is nobody to answer uninvited.",
    Capability.MENTION_OTHERS: "A mail mentions nobody: what matches goes to people, who forward it by hand.",
    Capability.MATCH_FACES: "Photos here were sent to the campaign itself.",
}
_NEVER = frozenset({Capability.READ_HASHTAG, Capability.REPLY_UNINVITED, Capability.MENTION_OTHERS})
