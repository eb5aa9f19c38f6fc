"""The in-memory world: accounts, posts of both sides, comments, photos, and the ledger of what clients said.

Every method takes the world's lock, so the server's thread and a test may use it at once.
"""

from __future__ import annotations

import bisect
import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.microblog import text as words
from bot.microblog.ids import IdMint, weibo_pid, x_media_name
from bot.microblog.ledger import Ledger
from bot.microblog.model import Account, Comment, Entry, Photo, PlaceTag, Publication, Role, Side, WorldError
from bot.microblog.pictures import measure
from bot.microblog.rules import Rules
from bot.microblog.tokens import Credentials, TokenBook
from store.model import Clock

BOT = "bot"
PASSER_BY = "passerby"


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


class World:
    """Both platforms' content. ``clock`` gives the present; posts may be dated back, never forward.

    A world begins with two accounts: the bot (``BOT``, with tokens) and one passer-by (``PASSER_BY``).
    """

    def __init__(
        self,
        clock: Clock = utc_now,
        rules: Rules | None = None,
        bot_screen_name: str = "随手拍助手",
        bot_username: str = "suishoupai_bot",
        campaign: str = "随手拍照解救乞讨儿童",
    ) -> None:
        self.clock = clock
        self.campaign = campaign
        self.rules = rules or Rules()
        self.lock = threading.RLock()
        self.ids = IdMint()
        self.ledger = Ledger()
        self.tokens = TokenBook(clock())
        self.accounts: dict[str, Account] = {}
        self.entries: dict[int, Entry] = {}
        self.comments: dict[int, Comment] = {}
        self.photos: dict[str, Photo] = {}
        self.version = 0
        self._newest_last: dict[Side, list[int]] = {side: [] for side in Side}
        self._handles: dict[tuple[Side, str], str] = {}
        self._under: dict[int, list[int]] = {}  # post -> its comments
        self._about: dict[int, list[int]] = {}  # post -> posts that answer, quote or repost it
        born = clock() - timedelta(days=900)
        self.add_account(BOT, Role.BOT, bot_screen_name, bot_username, created_at=born)
        self.add_account(PASSER_BY, Role.PASSER_BY, "路过的人", "passer_by", created_at=born)
        self.tokens.issue(self.accounts[BOT], clock())

    # --- accounts ---

    def add_account(
        self,
        key: str,
        role: Role,
        screen_name: str,
        username: str,
        *,
        name: str = "",
        created_at: datetime | None = None,
        verified_type: int = -1,
        verified_reason: str = "",
        x_verified_type: str = "none",
        province: str = "100",
        city: str = "1000",
        location: str = "其他",
    ) -> Account:
        """Add an account that exists on both sides. Raises WorldError where the key or a handle is taken or malformed."""
        with self.lock:
            if words.mentions(f"@{username}", Side.X) != [words.Span(username, 0, len(username) + 1)]:
                raise WorldError(f"username {username!r} is not a handle of X: 1-15 letters, digits or _")
            if words.mentions(f"@{screen_name}", Side.WEIBO) != [words.Span(screen_name, 0, len(screen_name) + 1)]:
                raise WorldError(f"screen_name {screen_name!r} is not a Weibo name: 1-30 letters, digits, _ or -")
            handles = ((Side.WEIBO, screen_name), (Side.X, username.lower()))
            if key in self.accounts or any(handle in self._handles for handle in handles):
                raise WorldError(f"account {key!r} ({screen_name}, {username}): the key or a handle is taken")
            uid = self.ids.account()
            account = Account(
                key, role, uid, screen_name, str(uid + 1_000_000_000_000), username, name or screen_name,
                created_at or self.clock() - timedelta(days=400), verified_type, verified_reason,
                province, city, location, x_verified_type,
            )  # fmt: skip
            self.accounts[key] = account
            self._handles |= dict.fromkeys(handles, key)
            self._changed()
            return account

    def account(self, key: str) -> Account:
        """The account named ``key``. Raises WorldError."""
        try:
            return self.accounts[key]
        except KeyError:
            raise WorldError(f"no account {key!r} in this world; there are: {', '.join(self.accounts)}") from None

    def by_handle(self, side: Side, handle: str) -> Account | None:
        """The account that ``side`` knows under ``handle`` (X ignores case)."""
        key = self._handles.get((side, handle if side is Side.WEIBO else handle.lower()))
        return self.accounts[key] if key else None

    @property
    def bot(self) -> Account:
        """The bot's account."""
        return self.accounts[BOT]

    @property
    def credentials(self) -> Credentials:
        """The bot's tokens on both sides."""
        return self.tokens.credentials(BOT)

    # --- posts ---

    def add_post(
        self,
        side: Side,
        author: str,
        text: str,
        *,
        photos: Iterable[bytes] = (),
        geo: tuple[float, float] | None = None,
        place: PlaceTag | None = None,
        posted_at: datetime | None = None,
        visible_after_s: float = 0.0,
        reply_to: int | None = None,
        quote_of: int | None = None,
        reply_settings: str = "everyone",
        client: str = "microblog",
        unnamed: tuple[str, ...] = (),
    ) -> Entry:
        """Post ``text``; photo bytes are kept as given. Raises WorldError for an unknown author or target, or a later time."""
        with self.lock:
            account, at = self.account(author), self._moment(posted_at)
            names = tuple(self.add_photo(side, account, data).name for data in photos)
            target = None if reply_to is None else self.entry(reply_to)
            if quote_of is not None:
                self.entry(quote_of)
            number = self.mint(side, at)
            entry = Entry(
                number, side, author, text, at, at + timedelta(seconds=visible_after_s),
                target.conversation_id if target else number, names, geo, place, reply_to, None, quote_of,
                reply_settings, client, unnamed,
            )  # fmt: skip
            return self._keep(entry)

    def repost(self, post_id: int, author: str, text: str = "", posted_at: datetime | None = None) -> Entry:
        """Repost an original (or what a repost reposted), with words of one's own on Weibo."""
        with self.lock:
            original = self.entry(post_id)
            root = original.repost_of or original.id
            at = self._moment(posted_at)
            self.account(author)
            number = self.mint(original.side, at)
            if original.side is Side.WEIBO:
                text = text or "转发微博"
            return self._keep(Entry(number, original.side, author, text, at, at, number, repost_of=root))

    def delete(self, post_id: int) -> None:
        """Delete a post, as its author would. Raises WorldError where there is none."""
        with self.lock:
            self._keep(replace(self.entry(post_id), deleted=True))

    def comment(
        self,
        post_id: int,
        author: str,
        text: str,
        *,
        reply_to: int | None = None,
        posted_at: datetime | None = None,
        visible_after_s: float = 0.0,
    ) -> Comment:
        """Comment on a Weibo post. Raises WorldError for an unknown post, comment or author, or a post of X."""
        with self.lock:
            entry, at = self.entry(post_id), self._moment(posted_at)
            if entry.side is not Side.WEIBO:
                raise WorldError(f"post {post_id} is on X, which has replies and no comments: post with reply_to")
            self.account(author)
            if reply_to is not None and (reply_to not in self.comments or self.comments[reply_to].post_id != post_id):
                raise WorldError(f"no comment {reply_to} under post {post_id}")
            visible = at + timedelta(seconds=visible_after_s)
            comment = Comment(self.ids.weibo(at), post_id, author, text, at, visible, reply_to)
            self.comments[comment.id] = comment
            self._under.setdefault(post_id, []).append(comment.id)
            self._changed()
            return comment

    def delete_comment(self, comment_id: int) -> None:
        """Delete a comment. Raises WorldError where there is none."""
        with self.lock:
            if comment_id not in self.comments:
                raise WorldError(f"no comment {comment_id} in this world")
            self.comments[comment_id] = replace(self.comments[comment_id], deleted=True)
            self._changed()

    def add_photo(self, side: Side, owner: Account, data: bytes) -> Photo:
        """Keep a picture, byte for byte; one that no decoder reads is kept too, with size 0 x 0."""
        with self.lock:
            width_px, height_px, extension = measure(data)
            serial = self.ids.x(self.clock())
            name = weibo_pid(owner.uid, serial, width_px, height_px) if side is Side.WEIBO else x_media_name(serial)
            photo = Photo(name, f"3_{serial}", data, width_px, height_px, extension)
            self.photos[name] = photo
            return photo

    # --- reading ---

    def entry(self, post_id: int) -> Entry:
        """A post by id, deleted or not yet indexed ones too. Raises WorldError."""
        try:
            return self.entries[post_id]
        except KeyError:
            raise WorldError(f"no post {post_id} in this world") from None

    def visible(self, post_id: int, side: Side) -> Entry | None:
        """The post as the platform would show it now: None where it is deleted, unknown, not indexed or on the other side."""
        with self.lock:
            entry = self.entries.get(post_id)
            shown = entry is not None and entry.side is side and not entry.deleted and entry.visible_at <= self.clock()
            return entry if shown else None

    def posts(self, side: Side) -> list[Entry]:
        """Every visible post of ``side``, newest id first."""
        with self.lock:
            now = self.clock()
            newest_first = (self.entries[number] for number in reversed(self._newest_last[side]))
            return [e for e in newest_first if not e.deleted and e.visible_at <= now]

    def about(self, post_id: int) -> list[Entry]:
        """Every visible post that answers, quotes or reposts ``post_id``."""
        with self.lock:
            now = self.clock()
            found = (self.entries[number] for number in self._about.get(post_id, ()))
            return [e for e in found if not e.deleted and e.visible_at <= now]

    def timeline(self) -> list[Entry]:
        """Every visible post of both sides, newest first."""
        return sorted((e for side in Side for e in self.posts(side)), key=lambda e: e.posted_at, reverse=True)

    def comments_where(self, author: str | None = None, post_id: int | None = None) -> list[Comment]:
        """Every visible comment (by ``author``, under ``post_id``), newest first."""
        with self.lock:
            now = self.clock()
            ids = list(self.comments) if post_id is None else self._under.get(post_id, [])
            among = (self.comments[number] for number in ids)
            found = [c for c in among if not c.deleted and c.visible_at <= now and (author is None or c.author == author)]
        return sorted(found, key=lambda c: c.id, reverse=True)

    def named_in(self, text: str, side: Side) -> tuple[str, ...]:
        """Keys of the accounts that ``text`` mentions on ``side``, each once, in order."""
        found = (self.by_handle(side, span.value) for span in words.mentions(text, side))
        return tuple(dict.fromkeys(account.key for account in found if account))

    def led_by(self, entry: Entry) -> tuple[str, ...]:
        """Handles that X puts before an answer: whom it answers and whom that post names, unless the text names them itself."""
        if entry.side is not Side.X or entry.reply_to is None:
            return ()
        with self.lock:
            target = self.entry(entry.reply_to)
            left_out = {entry.author, *entry.unnamed, *self.named_in(entry.text, Side.X)}
            keys = [key for key in (target.author, *self.mentioned(target)) if key not in left_out]
            return tuple(self.account(key).username for key in dict.fromkeys(keys))

    def mentioned(self, entry: Entry) -> tuple[str, ...]:
        """Keys of the accounts that ``entry`` mentions, those that X put before it first."""
        lead = "".join(f"@{handle} " for handle in self.led_by(entry))
        return self.named_in(lead + entry.text, entry.side)

    # --- keeping ---

    def publish(self, publication: Publication) -> None:
        """Record in the ledger what a client said."""
        with self.lock:
            self.ledger.publications.append(publication)
            self._changed()

    def mint(self, side: Side, at: datetime) -> int:
        """A new id of ``side`` for the instant ``at``."""
        return self.ids.weibo(at) if side is Side.WEIBO else self.ids.x(at)

    def _moment(self, at: datetime | None) -> datetime:
        now = self.clock()
        if at is None:
            return now
        if at.tzinfo is None:
            raise WorldError(f"posted_at {at.isoformat()} has no time zone")
        if at > now:
            raise WorldError(f"posted_at {at.isoformat()} lies after now ({now.isoformat()})")
        return at

    def _keep(self, entry: Entry) -> Entry:
        if entry.id not in self.entries:
            bisect.insort(self._newest_last[entry.side], entry.id)
            for number in {entry.reply_to, entry.quote_of, entry.repost_of} - {None}:
                self._about.setdefault(number or 0, []).append(entry.id)
        self.entries[entry.id] = entry
        self._changed()
        return entry

    def _changed(self) -> None:
        self.version += 1
