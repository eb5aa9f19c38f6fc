"""Every page of leads, officials, cases, families, sightings and operators in a real browser: axe finds nothing, phones fit,
lists are narrowed in place."""

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
        assert page.locator("html").get_attribute("lang") == "en"
        window.shoot(f"{role.value}{address.replace('/', '-').replace('?', '-')}")
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth <= 390"), address
        page.context.add_cookies([{"name": "lang", "value": "zh", "url": window.url}])
        page.reload()
        assert page.locator("html").get_attribute("lang") == "zh-CN"
        assert window.axe() == [], address
        window.shoot(f"{role.value}{address.replace('/', '-').replace('?', '-')}-phone-zh")
        assert page.evaluate("document.documentElement.scrollWidth <= 390"), address
        page.context.clear_cookies(name="lang")
        page.set_viewport_size({"width": 1280, "height": 900})


def test_lists_are_narrowed_in_place(world, sign_in_window, stopped) -> None:
    """Choosing a state or a tab exchanges what is found and the address, not the page; the language buttons lead back to it;
    where the session has ended the whole page goes to sign in; a page that fails is shown whole."""
    window = sign_in_window(Role.LEAD_REVIEWER, path="/sightings")
    page = window.page
    page.evaluate("document.stays = true")
    page.locator("#found table").wait_for()
    page.locator("#q-state").select_option("set_aside")
    page.locator("#found .empty").wait_for()
    assert "state=set_aside" in page.url
    assert "state=set_aside" in page.locator("#languages [name=next]").get_attribute("value")
    page.locator("#q-since").evaluate("field => { field.type = 'text'; field.value = 'never'; }")
    page.locator("main form button.primary").click()
    page.get_by_text("never is no time").wait_for()
    assert page.locator("header.top").count() == 1
    assert page.evaluate("document.stays") is True
    window.open("/leads")
    page.evaluate("document.stays = true")
    page.locator("#tab-closed").click()
    page.locator("#tab-closed[aria-current=page]").wait_for()
    assert page.evaluate("[document.activeElement.id, document.stays]") == ["tab-closed", True]
    stopped.forward(hours=13)
    page.locator("#tab-all").click()
    page.wait_for_url("**/signin?next=/leads")


def test_everything_works_without_scripts(world, sign_in_window) -> None:
    """With scripts blocked, lists are narrowed by pages of their own and forms are sent as ever."""
    window = sign_in_window(Role.LEAD_REVIEWER, path="/account")
    window.page.context.route("**/*.js", lambda route: route.fulfill(body=""))
    page = window.open("/sightings")
    page.locator("#q-state").select_option("set_aside")
    page.locator("main form button.primary").click()
    page.locator("#found .empty").wait_for()
    window.open("/leads")
    page.locator("#tab-closed").click()
    page.locator("#tab-closed[aria-current=page]").wait_for()
    window.open(f"/leads/{world.lead}")
    page.locator("#f-state").select_option("reviewed")
    page.locator("#f-why").fill("two reviewers agree")
    page.locator("form[action$=move] button.primary").click()
    page.locator("h1 .badge", has_text="reviewed").wait_for()
