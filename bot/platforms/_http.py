"""What a platform's HTTP exchange proves, whichever platform it is: was anything sent, and is the answer the API's own?"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
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
    """The body as a JSON object; None where it is anything else."""
    body = json_body(response)
    return body if isinstance(body, dict) else None


def json_body(response: requests.Response) -> Any:
    """The body as JSON; None where it is none, or nested deeper than any answer is.

    Text comes without NUL and lone surrogates (``"\\ud83d"``, a halved emoji): JSON knows both, databases and UTF-8 do not.
    """
    try:
        body = response.json()
        return _storable(body) if _ESCAPES.search(response.content) else body
    except (ValueError, RecursionError):
        return None


_ESCAPES = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_storable(k): _storable(v) for k, v in value.items()}
    return [_storable(v) for v in value] if isinstance(value, list) else value


def is_page(response: requests.Response) -> bool:
    """True for a web page (a login form, a captcha, a proxy's message), whatever type it claims."""
    return response.content[:1000].lstrip()[:1] == b"<"


class BoundedAdapter(HTTPAdapter):
    """Reads an answer's body within ``body_s`` seconds and :data:`MAX_BODY_BYTES`; requests bounds neither (its time-out is
    between two bytes). Beyond that the answer counts as not complete.
    """

    def __init__(self, body_s: float) -> None:
        super().__init__(max_retries=0)
        self._body_s = body_s

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """As in requests; the body is read later, through :class:`_BoundedBody`."""
        response = super().send(request, *args, **kwargs)
        response.raw = _BoundedBody(response.raw, time.monotonic() + self._body_s)
        return response


class _BoundedBody:
    """urllib3's answer, read as it arrives (read1) instead of in full blocks, which a slow sender could draw out for ever."""

    def __init__(self, raw: Any, deadline: float) -> None:
        self._raw, self._deadline = raw, deadline

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, amt: int, decode_content: bool | None = None) -> Iterator[bytes]:
        """The body, piece by piece. Raises ReadTimeout beyond either bound."""
        size = 0
        while piece := self._raw.read1(amt, decode_content=decode_content):
            size += len(piece)
            if size > MAX_BODY_BYTES or time.monotonic() > self._deadline:
                self._raw.close()
                raise requests.exceptions.ReadTimeout("the answer did not end")
            yield piece


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


def retry_after(header: str, now: datetime) -> datetime | None:
    """``Retry-After`` (RFC 9110, 10.2.3: seconds or a date) as an instant (UTC); None where missing or unreadable."""
    try:
        if header.isascii() and header.isdigit():
            return now.astimezone(UTC) + timedelta(seconds=int(header[:9]))
        return parsedate_to_datetime(header).astimezone(UTC) if header else None
    except (ValueError, OverflowError):
        return None
