"""The in-memory world: accounts, posts of both sides, comments, photos, and the ledger of what clients said.

Every method takes the world's lock, so the server's thread and a test may use it at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.microblog import text as words
from bot.microblog.ids import weibo_pid, x_media_name
from bot.microblog.model import Account, Comment, Entry, Photo, PlaceTag, Publication, Role, Side, WorldError
from bot.microblog.pictures import measure
from bot.microblog.rules import Rules
from bot.microblog.shelf import BOT, PASSER_BY, Shelf
from store.model import Clock

__all__ = ["BOT", "PASSER_BY", "World", "utc_now"]


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


class World(Shelf):
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
        super().__init__(clock, rules or Rules())
        self.campaign = campaign
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
            self._enter(account)
            self._changed(account)
            return account

    def rename(self, key: str, screen_name: str, username: str) -> Account:
        """Give an account other handles on both sides; the old ones are free for somebody else. Raises WorldError."""
        with self.lock:
            old = self.account(key)
            for side, handle in ((Side.WEIBO, screen_name), (Side.X, username)):
                holder = self.by_handle(side, handle)
                if holder is not None and holder.key != key:
                    raise WorldError(f"the handle {handle!r} is {holder.key}'s")
            self._handles = {at: owner for at, owner in self._handles.items() if owner != key}
            account = replace(old, screen_name=screen_name, username=username)
            self._enter(account)
            self._changed(account)
            return account

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
            self._changed(comment)
            return comment

    def delete_comment(self, comment_id: int) -> None:
        """Delete a comment. Raises WorldError where there is none."""
        with self.lock:
            if comment_id not in self.comments:
                raise WorldError(f"no comment {comment_id} in this world")
            self.comments[comment_id] = replace(self.comments[comment_id], deleted=True)
            self._changed(self.comments[comment_id])

    def add_photo(self, side: Side, owner: Account, data: bytes) -> Photo:
        """Keep a picture, byte for byte; one that no decoder reads is kept too, with size 0 x 0."""
        with self.lock:
            width_px, height_px, extension = measure(data)
            serial = self.ids.x(self.clock())
            name = weibo_pid(owner.uid, serial, width_px, height_px) if side is Side.WEIBO else x_media_name(serial)
            photo = Photo(name, f"3_{serial}", data, width_px, height_px, extension)
            self.photos[name] = photo
            self._changed(photo)
            return photo

    # --- keeping ---

    def publish(self, publication: Publication) -> None:
        """Record in the ledger what a client said."""
        with self.lock:
            self.ledger.publications.append(publication)
            self._changed(publication)

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
