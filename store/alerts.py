"""The outbox: every message the bot means to say, said once or flagged.

``ready -> sending`` is committed before the call, with an attempt number and a lease. What may have been published becomes
``unknown`` and is looked for among the bot's own posts; only what certainly was not goes back to ``ready``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, or_, select, update

from store import dialect
from store.errors import BadInput, NotFound
from store.model import AlertState, MessageKind, Outgoing
from store.session import Due, DueKind, Tx
from store.tables import alert_mentions, alerts
from store.tally import tally

_S = AlertState


@dataclass(frozen=True, slots=True)
class Mention:
    """An account that a message names; ``account_id`` is the directory's row where it is an official's."""

    handle: str
    account_id: int | None = None


@dataclass(frozen=True, slots=True)
class NewAlert:
    """A message in its final text. One (platform, ``target_post_id``, kind, scope) is said at most once, ever.

    ``target_post_id`` is the post it is about ("" for a digest, whose ``scope`` then names its day and division).
    ``state`` is READY, or HELD with a ``hold_reason`` for a person to release. Of what is ready the lowest ``turn`` goes first:
    0 for alerts, for an answer the number of answers its author was given lately, this one included.
    """

    platform: str
    target_post_id: str
    kind: MessageKind
    ref: str
    text: str
    scope: str = ""
    reply_to_id: str | None = None
    reply_to_comment_id: str | None = None
    thread_id: str | None = None
    mentions: tuple[Mention, ...] = ()
    lead_id: int | None = None
    sighting_id: int | None = None
    state: AlertState = AlertState.READY
    hold_reason: str | None = None
    not_before: datetime | None = None
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Alert:
    """A stored message. ``attempt`` is the fencing token of the present sending: hand it back with its outcome.

    ``reads`` counts how often an unknown one was looked for in vain.
    """

    id: int
    platform: str
    target_post_id: str
    kind: MessageKind
    scope: str
    ref: str
    text: str
    reply_to_id: str | None
    reply_to_comment_id: str | None
    thread_id: str | None
    mentions: tuple[Mention, ...]
    lead_id: int | None
    sighting_id: int | None
    state: AlertState
    hold_reason: str | None
    attempt: int
    reads: int
    not_before: datetime | None
    lease_until: datetime | None
    sending_at: datetime | None
    sent_id: str | None
    sent_url: str
    error: str | None
    decided_by: str | None
    created_at: datetime
    sent_at: datetime | None
    turn: int

    @property
    def outgoing(self) -> Outgoing:
        """The message as a platform takes it."""
        return Outgoing(
            kind=self.kind,
            text=self.text,
            ref=self.ref,
            reply_to_id=self.reply_to_id,
            reply_to_comment_id=self.reply_to_comment_id,
            mentions=tuple(mention.handle for mention in self.mentions),
        )


def propose(tx: Tx, new: NewAlert) -> int | None:
    """Put a message into the outbox. None where one of its kind stands for that post already (whatever became of it).

    Raises:
        BadInput: it starts in a state other than READY or HELD, or is held without a reason.
    """
    if new.state not in (_S.READY, _S.HELD) or (new.state is _S.HELD and not new.hold_reason):
        raise BadInput("a message starts ready, or held with a reason")
    statement = dialect.upsert(alerts, ["platform", "target_post_id", "kind", "scope"]).values(
        platform=new.platform,
        target_post_id=new.target_post_id,
        kind=new.kind.value,
        scope=new.scope,
        ref=new.ref,
        text=new.text,
        reply_to_id=new.reply_to_id,
        reply_to_comment_id=new.reply_to_comment_id,
        thread_id=new.thread_id,
        lead_id=new.lead_id,
        sighting_id=new.sighting_id,
        state=new.state.value,
        hold_reason=new.hold_reason,
        not_before=new.not_before,
        turn=new.turn,
        created_at=tx.now,
    )
    number = tx.execute(statement.returning(alerts.c.id)).scalar()
    rows = [
        {"alert_id": number, "position": position, "account_id": mention.account_id, "handle": mention.handle}
        for position, mention in enumerate(new.mentions)
    ]
    if number is not None and rows:
        tx.execute(insert(alert_mentions), rows)
    if number is not None and new.state is _S.READY:
        tx.leave(Due(DueKind.SEND, new.platform, at=new.not_before))
    return number


# --- sending ----------------------------------------------------------------------------------------------------


_BUSY = select(alerts.c.id).where(alerts.c.platform == bindparam("platform"), alerts.c.state == _S.SENDING.value).limit(1)
_NEXT = (
    select(alerts.c.id)
    .where(alerts.c.platform == bindparam("platform"), alerts.c.state == _S.READY.value)
    .where(or_(alerts.c.not_before.is_(None), alerts.c.not_before <= bindparam("now")))
    .order_by(alerts.c.turn, alerts.c.id)
    .limit(1)
)
_TAKE = (
    update(alerts)
    .where(alerts.c.id == bindparam("number"))
    .values(
        state=_S.SENDING.value,
        attempt=alerts.c.attempt + 1,
        lease_until=bindparam("until"),
        sending_at=bindparam("now"),
        error=None,
    )
    .returning(*alerts.c)
)
_BY_NUMBER = select(alerts).where(alerts.c.id == bindparam("number"))
_MENTIONED = (
    select(alert_mentions)
    .where(alert_mentions.c.alert_id.in_(bindparam("alerts", expanding=True)))
    .order_by(alert_mentions.c.alert_id, alert_mentions.c.position)
)


def claim_next(tx: Tx, platform: str, now: datetime, lease_s: float) -> Alert | None:
    """Take the next due message of a platform as ``sending``; leave the block (commit) BEFORE calling the platform.

    One at a time: while another is being sent on this platform, None. By turn, then by age: an alert waits behind no answer, and
    an author's first answer behind nobody's second, however many posts of a flood are to be answered.
    """
    dialect.serialise(tx.connection, f"send:{platform}")
    if tx.execute(_BUSY, {"platform": platform}).first() is not None:
        return None
    number = tx.execute(_NEXT, {"platform": platform, "now": now}).scalar()
    if number is None:
        return None
    taken = tx.execute(_TAKE, {"number": number, "until": now + timedelta(seconds=lease_s), "now": now})
    return _with_mentions(tx, taken.all())[0]


def record_sent(tx: Tx, alert_id: int, attempt: int, sent_id: str | None, sent_url: str = "") -> bool:
    """It is published (the platform said so, or it was found again). False where this attempt is no longer the present one."""
    values = {"sent_id": sent_id, "sent_url": sent_url, "sent_at": tx.now, "error": None, "not_before": None}
    return _move(tx, alert_id, (_S.SENDING, _S.UNKNOWN), _S.SENT, attempt, **values)


def record_unknown(tx: Tx, alert_id: int, attempt: int, error: str, not_before: datetime | None = None) -> bool:
    """It may have been published: it is to be looked for (from ``not_before`` on, when the platform will show it)."""
    return _move(tx, alert_id, (_S.SENDING,), _S.UNKNOWN, attempt, error=error, not_before=not_before, reads=0)


def record_dead(tx: Tx, alert_id: int, attempt: int, error: str) -> bool:
    """It will never be published: the platform refused it for good, its target is gone, or it was searched for long enough."""
    return _move(tx, alert_id, (_S.SENDING, _S.UNKNOWN), _S.DEAD, attempt, error=error, not_before=None)


def back_to_ready(tx: Tx, alert_id: int, attempt: int, error: str, not_before: datetime | None = None) -> bool:
    """It was certainly not published: the request never left, or a complete reading of the bot's own posts lacks it."""
    moved = _move(tx, alert_id, (_S.SENDING, _S.UNKNOWN), _S.READY, attempt, error=error, not_before=not_before)
    # Its post was erased while it was being sent: the text is gone, and nothing is said about it any more.
    tx.execute(
        update(alerts)
        .where(alerts.c.id == alert_id, alerts.c.state == _S.READY.value, alerts.c.text == "")
        .values(state=_S.CANCELLED.value)
    )
    return moved


