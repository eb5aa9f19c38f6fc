"""Signing in: three factors of knowing and having, lock-out, sessions that end, invitations that work once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import argon2
import pytest
from starlette.testclient import TestClient

from bot.console import accounts
from bot.console.app import create_app
from bot.console.parts import Role
from store import audit, cases, invitations, people
from store.cases import CaseFields
from store.errors import BadInput

pytestmark = pytest.mark.on_both


@pytest.fixture
def mei(add_person):
    """A volunteer with a password and a second factor."""
    return add_person("mei", Role.VOLUNTEER)


@pytest.fixture
def enter(stranger, digits, console_secrets):
    """Tries to sign in through the form; what is not named is right."""

    def fill(login="mei", password=None, code=None, next="/account"):
        page = stranger.client.get("/signin").text
        csrf = page.split('name="csrf" value="')[1][:64]
        data = {"csrf": csrf, "login": login, "password": password or console_secrets.password, "next": next}
        data["code"] = code or digits()
        return stranger.client.post("/signin", data=data, follow_redirects=False)

    return fill


def test_the_right_three_let_one_in(mei, enter, stranger):
    """Name (in any case), password and digits: on to the page that was asked for."""
    answer = enter(login=" MEI ")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert "Mei" in stranger.get("/account")


@pytest.mark.parametrize("wrong", [{"login": "nobody"}, {"password": "another long one"}, {"code": "000000"}, {"code": "12345x"}])
def test_anything_wrong_keeps_one_out_and_does_not_say_what(mei, enter, stranger, wrong):
    """A stranger learns neither who exists nor which of the three was wrong: the same page but for the name they typed."""
    answer = enter(**wrong)
    assert answer.status_code == 403
    assert "登录信息不对" in answer.text
    assert stranger.client.get("/account", follow_redirects=False).status_code == 303


def test_somebody_who_does_not_exist_costs_the_same_work(mei, enter, parts, console_secrets, monkeypatch):
    """A wrong password and an unknown name each cost one check of a hash of the same strength, as does the right one: the time
    of an answer tells nobody who exists."""
    with parts.store.write() as tx:
        people.set_password(tx, mei.id, accounts.check_password(console_secrets.password, "mei"))
    worked = []

    class Counting(accounts.PasswordHasher):
        def verify(self, hash, password):
            worked.append(argon2.extract_parameters(hash))
            return super().verify(hash, password)

    monkeypatch.setattr(accounts, "_HASHER", Counting())
    for tried in ({}, {"password": "another long one"}, {"login": "nobody"}, {"login": "nobody", "password": "x" * 5000}):
        worked.clear()
        enter(**tried)
        assert worked == [argon2.profiles.RFC_9106_LOW_MEMORY], tried


def test_a_code_works_once(mei, enter, stranger):
    """Who looks over a shoulder cannot use the digits again (RFC 6238, 5.2); the next ones work."""
    assert enter().status_code == 303
    stranger.client.cookies.clear()
    assert enter().status_code == 403


def test_codes_drift_by_one_step_at_most(mei, parts, stopped):
    """A phone may be half a minute off, not a minute and a half."""
    for seconds, fits in ((-30, True), (30, True), (-90, False), (90, False)):
        digits = accounts.pyotp.TOTP(accounts.base32(b"0123456789abcdefghij")).at(stopped() + timedelta(seconds=seconds))
        assert (accounts.matching_step(b"0123456789abcdefghij", digits, stopped()) is not None) == fits


def test_the_codes_are_those_of_the_standard():
    """RFC 6238, appendix B, SHA-1: the last six of each eight digits, and no other step's."""
    for seconds, digits in ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")):
        moment = datetime.fromtimestamp(seconds, UTC)
        assert accounts.matching_step(b"12345678901234567890", digits, moment) == seconds // 30


def test_five_failures_lock_out_for_a_quarter_of_an_hour(mei, enter, stopped, parts):
    """Then even the right three fail; afterwards they work, and the record tells of it."""
    for _ in range(5):
        assert enter(code="000000").status_code == 403
    assert enter().status_code == 403
    stopped.forward(minutes=16)
    assert enter().status_code == 303
    with parts.store.read() as tx:
        told = [event.what for event in audit.listing(tx, who="mei")]
    assert told == ["console.signed_in", "console.locked_out", *["console.sign_in_failed"] * 4]


