"""One call to Weibo's API: sends it once, and turns whatever comes back into JSON or into one of the project's errors.

No error text, cause or context ever holds the token: library exceptions carry addresses and headers, so they are translated
outside of the ``except`` block that caught them. Error codes: https://open.weibo.com/wiki/Error_code
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from requests.auth import AuthBase

from bot.platforms._http import BoundedAdapter, as_it_is, clean, failure, is_loopback, is_page, json_body
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

LIMITS = frozenset({"10022", "10023", "10024", "20016"})
PERMISSION = frozenset({"10014", "10005", "21321", "21335"})
TOKEN = frozenset({"10006", "21301", "21314", "21315", "21316", "21317", "21319", "21327", "21332"})
PLATFORM_FAILED = frozenset({"10001", "10002", "10003", "10009", "10010", "10011"})
CAPTCHA = "20031"
DELAYED = "20032"
REPEATED = "20019"
NO_SUCH_USER = "20003"
WINDOW_ENDS = "21411"
GONE = frozenset({"20101", "20201"})

_MENDS = {
    "10014": "This call needs a permission the app does not have: apply for it on open.weibo.com, or choose another tier's path.",
    "10017": "The text needs a link in the app's bound domain: see platforms.weibo.bound_domain.",
    "20012": "Shorten the template.",
    "20016": "Weibo limits posts to 30 an hour: lower the caps of alerts.",
    "20017": "Weibo found it too similar to an earlier text: vary the template.",
    "21321": "The app is not audited yet: add the account as a test user, or have the app audited.",
    CAPTCHA: "Weibo asks for a captcha: sign in to the bot's account by hand and pace the bot.",
}
_NEW_TOKEN = "Authorise the app anew and put the token into WEIBO_ACCESS_TOKEN."


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """``{"error", "error_code", "request"}``; the code as text, for it comes as a number and as a string."""

    code: str
    message: str

    @classmethod
    def of(cls, body: Any) -> ErrorBody | None:
        """The error in ``body``, None where it holds none."""
        if not isinstance(body, Mapping) or "error_code" not in body:
            return None
        return cls(str(body["error_code"]).strip(), str(body.get("error", "")))


class TokenAuth(AuthBase):
    """``Authorization: OAuth2 <token>``, as an auth, which ~/.netrc does not overwrite as it does a plain header."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"OAuth2 {self._token}"
        return request


