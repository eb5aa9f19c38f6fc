"""Pictures of every page of the console, over the demo's data: each role walks through what it may open, in a real browser.

Pages are found, not listed: every GET route of the application is opened once by the first role that finds a link to it. A new
page is in the next run's pictures without a word here. Beside the Chinese picture on a desk, which the repository keeps, stand
the same page in English (``en/``) and on a phone (``phone/``), to be looked at.
"""

from __future__ import annotations

import io
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from PIL import Image
from starlette.applications import Starlette
from starlette.routing import Route

from bot.console.app import create_app
from bot.console.parts import Parts
from bot.console.server import ConsoleServer, open_parts
from bot.settings import Loaded
from store import cases, people
from store.errors import SettingsError
from store.people import Role

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = "/usr/bin/chromium"
_FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
_DESK = {"width": 1280, "height": 860}
_PHONE = {"width": 390, "height": 844}
_ENGLISH = ("/signin", "/public", "/report")
"""Pages that are pictured in English too."""
_NOT_PAGES = re.compile(r"\.(?:json|csv|atom|jpg|png|pdf|xml|xlsx)$|/(?:photo|crop|face|image|download|export)s?(?:/|$)|/static/")

Say = Callable[[str], None]


@dataclass(slots=True)
class Walk:
    """What one role has seen. ``todo`` are paths, ``done`` the routes that have their picture."""

    page: Page
    base: str
    routes: Sequence[Route]
    role: str
    done: set[str]
    todo: list[str] = field(default_factory=list)


def take(loaded: Loaded, folder: Path, say: Say, chromium: str = CHROMIUM) -> list[Path]:
    """Write a PNG of every page into ``folder`` and return the files. ``loaded`` holds the demo's database.

    Raises:
        SettingsError: there is no browser, or a page could not be opened.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise SettingsError("Playwright is not installed", mend="pip install -r requirements.txt") from error
    if not Path(chromium).exists():
        raise SettingsError(f"there is no browser at {chromium}", mend="apt-get install chromium fonts-noto-cjk")
    folder.mkdir(parents=True, exist_ok=True)
    console = loaded.settings.console.model_copy(update={"insecure_cookies": True, "public_url": "", "host": "127.0.0.1"})
    alerts = loaded.settings.alerts.model_copy(update={"console_url": ""})
    settings = loaded.settings.model_copy(update={"console": console, "alerts": alerts})
    with open_parts(Loaded(loaded.path, settings, loaded.secrets, loaded.modules)) as parts:
        app = create_app(parts)
        with ConsoleServer(app, "127.0.0.1", 0) as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
            try:
                return _walk_all(browser, parts, app, server.url, folder, say)
            finally:
                browser.close()


def _walk_all(browser: Browser, parts: Parts, app: Starlette, base: str, folder: Path, say: Say) -> list[Path]:
    routes = [r for r in app.routes if isinstance(r, Route) and "GET" in (r.methods or ()) and not _NOT_PAGES.search(r.path)]
    done: set[str] = set()
    made: list[Path] = []
    for role in (None, *Role):
        name = role.value if role is not None else "everyone"
        say(f"{name} ...")
        with _signed_in(browser, parts, base, role) as context:
            walk = Walk(context.new_page(), base, routes, name, done)
            walk.todo = ["/public", "/report", "/signin"] if role is None else ["/", *_nav(walk)]
            made += _walk(walk, folder)
    for path in _ENGLISH:
        with _signed_in(browser, parts, base, None, lang="en-GB") as context:
            made.append(_picture(context.new_page(), base + path, folder / f"everyone-{_slug(path)}-en.png"))
    for path in ("/public", "/report", "/review"):
        role = Role.VOLUNTEER if path == "/review" else None
        with _signed_in(browser, parts, base, role, phone=True) as context:
            made.append(_picture(context.new_page(), base + path, folder / f"{role or 'everyone'}-{_slug(path)}-phone.png"))
    return made


@contextmanager
def _signed_in(
    browser: Browser, parts: Parts, base: str, role: Role | None, *, lang: str = "zh-CN", phone: bool = False
) -> Iterator[BrowserContext]:
    """A browser window of a demo person with ``role`` (None: of somebody from the street)."""
    context = browser.new_context(viewport=_PHONE if phone else _DESK, locale=lang, device_scale_factor=2 if phone else 1)  # type: ignore[arg-type]
    if role is not None:
        token = secrets.token_urlsafe(32)
        with parts.store.write("screenshots.person") as tx:
            first = next(iter(cases.listing(tx, limit=1)), None)
            user = people.add(
                tx,
                f"demo-{role.value}-{token[:4].lower()}",
                name="示例人员",
                roles=[role.value],
                divisions=("44",) if role is Role.OFFICIAL else (),
                cases=(first.id,) if role is Role.FAMILY and first is not None else (),
            )
            people.start_session(tx, user.id, token, tx.now + timedelta(hours=1))
        context.add_cookies([{"name": "session", "value": token, "url": base}])
    try:
        yield context
    finally:
        context.close()


def _nav(walk: Walk) -> list[str]:
    """The role's own navigation."""
    walk.page.goto(walk.base + "/account")
    return [_path(href) for href in _links(walk.page) if _path(href)]


