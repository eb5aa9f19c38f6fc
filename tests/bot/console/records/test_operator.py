"""The operator sees the whole; held messages are addressed, released or stopped by people, each with who and why."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from bot import readdress
from bot.console.parts import Role
from bot.microblog.server import Microblog
from store import alerts, audit, officials, platform_states, sightings
from store.errors import BadInput
from store.model import AgencyType, AlertState, Certainty, Where

pytestmark = pytest.mark.on_both


def test_the_overview_names_what_is_stuck(world, as_role) -> None:
    """Streams, queues, agencies nobody can reach, provinces with sightings and nobody to call."""
    with world.parts.store.write() as tx:
        officials.upsert_agency(tx, name="示例分局", adcode="110105", level="county", type=AgencyType.POLICE)
        platform_states.put(tx, "weibo", calls_left=43, calls_reset_at=tx.now + timedelta(hours=3))
    page = as_role(Role.OPERATOR).get("/operator")
    assert "示例分局" in page
    assert re.search(r"weibo: budget left until [^<]+</dt><dd class=\"number\">43</dd>", page)
    assert "广东省 · 1" in page
    assert "weibo:hashtag:t" in page
    as_role(Role.VOLUNTEER).get("/operator", 403)


def test_a_held_message_is_released_once(world, as_role) -> None:
    """Released it is ready, with who let it go; a second release is refused."""
    desk = as_role(Role.LEAD_REVIEWER)
    assert world.sighting in desk.get("/alerts")
    desk.post(f"/alerts/{world.alert}/release")
    with world.parts.store.read() as tx:
        found = alerts.get(tx, world.alert)
        assert (found.state, found.decided_by) == (AlertState.READY, desk.login)
        assert "alert.released" in [event.what for event in audit.listing(tx, object=world.sighting)]
    desk.post(f"/alerts/{world.alert}/release", status=400)


def test_cancelling_needs_a_reason(world, as_role) -> None:
    """Without one nothing is stopped; with one it stands in the record."""
    desk = as_role(Role.OPERATOR)
    desk.post(f"/alerts/{world.alert}/cancel", status=400)
    desk.post(f"/alerts/{world.alert}/cancel", {"why": "told by phone"})
    with world.parts.store.read() as tx:
        assert alerts.get(tx, world.alert).state is AlertState.CANCELLED


def test_a_message_that_names_nobody_is_not_released(world, as_role) -> None:
    """An alert calls somebody or does not go out."""
    with world.parts.store.write() as tx:
        tx.connection.exec_driver_sql("DELETE FROM alert_mentions")
    as_role(Role.OPERATOR).post(f"/alerts/{world.alert}/release", status=400)


def test_another_division_may_not_touch_a_message(world, as_role) -> None:
    """Limits hold for every act on a message."""
    other = as_role(Role.LEAD_REVIEWER, divisions=("11",))
    assert world.sighting not in other.get("/alerts")
    for act in ("release", "cancel", "address", "settle"):
        other.post(f"/alerts/{world.alert}/{act}", {"why": "x", "note": "x", "sent": "yes"}, 403)


def test_bad_numbers_are_told_kindly(world, as_role) -> None:
    """Letters and numbers that are not there: 404; settling what is not doubtful: 400."""
    desk = as_role(Role.OPERATOR)
    desk.post("/alerts/x/release", status=404)
    desk.post("/alerts/999/release", status=404)
    desk.post(f"/alerts/{world.alert}/settle", {"sent": "yes", "note": "seen"}, 400)


@pytest.fixture
def console_settings() -> str:
    return "console: {insecure_cookies: true}\nplatforms: {weibo: {enabled: true}}\n"


def test_addressing_anew_calls_who_is_local_to_the_place_set_by_hand(world, as_role, monkeypatch) -> None:
    """Before the place is certain nobody can be called; after a person set it, its officials are named, still held."""
    monkeypatch.setenv("WEIBO_ACCESS_TOKEN", "not-a-token")
    loaded = world.parts.loaded
    with world.parts.store.write() as tx:
        sightings.set_where(tx, world.sighting_id, Where("440303", "x", ("440304",), Certainty.LOW), "bot")
        agency = officials.upsert_agency(tx, name="示例罗湖分局", adcode="440303", level="county", type=AgencyType.POLICE)
        new = officials.NewAccount("weibo", "5", "示例罗湖公安", verified=True, checked_on=tx.now.date())
        officials.upsert_account(tx, agency, new)
    with Microblog() as server:
        from bot.microblog.environment import environment
        from bot.settings import load_settings

        loaded = load_settings(world.parts.loaded.path, environ=environment(server.credentials))
        with world.parts.store.write() as tx, pytest.raises(BadInput, match="place"):
            readdress.address(tx, loaded, world.alert, "mei")
        with world.parts.store.write() as tx:
            sightings.set_where(tx, world.sighting_id, Where("440303", "x", (), Certainty.HIGH), "mei")
            alert, _ = readdress.address(tx, loaded, world.alert, "mei")
    assert [mention.handle for mention in alert.mentions] == ["示例罗湖公安"]
    assert "@示例罗湖公安" in alert.text
    assert alert.state is AlertState.HELD
    assert "Kim" not in alert.text
