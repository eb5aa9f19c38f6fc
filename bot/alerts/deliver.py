"""Deliver: the outbox. Each message is published exactly once, on platforms that have no idempotency key.

1. ``ready -> sending`` is committed before the call (:func:`store.alerts.claim_next`), one message at a time on a platform.
2. A certain "not published" goes back to ready, or is dead when it is final. Anything doubtful becomes ``unknown``; a crash
   leaves ``sending``, which an expired lease turns into ``unknown`` too.
3. ``unknown`` is never sent again before the bot has read its own recent posts, after the platform had time to index them, and
   found nothing; and then with byte-identical text, so that the platform's own duplicate refusal is a second guard.
4. After ``alerts.reconcile_reads`` clean reads without a find, one more try; if that is doubtful too, a person decides.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from bot.alerts import brake, digest, redlines
from bot.bot import Bot, PlatformSeat
from bot.log import get, traced
from bot.steps.each import backoff
from store import alerts, audit, officials, posts, spoken
from store.alerts import Alert
from store.errors import (
    AlreadySaid,
    Doubtful,
    PlatformError,
    RateLimited,
    Refused,
    TargetGone,
    Unauthorised,
)
from store.model import MessageKind, OwnPost, Sent
from store.session import Tx

log = get("deliver")

_SPARE_S = 0.1
"""Share of the lease that must be left when the call begins: who stood still between claim and call does not make it."""
MAX_ATTEMPTS = 3
"""How often a message is sent in all (each time only after it was certainly, or by all signs, not published)."""
_CLOCK_SKEW = timedelta(minutes=10)
_LONGEST_WAIT = timedelta(days=1)
"""Platforms count calls by the day at most; a later reset is a platform's mistake, and must not silence the bot for years."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one round of delivery did on one platform."""

    platform: str
    sent: int = 0
    unknown: int = 0
    dead: int = 0
    back: int = 0
    held: int = 0
    found: int = 0
    stopped: str = ""


def deliver_all(bot: Bot) -> list[Delivered]:
    """Reconcile doubtful messages, then send what is ready, on every platform."""
    return [deliver(bot, seat) for seat in bot.seats.values()]


def deliver(bot: Bot, seat: PlatformSeat, limit: int = 50) -> Delivered:
    """One round on one platform: expired leases, reconciling, sending at most ``limit`` messages."""
    with bot.store.write("deliver.leases") as tx:
        alerts.expired_leases(tx, tx.now)
        if seat.in_hand is not None:
            # The last round ended (a locked database, a full disk) before it could record an outcome. Nobody else has this
            # message: waiting for its lease would keep the whole platform silent for as long.
            alerts.record_unknown(tx, *seat.in_hand, "its outcome could not be recorded", not_before=tx.now + _indexing(seat))
    seat.in_hand = None
    if seat.breaker.open_at(bot.clock()):
        return Delivered(seat.name, stopped=f"left alone for a while: {seat.breaker.why}")
    digest.propose(bot, seat)
    found = reconcile(bot, seat)
    tally: Counter[str] = Counter()
    stopped = ""
    for _ in range(limit):
        if bot.stopping.is_set() or seat.breaker.open_at(bot.clock()):
            break
        if seat.quiet_until is not None and seat.quiet_until > bot.clock():
            stopped = f"the platform asked to wait until {seat.quiet_until.astimezone(bot.zone):%H:%M:%S}"
            break
        with bot.store.write("deliver.claimed") as tx:
            alert = alerts.claim_next(tx, seat.name, tx.now, bot.settings.alerts.lease_s)
        if alert is None:
            break
        seat.in_hand = (alert.id, alert.attempt)
        with traced(alert.platform, alert.target_post_id):
            outcome = _send(bot, seat, alert)
        seat.in_hand = None
        tally[outcome] += 1
        if outcome == "back":
            stopped = "the platform does not take messages now"
            break
    counts = (tally["sent"], tally["unknown"], tally["dead"], tally["back"], tally["held"])
    return Delivered(seat.name, *counts, found=found, stopped=stopped)


