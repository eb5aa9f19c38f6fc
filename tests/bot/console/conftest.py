"""A console on a database of the test's own, people with every role, and browsers that are signed in as one of them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyotp
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from bot.console import accounts
from bot.console.app import create_app
from bot.console.parts import Parts, Role
from bot.settings import load_settings
from ingest.photo import Decoder
from store import people
from store.photos import PhotoFiles
from store.session import Store

PASSWORD = "three kind lanterns"
# The hash costs 50 ms by design; tests sign in a hundred times.
HASHED = accounts.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
SECRET = b"0123456789abcdefghij"


@dataclass
class StoppedClock:
    """A clock that moves when told to."""

    now: datetime = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


@pytest.fixture
def stopped() -> StoppedClock:
    return StoppedClock()


@pytest.fixture(scope="session")
def migrated_console(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file that the migrations made once; each test gets a copy."""
    path = tmp_path_factory.mktemp("console") / "migrated.sqlite"
    made = Store(f"sqlite:///{path}", StoppedClock())
    made.migrate()
    made.close()
    return path


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    with Decoder() as opened:
        yield opened


@pytest.fixture
def console_settings() -> str:
    """The ``console:`` part of config.yaml; a test may override it."""
    return "console: {insecure_cookies: true}\n"


@pytest.fixture
def parts(
    tmp_path: Path, migrated_console: Path, stopped: StoppedClock, decoder: Decoder, console_settings: str
) -> Iterator[Parts]:
    """The console's parts, without a face engine."""
    config = tmp_path / "config.yaml"
    config.write_text(f"campaign: {{operator: Example Foundation}}\n{console_settings}", encoding="utf-8")
    loaded = load_settings(config, environ={})
    store = Store(f"sqlite:///{tmp_path / 'suishoupai.sqlite'}", stopped)
    shutil.copy(migrated_console, store.path)
    yield Parts(loaded, store, PhotoFiles(tmp_path / "photos", store.vault), decoder, stopped)
    store.close()


@pytest.fixture
def app(parts: Parts) -> Starlette:
    return create_app(parts)


@dataclass
class Browser:
    """A signed-in reader: ``get`` a page, ``post`` a form as that page's own form would (with its CSRF token)."""

    client: TestClient
    login: str = ""
    last: str = field(default="", repr=False)

    def get(self, path: str, status: int = 200) -> str:
        """The page's HTML."""
        answer = self.client.get(path)
        assert answer.status_code == status, (path, answer.status_code, answer.text[:2000])
        self.last = answer.text
        return answer.text

    def csrf(self, path: str = "/account") -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.get(path))
        assert found, f"{path} has no form"
        return found[1]

    def post(self, path: str, data: dict | None = None, status: int = 200, files=None, page: str = "/account") -> str:
        """Send a form (redirects are followed); ``page`` is where its token comes from."""
        values = {"csrf": self.csrf(page), **(data or {})}
        answer = self.client.post(path, data=values, files=files, headers={"origin": "http://127.0.0.1"})
        assert answer.status_code == status, (path, answer.status_code, answer.text[:2000])
        self.last = answer.text
        return answer.text


@pytest.fixture
def stranger(app: Starlette) -> Browser:
    """A reader who is not signed in."""
    return Browser(TestClient(app, base_url="http://127.0.0.1"))


@pytest.fixture
def add_person(parts: Parts) -> Callable[..., people.User]:
    """Makes a person with roles, a password (PASSWORD) and a second factor."""

    def add(login: str, *roles: Role, divisions: tuple[str, ...] = (), cases: tuple[int, ...] = ()) -> people.User:
        with parts.store.write() as tx:
            return people.add(
                tx,
                login,
                name=login.title(),
                password_hash=HASHED,
                totp_secret=SECRET,
                roles=[role.value for role in roles],
                divisions=divisions,
                cases=cases,
            )

    return add


@pytest.fixture
def as_role(app: Starlette, parts: Parts, add_person: Callable[..., people.User]) -> Callable[..., Browser]:
    """``as_role(Role.VOLUNTEER)``: a browser that is signed in as a new person of that role, reading English."""
    count = 0

    def sign_in(*roles: Role, login: str = "", divisions: tuple[str, ...] = (), cases: tuple[int, ...] = ()) -> Browser:
        nonlocal count
        count += 1
        user = add_person(login or f"{roles[0].value}{count}", *roles, divisions=divisions, cases=cases)
        client = TestClient(app, base_url="http://127.0.0.1", headers={"accept-language": "en"})
        token = f"token-of-{user.login}"
        with parts.store.write() as tx:
            people.start_session(tx, user.id, token, parts.clock() + timedelta(hours=12))
        client.cookies.set("session", token, domain="127.0.0.1", path="/")
        return Browser(client, user.login)

    return sign_in


def code_at(moment: datetime) -> str:
    """The six digits that the people of these tests see on their phone."""
    return pyotp.TOTP(accounts.base32(SECRET)).at(moment)
