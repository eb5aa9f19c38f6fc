"""The call budget: how often may be polled, what is kept for answers, when the count starts anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.platforms._weibo_budget import CallBudget, poll_interval_s
from ingest.source import OwnCount
from store.errors import RateLimited

NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)  # noon in Shanghai
MIDNIGHT = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)


class Clock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Noon."""
    return Clock()


@pytest.mark.parametrize(
    ("streams", "left", "seconds", "reserve", "expected"),
    [
        (2, 100, 86_400, 4, 1800),  # mentions and one hashtag every half hour: 96 calls
        (2, 100, 86_400, 20, 2160),
        (1, 100, 86_400, 20, 1080),
        (2, 10, 3600, 4, 1200),
        (3, 5, 3600, 4, 3600),  # not one round left
        (2, 0, 3600, 4, 3600),
        (0, 100, 86_400, 0, 864),
    ],
)
def test_polls_are_spread_evenly_until_the_reset(streams: int, left: int, seconds: float, reserve: int, expected: float) -> None:
    """The calls that are left, less the reserve, are shared out over the time that is left."""
    assert poll_interval_s(streams, left, seconds, reserve) == expected


def test_the_reserve_is_for_writing_alone(clock: Clock) -> None:
    """Reading stops where writing may still go on; then writing stops too, until the day's end in Shanghai."""
    budget = CallBudget(5, 2, clock)
    for _ in range(3):
        budget.take(writing=False)
    with pytest.raises(RateLimited) as caught:
        budget.take(writing=False)
    assert caught.value.until == MIDNIGHT
    assert "2 of them kept for answers" in str(caught.value)
    budget.take(writing=True)
    budget.take(writing=True)
    with pytest.raises(RateLimited):
        budget.take(writing=True)


def test_a_new_day_begins_at_midnight_in_shanghai(clock: Clock) -> None:
    """One second before it nothing is left, at it everything is."""
    budget = CallBudget(1, 0, clock)
    budget.take(writing=False)
    clock.now = MIDNIGHT - timedelta(seconds=1)
    assert budget.left() == (0, MIDNIGHT)
    clock.now = MIDNIGHT
    assert budget.left() == (1, MIDNIGHT + timedelta(days=1))


def test_the_platforms_word_goes_before_our_count(clock: Clock) -> None:
    """It knows of calls before a restart; it holds until its own reset, and less our calls since."""
    budget = CallBudget(100, 0, clock)
    budget.observe(2, 600, budget.made())
    assert budget.left() == (2, NOON + timedelta(minutes=10))
    assert budget.known_reset() == NOON + timedelta(minutes=10)
    budget.take(writing=False)
    budget.take(writing=False)
    with pytest.raises(RateLimited) as caught:
        budget.take(writing=True)
    assert caught.value.until == NOON + timedelta(minutes=10)
    clock.now = NOON + timedelta(minutes=10)
    assert budget.known_reset() is None
    assert budget.left() == (98, MIDNIGHT)


def test_the_platform_saying_more_does_not_raise_our_limit(clock: Clock) -> None:
    """daily_calls is the operator's own ceiling, too."""
    budget = CallBudget(10, 0, clock)
    budget.observe(5000, 3600, budget.made())
    assert budget.left() == (10, MIDNIGHT)


def test_the_interval_follows_what_is_left(clock: Clock) -> None:
    """After a burst of answers polls come further apart."""
    budget = CallBudget(100, 4, clock)
    before = budget.interval_s(2)
    for _ in range(48):
        budget.take(writing=True)
    assert (before, budget.interval_s(2)) == (900, 1800)


def test_a_call_of_another_process_comes_off_what_the_platform_said(clock: Clock) -> None:
    """Two processes count in one place. What the platform told one of them an hour ago is less the other's calls since; a call
    made while it was asked is rather counted twice than not at all; a new day leaves no debt."""
    counter = OwnCount()
    one, other = CallBudget(100, 0, clock), CallBudget(100, 0, clock)
    for budget in (one, other):
        budget.count_in(counter)
    made = one.made()
    other.take(writing=True)
    one.observe(5, 600, made)
    other.take(writing=True)
    assert one.left()[0] == 3
    assert other.left()[0] == 98
    clock.now = MIDNIGHT
    assert one.left() == other.left() == (100, MIDNIGHT + timedelta(days=1))
