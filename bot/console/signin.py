"""Signing in and out, taking an invitation, the language, the start page, one's own account."""

from __future__ import annotations

import segno
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, NoMatchFound, Route

from bot.console import accounts, i18n
from bot.console.i18n import translate, words
from bot.console.parts import NavEntry, Parts, Person, current, form_of, parts_of, templates_of
from bot.console.render import go, render
from bot.console.security import cookie_names, everyone, require, safe_path, set_cookie
from store import audit, invitations, people
from store.errors import BadInput

NAV: tuple[NavEntry, ...] = ()
_OVERVIEW = "/operator"
"""Where those start who may open it."""


def routes(parts: Parts) -> list[BaseRoute]:
    """The pages of this module."""
    return [
        Route("/", start),
        Route("/signin", sign_in_form),
        Route("/signin", sign_in, methods=["POST"]),
        Route("/signout", sign_out, methods=["POST"]),
        Route("/language", choose_language, methods=["POST"]),
        Route("/welcome/{token}", welcome_form),
        Route("/welcome/{token}", welcome, methods=["POST"]),
        Route("/account", account),
        Route("/account/signout-everywhere", sign_out_everywhere, methods=["POST"]),
    ]


@everyone()
def start(request: Request) -> Response:
    """To the first page of one's role; a stranger to the public page (the route named "public") or to the sign-in."""
    person: Person | None = request.state.person
    if person is not None:
        paths = [entry.path for entry in templates_of(request).nav_for(person)] or ["/account"]
        return RedirectResponse(_OVERVIEW if _OVERVIEW in paths else paths[0], status_code=303)
    try:
        return RedirectResponse(str(request.app.url_path_for("public")), status_code=303)
    except NoMatchFound:
        return RedirectResponse("/signin", status_code=303)


@everyone()
def sign_in_form(request: Request) -> Response:
    """The form."""
    wanted = safe_path(request.query_params.get("next", "/"))
    if request.state.person is not None:
        return RedirectResponse(wanted, status_code=303)
    return render(request, "signin.html", next=wanted, wrong=False, login="")


@everyone()
def sign_in(request: Request) -> Response:
    """Check name, password and code together."""
    form = form_of(request)
    login, wanted = str(form.get("login", "")), safe_path(str(form.get("next", "/")))
    entered = accounts.enter(parts_of(request), login, str(form.get("password", "")), str(form.get("code", "")))
    if entered is None:
        return render(request, "signin.html", 403, next=wanted, wrong=True, login=login)
    return _begin(request, entered, wanted)


def _begin(request: Request, entered: accounts.Entered, path: str, notice: str = "") -> Response:
    """Give the reader their session; the key of CSRF tokens before it is thrown away."""
    parts = parts_of(request)
    response = go(request, path, notice)
    set_cookie(request, response, "session", entered.token, seconds=round(parts.console.session_hours * 3600))
    response.delete_cookie(cookie_names(parts)["visit"], path="/", secure=not parts.console.insecure_cookies, httponly=True)
    request.state.new_visit = False
    return response


@everyone()
def sign_out(request: Request) -> Response:
    """End this session."""
    parts = parts_of(request)
    response = go(request, "/signin", translate(request, "You are signed out."))
    person: Person | None = request.state.person
    if person is not None:
        with parts.store.write("console.sign_out") as tx:
            people.end_session(tx, request.state.session)
            audit.append(tx, who=person.login, what="console.signed_out", object=f"user:{person.login}")
    response.delete_cookie(cookie_names(parts)["session"], path="/", secure=not parts.console.insecure_cookies, httponly=True)
    return response


@require()
def sign_out_everywhere(request: Request) -> Response:
    """End every session of this person, on every device."""
    person = current(request)
    with parts_of(request).store.write("console.sign_out") as tx:
        people.end_sessions(tx, person.id)
        audit.append(tx, who=person.login, what="console.signed_out_everywhere", object=f"user:{person.login}")
    return go(request, "/signin", translate(request, "You are signed out on every device."))


@everyone()
def choose_language(request: Request) -> Response:
    """Keep the language in a cookie, and with the account of who is signed in."""
    form = form_of(request)
    lang = str(form.get("lang", ""))
    response = go(request, safe_path(str(form.get("next", "/"))))
    if lang in i18n.LANGUAGES:
        set_cookie(request, response, i18n.COOKIE, lang, seconds=365 * 86_400)
        if request.state.person is not None:
            with parts_of(request).store.write("console.language") as tx:
                people.set_lang(tx, request.state.person.id, lang)
    return response


@everyone()
def welcome_form(request: Request) -> Response:
    """An invitation's page: the second factor to scan, and a password to choose."""
    return _welcome(request, "")


@everyone()
def welcome(request: Request) -> Response:
    """Take the invitation."""
    form, _ = form_of(request), words(request)
    password = str(form.get("password", ""))
    if password != str(form.get("again", "")):
        return _welcome(request, _("The two passwords are not the same."))
    try:
        entered = accounts.accept_invitation(parts_of(request), request.path_params["token"], password, str(form.get("code", "")))
    except BadInput:
        return _welcome(
            request,
            _("Please choose a longer or less guessable password: at least %(n)s characters.", n=accounts.MIN_PASSWORD),
        )
    if entered is None:
        return _welcome(request, _("The six digits do not fit. Wait for the next ones and try again."))
    return _begin(request, entered, "/", _("Welcome. From now on you sign in with your password and the app's six digits."))


def _welcome(request: Request, problem: str) -> Response:
    parts, token = parts_of(request), request.path_params["token"]
    with parts.store.read() as tx:
        user = invitations.find(tx, token)
        secret = people.totp_secret(tx, user.id) if user is not None else None
    if user is None or secret is None:
        return render(request, "signin_gone.html", 404)
    code = segno.make(accounts.enrolment_uri(user, secret), error="m")
    drawn = code.svg_inline(scale=5, dark="#000", light="#fff", border=3, omitsize=True)
    spaced = " ".join(accounts.base32(secret)[i : i + 4] for i in range(0, 32, 4))
    status = 400 if problem else 200
    return render(request, "signin_welcome.html", status, user=user, qr=drawn, secret=spaced, problem=problem)


@require()
def account(request: Request) -> Response:
    """One's own roles and limits, and signing out everywhere."""
    return render(request, "signin_account.html")
