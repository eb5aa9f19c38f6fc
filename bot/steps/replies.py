"""Officials answer where they were called: a comment or reply under an alert moves the lead, or goes to a person.

Who may answer is decided by the account's number in the directory, never by its name: an impostor with a similar handle is
recorded and gets no word back. What was read is confirmed to the official once.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from bot import leadwork, officials_replies
from bot.alerts.compose import compose
from bot.bot import Bot, PlatformSeat
from bot.leadwork import Given
from bot.log import get
from bot.officials_replies import Answer, Read
from bot.steps import asked
from ingest.divisions import table as divisions
from store import alerts, audit, leads, officials, replies, sightings
from store.alerts import NewAlert
from store.errors import BadInput
from store.model import Capability, MessageKind, OfficialAccount, Post
from store.posts import StoredPost
from store.replies import Called, NewReply, ReplyState
from store.session import Tx

log = get("replies")

_NATION = "000000"
_NEARLY = 0.85
"""Share of signs from which two handles are taken for an imitation: one sign changed, added or left out in seven."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reply from the directory does: which leads it moves, or why a person has to read it."""

    sighting_id: int | None
    lead_ids: tuple[int, ...] = ()
    why: str = ""


def handle(tx: Tx, bot: Bot, seat: PlatformSeat, stored: StoredPost) -> bool:
    """Take a post as an official's answer where it is one. True: it was, and nothing else is to be made of it.

    False for everybody else's posts, which go their usual way.
    """
    post = stored.post
    if post is None or not (post.reply_to_id or post.thread_id) or stored.deleted_at is not None:
        return False
    called = replies.called_by(tx, seat.name, {post.reply_to_id or "", post.thread_id or ""})
    read = officials_replies.read(post.text)
    if not called and not read.refs:
        return False
    listed = officials.accounts(tx, seat.name)
    account = next((one for one in listed if one.account_id == post.author.id), None)
    if account is None:
        return _refuse(tx, seat, stored, post, listed) if called else False
    verdict = judge(tx, account, read, called, today=tx.now.astimezone(bot.zone).date())
    _take(tx, bot, seat, stored, post, account, read, verdict)
    return True


def judge(tx: Tx, account: OfficialAccount, read: Read, called: Sequence[Called], today: object) -> Verdict:
    """Which leads an official's answer moves, or why it does not move any."""
    found = _about(tx, read, called)
    if len(found) != 1:
        return Verdict(None, why=f"it may be about {len(found)} sightings" if found else "no alert is known for it")
    (sighting_id,) = found
    unfit = _unfit(tx, account, sighting_id, today)
    if unfit or read.answer is Answer.UNCLEAR:
        return Verdict(sighting_id, why=unfit or read.why)
    try:
        moved = leadwork.plan(read.answer, leads.listing(tx, sighting_id=sighting_id))
        for lead in moved:
            wanted = officials_replies.LEAD_STATE[read.answer]
            if lead.state is not wanted and wanted not in leads.MOVES[lead.state]:
                return Verdict(sighting_id, why=f"lead {lead.id} is {lead.state.value}")
    except BadInput as error:
        return Verdict(sighting_id, why=str(error))
    return Verdict(sighting_id, tuple(lead.id for lead in moved))


def imitates(handle: str, genuine: str) -> bool:
    """Whether a handle could be taken for an official's (pure): the same but for look-alikes, or nearly the same."""
    one, other = _skeleton(handle), _skeleton(genuine)
    if not one or not other:
        return False
    return one == other or SequenceMatcher(None, one, other, autojunk=False).ratio() >= _NEARLY


def _about(tx: Tx, read: Read, called: Sequence[Called]) -> set[int]:
    """The sightings that the answer may be about: by the reference in it, else by the alert it stands under."""
    if read.refs:
        named = [one for ref in read.refs for one in called if one.ref == ref]
        named = named or [one for ref in read.refs for one in replies.called_for(tx, ref)]
        return {one.sighting_id for one in named if one.sighting_id is not None}
    return {one.sighting_id for one in called if one.sighting_id is not None}


