"""The call budget of one account, with several workers that read and speak for it: it holds for all of them together."""

from __future__ import annotations

from contextlib import ExitStack
from types import SimpleNamespace

import pytest
import requests

from bot.microblog.environment import environment
from bot.settings import load_settings
from bot.steps.poll import keep_budget, poll, streams
from bot.wiring import open_bot, open_worker
from store import platform_states

DAILY, RESERVE = 30, 6


@pytest.fixture
def loaded(settings_file, microblog, postgres_url, together: SimpleNamespace):
    """Settings with a small budget, in which nobody asks the platform what is left: the count alone has to hold."""
    small = {"daily_calls": DAILY, "reserve_for_writing": RESERVE, "ask_rate_limit": False}
    changes = {"store": {"url": postgres_url}, "work": together.shared, "platforms": {"weibo": small}}
    return load_settings(settings_file(microblog, changes), environ=environment(microblog.credentials))


def spent(microblog) -> int:
    """Calls that the platform itself counted."""
    url = f"http://127.0.0.1:{microblog.port}/weibo/2/account/rate_limit_status.json"
    token = environment(microblog.credentials)["WEIBO_ACCESS_TOKEN"]
    status = requests.get(url, headers={"Authorization": f"OAuth2 {token}"}, timeout=5).json()
    return status["user_limit"] - status["remaining_user_hits"]


def test_two_workers_keep_one_budget(loaded, shared_parts, together: SimpleNamespace, microblog, clock) -> None:
    """Each reads until it is refused: together they make as many calls as one may, less those kept for answers; those are then
    there for either; a worker that is started afterwards, and one without tokens, know what is left."""
    with ExitStack() as stack:
        pair = [stack.enter_context(open_worker(loaded, ["poll", "deliver"], clock)) for _ in range(2)]

        def read(bot) -> set[str]:
            seat = bot.seats["weibo"]
            return {poll(bot, seat, stream).outcome for _ in range(DAILY) for stream in streams(seat)}

        outcomes = together.at_once(*(lambda b=bot: read(b) for bot in pair))
        assert all("RateLimited" in seen for seen in outcomes)
        assert outcomes[0] | outcomes[1] <= {"ok", "Overtaken", "RateLimited"}
        assert spent(microblog) == DAILY - RESERVE
        assert pair[1].seats["weibo"].platform.account("示例罗湖公安") is not None
        assert spent(microblog) == DAILY - RESERVE + 1
        late = stack.enter_context(open_worker(loaded, ["poll"], clock))
        assert read(late) == {"RateLimited"}
        blind = stack.enter_context(open_worker(loaded, ["decide"], clock))
        for bot in (*pair, late, blind):
            keep_budget(bot, bot.seats["weibo"])
            with bot.store.read() as tx:
                assert platform_states.get(tx, "weibo").calls_left == DAILY - spent(microblog)
        clock.forward(days=1)
        assert "ok" in read(late)


@pytest.mark.on_both
def test_a_restart_forgets_no_call(settings_file, shared_parts, microblog, clock) -> None:
    """The day's calls of the process before are counted by the next one, on either database."""
    changes = {"platforms": {"weibo": {"daily_calls": DAILY, "ask_rate_limit": False}}}
    loaded = load_settings(settings_file(microblog, changes), environ=environment(microblog.credentials))
    for _ in range(3):
        with open_bot(loaded, clock) as bot:
            left, _ = bot.seats["weibo"].platform.rules.calls_left()
            assert left == DAILY - spent(microblog)
    assert spent(microblog) >= 3
