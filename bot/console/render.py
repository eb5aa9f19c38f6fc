"""Templates and what each of them may use; a notice that the next page shows once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time, format_timedelta
from babel.numbers import format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from bot.console.i18n import LANGUAGES, babel_locale, language, plural_in, told_in, words_in
from bot.console.imagelink import address
from bot.console.leadsheet import Writing
from bot.console.parts import ROLE_TITLES, NavEntry, Parts, Person, Role, templates_of
from bot.console.security import cookie_names, csrf_token, set_cookie
from bot.sections import CampaignSettings
from ingest import divisions

TEMPLATES_DIR = Path(__file__).parent / "templates"
_NOTICE_CHARS = 400


class Templates:
    """The templates folder with the console's filters, and the navigation."""

    def __init__(self, parts: Parts, nav: Sequence[NavEntry]) -> None:
        self.parts = parts
        self.nav = tuple(nav)
        self.environment = _environment(parts.settings.campaign)

    def nav_for(self, person: Person | None) -> list[NavEntry]:
        """The pages that this person may open, in order."""
        return [entry for entry in self.nav if person is not None and person.has(*entry.roles)]

    def page(self, request: Request, template: str, context: Mapping[str, Any]) -> str:
        """A page as HTML."""
        lang = language(request)
        person = getattr(request.state, "person", None)
        met = hasattr(request.state, "visit")
        shown = {
            "_": words_in(lang),
            "ngettext": plural_in(lang),
            "lang": lang,
            "zone": self.parts.zone,
            "now": self.parts.clock(),
            "person": person,
            "nav": self.nav_for(person),
            "path": request.url.path,
            "query": request.url.query,
            "csrf": csrf_token(request) if met else "",
            "session": request.state.session if met else "",
            "notice": unquote(request.cookies.get(cookie_names(self.parts)["notice"], "")),
        }
        return self.environment.get_template(template).render({**shown, **context})


@lru_cache(maxsize=4)
def _environment(campaign: CampaignSettings) -> Environment:
    """The templates, compiled once a process for each campaign: nothing of a request or of a store is in them."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES_DIR), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters.update(
        moment=_moment, span=_span, told=_told, day=_day, ago=_ago, number=_number, division=division_name, local=_local_input
    )
    made.filters["image"] = _image
    made.globals.update(Role=Role, role_titles=ROLE_TITLES, languages=LANGUAGES, campaign=campaign)
    return made


def render(request: Request, template: str, status: int = 200, /, **context: Any) -> HTMLResponse:
    """``template`` as an answer.

    Every template has ``_``, ``ngettext``, ``lang``, ``person``, ``nav``, ``path``, ``csrf``, ``now``, ``zone``, ``notice``, the
    filters ``moment`` (instant), ``day`` (date), ``ago``, ``number``, ``division`` (adcode to its full name) and ``image`` (a
    photo's path to its signed address), and ``Role``.
    """
    response = HTMLResponse(templates_of(request).page(request, template, context), status)
    notice = cookie_names(templates_of(request).parts)["notice"]
    if notice in request.cookies:
        response.delete_cookie(notice, path="/", secure=not templates_of(request).parts.console.insecure_cookies, httponly=True)
    return response


def go(request: Request, path: str, notice: str = "") -> RedirectResponse:
    """After a POST: to ``path``, which shows ``notice`` (already translated) once."""
    response = RedirectResponse(path, status_code=303)
    if notice:
        set_cookie(request, response, "notice", quote(notice[:_NOTICE_CHARS]), seconds=60)
    return response


def writing(request: Request) -> Writing:
    """How things are written for this request's reader, outside templates."""
    lang, zone = language(request), templates_of(request).parts.zone
    locale = babel_locale(lang)
    return Writing(
        lang=lang,
        say=words_in(lang),
        moment=lambda value: "" if value is None else _written(value, "medium", zone, lang),
        span=lambda start, end: _told_span(start, end, zone, lang),
        day=lambda value: "" if value is None else format_date(value, "medium", locale=locale),
        division=division_name,
    )


def division_name(adcode: str | None) -> str:
    """The full name of a division ("广东省深圳市罗湖区"), the code itself where the table does not know it."""
    if not adcode:
        return ""
    table = divisions.table()
    return table.full_name(adcode) if table.get(adcode) is not None else adcode


@pass_context
def _image(context: Context, path: str) -> str:
    """The address of one of our images for this reader (bot/console/imagelink.py)."""
    return address(context["session"], path, context["now"])


@pass_context
def _moment(context: Context, value: datetime | None, form: str = "medium") -> str:
    if value is None:
        return ""
    return _written(value, form, context["zone"], context["lang"])


@lru_cache(maxsize=8192)
def _written(value: datetime, form: str, zone: ZoneInfo, lang: str) -> str:
    """Kept, since a list writes the same instants for every reader, and Babel takes 60 microseconds for each."""
    return format_datetime(value, form, tzinfo=zone, locale=babel_locale(lang))


@pass_context
def _span(context: Context, start: datetime | None, end: datetime | None) -> str:
    return _told_span(start, end, context["zone"], context["lang"])


def _told_span(start: datetime | None, end: datetime | None, zone: ZoneInfo, lang: str) -> str:
    """From when until when; the day is said once where both lie on it."""
    if start is None or end is None or start == end:
        one = start or end
        return "" if one is None else _written(one, "short", zone, lang)
    one_day = start.astimezone(zone).date() == end.astimezone(zone).date()
    told = format_time(end, "short", tzinfo=zone, locale=babel_locale(lang)) if one_day else _written(end, "short", zone, lang)
    return f"{_written(start, 'short', zone, lang)} – {told}"


@pass_context
def _told(context: Context, text: str | None) -> str:
    return told_in(context["lang"], text or "")


@pass_context
def _local_input(context: Context, value: datetime | None) -> str:
    """As ``<input type="datetime-local">`` wants it, in the campaign's time zone."""
    return "" if value is None else value.astimezone(context["zone"]).strftime("%Y-%m-%dT%H:%M")


@pass_context
def _day(context: Context, value: date | None, form: str = "medium") -> str:
    if isinstance(value, datetime):  # an instant's date is that of the campaign's clocks
        value = value.astimezone(context["zone"]).date()
    return "" if value is None else format_date(value, form, locale=babel_locale(context["lang"]))


@pass_context
def _ago(context: Context, value: datetime | None) -> str:
    if value is None:
        return ""
    return format_timedelta(value - context["now"], add_direction=True, locale=babel_locale(context["lang"]))


@pass_context
def _number(context: Context, value: float | None) -> str:
    return "" if value is None else format_decimal(value, locale=babel_locale(context["lang"]))
