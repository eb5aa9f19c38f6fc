"""One digest a day for an official whose alerts were held back by a cap, instead of silence or a flood.

The held alerts stay held, for people; the digest says how many there are and where to look. It goes out once a day at
``alerts.digest_hour``, for what was held in the 24 hours before.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.alerts.compose import compose
from bot.bot import Bot, PlatformSeat
from bot.log import get
from store import alerts, audit, officials
from store.alerts import Alert, Mention, NewAlert
from store.model import AlertState, Capability, MessageKind

log = get("digest")

_BY_CAP = re.compile(r"\(cap \d+\)$|has had today's mentions$")
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Window:
    """The day a digest is for, and the span of time it sums up: [start, end)."""

    day: date
    start: datetime
    end: datetime


def window(now: datetime, zone: ZoneInfo, hour: int) -> Window | None:
    """Today's window once ``hour`` (campaign time) has come, None before."""
    local = now.astimezone(zone)
    end = datetime.combine(local.date(), time(hour), zone)
    return Window(local.date(), end - timedelta(days=1), end) if local >= end else None


def held_by_cap(found: Iterable[Alert], span: Window) -> dict[Mention, int]:
    """How many alerts of ``span`` each official did not get because of a cap."""
    counts: defaultdict[Mention, int] = defaultdict(int)
    for alert in found:
        if _BY_CAP.search(alert.hold_reason or "") and span.start <= alert.created_at < span.end:
            for mention in alert.mentions:
                if mention.account_id is not None:
                    counts[mention] += 1
    return dict(counts)


def propose(bot: Bot, seat: PlatformSeat) -> int:
    """Put today's digests of a platform into the outbox; safe to repeat. Returns how many are new."""
    hour = bot.settings.alerts.digest_hour
    if hour is None or bot.settings.alerts.release != "auto":
        return 0
    span = window(bot.clock(), bot.zone, hour)
    if span is None or not seat.platform.rules.capabilities[Capability.MENTION_OTHERS].on:
        return 0
    with bot.store.read() as tx:
        held = alerts.listing(tx, state=AlertState.HELD, kind=MessageKind.ALERT, platform=seat.name, limit=_MOST)
        known = {account.id for account in officials.accounts(tx, seat.name)}
        said = {a.scope for a in alerts.listing(tx, kind=MessageKind.DIGEST, platform=seat.name, limit=_MOST)}
    due = {m: n for m, n in held_by_cap(held, span).items() if m.account_id in known and _scope(span, m) not in said}
    return sum(_propose(bot, seat, span, mention, count) for mention, count in due.items())


def _scope(span: Window, mention: Mention) -> str:
    return f"{span.day.isoformat()}:{mention.account_id}"


def _propose(bot: Bot, seat: PlatformSeat, span: Window, mention: Mention, count: int) -> bool:
    rules, base = seat.platform.rules, bot.settings.alerts.console_url.rstrip("/")
    ref = f"D-{span.day:%m%d}-{mention.account_id}"
    text = compose(
        bot.templates,
        "digest",
        lang="zh",
        ref=ref,
        max_length=rules.max_length,
        length=rules.length,
        mentions=[rules.mention(mention.handle)],
        link=base,
        count=count,
    )
    with bot.store.write("digest.proposed") as tx:
        new = NewAlert(
            platform=seat.name,
            target_post_id="",
            kind=MessageKind.DIGEST,
            ref=ref,
            text=text,
            scope=_scope(span, mention),
            mentions=(mention,),
        )
        number = alerts.propose(tx, new)
        if number is not None:
            audit.append(tx, who="bot", what="digest.proposed", object=ref, details={"alert": number, "count": count})
    log.info("digest", ref=ref, count=count, platform=seat.name)
    return number is not None
