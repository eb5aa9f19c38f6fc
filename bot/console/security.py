"""Who may call a page: sessions, CSRF tokens, roles, cookies, and the headers on every answer.

Handlers are plain functions ``(Request) -> Response`` that run in a thread; :func:`require` and :func:`everyone` make them
endpoints. CSRF follows the "signed double submit" of OWASP's cheat sheet: the token in the form is an HMAC keyed by a cookie
that scripts cannot read and other hosts cannot set (``__Host-``), and the Origin header has to be ours.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from functools import wraps
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.console.i18n import translate
from bot.console.parts import Forbidden, Parts, Person, Role, parts_of, person_of
from store import people

Handler = Callable[[Request], Response]
Endpoint = Callable[[Request], Awaitable[Response]]

FORM_BYTES = 256 * 1024
"""Largest body of a form without files."""
CSRF_FIELD = "csrf"

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: browsers would then send "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}


class SafeHeaders:
    """Puts the security headers on every answer; pages are kept in no cache unless they say so."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._headers = _HEADERS | ({"Strict-Transport-Security": "max-age=31536000"} if https else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "private, no-store")
            await send(message)

        await self._app(scope, receive, send_with)


# --- endpoints ---------------------------------------------------------------------------------------------------


def require(*roles: Role, max_body: int = FORM_BYTES) -> Callable[[Handler], Endpoint]:
    """A page for signed-in people with one of ``roles`` (none named: any signed-in person).

    Others are sent to sign in, or told 403. A POST is let through with a right CSRF token alone; ``max_body`` bounds it.
    """

    def wrap(handler: Handler) -> Endpoint:
        @wraps(handler)
        async def endpoint(request: Request) -> Response:
            await meet(request)
            person: Person | None = request.state.person
            if person is None:
                return _to_sign_in(request)
            if roles and not person.has(*roles):
                raise Forbidden(translate(request, "This page is not part of your role."))
            return await _run(request, handler, max_body)

        return endpoint

    return wrap


def everyone(*, max_body: int = FORM_BYTES) -> Callable[[Handler], Endpoint]:
    """A page that needs no sign-in (``@everyone()``); its POSTs need a right CSRF token all the same."""

    def wrap(handler: Handler) -> Endpoint:
        @wraps(handler)
        async def endpoint(request: Request) -> Response:
            await meet(request)
            return await _run(request, handler, max_body)

        return endpoint

    return wrap


async def _run(request: Request, handler: Handler, max_body: int) -> Response:
    if request.method != "POST":
        return _keep_visit(request, await run_in_threadpool(handler, request))
    form = await read_form(request, max_body)
    try:
        check_csrf(request, str(form.get(CSRF_FIELD, "")))
        request.state.form = form
        return _keep_visit(request, await run_in_threadpool(handler, request))
    finally:
        await form.close()


async def read_form(request: Request, max_body: int) -> FormData:
    """The posted fields and files.

    Raises:
        HTTPException: 411 without a length, 413 where it is over ``max_body``, 400 where it is no form.
    """
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise HTTPException(411)
    if int(length) > max_body:
        raise HTTPException(413)
    try:
        return await request.form(max_files=20, max_fields=200, max_part_size=FORM_BYTES)
    except (MultiPartException, UnicodeDecodeError) as error:
        raise HTTPException(400) from error


async def meet(request: Request) -> None:
    """Find out who is there: the person of a session that stands, and the key that CSRF tokens are made with."""
    parts = parts_of(request)
    names = cookie_names(parts)
    token = request.cookies.get(names["session"], "")
    person = await run_in_threadpool(_of_session, parts, token) if token else None
    visit = request.cookies.get(names["visit"], "")
    request.state.new_visit = not visit
    request.state.visit = visit or secrets.token_urlsafe(32)
    request.state.person = person
    request.state.session = token if person is not None else ""


def _of_session(parts: Parts, token: str) -> Person | None:
    with parts.store.read() as tx:
        user = people.of_session(tx, token)
    return None if user is None else person_of(user)


def _to_sign_in(request: Request) -> Response:
    """To the sign-in page and back: to the page itself, or after a POST to the page its form was on."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method != "GET":
        wanted = urlsplit(request.headers.get("referer", "")).path or "/"
    there = f"/signin?next={quote(safe_path(wanted), safe='/')}"
    if "hx-request" in request.headers:  # a part of a page was asked for: the whole page goes to sign in, not the part
        return Response(headers={"HX-Redirect": there})
    return RedirectResponse(there, status_code=303)


def safe_path(wanted: str) -> str:
    """``wanted`` where it is a path on this console, else "/": a link cannot send people elsewhere after signing in."""
    ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable() and "\\" not in wanted
    return wanted if ours else "/"


# --- CSRF ----------------------------------------------------------------------------------------------------------


def csrf_token(request: Request) -> str:
    """The token that a form on this page carries in its hidden field ``csrf``."""
    key: str = request.state.session or request.state.visit
    return hmac.new(key.encode(), b"csrf", hashlib.sha256).hexdigest()


def check_csrf(request: Request, given: str) -> None:
    """Raise :class:`Forbidden` where a POST did not come from a page of ours."""
    origin = request.headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if foreign or not hmac.compare_digest(csrf_token(request).encode(), given.encode()):
        raise Forbidden(translate(request, "This form is no longer valid. Go back, load the page anew and send it again."))


# --- cookies -------------------------------------------------------------------------------------------------------


def cookie_names(parts: Parts) -> dict[str, str]:
    """Names of the cookies. ``__Host-`` makes browsers refuse them from other hosts and without TLS."""
    prefix = "" if parts.console.insecure_cookies else "__Host-"
    return {"session": f"{prefix}session", "visit": f"{prefix}visit", "notice": f"{prefix}notice"}


def set_cookie(request: Request, response: Response, name: str, value: str, *, seconds: int | None = None) -> None:
    """Set a cookie that scripts cannot read. Lax, so that an official who follows a link from Weibo is still signed in;
    every change needs a CSRF token anyway."""
    parts = parts_of(request)
    secure = not parts.console.insecure_cookies
    chosen = cookie_names(parts).get(name, name)
    response.set_cookie(chosen, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="lax")


def _keep_visit(request: Request, response: Response) -> Response:
    if request.state.new_visit and not request.state.session:
        set_cookie(request, response, "visit", request.state.visit)
    return response
