"""How long a flood delays an honest post: in the queue alone (rounds of work), and in the running bot (polls to its answer)."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from bot import wiring
from bot.bench.base import Figure, Result
from bot.chaos import site
from bot.microblog.model import Role, Side
from bot.microblog.server import Microblog
from bot.pipeline import run_round
from bot.schedule import Schedule
from bot.settings import load_settings
from store import posts
from store.model import Author, Post, Stream, StreamKind
from store.posts import Step
from store.session import Store

_STREAM = Stream("weibo", StreamKind.MENTIONS)


def run(quick: bool) -> Result:
    """10,000 posts of 50 accounts (quick: 2,000), then one honest post."""
    count = 2_000 if quick else 10_000
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        delay = delay_in_rounds(Path(folder), posts_count=count, accounts=50, batch=50)
        seconds = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        live = answered_behind(Path(folder), posts_count=count, accounts=50)
    name = f"honest post behind {count:,} of 50 accounts"
    figures = (
        Figure(name, delay, "rounds", better="lower", promised="2 rounds at most"),
        Figure("storing and ordering them", seconds, "s", better="lower"),
        *figures_of(live, count),
    )
    return Result("flood", figures)


@dataclass(frozen=True, slots=True)
class Answered:
    """How an honest post fared behind a flood: polls that ended and seconds that passed until its answer stood on the platform,
    how much of the flood was not read yet by then, how many posts were lost in the end, and answers given meanwhile."""

    polls: int
    seconds: float
    still_unread: int
    answers_before: int
    lost: int


def figures_of(live: Answered, count: int) -> list[Figure]:
    """The running bot's figures."""
    return [
        Figure(f"honest post answered behind {count:,} by the running bot", live.polls, "polls", better="lower", promised="2"),
        Figure("until its answer stood there", live.seconds, "s", better="lower"),
        Figure("of the flood not read yet by then", live.still_unread, "posts"),
        Figure("answers to the flood before it", live.answers_before, "answers", better="lower"),
        Figure("posts of the flood lost in the end", live.lost, "posts", better="lower", promised="0"),
    ]


def answered_behind(
    folder: Path, *, posts_count: int, accounts: int, pages_a_poll: int = 20, every_s: int = 5, patience_s: float = 600.0
) -> Answered:
    """Run the bot on the local microblog, flood it, post honestly once the first poll has begun to read the flood, and watch.

    Raises:
        site.ChaosError: the honest post was not answered, or the flood not read to its end, within ``patience_s``.
    """
    lines: list[str] = []
    with Microblog() as microblog:
        world = microblog.world
        for number in range(accounts):
            world.add_account(f"junk-{number}", Role.PASSER_BY, f"灌水{number}", f"junk_{number}")
        world.add_account("honest", Role.PASSER_BY, "路人甲", "passer_honest")
        loaded = load_settings(_live_settings(folder, microblog.port, pages_a_poll, every_s), environ={})
        with wiring.open_bot(loaded) as bot:
            run_round(bot)
            for number in range(posts_count):
                world.add_post(Side.WEIBO, f"junk-{number % accounts}", f"@随手拍助手 #{site.TAG}# 顶 {number}")
            schedule = Schedule(bot, lines.append)
            schedule.start()
            try:
                _wait(lambda: _polls(lines) > 0, patience_s)
                began, polls = time.monotonic(), _polls(lines)
                honest = world.add_post(Side.WEIBO, "honest", f"@随手拍助手 #{site.TAG}# 刚刚在深圳市罗湖区").id
                _wait(lambda: bool(world.ledger.said_to(str(honest))), patience_s)
                after, seconds, said = _polls(lines) - polls, time.monotonic() - began, len(world.ledger.publications)
                unread = posts_count + 1 - _stored(bot.store)
                _wait(lambda: _stored(bot.store) > posts_count, patience_s)
                return Answered(after, seconds, unread, said - 1, posts_count + 1 - _stored(bot.store))
            finally:
                schedule.stop()


def _live_settings(folder: Path, port: int, pages: int, every_s: int) -> Path:
    values = site.settings(port, 20.0)
    values["schedule"] |= {"work_every_s": 1, "deliver_every_s": 1}
    values["platforms"]["weibo"] |= {"poll_every_s": every_s, "max_pages": pages, "read_hashtag": False}
    values["platforms"]["x"] = {"enabled": False}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    return path


def _polls(lines: list[str]) -> int:
    return sum(line.startswith("poll   weibo:mentions") for line in lines)


def _stored(store: Store) -> int:
    with store.read() as tx:
        return sum(posts.counts(tx).values())


def _wait(what: Callable[[], bool], patience_s: float) -> None:
    until = time.monotonic() + patience_s
    while not what():
        if time.monotonic() > until:
            raise site.ChaosError("the flood was not dealt with in time")
        time.sleep(0.05)


def delay_in_rounds(folder: Path, *, posts_count: int, accounts: int, batch: int) -> int:
    """Store a flood, work one round, store an honest post, and count the rounds of ``batch`` posts until it comes up."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    store = Store(f"sqlite:///{folder / 'flood.sqlite'}", lambda: now)
    store.migrate()
    page = 500
    for start in range(0, posts_count, page):
        _save(store, [_post(n, f"junk-{n % accounts}", now) for n in range(start, min(start + page, posts_count))], now)
    _work(store, batch)
    _save(store, [_post(posts_count, "honest", now)], now)
    try:
        for number in range(1, posts_count // batch + 2):
            if str(posts_count) in _work(store, batch):
                return number
        return posts_count
    finally:
        store.close()


def _post(number: int, author: str, now: datetime) -> Post:
    who = Author(author, author, created_at=now - timedelta(days=1 if author != "honest" else 900))
    return Post("weibo", str(number), who, f"post {number}", now, f"http://127.0.0.1/{number}", summons=True)


def _save(store: Store, page: list[Post], now: datetime) -> None:
    with store.write() as tx:
        posts.save_page(tx, _STREAM, page, now=now, silent=lambda post: False, cursor=None, chain=None)


def _work(store: Store, batch: int) -> set[str]:
    """One round's first step, as bot/steps/each.py takes its posts."""
    with store.write() as tx:
        due = posts.pending(tx, Step.STORED, tx.now, batch)
        taken = {posts.get(tx, row).post_id for row in due}
        for row in due:
            posts.mark(tx, row, Step.DECIDED)
    return taken
