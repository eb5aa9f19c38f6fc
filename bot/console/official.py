"""The official's pages: what was seen in their divisions, one sighting in full with the cases it may concern, the answer."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from bot import leadwork, officials_replies
from bot.console import views
from bot.console.i18n import words
from bot.console.parts import NavEntry, Parts, Role, current, parts_of
from bot.console.photoview import photo_view
from bot.console.render import go, render
from bot.console.security import require
from bot.console.views import STAFF
from bot.leadwork import Given
from bot.officials_replies import Answer
from store import audit, leads, search, sightings
from store.errors import BadInput, NotFound
from store.sightings import SightingFilter

_LATELY = 30
"""Sightings of a division that its page shows besides the leads."""
NAV = (NavEntry("/official", "My division", frozenset({Role.OFFICIAL})),)

_NEEDS_REFERENCE = frozenset(officials_replies.LEAD_STATE) - {Answer.CHECKING, Answer.DNA_PENDING}


def routes(parts: Parts) -> list[BaseRoute]:
    """The pages of this module."""
    return [
        Route("/official", division),
        Route("/s/{ref}", sighting),
        Route("/s/{ref}/photo/{number}", photo),
        Route("/s/{ref}/answer", answer, methods=["POST"]),
    ]


@require(Role.OFFICIAL)
def division(request: Request) -> Response:
    """The open leads of the official's divisions, and what else was seen there lately."""
    person = current(request)
    with parts_of(request).store.read() as tx:
        open_leads = search.leads_in(tx, person.divisions, search.OPEN, limit=views.PAGE)
        lately = search.search(tx, SightingFilter(within=person.divisions), limit=_LATELY)
    return render(request, "official.html", found=open_leads, seen=[item.sighting for item in lately])


@require(Role.OFFICIAL, *STAFF)
def sighting(request: Request) -> Response:
    """The page that an alert links to. Colleagues of the campaign are sent to their own page about it."""
    person = current(request)
    ref = request.path_params["ref"]
    if not person.has(Role.OFFICIAL):
        return RedirectResponse(f"/sightings/{ref}", status_code=303)
    with parts_of(request).store.write("console.official") as tx:
        seen = views.sighting_view(tx, ref)
        views.theirs(person, seen.sighting, request)
        found = [views.lead_view(tx, lead) for lead in leads.listing(tx, sighting_id=seen.sighting.id)]
        audit.append(tx, who=person.login, what="sighting.viewed", object=f"sighting:{seen.sighting.ref}")
    answers = list(officials_replies.LEAD_STATE)
    return render(request, "official_sighting.html", seen=seen, views=found, answers=answers)


@require(Role.OFFICIAL, *STAFF)
def photo(request: Request) -> Response:
    """A photo of a sighting."""
    with parts_of(request).store.read() as tx:
        seen = views.sighting_view(tx, request.path_params["ref"])
    views.theirs(current(request), seen.sighting, request)
    wanted = views.number(request, "number")
    found = next((shown for shown in seen.photos if shown.number == wanted), None)
    if found is None:
        raise NotFound(words(request)("There is nothing here."))
    side = 480 if views.asked(request, "size") == "small" else 1600
    return photo_view(request, found.sha256, object=f"sighting:{seen.sighting.ref}", max_side_px=side)


@require(Role.OFFICIAL)
def answer(request: Request) -> Response:
    """What the official says of one lead; it moves at once, with the number of their file as its record."""
    _, person = words(request), current(request)
    wanted, reference, why = views.text(request, "answer", 20), views.text(request, "reference", 400), views.text(request, "why")
    if wanted not in {item.value for item in officials_replies.LEAD_STATE}:
        raise BadInput(_("Choose an answer."))
    if Answer(wanted) in _NEEDS_REFERENCE and not reference:
        raise BadInput(_("Give the number of your file or of the DNA result, so that the answer can be found again."))
    with parts_of(request).store.write("console.answer") as tx:
        seen = sightings.get(tx, request.path_params["ref"])
        views.theirs(person, seen, request)
        lead = leads.get(tx, views.row(request, "lead"))
        if lead.sighting_id != seen.id:
            raise BadInput(_("That lead is about another sighting."))
        given = Given(Answer(wanted), person.login, why or _("answered in the console"), reference or f"console:{person.login}")
        leadwork.give(tx, lead, given)
        details = {"answer": wanted, "lead": lead.id}
        audit.append(tx, who=person.login, what="official.answered", object=f"sighting:{seen.ref}", details=details)
    return go(request, f"/s/{seen.ref}", _("Thank you. Your answer is recorded, and the case's reviewers are told."))
