"""The public form in a real browser: the proof of work is found, a photo goes in, the receipt comes."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from PIL import Image

from bot.console.app import create_app
from bot.console.parts import Parts
from bot.console.server import ConsoleServer

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright's Python package is not installed")
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="no Chromium here: apt-get install chromium fonts-noto-cjk"),
]


@pytest.fixture
def console_settings() -> str:
    return (
        "console: {insecure_cookies: true}\nphotos: {max_bytes: 200000}\n"
        "platforms:\n  intake: {enabled: true, proof_bits: 12, without_script_per_hour: 0}\n"
    )


def test_a_photo_is_sent_with_script_and_a_large_one_is_told_at_once(parts: Parts, tmp_path: Path, chromium) -> None:
    """With no quota for script-less browsers only a right proof lets a submission in: the page finds it by itself. A photo over
    the limit is named before anything is sent, and the page breaks none of its own rules."""
    small, large = tmp_path / "small.jpg", tmp_path / "large.jpg"
    out = io.BytesIO()
    Image.radial_gradient("L").save(out, "JPEG")
    small.write_bytes(out.getvalue())
    large.write_bytes(out.getvalue() + b"\0" * 300_000)
    complaints: list[str] = []
    with ConsoleServer(create_app(parts), "127.0.0.1", 0) as server:
        page = chromium.new_page(locale="en-GB", viewport={"width": 390, "height": 844})
        page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.set_default_timeout(15_000)
        page.goto(f"{server.url}/report")
        page.set_input_files("#photos", str(large))
        page.wait_for_selector("#too-large:not([hidden])")
        page.click("#send")
        assert page.url.endswith("/report")
        page.set_input_files("#photos", str(small))
        page.fill("#place", "深圳市罗湖区火车站")
        page.click("#send")
        page.wait_for_url("**/report/*")
        assert page.inner_text("h1") == "Your receipt"
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.close()
    assert complaints == []
