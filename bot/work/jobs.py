"""The work of the pipeline in pieces that a queue can hand out: which queue a piece belongs to, and the function that does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.alerts.deliver import Delivered, deliver
from bot.bot import Bot, PlatformSeat
from bot.pipeline import PAST_PHOTOS_A_ROUND
from bot.schedule import describe_delivery, describe_poll
from bot.steps import housekeeping, thanks
from bot.steps.alert import alert
from bot.steps.breaker import Breaker
from bot.steps.each import one_post
from bot.steps.extract import extract
from bot.steps.match import match, reverse, shown_for_matching
from bot.steps.poll import keep_budget, poll, poll_interval_s, streams
from bot.steps.scan import scan
from store import platform_states, posts, retention
from store.posts import Step
from store.session import Due, DueKind

Line = Callable[[str], None]

DRIFT_KEPT_EVERY = 50


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of work: its queue, what it is about ("post" or "platform": no two pieces about one run at once; "" for all), and
    the function over (bot, key, line)."""

    queue: str
    about: str
    run: Callable[[Bot, str, Line], None]


@dataclass(frozen=True, slots=True)
class Chore:
    """Work that the clock asks for, once for all workers. ``cron`` has five fields."""

    queue: str
    cron: str
    run: Callable[[Bot, Line], object]


# --- posts ------------------------------------------------------------------------------------------------------


def _extract(bot: Bot, key: str, line: Line) -> None:
    _learn_own_names(bot)
    one_post(bot, Step.STORED, extract, int(key))


def _scan(bot: Bot, key: str, line: Line) -> None:
    one_post(bot, Step.EXTRACTED, _scan_photos, int(key))


def _scan_photos(bot: Bot, row: int) -> None:
    """Find and embed the faces of a post's photos, so that whoever matches it needs no engine."""
    for photo_id in shown_for_matching(bot, row):
        scan(bot, photo_id)
    with bot.store.write("work.scanned") as tx:
        posts.hold(tx, row, Step.EXTRACTED)
        tx.leave(Due(DueKind.MATCH, str(row)))


def _match(bot: Bot, key: str, line: Line) -> None:
    one_post(bot, Step.EXTRACTED, match, int(key))
    if bot.drift.waiting >= DRIFT_KEPT_EVERY:
        bot.drift.keep(bot.store, bot.faces.pack.sha256)
        bot.faces.keep_blocks(bot.store)


def _decide(bot: Bot, key: str, line: Line) -> None:
    _learn_own_names(bot)
    one_post(bot, Step.MATCHED, alert, int(key))


# --- platforms --------------------------------------------------------------------------------------------------


def _poll(bot: Bot, key: str, line: Line) -> None:
    seat = bot.seats[key]
    try:
        with shared(bot, seat):
            for stream in streams(seat):
                if bot.stopping.is_set():
                    break
                line(describe_poll(poll(bot, seat, stream)))
    finally:
        # Whatever came of it, it is not to be tried again at once.
        pause = timedelta(seconds=poll_interval_s(seat))
        with bot.store.write("work.polled") as tx:
            platform_states.put(tx, seat.name, poll_at=tx.now + pause)
        keep_budget(bot, seat)


def _send(bot: Bot, key: str, line: Line) -> None:
    seat = bot.seats[key]
    with shared(bot, seat):
        done = deliver(bot, seat)
    if done != Delivered(seat.name):
        line(describe_delivery(done))


@contextmanager
def shared(bot: Bot, seat: PlatformSeat) -> Iterator[None]:
    """The seat as the last worker on this platform left it, and left so for the next one."""
    with bot.store.read() as tx:
        state = platform_states.get(tx, seat.name)
    seat.quiet_until, seat.breaker = state.quiet_until, Breaker.from_json(state.breaker)
    quiet, breaker = seat.quiet_until, seat.breaker
    try:
        yield
    finally:
        changed: dict[str, Any] = {}
        if seat.quiet_until != quiet:
            changed["quiet_until"] = seat.quiet_until
        if seat.breaker != breaker:
            changed["breaker"] = seat.breaker.as_json()
        if changed:
            with bot.store.write("work.seat") as tx:
                platform_states.put(tx, seat.name, **changed)


def _learn_own_names(bot: Bot) -> None:
    """Who the bot is on each platform, as a worker with tokens has learnt it."""
    for seat in bot.seats.values():
        if not seat.own_id:
            with bot.store.read() as tx:
                state = platform_states.get(tx, seat.name)
            seat.own_id, seat.own_handle = state.own_id, state.own_handle


# --- all cases, and what the clock asks for ---------------------------------------------------------------------


def _cases(bot: Bot, key: str, line: Line) -> None:
    for book in filter(None, (bot.faces, bot.second)):
        housekeeping.embed_case_photos(bot, book)
    hits = reverse(bot)
    if hits:
        line(f"work   {hits} past posts may show a changed case")


def _past_photos(bot: Bot, line: Line) -> None:
    _cases(bot, "", line)
    housekeeping.embed_past_photos(bot, bot.faces, PAST_PHOTOS_A_ROUND)


def _deletions(bot: Bot, line: Line) -> None:
    for seat in bot.seats.values():
        housekeeping.look_for_deletions(bot, seat)


def _retention(bot: Bot, line: Line) -> None:
    retention.apply(bot.store, bot.files, retention.Policy(**bot.settings.retention.model_dump()))


def _sayings(bot: Bot, line: Line) -> None:
    """Thank-yous, and a look into every outbox (a digest is written there when its hour has come)."""
    thanks.thank(bot)
    with bot.store.write("work.digests") as tx:
        for name in bot.seats:
            tx.leave(Due(DueKind.SEND, name))


WORK: Mapping[DueKind, Work] = {
    DueKind.POLL: Work("poll", "platform", _poll),
    DueKind.EXTRACT: Work("extract", "post", _extract),
    DueKind.SCAN: Work("faces", "post", _scan),
    DueKind.MATCH: Work("match", "post", _match),
    DueKind.DECIDE: Work("decide", "post", _decide),
    DueKind.SEND: Work("deliver", "platform", _send),
    DueKind.CASES: Work("faces", "", _cases),
}

CHORES: Mapping[str, Chore] = {
    "past_photos": Chore("faces", "* * * * *", _past_photos),
    "deletions": Chore("poll", "7 * * * *", _deletions),
    "retention": Chore("chores", "17 * * * *", _retention),
    "sayings": Chore("chores", "* * * * *", _sayings),
}
