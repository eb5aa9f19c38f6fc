"""Conduct: whoever opens photo after photo, or registers case after case, is seen by somebody."""

from __future__ import annotations

import html
import re

import pytest

from bot.conduct import unusual
from bot.console.parts import Role
from bot.sections import HealthSettings
from store import audit

pytestmark = pytest.mark.on_both


def found(parts, **bounds: int) -> list[str]:
    with parts.store.read() as tx:
        return [finding.words for finding in unusual(tx, HealthSettings(**bounds))]


def test_photos_opened_on_the_console_are_counted_by_person_hour_and_day(world, as_role, stopped) -> None:
    """Four views of a case's photo, above a bound of three: a finding with the login, first for the hour, then for the day."""
    desk, other = as_role(Role.LEAD_REVIEWER), as_role(Role.OPERATOR, login="quiet")
    for _ in range(4):
        assert desk.image(f"/cases/{world.case}/photo/1").status_code == 200
    assert other.image(f"/cases/{world.case}/photo/1").status_code == 200
    (words,) = found(world.parts, views_an_hour=3, views_a_day=3)
    assert words.startswith(f"{desk.login} was shown 4 photos within 1 h")
    assert found(world.parts, views_an_hour=4, views_a_day=4) == []
    stopped.forward(hours=2)
    assert found(world.parts, views_an_hour=3) == []
    (words,) = found(world.parts, views_an_hour=3, views_a_day=3)
    assert "within 24 h" in words
    stopped.forward(hours=23)
    assert found(world.parts, views_an_hour=3, views_a_day=3) == []


def test_what_a_family_leafs_through_counts_too(world, as_role) -> None:
    """The crops on a family's page are photos shown, as are a lead's sheet and an official's picture."""
    family = as_role(Role.FAMILY, cases=(world.case_id,), divisions=())
    pictures = set(re.findall(r'src="(/family/[^"]+)"', family.get(f"/family/{world.case}")))
    assert pictures
    for address in sorted(pictures):
        assert family.client.get(html.unescape(address)).headers["content-type"] == "image/jpeg"
    desk = as_role(Role.LEAD_REVIEWER)
    desk.get(f"/leads/{world.lead}/print")
    with world.parts.store.read() as tx:
        seen = audit.viewers(tx, world.parts.clock())
    assert seen[family.login] == len(pictures)
    assert seen[desk.login] == 1


def test_one_person_registering_many_cases_is_told(world, as_role, stopped) -> None:
    """Three cases brought in by one person on one day, above a bound of two; a day later it is over."""
    desk = as_role(Role.OPERATOR)
    rows = b"name,sex,birth_on\nA,female,2010-01-02\nB,male,2011-01-02\nC,male,2012-01-02\n"
    assert "3 cases went in" in desk.post("/cases/import", files={"file": ("register.csv", rows, "text/csv")})
    (words,) = found(world.parts, cases_a_day=2)
    assert words.startswith(f"{desk.login} registered 3 cases within 24 h")
    stopped.forward(hours=25)
    assert found(world.parts, cases_a_day=2) == []
