"""The policy: who hears what, when officials are called, and when a person decides."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.decide import Candidate, Policy, Situation, decide
from store.model import Agency, AgencyType, Allowance, Band, Capability, Certainty, OfficialAccount, Where

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = Policy(True, timedelta(hours=48), timedelta(hours=24), 10, 50, 5)
ALL_ON = {c: Allowance(True, "on") for c in Capability}
HERE = Where("440303", "广东省深圳市罗湖区", (), Certainty.HIGH)
POLICE = OfficialAccount(1, Agency(1, "示例分局", "440303", "county", AgencyType.POLICE), "weibo", "900", "示例分局", True)
HIGH = Candidate(7, Band.HIGH)
GOOD = Situation(
    now=NOW,
    posted_at=NOW - timedelta(minutes=5),
    capabilities=ALL_ON,
    where=HERE,
    summons=True,
    silent=False,
    photos=1,
    photos_usable=1,
    faces=1,
    candidates=(HIGH,),
    accounts=(POLICE,),
    accounts_why="county",
)


def _off(capability: Capability) -> dict[Capability, Allowance]:
    return {**ALL_ON, capability: Allowance(False, f"{capability} is off")}


def test_a_high_match_in_a_certain_place_answers_and_alerts() -> None:
    """The main path: the poster hears, a lead opens, the local officials are mentioned at once."""
    decision = decide(GOOD, POLICY)
    assert decision.answer is not None
    assert decision.answer.template == "answer_received"
    assert decision.alert is not None
    assert decision.alert.accounts == (POLICE,)
    assert decision.alert.held == ""
    assert decision.leads == (7,)


@pytest.mark.parametrize(
    ("change", "template"),
    [
        ({"photos": 0, "photos_usable": 0, "faces": 0, "candidates": ()}, "answer_no_photo"),
        ({"photos_usable": 0, "faces": 0, "candidates": ()}, "answer_photo_unusable"),
        ({"faces": 0, "candidates": ()}, "answer_no_face"),
        ({"where": Where(), "candidates": ()}, "answer_no_place"),
        ({"capabilities": _off(Capability.MATCH_FACES), "candidates": ()}, "answer_not_matched"),
        ({"opt_out_request": True}, "answer_opted_out"),
    ],
)
def test_the_answer_says_what_is_missing(change: dict, template: str) -> None:
    """Each thing that may be missing has its own friendly answer."""
    answer = decide(replace(GOOD, **change), POLICY).answer
    assert answer is not None
    assert answer.template == template


@pytest.mark.parametrize(
    "change",
    [
        {"opted_out": True},
        {"silent": True},
        {"thread_answered": True},
        {"from_bot": True},
        {"deleted": True},
        {"posted_at": NOW - timedelta(hours=25)},
        {"summons": False, "photos": 0},
        {"summons": False, "capabilities": _off(Capability.REPLY_UNINVITED)},
        {"capabilities": _off(Capability.REPLY_AUTHOR)},
    ],
)
def test_silence_where_silence_is_due(change: dict) -> None:
    """No answer to the opted-out, the old, the answered, other bots, or where the platform forbids it."""
    assert decide(replace(GOOD, **change), POLICY).answer is None


@pytest.mark.parametrize(
    "where",
    [
        Where(),
        Where("110105", "北京市朝阳区", ("110105", "220104"), Certainty.LOW),
        Where("440300", "广东省深圳市", (), Certainty.MEDIUM),
        Where("440300", "广东省深圳市", ("440300", "440303"), Certainty.HIGH),
    ],
)
def test_an_uncertain_place_mentions_nobody(where: Where) -> None:
    """Without a settled place the alert waits for a person and names nobody."""
    alert = decide(replace(GOOD, where=where), POLICY).alert
    assert alert is not None
    assert alert.accounts == ()
    assert alert.held


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sent_last_hour": 10}, "last hour"),
        ({"sent_last_day": 50}, "24 hours"),
        ({"mentions_last_day": {1: 5}}, "officials"),
        ({"silent": True}, "first start"),
        ({"posted_at": NOW - timedelta(hours=49)}, "old"),
        ({"accounts": (), "accounts_why": "none in the directory"}, "no verified account"),
        ({"capabilities": _off(Capability.MENTION_OTHERS)}, "mention"),
        ({"summons": False, "capabilities": _off(Capability.REPLY_UNINVITED)}, "off"),
        ({"opted_out": True}, "silence"),
        ({"duplicate": True}, "same photo"),
    ],
)
def test_alerts_that_wait_for_a_person_say_why(change: dict, says: str) -> None:
    """Caps, age, back-fill, missing officials and switched-off mentions hold the alert; it is never dropped."""
    alert = decide(replace(GOOD, **change), POLICY).alert
    assert alert is not None
    assert says in alert.held


def test_release_review_holds_every_alert() -> None:
    """With alerts.release: review nothing goes out by itself."""
    alert = decide(GOOD, replace(POLICY, auto_release=False)).alert
    assert alert is not None
    assert "waits for a person" in alert.held


@pytest.mark.parametrize(
    "change", [{"already_alerted": True}, {"with_parents": True}, {"candidates": (Candidate(7, Band.REVIEW),)}]
)
def test_no_alert(change: dict) -> None:
    """No second alert for one sighting, none for a child with verified parents, none below the high band."""
    assert decide(replace(GOOD, **change), POLICY).alert is None


def test_review_band_is_queued_for_people_only() -> None:
    """A review-band candidate opens a lead and says nothing in public beyond the usual answer."""
    decision = decide(replace(GOOD, candidates=(Candidate(9, Band.REVIEW),)), POLICY)
    assert decision.leads == (9,)
    assert decision.alert is None
    assert decision.answer is not None
    assert decision.answer.template == "answer_received"


def test_the_answer_does_not_betray_a_match() -> None:
    """The poster hears the same words whether or not a face matched."""
    matched = decide(GOOD, POLICY).answer
    strangers = decide(replace(GOOD, candidates=()), POLICY).answer
    assert matched == strangers


@pytest.mark.parametrize("candidate", [replace(HIGH, case_open=False), replace(HIGH, rejected=True)])
def test_closed_cases_and_rejected_pairs_stay_silent(candidate: Candidate) -> None:
    """A pair that people rejected, or a case that is not open, opens nothing."""
    decision = decide(replace(GOOD, candidates=(candidate,)), POLICY)
    assert decision.alert is None
    assert decision.leads == ()


@given(
    summons=st.booleans(),
    silent=st.booleans(),
    opted_out=st.booleans(),
    thread=st.booleans(),
    photos=st.integers(0, 2),
    hours=st.integers(0, 100),
    hour=st.integers(0, 20),
    certain=st.sampled_from(list(Certainty)),
    alternatives=st.sampled_from([(), ("110105", "220104")]),
    off=st.sampled_from([None, *Capability]),
    auto=st.booleans(),
)
def test_an_alert_that_goes_at_once_always_meets_every_condition(
    summons: bool,
    silent: bool,
    opted_out: bool,
    thread: bool,
    photos: int,
    hours: int,
    hour: int,
    certain: Certainty,
    alternatives: tuple[str, ...],
    off: Capability | None,
    auto: bool,
) -> None:
    """Whatever the situation: what goes at once is released, certain, allowed, fresh and under its caps."""
    situation = replace(
        GOOD,
        summons=summons,
        silent=silent,
        opted_out=opted_out,
        thread_answered=thread,
        photos=photos,
        posted_at=NOW - timedelta(hours=hours),
        sent_last_hour=hour,
        where=Where("110105", "北京市朝阳区", alternatives, certain),
        capabilities=ALL_ON if off is None else _off(off),
    )
    alert = decide(situation, replace(POLICY, auto_release=auto)).alert
    if alert is not None and not alert.held:
        assert auto
        assert certain is Certainty.HIGH
        assert not alternatives
        assert not silent
        assert not opted_out
        assert hours <= 48
        assert hour < 10
        assert off is not Capability.MENTION_OTHERS
        assert alert.accounts
