"""The local microblog's page in a real browser (Debian's Chromium through Playwright)."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from bot.microblog.model import Role
from bot.microblog.server import Microblog, Side

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright's Python package is not installed")

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
# Without --no-sandbox Chromium does not start as root; the rest keeps it from calling home.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="no Chromium here: apt-get install chromium fonts-noto-cjk"),
]


@pytest.fixture
def browser(chromium: sync_api.Browser) -> sync_api.Browser:
    """A headless Chromium."""
    return chromium


@pytest.fixture
def mb() -> Iterator[Microblog]:
    """A running microblog with one official."""
    with Microblog() as running:
        running.world.add_account("pa", Role.OFFICIAL, "平安测试", "ping_an", verified_type=1)
        yield running


@pytest.fixture
def page(browser: sync_api.Browser, mb: Microblog) -> Iterator[sync_api.Page]:
    """A tab that fails the test if the page logs an error or leaves this machine. Closed before the microblog ends: the page
    asks it for news every two seconds and would complain."""
    tab = browser.new_page(viewport={"width": 1180, "height": 900})
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda r: None if r.url.startswith(("http://127.0.0.1:", "blob:")) else complaints.append(r.url))
    tab.set_default_timeout(15_000)
    yield tab
    tab.close()
    # A refused form is a 400, which Chromium logs; that is meant.
    assert [text for text in complaints if "status of 400" not in text] == []


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A drawn picture with a camera record."""
    picture = Image.new("RGB", (640, 480), "#2b6e63")
    ImageDraw.Draw(picture).ellipse((170, 90, 470, 390), fill="#e9c46a")
    record = Image.Exif()
    record[0x0110] = "SECRETCAM"
    path = tmp_path / "photo.jpg"
    picture.save(path, "JPEG", exif=record)
    return path


def test_a_photo_posted_by_hand_stands_in_the_timeline(page: sync_api.Page, mb: Microblog, photo: Path) -> None:
    """Topic and mention come at a click, the photo shows before and after, and its record is gone."""
    page.goto(mb.url)
    page.get_by_role("button", name="话题").click()
    page.get_by_role("button", name="随手拍助手").click()
    page.locator("#text").press_sequentially("出站口有个孩子")
    page.locator("input[name=photos]").set_input_files(photo)
    page.locator("#preview img").wait_for()
    page.locator("input[name=place]").fill("哈尔滨站")
    page.get_by_role("button", name="发布").click()
    page.wait_for_url("**/#p*")
    entry = mb.world.timeline()[0]
    post = page.locator(f"#p{entry.id}")
    assert entry.text == "#随手拍照解救乞讨儿童# @随手拍助手 出站口有个孩子"
    assert "哈尔滨站" in post.inner_text()
    assert post.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    kept = mb.world.photos[entry.photos[0]]
    assert b"SECRETCAM" not in kept.data
    with Image.open(io.BytesIO(kept.data)) as picture:
        assert picture.size == (640, 480)


def test_answers_and_mentions_arrive_by_themselves(page: sync_api.Page, mb: Microblog, photo: Path) -> None:
    """Without a reload the answer appears under its post and the mention in the inbox; the picture is not loaded again."""
    entry = mb.world.add_post(Side.WEIBO, "passerby", "@随手拍助手 看", photos=[photo.read_bytes()])
    older = mb.world.add_post(Side.X, "passerby", "older", photos=[photo.read_bytes()])
    page.goto(mb.url)
    page.locator(f"#p{older.id} img").evaluate("image => { image.seenBefore = true }")
    page.locator("#text").fill("half a sentence")
    mb.world.comment(entry.id, "bot", "收到，编号 S-4F7K")
    mb.world.comment(entry.id, "bot", "@平安测试 收到一条线索，请核实 S-4F7K")
    answers = page.locator(f"#p{entry.id} .by-bot")
    answers.nth(1).wait_for()
    assert "S-4F7K" in answers.nth(0).inner_text()
    inbox = page.locator("#inbox article")
    assert "请核实" in inbox.inner_text()
    assert inbox.locator(".number").inner_text() == "1"
    assert page.locator(f"#p{older.id} img").evaluate("image => image.seenBefore") is True
    assert page.locator("#text").input_value() == "half a sentence"
    inbox.get_by_role("link").click()
    assert page.locator(":target").count() == 1


def test_a_refused_post_keeps_what_was_written(page: sync_api.Page, mb: Microblog, tmp_path: Path) -> None:
    """A file that is no picture brings the form back with its text and the reason."""
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a picture")
    page.goto(mb.url)
    page.locator("#text").fill("看到一个孩子")
    page.locator("input[name=photos]").set_input_files(broken)
    page.get_by_role("button", name="发布").click()
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "not a picture" in alert.inner_text()
    assert page.locator("#text").input_value() == "看到一个孩子"
    assert mb.world.timeline() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(browser: sync_api.Browser, mb: Microblog, photo: Path, scheme: str) -> None:
    """On a narrow screen nothing sticks out sideways, and both sides can be chosen by thumb."""
    text = "长" * 60 + "https://example.com/" + "x" * 90
    entry = mb.world.add_post(Side.WEIBO, "passerby", text, photos=[photo.read_bytes()] * 9)
    mb.world.comment(entry.id, "bot", "收到，编号 S-4F7K")
    phone = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, color_scheme=scheme)  # type: ignore[arg-type]
    tab = phone.new_page()
    tab.goto(mb.url)
    assert tab.evaluate("document.documentElement.scrollWidth") == 360
    tab.locator(".sides label").nth(1).tap()
    assert tab.locator("#count").inner_text() == "0 / 280"
    phone.close()
