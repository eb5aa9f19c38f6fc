"""What the local microblog keeps, and how it is found again: the lowest layer of the world."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Sequence

from bot.microblog import text as words
from bot.microblog.ids import IdMint
from bot.microblog.ledger import Ledger
from bot.microblog.model import Account, Comment, Entry, Photo, Publication, Side, WorldError
from bot.microblog.rules import Rules
from bot.microblog.tokens import Credentials, TokenBook
from store.model import Clock

BOT = "bot"
PASSER_BY = "passerby"

Thing = Account | Photo | Entry | Comment | Publication


class Shelf:
    """Accounts, posts, comments, photos and the ledger, with their indexes. Every method takes the lock.

    ``keeper`` is called with each thing that is new or changed, under the lock (see :mod:`bot.microblog.state`).
    """

    def __init__(self, clock: Clock, rules: Rules) -> None:
        self.clock = clock
        self.rules = rules
        self.lock = threading.RLock()
        self.ids = IdMint()
        self.ledger = Ledger()
        self.tokens = TokenBook(clock())
        self.accounts: dict[str, Account] = {}
        self.entries: dict[int, Entry] = {}
        self.comments: dict[int, Comment] = {}
        self.photos: dict[str, Photo] = {}
        self.version = 0
        self.keeper: Callable[[Thing], None] | None = None
        self._newest_last: dict[Side, list[int]] = {side: [] for side in Side}
        self._handles: dict[tuple[Side, str], str] = {}
        self._under: dict[int, list[int]] = {}  # post -> its comments
        self._about: dict[int, list[int]] = {}  # post -> posts that answer, quote or repost it

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

    # --- posts and comments ---

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

    def restore(
        self,
        *,
        accounts: Sequence[Account],
        photos: Sequence[Photo],
        entries: Sequence[Entry],
        comments: Sequence[Comment],
        publications: Sequence[Publication],
    ) -> None:
        """Take over what an earlier world held; its bot and passer-by replace those of this one."""
        with self.lock:
            for account in accounts:
                self._enter(account)
            self.photos |= {photo.name: photo for photo in photos}
            for entry in entries:
                self._keep(entry)
            for comment in comments:
                self.comments[comment.id] = comment
                self._under.setdefault(comment.post_id, []).append(comment.id)
            self.ledger.publications.extend(publications)
            used = [number % (1 << 22) for number in (*self.entries, *self.comments)]
            self.ids = IdMint(max([100, len(self.accounts) + len(self.photos) + 1, *used]) + 1)
            self.tokens = TokenBook(self.clock())
            self.tokens.issue(self.bot, self.clock())

    def _enter(self, account: Account) -> None:
        self.accounts[account.key] = account
        for side in Side:
            handle = account.handle(side)
            self._handles[side, handle if side is Side.WEIBO else handle.lower()] = account.key

    def _keep(self, entry: Entry) -> Entry:
        if entry.id not in self.entries:
            bisect.insort(self._newest_last[entry.side], entry.id)
            for number in {entry.reply_to, entry.quote_of, entry.repost_of} - {None}:
                self._about.setdefault(number or 0, []).append(entry.id)
        self.entries[entry.id] = entry
        self._changed(entry)
        return entry

    def _changed(self, thing: Thing) -> None:
        self.version += 1
        if self.keeper is not None:
            self.keeper(thing)
