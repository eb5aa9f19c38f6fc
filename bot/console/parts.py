"""What the console is built from, who is signed in, and the short ways to both from a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData
from starlette.requests import Request

from bot.faces import FaceBook
from bot.sections import ConsoleSettings
from bot.settings import Loaded, Settings
from ingest.photo import Decoder
from store.errors import SuishoupaiError
from store.model import Clock
from store.people import Role, User
from store.photos import PhotoFiles
from store.session import Store

if TYPE_CHECKING:
    from bot.console.render import Templates

__all__ = [
    "ROLE_TITLES",
    "Forbidden",
    "NavEntry",
    "Parts",
    "Person",
    "Role",
    "current",
    "form_of",
    "parts_of",
    "person_of",
    "public_url",
    "templates_of",
]


class Forbidden(SuishoupaiError):
    """A signed-in person asked for what is not theirs to see or do; answered with 403."""


ROLE_TITLES = {
    Role.VOLUNTEER: "Volunteer",
    Role.LEAD_REVIEWER: "Lead reviewer",
    Role.OFFICIAL: "Official",
    Role.FAMILY: "Family",
    Role.OPERATOR: "Operator",
    Role.AUDITOR: "Auditor",
}
"""What each role is called, in English."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What every page may use, opened by ``suishoupai console`` (or a test) and handed to ``create_app``.

    ``faces`` is the face engine; without it case photos are cropped by their box alone and cases cannot take photos.
    """

    loaded: Loaded
    store: Store
    files: PhotoFiles
    decoder: Decoder
    clock: Clock
    faces: FaceBook | None = None

    @property
    def settings(self) -> Settings:
        return self.loaded.settings

    @property
    def console(self) -> ConsoleSettings:
        return self.loaded.settings.console

    @property
    def zone(self) -> ZoneInfo:
        return self.loaded.settings.zone

    @property
    def public_url(self) -> str:
        """The address people type, without a slash at its end."""
        return public_url(self.settings)


def public_url(settings: Settings) -> str:
    """The console's address as people type it, without a slash at its end."""
    console = settings.console
    return (console.public_url or settings.alerts.console_url or f"http://{console.host}:{console.port}").rstrip("/")


@dataclass(frozen=True, slots=True)
class NavEntry:
    """A page in the navigation: its path, its English title (translated when shown) and who sees it."""

    path: str
    title: str
    roles: frozenset[Role]


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in. ``login`` is what stands in the audit record and in every ``by``/``who`` of the store."""

    id: int
    login: str
    name: str
    roles: frozenset[Role]
    divisions: tuple[str, ...] = ()
    cases: tuple[int, ...] = ()
    lang: str = ""

    def has(self, *roles: Role) -> bool:
        """Whether the person has one of these roles."""
        return not self.roles.isdisjoint(roles)

    def covers(self, adcode: str | None) -> bool:
        """Whether what happened in this division (GB/T 2260; None: unknown) is theirs to see.

        Nobody is limited who has no divisions, but for those who are officials alone: they see nothing then.
        """
        if not self.divisions:
            return self.roles != {Role.OFFICIAL}
        return adcode is not None and adcode.startswith(self.divisions)

    @property
    def reach(self) -> tuple[str, ...] | None:
        """What :meth:`covers` means, for a query: the prefixes of divisions; None is everywhere, none of them is nowhere."""
        return self.divisions if self.divisions or self.roles == {Role.OFFICIAL} else None

    def owns(self, case_id: int) -> bool:
        """Whether this is a family's sign-in for the case (its row number)."""
        return Role.FAMILY in self.roles and case_id in self.cases


def person_of(user: User) -> Person:
    """A stored user as the signed-in person."""
    known = {role.value for role in Role}
    roles = frozenset(Role(name) for name in user.roles if name in known)
    return Person(user.id, user.login, user.name or user.login, roles, user.divisions, user.cases, user.lang)


def parts_of(request: Request) -> Parts:
    """The console's parts."""
    found: Parts = request.app.state.parts
    return found


def templates_of(request: Request) -> Templates:
    """The console's templates and words."""
    found: Templates = request.app.state.templates
    return found


def current(request: Request) -> Person:
    """Who is signed in; for handlers behind ``require``.

    Raises:
        Forbidden: nobody is.
    """
    person: Person | None = getattr(request.state, "person", None)
    if person is None:
        raise Forbidden("nobody is signed in")
    return person


def form_of(request: Request) -> FormData:
    """The fields of a POST whose CSRF token was checked; empty for other requests."""
    found: FormData | None = getattr(request.state, "form", None)
    return FormData() if found is None else found
