"""Cases: registering, two-person verification, photos, editing with history, merging, broadcasts."""

from __future__ import annotations

from dataclasses import fields, replace

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot import broadcast, casework, readdress
from bot.alerts.compose import load_templates
from bot.casefiles import lines
from bot.casework import CasePhotoInput, Desk
from bot.console import views
from bot.console.i18n import words
from bot.console.parts import NavEntry, Parts, Role, current, form_of, parts_of
from bot.console.photoview import photo_view
from bot.console.render import go, render
from bot.console.security import require
from bot.console.views import PAGE
from store import alerts, audit, case_merge, cases, history, leads
from store.cases import CaseFields
from store.errors import BadInput, NotFound
from store.model import CaseState

_DESK = (Role.LEAD_REVIEWER, Role.OPERATOR)
_READERS = (*_DESK, Role.AUDITOR)
_PHOTO_BYTES = 20 * 1024 * 1024
_FORM_BYTES = 5 * _PHOTO_BYTES

NAV = (NavEntry("/cases", "Cases", frozenset(_READERS)),)


def routes(parts: Parts) -> list[BaseRoute]:
    """The pages of this module."""
    return [
        Route("/cases", listing),
        Route("/cases/new", new),
        Route("/cases/new", register, methods=["POST"]),
        Route("/cases/{ref}", show),
        Route("/cases/{ref}/photo/{number}", photo),
        Route("/cases/{ref}/edit", edit, methods=["POST"]),
        Route("/cases/{ref}/verify", verify, methods=["POST"]),
        Route("/cases/{ref}/photos", add_photos, methods=["POST"]),
        Route("/cases/{ref}/merge", merge, methods=["POST"]),
        Route("/cases/{ref}/publish", publish, methods=["POST"]),
        Route("/cases/{ref}/broadcast", propose_broadcast, methods=["POST"]),
    ]


@require(*_READERS)
def listing(request: Request) -> Response:
    """Cases in a state, newest first."""
    state = next((item for item in CaseState if item.value == views.asked(request, "state")), None)
    with parts_of(request).store.read() as tx:
        found = cases.listing(tx, state, limit=PAGE, before=views.before(request))
        counts = cases.counts(tx)
    last = found[-1].id if len(found) == PAGE else None
    return render(request, "cases.html", found=found, state=state, counts=counts, last=last)


@require(*_DESK)
def new(request: Request) -> Response:
    """The form of a new case."""
    return render(request, "cases_new.html", what=CaseFields(name=""), may_photos=parts_of(request).faces is not None)


@require(*_DESK, max_body=_FORM_BYTES)
def register(request: Request) -> Response:
    """Register a case as a draft, with its photos."""
    _, person = words(request), current(request)
    case = casework.register(_desk(request), read_fields(request), _given(request), person.login)
    return go(request, f"/cases/{case.ref}", _("Registered as a draft. It is silent until a second person verifies it."))


@require(*_READERS)
def show(request: Request) -> Response:
    """One case: what it says, photos, history, leads, and cases that may be the same child."""
    with parts_of(request).store.write("console.case") as tx:
        case = cases.get(tx, request.path_params["ref"])
        audit.append(tx, who=current(request).login, what="case.viewed", object=f"case:{case.ref}")
        context = {
            "photos": cases.photos_of(tx, case.id),
            "changes": history.of_case(tx, case.id),
            "alike": case_merge.alike(tx, case) if case.state is not CaseState.CLOSED else [],
            "leads": leads.listing(tx, case_id=case.id),
            "page": history.publication(tx, case.id),
            "broadcasts": alerts.about(tx, broadcast.public_ref(case.id)),
        }
    may_edit = current(request).has(*_DESK) and case.state is not CaseState.CLOSED
    return render(
        request,
        "cases_one.html",
        case=case,
        what=case.fields,
        may_edit=may_edit,
        may_photos=parts_of(request).faces is not None,
        platforms=sorted(parts_of(request).loaded.modules),
        **context,
    )


@require(*_READERS)
def photo(request: Request) -> Response:
    """A photo of a case."""
    with parts_of(request).store.read() as tx:
        case = cases.get(tx, request.path_params["ref"])
        found = cases.photos_of(tx, case.id)
    wanted = views.number(request, "number")
    if not 1 <= wanted <= len(found):
        raise NotFound(words(request)("There is nothing here."))
    return photo_view(request, found[wanted - 1].sha256, object=f"case:{case.ref}", max_side_px=640)


@require(*_DESK)
def edit(request: Request) -> Response:
    """Change what a case says; what stood there before is kept."""
    _, person = words(request), current(request)
    with parts_of(request).store.write("console.case_edit") as tx:
        before = cases.get(tx, request.path_params["ref"])
        what = replace(read_fields(request), source=before.fields.source, source_ref=before.fields.source_ref)
        changed = history.edit(tx, before.id, what, person.login)
        names = [name for name, _old, _new in history.differences(before.fields, changed.fields)]
        audit.append(tx, who=person.login, what="case.changed", object=f"case:{before.ref}", details={"fields": names})
    silent = before.state is not changed.state
    said = _("Saved. The police report number changed: a second person must verify the case anew.") if silent else _("Saved.")
    return go(request, f"/cases/{before.ref}", said)


