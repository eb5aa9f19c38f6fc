"""The public pages: figures without persons, how it works, what happens to a photo; the same figures as JSON and CSV, and
an Atom feed (RFC 4287) of released broadcasts.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree as xml

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bot.console.keeper import Keeper
from bot.console.parts import NavEntry, Parts, parts_of
from bot.console.render import render
from bot.console.security import everyone
from bot.figures import MEASURES, SMALLEST, Published, as_csv, as_json, publish
from ingest.divisions import table as divisions
from store import figures

NAV: tuple[NavEntry, ...] = ()

FRESH = timedelta(minutes=10)
_CACHE = "public, max-age=300"
_ATOM = "http://www.w3.org/2005/Atom"


def count(parts: Parts) -> Published:
    """The figures of this instant."""
    now = parts.clock()
    offset = now.astimezone(parts.zone).utcoffset() or timedelta()
    with parts.store.read() as tx:
        return publish(figures.counts(tx, offset), now)


def routes(parts: Parts) -> list[BaseRoute]:
    keeper = Keeper(lambda: count(parts), parts.clock, FRESH)

    def page(request: Request) -> Response:
        return _page(request, keeper.get())

    def feed_json(request: Request) -> Response:
        return JSONResponse(as_json(keeper.get(), provinces()), headers=_shared())

    def feed_csv(request: Request) -> Response:
        return Response(as_csv(keeper.get(), provinces()), media_type="text/csv; charset=utf-8", headers=_shared())

    return [
        Route("/public", everyone()(page)),
        Route("/public/figures.json", feed_json),
        Route("/public/figures.csv", feed_csv),
        Route("/public/broadcasts.atom", atom),
        Route("/public/openapi.json", openapi),
    ]


def _shared() -> dict[str, str]:
    """Feeds may be kept by caches and read by other sites' pages: they hold nothing about anybody."""
    return {"Cache-Control": _CACHE, "Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}


@lru_cache(maxsize=1)
def provinces() -> dict[str, str]:
    """The provinces' names by their two digits."""
    table = divisions()
    return {code[:2]: table.full_name(code) for code in (f"{n}0000" for n in range(11, 83)) if table.get(code) is not None}


def _page(request: Request, published: Published) -> Response:
    months = list(published.by_month())[:12]
    return render(
        request,
        "public.html",
        published=published,
        retention=parts_of(request).settings.retention,
        measures=MEASURES,
        smallest=SMALLEST,
        provinces=published.by_province(),
        names=provinces(),
        months={month: published.by_month()[month] for month in months},
        hidden={(c.province, c.measure) for c in published.cells if c.number is None},
    )


def atom(request: Request) -> Response:
    """Released broadcasts, newest first; an empty feed until there are any."""
    parts = parts_of(request)
    with parts.store.read() as tx:
        released = figures.broadcasts(tx)
    here = f"{parts.public_url}/public/broadcasts.atom"
    xml.register_namespace("", _ATOM)
    feed = xml.Element(f"{{{_ATOM}}}feed")
    _add(feed, "title", parts.settings.campaign.name)
    _add(feed, "id", here)
    _add(feed, "link", rel="self", href=here)
    _add(feed, "link", href=f"{parts.public_url}/public")
    author = _add(feed, "author")
    _add(author, "name", parts.settings.campaign.operator or parts.settings.campaign.name)
    _add(feed, "updated", (released[0].sent_at if released else datetime(2026, 1, 1, tzinfo=parts.zone)).isoformat())
    for notice in released:
        entry = _add(feed, "entry")
        _add(entry, "title", f"{parts.settings.campaign.name} {notice.ref}")
        _add(entry, "id", f"{here}#{notice.ref}-{int(notice.sent_at.timestamp())}")
        _add(entry, "updated", notice.sent_at.isoformat())
        if notice.url:
            _add(entry, "link", href=notice.url)
        _add(entry, "content", notice.text, type="text")
    body = b'<?xml version="1.0" encoding="utf-8"?>\n' + xml.tostring(feed, encoding="utf-8")
    return Response(body, media_type="application/atom+xml; charset=utf-8", headers=_shared())


def _add(parent: xml.Element, name: str, text: str = "", **attributes: str) -> xml.Element:
    child = xml.SubElement(parent, f"{{{_ATOM}}}{name}", attributes)
    # XML 1.0 (2.2) has no control characters but these three.
    child.text = "".join(c for c in text if c in "\t\n\r" or c >= " ") or None
    return child


def openapi(request: Request) -> Response:
    """The OpenAPI 3.1 document of the feeds."""
    return JSONResponse(document(parts_of(request).public_url), headers=_shared())


def document(server: str) -> dict[str, Any]:
    """The feeds, described for machines."""
    numbers = {"type": "object", "required": list(MEASURES), "additionalProperties": False}
    whole = {measure: {"type": "integer", "minimum": 0} for measure in MEASURES}
    pooled = {
        "type": "object",
        "required": ["month", "measure", "number"],
        "additionalProperties": False,
        "properties": {
            "month": {"type": "string"},
            "measure": {"enum": list(MEASURES)},
            "number": {"type": "integer", "minimum": SMALLEST, "description": "What the month's held-back cells make together."},
        },
    }
    cell = {
        "type": "object",
        "required": ["province", "name", "month", "measure", "number", "suppressed"],
        "additionalProperties": False,
        "properties": {
            "province": {"type": "string", "pattern": "^([0-9]{2})?$", "description": "First two digits of GB/T 2260."},
            "name": {"type": "string"},
            "month": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"},
            "measure": {"enum": list(MEASURES)},
            "number": {"type": ["integer", "null"], "minimum": SMALLEST, "description": "null: 1 to 2, held back."},
            "suppressed": {"type": "boolean"},
        },
    }
    body = {
        "type": "object",
        "required": ["at", "smallest", "total", "elsewhere", "cells"],
        "additionalProperties": False,
        "properties": {
            "at": {"type": "string", "format": "date-time"},
            "smallest": {"const": SMALLEST},
            "total": {**numbers, "properties": whole},
            "elsewhere": {"type": "array", "items": pooled},
            "cells": {"type": "array", "items": cell},
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "随手拍 figures", "version": "1", "description": "Counts by province and month, never of persons."},
        "servers": [{"url": server}],
        "paths": {
            "/public/figures.json": {"get": _operation("figures", "application/json", body)},
            "/public/figures.csv": {"get": _operation("figures_csv", "text/csv", {"type": "string"})},
            "/public/broadcasts.atom": {"get": _operation("broadcasts", "application/atom+xml", {"type": "string"})},
            "/public/openapi.json": {"get": _operation("openapi", "application/json", {"type": "object"})},
        },
    }


def _operation(name: str, kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    answer = {"description": "The present state.", "content": {kind: {"schema": schema}}}
    return {"operationId": name, "summary": name, "responses": {"200": answer}}
