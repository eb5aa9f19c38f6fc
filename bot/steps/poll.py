"""Poll: read each stream from its cursor and store the posts. The cursor rule stands in ingest/source.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.bot import Bot, PlatformSeat
from bot.log import get, trace_of
from ingest.source import Rules
from store import platform_states, posts
from store.errors import BadResponse, Moved, PlatformError
from store.model import Capability, Malformed, Page, Post, Stream, StreamKind

log = get("poll")


@dataclass(frozen=True, slots=True)
class Polled:
    """How one stream's poll ended. ``outcome`` is "ok", "off", "Paused" (the breaker is open), "Overtaken" (by another poller) or
    the error's name, never just "no posts"."""

    stream: str
    outcome: str
    pages: int = 0
    new: int = 0
    known: int = 0
    failed: int = 0
    error: str = ""
    unfinished: bool = False


def streams(seat: PlatformSeat) -> list[Stream]:
    """The streams that the settings ask for and the platform's capabilities allow."""
    allowed = seat.platform.rules.capabilities
    found: list[Stream] = []
    if allowed[Capability.READ_HASHTAG].on:
        found += [Stream(seat.name, StreamKind.HASHTAG, tag) for tag in seat.settings.hashtags]
    if allowed[Capability.READ_MENTIONS].on and seat.settings.mentions:
        found.append(Stream(seat.name, StreamKind.MENTIONS))
    speaks = any(allowed[one].on for one in (Capability.REPLY_AUTHOR, Capability.REPLY_UNINVITED, Capability.MENTION_OTHERS))
    if seat.platform.rules.reads_replies and speaks:
        found.append(Stream(seat.name, StreamKind.REPLIES))
    return found


def poll_interval_s(seat: PlatformSeat) -> float:
    """Seconds between two polls: what the settings ask for, or what the platform's call budget leaves, whichever is longer."""
    budget = seat.platform.rules.poll_interval_s
    wanted = float(seat.settings.poll_every_s)
    return wanted if budget is None else max(wanted, budget(len(streams(seat))))


def keep_budget(bot: Bot, seat: PlatformSeat) -> None:
    """Keep what is left of the platform's budget, for ``status``, the metrics and the operator's page."""
    calls_left = seat.platform.rules.calls_left
    if calls_left is not None and (told := calls_left()) is not None:
        left, until = told
        with bot.store.write("poll.budget") as tx:
            platform_states.put(tx, seat.name, calls_left=left, calls_reset_at=until)


def poll_all(bot: Bot) -> list[Polled]:
    """Poll every stream of every platform once."""
    done: list[Polled] = []
    for seat in bot.seats.values():
        done += [poll(bot, seat, stream) for stream in streams(seat)]
        keep_budget(bot, seat)
    return done


def poll(bot: Bot, seat: PlatformSeat, stream: Stream) -> Polled:
    """Read ``stream`` to its end, or for ``max_pages`` pages; the next poll goes on where this one stopped.

    A platform that is blocked, limits us or is down ends the poll with that outcome; what was read before is stored.

    Raises:
        StoreError: nothing can be stored; the caller stops the round.
    """
    if seat.breaker.open_at(bot.clock()):
        return Polled(stream.key, "Paused", error=f"left alone for a while: {seat.breaker.why}")
    with bot.store.read() as tx:
        state = posts.stream_state(tx, stream)
    reading = _Reading(bot, seat, stream, state)
    try:
        if reading.resumed and seat.settings.max_pages > 1:
            reading.fresh_page()
        while reading.pages < seat.settings.max_pages and not bot.stopping.is_set():
            last = reading.one_page()
            seat.breaker = seat.breaker.after(None, bot.clock())
            if last:
                return reading.result("ok")
    except Moved as error:
        log.warning("two pollers read one stream", stream=stream.key)
        return reading.result("Overtaken", str(error))
    except PlatformError as error:
        outcome = type(error).__name__
        seat.breaker = seat.breaker.after(error, bot.clock())
        with bot.store.write("poll.failed") as tx:
            posts.note_poll(tx, stream, outcome, str(error), tx.now)
            if isinstance(error, BadResponse) and reading.resumed and not reading.pages:
                # The page token kept from last time is no longer understood: read the chain again from the cursor.
                posts.save_page(tx, stream, (), now=tx.now, silent=lambda _: True, cursor=None, chain=None)
        log.warning("poll failed", stream=stream.key, outcome=outcome, error=str(error))
        return reading.result(outcome, str(error))
    return reading.result("ok", unfinished=True)


