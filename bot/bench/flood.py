"""How long a flood delays an honest post: rounds of work until it has had its turn."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.bench.base import Figure, Result
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
    name = f"honest post behind {count:,} of 50 accounts"
    figures = (
        Figure(name, delay, "rounds", better="lower", promised="2 rounds at most"),
        Figure("storing and ordering them", seconds, "s", better="lower"),
    )
    return Result("flood", figures)


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
