"""Leads: the list, one lead with its whole history, moving it on a record, closing its case, and the sheet to hand on."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot import leadwork, officials_replies
from bot.console import leadsheet, views
from bot.console.i18n import words
from bot.console.parts import NavEntry, Parts, Role, current, parts_of
from bot.console.photoview import photo_view
from bot.console.render import go, render, writing
from bot.console.security import require
from bot.console.views import PAGE, STAFF
from bot.leadwork import Given
from bot.officials_replies import Answer
from store import audit, cases, leads, posts, replies, search, sightings
from store.errors import BadInput, NotFound
from store.leads import ON_RECORD, Record, RecordKind
from store.model import LeadState
from store.replies import ReplyState

NAV = (
    NavEntry("/leads", "Leads", frozenset(STAFF)),
    NavEntry("/replies", "Officials' answers", frozenset({Role.LEAD_REVIEWER, Role.OPERATOR})),
)


def routes(parts: Parts) -> list[BaseRoute]:
    """The pages of this module."""
    return [
        Route("/leads", listing),
        Route("/leads/{number}", show),
        Route("/leads/{number}/print", sheet),
        Route("/leads/{number}/sheet.pdf", sheet_pdf),
        Route("/leads/{number}/case/{position}", case_photo),
        Route("/leads/{number}/move", move, methods=["POST"]),
        Route("/leads/{number}/conclude", conclude, methods=["POST"]),
        Route("/replies", reply_queue),
        Route("/replies/{number}", settle_reply, methods=["POST"]),
    ]


@require(*STAFF)
def listing(request: Request) -> Response:
    """Leads in a state, newest first, of the reader's divisions."""
    person, wanted = current(request), views.asked(request, "state")
    state = LeadState(wanted) if wanted in {item.value for item in LeadState} else None
    with parts_of(request).store.read() as tx:
        found = search.leads_in(tx, person.reach, (state,) if state else (), limit=PAGE, before=views.before(request))
        counts = search.count_leads_in(tx, person.reach)
    last = found[-1].lead.id if len(found) == PAGE else None
    return render(request, "leads.html", rows=found, state=state, counts=counts, last=last, states=list(LeadState))


@require(*STAFF)
def show(request: Request) -> Response:
    """One lead with its evidence and every move."""
    with parts_of(request).store.read() as tx:
        view = views.lead_view(tx, views.lead_of(tx, request))
    moves = [state for state in LeadState if state in leads.MOVES[view.lead.state]]
    return render(request, "leads_one.html", view=view, moves=moves, on_record=ON_RECORD, kinds=list(RecordKind))


@require(*STAFF)
def sheet(request: Request) -> Response:
    """A sheet to print and hand to an office by hand: the evidence and the hashes that prove it unchanged."""
    person = current(request)
    with parts_of(request).store.write("console.sheet") as tx:
        view = views.lead_view(tx, views.lead_of(tx, request))
        number, head = audit.head(tx)
        audit.append(tx, who=person.login, what="lead.printed", object=f"lead:{view.lead.id}")
    return render(request, "leads_print.html", view=view, audit_number=number, audit_head=head)


@require(*STAFF)
def sheet_pdf(request: Request) -> Response:
    """The same as a PDF, to be sent or printed."""
    parts, person = parts_of(request), current(request)
    with parts.store.write("console.sheet") as tx:
        view = views.lead_view(tx, views.lead_of(tx, request))
        head = audit.head(tx)
        audit.append(tx, who=person.login, what="lead.printed", object=f"lead:{view.lead.id}", details={"form": "pdf"})
    campaign = parts.settings.campaign
    made = leadsheet.pdf(
        view,
        writing(request),
        lambda sha256: parts.decoder.strip(parts.files.get(sha256), leadsheet.PHOTO_PX),
        now=parts.clock(),
        by=person.login,
        head=head,
        office=" · ".join(part for part in (campaign.name, campaign.operator, campaign.contact) if part),
    )
    name = f"{view.seen.sighting.ref}.pdf"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return Response(made, media_type="application/pdf", headers=headers)


@require(*STAFF, Role.OFFICIAL)
def case_photo(request: Request) -> Response:
    """A photo of the lead's case."""
    with parts_of(request).store.read() as tx:
        lead = views.lead_of(tx, request)
        case = cases.get(tx, lead.case_id)
        found = cases.photos_of(tx, case.id)
    position = views.number(request, "position")
    if not 1 <= position <= len(found):
        raise NotFound(words(request)("There is nothing here."))
    return photo_view(request, found[position - 1].sha256, object=f"case:{case.ref}", max_side_px=640)