class Caller:
    """Sends single requests. ``token_as`` is ``header`` (in no address, so in no proxy's log) or ``parameter``."""

    def __init__(self, token: str, token_as: str, base_url: str, timeout_s: float, clock: Clock) -> None:
        self._token, self._as_header, self._timeout_s, self._clock = token, token_as == "header", timeout_s, clock
        self._local = is_loopback(base_url)
        self._session = self._new_session()

    def get(self, url: str, params: Mapping[str, Any]) -> Any:
        """Read ``url``; its JSON.

        Raises:
            RateLimited, Unauthorised, Blocked, Unreachable, BadResponse (Declined where the platform gave a code).
        """
        return self._call(self._session, "GET", url, params=self._signed(params))

    def post(self, url: str, form: Mapping[str, Any]) -> Any:
        """A reading call that Weibo wants as a POST. Raises as :meth:`get`."""
        return self._call(self._session, "POST", url, form={**form, "access_token": self._token})

    def write(self, url: str, form: Mapping[str, Any]) -> Any:
        """Publish with one request, on a connection of its own.

        A kept-alive connection that the server closed meanwhile fails exactly like a request that it received: on a new
        one a doubtful outcome is rare.

        Raises:
            Doubtful, AlreadySaid, RateLimited, Unauthorised, Blocked, Unreachable, TargetGone, Refused.
        """
        with self._new_session() as session:
            return self._call(session, "POST", url, form=self._signed(form), writing=True)

    def _signed(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return dict(params) if self._as_header else {**params, "access_token": self._token}

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.mount("https://", BoundedAdapter(3 * self._timeout_s))
        session.mount("http://", BoundedAdapter(3 * self._timeout_s))
        session.headers["Accept"] = "application/json"
        session.auth = TokenAuth(self._token) if self._as_header else as_it_is
        session.trust_env = not self._local  # no proxy stands between this machine and itself
        return session

    def _call(
        self,
        session: requests.Session,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        form: Mapping[str, Any] | None = None,
        writing: bool = False,
    ) -> Any:
        what = f"weibo {method} {url.partition('://')[2].partition('/')[2]}"
        problem: PlatformError | None
        try:
            response = session.request(method, url, params=params, data=form, timeout=self._timeout_s, allow_redirects=False)
        except requests.RequestException as error:
            problem = failure(what, error, writing=writing)
        else:
            body = json_body(response)
            problem = self._problem(response, body, what, writing)
            if problem is None:
                return body
        raise problem

    def _problem(self, response: requests.Response, body: Any, what: str, writing: bool) -> PlatformError | None:
        """The error that ``response`` stands for, None where it is an answer."""
        error = ErrorBody.of(body)
        if error is not None and error.code != DELAYED:
            message = f"{what}: {clean(error.message, [self._token])} ({error.code}, HTTP {response.status_code})"
            return self._meaning(error.code, message, response, writing)
        if error is not None or (response.ok and response.status_code < 300 and isinstance(body, dict | list)):
            return None
        return self._wordless(response, f"{what}: HTTP {response.status_code}", writing)

    def _meaning(self, code: str, message: str, response: requests.Response, writing: bool) -> PlatformError:
        mend = _MENDS.get(code, "")
        if code in LIMITS or response.status_code == 429:
            return RateLimited(message, until=self._retry_after(response), mend=mend)
        if code in TOKEN:
            return Unauthorised(message, mend=_NEW_TOKEN)
        if code in PERMISSION:
            return Unauthorised(message, mend=mend)
        if code == CAPTCHA:
            return Blocked(message, mend=mend)
        if code in GONE and writing:
            return TargetGone(message)
        if code in PLATFORM_FAILED or response.status_code >= 500:
            return Doubtful(message) if writing else BadResponse(message)
        if code == REPEATED and writing:
            return AlreadySaid(message)
        if writing:
            return Refused(message, code=code, mend=mend)
        if response.status_code in (401, 403) and code not in (NO_SUCH_USER, WINDOW_ENDS):
            return Unauthorised(message)
        return Declined(message, code=code, mend=mend)

    def _wordless(self, response: requests.Response, message: str, writing: bool) -> PlatformError:
        """An answer without JSON that we know: its status and form must do."""
        status = response.status_code
        page = is_page(response)
        if status == 429:
            return RateLimited(message, until=self._retry_after(response))
        if status in (401, 402):
            return Unauthorised(message, mend=_NEW_TOKEN if status == 401 else "Weibo asks for payment: see the app's tier.")
        if status >= 500 or (status < 300 and not (page and not writing)):
            return Doubtful(f"{message}, unreadable") if writing else BadResponse(f"{message}, no JSON in it")
        if page or 300 <= status < 400:
            return Blocked(f"{message}, a web page instead of the API (sign-in or captcha)", mend=_MENDS[CAPTCHA])
        if status == 403:
            return Unauthorised(message)
        return Refused(message, code=str(status)) if writing else BadResponse(message)

    def _retry_after(self, response: requests.Response) -> datetime | None:
        """``Retry-After`` (RFC 9110, 10.2.3: seconds or a date) or ``x-rate-limit-reset`` as an instant; None without."""
        after, epoch = response.headers.get("Retry-After", ""), response.headers.get("x-rate-limit-reset", "")
        try:
            if after.isdigit():
                return self._clock().astimezone(UTC) + timedelta(seconds=int(after))
            if epoch.isdigit():
                return datetime.fromtimestamp(int(epoch), UTC)
            return parsedate_to_datetime(after).astimezone(UTC) if after else None
        except (ValueError, OverflowError, OSError):
            return None


class Declined(BadResponse):
    """A reading call was refused with a code of no wider meaning; the adapter knows what ``code`` says of that call."""

    def __init__(self, message: str, *, code: str, mend: str = "") -> None:
        super().__init__(message, mend=mend)
        self.code = code
