"""The lead reviewer's pages: pairs on which reviewers differ, and how each reviewer does on known pairs."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot.console import reviewdesk
from bot.console.i18n import translate, words
from bot.console.parts import Forbidden, NavEntry, Parts, Role, current, parts_of
from bot.console.render import go, render
from bot.console.review import ages, context, note_of, verdict_of, view
from bot.console.reviewdesk import Task
from bot.console.reviewing import CHECKLIST
from bot.console.security import require
from store import known_pairs, reviews
from store.errors import BadInput, NotFound

FIGURES_FOR = (Role.LEAD_REVIEWER, Role.OPERATOR, Role.AUDITOR)
NAV = (
    NavEntry("/disagreements", "Disagreements", frozenset({Role.LEAD_REVIEWER})),
    NavEntry("/reviewers", "Reviewers", frozenset(FIGURES_FOR)),
)


def routes(parts: Parts) -> list[BaseRoute]:
    """The pages of this module."""
    return [
        Route("/disagreements", listing),
        Route("/disagreements/{number:int}", show),
        Route("/disagreements/{number:int}", decide, methods=["POST"]),
        Route("/disagreements/{number:int}/left.jpg", left_photo),
        Route("/disagreements/{number:int}/right-{photo:int}.jpg", right_photo),
        Route("/reviewers", reviewers),
    ]


@require(Role.LEAD_REVIEWER)
def listing(request: Request) -> Response:
    """The pairs that wait for the lead reviewer, longest waiting first."""
    with parts_of(request).store.read() as tx:
        numbers = reviews.escalated(tx, current(request).divisions)
        rows = [(reviewdesk.of_candidate(tx, number), reviews.votes_of(tx, number)) for number in numbers]
    return render(request, "review_lead.html", rows=rows)


@require(Role.LEAD_REVIEWER)
def show(request: Request) -> Response:
    """One such pair with everything: votes, notes, checklists, the score, when and where."""
    task = _task(request)
    with parts_of(request).store.read() as tx:
        votes = reviews.votes_of(tx, request.path_params["number"], undone=True)
        known = context(tx, task)
    return render(
        request,
        "review_lead_pair.html",
        task=task,
        votes=votes,
        context=known,
        checklist=CHECKLIST,
        ages=ages(words(request), task.case, parts_of(request).clock().date()),
    )


@require(Role.LEAD_REVIEWER)
def decide(request: Request) -> Response:
    """Decide it, with a ground."""
    _, task, ground = words(request), _task(request), note_of(request)
    if not ground:
        raise BadInput(_("Say on what ground you decide."))
    if task.candidate is not None:
        reviewdesk.decide_alone(parts_of(request), current(request), task.candidate.id, verdict_of(request), ground)
    return go(request, "/disagreements", _("Your decision is kept."))


@require(Role.LEAD_REVIEWER)
def left_photo(request: Request) -> Response:
    """The face of the sighting, or with ``?whole`` its photo."""
    return view(request, _task(request).left)


@require(Role.LEAD_REVIEWER)
def right_photo(request: Request) -> Response:
    """A face of the case, or with ``?whole`` its photo."""
    rights, number = _task(request).rights, request.path_params["photo"]
    if number >= len(rights):
        raise NotFound(translate(request, "There is no such photo."))
    return view(request, rights[number])


def _task(request: Request) -> Task:
    """The pair of the address, where reviewers passed it on and it lies in the lead reviewer's divisions."""
    number = request.path_params["number"]
    with parts_of(request).store.read() as tx:
        task = reviewdesk.of_candidate(tx, number)
        if not reviews.passed_on(tx, number, current(request).divisions):
            raise Forbidden(translate(request, "This pair was not passed to you, or is decided."))
        return task


@require(*FIGURES_FOR)
def reviewers(request: Request) -> Response:
    """Every reviewer's figures."""
    with parts_of(request).store.read() as tx:
        found = known_pairs.figures(tx)
    return render(request, "review_reviewers.html", figures=found)
