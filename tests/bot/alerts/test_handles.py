"""Before its first mention of a day a handle is looked up on the platform: one that changed hands is never called."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from bot.alerts.deliver import deliver
from bot.bot import Bot
from bot.microblog.model import Role, Side
from bot.microblog.server import Microblog
from bot.settings import Loaded
from store import alerts, officials
from store.alerts import Mention, NewAlert
from store.model import AlertState, MessageKind

TEXT = {
    "weibo": "@示例罗湖公安 编号 S-HANDLE：有网友在贵辖区拍到一名儿童，请核实。请勿自行干预。",
    "x": "@demo_luohu ref S-HANDLE: a passer-by photographed a child in your area, please check. Do not intervene.",
}
SIDES = {"weibo": Side.WEIBO, "x": Side.X}
HANDLES = {"weibo": "示例罗湖公安", "x": "demo_luohu"}
LOOK_UPS = {"weibo": "users/show", "x": "users/by"}


@pytest.fixture
def bot(tools: SimpleNamespace, loaded: Loaded, microblog: Microblog, clock) -> Iterator[Bot]:
    """A bot whose directory knows Luohu's official, at noon of the campaign's day, so that no step crosses midnight."""
    zone = ZoneInfo("Asia/Shanghai")
    noon = (datetime.now(UTC) + clock.offset).astimezone(zone).replace(hour=12, minute=0) + timedelta(days=1)
    clock.offset = noon - datetime.now(UTC)
    with tools.opened(loaded) as opened:
        tools.enrol_luohu(opened, microblog)
        yield opened


def ready(bot: Bot, microblog: Microblog, platform: str) -> int:
    """One alert in the outbox that calls Luohu's official under a new post of a passer-by who called the bot."""
    entry = microblog.world.add_post(SIDES[platform], "anna", "@随手拍助手 @suishoupai_bot 深圳罗湖东门")
    with bot.store.write() as tx:
        [account] = officials.accounts(tx, platform)
        number = alerts.propose(
            tx,
            NewAlert(
                platform=platform,
                target_post_id=str(entry.id),
                kind=MessageKind.ALERT,
                ref="S-HANDLE",
                text=TEXT[platform],
                reply_to_id=str(entry.id),
                mentions=(Mention(account.handle, account.id),),
            ),
        )
    assert number is not None
    return number


def after_delivery(bot: Bot, platform: str, number: int) -> alerts.Alert:
    deliver(bot, bot.seats[platform])
    with bot.store.read() as tx:
        return alerts.get(tx, number)


def look_ups(microblog: Microblog, platform: str) -> int:
    return sum(times for path, times in microblog.world.ledger.calls.items() if LOOK_UPS[platform] in path)


@pytest.mark.parametrize("platform", ["weibo", "x"])
def test_a_handle_that_is_still_theirs_is_mentioned(bot: Bot, microblog: Microblog, platform: str) -> None:
    """The platform knows the handle under the number of the directory: the alert goes out."""
    alert = after_delivery(bot, platform, ready(bot, microblog, platform))
    assert alert.state is AlertState.SENT
    assert HANDLES[platform] in microblog.world.ledger.publications[-1].text


@pytest.mark.parametrize("platform", ["weibo", "x"])
def test_a_handle_that_changed_hands_is_not_mentioned(bot: Bot, microblog: Microblog, platform: str) -> None:
    """The official took another name and a stranger took theirs: the alert waits for a person, nothing is published."""
    number = ready(bot, microblog, platform)
    microblog.world.rename("luohu", "新罗湖公安", "new_luohu")
    microblog.world.add_account("stranger", Role.PASSER_BY, "示例罗湖公安", "demo_luohu")
    alert = after_delivery(bot, platform, number)
    assert alert.state is AlertState.HELD
    assert "no longer belongs" in alert.hold_reason
    assert microblog.world.ledger.publications == []


@pytest.mark.parametrize("platform", ["weibo", "x"])
def test_a_handle_that_is_gone_is_not_mentioned(bot: Bot, microblog: Microblog, platform: str) -> None:
    """Nobody has the handle any more: the alert waits for a person."""
    number = ready(bot, microblog, platform)
    microblog.world.rename("luohu", "新罗湖公安", "new_luohu")
    alert = after_delivery(bot, platform, number)
    assert alert.state is AlertState.HELD
    assert microblog.world.ledger.publications == []


def test_a_handle_is_looked_up_once_a_day(bot: Bot, microblog: Microblog, clock) -> None:
    """The second mention of a day asks nothing more; the first of the next day asks again, and finds the change."""
    before = look_ups(microblog, "weibo")
    for _ in range(2):
        assert after_delivery(bot, "weibo", ready(bot, microblog, "weibo")).state is AlertState.SENT
        clock.forward(minutes=5)
    assert look_ups(microblog, "weibo") == before + 1
    microblog.world.rename("luohu", "新罗湖公安", "new_luohu")
    microblog.world.add_account("stranger", Role.PASSER_BY, "示例罗湖公安", "demo_luohu")
    clock.forward(days=1)
    alert = after_delivery(bot, "weibo", ready(bot, microblog, "weibo"))
    assert look_ups(microblog, "weibo") == before + 2
    assert alert.state is AlertState.HELD


def test_an_account_taken_out_of_the_directory_is_not_mentioned(bot: Bot, microblog: Microblog) -> None:
    """Between the decision and the sending the account was removed: the alert waits, and the platform is not asked."""
    number = ready(bot, microblog, "weibo")
    with bot.store.write() as tx:
        [account] = officials.accounts(tx, "weibo")
        officials.remove_account(tx, account.id)
    before = look_ups(microblog, "weibo")
    alert = after_delivery(bot, "weibo", number)
    assert alert.state is AlertState.HELD
    assert "directory" in alert.hold_reason
    assert look_ups(microblog, "weibo") == before
