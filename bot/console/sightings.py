"""Sightings: searching them, the map and the timeline, one sighting with its evidence, and correcting it by hand."""

from __future__ import annotations

from datetime import UTC

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot.console import chinamap, counted, views
from bot.console.i18n import words
from bot.console.parts import NavEntry, Parts, Role, current, parts_of
from bot.console.photoview import FaceArea, photo_view
from bot.console.render import go, render
from bot.console.security import require
from bot.console.views import PAGE, STAFF
from ingest.divisions import Division
from ingest.divisions import table as divisions
from store import audit, faces, families, leads, recognition, search, sightings
from store.errors import BadInput, NotFound
from store.families import FaceNote
from store.model import Certainty, Evidence, Grain, When, Where
from store.session import Tx
from store.sightings import SightingFilter, SightingState

NAV = (
    NavEntry("/sightings", "Sightings", frozenset(STAFF)),
    NavEntry("/map", "Map", frozenset(STAFF)),
)
_EDITORS = (Role.VOLUNTEER, Role.LEAD_REVIEWER)


def routes(parts: Parts) -> list[BaseRoute]:
    """The pages of this module."""
    return [
        Route("/sightings", listing),
        Route("/map", china),
        Route("/sightings/{ref}", show),
        Route("/sightings/{ref}/face/{number}.jpg", face_crop),
        Route("/sightings/{ref}/where", set_where, methods=["POST"]),
        Route("/sightings/{ref}/when", set_when, methods=["POST"]),
        Route("/sightings/{ref}/state", set_state, methods=["POST"]),
        Route("/sightings/{ref}/face", note_face, methods=["POST"]),
        Route("/sightings/{ref}/split", split, methods=["POST"]),
        Route("/sightings/{ref}/merge", merge, methods=["POST"]),
    ]


@require(*STAFF)
def listing(request: Request) -> Response:
    """Sightings by place, time, source and state, newest post first."""
    parts, person = parts_of(request), current(request)
    wanted = SightingFilter(
        adcode_prefix=_prefix(views.asked(request, "place")),
        within=person.reach,
        seen_since=views.instant(request, views.asked(request, "since"), parts.zone),
        seen_until=views.instant(request, views.asked(request, "until"), parts.zone),
        platform=views.asked(request, "source"),
        state=next((state for state in SightingState if state.value == views.asked(request, "state")), None),
        with_duplicates=views.asked(request, "repeats") == "yes",
    )
    with parts.store.read() as tx:
        found = search.search(tx, wanted, limit=PAGE, before=views.before(request))
    last = found[-1].sighting.post_id if len(found) == PAGE else None
    named = {name: views.asked(request, name) for name in ("place", "since", "until", "source", "state", "repeats")}
    platforms = sorted(parts.loaded.modules)
    return render(request, "sightings.html", found=found, last=last, asked=named, states=list(SightingState), platforms=platforms)


@require(*STAFF)
def china(request: Request) -> Response:
    """How many sightings lie where, by province or by a province's prefectures, and month by month."""
    person = current(request)
    prefix = _prefix(views.asked(request, "province"))[:2]
    whole = counted.of(request)
    counts = {code: n for code, n in whole.by_division(prefix).items() if person.covers(code.ljust(6, "0"))}
    drawn = chinamap.drawing(prefix)
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return render(
        request,
        "sightings_map.html",
        drawing=drawn,
        counts=counts,
        shades=chinamap.shades(counts),
        rows=rows,
        whole=whole,
        most=max((n for _, n in whole.months), default=0),
        prefix=prefix,
    )


