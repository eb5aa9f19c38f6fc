"""X-Forwarded-For is believed from the configured proxies alone: nobody else chooses the address they are counted by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bot.console.server import ConsoleServer
from bot.settings import load_settings
from store.errors import SettingsError


async def _who(request: Request) -> PlainTextResponse:
    """What the public form's limits count by (bot/console/intake.py)."""
    return PlainTextResponse(f"{request.client.host if request.client else ''} {request.url.scheme}")


def seen(proxies: Sequence[str], forwarded: str) -> str:
    """The address and scheme that a page sees of a request from this machine with this X-Forwarded-For, said to be https."""
    with ConsoleServer(Starlette(routes=[Route("/", _who)]), "127.0.0.1", 0, proxies=proxies) as server:
        headers = {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"}
        return requests.get(server.url, headers=headers, timeout=10).text


@pytest.mark.parametrize("proxies", [("127.0.0.1",), ("127.0.0.0/8", "10.0.0.2")])
def test_a_configured_proxy_says_who_asks(proxies: Sequence[str]) -> None:
    """Behind the proxy each visitor is counted by their own address, and the page knows that they came over https."""
    assert seen(proxies, "203.0.113.7") == "203.0.113.7 https"


def test_what_a_visitor_put_into_the_header_is_passed_over() -> None:
    """The proxy appends the address it saw; what stands before it came from the visitor."""
    assert seen(("127.0.0.1",), "198.51.100.1, 203.0.113.7") == "203.0.113.7 https"
    assert seen(("127.0.0.1", "10.0.0.2"), "198.51.100.1, 203.0.113.7, 10.0.0.2") == "203.0.113.7 https"


@pytest.mark.parametrize("proxies", [(), ("10.0.0.2",), ("192.0.2.0/24", "::1")])
def test_anybody_else_is_counted_by_the_address_they_come_from(proxies: Sequence[str]) -> None:
    """A visitor who sends the header to a console that does not know them as its proxy changes nothing by it."""
    assert seen(proxies, "203.0.113.7") == "127.0.0.1 http"


@pytest.mark.parametrize(
    ("proxies", "words"), [('["*"]', "no address or network"), ("[0.0.0.0/0]", "everybody"), ('["::/0"]', "everybody")]
)
def test_nobody_can_be_told_to_believe_everybody(tmp_path: Path, proxies: str, words: str) -> None:
    """A setting that believes every sender is refused with its path."""
    path = tmp_path / "config.yaml"
    path.write_text(f"console: {{proxies: {proxies}}}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=f"console.proxies.*{words}"):
        load_settings(path, environ={})


def test_this_machines_proxy_is_believed_unless_another_is_named(tmp_path: Path) -> None:
    """The default serves a proxy beside the console; naming one replaces it."""
    path = tmp_path / "config.yaml"
    path.write_text("{}\n", encoding="utf-8")
    assert load_settings(path, environ={}).settings.console.proxies == ("127.0.0.1", "::1")
    path.write_text("console: {proxies: [10.0.0.2]}\n", encoding="utf-8")
    assert load_settings(path, environ={}).settings.console.proxies == ("10.0.0.2",)
