"""Cases in and out of files: a register's rows become drafts; PFIF to pass on, CSV and XLSX for colleagues."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot.casefiles import lines, pfif, tables
from bot.console import views
from bot.console.i18n import words
from bot.console.parts import NavEntry, Parts, Role, current, form_of, parts_of
from bot.console.render import render
from bot.console.security import require
from store import audit, cases
from store.errors import BadInput
from store.model import CaseState

NAV: tuple[NavEntry, ...] = ()
_DESK = (Role.LEAD_REVIEWER, Role.OPERATOR)
_FILE_BYTES = 30 * 1024 * 1024
_EXPORTED = 50_000
_KINDS = {
    "pfif": ("xml", "application/xml"),
    "csv": ("csv", "text/csv; charset=utf-8"),
    "xlsx": ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}
"""The ending and the media type of each form of export."""


def routes(parts: Parts) -> list[BaseRoute]:
    """The pages of this module."""
    return [
        Route("/cases/files", files),
        Route("/cases/import", import_file, methods=["POST"]),
        Route("/cases/export", export, methods=["POST"]),
    ]


@require(*_DESK)
def files(request: Request) -> Response:
    """Import and export."""
    return render(request, "cases_files.html", report=None, columns=tables.FIELDS)


@require(*_DESK, max_body=_FILE_BYTES)
def import_file(request: Request) -> Response:
    """Register the good rows of a file as drafts, and say of each wrong one what is wrong."""
    _, parts = words(request), parts_of(request)
    today = parts.clock().astimezone(parts.zone).date()
    name, data = _upload(request, "file")
    if not data:
        raise BadInput(_("Choose a file."))
    _name, mapping = _upload(request, "mapping")
    if name.lower().endswith((".xml", ".pfif")):
        found = pfif.read(data, today)
    else:
        found = tables.read_table(name, data, tables.load_mapping(mapping) if mapping else tables.ColumnMap(), today)
    report = lines.keep(parts.store, found, current(request).login)
    return render(request, "cases_files.html", report=report, columns=tables.FIELDS)


@require(*_DESK)
def export(request: Request) -> Response:
    """All cases as a file: PFIF to pass on (no contacts), CSV or XLSX for colleagues. Recorded; a POST, so that no link
    triggers it."""
    parts, person = parts_of(request), current(request)
    form = views.text(request, "form", 4)
    form = form if form in _KINDS else "csv"
    with parts.store.write("console.export") as tx:
        found = cases.listing(tx, CaseState.VERIFIED if form == "pfif" else None, limit=_EXPORTED)
        audit.append(tx, who=person.login, what="cases.exported", object="cases", details={"form": form, "cases": len(found)})
    if form == "pfif":
        body = pfif.write(found, domain=urlsplit(parts.public_url).hostname or "localhost", now=parts.clock())
    else:
        body = tables.write_xlsx(found) if form == "xlsx" else tables.write_csv(found).encode("utf-8-sig")
    ending, kind = _KINDS[form]
    return Response(body, media_type=kind, headers={"Content-Disposition": f'attachment; filename="cases.{ending}"'})


def _upload(request: Request, name: str) -> tuple[str, bytes]:
    item = form_of(request).get(name)
    if not isinstance(item, UploadFile) or not item.filename:
        return "", b""
    return item.filename, item.file.read()
