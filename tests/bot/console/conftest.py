"""A console on a database of the test's own, people with every role, and browsers that are signed in as one of them."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyotp
import pytest
from httpx import Response
from starlette.applications import Starlette
from starlette.testclient import TestClient

from bot import casework
from bot.console import accounts
from bot.console.app import create_app
from bot.console.imagelink import address
from bot.console.parts import Parts, Role
from bot.console.server import ConsoleServer
from bot.demo.photos import DemoPhoto
from bot.faces import FaceBook
from bot.settings import load_settings
from ingest.photo import Decoder
from matcher.calibrate import BandTargets
from matcher.engines.base import Engine
from store import cases, faces, matches, media, people, sightings
from store import photos as photo_rows
from store import posts as post_rows
from store.cases import CaseFields
from store.model import Author, Band, Certainty, Grain, Media, Post, Stream, StreamKind, When, Where
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
def decoder() -> Iterator[Decoder]:
    with Decoder() as opened:
        yield opened


@pytest.fixture
def console_settings() -> str:
    """The ``console:`` part of config.yaml; a test may override it."""
    return "console: {insecure_cookies: true}\n"


@pytest.fixture
def scenery(request: pytest.FixtureRequest) -> Scene | None:
    """The scene that the test's database begins with, where the test asks for one."""
    if "scene" not in request.fixturenames:
        return None
    return request.getfixturevalue("scene_once")(request.getfixturevalue("database"))


@pytest.fixture
def parts(
    tmp_path: Path,
    database: str,
    fresh_database: Callable[..., Any],
    scenery: Scene | None,
    stopped: StoppedClock,
    decoder: Decoder,
    console_settings: str,
) -> Iterator[Parts]:
    """The console's parts, without a face engine."""
    config = tmp_path / "config.yaml"
    config.write_text(f"campaign: {{operator: Example Foundation}}\n{console_settings}", encoding="utf-8")
    loaded = load_settings(config, environ={})
    with fresh_database(database, tmp_path, of=scenery.parts.store.url if scenery else "") as url:
        store = Store(url, stopped)
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
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    last: str = field(default="", repr=False)

    def get(self, path: str, status: int = 200) -> str:
        """The page's HTML."""
        answer = self.client.get(path)
        assert answer.status_code == status, (path, answer.status_code, answer.text[:2000])
        self.last = answer.text
        return answer.text

    def image(self, path: str) -> Response:
        """A photo at the address that a page of this session would give it."""
        return self.client.get(address(self.client.cookies["session"], path, self.clock()))

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
        return Browser(client, user.login, parts.clock)

    return sign_in


@pytest.fixture
def digits(stopped: StoppedClock) -> Callable[[], str]:
    """The six digits that the people of these tests see on their phone now."""
    return lambda: code_at(stopped())


@pytest.fixture
def console_secrets() -> SimpleNamespace:
    """What the people of these tests know."""
    return SimpleNamespace(password=PASSWORD, secret=SECRET)


def code_at(moment: datetime) -> str:
    """The six digits that the people of these tests see on their phone."""
    return pyotp.TOTP(accounts.base32(SECRET)).at(moment)


# --- a scene to review: cases and sightings with real faces (of adult public figures) ----------------------------------


@dataclass
class Scene:
    """Cases by key, and the candidates (rows) that the sightings' faces gave."""

    parts: Parts
    cases: dict[str, cases.Case] = field(default_factory=dict)
    sightings: list[sightings.Sighting] = field(default_factory=list)
    candidates: list[int] = field(default_factory=list)


@pytest.fixture
def seeing_parts(parts: Parts, engine_and_decoder: tuple[Engine, Decoder]) -> Parts:
    """The console's parts with the default face engine."""
    return replace(parts, faces=FaceBook(engine_and_decoder[0], BandTargets(10_000, 20, 2_000), 20))


