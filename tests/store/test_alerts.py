"""The outbox says everything once: claims, leases, outcomes, reconciling, people's decisions, caps."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.chaos.life import processes as forked
from store import alerts, officials, spoken
from store.alerts import Mention, NewAlert
from store.errors import BadInput, NotFound
from store.model import AgencyType, AlertState, MessageKind, Outgoing
from store.officials import NewAccount
from store.session import Store

READY = NewAlert("weibo", "1", MessageKind.ANSWER, "S-4F7K", "收到，编号 S-4F7K", reply_to_id="1", thread_id="1")


def _new(target: str = "1", **changes: object) -> NewAlert:
    return replace(READY, target_post_id=target, reply_to_id=target, thread_id=target, **changes)


def _claim(store):
    with store.write() as tx:
        return alerts.claim_next(tx, "weibo", tx.now, 60)


def test_a_message_is_proposed_once_ever(store):
    """One (platform, post, kind, scope) stands once, also after it was sent, cancelled or given up."""
    with store.write() as tx:
        number = alerts.propose(tx, READY)
        assert number is not None
        assert alerts.propose(tx, READY) is None
        alerts.cancel(tx, number, "operator", "test")
        assert alerts.propose(tx, READY) is None
        assert alerts.propose(tx, _new("1", scope="440303")) is not None
        assert alerts.propose(tx, _new("1", kind=MessageKind.ALERT)) is not None


def test_the_outgoing_message_is_what_was_proposed(store):
    """Text, target, reference and mentions come back exactly, in order."""
    with store.write() as tx:
        alerts.propose(tx, _new(mentions=(Mention("平安罗湖"), Mention("罗湖民政"))))
    outgoing = _claim(store).outgoing
    assert outgoing == Outgoing(MessageKind.ANSWER, READY.text, READY.ref, reply_to_id="1", mentions=("平安罗湖", "罗湖民政"))


def test_a_message_starts_ready_or_held_with_a_reason(store):
    """No message is born sent, and none is held without saying why."""
    with store.write() as tx:
        for wrong in ({"state": AlertState.SENT}, {"state": AlertState.HELD}, {"state": AlertState.HELD, "hold_reason": ""}):
            with pytest.raises(BadInput):
                alerts.propose(tx, _new(**wrong))


def test_one_message_at_a_time_and_oldest_first(store):
    """While one is being sent, nobody gets another of that platform; other platforms go on."""
    with store.write() as tx:
        for target in ("1", "2"):
            alerts.propose(tx, _new(target))
        alerts.propose(tx, _new("9", platform="x"))
    first = _claim(store)
    assert (first.target_post_id, first.state, first.attempt) == ("1", AlertState.SENDING, 1)
    assert _claim(store) is None
    with store.write() as tx:
        assert alerts.claim_next(tx, "x", tx.now, 60).platform == "x"
        assert alerts.record_sent(tx, first.id, first.attempt, "55", "https://weibo.example/55")
    assert _claim(store).target_post_id == "2"
    with store.read() as tx:
        sent = alerts.get(tx, first.id)
    assert (sent.state, sent.sent_id, sent.sent_url, sent.lease_until) == (
        AlertState.SENT,
        "55",
        "https://weibo.example/55",
        None,
    )


def test_a_claim_that_is_not_committed_was_never_made(store):
    """If the process dies before the commit, the message is still ready and no call was made."""
    with store.write() as tx:
        alerts.propose(tx, READY)

    def crash() -> None:
        with store.write() as tx:
            alerts.claim_next(tx, "weibo", tx.now, 60)
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        crash()
    assert _claim(store).attempt == 1


def test_a_message_waits_for_its_time(store, clock):
    """not_before is honoured, also after a certain failure."""
    with store.write() as tx:
        alerts.propose(tx, _new(not_before=clock.now + timedelta(minutes=5)))
    assert _claim(store) is None
    clock.forward(minutes=5)
    claimed = _claim(store)
    with store.write() as tx:
        assert alerts.back_to_ready(tx, claimed.id, claimed.attempt, "429", clock.now + timedelta(minutes=1))
    assert _claim(store) is None
    clock.forward(minutes=1)
    assert _claim(store).attempt == 2


def test_an_expired_lease_becomes_unknown_and_never_ready(store, clock):
    """A sender that did not come back may have published: nobody sends again before looking."""
    with store.write() as tx:
        alerts.propose(tx, READY)
    claimed = _claim(store)
    with store.write() as tx:
        assert alerts.expired_leases(tx, clock.now) == []
    clock.forward(seconds=61)
    with store.write() as tx:
        assert alerts.expired_leases(tx, clock.now) == [claimed.id]
    assert _claim(store) is None
    with store.write() as tx:
        assert [found.id for found in alerts.unknowns(tx, "weibo")] == [claimed.id]
        assert alerts.record_sent(tx, claimed.id, claimed.attempt, "55"), "the late sender knows best"


def test_a_restart_turns_interrupted_sendings_into_unknown(store):
    """What the last process was sending when it died is looked for, lease or not."""
    with store.write() as tx:
        alerts.propose(tx, READY)
    claimed = _claim(store)
    with store.write() as tx:
        assert alerts.interrupted(tx) == [claimed.id]
        assert alerts.interrupted(tx) == []
        assert alerts.get(tx, claimed.id).state is AlertState.UNKNOWN


def test_the_outcome_of_an_earlier_attempt_changes_nothing(store):
    """The attempt number fences: a sender that was given up cannot overwrite its successor's state."""
    with store.write() as tx:
        alerts.propose(tx, READY)
    old = _claim(store)
    with store.write() as tx:
        alerts.back_to_ready(tx, old.id, old.attempt, "never left")
    new = _claim(store)
    with store.write() as tx:
        assert not alerts.record_dead(tx, old.id, old.attempt, "refused")
        assert not alerts.record_unknown(tx, old.id, old.attempt, "time-out")
        assert not alerts.back_to_ready(tx, old.id, old.attempt, "never left")
        assert not alerts.record_sent(tx, old.id, old.attempt, "1")
        assert alerts.get(tx, new.id).state is AlertState.SENDING


