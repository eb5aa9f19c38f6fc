"""Signing in and reviewing in a real browser (Debian's Chromium through Playwright)."""

from __future__ import annotations

import re

import pytest
from starlette.applications import Starlette

from bot.console import accounts
from bot.console.parts import Role
from store import matches, people, reviews
from store.matches import CandidateState

pytestmark = pytest.mark.browser


@pytest.fixture
def console_settings() -> str:
    return "console: {insecure_cookies: true, known_pair_one_in: 0}\n"


@pytest.fixture
def app(review_app: Starlette) -> Starlette:
    """The console over the scene."""
    return review_app


def test_an_invited_person_joins_with_a_second_factor(scene, open_window, stopped):
    """From the invitation's link to the first pair: password chosen, secret taken into the phone, signed in."""
    with scene.parts.store.write() as tx:
        accounts.add(tx, "wang", by="operator", name="王老师", roles=[Role.VOLUNTEER])
    link = accounts.invite(scene.parts.loaded, scene.parts.store, "wang", by="operator")
    window = open_window(lang="zh-CN")
    page = window.open(link.removeprefix(scene.parts.public_url))
    window.shoot("welcome-zh")
    assert window.axe() == []
    with scene.parts.store.read() as tx:
        secret = people.totp_secret(tx, 1)
    shown = "".join(page.locator("code").inner_text().split())
    assert shown == accounts.base32(secret)
    page.locator("input[name=code]").fill(accounts.pyotp.TOTP(shown).at(stopped()))
    for name in ("password", "again"):
        page.locator(f"input[name={name}]").fill("六盏灯笼照着回家的路 2026")
    page.locator("main form button").click()
    page.wait_for_url("**/review")
    assert page.locator("html").get_attribute("lang") == "zh-CN"


def test_twenty_pairs_are_reviewed_from_the_keyboard(scene, sign_in_window):
    """Keys alone: an answer, Enter for the next, twenty times; every vote is stored as it was typed."""
    window = sign_in_window(Role.VOLUNTEER, path="/review")
    page = window.page
    keys = ["1", "2", "3"]
    for number in range(20):
        page.wait_for_url("**/review")
        page.locator("[data-tools]:not([hidden])").wait_for()
        page.keyboard.press(keys[number % 3])
        page.wait_for_url("**/review/done")
        page.locator("[data-tools]:not([hidden])").wait_for()
        page.keyboard.press("Enter")
    page.wait_for_url("**/review")
    with scene.parts.store.read() as tx:
        said = [vote.verdict.value for n in scene.candidates for vote in reviews.votes_of(tx, n)]
    assert said == ["different", "cannot_tell", "similar"] * 6 + ["different", "cannot_tell"]


def test_the_next_pair_comes_without_a_new_page(scene, sign_in_window):
    """An answer, the next pair and the way back exchange the page's parts alone: the document stays, its keys work once for each
    pair, a key pressed twice counts once, the reader stands at the page's beginning, and no page is kept in the browser."""
    window = sign_in_window(Role.VOLUNTEER, path="/review")
    page = window.page
    page.evaluate("document.stays = true")
    page.evaluate("for (const _ of [1, 2]) document.querySelector('[data-key=\"3\"]').click()")
    page.wait_for_url("**/review/done")
    page.locator("[data-tools]:not([hidden])").wait_for()
    assert page.title().startswith("Your decision")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("u")
    page.wait_for_url("**/review")
    page.keyboard.press("+")
    assert page.locator(".lens img").first.evaluate("image => image.style.transform").startswith("scale(1.4)")
    assert page.evaluate("document.stays") is True
    assert page.evaluate("Object.keys({...localStorage, ...sessionStorage})") == ["htmx-current-path-for-history"]
    page.go_back()
    window.until("document.stays === undefined")
    with scene.parts.store.read() as tx:
        assert len(reviews.votes_of(tx, scene.candidates[0], undone=True)) == 1


def test_two_reviewers_at_once_decide_blind(scene, sign_in_window):
    """Two windows have the same pair; neither sees the other's answer; both together end it."""
    one, two = (sign_in_window(Role.VOLUNTEER, path="/review") for _ in range(2))
    one.page.keyboard.press("1")
    one.page.wait_for_url("**/review/done")
    two.page.reload()
    assert "volunteer-w1" not in two.page.content()
    two.page.keyboard.press("1")
    two.page.wait_for_url("**/review/done")
    with scene.parts.store.read() as tx:
        assert matches.get(tx, scene.candidates[0]).state is CandidateState.REJECTED


