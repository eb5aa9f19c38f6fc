"""A volunteer's pages: one pair at a time, then what the score says of it, and one's own figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from bot import priors
from bot.console import chinamap, reviewdesk
from bot.console.chinamap import Trail
from bot.console.i18n import Words, translate, words
from bot.console.parts import NavEntry, Parts, Role, current, form_of, parts_of
from bot.console.photoview import photo_view
from bot.console.render import go, render
from bot.console.reviewdesk import Done, Shown, Task
from bot.console.reviewing import ANSWERS, CHECKLIST
from bot.console.security import require
from ingest.places import geo
from matcher.priors import Fact
from store import known_pairs, leads, matches, photos, posts, reviews, sightings
from store.cases import Case
from store.errors import BadInput, NotFound
from store.reviews import Verdict
from store.session import Tx
from store.sightings import Sighting

REVIEWERS = (Role.VOLUNTEER, Role.LEAD_REVIEWER)
NAV = (
    NavEntry("/review", "Compare", frozenset(REVIEWERS)),
    NavEntry("/my-figures", "My figures", frozenset(REVIEWERS)),
)
NOTE_CHARS = 2000
FACE_PX = 560
WHOLE_PX = 1600
_OTHERS = 12


def routes(parts: Parts) -> list[BaseRoute]:
    """The pages of this module."""
    return [
        Route("/review", compare),
        Route("/review", decide, methods=["POST"]),
        Route("/review/done", decided),
        Route("/review/undo", undo, methods=["POST"]),
        Route("/review/note", note, methods=["POST"]),
        Route("/review/{token}/left.jpg", left_photo),
        Route("/review/{token}/right-{number:int}.jpg", right_photo),
        Route("/my-figures", my_figures),
    ]


# --- comparing -----------------------------------------------------------------------------------------------------


@require(*REVIEWERS)
def compare(request: Request) -> Response:
    """The pair before the reviewer: two faces and what is known of the missing child; nothing else."""
    parts, person = parts_of(request), current(request)
    task = reviewdesk.present(parts, person, request.state.session)
    with parts.store.read() as tx:
        today = reviews.voted_since(tx, person.id, _midnight(parts))
        waiting = reviews.waiting(tx, person.id, person.divisions, most=200)
    if task is None:
        return render(request, "review_empty.html", today=today)
    return render(
        request,
        "review.html",
        task=task,
        ages=ages(words(request), task.case, parts.clock().date()),
        checklist=CHECKLIST,
        today=today,
        waiting=waiting,
    )


@require(*REVIEWERS)
def decide(request: Request) -> Response:
    """Keep the decision (or the skip) and show what the score says."""
    form, parts, person, _ = form_of(request), parts_of(request), current(request), words(request)
    verdict = None if form.get("verdict") == "skip" else verdict_of(request)
    try:
        task = reviewdesk.find(parts, person, request.state.session, str(form.get("task", "")))
        if verdict is None:
            reviewdesk.skip(parts, person, task)
            return go(request, "/review", _("Put aside; somebody else will look at it."))
        reviewdesk.decide(parts, person, task, verdict, _checklist(request), note_of(request))
    except BadInput:
        return go(request, "/review", _("That pair was no longer yours: it was decided by others, closed, or held too long."))
    return RedirectResponse("/review/done", status_code=303)


def verdict_of(request: Request) -> Verdict:
    """The verdict that the form gives.

    Raises:
        BadInput: it is none of the three.
    """
    try:
        return Verdict(str(form_of(request).get("verdict", "")))
    except ValueError as error:
        raise BadInput(translate(request, "Choose one of the answers.")) from error


def _checklist(request: Request) -> dict[str, str]:
    given = {key: str(form_of(request).get(f"c-{key}", "")) for key, _ in CHECKLIST}
    return {key: value for key, value in given.items() if value in ANSWERS}


def note_of(request: Request) -> str:
    """The note, cut to its longest."""
    return str(form_of(request).get("note", "")).strip()[:NOTE_CHARS]


# --- after the decision ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seen:
    """A sighting of the face, for the facts: how far and how long after the loss, and where it was posted."""

    sighting: Sighting
    url: str
    distance_km: float | None
    days: int | None


@dataclass(frozen=True, slots=True)
class Context:
    """What a reviewer learns after deciding."""

    seen: tuple[Seen, ...]
    elsewhere: tuple[Sighting, ...]
    rejections: int
    facts: tuple[Fact, ...] = ()
    trail: Trail | None = None


@require(*REVIEWERS)
def decided(request: Request) -> Response:
    """The score in words, when and where, and the way on."""
    parts, person = parts_of(request), current(request)
    done = reviewdesk.last(parts, person, request.state.session)
    if done is None:
        return RedirectResponse("/review", status_code=303)
    with parts.store.read() as tx:
        known = context(tx, done.task)
    undoable = done.vote is not None and parts.clock() - done.at <= timedelta(minutes=reviewdesk.UNDO_MINUTES)
    return render(
        request,
        "review_done.html",
        done=done,
        task=done.task,
        ages=ages(words(request), done.task.case, parts.clock().date()),
        context=known,
        undoable=undoable,
        right=_was_right(done),
    )


def _was_right(done: Done) -> bool | None:
    """Whether a known pair was seen right; None for other pairs and for "cannot tell"."""
    if done.known is None or done.verdict is Verdict.CANNOT_TELL:
        return None
    return done.known == (done.verdict is Verdict.SIMILAR)


def context(tx: Tx, task: Task) -> Context:
    """Where and when the face was seen, where else the same child may have been, and what people said before."""
    if task.candidate is None:
        return Context((), (), 0)
    photo = photos.get(tx, task.left.sha256)
    here = sightings.showing(tx, [photo.id])
    followed = leads.listing(tx, case_id=task.case.id, limit=_OTHERS)
    elsewhere = {lead.sighting_id for lead in followed} - {sighting.id for sighting in here}
    others = sightings.by_time(sightings.several(tx, elsewhere).values())
    return Context(
        tuple(_seen(tx, sighting, task.case) for sighting in here),
        tuple(others),
        reviews.rejections_of(tx, task.case.id),
        priors.of_pair(tx, task.case, photo.id, matches.cases_of_face(tx, task.candidate.face_id)),
        chinamap.trail([other.where.adcode for other in others]),
    )


def _seen(tx: Tx, sighting: Sighting, case: Case) -> Seen:
    stored = posts.get(tx, sighting.post_id)
    lost, at = case.fields.missing_on, sighting.when.seen_from or sighting.created_at
    there, here = case.fields.missing_adcode, sighting.where.adcode
    distance = geo.distance_km(there, here) if there and here else None
    days = None if lost is None else (at.date() - lost).days
    return Seen(sighting, "" if stored.post is None else stored.post.url, distance, days)


@require(*REVIEWERS)
def undo(request: Request) -> Response:
    """Take the last decision back."""
    parts, person, _ = parts_of(request), current(request), words(request)
    try:
        reviewdesk.undo(parts, person, request.state.session)
    except BadInput:
        return go(request, "/review", _("This decision can no longer be taken back; please tell the lead reviewer."))
    return go(request, "/review", _("Taken back. Look again and decide anew; one more person will look as well."))


@require(*REVIEWERS)
def note(request: Request) -> Response:
    """Put words to the last decision."""
    parts, person, _ = parts_of(request), current(request), words(request)
    done = reviewdesk.last(parts, person, request.state.session)
    if done is not None and done.vote is not None:
        with parts.store.write("console.review_note") as tx:
            reviews.set_note(tx, done.vote.id, note_of(request))
    return go(request, "/review", _("Your note is kept."))


# --- photos ----------------------------------------------------------------------------------------------------------


@require(*REVIEWERS)
def left_photo(request: Request) -> Response:
    """The face of the sighting, or with ``?whole`` its photo."""
    return view(request, _task(request).left)


@require(*REVIEWERS)
def right_photo(request: Request) -> Response:
    """A face of the case, or with ``?whole`` its photo."""
    rights, number = _task(request).rights, request.path_params["number"]
    if number >= len(rights):
        raise NotFound(translate(request, "There is no such photo."))
    return view(request, rights[number])


def _task(request: Request) -> Task:
    return reviewdesk.find(parts_of(request), current(request), request.state.session, request.path_params["token"])


def view(request: Request, shown: Shown) -> Response:
    """One photo of a pair, its face alone or whole."""
    whole = "whole" in request.query_params
    return photo_view(
        request,
        shown.sha256,
        object=shown.object,
        what="review.viewed",
        max_side_px=WHOLE_PX if whole else FACE_PX,
        face=None if whole else shown.face,
    )


# --- one's own figures -----------------------------------------------------------------------------------------------


@require(*REVIEWERS)
def my_figures(request: Request) -> Response:
    """How one does on known pairs, and how much one has looked at."""
    with parts_of(request).store.read() as tx:
        mine = known_pairs.figures(tx, current(request).id)
    return render(request, "review_figures.html", figures=mine[0])


# --- facts in words --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ages:
    """A child's age when lost and now, in words; empty where the dates are not known."""

    at_loss: str
    now: str
    years_missing: int | None


def ages(_: Words, case: Case, today: date) -> Ages:
    """The ages of a case's child."""
    born, lost = case.fields.birth_on, case.fields.missing_on
    return Ages(
        at_loss=_age(_, born, lost) if born and lost else "",
        now=_age(_, born, today) if born else "",
        years_missing=None if lost is None else _months(lost, today) // 12,
    )


def _age(_: Words, born: date, at: date) -> str:
    months = max(0, _months(born, at))
    return _("%(n)s months old", n=months) if months < 24 else _("%(n)s years old", n=months // 12)


def _months(start: date, end: date) -> int:
    """Full months from one date to another."""
    return (end.year - start.year) * 12 + end.month - start.month - (end.day < start.day)


def _midnight(parts: Parts) -> datetime:
    """When today began, in the campaign's time zone."""
    return parts.clock().astimezone(parts.zone).replace(hour=0, minute=0, second=0, microsecond=0)
