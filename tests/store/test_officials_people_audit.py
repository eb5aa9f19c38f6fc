"""The directory of officials, the people who sign in, the record of what was done, and the figures of it all."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import delete, select, update

from store import audit, officials, people, posts, status
from store.errors import BadInput, NotFound
from store.model import AgencyType, AlertState, CaseState
from store.officials import NewAccount
from store.posts import Step
from store.tables import audit_events

ACCOUNT = NewAccount("weibo", "7", "平安示例", True, "blue", "示例公安分局官方微博", date(2011, 2, 1), "https://weibo.example/7")


def _police(tx, name="示例公安分局", adcode="440303", **more):
    return officials.upsert_agency(tx, name=name, adcode=adcode, level="county", type=AgencyType.POLICE, **more)


def test_an_account_comes_back_with_its_agency(store):
    """Every particular of the directory survives; importing again changes and does not double."""
    with store.write() as tx:
        agency = _police(tx, priority=5)
        row = officials.upsert_account(tx, agency, ACCOUNT)
        (found,) = officials.accounts(tx, "weibo")
        assert (found.id, found.handle, found.evidence, found.checked_on) == (row, "平安示例", ACCOUNT.evidence, date(2011, 2, 1))
        assert (found.agency, found.agency.priority) == (officials.agency(tx, agency), 5)
        assert _police(tx, priority=9) == agency
        assert officials.upsert_account(tx, agency, ACCOUNT) == row
        assert [account.agency.priority for account in officials.accounts(tx)] == [9]
        assert officials.accounts(tx, "x") == []


def test_an_account_belongs_to_one_agency(store):
    """A second agency claiming the same numeric account is refused with the first one's name."""
    with store.write() as tx:
        officials.upsert_account(tx, _police(tx), ACCOUNT)
        with pytest.raises(BadInput, match="示例公安分局"):
            officials.upsert_account(tx, _police(tx, name="别的分局"), ACCOUNT)


def test_agencies_out_of_office_are_left_out(store):
    """An agency counts from its first to its last day."""
    with store.write() as tx:
        agency = _police(tx, valid_from=date(2010, 1, 1), valid_to=date(2011, 2, 10))
        officials.upsert_account(tx, agency, ACCOUNT)
        days = (date(2009, 12, 31), date(2010, 1, 1), date(2011, 2, 10), date(2011, 2, 11))
        assert [len(officials.accounts(tx, "weibo", day)) for day in days] == [0, 1, 1, 0]


def test_a_checked_account_says_so(store):
    """A look-up on the platform renews the date, the sign and the handle; accounts can be taken out."""
    with store.write() as tx:
        row = officials.upsert_account(tx, _police(tx), ACCOUNT)
        officials.mark_checked(tx, row, checked_on=date(2011, 3, 1), verified=False, handle="改名了")
        found = officials.account(tx, "weibo", "7")
        assert (found.checked_on, found.verified, found.handle) == (date(2011, 3, 1), False, "改名了")
        with pytest.raises(NotFound):
            officials.mark_checked(tx, 99, checked_on=date(2011, 3, 1), verified=True)
        assert officials.remove_account(tx, row)
        assert not officials.remove_account(tx, row)
        assert [agency.name for agency in officials.agencies_of(tx, "440303")] == ["示例公安分局"]
        assert officials.agencies_of(tx, "110101") == []


def test_sessions_end_with_time_password_and_dismissal(store, clock):
    """A session is valid until it expires, is ended, the password changes or the user is disabled."""
    with store.write() as tx:
        user = people.add(
            tx, " Reviewer ", password_hash="$argon2$x", totp_secret=b"secret", roles=["volunteer"], divisions=["44"]
        )
        assert people.by_login(tx, "REVIEWER") == user
        assert (user.roles, user.divisions, people.totp_secret(tx, user.id)) == (("volunteer",), ("44",), b"secret")
        assert "argon2" not in repr(user)
        for login in ("reviewer", " "):
            with pytest.raises(BadInput):
                people.add(tx, login)
        for number in range(4):
            people.start_session(tx, user.id, f"token{number}", clock.now + timedelta(hours=number))
        assert people.of_session(tx, "token0") is None
        assert people.of_session(tx, "token1") == user
        assert people.of_session(tx, "guess") is None
        people.end_session(tx, "token1")
        assert people.of_session(tx, "token1") is None
        people.set_password(tx, user.id, "$argon2$y")
        assert people.of_session(tx, "token2") is None
        people.start_session(tx, user.id, "new", clock.now + timedelta(hours=1))
        people.disable(tx, user.id)
        assert people.of_session(tx, "new") is None


