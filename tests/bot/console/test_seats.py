"""The demo's console: links that sign a spectator in as each role."""

from __future__ import annotations

from types import SimpleNamespace

import httpx
import pytest

from bot.console import accounts
from bot.console.parts import Role
from bot.demo import seats


@pytest.fixture
def console_settings() -> str:
    return "console: {port: 0}\n"


def test_every_role_has_a_link_that_signs_in(scene, stopped):
    """Two volunteers, since a pair needs two; an unknown link leads to the start page and signs nobody in; the real sign-in
    works with what is printed."""
    parts = scene.parts
    bot = SimpleNamespace(store=parts.store, files=parts.files, decoder=parts.decoder, clock=parts.clock, faces=parts.faces)
    with seats.serve(bot, parts.loaded) as (url, made):
        assert sorted(seat.role for seat in made) == sorted([*Role, Role.VOLUNTEER])
        for seat in made:
            with httpx.Client(follow_redirects=True) as client:
                client.get(seat.link)
                assert seat.login in client.get(f"{url}/account").text
        with httpx.Client() as client:
            assert client.get(f"{url}/demo-entry/guess").headers["location"] == "/"
            assert client.get(f"{url}/account").status_code == 303
    digits = accounts.pyotp.TOTP(made[0].secret).at(stopped())
    assert accounts.enter(parts, made[0].login, made[0].password, digits) is not None