@require(*STAFF)
def show(request: Request) -> Response:
    """One sighting: post, photos, faces, the evidence of when and where, leads, repeats, other sightings of the child."""
    with parts_of(request).store.read() as tx:
        seen = views.sighting_view(tx, request.path_params["ref"])
        views.theirs(current(request), seen.sighting, request)
        found = [face for photo in seen.photos for face in faces.faces_of_photo(tx, photo.photo_id)]
        noted = [(face, families.note_of(tx, face.id), recognition.track_of(tx, face.id)) for face in found]
        tracks = {number: recognition.track(tx, number) for _, _, number in noted if number is not None}
        child = {
            number: sightings.by_time(sightings.several(tx, recognition.sightings_on(tx, number)).values()) for number in tracks
        }
        about = leads.listing(tx, sighting_id=seen.sighting.id)
        same = search.same_photo(tx, seen.sighting)
        history = audit.listing(tx, object=f"sighting:{seen.sighting.ref}", limit=20)
    return render(
        request,
        "sightings_one.html",
        seen=seen,
        faces=noted,
        tracks=tracks,
        child=child,
        trails={number: chinamap.trail([one.where.adcode for one in found]) for number, found in child.items()},
        leads=about,
        same=same,
        history=history,
        grains=list(Grain),
        states=list(SightingState),
        may_edit=current(request).has(*_EDITORS),
    )


@require(*STAFF)
def face_crop(request: Request) -> Response:
    """One face of a sighting's photos, cut out."""
    with parts_of(request).store.read() as tx:
        seen = views.sighting_view(tx, request.path_params["ref"])
        views.theirs(current(request), seen.sighting, request)
        face = faces.get(tx, views.number(request, "number"))
    photo = None if face is None else next((one for one in seen.photos if one.photo_id == face.photo_id), None)
    if face is None or photo is None:
        raise NotFound(words(request)("There is nothing here."))
    area = FaceArea(face.box, face.landmarks)
    return photo_view(request, photo.sha256, object=f"sighting:{seen.sighting.ref}", max_side_px=320, face=area)


@require(*_EDITORS)
def set_where(request: Request) -> Response:
    """A person says where it was; the bot never writes over that. What it had read stays in the record."""
    _, person = words(request), current(request)
    code, place = views.text(request, "adcode", 40), views.text(request, "place", 200)
    division = _division(code)
    if division is None:
        raise BadInput(_("Give the six digits of the division, or its full name."))
    with parts_of(request).store.write("console.where") as tx:
        sighting = sightings.get(tx, request.path_params["ref"])
        views.theirs(person, sighting, request)
        said = Evidence("person", division.adcode, Certainty.HIGH, f"set by {person.login}")
        where = Where(division.adcode, place, (), Certainty.HIGH, (*sighting.where.evidence, said))
        sightings.set_where(tx, sighting.id, where, person.login)
        details = {"from": sighting.where.adcode, "to": division.adcode}
        audit.append(tx, who=person.login, what="sighting.where", object=f"sighting:{sighting.ref}", details=details)
    return go(request, f"/sightings/{sighting.ref}", _("The place is set."))


@require(*_EDITORS)
def set_when(request: Request) -> Response:
    """A person says when it was; the bot never writes over that."""
    _, person, parts = words(request), current(request), parts_of(request)
    start = views.instant(request, views.text(request, "from", 40), parts.zone)
    end = views.instant(request, views.text(request, "to", 40), parts.zone)
    if start is None or end is None or not start < end <= parts.clock().astimezone(UTC):
        raise BadInput(_("Give a beginning and a later end, neither of them in the future."))
    with parts.store.write("console.when") as tx:
        sighting = sightings.get(tx, request.path_params["ref"])
        views.theirs(person, sighting, request)
        said = Evidence("person", f"{start.isoformat()}/{end.isoformat()}", Certainty.HIGH, f"set by {person.login}")
        when = When(start, end, Grain.RANGE, Certainty.HIGH, (*sighting.when.evidence, said))
        sightings.set_when(tx, sighting.id, when, person.login)
        audit.append(tx, who=person.login, what="sighting.when", object=f"sighting:{sighting.ref}")
    return go(request, f"/sightings/{sighting.ref}", _("The time is set."))


