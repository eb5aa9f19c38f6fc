"""Reading stored sightings anew: what better rules find is taken over and listed; what a person set stays as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from bot.__main__ import build
from bot.demo.photos import DemoPhoto
from bot.microblog.model import Side
from bot.microblog.server import Microblog
from bot.settings import load_settings
from bot.wiring import open_store
from store import sightings
from store.model import Certainty, Evidence, Grain, When, Where
from store.session import Store
from store.sightings import Sighting

OLD_WHERE = Where(
    "360103", "江西省南昌市西湖区", (), Certainty.LOW, (Evidence("text", "360103", Certainty.LOW, "an older rule"),)
)
OLD_WHEN = When(
    datetime(2026, 1, 1, tzinfo=ZoneInfo("Asia/Shanghai")),
    datetime(2026, 1, 2, tzinfo=ZoneInfo("Asia/Shanghai")),
    Grain.DAY,
    Certainty.LOW,
    (Evidence("text", None, Certainty.LOW, "an older rule"),),
)


@pytest.fixture
def bot_folder(
    settings_file: Callable[..., Path],
    microblog: Microblog,
    tools: SimpleNamespace,
    photos: dict[str, DemoPhoto],
    monkeypatch: pytest.MonkeyPatch,
) -> SimpleNamespace:
    """A bot that has read one post (东门老街 in 罗湖, yesterday at three); stored are what old rules said."""
    path = settings_file(microblog)
    for name, value in tools.environment(microblog).items():
        monkeypatch.setenv(name, value)
    loaded = load_settings(path)
    with tools.opened(loaded) as bot:
        tools.settle(bot)
        text = f"#{tools.tag}# 昨天下午三点在深圳市罗湖区东门老街看到"
        microblog.world.add_post(Side.WEIBO, "anna", text, photos=[photos["q-1"].data])
        tools.settle(bot)
    store = open_store(loaded)
    with store.write() as tx:
        [read] = sightings.listing(tx)
        sightings.update_extraction(tx, read.id, OLD_WHERE, OLD_WHEN)

    def run(*words: str) -> Any:
        result = CliRunner().invoke(build(), ["sightings", "re-extract", "--json", *words, "--config", str(path)])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    yield SimpleNamespace(run=run, store=store, ref=read.ref, id=read.id, read=read)
    store.close()


def now_stored(store: Store, key: int) -> Sighting:
    with store.read() as tx:
        return sightings.get(tx, key)


def test_what_changed_is_listed_and_kept(bot_folder: SimpleNamespace) -> None:
    """Place and time are read anew with today's rules; a second run finds nothing to change."""
    done = bot_folder.run()
    assert done["read"] == 1
    [change] = done["changed"]
    assert change["sighting"] == bot_folder.ref
    assert "西湖区" in change["place"][0]
    assert "罗湖区" in change["place"][1]
    assert change["seen"][0].startswith("2026-01-01 00:00 to 2026-01-02 00:00")  # in the campaign's time zone
    after = now_stored(bot_folder.store, bot_folder.id)
    assert (after.where, after.when) == (bot_folder.read.where, bot_folder.read.when)
    assert bot_folder.run() == {"read": 1, "changed": []}


def test_a_dry_run_changes_nothing(bot_folder: SimpleNamespace) -> None:
    """--dry-run lists the same change and leaves the store as it was."""
    assert len(bot_folder.run("--dry-run")["changed"]) == 1
    after = now_stored(bot_folder.store, bot_folder.id)
    assert (after.where, after.when) == (OLD_WHERE, OLD_WHEN)


def test_what_a_person_set_stays(bot_folder: SimpleNamespace) -> None:
    """A place set by hand outlives the rules, while the time beside it is read anew."""
    by_hand = replace(OLD_WHERE, adcode="440304", place="广东省深圳市福田区", certainty=Certainty.HIGH)
    with bot_folder.store.write() as tx:
        sightings.set_where(tx, bot_folder.id, by_hand, by="reviewer")
    [change] = bot_folder.run()["changed"]
    assert change["place"][0] == change["place"][1]
    after = now_stored(bot_folder.store, bot_folder.id)
    assert (after.where, after.where_by) == (by_hand, "reviewer")
    assert after.when == bot_folder.read.when


def test_a_time_set_by_hand_stays(bot_folder: SimpleNamespace) -> None:
    """A time set by hand outlives the rules, while the place beside it is read anew."""
    by_hand = replace(OLD_WHEN, seen_to=OLD_WHEN.seen_to + timedelta(hours=3), certainty=Certainty.HIGH)
    with bot_folder.store.write() as tx:
        sightings.set_when(tx, bot_folder.id, by_hand, by="reviewer")
    bot_folder.run()
    after = now_stored(bot_folder.store, bot_folder.id)
    assert (after.when, after.when_by) == (by_hand, "reviewer")
    assert after.where == bot_folder.read.where