def test_failed_sign_ins_are_counted_until_a_good_one(store, clock):
    """Failures add up, a lock can be set, success clears both."""
    with store.write() as tx:
        user = people.add(tx, "reviewer")
        people.note_sign_in(tx, user.id, well=False)
        people.note_sign_in(tx, user.id, well=False, locked_until=clock.now)
        assert (people.get(tx, user.id).failures, people.get(tx, user.id).locked_until) == (2, clock.now)
        people.note_sign_in(tx, user.id, well=True)
        assert (people.get(tx, user.id).failures, people.get(tx, user.id).locked_until) == (0, None)
        assert len(people.listing(tx)) == 1


def _record(store, clock, times=3):
    for number in range(times):
        clock.forward(seconds=1.25)
        with store.write() as tx:
            audit.append(tx, "reviewer", "view", f"photo:{number}", {"n": number, "注": "\ud83d 🧒\x00"})


def test_an_untouched_record_verifies(store, clock):
    """The chain holds over odd text, and events are listed by object and person."""
    with store.read() as tx:
        assert audit.verify(tx) is None
    _record(store, clock)
    with store.read() as tx:
        assert audit.verify(tx) is None
        assert [event.object for event in audit.listing(tx, who="reviewer", limit=2)] == ["photo:2", "photo:1"]
        assert [event.details["n"] for event in audit.listing(tx, object="photo:1")] == [1]
        assert [event.id for event in audit.listing(tx, before=2)] == [1]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (update(audit_events).where(audit_events.c.id == 2).values(who="somebody else"), 2),
        (update(audit_events).where(audit_events.c.id == 2).values(details={"n": 9}), 2),
        (delete(audit_events).where(audit_events.c.id == 2), 2),
        (delete(audit_events).where(audit_events.c.id == 1), 1),
        (delete(audit_events).where(audit_events.c.id == 3), 3),
        (delete(audit_events), 1),
        (update(audit_events).where(audit_events.c.id == 3).values(previous="0" * 64), 3),
    ],
)
def test_a_changed_or_missing_event_is_found(store, clock, change, where):
    """Changing, removing (also the last ones) or replacing an event shows, and where."""
    _record(store, clock)
    with store.write() as tx:
        tx.execute(change)
    with store.read() as tx:
        assert audit.verify(tx).event_id == where


def test_a_chain_forged_without_the_key_is_found(store, clock):
    """Rewriting an event and every hash after it, as anybody can who reads this program, does not pass."""
    _record(store, clock)
    with store.write() as tx:
        _, previous = audit.head(tx)
        row = tx.execute(select(audit_events).where(audit_events.c.id == 3)).one()
        forged = audit._hash(b"", row.previous, 3, row.at, "somebody else", row.what, row.object, row.details)
        assert forged != previous
        tx.execute(update(audit_events).where(audit_events.c.id == 3).values(who="somebody else", hash=forged))
    with store.read() as tx:
        assert audit.verify(tx).event_id == 3
        assert audit.head(tx) == (3, forged)


def test_the_figures_count_what_is_there(store, stream, make_post, clock):
    """status sees streams with their lag, posts by step, and zeros for what is not there."""
    with store.write() as tx:
        posts.save_page(tx, stream, [make_post()], now=tx.now, silent=lambda post: False, cursor="1", chain=None)
    start = clock.now
    clock.forward(minutes=10)
    with store.read() as tx:
        figures = status.figures(tx)
    (seen,) = figures.streams
    assert (seen.key, seen.lag, seen.last_outcome, seen.in_chain) == (stream.key, timedelta(minutes=10), "ok", False)
    assert (figures.posts[Step.STORED], figures.posts[Step.FAILED], figures.oldest_waiting_at) == (1, 0, start)
    assert (figures.alerts[AlertState.UNKNOWN], figures.cases[CaseState.VERIFIED], figures.sightings) == (0, 0, 0)
