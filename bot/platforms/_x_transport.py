"""Carries tweepy's requests to X and turns everything but a readable success into the project's errors.

tweepy builds and signs each request. It fixes the host, sets no time-out, follows redirects, retries a 429 without a reset header
977 times in 1.2 s (measured, 4.17) and fails with TypeError or ValueError on error bodies of another shape than it expects. So a
session of our own stands under it: it addresses the configured host *before* the request is signed (OAuth 1.0a signs the URL,
RFC 5849 section 3.4.1.2), sets the time-out, and hands up 2xx answers with a JSON object alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import requests

from bot.platforms._http import BoundedAdapter, as_it_is, clean, failure, is_loopback, is_page, json_object, reset_instant
from store.errors import (
    AlreadySaid,
    BadResponse,
    Blocked,
    Doubtful,
    PlatformError,
    RateLimited,
    Refused,
    TargetGone,
    Unauthorised,
)
from store.model import Clock

MAX_WAIT_S = 901
"""X's windows last 15 minutes; a reset that lies further away is a mistake (the cap is twarc's)."""

_TOKENS = "Check the X_… variables in the environment, and the app's permissions (Read and write) in X's developer console."
_CREDITS = "Buy credits or raise the spending limit in X's developer console; the bot goes on by itself afterwards."
_BLOCKED = "A proxy, a portal or a block stands between: open base_url in a browser."
_DUPLICATE = "duplicate content"
_NOT_SUMMONED = "have not been mentioned or otherwise engaged"
_GONE = ("deleted or not visible", "tweet that is deleted", "post that is deleted")
_APP_WIDE = (
    "oauth1-permissions",
    "client-forbidden",
    "unsupported-authentication",
    "your account is suspended",
    "account is temporarily locked",
)


class Session(requests.Session):
    """The session :class:`tweepy.Client` sends through; ``request`` raises the errors of :class:`bot.platforms.base.Platform`."""

    def __init__(self, base_url: str, timeout_s: float, clock: Clock, secrets: Sequence[str]) -> None:
        super().__init__()
        self._base_url, self._timeout_s, self._clock, self._hidden = base_url, timeout_s, clock, secrets
        self.mount("https://", BoundedAdapter(3 * timeout_s))
        self.mount("http://", BoundedAdapter(3 * timeout_s))
        # A poll comes every few minutes: a kept connection would be dead by then, and a write on it doubtful for nothing.
        self.headers["Connection"] = "close"
        self.trust_env = not is_loopback(base_url)  # no proxy stands between this machine and itself

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """Send one request and return its answer if it is a 2xx with a JSON object."""
        path = urlsplit(str(url)).path
        writing = method != "GET"
        kwargs |= {"timeout": self._timeout_s, "allow_redirects": False, "auth": kwargs.get("auth") or as_it_is}
        what = f"X {method!s} {path}"
        try:
            response = super().request(method, self._base_url + path, *args, **kwargs)
        except requests.RequestException as error:
            problem: PlatformError | None = failure(what, error, writing=writing)
        else:
            answer = _Answer.of(response, self._hidden)
            if writing:
                problem = _write_error(what, answer, self._clock(), replying="reply" in (kwargs.get("json") or {}))
            else:
                problem = _read_error(what, answer, self._clock())
        if problem is not None:
            raise problem
        return response


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer's status and what it says, from RFC 9457 problem documents as from X's older ``errors`` lists.

    ``kind`` is the last word of the problem's ``type`` address, by which X's document tells problems apart.
    """

    status: int
    readable: bool
    page: bool
    kind: str
    detail: str
    reset: str

    @classmethod
    def of(cls, response: requests.Response, hidden: Sequence[str]) -> _Answer:
        body = json_object(response)
        told = body or {}
        listed = told.get("errors")
        first = next((e for e in listed if isinstance(e, dict)), {}) if isinstance(listed, list) else {}
        parts = (told.get("title"), told.get("detail"), first.get("message"), first.get("detail"), told.get("error"))
        return cls(
            status=response.status_code,
            readable=body is not None,
            page=body is None and is_page(response),
            kind=clean(str(told.get("type") or "").removeprefix("about:blank").rstrip("/").rsplit("/", 1)[-1], hidden),
            detail=clean("; ".join(dict.fromkeys(p for p in parts if isinstance(p, str) and p)), hidden),
            reset=response.headers.get("x-rate-limit-reset", ""),
        )

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300 and self.readable

    def __str__(self) -> str:
        return f"HTTP {self.status}, {self.detail or ('a web page' if self.page else 'no explanation')}"

    def says(self, *words: str) -> bool:
        told = f"{self.kind} {self.detail}".lower()
        return any(word in told for word in words)


def _read_error(what: str, answer: _Answer, now: datetime) -> PlatformError | None:
    """What a reading call's answer means; None for a readable success."""
    if answer.ok:
        return None
    told = f"{what}: {answer}"
    if common := _common_error(told, answer, now):
        return common
    if answer.status >= 500:
        return BadResponse(f"{told} (X has a problem of its own)")
    if answer.page or 300 <= answer.status < 400:
        return Blocked(f"{told} (not X's API)", mend=_BLOCKED)
    if answer.status in (401, 403):
        return Unauthorised(told, mend=_TOKENS)
    return BadResponse(told)


def _write_error(what: str, answer: _Answer, now: datetime, *, replying: bool) -> PlatformError | None:
    """What a writing call's answer means. Only a 4xx says that the message was not taken."""
    if answer.ok:
        return None
    told = f"{what}: {answer}"
    if not 400 <= answer.status < 500 or answer.status == 408:
        return Doubtful(f"{told} (it may have been published)")
    if common := _common_error(told, answer, now):
        return common
    if answer.page:
        return Blocked(f"{told} (not X's API)", mend=_BLOCKED)
    if answer.says(_DUPLICATE):
        return AlreadySaid(told)
    if answer.says(_NOT_SUMMONED):
        return Refused(told, code="not_summoned", mend="X lets this app answer only those who mention or quote the bot.")
    if answer.status == 401 or answer.says(*_APP_WIDE):
        return Unauthorised(told, mend=_TOKENS)
    if replying and (answer.status == 404 or answer.says(*_GONE)):
        return TargetGone(told)
    return Refused(told, code=answer.kind or str(answer.status))


def _common_error(told: str, answer: _Answer, now: datetime) -> PlatformError | None:
    """Errors that mean the same for reading and writing: X certainly did nothing."""
    if answer.status == 429 or answer.says("usage-capped"):
        return RateLimited(told, until=reset_instant(answer.reset, now, MAX_WAIT_S))
    if answer.status == 402:
        return Unauthorised(f"{told} (credits depleted)", mend=_CREDITS)
    return None