class _Reading:
    """One poll of one stream: where it began, what its pages brought so far."""

    def __init__(self, bot: Bot, seat: PlatformSeat, stream: Stream, state: posts.StreamState) -> None:
        self._bot, self._seat, self._stream, self._state = bot, seat, stream, state
        chain = state.chain
        self._since = chain.since if chain else state.cursor
        self._head = chain.head if chain else None
        self._token = chain.next if chain else None
        self._stands = (state.cursor, state.chain)
        self.resumed = chain is not None
        self.pages = self._new = self._known = self._failed = 0

    def fresh_page(self) -> None:
        """Read and store the newest page while a long chain is being read: behind a flood of thousands, what was posted since
        is stored at once and not when the chain has come to its end. Cursor and chain stay: the next chain reads it again."""
        page = self._read(self._head, None)
        self._store(page, None, self._state.chain)

    def one_page(self) -> bool:
        """Read and store one page. True when it was the last of the chain."""
        rules = self._seat.platform.rules
        page = self._read(self._since, self._token)
        if page.next is not None and page.next == self._token:
            raise BadResponse(f"{self._stream.key}: the next page is this page again; stopped, to read it anew next time")
        if self._head is None:
            self._head = _newest(page, self._since, rules)
        last = page.next is None
        if page.truncated:
            log.warning("the platform gives no older posts", stream=self._stream.key, since=self._since)
        self._store(page, self._head if last else None, None if last else posts.Chain(self._head, page.next, self._since))
        self._token = page.next
        return last

    def _read(self, since: str | None, token: str | None) -> Page:
        not_before = self._state.started_at - timedelta(hours=self._seat.settings.backfill_hours)
        return self._seat.platform.read(self._stream, since, token, not_before)

    def _store(self, page: Page, cursor: str | None, chain: posts.Chain | None) -> None:
        # Platforms tell time to the second: a post of the very second of the first start is not an old one.
        first_start = self._state.started_at.replace(microsecond=0)
        with self._bot.store.write("poll.page") as tx:
            present = posts.stream_state(tx, self._stream)
            if (present.cursor, present.chain) != self._stands:
                raise Moved("another poller read this stream meanwhile; it goes on, this one stops")
            self._stands = (present.cursor if cursor is None else cursor, chain)
            stored = posts.save_page(
                tx,
                self._stream,
                _oldest_first(page.posts, self._seat.platform.rules),
                now=tx.now,
                silent=lambda post: post.posted_at < first_start,
                cursor=cursor,
                chain=chain,
            )
        for post in page.posts if stored.new else ():
            if isinstance(post, Post):
                log.debug("read", stream=self._stream.key, trace=trace_of(post.platform, post.id))
        self.pages += 1
        self._new += len(stored.new)
        self._known += stored.known
        self._failed += stored.failed

    def result(self, outcome: str, error: str = "", *, unfinished: bool = False) -> Polled:
        counted = (self.pages, self._new, self._known, self._failed)
        return Polled(self._stream.key, outcome, *counted, error=error, unfinished=unfinished)


def _newest(page: Page, since: str | None, rules: Rules) -> str | None:
    """The cursor that this chain will leave: the page's own word, else the greatest id, never before ``since``."""
    ids: Iterable[str] = [item.id for item in page.posts if _is_dated(item) and item.id is not None]
    candidates = [i for i in (page.head, since, *ids) if i is not None]
    return max(candidates, key=rules.id_key) if candidates else None


def _oldest_first(items: Sequence[Post | Malformed], rules: Rules) -> list[Post | Malformed]:
    """Posts are worked on in the order they are stored: the earlier of two alike is the sighting, the later the repeat.

    By id, not by time: platforms tell time to the second only.
    """
    good = sorted((item for item in items if isinstance(item, Post)), key=lambda post: rules.id_key(post.id))
    return [item for item in items if isinstance(item, Malformed)] + list(good)


def _is_dated(item: Post | Malformed) -> bool:
    return isinstance(item, Post)


def lag(now: datetime, state: posts.StreamState) -> timedelta | None:
    """Time since the stream was last read to its end; None if it never was."""
    return None if state.last_success_at is None else now - state.last_success_at
