"""One call to Weibo: what goes over the wire, and over which connection."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bot.platforms._weibo_http import Caller, ErrorBody
from bot.platforms.weibo import Settings, build
from store.errors import BadResponse, Doubtful, Unreachable

Seen = list[tuple[str, dict[str, str], str]]
"""First line, headers and body of each request."""
Dropping = tuple[str, Seen]
NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)


class OneAnswerAConnection(BaseHTTPRequestHandler):
    """Offers to keep each connection, and drops it at its second request, as a server does whose keep-alive just ran out."""

    protocol_version = "HTTP/1.1"
    seen: Seen

    def handle(self) -> None:
        """Count the requests of this connection."""
        self.answered = 0
        super().handle()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.seen.append((f"{self.command} {self.path}", dict(self.headers), body))
        if self.answered:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.answered += 1
        data = json.dumps({"id": 1}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Tests stay quiet."""


@pytest.fixture
def dropping() -> Iterator[Dropping]:
    """The server's address and the requests it saw."""
    seen: Seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (OneAnswerAConnection,), {"seen": seen}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", seen
    server.shutdown()
    server.server_close()
    thread.join(5)


def caller(token_as: str = "header") -> Caller:
    """A caller to this machine."""
    return Caller("a-token", token_as, "http://127.0.0.1", 10, lambda: NOW)


def test_a_write_goes_over_a_connection_of_its_own(dropping: Dropping) -> None:
    """A kept connection that the server lets go would make an answer doubtful for nothing; reading is just tried again."""
    url, seen = dropping
    weibo = caller()
    weibo.get(url, {})
    assert weibo.write(url, {"comment": "收到"}) == {"id": 1}
    with pytest.raises(Unreachable):
        weibo.get(url, {})
    assert [line.split()[0] for line, _, _ in seen] == ["GET", "POST", "GET"]


def test_the_form_and_the_header_are_as_documented(dropping: Dropping) -> None:
    """Texts go urlencoded as UTF-8; the token stands in the header alone, or in the parameters alone."""
    url, seen = dropping
    caller().write(url, {"comment": "收到 & 谢谢"})
    caller("parameter").write(url, {"comment": "收到"})
    (_, with_header, form), (_, without, other) = seen
    assert with_header["Authorization"] == "OAuth2 a-token"
    assert with_header["Content-Type"] == "application/x-www-form-urlencoded"
    assert form == "comment=%E6%94%B6%E5%88%B0+%26+%E8%B0%A2%E8%B0%A2"
    assert "Authorization" not in without
    assert other.endswith("&access_token=a-token")


def test_the_token_in_an_address_does_not_reach_the_log(dropping: Dropping, caplog: pytest.LogCaptureFixture) -> None:
    """urllib3 writes whole addresses at DEBUG; an operator who turns that on must not find the token in the log."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="urllib3")
    url, seen = dropping
    settings = Settings.model_validate({"base_url": url, "token_in": "parameter", "ask_rate_limit": False})
    weibo = build(settings, {"WEIBO_ACCESS_TOKEN": "a-token"}, lambda: NOW)
    with pytest.raises(BadResponse):
        weibo.look_up(["1"])
    assert "access_token=a-token" in seen[0][0]
    assert "a-token" not in caplog.text


def test_a_netrc_entry_does_not_replace_the_token(
    dropping: Dropping, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """requests puts a ~/.netrc entry for the host over a plain Authorization header; an operator's file must not."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    url, seen = dropping
    caller().get(url, {})
    caller("parameter").get(url, {})
    assert [headers.get("Authorization") for _, headers, _ in seen] == ["OAuth2 a-token", None]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": "repeat content!", "error_code": 20019, "request": "/2/x"}, "20019"),
        ({"error": "repeat content!", "error_code": "20019"}, "20019"),
        ({"error_code": 10001}, "10001"),
        ({"error": "no code"}, None),
        ({"statuses": []}, None),
        ([], None),
        (None, None),
    ],
)
def test_error_codes_come_as_numbers_and_as_text(body: object, code: str | None) -> None:
    """The documentation shows text, the wire numbers."""
    found = ErrorBody.of(body)
    assert (found.code if found else None) == code


def test_a_request_that_left_is_doubtful() -> None:
    """The very same failure means Unreachable in reading and Doubtful in writing."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    impatient = Caller("a-token", "header", "http://127.0.0.1", 0.2, lambda: NOW)
    with listener:
        with pytest.raises(Doubtful):
            impatient.write(url, {})
        with pytest.raises(Unreachable):
            impatient.get(url, {})
