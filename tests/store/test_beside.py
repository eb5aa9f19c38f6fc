"""Several processes write at once: what one transaction must see of another, on each database."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from bot.chaos.life import processes as forked
from store import audit, cases, photos, posts
from store.cases import CaseFields
from store.model import Author, Post, Stream, StreamKind
from store.session import Store
from store.tables import media as media_table

PHOTO = {"width_px": 640, "height_px": 480, "format": "JPEG", "size_bytes": 1}


def _together(url: str, *works) -> list[int]:
    processes = [forked().Process(target=work, args=(url, *more)) for work, *more in works]
    for process in processes:
        process.start()
    for process in processes:
        process.join(90)
    return [process.exitcode for process in processes]


def _register(url: str, who: str) -> None:
    store = Store(url, lambda: datetime.now(UTC))
    for number in range(15):
        with store.write() as tx:
            cases.add(tx, CaseFields(name=f"{who} {number}"), who)
    store.close()


def _follow(url: str, expected: int) -> None:
    """A gallery that takes in what changed: it must meet every case, whatever the order of commits."""
    store = Store(url, lambda: datetime.now(UTC))
    seq, met = 0, set()
    while len(met) < expected:
        with store.read() as tx:
            seq, changed = cases.changed_since(tx, seq)
        met |= set(changed)
    store.close()


def test_who_follows_the_change_sequence_misses_no_case(store):
    """Two processes register cases while a third follows by sequence number: numbers become visible in their own order."""
    assert _together(store.url, (_register, "a"), (_register, "b"), (_follow, 30)) == [0, 0, 0]
    with store.read() as tx:
        assert len({case.seq for case in cases.listing(tx, limit=100)}) == 30


def _poll(url: str, who: str) -> None:
    store = Store(url, lambda: datetime.now(UTC))
    now = datetime(2011, 2, 10, tzinfo=UTC)
    for start in range(0, 40, 5):
        page = [Post("weibo", str(n), Author("u", "u"), "x", now, "https://e.example/") for n in range(start, start + 10)]
        with store.write() as tx:
            stream = Stream("weibo", StreamKind.HASHTAG, who)
            posts.save_page(tx, stream, page, now=now, silent=lambda post: False, cursor=str(start), chain=None)
    store.close()


def test_two_pollers_that_bring_the_same_posts_store_each_once(store):
    """Overlapping pages from two streams at once: no error, no post twice, none missing."""
    assert _together(store.url, (_poll, "a"), (_poll, "b")) == [0, 0]
    with store.read() as tx:
        assert posts.counts(tx)[posts.Step.STORED] == 45


def _keep(url: str) -> None:
    store = Store(url, lambda: datetime.now(UTC))
    for number in range(40):
        with store.write(beside=True) as tx:
            assert photos.save(tx, sha256=f"{number:064x}", phash="00ff00ff00ff00ff", **PHOTO).id
    store.close()


def test_photos_are_kept_beside_each_other_each_once(store):
    """Writers that share their place keep the same photos at once: one row each, no error."""
    assert _together(store.url, (_keep,), (_keep,), (_keep,)) == [0, 0, 0]
    with store.read() as tx:
        assert photos.count(tx) == 40
        assert tx.execute(select(media_table)).all() == []


@pytest.mark.only_on("postgresql", why="on SQLite every writer is alone")
def test_writers_beside_each_other_run_at_once_and_never_with_a_lone_one(store):
    """Two that share are in their blocks together; a lone writer waits until both have left, and sees what they wrote."""
    inside, seen, lone = threading.Barrier(3, timeout=30), [], threading.Event()

    def share(number: int) -> None:
        with store.write(beside=True) as tx:
            photos.save(tx, sha256=f"{number:064x}", phash="00ff00ff00ff00ff", **PHOTO)
            inside.wait()
            lone.wait(0.3)
            assert not seen, "the lone writer came in while this one was inside"

    def alone() -> None:
        inside.wait()
        with store.write() as tx:
            seen.append(photos.count(tx))
            audit.append(tx, "bot", "test", "alone")
        lone.set()

    threads = [threading.Thread(target=share, args=(number,)) for number in (1, 2)] + [threading.Thread(target=alone)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert seen == [2]
