"""The circuit breaker: what keeps failing is left alone for growing pauses, and comes back by itself."""

from datetime import UTC, datetime, timedelta

from bot.alerts.deliver import deliver
from bot.microblog.faults import Fault, FaultKind
from bot.microblog.model import Side
from bot.pipeline import run_round
from bot.steps.breaker import FIRST_PAUSE, LONGEST_PAUSE, OPENS_AFTER, Breaker
from store.errors import RateLimited, Unreachable

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def broken(times: int, state: Breaker | None = None, at: datetime = NOW) -> Breaker:
    state = state or Breaker()
    for _ in range(times):
        state = state.after(Unreachable("down"), at)
    return state


def test_it_opens_after_failures_in_a_row_and_not_before() -> None:
    """One failure less than the limit changes nothing; the last one closes the way for the first pause."""
    assert not broken(OPENS_AFTER - 1).open_at(NOW)
    opened = broken(OPENS_AFTER)
    assert opened.open_at(NOW + FIRST_PAUSE - timedelta(seconds=1))
    assert not opened.open_at(NOW + FIRST_PAUSE)


def test_a_failed_trial_doubles_the_pause_up_to_an_hour() -> None:
    """Half open, one failure is enough to open it again, for twice as long each time, never for more than the longest."""
    state, now, pauses = broken(OPENS_AFTER), NOW, []
    for _ in range(12):
        assert state.until is not None
        now = state.until
        state = broken(1, state, now)
        pauses.append(state.until - now)
    assert pauses[:2] == [FIRST_PAUSE * 2, FIRST_PAUSE * 4]
    assert pauses[-1] == LONGEST_PAUSE


def test_success_closes_it_and_a_rate_limit_does_not_count() -> None:
    """A platform that answers is well; one that names a limit is well too, only busy."""
    assert broken(OPENS_AFTER).after(None, NOW) == Breaker()
    assert broken(OPENS_AFTER - 1).after(RateLimited("slow down"), NOW) == broken(OPENS_AFTER - 1)


def test_a_platform_that_is_down_is_left_alone_and_the_other_is_not(tools, loaded, microblog, clock) -> None:
    """After some failed polls Weibo gets no call, X goes on; after the pause Weibo is read again and nothing was lost."""
    with tools.opened(loaded) as bot:
        run_round(bot)
        microblog.faults.add(Fault(FaultKind.SERVER_ERROR, "/weibo/*", count=0))
        microblog.world.add_post(Side.WEIBO, "anna", f"#{tools.tag}# @随手拍助手")
        for _ in range(4):
            run_round(bot)
        assert bot.seats["weibo"].breaker.open_at(clock())
        before = sum(n for path, n in microblog.world.ledger.calls.items() if "/weibo/" in path)
        done = run_round(bot)
        assert {polled.outcome for polled in done.polled if polled.stream.startswith("weibo")} == {"Paused"}
        assert all(polled.outcome == "ok" for polled in done.polled if polled.stream.startswith("x:"))
        assert deliver(bot, bot.seats["weibo"]).stopped
        assert before == sum(n for path, n in microblog.world.ledger.calls.items() if "/weibo/" in path)
        microblog.faults.clear()
        clock.forward(seconds=31)
        tools.settle(bot)
        assert len(microblog.world.ledger.publications) == 1
