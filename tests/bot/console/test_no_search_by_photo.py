"""Nobody can search by photo: a registrant who has a stranger's picture learns nothing from giving it to the console."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.routing import Route

import bot
from bot.console.app import create_app
from bot.console.parts import Parts, Role
from bot.faces import FaceBook, Late, Pack
from matcher.calibrate import BandTargets
from matcher.engines.base import Engine
from store import cases
from store.cases import CaseFields
from store.errors import EngineError

BOT = Path(bot.__file__).parent
SEARCHES = {"faces.py", "steps/match.py", "steps/tracks.py"}
"""Who may ask the gallery which case a face looks like: the pipeline alone."""
MEASURES = ("bench/", "commands/evaluate_faces.py")
"""Measurements on galleries of their own."""
ORIGIN = {"origin": "http://127.0.0.1"}
FILES = ("file", "photo", "photos", "image")


@dataclass
class Register:
    """Two verified cases, the console over them, and what was asked of its face engine and gallery."""

    parts: Parts
    mine: cases.Case
    theirs: cases.Case
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def register(parts, monkeypatch) -> Register:
    """A console with a face engine and a gallery, which note that they were asked."""
    asked: list[str] = []

    def opened() -> Engine:
        asked.append("engine")
        raise EngineError("this engine only notes that it was asked")

    book = FaceBook(Late(Pack("noting", "0" * 64), opened), BandTargets(10_000, 20, 2_000), 20)
    monkeypatch.setattr(FaceBook, "search", lambda *a, **k: asked.append("search"))
    found = []
    with parts.store.write() as tx:
        for name in ("Kim Example", "Lee Example"):
            case = cases.add(tx, CaseFields(name, police_report_number="T-1"), "clerk")
            found.append(cases.verify(tx, case.ref, by="second person", report_number="T-1"))
    return Register(replace(parts, faces=book), *found, asked=asked)


@pytest.fixture
def app(register) -> Starlette:
    return create_app(register.parts)


@pytest.fixture
def photo() -> bytes:
    """A picture as the forms take it; whose face is on it makes no difference to who is asked."""
    out = io.BytesIO()
    Image.new("RGB", (400, 400), "sienna").save(out, "JPEG")
    return out.getvalue()


def forms(app: Starlette, ref: str, under: str = "/") -> Iterator[str]:
    """The address of every form, but the one that ends the session."""
    for route in app.routes:
        if not isinstance(route, Route) or "POST" not in (route.methods or ()):
            continue
        if route.path.startswith(under) and route.path != "/signout":
            yield re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: ref if found[1] == "ref" else "1", route.path)


@pytest.mark.parametrize("role", [Role.FAMILY, Role.VOLUNTEER, Role.OFFICIAL])
def test_no_page_takes_a_photo_and_says_who_it_is(app, register, as_role, photo, role) -> None:
    """Every form of every page, with a photo under every name that forms use for files: neither the engine nor the gallery is
    asked, and no case but the family's own is named."""
    browser = as_role(role, divisions=("440000",), cases=(register.mine.id,))
    files = [(name, ("child.jpg", photo, "image/jpeg")) for name in FILES]
    given = {"csrf": browser.csrf(), "name": "x", "note": "x", "place": "x", "seen": ""}
    sent = 0
    for path in forms(app, register.mine.ref):
        answer = browser.client.post(path, data=given, files=files, headers=ORIGIN)
        assert answer.status_code < 500, (path, answer.status_code)
        assert register.theirs.ref not in answer.text, path
        assert register.theirs.fields.name not in answer.text, path
        sent += 1
    assert sent > 12
    assert register.asked == []


def test_a_family_registers_nothing_and_adds_no_photo_itself(app, register, as_role, photo) -> None:
    """The forms that take cases and their photos are for colleagues: a family's sign-in is turned away at each."""
    browser = as_role(Role.FAMILY, cases=(register.mine.id,))
    refused = 0
    for path in forms(app, register.mine.ref, under="/cases"):
        files = [("photos", ("child.jpg", photo, "image/jpeg"))]
        answer = browser.client.post(path, data={"csrf": browser.csrf()}, files=files, headers=ORIGIN)
        assert answer.status_code == 403, path
        refused += 1
    assert refused > 3
    assert register.asked == []


def test_the_engine_notes_that_it_is_asked(app, register, as_role, photo) -> None:
    """A colleague who may register a case does ask the engine: the tests above look at something that can happen."""
    browser = as_role(Role.LEAD_REVIEWER, Role.OPERATOR)
    data = {"csrf": browser.csrf(), "name": "Kim Example"}
    browser.client.post("/cases/new", data=data, files=[("photos", ("c.jpg", photo, "image/jpeg"))], headers=ORIGIN)
    assert register.asked == ["engine"]


def test_only_the_pipeline_asks_the_gallery() -> None:
    """No page and no command calls the search, directly or by importing what searches."""
    found = set()
    for path in sorted(BOT.rglob("*.py")):
        name = path.relative_to(BOT).as_posix()
        if name.startswith(MEASURES):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            imports = isinstance(node, ast.ImportFrom) and node.module == "matcher.compare"
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "search"
            receiver = ast.unparse(node.func.value) if called else ""  # type: ignore[attr-defined]
            by_book = receiver.endswith(("faces", "book", "gallery", "_index"))
            names = {alias.name for alias in node.names} if imports else set()  # type: ignore[attr-defined]
            if by_book or "search" in names:
                found.add(name)
    assert found == SEARCHES