def expired_leases(tx: Tx, now: datetime) -> list[int]:
    """Messages whose sender did not come back in time become ``unknown``; returns them."""
    return _orphaned(tx, "the sender did not come back", alerts.c.lease_until <= now)


def interrupted(tx: Tx) -> list[int]:
    """At the start of the only bot: whatever an earlier process was sending when it died becomes ``unknown``; returns them."""
    return _orphaned(tx, "the process ended while sending")


def _orphaned(tx: Tx, error: str, *conditions: Any) -> list[int]:
    statement = (
        update(alerts)
        .where(alerts.c.state == _S.SENDING.value, *conditions)
        .values(state=_S.UNKNOWN.value, error=error, lease_until=None, not_before=None, reads=0)
        .returning(alerts.c.id)
    )
    return sorted(tx.execute(statement).scalars())


def unknowns(tx: Tx, platform: str | None = None, now: datetime | None = None, limit: int = 50) -> list[Alert]:
    """Messages that may have been published, oldest first; with ``now``, those alone that are due to be looked for."""
    query = select(alerts).where(alerts.c.state == _S.UNKNOWN.value).order_by(alerts.c.id).limit(limit)
    if platform is not None:
        query = query.where(alerts.c.platform == platform)
    if now is not None:
        query = query.where(or_(alerts.c.not_before.is_(None), alerts.c.not_before <= now))
    return _all(tx, query)


