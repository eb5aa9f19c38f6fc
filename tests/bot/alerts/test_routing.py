"""Which agencies answer for which kind of sighting: the hour of the call first, then how long ago the child was seen."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.alerts.officials import RoutingRules, choose
from bot.alerts.routing import Route, Routing, SightingKind, within_hours
from bot.settings import load_settings
from store.errors import SettingsError
from store.model import Agency, AgencyType, Certainty, OfficialAccount, When, Where

ZONE = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 3, 11, 12, tzinfo=ZONE)
MIDNIGHT = datetime(2026, 3, 11, 0, 30, tzinfo=ZONE)
POLICE, CIVIL, RESCUE = AgencyType.POLICE, AgencyType.CIVIL_AFFAIRS, AgencyType.RESCUE_STATION
ROUTING = Routing(
    RoutingRules((POLICE, CIVIL), max_mentions=2),
    {SightingKind.NIGHT: Route((POLICE,), 1), SightingKind.OLDER: Route((RESCUE, CIVIL))},
)


def seen(hours_before: float, now: datetime = NOON) -> When:
    end = now - timedelta(hours=hours_before)
    return When(end - timedelta(hours=1), end)


@pytest.mark.parametrize(
    ("when", "now", "kinds"),
    [
        (seen(1), NOON, ["fresh"]),
        (seen(6), NOON, ["fresh"]),
        (seen(6.1), NOON, ["older"]),
        (When(), NOON, ["undated"]),
        (When(None, NOON), NOON, ["undated"]),
        (seen(1, MIDNIGHT), MIDNIGHT, ["night", "fresh"]),
        (When(), MIDNIGHT, ["night", "undated"]),
    ],
)
def test_kinds(when: When, now: datetime, kinds: list[str]) -> None:
    """A sighting is fresh up to the set age, older beyond it, undated without both ends; in night hours also of the night."""
    assert list(ROUTING.kinds_of(when, now, ZONE)) == kinds


def test_the_campaigns_zone_decides_what_is_night() -> None:
    """Half past midnight in Shanghai is the afternoon before in UTC, and is night all the same."""
    assert SightingKind.NIGHT in ROUTING.kinds_of(When(), MIDNIGHT.astimezone(ZoneInfo("UTC")), ZONE)


@pytest.mark.parametrize(
    ("when", "now", "types", "most"),
    [
        (seen(1), NOON, (POLICE, CIVIL), 2),
        (seen(30), NOON, (RESCUE, CIVIL), 2),
        (seen(30, MIDNIGHT), MIDNIGHT, (POLICE,), 1),
    ],
)
def test_the_kind_that_is_named_decides(when: When, now: datetime, types: tuple[AgencyType, ...], most: int) -> None:
    """The night comes before the age; a kind nobody named keeps the general rules; what a kind leaves out stays general."""
    rules, why = ROUTING.rules_for(when, now, ZONE)
    assert (rules.types, rules.max_mentions, rules.max_age_days) == (types, most, 180)
    assert why.startswith("rules: ")


def test_the_choice_follows_the_kind() -> None:
    """At night the police alone are called where by day the civil affairs office is called as well."""
    here = Where("440303", "广东省深圳市罗湖区", certainty=Certainty.HIGH)
    listed = [
        OfficialAccount(
            n, Agency(n, f"虚构机构{n}", "440303", "county", kind), "weibo", str(n), f"虚构{n}", True, checked_on=date(2026, 3, 1)
        )
        for n, kind in ((1, POLICE), (2, CIVIL))
    ]

    def called(now: datetime) -> list[int]:
        rules, _ = ROUTING.rules_for(seen(1, now), now, ZONE)
        choice = choose(here, listed, platform="weibo", rules=rules, today=now.date(), ancestors=lambda code: [code])
        return [account.id for account in choice.accounts]

    assert called(NOON) == [1, 2]
    assert called(MIDNIGHT) == [1]


def test_a_type_that_only_one_kind_calls_is_fit_for_something() -> None:
    """An account is out of use only where no kind of sighting may call its type."""
    assert ROUTING.rules_of_all().types == (POLICE, CIVIL, RESCUE)


@pytest.mark.parametrize(("hour", "inside"), [(21, False), (22, True), (0, True), (5, True), (6, False), (12, False)])
def test_hours_run_over_midnight(hour: int, inside: bool) -> None:
    """22 to 6 holds 22:00 and 05:59, not 06:00."""
    assert within_hours((22, 6), hour) is inside


def _load(folder: Path, routing: str):
    path = folder / "config.yaml"
    path.write_text(f"alerts: {{routing: {routing}}}\n", encoding="utf-8")
    return load_settings(path, environ={}).settings.alerts.routing.routing


def test_kinds_come_from_the_settings(tmp_path: Path) -> None:
    """config.yaml names kinds, hours and ages; each is taken over."""
    routing = _load(tmp_path, "{fresh_hours: 2, night_hours: [23, 5], kinds: {night: {types: [police], max_mentions: 1}}}")
    assert routing.fresh == timedelta(hours=2)
    assert routing.night == (23, 5)
    assert routing.kinds == {SightingKind.NIGHT: Route((POLICE,), 1)}


@pytest.mark.parametrize(
    ("routing", "path"),
    [
        ("{kinds: {evening: {max_mentions: 1}}}", "alerts.routing.kinds"),
        ("{kinds: {night: {types: [wizards]}}}", "alerts.routing.kinds.night.types.0"),
        ("{kinds: {night: {types: []}}}", "alerts.routing.kinds.night.types"),
        ("{kinds: {night: {mentions: 1}}}", "alerts.routing.kinds.night.mentions"),
        ("{night_hours: [22, 24]}", "alerts.routing.night_hours"),
        ("{fresh_hours: 0}", "alerts.routing.fresh_hours"),
    ],
)
def test_wrong_kinds_are_named_by_their_path(tmp_path: Path, routing: str, path: str) -> None:
    """A kind, type, key or hour that does not exist is refused with its full path."""
    with pytest.raises(SettingsError) as error:
        _load(tmp_path, routing)
    assert path in str(error.value)