def test_nothing_leaves_sent_or_dead(store):
    """What is sent stays sent and what is dead stays dead, whatever arrives later."""
    with store.write() as tx:
        for target in ("1", "2"):
            alerts.propose(tx, _new(target))
    for outcome in (alerts.record_sent, alerts.record_dead):
        claimed = _claim(store)
        with store.write() as tx:
            assert outcome(tx, claimed.id, claimed.attempt, "x")
            for late in (alerts.record_unknown, alerts.back_to_ready, alerts.record_dead):
                assert not late(tx, claimed.id, claimed.attempt, "late")
            for person in (alerts.release, alerts.hold):
                with pytest.raises(BadInput):
                    person(tx, claimed.id, "operator")
            with pytest.raises(BadInput):
                alerts.cancel(tx, claimed.id, "operator", "too late")


def test_reconciling_counts_its_readings(store, clock):
    """An unknown message is looked for when due, counted each time, and then settled by a person or by the reading."""
    with store.write() as tx:
        alerts.propose(tx, READY)
    claimed = _claim(store)
    with store.write() as tx:
        assert alerts.record_unknown(tx, claimed.id, claimed.attempt, "time-out", clock.now + timedelta(seconds=30))
        assert alerts.unknowns(tx, "weibo", clock.now) == []
    clock.forward(seconds=30)
    with store.write() as tx:
        assert len(alerts.unknowns(tx, "weibo", clock.now)) == 1
        assert alerts.note_read(tx, claimed.id, claimed.attempt, clock.now + timedelta(seconds=60)) == 1
        assert alerts.note_read(tx, claimed.id, claimed.attempt, clock.now + timedelta(seconds=60)) == 2
        settled = alerts.settle(tx, claimed.id, "operator", sent=True, note="seen on the page", sent_id="55")
        assert (settled.state, settled.sent_id, settled.decided_by) == (AlertState.SENT, "55", "operator")
        with pytest.raises(BadInput):
            alerts.settle(tx, claimed.id, "operator", sent=False, note="again")


def test_people_release_hold_and_cancel(store):
    """Held messages wait for a named person; a cancelled one is never sent."""
    with store.write() as tx:
        number = alerts.propose(tx, _new(state=AlertState.HELD, hold_reason="place is uncertain"))
    assert _claim(store) is None
    with store.write() as tx:
        with pytest.raises(BadInput, match="who"):
            alerts.release(tx, number, " ")
        released = alerts.release(tx, number, "lead reviewer")
        assert (released.state, released.decided_by, released.hold_reason) == (AlertState.READY, "lead reviewer", None)
        assert alerts.hold(tx, number, "the brake is on").hold_reason == "the brake is on"
        assert alerts.cancel(tx, number, "operator", "duplicate").state is AlertState.CANCELLED
        with pytest.raises(BadInput):
            alerts.release(tx, number, "operator")
        with pytest.raises(NotFound):
            alerts.release(tx, 99, "operator")
    assert _claim(store) is None


def test_a_deleted_post_stops_what_is_not_yet_said(store):
    """Ready and held messages about the post are cancelled; what is being sent is left to its sender."""
    with store.write() as tx:
        alerts.propose(tx, _new("1"))
        alerts.propose(tx, _new("2"))
        alerts.propose(tx, _new("2", kind=MessageKind.ALERT, state=AlertState.HELD, hold_reason="x"))
    claimed = _claim(store)
    with store.write() as tx:
        assert alerts.cancel_for_post(tx, "weibo", "2", "deleted") == 2
        assert alerts.cancel_for_post(tx, "weibo", "1", "deleted") == 0
        assert alerts.get(tx, claimed.id).state is AlertState.SENDING
        assert alerts.counts(tx)[AlertState.CANCELLED] == 2


