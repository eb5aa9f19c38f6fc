"""One message in trouble never keeps a whole platform silent: not its lease, not those in doubt before it, not an odd reset."""

from datetime import timedelta

import pytest

from bot.alerts.deliver import MAX_ATTEMPTS, deliver
from bot.microblog.faults import Fault, FaultKind
from bot.microblog.model import Side
from bot.pipeline import run_round
from store import alerts
from store.errors import RateLimited, StoreError
from store.model import AlertState, MessageKind

pytestmark = pytest.mark.on_both


def refuse_once(bot, point: str) -> None:
    """The database fails at the next commit of this name, as when it is locked; later ones succeed."""
    left = [point]

    def watch(passing: str) -> None:
        if left and passing == f"before:{left[0]}":
            left.clear()
            raise StoreError("the database is locked by another process")

    bot.store.watch = watch


@pytest.mark.parametrize("side", list(Side), ids=str)
def test_an_outcome_that_could_not_be_stored_is_looked_for_at_the_next_round(begun, said, side: Side) -> None:
    """The message was published, then the database was locked: the next rounds find it among the bot's own posts and say the
    others, long before its lease of five minutes is over."""
    bot, seat = begun.bot, begun.bot.seats[side.value]
    first, second = said(side, photo=""), said(side, photo="")
    refuse_once(bot, "deliver.sent")
    with pytest.raises(StoreError):
        run_round(bot)
    with bot.store.read() as tx:
        assert alerts.counts(tx)[AlertState.SENDING] == 1
    for _ in range(4):
        begun.clock.forward(seconds=seat.platform.rules.indexing_delay_s + 1)
        deliver(bot, seat)
    assert begun.clock.offset < timedelta(seconds=240)
    assert [len(begun.world.ledger.said_to(post)) for post in (first, second)] == [1, 1]
    with bot.store.read() as tx:
        assert alerts.counts(tx)[AlertState.SENT] == 2


def test_an_adapter_that_breaks_on_one_message_says_the_others(begun, said, monkeypatch) -> None:
    """A fault of the program while one message is sent: it is in doubt, tried again and then for a person; the next is said."""
    bot, seat = begun.bot, begun.bot.seats["weibo"]
    bad, good = said(Side.WEIBO, photo=""), said(Side.WEIBO, photo="")
    real = type(seat.platform).say
    tried = []

    def say(platform, message):
        if message.reply_to_id == bad:
            tried.append(message)
            raise AttributeError("a fault of the program")
        return real(platform, message)

    monkeypatch.setattr(type(seat.platform), "say", say)
    with pytest.raises(AttributeError):
        run_round(bot)
    for number in range(40):
        begun.clock.forward(seconds=30)
        if number == 6:  # long before a lease of five minutes is over
            assert len(begun.world.ledger.said_to(good)) == 1
        try:
            deliver(bot, seat)
        except AttributeError:
            continue
    assert len(tried) == MAX_ATTEMPTS
    assert len(begun.world.ledger.said_to(good)) == 1
    with bot.store.read() as tx:
        assert [alert.target_post_id for alert in alerts.unknowns(tx, "weibo")] == [bad]


def test_many_messages_that_wait_for_a_person_keep_no_other_in_doubt(begun, said) -> None:
    """A hundred doubtful messages that nobody settled are passed over: a new doubtful one is looked for and found."""
    bot, seat = begun.bot, begun.bot.seats["weibo"]
    with bot.store.write() as tx:
        for number in range(100):
            alerts.propose(tx, alerts.NewAlert("weibo", f"9{number}", MessageKind.ANSWER, f"S-{number}", f"words {number}"))
    for _ in range(MAX_ATTEMPTS):
        for _ in range(100):
            with bot.store.write() as tx:
                claimed = alerts.claim_next(tx, "weibo", tx.now, 60)
                alerts.record_unknown(tx, claimed.id, claimed.attempt, "time-out")
        with bot.store.write() as tx:
            for alert in alerts.unknowns(tx, "weibo", limit=100):
                for _ in range(bot.settings.alerts.reconcile_reads):
                    alerts.note_read(tx, alert.id, alert.attempt, tx.now)
                if alert.attempt < MAX_ATTEMPTS:
                    alerts.back_to_ready(tx, alert.id, alert.attempt, "not among the bot's own posts")
    begun.faults.add(Fault(FaultKind.SERVER_ERROR, "/weibo/2/comments/create.json", "POST", accepted=True))
    post = said(Side.WEIBO, photo="")
    run_round(bot)
    begun.clock.forward(seconds=60)
    assert deliver(bot, seat).found == 1
    assert len(begun.world.ledger.said_to(post)) == 1


def test_a_limit_that_ends_in_ten_years_silences_for_a_day_at_most(begun, said, monkeypatch) -> None:
    """A platform that names an absurd reset is believed for one day; then the message is tried again and said."""
    platform = type(begun.bot.seats["weibo"].platform)

    def limited(_self, _message):
        raise RateLimited("429", until=begun.clock() + timedelta(days=3650))

    with monkeypatch.context() as patch:
        patch.setattr(platform, "say", limited)
        post = said(Side.WEIBO, photo="")
        run_round(begun.bot)
    begun.clock.forward(hours=23)
    run_round(begun.bot)
    assert begun.world.ledger.said_to(post) == []
    begun.clock.forward(hours=1, minutes=1)
    run_round(begun.bot)
    assert len(begun.world.ledger.said_to(post)) == 1
