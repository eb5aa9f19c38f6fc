"""One call to a Mastodon server, and what its answer means. Limits: https://docs.joinmastodon.org/api/rate-limits/"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from bot.platforms._http import BoundedAdapter, as_it_is, clean, failure, is_loopback, is_page, json_body, retry_after
from bot.platforms._json import instant, string
from store.errors import BadResponse, Blocked, Doubtful, PlatformError, RateLimited, Refused, Unauthorised
from store.model import Clock

_MAX_WAIT_S = 3 * 3600
_TOKEN = "Check MASTODON_ACCESS_TOKEN and its scopes (read, write:statuses) in the account's preferences."
_BLOCKED = "A proxy, a portal or a block stands between: open base_url in a browser."


class NotThere(PlatformError):
    """404: the thing asked for does not exist, or is hidden from the bot. The adapter says which outcome that is."""


class Caller:
    """Sends single requests with the bot's token."""

    def __init__(self, base_url: str, token: str, timeout_s: float, clock: Clock) -> None:
        self._base_url, self._token, self._timeout_s, self._clock = base_url, token, timeout_s, clock
        self._session = requests.Session()
        self._session.mount("https://", BoundedAdapter(3 * timeout_s))
        self._session.mount("http://", BoundedAdapter(3 * timeout_s))
        # A kept connection would be dead at the next poll, and a write on it doubtful for nothing.
        self._session.headers.update({"Authorization": f"Bearer {token}", "Accept": "application/json", "Connection": "close"})
        self._session.auth = as_it_is
        self._session.trust_env = not is_loopback(base_url)

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> requests.Response:
        """Read ``path``: an answer with JSON.

        Raises:
            NotThere, RateLimited, Unauthorised, Blocked, BadResponse, Unreachable.
        """
        return self._call("GET", path, writing=False, params=params)

    def post(self, path: str, form: Mapping[str, str], headers: Mapping[str, str]) -> requests.Response:
        """Publish with one request.

        Raises:
            Doubtful, NotThere, RateLimited, Unauthorised, Blocked, Refused, Unreachable.
        """
        return self._call("POST", path, writing=True, data=form, headers=headers)

    def _call(self, method: str, path: str, *, writing: bool, **kwargs: Any) -> requests.Response:
        what = f"Mastodon {method} {path}"
        try:
            response = self._session.request(
                method, self._base_url + path, timeout=self._timeout_s, allow_redirects=False, **kwargs
            )
        except requests.RequestException as error:
            problem: PlatformError | None = failure(what, error, writing=writing)
        else:
            problem = self._problem(what, response, writing)
        if problem is not None:
            raise problem
        return response

    def _problem(self, what: str, response: requests.Response, writing: bool) -> PlatformError | None:
        """What an answer means; None for a 2xx with JSON."""
        body, status = json_body(response), response.status_code
        if 200 <= status < 300 and isinstance(body, dict | list):
            return None
        said = clean(string(body.get("error")), [self._token]) if isinstance(body, dict) else ""
        told = f"{what}: HTTP {status}, {said or 'no explanation'}"
        if status == 429:
            return RateLimited(told, until=self._reset(response))
        if writing and (status < 400 or status >= 500 or status == 408):
            return Doubtful(f"{told} (it may have been published)")
        if status >= 500:
            return BadResponse(f"{told} (the server has a problem of its own)")
        if is_page(response) or 300 <= status < 400:
            return Blocked(f"{told} (not Mastodon's API)", mend=_BLOCKED)
        if status in (401, 402) or (status == 403 and (not writing or "scope" in said)):
            return Unauthorised(told, mend=_TOKEN)
        if status == 404 and isinstance(body, dict):
            return NotThere(told)
        return Refused(told, code=str(status)) if writing else BadResponse(told)

    def _reset(self, response: requests.Response) -> datetime | None:
        """The limit's end, in three hours at most: ``X-RateLimit-Reset``, an instant, or a ``Retry-After``."""
        now = self._clock().astimezone(UTC)
        at = instant(response.headers.get("X-RateLimit-Reset")) or retry_after(response.headers.get("Retry-After", ""), now)
        return None if at is None else min(max(at, now), now + timedelta(seconds=_MAX_WAIT_S))