def _send(bot: Bot, seat: PlatformSeat, alert: Alert) -> str:
    """Publish one claimed message. Returns sent, unknown, dead, held or back."""
    try:
        verdict = _last_look(bot, seat, alert)
        if verdict is not None:
            return _stop(bot, alert, *verdict)
        if not _still_mine(bot, alert):
            log.warning("stood still too long; another sender has this message", alert=alert.id)
            return "unknown"
        sent = seat.platform.say(alert.outgoing)
    except AlreadySaid:
        return _sent(bot, alert, Sent(None))
    except Doubtful as error:
        seat.breaker = seat.breaker.after(error, bot.clock())
        with bot.store.write("deliver.unknown") as tx:
            alerts.record_unknown(tx, alert.id, alert.attempt, str(error), not_before=tx.now + _indexing(seat))
        log.warning("doubtful", alert=alert.id, error=str(error))
        return "unknown"
    except (TargetGone, Refused) as error:
        return _stop(bot, alert, "dead", str(error))
    except PlatformError as error:
        seat.breaker = seat.breaker.after(error, bot.clock())
        return _back(bot, seat, alert, error)
    seat.breaker = seat.breaker.after(None, bot.clock())
    return _sent(bot, alert, sent)


def _still_mine(bot: Bot, alert: Alert) -> bool:
    with bot.store.read() as tx:
        return alerts.still_sending(tx, alert.id, alert.attempt, bot.settings.alerts.lease_s * _SPARE_S)


def _sent(bot: Bot, alert: Alert, sent: Sent) -> str:
    with bot.store.write("deliver.sent") as tx:
        alerts.record_sent(tx, alert.id, alert.attempt, sent.id, sent.url)
        audit.append(tx, who="bot", what=f"{alert.kind.value}.sent", object=alert.ref, details={"alert": alert.id})
    log.info("sent", alert=alert.id, kind=alert.kind.value, platform=alert.platform, id=sent.id)
    return "sent"


def _stop(bot: Bot, alert: Alert, outcome: str, why: str) -> str:
    """Record that a claimed message is not to be sent: dead for good, or held for a person."""
    with bot.store.write(f"deliver.{outcome}") as tx:
        if outcome == "held":
            alerts.back_to_ready(tx, alert.id, alert.attempt, why)
            alerts.hold(tx, alert.id, why)
        else:
            alerts.record_dead(tx, alert.id, alert.attempt, why)
    log.warning("not sent", alert=alert.id, outcome=outcome, why=why)
    return outcome


def _back(bot: Bot, seat: PlatformSeat, alert: Alert, error: PlatformError) -> str:
    """Certainly not published, and worth trying later: rate limit, token, network."""
    with bot.store.write("deliver.back") as tx:
        named = error.until if isinstance(error, RateLimited) else None
        until = min(named, tx.now + _LONGEST_WAIT) if named else tx.now + backoff(bot, alert.attempt - 1)
        alerts.back_to_ready(tx, alert.id, alert.attempt, str(error), not_before=until)
    if isinstance(error, RateLimited | Unauthorised):
        seat.quiet_until = until
    log.warning("not sent, will be tried again", alert=alert.id, error=str(error), until=until.isoformat())
    return "back"


# --- the last look before a message goes out --------------------------------------------------------------------


def _last_look(bot: Bot, seat: PlatformSeat, alert: Alert) -> tuple[str, str] | None:
    """Reasons not to send that may have come up since the decision: ("dead" | "held", why), or None.

    Raises:
        PlatformError: a handle could not be looked up; the message goes back and is tried later.
    """
    crossed = _crosses_a_red_line(seat, alert)
    if crossed:
        return "held", crossed
    with bot.store.read() as tx:
        row = posts.find(tx, seat.name, alert.target_post_id) if alert.target_post_id else None
        target = posts.get(tx, row) if row is not None else None
        author = target.post.author.id if target is not None and target.post is not None else ""
        silent = bool(author) and posts.opted_out(tx, seat.name, author) and alert.scope != "opt_out"
        over = "" if alert.kind is not MessageKind.ALERT or alert.decided_by else _over_cap(tx, bot, seat)
    if target is not None and target.deleted_at is not None:
        return "dead", "the post was deleted before this was sent"
    if silent and not (alert.kind is MessageKind.ALERT and alert.decided_by):
        return ("held" if alert.kind is MessageKind.ALERT else "dead"), "the author opted out before this was sent"
    if over:
        return "held", over
    if alert.kind in (MessageKind.ALERT, MessageKind.DIGEST):
        if not alert.mentions:
            return "held", "nobody is named in this alert"
        wrong = _wrong_mention(bot, seat, alert)
        if wrong:
            return "held", wrong
    return None


def _crosses_a_red_line(seat: PlatformSeat, alert: Alert) -> str:
    text = alert.text
    for mention in alert.mentions:
        text = text.replace(seat.platform.rules.mention(mention.handle), " ")
    try:
        redlines.check(re.sub(r"https?://\S+", " ", text))
    except redlines.RedLine as error:
        return str(error)
    return ""