def test_a_session_ends_after_its_hours(mei, enter, stranger, stopped):
    """Twelve hours later one signs in anew."""
    enter()
    stopped.forward(hours=11)
    stranger.get("/account")
    stopped.forward(hours=2)
    answer = stranger.client.get("/account", follow_redirects=False)
    assert answer.headers["location"] == "/signin?next=/account"


def test_a_session_ends_on_the_server(mei, enter, stranger, parts):
    """Signing out, signing out everywhere, being revoked, a new password: the cookie alone is worth nothing afterwards."""
    ends = (
        lambda tx, number: people.end_sessions(tx, number),
        lambda tx, number: accounts.revoke(tx, "mei", by="operator"),
    )
    for end in ends:
        with parts.store.write() as tx:
            people.start_session(tx, mei.id, f"token {end}", parts.clock() + timedelta(hours=1))
        stranger.client.cookies.set("session", f"token {end}", domain="127.0.0.1", path="/")
        stranger.get("/account")
        with parts.store.write() as tx:
            end(tx, mei.id)
        assert stranger.client.get("/account", follow_redirects=False).status_code == 303


def test_signing_out_ends_the_session_not_only_the_cookie(as_role):
    """A stolen cookie dies with the sign-out."""
    browser = as_role(Role.VOLUNTEER)
    stolen = browser.client.cookies.get("session")
    browser.post("/signout")
    browser.client.cookies.set("session", stolen, domain="127.0.0.1", path="/")
    assert browser.client.get("/account", follow_redirects=False).status_code == 303


def test_signing_out_everywhere(as_role, parts):
    """Every device's session ends."""
    browser = as_role(Role.VOLUNTEER)
    with parts.store.write() as tx:
        people.start_session(tx, 1, "phone", parts.clock() + timedelta(hours=1))
    browser.post("/account/signout-everywhere")
    with parts.store.read() as tx:
        assert people.of_session(tx, "phone") is None


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "\\\\evil", "javascript:alert(1)", "/ok\r\nSet-Cookie: a=b"],
)
def test_signing_in_leads_nowhere_else(mei, enter, elsewhere):
    """A link to the sign-in cannot send people to another site afterwards."""
    assert enter(next=elsewhere).headers["location"] == "/"


class TestInvitations:
    """Links that work once."""

    @pytest.fixture
    def link(self, parts):
        with parts.store.write() as tx:
            accounts.add(tx, "lan", by="operator", name="Lan", roles=[Role.VOLUNTEER])
        return accounts.invite(parts.loaded, parts.store, "lan", by="operator").removeprefix(parts.public_url)

    def take(self, browser, link, digits, password="six lanterns on the river", again=None):
        page = browser.client.get(link).text
        csrf = page.split('name="csrf" value="')[1][:64]
        data = {"csrf": csrf, "password": password, "again": again or password, "code": digits}
        return browser.client.post(link, data=data, follow_redirects=False)

    def digits_of(self, parts, login="lan"):
        with parts.store.read() as tx:
            secret = people.totp_secret(tx, people.by_login(tx, login).id)
        return accounts.pyotp.TOTP(accounts.base32(secret)).at(parts.clock())

    def test_it_lets_one_in_once(self, parts, stranger, link):
        """Taken, it is gone; the password and the second factor hold from then on."""
        assert self.take(stranger, link, self.digits_of(parts)).status_code == 303
        assert "Lan" in stranger.get("/account")
        assert stranger.client.get(link).status_code == 404
        parts.clock.forward(minutes=1)
        assert accounts.enter(parts, "lan", "six lanterns on the river", self.digits_of(parts)) is not None

    @pytest.mark.parametrize(
        ("password", "again", "right"),
        [("short", None, True), ("six lanterns on the river", "seven lanterns", True), ("six lanterns on the river", None, False),
         ("lan lan lan lan", None, True), ("aaaaaaaaaaaaaaaa", None, True)],
    )  # fmt: skip
    def test_a_poor_password_or_a_wrong_code_leaves_it_open(self, parts, stranger, link, password, again, right):
        """Nothing is stored, and the link still works."""
        digits = self.digits_of(parts) if right else "000000"
        assert self.take(stranger, link, digits, password, again).status_code == 400
        with parts.store.read() as tx:
            assert people.by_login(tx, "lan").password_hash is None
            assert invitations.find(tx, link.rsplit("/", 1)[1]) is not None

    def test_it_expires(self, parts, stranger, link):
        """After three days the person who invited sends a new one."""
        parts.clock.forward(hours=73)
        assert stranger.client.get(link).status_code == 404

    def test_a_new_invitation_voids_the_old_and_what_was_before(self, parts, stranger, link):
        """Lost phone: the old link, password, second factor and sessions no longer work."""
        old = self.digits_of(parts)
        self.take(stranger, link, old)
        accounts.invite(parts.loaded, parts.store, "lan", by="operator")
        assert stranger.client.get("/account", follow_redirects=False).status_code == 303
        parts.clock.forward(minutes=1)
        assert accounts.enter(parts, "lan", "six lanterns on the river", self.digits_of(parts)) is None

    def test_the_database_holds_no_token(self, parts, link, as_role, stored_bytes):
        """Who reads the file finds neither the invitation nor a session that could be used; nor the second factor's secret
        in the audit record."""
        as_role(Role.VOLUNTEER)
        raw = stored_bytes(parts.store)
        assert link.rsplit("/", 1)[1].encode() not in raw
        assert b"token-of-volunteer1" not in raw