def still_sending(tx: Tx, alert_id: int, attempt: int, spare_s: float) -> bool:
    """Whether this attempt is the present one and its lease lasts ``spare_s`` seconds more: asked right before the call."""
    query = select(alerts.c.id).where(
        alerts.c.id == alert_id,
        alerts.c.attempt == attempt,
        alerts.c.state == _S.SENDING.value,
        alerts.c.lease_until > tx.now + timedelta(seconds=spare_s),
    )
    return tx.execute(query).first() is not None


def in_doubt(tx: Tx, platform: str, now: datetime, *, reads: int, attempts: int, limit: int = 50) -> list[Alert]:
    """Messages to be looked for now, oldest first. Those that were sent ``attempts`` times and looked for ``reads`` times since
    wait for a person (``alerts list --state unknown``) and are passed over: however many they are, none keeps others waiting."""
    query = (
        select(alerts)
        .where(
            alerts.c.platform == platform,
            alerts.c.state == _S.UNKNOWN.value,
            or_(alerts.c.not_before.is_(None), alerts.c.not_before <= now),
            or_(alerts.c.reads < reads, alerts.c.attempt < attempts),
        )
        .order_by(alerts.c.id)
        .limit(limit)
    )
    return _all(tx, query)


def note_read(tx: Tx, alert_id: int, attempt: int, not_before: datetime) -> int:
    """An unknown one was looked for and not found; look again at ``not_before``. Returns how often that was done."""
    _move(tx, alert_id, (_S.UNKNOWN,), _S.UNKNOWN, attempt, reads=alerts.c.reads + 1, not_before=not_before)
    return get(tx, alert_id).reads


# --- what people do ---------------------------------------------------------------------------------------------


def release(tx: Tx, alert_id: int, by: str) -> Alert:
    """A person lets a held message go.

    Raises:
        BadInput: it is not held.
    """
    return _by_person(tx, alert_id, (_S.HELD,), _S.READY, by, hold_reason=None)


def cancel(tx: Tx, alert_id: int, by: str, why: str) -> Alert:
    """A person stops a message that has not been sent.

    Raises:
        BadInput: it is being sent, was sent, or may have been.
    """
    return _by_person(tx, alert_id, (_S.HELD, _S.READY), _S.CANCELLED, by, error=why)


def hold(tx: Tx, alert_id: int, reason: str, by: str = "bot") -> Alert:
    """Keep a ready message for a person (a cap is reached, the brake is on).

    Raises:
        BadInput: it is not ready.
    """
    return _by_person(tx, alert_id, (_S.READY,), _S.HELD, by, hold_reason=reason)


def readdress(tx: Tx, alert_id: int, text: str, mentions: Sequence[Mention], by: str) -> Alert:
    """A person has a held message name other accounts, with its final words. It stays held until it is released.

    Raises:
        BadInput: it is not held, or nobody is named in it.
    """
    if not mentions:
        raise BadInput(f"alert {alert_id} would name nobody")
    _by_person(tx, alert_id, (_S.HELD,), _S.HELD, by, text=text)
    tx.execute(delete(alert_mentions).where(alert_mentions.c.alert_id == alert_id))
    rows = [
        {"alert_id": alert_id, "position": position, "account_id": mention.account_id, "handle": mention.handle}
        for position, mention in enumerate(mentions)
    ]
    tx.execute(insert(alert_mentions), rows)
    return get(tx, alert_id)


def settle(tx: Tx, alert_id: int, by: str, *, sent: bool, note: str, sent_id: str | None = None) -> Alert:
    """A person looked and says whether an unknown message was published.

    Raises:
        BadInput: it is not unknown.
    """
    values = {"sent_id": sent_id, "sent_at": tx.now} if sent else {}
    return _by_person(tx, alert_id, (_S.UNKNOWN,), _S.SENT if sent else _S.DEAD, by, error=note, **values)


