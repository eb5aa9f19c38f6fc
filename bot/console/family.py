"""The families' pages: faces that may concern their child, the month, and nothing else; "this may be my child".

Some who ask for a child must not find it (design, promise 3): no place, day, time of day, source, words or poster stands in
any byte that goes out here. A face's address is sealed for the case it is shown to, so that numbers tell nothing of when
it came and no other face can be asked for.
"""

from __future__ import annotations

import base64
import binascii
from datetime import date

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot.console import views
from bot.console.i18n import words
from bot.console.parts import Forbidden, NavEntry, Parts, Role, current, parts_of
from bot.console.photoview import FaceArea, photo_view
from bot.console.render import go, render
from bot.console.security import require
from store import audit, cases, faces, families, leads, photos
from store.cases import Case
from store.errors import BadInput, NotFound, StoreError
from store.families import FamilyFilter, Pick
from store.model import LeadState
from store.session import Tx

NAV = (NavEntry("/family", "Faces to look at", frozenset({Role.FAMILY})),)

_PAGE = 24
_CROP_PX = 240


def routes(parts: Parts) -> list[BaseRoute]:
    """The pages of this module."""
    return [
        Route("/family", own_cases),
        Route("/family/{ref}", look),
        Route("/family/{ref}/face/{token}", crop),
        Route("/family/{ref}/pick", pick, methods=["POST"]),
    ]


@require(Role.FAMILY)
def own_cases(request: Request) -> Response:
    """The cases of this sign-in, and what became of the faces the family pointed to."""
    person = current(request)
    with parts_of(request).store.read() as tx:
        found = [cases.get(tx, number) for number in person.cases]
        told = [(case, [(item, stage(item)) for item in families.picks(tx, case.id)]) for case in found]
    return render(request, "family.html", cases=told)


@require(Role.FAMILY)
def look(request: Request) -> Response:
    """Faces that may concern the case, narrowed by sex, age and month."""
    parts = parts_of(request)
    asked = {name: views.asked(request, name) for name in ("sex", "age_from", "age_to", "month_from", "month_to")}
    narrow = FamilyFilter(
        sex=asked["sex"] if asked["sex"] in ("female", "male") else "",
        age_from=views.whole(request, asked["age_from"]),
        age_to=views.whole(request, asked["age_to"]),
        month_from=_month(request, asked["month_from"]),
        month_to=_month(request, asked["month_to"]),
    )
    with parts.store.read() as tx:
        case = _own(tx, request)
        after = views.asked(request, "after")
        before = _open(tx, case, after) if after else None
        pack = parts.faces.pack.sha256 if parts.faces is not None else families.pack_in_use(tx)
        found = families.faces_for(tx, case, pack, narrow, limit=_PAGE, before=before)
        shown = [(_seal(tx, case, face.face_id), face) for face in found]
    last = shown[-1][0] if len(shown) == _PAGE else None
    return render(request, "family_faces.html", case=case, shown=shown, asked=asked, last=last)


@require(Role.FAMILY)
def crop(request: Request) -> Response:
    """One face, cut out, without anything of the photo around it that the file may carry."""
    with parts_of(request).store.read() as tx:
        case = _own(tx, request)
        face_id = _open(tx, case, request.path_params["token"])
        face = faces.get(tx, face_id) if families.may_see(tx, case, face_id) else None
        sha256 = photos.get(tx, face.photo_id).sha256 if face is not None else ""
    if face is None:
        raise NotFound(words(request)("There is nothing here."))
    area = FaceArea(face.box, face.landmarks)
    return photo_view(request, sha256, object=f"family:{case.ref}", what="face.viewed", max_side_px=_CROP_PX, face=area)


@require(Role.FAMILY)
def pick(request: Request) -> Response:
    """ "This may be my child": a lead for people, who look at everything that the family may not see."""
    _, person = words(request), current(request)
    note = views.text(request, "note", 1000)
    with parts_of(request).store.write("console.pick") as tx:
        case = _own(tx, request)
        face_id = _open(tx, case, views.text(request, "face", 400))
        if not families.may_see(tx, case, face_id):
            raise BadInput(_("This face can no longer be chosen."))
        sighting_id = families.sighting_of_face(tx, face_id)
        candidate = families.candidate_of(tx, case.id, face_id)
        lead = leads.open_lead(tx, sighting_id, case.id, candidate_id=candidate, who=person.login, why="the family")
        families.pick(tx, case.id, face_id, person.login, note, lead.id)
        audit.append(tx, who=person.login, what="family.picked", object=f"case:{case.ref}", details={"lead": lead.id})
    return go(request, "/family", _("Thank you. People will look at this face now, and you will read here what they find."))


def stage(item: Pick) -> str:
    """How far people are with a face that a family pointed to, in words that tell no place and no person (pure)."""
    return {
        None: "looking",
        LeadState.NEW: "looking",
        LeadState.REVIEWED: "looking",
        LeadState.SENT: "asked",
        LeadState.CHECKING: "asked",
        LeadState.DNA_PENDING: "dna",
        LeadState.RULED_OUT: "other_child",
        LeadState.CONFIRMED: "call",
        LeadState.CLOSED: "done",
    }[item.lead_state]


def _own(tx: Tx, request: Request) -> Case:
    """The case of the address, if this sign-in is its family's. Another's is told like one that is not there."""
    try:
        case = cases.get(tx, request.path_params["ref"])
    except NotFound:
        case = None
    if case is None or not current(request).owns(case.id):
        raise Forbidden(words(request)("This case is not yours to see."))
    return case


def _seal(tx: Tx, case: Case, face_id: int) -> str:
    sealed = tx.vault.seal(face_id.to_bytes(8, "big"), f"family:{case.id}")
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def _open(tx: Tx, case: Case, token: str) -> int:
    """The face of a sealed address.

    Raises:
        NotFound: it was not made for this case, or was changed.
    """
    try:
        sealed = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        return int.from_bytes(tx.vault.open(sealed, f"family:{case.id}")[:8], "big") & 0x7FFFFFFFFFFF
    except (binascii.Error, UnicodeEncodeError, ValueError, StoreError):
        raise NotFound("there is no such face") from None


def _month(request: Request, value: str) -> date | None:
    return views.day(request, f"{value}-01") if value else None
