"""The demo's console: a person of every role, each with a link that signs them in, so that a spectator can walk through it all.

The links exist in the demo's own process alone; the console that ``suishoupai console`` serves knows no such address.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.bot import Bot
from bot.console import accounts
from bot.console.app import create_app
from bot.console.parts import Parts
from bot.console.render import go
from bot.console.security import everyone, set_cookie
from bot.console.server import ConsoleServer
from bot.settings import Loaded
from store import cases, people
from store.errors import SettingsError
from store.people import Role

_HOURS = 12
_NAMES = {
    Role.VOLUNTEER: "示例志愿者",
    Role.LEAD_REVIEWER: "示例审核组长",
    Role.OFFICIAL: "示例民警",
    Role.FAMILY: "示例家庭",
    Role.OPERATOR: "示例运营",
    Role.AUDITOR: "示例审计",
}


@dataclass(frozen=True, slots=True)
class Seat:
    """A demo person: what they sign in with, the base32 secret of their second factor, and the link that does it for them."""

    role: Role
    login: str
    password: str
    secret: str
    link: str


@contextmanager
def serve(bot: Bot, loaded: Loaded) -> Iterator[tuple[str, list[Seat]]]:
    """The console over a running demo bot, on its usual port or a free one: (address, one seat a role; two volunteers)."""
    console = loaded.settings.console.model_copy(update={"insecure_cookies": True, "public_url": "", "host": "127.0.0.1"})
    alerts = loaded.settings.alerts.model_copy(update={"console_url": ""})
    settings = loaded.settings.model_copy(update={"console": console, "alerts": alerts})
    turned = Loaded(loaded.path, settings, loaded.secrets, loaded.modules)
    parts = Parts(turned, bot.store, bot.files, bot.decoder, bot.clock, bot.faces)
    app = create_app(parts)
    entries: dict[str, str] = {}

    @everyone()
    def enter(request: Request) -> Response:
        session = entries.get(request.path_params["token"])
        response = go(request, "/")
        if session is not None:
            set_cookie(request, response, "session", session, seconds=_HOURS * 3600)
        return response

    app.router.routes.insert(0, Route("/demo-entry/{token}", enter))
    try:
        server = ConsoleServer(app, "127.0.0.1", console.port)
    except SettingsError:
        server = ConsoleServer(app, "127.0.0.1", 0)
    with server:
        seats = [_seat(parts, role, number, server.url, entries) for role, number in _places()]
        yield server.url, seats


def _places() -> Iterator[tuple[Role, int]]:
    """Every role once; a second volunteer, since a pair needs two."""
    for role in Role:
        yield role, 1
        if role is Role.VOLUNTEER:
            yield role, 2


def _seat(parts: Parts, role: Role, number: int, url: str, entries: dict[str, str]) -> Seat:
    login = f"demo-{role.value.replace('_', '-')}-{number}"
    password, secret = secrets.token_urlsafe(12), secrets.token_bytes(20)
    entry, session = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
    with parts.store.write("demo.seat") as tx:
        first = next(iter(cases.listing(tx, limit=1)), None)
        user = people.add(
            tx,
            login,
            name=_NAMES[role] + ("" if number == 1 else f" {number}"),
            password_hash=accounts.check_password(password, login),
            totp_secret=secret,
            roles=[role.value],
            divisions=("44",) if role is Role.OFFICIAL else (),
            cases=(first.id,) if role is Role.FAMILY and first is not None else (),
        )
        people.start_session(tx, user.id, session, tx.now + timedelta(hours=_HOURS))
    entries[entry] = session
    return Seat(role, login, password, accounts.base32(secret), f"{url}/demo-entry/{entry}")
