"""When a case was confirmed and closed, the posters who helped are thanked, once, with a text that names nobody."""

from __future__ import annotations

from datetime import timedelta

from bot.alerts.compose import compose
from bot.bot import Bot, PlatformSeat
from bot.log import get
from bot.steps import asked
from store import alerts, audit, cases, leads, posts, search, sightings
from store.alerts import NewAlert
from store.leads import Lead
from store.model import AlertState, Capability, CaseState, LeadState, MessageKind
from store.session import Tx
from store.sightings import Sighting

log = get("thanks")

_LATELY = timedelta(days=30)
"""Whoever was not thanked by then is not surprised with it years later."""
_WHY_HELD = "a person reads every thank-you first: its time and its words may tell what happened"


def thank(bot: Bot) -> int:
    """Put a thank-you for each poster of a confirmed lead whose case is closed into the outbox, where it waits for a person.

    Returns how many are new. Asking again changes nothing: one is kept for each post, ever.
    """
    with bot.store.read() as tx:
        due = [sighting.id for lead in _found(tx) for sighting in _helped(tx, lead.sighting_id) if not _thanked(tx, sighting)]
    if not due:
        return 0
    with bot.store.write("thanks.proposed") as tx:
        return sum(_thank(tx, bot, sightings.get(tx, number)) for number in due)


def _found(tx: Tx) -> list[Lead]:
    """Leads that were confirmed lately and whose case is closed."""
    recent = [
        lead
        for state in (LeadState.CONFIRMED, LeadState.CLOSED)
        for lead in leads.listing(tx, state=state, limit=100)
        if lead.updated_at > tx.now - _LATELY
    ]
    confirmed = [lead for lead in recent if any(e.to_state is LeadState.CONFIRMED for e in leads.history(tx, lead.id))]
    return [lead for lead in confirmed if cases.get(tx, lead.case_id).state is CaseState.CLOSED]


def _thanked(tx: Tx, sighting: Sighting) -> bool:
    post = posts.get(tx, sighting.post_id)
    return bool(alerts.listing(tx, kind=MessageKind.THANKS, platform=post.platform, target_post_id=post.post_id, limit=1))


def _helped(tx: Tx, sighting_id: int) -> list[Sighting]:
    sighting = sightings.get(tx, sighting_id)
    return [sighting, *search.same_photo(tx, sighting)]


def _thank(tx: Tx, bot: Bot, sighting: Sighting) -> int:
    stored = posts.get(tx, sighting.post_id)
    seat, post = bot.seats.get(stored.platform), stored.post
    if seat is None or post is None or not _welcome(tx, seat, stored.deleted_at is not None, post.author.id):
        return 0
    rules = seat.platform.rules
    text = compose(
        bot.templates, "thanks", lang=asked.language(post), ref=sighting.ref, max_length=rules.max_length, length=rules.length
    )
    number = alerts.propose(
        tx,
        NewAlert(
            platform=post.platform,
            target_post_id=post.id,
            kind=MessageKind.THANKS,
            ref=sighting.ref,
            text=text,
            reply_to_id=post.id,
            sighting_id=sighting.id,
            state=AlertState.HELD,
            hold_reason=_WHY_HELD,
        ),
    )
    if number is None:
        return 0
    audit.append(tx, who="bot", what="thanks.proposed", object=f"sighting:{sighting.ref}", details={"alert": number})
    log.info("thanks", sighting=sighting.ref, alert=number)
    return 1


def _welcome(tx: Tx, seat: PlatformSeat, deleted: bool, author_id: str) -> bool:
    """Whether a word to this poster is allowed and wanted."""
    allowed = seat.platform.rules.capabilities[Capability.REPLY_AUTHOR].on
    return allowed and not deleted and not posts.opted_out(tx, seat.name, author_id)
