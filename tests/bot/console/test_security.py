"""What holds for every page of the console, whoever wrote it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from bot.console import security
from bot.console.app import create_app, hosts
from bot.console.parts import NavEntry, Person, Role

pytestmark = pytest.mark.on_both

FOLDER = Path(security.__file__).parent

OPEN_TO_ALL = {
    "/", "/signin", "/signout", "/language", "/welcome/{token}",
    "/about", "/figures", "/figures.json", "/figures.csv", "/broadcasts.atom", "/openapi.json",
    "/report", "/report/received/{ref}",
}  # fmt: skip
"""Pages without a sign-in. A new one is added here on purpose or not at all."""

DUMMY = {"token": "t", "login": "x", "ref": "C-AAAA", "number": "1", "photo": "0", "code": "440000", "sha256": "0" * 64}


def routes(app) -> list[Route]:
    return [route for route in app.routes if isinstance(route, Route)]


def filled(route: Route) -> str:
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: DUMMY.get(found[1], "1"), route.path)


@pytest.fixture
def public_paths(app) -> set[str]:
    """Paths of the page modules that are public altogether, and the few others."""
    modules = ("bot.console.public", "bot.console.intake")
    return OPEN_TO_ALL | {route.path for route in routes(app) if route.endpoint.__module__ in modules}


def test_every_page_needs_a_sign_in_unless_it_is_known_to_be_public(app, stranger, public_paths):
    """A page module that forgot ``require`` is found here."""
    asked = 0
    for route in routes(app):
        if route.path in public_paths or "GET" not in route.methods:
            continue
        answer = stranger.client.get(filled(route), follow_redirects=False)
        assert answer.status_code == 303, route.path
        assert answer.headers["location"].startswith("/signin?next="), route.path
        asked += 1
    assert asked > 8


def test_no_form_is_taken_without_its_token(app, as_role):
    """Every POST of every page, by somebody who has every role: 403 without the token, and with another session's."""
    one, other = as_role(*Role), as_role(*Role)
    foreign = other.csrf()
    asked = 0
    for route in routes(app):
        if "POST" not in route.methods or route.path.startswith("/api/"):
            continue
        for data in ({}, {"csrf": ""}, {"csrf": "0" * 64}, {"csrf": foreign}):
            answer = one.client.post(filled(route), data=data, follow_redirects=False)
            assert answer.status_code in {403, 411}, (route.path, data, answer.status_code)
        asked += 1
    assert asked > 8


def test_a_form_from_another_site_is_refused_even_with_its_token(as_role):
    """The Origin header has to be the console's own."""
    browser = as_role(Role.VOLUNTEER)
    data = {"csrf": browser.csrf(), "lang": "en"}
    for origin, status in (("https://evil.example", 403), ("null", 403), ("http://127.0.0.1", 303)):
        answer = browser.client.post("/language", data=data, headers={"origin": origin}, follow_redirects=False)
        assert answer.status_code == status, origin


@pytest.mark.parametrize("path", ["/signin", "/account", "/nowhere", "/static/console.css", "/welcome/x"])
def test_every_answer_carries_the_headers(as_role, path):
    """The policy forbids inline script and style and every other host; nothing may frame, sniff or cache."""
    answer = as_role(Role.VOLUNTEER).client.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "server" not in answer.headers


@pytest.mark.parametrize("path", sorted((FOLDER / "templates").glob("**/*.html")), ids=lambda path: path.name)
def test_no_template_needs_what_the_policy_forbids(path):
    """No inline script, no style attribute or element, no handler attribute, no asset of another host, no raw output but
    the QR code that we draw ourselves."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", text)
    assert not re.search(r"(src|href)=[\"'](https?:)?//", text)
    assert re.findall(r"\{\{([^}]*)\|\s*safe\b", text) in ([], [" qr "])


def test_other_hosts_names_are_refused(app, parts):
    """DNS rebinding: a request that names another host gets nothing."""
    assert TestClient(app, base_url="http://evil.example").get("/signin").status_code == 400
    assert set(hosts(parts)) == {"127.0.0.1", "localhost"}


def test_bodies_are_bounded_and_measured(as_role):
    """Too large a form: 413; without its length: 411; no form at all: 400 or 403, never 500."""
    browser = as_role(Role.VOLUNTEER)
    huge = {"csrf": browser.csrf(), "next": "x" * (security.FORM_BYTES + 1)}
    assert browser.client.post("/language", data=huge).status_code == 413
    kind = {"content-type": "application/x-www-form-urlencoded"}
    chunked = browser.client.post("/language", content=iter([b"a=b"]), headers=kind)
    assert chunked.status_code == 411
    broken = {"content-type": "multipart/form-data; boundary=x"}
    assert browser.client.post("/language", content=b"--x\r\nnonsense", headers=broken).status_code in {400, 403}
    assert browser.client.post("/language", content=b"\xff\xfe", headers={"content-type": "text/plain"}).status_code == 403


@pytest.mark.parametrize("role", list(Role))
def test_the_navigation_shows_what_the_role_may_open_and_nothing_else(app, as_role, role):
    """Every entry of the navigation opens; every page of another role's navigation answers 403."""
    browser = as_role(role, divisions=("44",) if role is Role.OFFICIAL else ())
    entries: tuple[NavEntry, ...] = app.state.templates.nav
    for entry in entries:
        browser.get(entry.path, status=200 if role in entry.roles else 403)
        assert (f'href="{entry.path}"' in browser.get("/account")) == (role in entry.roles), entry.path


SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


def test_script_in_a_name_stays_text(as_role, parts):
    """What people type is shown, never run."""
    browser = as_role(Role.OPERATOR)
    form = {"login": "lan", "name": SCRIPT, "role": "volunteer"}
    page = browser.post("/people", form, page="/people")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    refused = browser.post("/people", {"login": SCRIPT, "name": SCRIPT}, status=400, page="/people")
    assert "<script>alert" not in refused


def test_a_fault_of_ours_is_told_in_words_without_its_innards(parts):
    """An unforeseen error is 500 with a page; the traceback is in the log alone."""
    app = create_app(parts)

    def fail(_request: object) -> None:
        raise ZeroDivisionError("inner words")

    app.router.routes.insert(0, Route("/broken", security.everyone()(fail)))
    client = TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False, headers={"accept-language": "en"})
    answer = client.get("/broken")
    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.text
    assert "inner words" not in answer.text


class TestLimits:
    """Divisions and cases."""

    @pytest.mark.parametrize(
        ("roles", "divisions", "adcode", "theirs"),
        [
            ({Role.OFFICIAL}, ("4403",), "440303", True),
            ({Role.OFFICIAL}, ("4403",), "440103", False),
            ({Role.OFFICIAL}, ("4403",), None, False),
            ({Role.OFFICIAL}, (), "440303", False),
            ({Role.VOLUNTEER}, (), None, True),
            ({Role.VOLUNTEER}, ("11",), "440303", False),
            ({Role.OFFICIAL, Role.OPERATOR}, (), "440303", True),
        ],
    )
    def test_who_sees_what_happened_where(self, roles, divisions, adcode, theirs):
        """An official without a division sees nothing; others without one see everything."""
        assert Person(1, "x", "x", frozenset(roles), divisions).covers(adcode) is theirs

    def test_a_family_owns_its_cases_alone(self):
        """By row number; a volunteer owns none."""
        family = Person(1, "x", "x", frozenset({Role.FAMILY}), cases=(7,))
        assert (family.owns(7), family.owns(8)) == (True, False)
        assert not Person(1, "x", "x", frozenset({Role.VOLUNTEER}), cases=(7,)).owns(7)