@pytest.fixture(scope="session")
def scene_once(
    tmp_path_factory: pytest.TempPathFactory,
    fresh_database: Callable[..., Any],
    photos: dict[str, DemoPhoto],
    engine_and_decoder: tuple[Engine, Decoder],
) -> Iterator[Callable[[str], Scene]]:
    """``scene_once(DATABASE)``: the scene below, made once for each; each test gets a copy of its database and files."""
    engine, decoder = engine_and_decoder
    with ExitStack() as stack:

        @functools.cache
        def make(database: str) -> Scene:
            folder = tmp_path_factory.mktemp("scene")
            (folder / "config.yaml").write_text("{}", encoding="utf-8")
            clock = StoppedClock()
            store = Store(stack.enter_context(fresh_database(database, folder)), clock)
            book = FaceBook(engine, BandTargets(10_000, 20, 2_000), 20)
            loaded = load_settings(folder / "config.yaml", environ={})
            made = Scene(Parts(loaded, store, PhotoFiles(folder / "photos", store.vault), decoder, clock, book))
            for number, key in enumerate("abcd"):
                made.cases[key] = _register(made.parts, photos, key, number)
            for number, name in enumerate(("a-street", "b-street", "c-street", "d-street", "p-1", "q-1")):
                _see(made, photos[name], number)
            store.checkpoint()
            store.close()
            return made

        yield make


@pytest.fixture
def scene(seeing_parts: Parts, scenery: Scene) -> Scene:
    """Four verified cases (one with two photos), and six sightings whose faces are candidates for every case."""
    shutil.copytree(scenery.parts.files.place.root, seeing_parts.files.place.root)
    return replace(scenery, parts=seeing_parts)


def _register(parts: Parts, photos: dict[str, DemoPhoto], key: str, number: int) -> cases.Case:
    desk = casework.Desk(parts.store, parts.files, parts.decoder, parts.faces)
    given = [
        casework.CasePhotoInput(p.name, p.data, date(2008 + n, 5, 1))
        for n, p in enumerate(p for p in photos.values() if p.is_case_photo and p.person == key)
    ]
    what = CaseFields(
        f"Demo child {key.upper()}",
        sex="male",
        birth_on=date(2004, 3, 1 + number),
        missing_on=date(2009, 6, 1),
        missing_adcode="510100",
        features="mole under the left eye",
        police_report_number=f"T-{key}",
    )
    case = casework.register(desk, what, given, by="clerk")
    with parts.store.write() as tx:
        return cases.verify(tx, case.ref, by="second person", report_number=f"T-{key}")


def _see(made: Scene, photo: DemoPhoto, number: int) -> None:
    """A post with the photo, its sighting in Luohu, its faces, and candidates for every case."""
    parts = made.parts
    read, pixels = parts.decoder.read(photo.data)
    found = parts.faces.engine.faces(pixels)[:1]
    parts.files.put(photo.data)
    now = parts.clock()
    post = Post(
        "weibo", str(100 + number), Author("7", "passer"), f"<b>出站口</b>有个孩子 {number}", now - timedelta(hours=number),
        f"https://example.org/post/{number}", media=(Media(photo.name, (f"https://example.org/{photo.name}.jpg",)),),
    )  # fmt: skip
    with parts.store.write() as tx:
        stream = Stream("weibo", StreamKind.HASHTAG, "tag")
        stored = post_rows.save_page(tx, stream, [post], now=now, silent=lambda _: False, cursor=None, chain=None)
        row = post_rows.find(tx, "weibo", post.id)
        assert stored.new
        kept = photo_rows.save(
            tx, sha256=read.sha256, phash=read.phash, width_px=read.width_px, height_px=read.height_px, format=read.format,
            size_bytes=read.size_bytes, exif=None,
        )  # fmt: skip
        media.mark_stored(tx, media.of_post(tx, row)[0].id, kept.id)
        where = Where("440303", "罗湖火车站", (), Certainty.HIGH)
        when = When(post.posted_at, post.posted_at + timedelta(minutes=30), Grain.MINUTE, Certainty.HIGH)
        made.sightings.append(sightings.save(tx, row, where, when))
        face = faces.save_faces(tx, kept.id, parts.faces.pack.id, parts.faces.pack.sha256, found)[0]
        new = [matches.NewCandidate(c.id, 0.4, None, 4200.0, rank, Band.REVIEW) for rank, c in enumerate(made.cases.values(), 1)]
        made.candidates.extend(matches.save_candidates(tx, face, parts.faces.pack.id, new))


@pytest.fixture
def review_app(scene: Scene) -> Starlette:
    """The console over the scene, engine included."""
    return create_app(scene.parts)


# --- a real browser ----------------------------------------------------------------------------------------------------


