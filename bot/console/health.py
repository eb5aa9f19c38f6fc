"""Health over HTTP, for this machine alone, and the alarm to the operator: by webhook, by mail, or both."""

from __future__ import annotations

import json
import smtplib
import threading
from collections.abc import Callable
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import requests

from bot.log import get
from bot.sections import MailSettings
from store.errors import SettingsError, StoreError

WEBHOOK = "SUISHOUPAI_ALARM_WEBHOOK"
SMTP_PASSWORD = "SUISHOUPAI_SMTP_PASSWORD"
_TIMEOUT_S = 10.0

log = get("health")


class HealthServer:
    """Serves ``/healthz`` (200, or 503 with the findings) and ``/metrics`` on 127.0.0.1 within the ``with`` block.

    ``health`` returns (well, sentences), ``metrics`` Prometheus' text; both are asked for each request.

    Raises:
        SettingsError: the port is taken.
    """

    def __init__(self, port: int, health: Callable[[], tuple[bool, list[str]]], metrics: Callable[[], str]) -> None:
        class Handler(BaseHTTPRequestHandler):
            timeout = _TIMEOUT_S

            def do_GET(self) -> None:
                try:
                    status, kind, body = _answer(self.path, health, metrics)
                except StoreError as error:
                    status, kind, body = 503, "application/json", json.dumps({"well": False, "findings": [str(error)]})
                self.send_response(status)
                self.send_header("Content-Type", kind)
                data = body.encode()
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                """Requests are not logged."""

        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except OSError as error:
            raise SettingsError(f"health.port {port}: {error.strerror}", mend="choose another health.port") from error
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


def _answer(path: str, health: Callable[[], tuple[bool, list[str]]], metrics: Callable[[], str]) -> tuple[int, str, str]:
    if path == "/metrics":
        return 200, "text/plain; version=0.0.4; charset=utf-8", metrics()
    if path == "/healthz":
        well, findings = health()
        return 200 if well else 503, "application/json", json.dumps({"well": well, "findings": findings}, ensure_ascii=False)
    return 404, "text/plain; charset=utf-8", "there is /healthz and /metrics\n"


def tell(lines: list[str], *, webhook: str, mail: MailSettings, password: str) -> bool:
    """Tell the operator. True where one way at least took it; each that fails is logged and does not stop the other."""
    text = "suishoupai: " + "; ".join(lines)
    return any([_post(webhook, text), _send(mail, password, text)])


def _post(webhook: str, text: str) -> bool:
    if not webhook:
        return False
    try:
        answer = requests.post(webhook, json={"text": text}, timeout=_TIMEOUT_S, allow_redirects=False)
    except requests.RequestException as error:
        log.error("the alarm's webhook does not answer", error=type(error).__name__)  # its address is a secret
        return False
    if not answer.ok:
        log.error("the alarm's webhook refused", status=answer.status_code)
    return answer.ok


def _send(mail: MailSettings, password: str, text: str) -> bool:
    if not mail.host or not mail.to:
        return False
    message = EmailMessage()
    message["Subject"] = "suishoupai needs a person"
    message["From"] = mail.sender
    message["To"] = ", ".join(mail.to)
    message.set_content(text)
    try:
        with smtplib.SMTP(mail.host, mail.port, timeout=_TIMEOUT_S) as smtp:
            if mail.starttls:
                smtp.starttls()
            if mail.user:
                smtp.login(mail.user, password)
            smtp.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        log.error("the alarm's mail was not taken", error=type(error).__name__)
        return False
    return True