class TestWhoMayBeAdded:
    """Rules of roles and limits."""

    @pytest.mark.parametrize(
        ("roles", "limits", "why"),
        [
            ([], {}, "role"),
            ([Role.OFFICIAL], {}, "division"),
            ([Role.OFFICIAL], {"divisions": ["999999"]}, "no division code"),
            ([Role.FAMILY], {}, "case"),
            ([Role.VOLUNTEER], {"cases_of": ["CASE"]}, "case"),
            ([Role.FAMILY, Role.VOLUNTEER], {"cases_of": ["CASE"]}, "no other role"),
        ],
    )
    def test_a_person_without_fitting_limits_is_refused(self, parts, roles, limits, why):
        """An official needs a division, a family its case and nothing else."""
        with parts.store.write() as tx:
            case = cases.add(tx, CaseFields("Demo child"), "clerk")
            wanted = {"cases_of": [case.ref]} if "cases_of" in limits else limits
            with pytest.raises(BadInput, match=why):
                accounts.add(tx, "x", by="operator", roles=roles, **wanted)

    @pytest.mark.parametrize(
        ("code", "prefix"), [("440300", "4403"), ("44", "44"), ("4403", "4403"), ("440303", "440303"), ("440000", "44")]
    )
    def test_a_division_is_kept_as_its_prefix(self, code, prefix):
        """Whatever form it is typed in."""
        assert accounts.division_prefix(code) == prefix

    def test_the_operator_adds_and_revokes_people_in_the_console(self, as_role, parts):
        """The invitation is shown once; a revoked person is out at once."""
        browser = as_role(Role.OPERATOR)
        lan = {"login": "Lan", "name": "<b>Lan</b>", "role": "official", "divisions": "440300"}
        page = browser.post("/people", lan, page="/people")
        assert "/welcome/" in page
        assert "&lt;b&gt;Lan" in page
        assert "/welcome/" not in browser.get("/people")
        assert "needs the division" in browser.post("/people", {"login": "x", "role": "official"}, status=400, page="/people")
        browser.post("/people/lan/revoke", page="/people")
        with parts.store.read() as tx:
            assert people.by_login(tx, "lan").disabled_at is not None
        browser.post(f"/people/{browser.login}/revoke", status=400, page="/people")


def test_over_https_cookies_are_bound_to_the_host(parts, add_person, stopped, digits, console_secrets):
    """__Host-, Secure, HttpOnly, SameSite; and insecure cookies are refused there."""
    settings = parts.settings.model_copy(
        update={"console": parts.console.model_copy(update={"insecure_cookies": False, "public_url": "https://console.example.org"})}
    )
    app = create_app(replace(parts, loaded=replace(parts.loaded, settings=settings)))
    add_person("mei", Role.VOLUNTEER)
    client = TestClient(app, base_url="https://console.example.org")
    page = client.get("/signin")
    assert "max-age" in page.headers["strict-transport-security"]
    csrf = page.text.split('name="csrf" value="')[1][:64]
    data = {"csrf": csrf, "login": "mei", "password": console_secrets.password, "code": digits(), "next": "/"}
    answer = client.post("/signin", data=data, follow_redirects=False)
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("__Host-session="))
    assert {"Secure", "HttpOnly", "SameSite=lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    bad = settings.model_copy(update={"console": settings.console.model_copy(update={"insecure_cookies": True})})
    with pytest.raises(BadInput, match="insecure_cookies"):
        create_app(replace(parts, loaded=replace(parts.loaded, settings=bad)))
