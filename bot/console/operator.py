"""The operator's page: the whole at a glance; and the outbox, where people release, address or stop what waits for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot import readdress
from bot.console import counted, views
from bot.console.i18n import words
from bot.console.parts import NavEntry, Parts, Role, current, parts_of
from bot.console.render import go, render
from bot.console.security import require
from bot.console.views import PAGE
from bot.drift import verdict
from store import alerts, audit, officials, replies, sightings, spoken, status
from store.alerts import Alert
from store.audit import Event
from store.errors import BadInput
from store.model import AlertState, MessageKind
from store.session import Tx
from store.status import Figures

NAV = (
    NavEntry("/alerts", "Messages", frozenset({Role.LEAD_REVIEWER, Role.OPERATOR})),
    NavEntry("/operator", "Overview", frozenset({Role.OPERATOR, Role.AUDITOR})),
)
_DESK = (Role.LEAD_REVIEWER, Role.OPERATOR)
_EVENTS, _SHOWN = 200, 15


def routes(parts: Parts) -> list[BaseRoute]:
    """The pages of this module."""
    return [
        Route("/operator", overview),
        Route("/alerts", listing),
        Route("/alerts/{number}/release", release, methods=["POST"]),
        Route("/alerts/{number}/cancel", cancel, methods=["POST"]),
        Route("/alerts/{number}/address", address, methods=["POST"]),
        Route("/alerts/{number}/settle", settle, methods=["POST"]),
    ]


@require(Role.OPERATOR, Role.AUDITOR)
def overview(request: Request) -> Response:
    """Streams, queues, what is stuck, officials without accounts, drift of the matcher, messages sent today."""
    parts, whole = parts_of(request), counted.of(request)
    with parts.store.read() as tx:
        streams = status.stream_figures(tx)
        agencies = officials.agencies_of(tx)
        reachable = {account.agency.id for account in officials.accounts(tx) if account.verified}
        waiting = replies.counts(tx)
        drift = verdict(tx, parts.faces.pack.sha256) if parts.faces is not None else None
        sent = {name: spoken.sent_since(tx, name, None, tx.now - timedelta(days=1)) for name in sorted(parts.loaded.modules)}
        events = _runs(audit.listing(tx, limit=_EVENTS))
    covered = {agency.adcode[:2] for agency in agencies if agency.id in reachable}
    silent = sorted(((code, n) for code, n in whole.by_division().items() if code not in covered), key=lambda item: -item[1])
    return render(
        request,
        "operator.html",
        figures=whole.figures,
        streams=streams,
        without=[agency for agency in agencies if agency.id not in reachable],
        silent=silent,
        waiting=waiting,
        drift=drift,
        sent=sent,
        events=events,
        budgets=_budgets(parts, whole.figures),
    )


@require(*_DESK)
def listing(request: Request) -> Response:
    """Messages in a state; held ones first to be seen."""
    wanted = views.asked(request, "state")
    state = next((item for item in AlertState if item.value == wanted), AlertState.HELD)
    with parts_of(request).store.read() as tx:
        found = alerts.listing(tx, state=state, limit=PAGE, before=views.before(request))
        counts = alerts.counts(tx)
        seen = {alert.id: sightings.get(tx, alert.sighting_id) for alert in found if alert.sighting_id is not None}
    person = current(request)
    last = found[-1].id if len(found) == PAGE else None
    shown = [alert for alert in found if alert.id not in seen or person.covers(seen[alert.id].where.adcode)]
    return render(request, "operator_alerts.html", found=shown, seen=seen, state=state, counts=counts, last=last)


@require(*_DESK)
def release(request: Request) -> Response:
    """Let a held message go; the running bot says it at its next round."""
    _, person = words(request), current(request)
    with parts_of(request).store.write("console.release") as tx:
        alert = _theirs(tx, request)
        if alert.kind is MessageKind.ALERT and not alert.mentions:
            raise BadInput(_("This message calls nobody yet. Set the sighting's place, then address it."))
        alerts.release(tx, alert.id, person.login)
        audit.append(tx, who=person.login, what="alert.released", object=alert.ref, details={"alert": alert.id})
    return go(request, "/alerts", _("Released. The bot sends it at its next round."))


@require(*_DESK)
def cancel(request: Request) -> Response:
    """Stop a message that was not sent."""
    _, person, why = words(request), current(request), views.text(request, "why", 400)
    if not why:
        raise BadInput(_("Say why, in a few words."))
    with parts_of(request).store.write("console.cancel") as tx:
        alert = _theirs(tx, request)
        alerts.cancel(tx, alert.id, person.login, why)
        audit.append(tx, who=person.login, what="alert.cancelled", object=alert.ref, details={"alert": alert.id, "why": why})
    return go(request, "/alerts", _("Cancelled."))


@require(*_DESK)
def address(request: Request) -> Response:
    """Say anew whom a held alert calls, from the place as it was set by hand."""
    _, person, parts = words(request), current(request), parts_of(request)
    with parts.store.write("console.address") as tx:
        alert = _theirs(tx, request)
        named, _choice = readdress.address(tx, parts.loaded, alert.id, person.login)
    names = ", ".join(f"@{mention.handle}" for mention in named.mentions)
    return go(request, "/alerts", _("It now calls %(names)s. Read it once more, then release it.", names=names))


@require(*_DESK)
def settle(request: Request) -> Response:
    """Say, after looking, whether a doubtful message was published."""
    _, person = words(request), current(request)
    sent, note = views.text(request, "sent", 3) == "yes", views.text(request, "note", 400)
    if not note:
        raise BadInput(_("Say what you saw."))
    with parts_of(request).store.write("console.settle") as tx:
        alert = _theirs(tx, request)
        alerts.settle(tx, alert.id, person.login, sent=sent, note=note)
        audit.append(tx, who=person.login, what="alert.settled", object=alert.ref, details={"alert": alert.id, "sent": sent})
    return go(request, "/alerts?state=unknown", _("Settled."))


def _runs(events: Sequence[Event]) -> list[tuple[Event, int]]:
    """Entries with how often each stands there in a row: a family that looks through faces leaves one for every face."""
    found = [list(run) for _, run in groupby(events, key=lambda event: (event.who, event.what, event.object))]
    return [(run[0], len(run)) for run in found][:_SHOWN]


def _theirs(tx: Tx, request: Request) -> Alert:
    """The message of the address, if its sighting is in the reader's divisions."""
    alert = alerts.get(tx, views.number(request, "number"))
    if alert.sighting_id is not None:
        views.theirs(current(request), sightings.get(tx, alert.sighting_id), request)
    return alert


def _budgets(parts: Parts, figures: Figures) -> list[tuple[str, int | None, int | None, datetime | None]]:
    """Each platform that counts: (name, calls a day allowed, what is left, until when); None where nothing is known."""
    found: list[tuple[str, int | None, int | None, datetime | None]] = []
    for name in sorted(parts.loaded.modules):
        allowed = getattr(parts.loaded.platform_settings(name), "daily_calls", None)
        left = figures.calls_left.get(name, (None, None))
        if allowed is not None or left[0] is not None:
            found.append((name, allowed, *left))
    return found