@require(Role.LEAD_REVIEWER)
def set_state(request: Request) -> Response:
    """With verified parents, set aside, or open again."""
    _, person = words(request), current(request)
    wanted, why = views.text(request, "state", 20), views.text(request, "why", 400)
    if wanted not in {state.value for state in SightingState} or not why:
        raise BadInput(_("Choose a state and say why."))
    with parts_of(request).store.write("console.sighting_state") as tx:
        sighting = sightings.get(tx, request.path_params["ref"])
        views.theirs(person, sighting, request)
        sightings.set_state(tx, sighting.id, SightingState(wanted), person.login)
        details = {"from": sighting.state.value, "to": wanted, "why": why}
        audit.append(tx, who=person.login, what="sighting.state", object=f"sighting:{sighting.ref}", details=details)
    return go(request, f"/sightings/{sighting.ref}", _("The sighting's state is set."))


@require(*_EDITORS)
def note_face(request: Request) -> Response:
    """Note what a face looks like (sex, age), for what families narrow their faces to."""
    _, person = words(request), current(request)
    note = FaceNote(
        sex=views.text(request, "sex", 10),
        age_from=views.whole(request, views.text(request, "age_from", 4)),
        age_to=views.whole(request, views.text(request, "age_to", 4)),
    )
    with parts_of(request).store.write("console.face_note") as tx:
        ref = _their_face(request, tx)
        families.note_face(tx, views.row(request, "face"), note, person.login)
        audit.append(tx, who=person.login, what="face.noted", object=f"sighting:{ref}")
    return go(request, f"/sightings/{ref}", _("Noted."))


@require(Role.LEAD_REVIEWER)
def split(request: Request) -> Response:
    """Say that a face is another child than the others it was put with. They stay apart."""
    _, person = words(request), current(request)
    with parts_of(request).store.write("console.split") as tx:
        ref = _their_face(request, tx)
        number = recognition.split(tx, views.row(request, "face"), by=person.login, why="split by a person")
        audit.append(tx, who=person.login, what="child.split", object=f"sighting:{ref}", details={"track": number})
    return go(request, f"/sightings/{ref}", _("They are kept apart from now on."))


@require(Role.LEAD_REVIEWER)
def merge(request: Request) -> Response:
    """Say that two children who were kept apart are one."""
    _, person = words(request), current(request)
    with parts_of(request).store.write("console.merge") as tx:
        ref = _their_face(request, tx)
        own = recognition.track_of(tx, views.row(request, "face"))
        if own is None:
            raise BadInput(_("This face stands alone; nothing is to be merged."))
        other = recognition.track(tx, views.text(request, "other", 16))
        recognition.merge(tx, own, other.id, by=person.login, why="merged by a person")
        audit.append(tx, who=person.login, what="child.merged", object=f"sighting:{ref}", details={"track": own})
    return go(request, f"/sightings/{ref}", _("They are one child from now on."))


def _their_face(request: Request, tx: Tx) -> str:
    """The sighting of the address, if it is the reader's to change and shows the face of the form."""
    seen = views.sighting_view(tx, request.path_params["ref"])
    views.theirs(current(request), seen.sighting, request)
    face = faces.get(tx, views.row(request, "face"))
    if face is None or face.photo_id not in {photo.photo_id for photo in seen.photos}:
        raise BadInput(words(request)("This face is not in this sighting."))
    return seen.sighting.ref


def _prefix(code_or_name: str) -> str:
    """The digits of a division that are not trailing zeros, by its code or name; "" for what is none."""
    known = _division(code_or_name)
    if known is None:
        return code_or_name if code_or_name.isascii() and code_or_name.isdigit() and len(code_or_name) in (2, 4, 6) else ""
    return {"province": known.adcode[:2], "prefecture": known.adcode[:4]}.get(known.level, known.adcode)


def _division(said: str) -> Division | None:
    """The one division that a person means by a code, a name ("福田区") or a path of names ("深圳市福田区"); None for several."""
    if not said:
        return None
    known = divisions().resolve_old(said)
    if known is not None:
        return known
    found = [item for item in divisions() if said.endswith(item.name) and divisions().full_name(item.adcode).endswith(said)]
    return found[0] if len(found) == 1 else None
