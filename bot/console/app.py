"""Puts the console together: pages, errors in words, headers, hosts."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from bot import log
from bot.console import counted
from bot.console.i18n import Words, words
from bot.console.parts import Forbidden, NavEntry, Parts
from bot.console.render import Templates, render
from bot.console.security import SafeHeaders, meet
from store.errors import BadInput, NotFound, PhotoRefused, PhotoUnavailable, StoreError, SuishoupaiError

STATIC_DIR = Path(__file__).parent / "static"
PAGES = (
    "signin",
    "public",
    "intake",
    "review",
    "review_lead",
    "leads",
    "official",
    "family",
    "sightings",
    "cases_files",
    "cases",
    "operator",
    "people",
)
"""The page modules of this folder, in the order of the navigation; each has ``routes(parts)`` and ``NAV``."""

_STATUS: tuple[tuple[type[SuishoupaiError], int], ...] = (
    (NotFound, 404),
    (Forbidden, 403),
    (BadInput, 400),
    (PhotoRefused, 400),
    (PhotoUnavailable, 503),
    (StoreError, 503),
)
_log = log.get("console")


def create_app(parts: Parts, pages: Sequence[str] = PAGES) -> Starlette:
    """The console as an ASGI application.

    Raises:
        BadInput: the console is to be reached over https without Secure cookies.
    """
    https = urlsplit(parts.public_url).scheme == "https"
    if https and parts.console.insecure_cookies:
        raise BadInput("console.insecure_cookies is set while the console is reached over https", mend="set it to false")
    modules = [import_module(f"bot.console.{name}") for name in pages]
    routes: list[BaseRoute] = [Mount("/static", StaticFiles(directory=STATIC_DIR), name="static")]
    for module in modules:
        routes.extend(module.routes(parts))
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(SafeHeaders, https=https),
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts(parts), www_redirect=False),
        ],
        exception_handlers={HTTPException: _on_http, SuishoupaiError: _on_error, Exception: _on_fault},
    )
    app.state.parts = parts
    app.state.whole = counted.keeper(parts)
    app.state.templates = Templates(parts, _nav(modules))
    return app


def hosts(parts: Parts) -> list[str]:
    """The Host headers that are answered: the public one, and this machine's own for the proxy before it."""
    public = urlsplit(parts.public_url).hostname or ""
    return sorted({public, parts.console.host, "127.0.0.1", "localhost"} - {"", "0.0.0.0", "::"})


def _nav(modules: Sequence[ModuleType]) -> list[NavEntry]:
    return [entry for module in modules for entry in module.NAV]


async def _on_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if not hasattr(request.state, "visit"):  # no page's own handler was reached
        await meet(request)
    return _page(request, status, _reason(words(request), status))


def _on_error(request: Request, error: Exception) -> Response:
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
    if status >= 500:
        _log.error("a page failed", path=request.url.path, error=str(error))
        return _page(request, status, _reason(words(request), status))
    mend = error.mend if isinstance(error, SuishoupaiError) else ""
    return _page(request, status, str(error), mend)


def _on_fault(request: Request, error: Exception) -> Response:
    """A fault of ours: the traceback goes to the log (Starlette raises it again), the reader gets words."""
    return _page(request, 500, _reason(words(request), 500))


def _page(request: Request, status: int, reason: str, mend: str = "") -> Response:
    return render(request, "error.html", status, status=status, reason=reason, mend=mend)


def _reason(_: Words, status: int) -> str:
    known = {
        400: _("The form could not be read."),
        403: _("This page is not part of your role."),
        404: _("There is nothing here. It may have been removed, or the address is wrong."),
        405: _("This address cannot be used in this way."),
        411: _("The form came without its length."),
        413: _("What you sent is too large."),
        503: _("This cannot be done just now. Please try again in a minute."),
    }
    return known.get(status, _("Something went wrong on our side. It has been noted. Please try again in a minute."))