def _over_cap(tx: Tx, bot: Bot, seat: PlatformSeat) -> str:
    """The caps once more, for alerts that were decided together: what counts is what goes out. This one counts itself."""
    caps, matching, set_brake = bot.settings.alerts.caps, bot.settings.matching, bot.settings.alerts.brake
    allowed = brake.limit(matching.photos_per_day, matching.high_one_in_photos, set_brake.multiple, set_brake.at_least)
    braked = brake.reason(spoken.decided_since(tx, MessageKind.ALERT, tx.now - timedelta(days=1)), allowed)
    if braked:
        return braked
    for hours, cap in ((1, caps.per_hour), (24, caps.per_day)):
        sent = spoken.sent_since(tx, seat.name, MessageKind.ALERT, tx.now - timedelta(hours=hours))
        if sent > cap:
            return f"{sent - 1} alerts went out in the last {hours} h (cap {cap})"
    return ""


def _wrong_mention(bot: Bot, seat: PlatformSeat, alert: Alert) -> str:
    """A handle that now belongs to somebody else must not be called: looked up before its first mention of a day."""
    today = bot.clock().astimezone(bot.zone).date()
    with bot.store.read() as tx:
        listed = {account.id: account for account in officials.accounts(tx, seat.name)}
    for mention in alert.mentions:
        known = listed.get(mention.account_id) if mention.account_id is not None else None
        if known is None or known.handle != mention.handle:
            return f"the account {mention.handle} is no longer in the directory under this handle"
        if seat.checked_handles.get(known.id) == today:
            continue
        info = seat.platform.account(mention.handle)
        if info is None or info.id != known.account_id:
            return f"the handle {mention.handle} no longer belongs to the account in the directory"
        seat.checked_handles[known.id] = today
    return ""


# --- reconciling ------------------------------------------------------------------------------------------------


def reconcile(bot: Bot, seat: PlatformSeat) -> int:
    """Read back the bot's own posts for every doubtful message that is due. Returns how many were found published."""
    with bot.store.read() as tx:
        due = alerts.in_doubt(tx, seat.name, tx.now, reads=bot.settings.alerts.reconcile_reads, attempts=MAX_ATTEMPTS)
    found = 0
    for alert in due:
        if bot.stopping.is_set():
            break
        since = (alert.sending_at or alert.created_at) - _CLOCK_SKEW
        try:
            own = seat.platform.own_recent(alert.reply_to_id, since)
        except PlatformError as error:
            seat.breaker = seat.breaker.after(error, bot.clock())
            log.warning("own posts cannot be read", platform=seat.name, error=str(error))
            break
        with traced(alert.platform, alert.target_post_id):
            found += _settle(bot, seat, alert, next((post for post in own if is_same(post, alert)), None))
    return found


def _settle(bot: Bot, seat: PlatformSeat, alert: Alert, own: OwnPost | None) -> int:
    """Record what a clean read-back showed: published, not yet visible, to be sent once more, or for a person."""
    with bot.store.write("reconcile.done") as tx:
        if own is not None:
            alerts.record_sent(tx, alert.id, alert.attempt, own.id, own.url)
            return 1
        reads = alerts.note_read(tx, alert.id, alert.attempt, tx.now + _indexing(seat))
        if reads >= bot.settings.alerts.reconcile_reads:
            why = f"not among the bot's own posts after {reads} complete reads"
            if alert.attempt < MAX_ATTEMPTS:
                alerts.back_to_ready(tx, alert.id, alert.attempt, f"{why}: sent once more, with the same words")
            else:
                log.error("a person must look whether this was published", alert=alert.id, ref=alert.ref)
                audit.append(tx, who="bot", what="alert.unknown", object=alert.ref, details={"alert": alert.id, "why": why})
    return 0


def is_same(own: OwnPost, alert: Alert) -> bool:
    """Whether ``own`` is this message: under the same post, with the same words.

    Platforms rewrite links (t.co), escape signs and put the addressee's handle before a reply; the words between stay.
    An answer and an alert under one post share their reference, so the reference alone would not tell them apart.
    """
    same_target = own.reply_to_id is None or not alert.target_post_id or own.reply_to_id == alert.target_post_id
    return same_target and _words(alert.text) in _words(own.text)


def _words(text: str) -> str:
    return re.sub(r"https?://\S+|\s+", "", html.unescape(text))


def _indexing(seat: PlatformSeat) -> timedelta:
    return timedelta(seconds=seat.platform.rules.indexing_delay_s)
