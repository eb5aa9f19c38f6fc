"""Every page of leads, officials, cases, families, sightings and operators in a real browser: axe finds nothing, phones fit."""

from __future__ import annotations

import pytest

from bot.console.parts import Role

pytestmark = pytest.mark.browser

PAGES = {
    Role.LEAD_REVIEWER: ("/leads", "/leads/{lead}", "/leads/{lead}/print", "/replies", "/sightings", "/sightings/{sighting}",
                         "/map", "/map?province=44", "/cases", "/cases/new", "/cases/files", "/cases/{case}", "/alerts"),
    Role.OPERATOR: ("/operator",),
    Role.OFFICIAL: ("/official", "/s/{sighting}"),
    Role.FAMILY: ("/family", "/family/{case}"),
}  # fmt: skip


@pytest.mark.parametrize("role", PAGES, ids=lambda role: role.value)
def test_pages_are_accessible_and_fit_a_phone(world, sign_in_window, role: Role) -> None:
    """WCAG 2.2 A and AA in both widths; nothing runs over the side of a phone."""
    more = {"divisions": ("44",)} if role is Role.OFFICIAL else {"cases": (world.case_id,)} if role is Role.FAMILY else {}
    window = sign_in_window(role, path="/account", **more)
    for path in PAGES[role]:
        address = path.format(lead=world.lead, sighting=world.sighting, case=world.case)
        page = window.open(address)
        assert window.axe() == [], address
        window.shoot(f"{role.value}{address.replace('/', '-').replace('?', '-')}")
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth <= 390"), address
        page.set_viewport_size({"width": 1280, "height": 900})
