"""Signing in."""

from __future__ import annotations

from bot.console.parts import Role


def test_a_signed_in_person_sees_their_account(as_role):
    """The account page names the person; the start page leads to a page of their role."""
    browser = as_role(Role.VOLUNTEER, login="mei")
    assert "Mei" in browser.get("/account")


def test_a_stranger_is_sent_to_the_sign_in(stranger):
    """A page that needs a sign-in leads there, and back afterwards."""
    answer = stranger.client.get("/account", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin?next=/account")