@dataclass
class Window:
    """A person at a browser of their own: nothing leaves this machine, and no page may complain in the console."""

    page: Any
    url: str
    complaints: list[str]
    shots: Path | None
    axe_source: Callable[[], str]

    def open(self, path: str) -> Any:
        self.page.goto(self.url + path)
        return self.page

    def until(self, expression: str) -> None:
        """Wait until a JavaScript expression is true. (Playwright's own waiting evaluates strings within the page as soon as
        one look is not enough, which the page's Content-Security-Policy rightly refuses and reports.)"""
        from playwright.sync_api import Error

        end = time.monotonic() + 15
        while time.monotonic() < end:
            with suppress(Error):  # the page is just being exchanged for the next
                if self.page.evaluate(expression):
                    return
            self.page.wait_for_timeout(20)
        raise AssertionError(f"never true: {expression}")

    def shoot(self, name: str) -> None:
        """Keep a picture of the page where pictures are asked for (``SUISHOUPAI_SCREENSHOTS=FOLDER``)."""
        if self.shots is not None:
            self.page.wait_for_load_state("networkidle")
            self.shots.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=self.shots / f"{name}.png", full_page=True)

    def axe(self) -> list[str]:
        """What axe-core finds against WCAG 2.2 A and AA on this page, one line each."""
        self.page.evaluate(self.axe_source())
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
        wanted = {"runOnly": {"type": "tag", "values": tags}, "resultTypes": ["violations"]}
        found = self.page.evaluate("wanted => axe.run(document, wanted)", wanted)
        return [f"{v['id']}: {v['help']}: {v['nodes'][0]['html']}" for v in found["violations"]]


@pytest.fixture(scope="session")
def axe_source(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """axe-core's script, fetched with npm at first use; the test skips where it cannot be had."""
    kept: list[str] = []

    def fetch() -> str:
        if not kept:
            folder = tmp_path_factory.mktemp("axe")
            try:
                packed = subprocess.run(
                    ["npm", "pack", "axe-core@4", "--silent"], cwd=folder, capture_output=True, text=True, timeout=60, check=True
                )
            except (OSError, subprocess.SubprocessError):
                pytest.skip("axe-core cannot be had from npm here")
            with tarfile.open(folder / packed.stdout.split()[-1]) as archive:
                kept.append(archive.extractfile("package/axe.min.js").read().decode())
        return kept[0]

    return fetch


@pytest.fixture
def serve_console() -> Iterator[Callable[[Starlette], str]]:
    """Serves an app on a free port until the test ends; returns its address."""
    running: list[ConsoleServer] = []

    def start(app: Starlette) -> str:
        server = ConsoleServer(app, "127.0.0.1", 0)
        server.__enter__()
        running.append(server)
        return server.url

    yield start
    for server in running:
        server.__exit__(None, None, None)


@pytest.fixture
def open_window(
    chromium: Any, app: Starlette, serve_console: Callable[[Starlette], str], axe_source: Callable[[], str]
) -> Iterator[Callable[..., Window]]:
    """``open_window()``: a window of its own on the test's console (``phone=True``: a small one; ``lang="zh-CN"``)."""
    url = serve_console(app)
    windows: list[tuple[Any, Window]] = []
    shots = Path(found) if (found := os.environ.get("SUISHOUPAI_SCREENSHOTS")) else None

    def start(*, phone: bool = False, lang: str = "en-GB", dark: bool = False) -> Window:
        size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 900}
        context = chromium.new_context(viewport=size, locale=lang, has_touch=phone, color_scheme="dark" if dark else "light")
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith((url, "data:")) else complaints.append(r.url))
        page.set_default_timeout(15_000)
        window = Window(page, url, complaints, shots, axe_source)
        windows.append((context, window))
        return window

    yield start
    for context, window in windows:
        context.close()
        # A refused form is a 4xx, which Chromium logs; that is meant.
        assert [text for text in window.complaints if "status of 4" not in text] == []


@pytest.fixture
def sign_in_window(
    open_window: Callable[..., Window], add_person: Callable[..., people.User], stopped: StoppedClock
) -> Callable[..., Window]:
    """``sign_in_window(Role.VOLUNTEER)``: a window in which a new person of that role signed in through the form."""
    count = 0

    def start(*roles: Role, path: str = "/", **more: Any) -> Window:
        nonlocal count
        count += 1
        limits = {name: more.pop(name) for name in ("divisions", "cases") if name in more}
        login = f"{roles[0].value}-w{count}"
        add_person(login, *roles, **limits)
        window = open_window(**more)
        page = window.open(f"/signin?next={path}")
        page.locator("input[name=login]").fill(login)
        page.locator("input[name=password]").fill(PASSWORD)
        page.locator("input[name=code]").fill(code_at(stopped()))
        page.locator("main button").click()
        page.wait_for_url(lambda address: "/signin" not in address)
        return window

    return start