def _walk(walk: Walk, folder: Path) -> list[Path]:
    """Follow links until no route without a picture is found."""
    made = []
    seen: set[str] = set()
    while walk.todo:
        path = walk.todo.pop(0)
        route = next((r for r in walk.routes if r.path_regex.match(urlsplit(path).path)), None)
        if path in seen or route is None or route.path in walk.done:
            continue
        seen.add(path)
        answer = walk.page.goto(walk.base + path)
        if answer is None or not answer.ok or "html" not in answer.headers.get("content-type", ""):
            continue
        # A page that sends on to another is pictured under the other's own name.
        landed = urlsplit(walk.page.url).path
        if landed == urlsplit(path).path:
            walk.done.add(route.path)
            name = f"{walk.role}-{_slug(route.path)}.png"
            made += [_shoot(walk.page, folder / name), *_other_looks(walk, folder, name)]
        walk.todo += [landed, *(found for href in _links(walk.page) if (found := _path(href)))]
    return made


def _other_looks(walk: Walk, folder: Path, name: str) -> list[Path]:
    """The page before us in English and on a phone; it stands as before afterwards."""
    page, made = walk.page, []
    for look, lang, size in (("en", "en", _DESK), ("phone", "zh", _PHONE)):
        page.context.add_cookies([{"name": "lang", "value": lang, "url": walk.base}])
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.reload()
        made.append(_shoot(page, folder / look / name))
    page.context.clear_cookies(name="lang")
    page.set_viewport_size(_DESK)  # type: ignore[arg-type]
    page.reload()
    return made


def _links(page: Page) -> list[str]:
    found = page.eval_on_selector_all("a[href]", "links => links.map(link => link.getAttribute('href'))")
    return [str(href) for href in found]


def _path(href: str) -> str:
    """The path of a link on this console; empty for any other, and for what is no page."""
    parts = urlsplit(href)
    if parts.scheme or parts.netloc or not parts.path.startswith("/") or _NOT_PAGES.search(parts.path):
        return ""
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _slug(path: str) -> str:
    """``/cases/{ref}/edit`` as ``cases-ref-edit``; ``/`` as ``home``."""
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r":\w+", "", path.lower())).strip("-") or "home"


def _picture(page: Page, url: str, file: Path) -> Path:
    page.goto(url)
    return _shoot(page, file)


def _shoot(page: Page, file: Path) -> Path:
    """The whole page, its pictures loaded; in 256 colours, a third of the size and fit for a repository."""
    file.parent.mkdir(exist_ok=True)
    page.wait_for_load_state("networkidle")
    shot = Image.open(io.BytesIO(page.screenshot(full_page=True, animations="disabled"))).convert("RGB")
    shot.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG).save(file, "PNG", optimize=True)
    return file