def test_the_tools_zoom_swap_and_open_the_whole_photo(scene, sign_in_window):
    """Zoom and brightness change both faces alike; the whole photo opens over the page; keys can be turned off."""
    window = sign_in_window(Role.VOLUNTEER, path="/review")
    page = window.page
    page.keyboard.press("+")
    page.keyboard.press("+")
    styles = [image.evaluate("image => image.style.transform") for image in page.locator(".lens img").all()]
    assert styles[0] == styles[1]
    assert styles[0].startswith("scale(1.8)")
    page.keyboard.press("m")
    assert page.locator("[data-side=left] img").evaluate("image => image.style.transform").endswith("scaleX(-1)")
    page.keyboard.press("w")
    left, right = (page.locator(f"[data-side={side}]").bounding_box()["x"] for side in ("left", "right"))
    assert left > right
    page.locator("[data-side=left] [data-whole]").click()
    page.locator("dialog img").wait_for()
    window.until("document.querySelector('dialog img').naturalWidth > 0")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    window.until("document.querySelector('[data-side=right] img').src.includes('right-1.jpg?')")
    page.locator("[data-keys-on]").uncheck()
    page.locator("h1").click()
    page.keyboard.press("1")
    page.reload()
    page.keyboard.press("1")
    assert page.url.endswith("/review")
    with scene.parts.store.read() as tx:
        assert reviews.votes_of(tx, scene.candidates[0]) == []


def test_typing_a_note_decides_nothing(scene, sign_in_window):
    """Digits in the note are digits; N goes to the note; the note comes with the vote."""
    page = sign_in_window(Role.VOLUNTEER, path="/review").page
    page.keyboard.press("n")
    page.keyboard.type("2 moles, 1 scar <script>alert(1)</script>")
    assert page.url.endswith("/review")
    page.keyboard.press("Escape")
    page.keyboard.press("3")
    page.wait_for_url("**/review/done")
    assert page.locator("#note").input_value() == "2 moles, 1 scar <script>alert(1)</script>"
    page.keyboard.press("u")
    page.wait_for_url("**/review")
    assert "Taken back" in page.locator(".notice").inner_text()


def test_an_expired_session_leads_to_the_sign_in_and_back(scene, sign_in_window, stopped):
    """The next key after twelve hours stores nothing, asks to sign in, and leads back to the pairs."""
    window = sign_in_window(Role.VOLUNTEER, path="/review")
    stopped.forward(hours=13)
    window.page.keyboard.press("1")
    window.page.wait_for_url("**/signin?next=/review")
    with scene.parts.store.read() as tx:
        assert reviews.votes_of(tx, scene.candidates[0]) == []


def test_a_forged_form_changes_nothing(scene, sign_in_window, chromium):
    """Another site that sends the reviewer's browser a form is refused, cookie or not."""
    window = sign_in_window(Role.VOLUNTEER, path="/review")
    token = window.page.locator("input[name=task]").input_value()
    window.page.evaluate(
        """token => { const form = document.forms[document.forms.length - 1]; const field = form.querySelector('[name=csrf]');
        document.querySelector('form[data-review] [name=csrf]').value = '0'.repeat(64); }""",
        token,
    )
    window.page.keyboard.press("1")
    window.page.get_by_text("no longer valid").wait_for()
    with scene.parts.store.read() as tx:
        assert reviews.votes_of(tx, scene.candidates[0]) == []


@pytest.mark.parametrize(("lang", "phone", "dark"), [("en-GB", False, False), ("zh-CN", True, False), ("zh-CN", False, True)])
def test_every_page_is_accessible_and_fits(scene, sign_in_window, open_window, lang, phone, dark):
    """No violation of WCAG 2.2 AA, and nothing wider than the screen, on a desk, on a phone, in the dark."""
    look = f"{'phone' if phone else 'desk'}-{lang[:2]}{'-dark' if dark else ''}"
    stranger = open_window(phone=phone, lang=lang, dark=dark)
    stranger.open("/signin")
    check(stranger, f"signin-{look}")
    window = sign_in_window(Role.VOLUNTEER, Role.LEAD_REVIEWER, path="/review", phone=phone, lang=lang, dark=dark)
    check(window, f"review-{look}")
    window.page.locator("[data-checklist] summary").click()
    check(window, f"review-checklist-{look}")
    window.page.locator("button[value=similar]").click()
    window.page.wait_for_url("**/review/done")
    check(window, f"review-done-{look}")
    _disagree(scene)
    number = scene.candidates[0]
    for path in ("/my-figures", "/disagreements", f"/disagreements/{number}", "/reviewers", "/account", "/nowhere"):
        window.open(path)
        check(window, f"{path.strip('/').replace('/', '-')}-{look}")


def check(window, name: str) -> None:
    """A picture, axe, and the width of the page."""
    window.shoot(name)
    assert window.axe() == [], name
    too_wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert window.page.evaluate(too_wide) <= 0, name
    words = window.page.locator("body").inner_text()
    assert not re.search(r"%\(\w+\)s|\{\{", words), name


def _disagree(scene) -> None:
    """Two more people differ about the first pair, so that the lead reviewer has it."""
    with scene.parts.store.write() as tx:
        for login, verdict in (("mei", "different"), ("lan", "cannot_tell")):
            user = people.add(tx, login, name=login.title(), roles=["volunteer"])
            checklist = {"ears": "different", "eyes": "similar"}
            new = reviews.NewVote(reviews.Verdict(verdict), 21.0, checklist=checklist, note="耳垂不同")
            reviews.vote(tx, scene.candidates[0], user.id, new)
        reviews.set_stage(tx, scene.candidates[0], reviews.Stage.ESCALATED, 3)