@require(*_DESK)
def verify(request: Request) -> Response:
    """A second person confirms the police report number; from now on the case is searched for."""
    _, person = words(request), current(request)
    with parts_of(request).store.write("console.verify") as tx:
        case = cases.verify(tx, request.path_params["ref"], person.login, views.text(request, "number", 200))
        audit.append(tx, who=person.login, what="case.verified", object=f"case:{case.ref}")
    return go(request, f"/cases/{case.ref}", _("Verified. The bot searches for this child from its next round on."))


@require(*_DESK, max_body=_FORM_BYTES)
def add_photos(request: Request) -> Response:
    """Add photos with their date."""
    _, person = words(request), current(request)
    case = casework.add_photos(_desk(request), request.path_params["ref"], _given(request), person.login)
    return go(request, f"/cases/{case.ref}", _("The photos are added."))


@require(*_DESK)
def merge(request: Request) -> Response:
    """Make another registration of the same child part of this case."""
    _, person = words(request), current(request)
    with parts_of(request).store.write("console.case_merge") as tx:
        kept = case_merge.merge(tx, request.path_params["ref"], views.text(request, "other", 16), person.login)
        details = {"other": views.text(request, "other", 16)}
        audit.append(tx, who=person.login, what="case.merged", object=f"case:{kept.ref}", details=details)
    return go(request, f"/cases/{kept.ref}", _("They are one case now."))


@require(*_DESK)
def publish(request: Request) -> Response:
    """Note the page on which the family itself made the case public."""
    _, person = words(request), current(request)
    with parts_of(request).store.write("console.publish") as tx:
        case = cases.get(tx, request.path_params["ref"])
        history.publish(tx, case.id, views.text(request, "url", 500), views.text(request, "said_by", 200), person.login)
        audit.append(tx, who=person.login, what="case.publication", object=f"case:{case.ref}")
    return go(request, f"/cases/{case.ref}", _("Noted."))


@require(*_DESK)
def propose_broadcast(request: Request) -> Response:
    """Put a word to the public into the outbox, held: a reference and the family's own page."""
    _, person, parts = words(request), current(request), parts_of(request)
    platform = views.text(request, "platform", 40)
    lang = "en" if views.text(request, "lang", 2) == "en" else "zh"
    rules = readdress.seat_of(parts.loaded, platform).platform.rules
    templates = load_templates(parts.settings.alerts.templates_dir)
    with parts.store.write("console.broadcast") as tx:
        case = cases.get(tx, request.path_params["ref"])
        broadcast.propose(
            tx,
            case.ref,
            person.login,
            platform=platform,
            templates=templates,
            max_length=rules.max_length,
            length=rules.length,
            lang=lang,
        )
    return go(request, f"/cases/{case.ref}", _("It waits among the messages for somebody to release it."))


# --- reading forms -------------------------------------------------------------------------------------------------


def read_fields(request: Request) -> CaseFields:
    """What a registrant typed.

    Raises:
        BadInput: a date, number, division or sex that is none.
    """
    today = parts_of(request).clock().date()
    born, missing = lines.day(views.text(request, "birth_on", 20)), lines.day(views.text(request, "missing_on", 20))
    plain = {item.name: views.text(request, item.name, 4000) for item in fields(CaseFields) if item.name in _WORDS}
    what = CaseFields(
        **plain,
        sex=lines.sex(views.text(request, "sex", 10)),
        birth_on=born,
        birth_adcode=lines.adcode(views.text(request, "birth_adcode", 60), born.year if born else None),
        missing_on=missing,
        missing_adcode=lines.adcode(views.text(request, "missing_adcode", 60), missing.year if missing else None),
        height_cm=lines.whole(views.text(request, "height_cm", 10), 20, 250, "height in cm"),
        contacts=tuple(line.strip() for line in views.text(request, "contacts").splitlines() if line.strip()),
        dna_filed=views.text(request, "dna_filed", 3) == "yes",
    )
    return lines.checked(what, today)


_WORDS = ("name", "features", "accent", "clothing", "circumstances", "siblings", "police_report_number")


def _given(request: Request) -> list[CasePhotoInput]:
    """The photos of a form, each with the form's date and face."""
    taken = lines.day(views.text(request, "taken_on", 20))
    face = views.whole(request, views.text(request, "face", 4))
    found = []
    for item in form_of(request).getlist("photos"):
        if isinstance(item, UploadFile) and item.filename:
            data = item.file.read(_PHOTO_BYTES + 1)
            if len(data) > _PHOTO_BYTES:
                raise BadInput(words(request)("%(name)s is larger than 20 MB.", name=item.filename[:80]))
            found.append(CasePhotoInput(item.filename[:80], data, taken, face))
    if not found:
        raise BadInput(words(request)("Choose at least one photo."))
    return found


def _desk(request: Request) -> Desk:
    parts = parts_of(request)
    if parts.faces is None:
        raise BadInput(words(request)("This console has no face engine, so it takes no photos."))
    return Desk(parts.store, parts.files, parts.decoder, parts.faces)
