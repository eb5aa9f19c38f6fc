"""A full disk and a locked database while the bot runs: it says so, loses nothing, and goes on by itself afterwards."""

import os
import sqlite3
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from bot.bot import Bot
from bot.demo.photos import DemoPhoto
from bot.microblog.model import Side
from bot.microblog.server import Microblog
from bot.pipeline import run_round
from bot.schedule import Schedule
from bot.settings import Loaded, load_settings
from store.dialect import sqlite
from store.errors import StoreError

PATIENCE_S = 60


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


def post(tools: SimpleNamespace, microblog: Microblog, photos: dict[str, DemoPhoto]) -> None:
    text = f"#{tools.tag}# 刚刚在深圳市罗湖区 @随手拍助手"
    microblog.world.add_post(Side.WEIBO, "anna", text, photos=[photos["q-1"].data])


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A photo folder without space until ``full`` is set to False; ``refused`` counts the photos turned away."""
    disk = SimpleNamespace(full=True, refused=0)
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if disk.full:
            disk.refused += 1
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return disk


def test_a_full_photo_disk_ends_the_round_and_nothing_is_lost(
    loaded: Loaded, tools: SimpleNamespace, microblog: Microblog, photos: dict[str, DemoPhoto], full_disk: SimpleNamespace
) -> None:
    """The round says what is full; nobody is told anything meanwhile; with space again the post is answered once."""
    full_disk.full = False
    with tools.opened(loaded) as bot:
        tools.settle(bot)
        post(tools, microblog, photos)
        full_disk.full = True
        with pytest.raises(StoreError, match="No space") as caught:
            run_round(bot)
        assert "free space" in caught.value.mend
        assert microblog.world.ledger.publications == []
        full_disk.full = False
        tools.settle(bot)
        assert len(microblog.world.ledger.publications) == 1


def _quick(settings_file: Callable, microblog: Microblog, tools: SimpleNamespace) -> Loaded:
    changes = {
        "platforms": {"weibo": {"poll_every_s": 1}, "x": {"enabled": False}},
        "schedule": {"work_every_s": 0.5, "deliver_every_s": 0.5},
    }
    return load_settings(settings_file(microblog, changes), environ=tools.environment(microblog))


def _at_work(bot: Bot, lines: list[str]) -> Schedule:
    schedule = Schedule(bot, lines.append)
    schedule.start()
    wait_for(lambda: any("mentions" in line for line in lines))
    return schedule


def test_a_running_bot_outlives_a_full_photo_disk(
    settings_file: Callable,
    tools: SimpleNamespace,
    microblog: Microblog,
    photos: dict[str, DemoPhoto],
    full_disk: SimpleNamespace,
) -> None:
    """The jobs fail while the disk is full and go on by themselves once it is not: one answer, by no one's hand."""
    full_disk.full = False
    with tools.opened(_quick(settings_file, microblog, tools)) as bot:
        schedule = _at_work(bot, [])
        try:
            full_disk.full = True
            post(tools, microblog, photos)
            wait_for(lambda: full_disk.refused >= 2)
            assert microblog.world.ledger.publications == []
            full_disk.full = False
            wait_for(lambda: len(microblog.world.ledger.publications) == 1)
        finally:
            full_disk.full = False
            schedule.stop()


@pytest.mark.only_on("sqlite", why="locks the file")
def test_a_running_bot_outlives_a_locked_database(
    settings_file: Callable,
    tools: SimpleNamespace,
    microblog: Microblog,
    photos: dict[str, DemoPhoto],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Another program holds the database: the bot says that it is locked, and answers once it is free."""
    monkeypatch.setattr(sqlite, "_PRAGMAS", ("PRAGMA busy_timeout=50", *sqlite._PRAGMAS[1:]))
    with tools.opened(_quick(settings_file, microblog, tools)) as bot:
        lines: list[str] = []
        schedule = _at_work(bot, lines)
        other = sqlite3.connect(bot.store.path, isolation_level=None, timeout=PATIENCE_S)
        try:
            other.execute("BEGIN IMMEDIATE")
            post(tools, microblog, photos)
            wait_for(lambda: "database is locked by another process" in caplog.text)
            assert microblog.world.ledger.publications == []
            other.execute("ROLLBACK")
            wait_for(lambda: len(microblog.world.ledger.publications) == 1)
        finally:
            other.close()
            schedule.stop()