def _unfit(tx: Tx, account: OfficialAccount, sighting_id: int, today: object) -> str:
    agency, adcode = account.agency, sightings.get(tx, sighting_id).where.adcode
    if not account.verified:
        return f"the account of {agency.name} is not verified"
    if not officials.in_office(agency, today):  # type: ignore[arg-type]
        return f"{agency.name} is not in office"
    if agency.adcode != _NATION and (adcode is None or not divisions().contains(agency.adcode, adcode)):
        return f"{agency.name} answers for {agency.adcode}, the sighting is in {adcode or 'no known place'}"
    return ""


def _take(
    tx: Tx, bot: Bot, seat: PlatformSeat, stored: StoredPost, post: Post, account: OfficialAccount, read: Read, verdict: Verdict
) -> None:
    applied = bool(verdict.lead_ids)
    kept = replies.record(
        tx,
        NewReply(
            post_id=stored.id,
            answer=read.answer.value,
            state=ReplyState.APPLIED if applied else ReplyState.OPEN,
            why=verdict.why,
            account_id=account.id,
            agency=account.agency.name,
            lead_id=verdict.lead_ids[0] if applied else None,
            sighting_id=verdict.sighting_id,
        ),
    )
    if kept is None:
        return
    given = Given(read.answer, f"{account.agency.name} (@{account.handle})", f"answered on {seat.name}", _place_of(post))
    for lead_id in verdict.lead_ids:
        leadwork.give(tx, leads.get(tx, lead_id), given)
    details = {"reply": kept.id, "answer": read.answer.value, "applied": applied, "leads": list(verdict.lead_ids)}
    audit.append(tx, who=f"agency:{account.agency.id}", what="official.replied", object=f"reply:{kept.id}", details=details)
    log.info("an official answered", reply=kept.id, answer=read.answer.value, applied=applied, why=verdict.why)
    if applied and verdict.sighting_id is not None:
        _acknowledge(tx, bot, seat, post, verdict.sighting_id)


def _acknowledge(tx: Tx, bot: Bot, seat: PlatformSeat, post: Post, sighting_id: int) -> None:
    """Confirm to the official, once, that the answer was understood. What is unclear is answered by a person."""
    rules = seat.platform.rules
    if not rules.capabilities[Capability.REPLY_AUTHOR].on:
        return
    ref = sightings.get(tx, sighting_id).ref
    text = compose(
        bot.templates, "acknowledged", lang=asked.language(post), ref=ref, max_length=rules.max_length, length=rules.length
    )
    alerts.propose(
        tx,
        NewAlert(
            platform=seat.name,
            target_post_id=post.id,
            kind=MessageKind.ACKNOWLEDGEMENT,
            ref=ref,
            text=text,
            reply_to_id=post.id,
            sighting_id=sighting_id,
        ),
    )


def _refuse(tx: Tx, seat: PlatformSeat, stored: StoredPost, post: Post, listed: Sequence[OfficialAccount]) -> bool:
    """Record who poses as an official; others who comment under an alert are passers-by and go their usual way."""
    copied = next((a for a in listed if any(imitates(name, a.handle) for name in (post.author.handle, post.author.name))), None)
    if copied is None:
        return False
    why = f"its name is like @{copied.handle}'s, its number is not"
    kept = replies.record(tx, NewReply(stored.id, Answer.UNCLEAR.value, ReplyState.REFUSED, why))
    if kept is not None:
        details = {"reply": kept.id, "platform": seat.name, "like": copied.id}
        audit.append(tx, who="bot", what="official.impostor", object=f"reply:{kept.id}", details=details)
        log.warning("an account poses as an official", platform=seat.name, reply=kept.id, like=copied.handle)
    return True


def _place_of(post: Post) -> str:
    return post.url or f"{post.platform}:{post.id}"


# What looks alike in a handle becomes one sign; what nobody notices becomes none.
_ALIKE = str.maketrans("01i|5ー", "olll" + "s一", "-_·.")


def _skeleton(handle: str) -> str:
    plain = unicodedata.normalize("NFKC", handle).casefold().translate(_ALIKE)
    return re.sub(r"[\s\u200b-\u200f\u2060\ufeff]+", "", plain)
