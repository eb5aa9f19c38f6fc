"""Addresses of images: only what a page of this session gave out opens, and for half an hour."""

from __future__ import annotations

import html
import re

import pytest

from bot.console.parts import Role

pytestmark = pytest.mark.on_both


@pytest.fixture
def desk(world, as_role):
    return as_role(Role.LEAD_REVIEWER)


def addresses(page: str) -> list[str]:
    """Every image of a page that is not a part of its furniture."""
    return [html.unescape(found) for found in re.findall(r'<img src="(/[^"]+)"', page) if not found.startswith("/static/")]


def test_every_page_gives_out_addresses_that_open(world, desk, as_role) -> None:
    """Cases, leads with their sheet, sightings with faces, families and officials: each image opens as a JPEG."""
    family = as_role(Role.FAMILY, cases=(world.case_id,), divisions=())
    official = as_role(Role.OFFICIAL, divisions=("44",))
    for person, page in (
        (desk, f"/cases/{world.case}"),
        (desk, f"/leads/{world.lead}"),
        (desk, f"/leads/{world.lead}/print"),
        (desk, f"/sightings/{world.sighting}"),
        (family, f"/family/{world.case}"),
        (official, f"/s/{world.sighting}"),
    ):
        found = addresses(person.get(page))
        assert found, page
        for one in found:
            answer = person.client.get(one)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg"), one


def test_an_address_made_up_changed_passed_on_or_old_does_not_open(world, desk, as_role, stopped) -> None:
    """Without signature, for another photo, with a later end, in a colleague's session, after half an hour: 403, and no view."""
    (given, *_) = addresses(desk.get(f"/cases/{world.case}"))
    path, _, query = given.partition("?")
    until = int(re.search(r"until=(\d+)", query)[1])
    other = as_role(Role.LEAD_REVIEWER)
    wrong = [
        path,
        f"{path}?until={until}",
        f"{path}?until=x&sign=y",
        f"{path}?until={'9' * 400}&sign={'a' * 32}",
        f"{path}?{query.replace(str(until), str(until + 3600))}",
        f"/s/{world.sighting}/photo/1?{query}",
    ]
    for one in wrong:
        assert desk.client.get(one).status_code == 403, one
    assert other.client.get(given).status_code == 403
    stopped.forward(minutes=29)
    assert desk.client.get(given).status_code == 200
    stopped.forward(minutes=2)
    assert desk.client.get(given).status_code == 403