def test_caps_count_what_was_or_may_have_been_said(store, clock):
    """Sent, unknown and being-sent messages count; cancelled and ready ones do not; the window moves."""
    with store.write() as tx:
        for target in ("1", "2", "3"):
            alerts.propose(tx, _new(target))
        alerts.cancel(tx, alerts.propose(tx, _new("4")), "operator", "x")
    start = clock.now
    first = _claim(store)
    with store.write() as tx:
        alerts.record_sent(tx, first.id, first.attempt, "1")
    clock.forward(hours=1)
    second = _claim(store)
    with store.write() as tx:
        alerts.record_unknown(tx, second.id, second.attempt, "time-out")
        assert spoken.sent_since(tx, "weibo", MessageKind.ANSWER, start) == 2
        assert spoken.sent_since(tx, "weibo", None, start + timedelta(minutes=1)) == 1
        assert spoken.sent_since(tx, "weibo", MessageKind.ALERT, start) == 0
        assert spoken.sent_since(tx, "x", None, start) == 0


def test_an_officials_mentions_are_counted_before_they_are_sent(store, clock):
    """Waiting messages count too, so that a queue cannot run over an official's cap."""
    with store.write() as tx:
        agency = officials.upsert_agency(tx, name="示例公安分局", adcode="440303", level="county", type=AgencyType.POLICE)
        account = officials.upsert_account(tx, agency, NewAccount("weibo", "7", "平安示例", True))
        named = (Mention("平安示例", account),)
        alerts.propose(tx, _new("1", mentions=named))
        gone = alerts.propose(tx, _new("2", mentions=named))
        alerts.propose(tx, _new("3", mentions=named, state=AlertState.HELD, hold_reason="cap"))
        assert spoken.mentions_since(tx, account, clock.now) == 3
        alerts.cancel(tx, gone, "operator", "x")
        assert spoken.mentions_since(tx, account, clock.now) == 2
        assert spoken.mentions_since(tx, account, clock.now + timedelta(seconds=1)) == 0


def test_a_thread_counts_as_answered_from_the_proposal_on(store):
    """The same conversation is not answered twice, unless what was proposed is certainly never said."""
    with store.write() as tx:
        number = alerts.propose(tx, READY)
        assert spoken.answered_thread(tx, "weibo", "1")
        assert not spoken.answered_thread(tx, "x", "1")
        assert not spoken.answered_thread(tx, "weibo", "2")
        alerts.cancel(tx, number, "operator", "x")
        assert not spoken.answered_thread(tx, "weibo", "1")


def test_messages_are_listed_by_what_they_are(store):
    """Lists narrow by state, kind, platform and target, newest first."""
    with store.write() as tx:
        one, two = alerts.propose(tx, _new("1")), alerts.propose(tx, _new("1", kind=MessageKind.ALERT))
        other = alerts.propose(tx, _new("2", platform="x", state=AlertState.HELD, hold_reason="x"))

        def ids(**narrow: object) -> list[int]:
            return [found.id for found in alerts.listing(tx, **narrow)]

        assert ids() == [other, two, one]
        assert ids(kind=MessageKind.ALERT) == [two]
        assert ids(state=AlertState.HELD) == ids(platform="x") == [other]
        assert ids(target_post_id="1", limit=1) == [two]
        assert ids(before=two) == [one]


def _sender(url: str, results: multiprocessing.Queue[str]) -> None:
    store = Store(url, lambda: datetime.now(UTC))
    idle = 0
    while idle < 40:
        with store.write() as tx:
            claimed = alerts.claim_next(tx, "weibo", tx.now, 600)
        if claimed is None:
            idle += 1
            continue
        results.put(claimed.target_post_id)
        with store.write() as tx:
            assert alerts.record_sent(tx, claimed.id, claimed.attempt, claimed.target_post_id)
        idle = 0


def test_two_senders_never_send_the_same_message(store):
    """Two processes that drain the outbox together say each message once."""
    with store.write() as tx:
        for number in range(40):
            alerts.propose(tx, _new(str(number)))
    context = forked()
    results = context.Queue()
    processes = [context.Process(target=_sender, args=(store.url, results)) for _ in range(2)]
    for process in processes:
        process.start()
    said = [results.get(timeout=60) for _ in range(40)]
    for process in processes:
        process.join(60)
    assert sorted(said, key=int) == [str(number) for number in range(40)]
    with store.read() as tx:
        assert alerts.counts(tx)[AlertState.SENT] == 40