@require(Role.LEAD_REVIEWER)
def move(request: Request) -> Response:
    """Move a lead by hand, with who and why; a final state needs an official's or a DNA record."""
    _, person = words(request), current(request)
    wanted, why, reference = views.text(request, "state", 20), views.text(request, "why"), views.text(request, "record", 400)
    if wanted not in {state.value for state in LeadState}:
        raise BadInput(_("Choose what the lead becomes."))
    if not why:
        raise BadInput(_("Say why, in a few words."))
    kind = RecordKind.DNA if views.text(request, "kind", 20) == RecordKind.DNA.value else RecordKind.OFFICIAL
    with parts_of(request).store.write("console.lead") as tx:
        lead = views.lead_of(tx, request)
        record = Record(kind, reference) if reference else None
        moved = leads.move(tx, lead.id, LeadState(wanted), who=person.login, why=why, record=record)
        details = {"from": lead.state.value, "to": moved.state.value}
        audit.append(tx, who=person.login, what="lead.moved", object=f"lead:{lead.id}", details=details)
    return go(request, f"/leads/{lead.id}", _("The lead was moved."))


@require(Role.LEAD_REVIEWER)
def conclude(request: Request) -> Response:
    """Close the case of a confirmed lead: the search for this child ends."""
    _, person = words(request), current(request)
    with parts_of(request).store.write("console.conclude") as tx:
        lead = views.lead_of(tx, request)
        leadwork.conclude(tx, lead.id, person.login, views.text(request, "why") or "found")
    return go(request, f"/leads/{lead.id}", _("The case is closed. A thank-you to the posters waits to be released."))


@require(Role.LEAD_REVIEWER, Role.OPERATOR)
def reply_queue(request: Request) -> Response:
    """What officials wrote that the bot could not read for certain."""
    wanted = views.asked(request, "state")
    state = ReplyState(wanted) if wanted in {item.value for item in ReplyState} else ReplyState.OPEN
    with parts_of(request).store.read() as tx:
        found = replies.listing(tx, state=state, limit=PAGE, before=views.before(request))
        rows = []
        for reply in found:
            seen = None if reply.sighting_id is None else sightings.get(tx, reply.sighting_id)
            about = [] if seen is None else leads.listing(tx, sighting_id=seen.id)
            rows.append((reply, posts.get(tx, reply.post_id), seen, about))
        counts = replies.counts(tx)
    last = found[-1].id if len(found) == PAGE else None
    answers = list(officials_replies.LEAD_STATE)
    shown = [row for row in rows if row[2] is None or current(request).covers(row[2].where.adcode)]
    return render(request, "leads_replies.html", rows=shown, state=state, counts=counts, last=last, answers=answers)


@require(Role.LEAD_REVIEWER)
def settle_reply(request: Request) -> Response:
    """Say what an official's answer means; the lead it is about moves, with the answer as its record."""
    _, person = words(request), current(request)
    wanted = views.text(request, "answer", 20)
    with parts_of(request).store.write("console.reply") as tx:
        reply = replies.get(tx, views.number(request, "number"))
        if wanted == "none":
            replies.settle(tx, reply.id, person.login, reply.answer, _("no answer to a lead"))
        else:
            if wanted not in {answer.value for answer in officials_replies.LEAD_STATE}:
                raise BadInput(_("Choose what the answer means and which lead it is about."))
            lead = leads.get(tx, views.row(request, "lead"))
            views.theirs(person, sightings.get(tx, lead.sighting_id), request)
            if lead.sighting_id != reply.sighting_id and reply.sighting_id is not None:
                raise BadInput(_("That lead is about another sighting."))
            post = posts.get(tx, reply.post_id)
            where = (post.post.url if post.post is not None else "") or f"{post.platform}:{post.post_id}"
            who = f"{reply.agency} ({person.login})"
            leadwork.give(tx, lead, Given(Answer(wanted), who, _("read by a person"), where))
            replies.settle(tx, reply.id, person.login, wanted, _("read by a person"), lead.id)
        audit.append(tx, who=person.login, what="official.reply_settled", object=f"reply:{reply.id}", details={"as": wanted})
    return go(request, "/replies", _("The answer is settled."))
