"""What the pages about sightings, leads and cases show of one thing, gathered in one transaction; and who may see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from starlette.requests import Request

from bot.console.i18n import words
from bot.console.parts import Forbidden, Person, Role, current, form_of
from store import alerts, cases, families, leads, matches, posts, replies, sightings
from store import photos as photo_store
from store.alerts import Alert
from store.cases import Case, CasePhoto
from store.errors import BadInput, NotFound
from store.families import Pick
from store.leads import Lead, LeadEvent
from store.matches import Candidate
from store.media import MediaState
from store.model import Post
from store.posts import StoredPost
from store.replies import Reply
from store.session import Tx
from store.sightings import Sighting

STAFF = (Role.VOLUNTEER, Role.LEAD_REVIEWER, Role.OPERATOR, Role.AUDITOR)
"""Who reads sightings and leads: everybody but families (never) and officials (theirs, on a page of their own)."""
PAGE = 50
RECENT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Shown:
    """A photo of a sighting: its number in the page's addresses (from 1) and its content hash."""

    number: int
    photo_id: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SightingView:
    """A sighting with its post and photos."""

    sighting: Sighting
    stored: StoredPost
    photos: tuple[Shown, ...]

    @property
    def post(self) -> Post | None:
        return self.stored.post


@dataclass(frozen=True, slots=True)
class LeadView:
    """A lead with everything its page shows. ``candidate`` is None where a person opened it."""

    lead: Lead
    seen: SightingView
    case: Case
    case_photos: tuple[CasePhoto, ...]
    history: tuple[LeadEvent, ...]
    candidate: Candidate | None
    replies: tuple[Reply, ...]
    picks: tuple[Pick, ...]
    messages: tuple[Alert, ...]


def sighting_view(tx: Tx, key: int | str) -> SightingView:
    """A sighting as pages show it.

    Raises:
        NotFound: there is none.
    """
    sighting = sightings.get(tx, key)
    stored = posts.get(tx, sighting.post_id)
    shown = [picture.photo_id for picture in stored.media if picture.state is MediaState.STORED and picture.photo_id is not None]
    photos = [Shown(number, photo_id, photo_store.get(tx, photo_id).sha256) for number, photo_id in enumerate(shown, 1)]
    return SightingView(sighting, stored, tuple(photos))


def lead_view(tx: Tx, lead: Lead) -> LeadView:
    """A lead as pages show it."""
    seen = sighting_view(tx, lead.sighting_id)
    case = cases.get(tx, lead.case_id)
    return LeadView(
        lead=lead,
        seen=seen,
        case=case,
        case_photos=tuple(cases.photos_of(tx, case.id)),
        history=tuple(leads.history(tx, lead.id)),
        candidate=None if lead.candidate_id is None else matches.get(tx, lead.candidate_id),
        replies=tuple(replies.listing(tx, sighting_id=lead.sighting_id)),
        picks=tuple(families.of_lead(tx, lead.id)),
        messages=tuple(alerts.listing(tx, platform=seen.stored.platform, target_post_id=seen.stored.post_id)),
    )


def theirs(person: Person, sighting: Sighting, request: Request) -> None:
    """Refuse a sighting outside the reader's divisions.

    Raises:
        Forbidden: it is not theirs to see.
    """
    if not person.covers(sighting.where.adcode):
        raise Forbidden(words(request)("This sighting is not in your division."))


def see_case(tx: Tx, person: Person, case: Case, request: Request) -> None:
    """Refuse a case to officials unless a lead leads from it to their division.

    Raises:
        Forbidden: it is not theirs to see.
    """
    if person.has(*STAFF):
        return
    found = leads.listing(tx, case_id=case.id, limit=500)
    if not any(person.covers(sightings.get(tx, lead.sighting_id).where.adcode) for lead in found):
        raise Forbidden(words(request)("This case does not concern your division."))


def lead_of(tx: Tx, request: Request) -> Lead:
    """The lead that the address names, if it is the reader's to see.

    Raises:
        NotFound, Forbidden: there is none, or it lies in another division.
    """
    lead = leads.get(tx, number(request, "number"))
    theirs(current(request), sightings.get(tx, lead.sighting_id), request)
    return lead


# --- reading addresses and forms -----------------------------------------------------------------------------------


def number(request: Request, name: str) -> int:
    """A number of the address.

    Raises:
        NotFound: it is none.
    """
    value = request.path_params[name]
    if not value.isascii() or not value.isdigit() or len(value) > 12:
        raise NotFound(words(request)("There is nothing here."))
    return int(value)


def before(request: Request) -> int | None:
    """Where an earlier page of a list ended (``?before=``)."""
    value = request.query_params.get("before", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 12 else None


def asked(request: Request, name: str) -> str:
    """A field of the address's query, without blanks around it."""
    return request.query_params.get(name, "").strip()[:200]


def text(request: Request, name: str, limit: int = 2000) -> str:
    """A field of the posted form, without blanks around it."""
    value = form_of(request).get(name, "")
    return value.strip()[:limit] if isinstance(value, str) else ""


def day(request: Request, value: str) -> date | None:
    """A date as forms send it; None for nothing.

    Raises:
        BadInput: it is no date.
    """
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise BadInput(words(request)("%(value)s is no date.", value=value)) from None


def instant(request: Request, value: str, zone: object) -> datetime | None:
    """A local time as forms send it, in the campaign's zone; None for nothing.

    Raises:
        BadInput: it is no time.
    """
    try:
        return datetime.fromisoformat(value).replace(tzinfo=zone).astimezone(UTC) if value else None  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        raise BadInput(words(request)("%(value)s is no time.", value=value)) from None


def whole(request: Request, value: str) -> int | None:
    """A whole number as forms send it; None for nothing.

    Raises:
        BadInput: it is none.
    """
    if not value:
        return None
    if not value.isascii() or not value.isdigit() or len(value) > 4:
        raise BadInput(words(request)("%(value)s is no whole number.", value=value))
    return int(value)


def row(request: Request, name: str) -> int:
    """A row's number from the posted form.

    Raises:
        BadInput: it is none.
    """
    value = text(request, name, 12)
    if not value.isascii() or not value.isdigit():
        raise BadInput(words(request)("%(value)s is no whole number.", value=value))
    return int(value)