def cancel_for_post(tx: Tx, platform: str, target_post_id: str, why: str, by: str = "bot") -> int:
    """Stop everything not yet sent about a post (it was deleted, its author opted out). Returns how many."""
    statement = (
        update(alerts)
        .where(
            alerts.c.platform == platform,
            alerts.c.target_post_id == target_post_id,
            alerts.c.state.in_((_S.HELD.value, _S.READY.value)),
        )
        .values(state=_S.CANCELLED.value, decided_by=by, error=why)
    )
    return tx.execute(statement).rowcount


# --- reading ---------------------------------------------------------------------------------------


def get(tx: Tx, alert_id: int) -> Alert:
    """A message by its number.

    Raises:
        NotFound: there is none.
    """
    found = _all(tx, _BY_NUMBER, {"number": alert_id})
    if not found:
        raise NotFound(f"no alert is stored as number {alert_id}", mend="list them with: suishoupai alerts list")
    return found[0]


def listing(
    tx: Tx,
    *,
    state: AlertState | None = None,
    kind: MessageKind | None = None,
    platform: str | None = None,
    target_post_id: str | None = None,
    limit: int = 50,
    before: int | None = None,
) -> list[Alert]:
    """Messages, newest first; ``before`` (a number) goes on where an earlier page ended."""
    query = select(alerts).order_by(alerts.c.id.desc()).limit(limit)
    narrow = {
        alerts.c.state: None if state is None else state.value,
        alerts.c.kind: None if kind is None else kind.value,
        alerts.c.platform: platform,
        alerts.c.target_post_id: target_post_id,
    }
    for column, value in narrow.items():
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(alerts.c.id < before)
    return _all(tx, query)


def about(tx: Tx, ref: str, limit: int = 50) -> list[Alert]:
    """Messages that carry a reference ("S-4F7K", a broadcast's "B-0001X"), newest first."""
    return _all(tx, select(alerts).where(alerts.c.ref == ref).order_by(alerts.c.id.desc()).limit(limit))


def counts(tx: Tx, platform: str | None = None) -> dict[AlertState, int]:
    """How many messages stand in each state."""
    narrow = () if platform is None else (alerts.c.platform == platform,)
    return tally(tx, alerts.c.state, AlertState, *narrow)


def _move(tx: Tx, alert_id: int, sources: Sequence[AlertState], to: AlertState, attempt: int, **values: Any) -> bool:
    """Change the state only where it is one of ``sources`` and ``attempt`` is the present one: a late outcome changes nothing."""
    statement = (
        update(alerts)
        .where(alerts.c.id == alert_id, alerts.c.attempt == attempt, alerts.c.state.in_([state.value for state in sources]))
        .values(state=to.value, lease_until=None, **values)
        .returning(alerts.c.platform)
    )
    platform = tx.execute(statement).scalar()
    if platform is not None and to in (_S.READY, _S.UNKNOWN):
        tx.leave(Due(DueKind.SEND, platform, at=values.get("not_before")))
    return platform is not None


def _by_person(tx: Tx, alert_id: int, sources: Sequence[AlertState], to: AlertState, by: str, **values: Any) -> Alert:
    alert = get(tx, alert_id)
    if alert.state not in sources:
        raise BadInput(f"alert {alert_id} is {alert.state.value}; it cannot become {to.value}")
    if not by.strip():
        raise BadInput(f"say who makes alert {alert_id} {to.value}")
    if to is _S.READY:
        tx.leave(Due(DueKind.SEND, alert.platform))
    tx.execute(update(alerts).where(alerts.c.id == alert_id).values(state=to.value, decided_by=by, **values))
    return get(tx, alert_id)


def _all(tx: Tx, query: Any, values: dict[str, Any] | None = None) -> list[Alert]:
    return _with_mentions(tx, tx.execute(query, values).all())


def _with_mentions(tx: Tx, rows: Sequence[Row[Any]]) -> list[Alert]:
    named: dict[int, list[Mention]] = {row.id: [] for row in rows}
    if named:
        for row in tx.execute(_MENTIONED, {"alerts": list(named)}):
            named[row.alert_id].append(Mention(row.handle, row.account_id))
    return [_alert(row, tuple(named[row.id])) for row in rows]


def _alert(row: Row[Any], mentions: tuple[Mention, ...]) -> Alert:
    values = dict(row._mapping)
    return Alert(**values | {"kind": MessageKind(row.kind), "state": AlertState(row.state), "mentions": mentions})
