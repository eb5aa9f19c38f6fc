"""What a platform's HTTP exchange proves, whichever platform it is: was anything sent, and is the answer the API's own?"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import NewConnectionError

from store.errors import Doubtful, PlatformError, Unreachable

MAX_BODY_BYTES = 8_000_000
"""A hundred posts with everything joined stay below a tenth of this."""

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def own_base_url(value: str) -> str:
    """``value`` without a trailing slash. Raises ValueError unless it is https, or http to this machine itself."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("expected an address such as https://api.example.com, without query or user name")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("http would send the tokens readable to anyone on the way; use https")
    return value.rstrip("/")


def is_loopback(url: str) -> bool:
    """True where ``url`` stays on this machine."""
    return urlsplit(url).hostname in _LOOPBACK


def as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """An auth that adds nothing; it keeps requests from putting a ~/.netrc entry over the Authorization header."""
    return request


def json_object(response: requests.Response) -> dict[str, Any] | None:
    """The body as a JSON object; None where it is anything else, or larger or deeper than any answer can be."""
    body = json_body(response)
    return body if isinstance(body, dict) else None


def json_body(response: requests.Response) -> Any:
    """The body as JSON; None where it is none, or larger or deeper than any answer can be."""
    if len(response.content) > MAX_BODY_BYTES:
        return None
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None


def is_page(response: requests.Response) -> bool:
    """True for a web page: a login form, a captcha, a proxy's message."""
    return "html" in response.headers.get("Content-Type", "").lower() or response.content[:200].lstrip()[:1] == b"<"


def failure(what: str, error: requests.RequestException, *, writing: bool) -> PlatformError:
    """What an exchange without an answer means. Only a connection that never stood proves that nothing was published.

    Raise the result outside of the ``except`` block: ``error`` holds the request with its tokens, and must not become a context.
    """
    told = f"{what}: {type(error).__name__}"
    if _never_connected(error):
        return Unreachable(f"{told}: no connection could be made")
    if writing:
        return Doubtful(f"{told}: no answer after the message was sent; it may have been published")
    return Unreachable(f"{told}: no complete answer")


def _never_connected(error: requests.RequestException) -> bool:
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(error, requests.exceptions.SSLError):
        return bool(reason is not None and reason.args and isinstance(reason.args[0], ssl.SSLCertVerificationError))
    return isinstance(reason, NewConnectionError)


def clean(text: str, secrets: Iterable[str]) -> str:
    """``text`` cut to one line of 300 characters, without any secret that a confused server may have echoed."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())[:300]


def reset_instant(unix_seconds: str, now: datetime, max_wait_s: float) -> datetime | None:
    """A rate limit's reset as an instant between ``now`` and ``max_wait_s`` later (UTC); None where missing or unreadable."""
    if not (unix_seconds.isascii() and unix_seconds.isdigit()):
        return None
    soonest = now.astimezone(UTC)
    latest = soonest + timedelta(seconds=max_wait_s)
    seconds = min(int(unix_seconds[:12]), int(latest.timestamp()) + 1)
    return min(max(datetime.fromtimestamp(seconds, tz=UTC), soonest), latest)
