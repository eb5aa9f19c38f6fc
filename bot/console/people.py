"""The operator's page of who may sign in: adding, inviting anew, revoking."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot.console import accounts
from bot.console.i18n import translate, words
from bot.console.parts import NavEntry, Parts, Role, current, form_of, parts_of
from bot.console.render import go, render
from bot.console.security import require
from store import people
from store.errors import BadInput

NAV = (NavEntry("/people", "People", frozenset({Role.OPERATOR})),)


def routes(parts: Parts) -> list[BaseRoute]:
    """The pages of this module."""
    return [
        Route("/people", listing),
        Route("/people", add, methods=["POST"]),
        Route("/people/{login}/invite", invite, methods=["POST"]),
        Route("/people/{login}/revoke", revoke, methods=["POST"]),
    ]


@require(Role.OPERATOR)
def listing(request: Request) -> Response:
    """Everybody, and the form to add somebody."""
    return _page(request)


def _page(request: Request, *, link: str = "", login: str = "", problem: str = "") -> Response:
    with parts_of(request).store.read() as tx:
        found = people.listing(tx)
    hours = round(parts_of(request).console.invitation_hours)
    shown = {"people": found, "link": link, "login": login, "problem": problem, "hours": hours}
    return render(request, "people.html", 400 if problem else 200, said=form_of(request) if problem else None, **shown)


@require(Role.OPERATOR)
def add(request: Request) -> Response:
    """Make a person and show their invitation, once."""
    parts, form, by = parts_of(request), form_of(request), current(request).login
    known = {role.value for role in Role}
    roles = [Role(value) for value in map(str, form.getlist("role")) if value in known]
    login = str(form.get("login", "")).strip().casefold()
    try:
        with parts.store.write("console.people_add") as tx:
            accounts.add(
                tx,
                login,
                by=by,
                name=str(form.get("name", "")).strip(),
                roles=roles,
                divisions=_several(form.get("divisions")),
                cases_of=_several(form.get("cases")),
            )
    except BadInput as error:
        return _page(request, problem=words(request)(str(error)))
    return _page(request, link=accounts.invite(parts.loaded, parts.store, login, by=by), login=login)


def _several(text: object) -> list[str]:
    return str(text or "").replace("，", " ").replace(",", " ").split()


@require(Role.OPERATOR)
def invite(request: Request) -> Response:
    """Invite somebody anew."""
    parts, login = parts_of(request), request.path_params["login"]
    return _page(request, link=accounts.invite(parts.loaded, parts.store, login, by=current(request).login), login=login)


@require(Role.OPERATOR)
def revoke(request: Request) -> Response:
    """Let somebody in no more."""
    login, by = request.path_params["login"], current(request).login
    if login == by:
        raise BadInput(translate(request, "You cannot revoke yourself; another operator can."))
    with parts_of(request).store.write("console.people_revoke") as tx:
        accounts.revoke(tx, login, by=by)
    return go(request, "/people", translate(request, "%(login)s signs in no more.", login=login))
