"""Who is local: the nearest accounts that may be mentioned, and nobody where the place is uncertain."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.officials import MINISTRY, RoutingRules, choose
from ingest.divisions import table
from ingest.where import resolve_where
from store.model import Agency, AgencyType, Certainty, OfficialAccount, Where

TODAY = date(2026, 3, 1)
COUNTY, PREFECTURE, PROVINCE = "440303", "440300", "440000"
HERE = Where(COUNTY, "广东省深圳市罗湖区", certainty=Certainty.HIGH)
_LEVELS = {COUNTY: "county", PREFECTURE: "prefecture", PROVINCE: "province", MINISTRY: "ministry"}


def account(number: int, adcode: str = COUNTY, kind: AgencyType = AgencyType.POLICE, *, agency: int = 0, priority: int = 100):
    body = Agency(agency or number, f"虚构机构{number}", adcode, _LEVELS.get(adcode, "county"), kind, priority)
    return OfficialAccount(number, body, "weibo", str(9_000_000 + number), f"虚构{number}", True, checked_on=TODAY)


def pick(where: Where, *accounts: OfficialAccount, rules: RoutingRules | None = None, platform: str = "weibo") -> list[int]:
    choice = choose(where, accounts, platform=platform, rules=rules or RoutingRules(), today=TODAY, ancestors=up)
    assert choice.steps, "every choice says how it came about"
    return [found.id for found in choice.accounts]


def up(adcode: str) -> list[str]:
    return [division.adcode for division in table().ancestors(adcode)]


def test_county_before_everything_above() -> None:
    """The county answers where it can; nobody above it is called besides for the same type."""
    assert pick(HERE, account(4, MINISTRY), account(3, PROVINCE), account(2, PREFECTURE), account(1)) == [1]


@pytest.mark.parametrize("nearest", [COUNTY, PREFECTURE, PROVINCE, MINISTRY])
def test_fallback_climbs_to_the_nearest_level(nearest: str) -> None:
    """Where the nearer levels list nobody, the next one up is asked: county, prefecture, province, ministry."""
    chain = [COUNTY, PREFECTURE, PROVINCE, MINISTRY]
    listed = [account(n, adcode) for n, adcode in enumerate(chain, start=1) if chain.index(adcode) >= chain.index(nearest)]
    assert pick(HERE, *listed) == [listed[0].id]


def test_a_free_place_goes_to_the_prefecture_for_a_missing_type() -> None:
    """The county's police and the city's civil affairs are called together; a second police account of the city is not."""
    city_police, city_civil = account(2, PREFECTURE), account(3, PREFECTURE, AgencyType.CIVIL_AFFAIRS)
    assert pick(HERE, account(1), city_police, city_civil) == [1, 3]


def test_province_and_ministry_are_not_called_beside_somebody_nearer() -> None:
    """A free place never goes to the province or the ministry."""
    above = account(2, PROVINCE, AgencyType.CIVIL_AFFAIRS), account(3, MINISTRY, AgencyType.ANTI_TRAFFICKING)
    assert pick(HERE, account(1), *above) == [1]


def test_municipality_counties_fall_back_to_the_municipality_alone() -> None:
    """Districts of 重庆 hang under the municipality: it is asked next, and only where the district has nobody."""
    district = Where("500157", "重庆市两江新区", certainty=Certainty.HIGH)
    assert pick(district, account(1, "500000")) == [1]
    assert pick(district, account(1, "500000", AgencyType.CIVIL_AFFAIRS), account(2, "500157")) == [2]


def test_another_citys_officers_are_never_called() -> None:
    """Accounts of a neighbouring county, another city or another province are out of the question."""
    assert pick(HERE, account(1, "440304"), account(2, "440100"), account(3, "110000")) == []


def test_types_in_the_operators_order_and_one_each_first() -> None:
    """Types follow the settings; a second account of a type comes only after every type had its turn; priority decides within."""
    listed = [
        account(1, kind=AgencyType.CIVIL_AFFAIRS),
        account(2, priority=50),
        account(3, priority=10),
        account(4, kind=AgencyType.RESCUE_STATION),
    ]
    assert pick(HERE, *listed, rules=RoutingRules(max_mentions=3)) == [3, 1, 4]
    assert pick(HERE, *listed, rules=RoutingRules(max_mentions=5)) == [3, 1, 4, 2]
    civil_first = RoutingRules((AgencyType.CIVIL_AFFAIRS, AgencyType.POLICE), max_mentions=1)
    assert pick(HERE, *listed, rules=civil_first) == [1]


def test_one_account_an_agency() -> None:
    """An agency with two accounts on a platform is mentioned once."""
    assert pick(HERE, account(1, agency=7), account(2, agency=7)) == [1]


def test_other_platforms_accounts_are_not_mentioned() -> None:
    """An account of another platform is no account here."""
    assert pick(HERE, account(1), platform="x") == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"verified": False}, "not verified"),
        ({"checked_on": None}, "never checked"),
        ({"checked_on": TODAY - timedelta(days=181)}, "181 days ago"),
        ({"checked_on": TODAY + timedelta(days=1)}, "still to come"),
    ],
)
def test_untrusted_accounts_are_left_out_with_the_reason(change: dict[str, object], why: str) -> None:
    """Unverified and stale accounts are never mentioned, and the steps say why."""
    doubtful = replace(account(1), **change)  # type: ignore[arg-type]
    choice = choose(HERE, [doubtful], platform="weibo", rules=RoutingRules(), today=TODAY, ancestors=up)
    assert choice.accounts == ()
    assert any(why in step for step in choice.steps)


def test_the_last_good_day_of_a_check_still_counts() -> None:
    """An account checked exactly max_age_days ago may be mentioned."""
    assert pick(HERE, replace(account(1), checked_on=TODAY - timedelta(days=180))) == [1]


def test_agencies_out_of_office_are_left_out() -> None:
    """Before valid_from and after valid_to nobody is mentioned; the last day still counts."""
    base = account(1)
    ended = replace(base, agency=replace(base.agency, valid_to=TODAY - timedelta(days=1)))
    coming = replace(base, agency=replace(base.agency, valid_from=TODAY + timedelta(days=1)))
    last_day = replace(base, agency=replace(base.agency, valid_to=TODAY))
    assert (pick(HERE, ended), pick(HERE, coming), pick(HERE, last_day)) == ([], [], [1])


def test_media_are_asked_by_hand_only() -> None:
    """Media are never mentioned by the bot, even where the settings name them."""
    rules = RoutingRules(tuple(AgencyType))
    assert pick(HERE, account(1, kind=AgencyType.MEDIA), rules=rules) == []


def test_types_outside_the_settings_are_left_out() -> None:
    """A type that the operator did not name is not mentioned."""
    assert pick(HERE, account(1, kind=AgencyType.RESCUE_STATION), rules=RoutingRules((AgencyType.POLICE,))) == []


@pytest.mark.parametrize(
    "where",
    [
        Where(),
        Where("440303", certainty=Certainty.MEDIUM),
        Where("440303", certainty=Certainty.LOW),
        Where("110105", alternatives=("110105", "220104"), certainty=Certainty.HIGH),
        Where(None, alternatives=("110105", "220104"), certainty=Certainty.LOW),
    ],
)
def test_uncertain_place_mentions_nobody(where: Where) -> None:
    """An unknown, ambiguous or uncertain place mentions nobody, whoever is listed; a person decides."""
    listed = [account(1), account(2, MINISTRY), account(3, "110105"), account(4, "220104")]
    choice = choose(where, listed, platform="weibo", rules=RoutingRules(), today=TODAY, ancestors=up)
    assert choice.accounts == ()
    assert "nobody is mentioned" in choice.steps[0]


@given(
    st.lists(
        st.builds(
            account,
            st.integers(1, 40),
            st.sampled_from([COUNTY, PREFECTURE, PROVINCE, MINISTRY, "440304", "110105"]),
            st.sampled_from(list(AgencyType)),
            agency=st.integers(1, 6),
        ),
        max_size=12,
    ),
    st.integers(1, 5),
)
def test_any_directory(listed: list[OfficialAccount], places: int) -> None:
    """Whatever the directory: at most the allowed number, each of a division that holds the place, each agency once, no media."""
    chosen = choose(
        HERE, listed, platform="weibo", rules=RoutingRules(max_mentions=places), today=TODAY, ancestors=up
    ).accounts
    assert len(chosen) <= places
    assert {found.agency.adcode for found in chosen} <= {COUNTY, PREFECTURE, PROVINCE, MINISTRY}
    assert all(found.agency.type is not AgencyType.MEDIA for found in chosen)
    levels = {found.agency.adcode for found in chosen}
    assert len(levels) <= 1 or levels == {COUNTY, PREFECTURE}


# --- every hard case, against a directory that has somebody everywhere -----------------------------------------------

HARD = Path(__file__).parents[2] / "ingest" / "places" / "hard_places.tsv"


def test_no_hard_case_calls_another_citys_officer() -> None:
    """With an account in every division of the country: an open place calls nobody, a certain one only its own line upward."""
    listed = {division.adcode: account(number, division.adcode) for number, division in enumerate(table(), start=1)}
    called = 0
    for line in HARD.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        text, expected, _ = line.split("\t")
        where = resolve_where(text)
        near = [listed[code] for code in {*up(where.adcode or ""), *where.alternatives} if code in listed]
        choice = choose(where, near, platform="weibo", rules=RoutingRules(), today=TODAY, ancestors=up)
        allowed = set() if expected.startswith("?") else {code for one in expected.split() for code in up(one)}
        assert {found.agency.adcode for found in choice.accounts} <= allowed, text
        called += bool(choice.accounts)
    assert called >= 400
