"""Random histories of the outbox with crashes, lost answers and people: nothing is said twice, nothing is lost."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import delete

from store import alerts
from store.alerts import Alert, NewAlert
from store.errors import BadInput
from store.model import AlertState, MessageKind
from store.session import Store
from store.tables import alerts as alert_table

OUTCOMES = ["sent", "never left", "refused", "answer lost", "request lost", "killed before", "killed after"]
PEOPLE_MAY = {
    "release": {AlertState.HELD},
    "hold": {AlertState.READY},
    "cancel": {AlertState.HELD, AlertState.READY},
}

_url_of: Callable[[str], str]


@pytest.fixture(autouse=True, scope="module")
def _databases(fresh_database, tmp_path_factory):
    """One database of each kind for all histories; each history begins by emptying its outbox."""
    global _url_of
    with ExitStack() as stack:

        @functools.cache
        def make(database: str) -> str:
            return stack.enter_context(fresh_database(database, tmp_path_factory.mktemp("outbox")))

        _url_of = make
        yield


class Outbox(RuleBasedStateMachine):
    """One sender against a platform that publishes at most what it is asked to, and sometimes does not say so."""

    proposed = Bundle("proposed")
    database = "sqlite"

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2011, 2, 10, tzinfo=UTC)
        self.store = Store(_url_of(self.database), lambda: self.now)
        with self.store.write() as tx:
            tx.execute(delete(alert_table))
        self.published: Counter[int] = Counter()
        self.ended_by_people: set[int] = set()
        self.in_hand: Alert | None = None
        self.number = 0

    def teardown(self) -> None:
        self.store.close()

    @initialize(target=proposed)
    def first(self) -> int:
        return self.propose(held=False)

    @rule(target=proposed, held=st.booleans())
    def propose(self, held: bool) -> int:
        self.number += 1
        state, reason = (AlertState.HELD, "a person decides") if held else (AlertState.READY, None)
        new = NewAlert("weibo", str(self.number), MessageKind.ANSWER, "S-1", "收到", state=state, hold_reason=reason)
        with self.store.write() as tx:
            number = alerts.propose(tx, new)
            assert alerts.propose(tx, new) is None
        assert number is not None
        return number

    @precondition(lambda self: self.in_hand is None)
    @rule()
    def claim(self) -> None:
        with self.store.write() as tx:
            self.in_hand = alerts.claim_next(tx, "weibo", tx.now, 60)

    @precondition(lambda self: self.in_hand is not None)
    @rule(outcome=st.sampled_from(OUTCOMES))
    def send(self, outcome: str) -> None:
        """The platform publishes (or not), and the sender records what it knows, unless it is killed first."""
        alert, self.in_hand = self.in_hand, None
        assert alert is not None
        if outcome in ("sent", "answer lost", "killed after"):
            self.published[alert.id] += 1
        if outcome.startswith("killed"):
            return
        with self.store.write() as tx:
            if outcome == "sent":
                alerts.record_sent(tx, alert.id, alert.attempt, "77")
            elif outcome == "never left":
                alerts.back_to_ready(tx, alert.id, alert.attempt, "no network", self.now + timedelta(seconds=5))
            elif outcome == "refused":
                alerts.record_dead(tx, alert.id, alert.attempt, "refused")
            else:
                alerts.record_unknown(tx, alert.id, alert.attempt, "time-out", self.now + timedelta(seconds=5))

    @precondition(lambda self: self.in_hand is None)
    @rule()
    def restart(self) -> None:
        with self.store.write() as tx:
            alerts.interrupted(tx)

    @rule(seconds=st.sampled_from([1, 10, 100]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        with self.store.write() as tx:
            alerts.expired_leases(tx, tx.now)

    @rule()
    def reconcile(self) -> None:
        """A complete reading of the bot's own posts decides what became of each doubtful message.

        The sender's request has ended by then: its time-out is shorter than the lease (deliver.py sees to it).
        """
        with self.store.write() as tx:
            for alert in alerts.unknowns(tx, "weibo", tx.now):
                if self.in_hand is not None and self.in_hand.id == alert.id:
                    continue
                if self.published[alert.id]:
                    assert alerts.record_sent(tx, alert.id, alert.attempt, "77")
                else:
                    assert alerts.back_to_ready(tx, alert.id, alert.attempt, "not among the bot's own posts")

    @rule(number=proposed, act=st.sampled_from(["release", "hold", "cancel"]))
    def person(self, number: int, act: str) -> None:
        with self.store.write() as tx:
            before = alerts.get(tx, number).state
            try:
                if act == "release":
                    alerts.release(tx, number, "operator")
                elif act == "hold":
                    alerts.hold(tx, number, "wait")
                else:
                    alerts.cancel(tx, number, "operator", "not needed")
                    self.ended_by_people.add(number)
            except BadInput:
                assert before not in PEOPLE_MAY[act]
            else:
                assert before in PEOPLE_MAY[act]

    @invariant()
    def nothing_is_said_twice(self) -> None:
        assert all(times == 1 for times in self.published.values() if times)

    @invariant()
    def what_is_said_is_known_or_doubted(self) -> None:
        with self.store.read() as tx:
            for alert in alerts.listing(tx, limit=1000):
                if alert.state in (AlertState.READY, AlertState.HELD, AlertState.CANCELLED):
                    assert not self.published[alert.id]
                if alert.state is AlertState.SENT:
                    assert self.published[alert.id] == 1
                if alert.state is AlertState.CANCELLED:
                    assert alert.id in self.ended_by_people

    @invariant()
    def nothing_is_lost(self) -> None:
        with self.store.read() as tx:
            assert len(alerts.listing(tx, limit=1000)) == self.number


class OutboxOnPostgresql(Outbox):
    """The same histories on a server."""

    database = "postgresql"


for machine, examples in ((Outbox, 25), (OutboxOnPostgresql, 10)):
    machine.TestCase.settings = settings(
        max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
    )


class TestOutbox(Outbox.TestCase):
    """Hypothesis shrinks a history that breaks one of the invariants to its shortest form."""


class TestOutboxOnPostgresql(OutboxOnPostgresql.TestCase):
    """The same on PostgreSQL."""

    @pytest.fixture(autouse=True)
    def _server(self, postgres_server):
        """Skips where no server can be had."""
