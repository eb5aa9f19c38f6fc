"""What officials answered on the platforms: each post once, with what it was read as and what became of it.

The words themselves stay with their post (and go with it when it is erased).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, or_, select, update

from store import dialect
from store.errors import BadInput, NotFound
from store.model import AlertState, MessageKind
from store.session import Tx
from store.tables import alerts, official_replies
from store.tally import tally


class ReplyState(StrEnum):
    """APPLIED moved its lead. OPEN waits for a person, who makes it SETTLED. REFUSED: not from an account of the directory."""

    APPLIED = "applied"
    OPEN = "open"
    SETTLED = "settled"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class NewReply:
    """A reply as it was read. ``answer`` is the word of bot/officials_replies.py; ``why`` says what led to its state."""

    post_id: int
    answer: str
    state: ReplyState
    why: str
    account_id: int | None = None
    agency: str = ""
    lead_id: int | None = None
    sighting_id: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A stored reply. ``post_id`` is the row of its post, where its words stand."""

    id: int
    post_id: int
    account_id: int | None
    agency: str
    lead_id: int | None
    sighting_id: int | None
    answer: str
    state: ReplyState
    why: str
    decided_by: str | None
    decided_at: datetime | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Called:
    """One message that called officials: what it was about and whom it named (rows of the directory)."""

    alert_id: int
    ref: str
    sighting_id: int | None
    lead_id: int | None
    thread_id: str | None


def record(tx: Tx, new: NewReply) -> Reply | None:
    """Keep a reply; None where its post was read as one already."""
    values = {name: getattr(new, name) for name in NewReply.__slots__} | {"state": new.state.value, "at": tx.now}
    statement = dialect.upsert(official_replies, ["post_id"]).values(**values)
    number = tx.execute(statement.returning(official_replies.c.id)).scalar()
    return None if number is None else get(tx, int(number))


def get(tx: Tx, reply_id: int) -> Reply:
    """A reply by number.

    Raises:
        NotFound: there is none.
    """
    row = tx.execute(select(official_replies).where(official_replies.c.id == reply_id)).first()
    if row is None:
        raise NotFound(f"no official's reply is stored as number {reply_id}")
    return _reply(row)


def settle(tx: Tx, reply_id: int, by: str, answer: str, why: str, lead_id: int | None = None) -> Reply:
    """A person read an open reply and says what it means.

    Raises:
        BadInput: it is not open, or nobody is named.
    """
    if not by.strip():
        raise BadInput("say who settles the reply")
    values = {"state": ReplyState.SETTLED.value, "answer": answer, "why": why, "decided_by": by, "decided_at": tx.now}
    if lead_id is not None:
        values["lead_id"] = lead_id
    found = official_replies.c.id == reply_id, official_replies.c.state == ReplyState.OPEN.value
    if tx.execute(update(official_replies).where(*found).values(**values)).rowcount != 1:
        raise BadInput(f"reply {reply_id} does not wait for anybody", mend="load the page anew: somebody was faster")
    return get(tx, reply_id)


def listing(
    tx: Tx,
    *,
    state: ReplyState | None = None,
    lead_id: int | None = None,
    sighting_id: int | None = None,
    limit: int = 50,
    before: int | None = None,
) -> list[Reply]:
    """Replies, newest first; ``before`` (a number) goes on where an earlier page ended."""
    query = select(official_replies).order_by(official_replies.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(official_replies.c.state == state.value)
    if lead_id is not None:
        query = query.where(official_replies.c.lead_id == lead_id)
    if sighting_id is not None:
        query = query.where(official_replies.c.sighting_id == sighting_id)
    if before is not None:
        query = query.where(official_replies.c.id < before)
    return [_reply(row) for row in tx.execute(query)]


def counts(tx: Tx) -> dict[ReplyState, int]:
    """How many replies stand in each state."""
    return tally(tx, official_replies.c.state, ReplyState)


def called_by(tx: Tx, platform: str, post_ids: set[str]) -> list[Called]:
    """The messages that called officials under, or as, any of these posts of a platform; newest first."""
    wanted = [post_id for post_id in post_ids if post_id]
    kinds = (MessageKind.ALERT.value, MessageKind.DIGEST.value)
    said = (AlertState.SENT.value, AlertState.UNKNOWN.value)
    found: dict[int, Called] = {}
    for column in (alerts.c.target_post_id, alerts.c.sent_id, alerts.c.thread_id):
        query = select(alerts).where(alerts.c.platform == platform, column.in_(wanted))
        for row in tx.execute(query.where(alerts.c.kind.in_(kinds), alerts.c.state.in_(said))):
            found[row.id] = Called(row.id, row.ref, row.sighting_id, row.lead_id, row.thread_id)
    return [found[number] for number in sorted(found, reverse=True)]


def called_for(tx: Tx, ref: str) -> list[Called]:
    """The messages that called officials about a reference ("S-4F7K"), newest first."""
    said = or_(alerts.c.state == AlertState.SENT.value, alerts.c.state == AlertState.UNKNOWN.value)
    query = select(alerts).where(alerts.c.ref == ref, alerts.c.kind == MessageKind.ALERT.value, said)
    return [
        Called(row.id, row.ref, row.sighting_id, row.lead_id, row.thread_id)
        for row in tx.execute(query.order_by(alerts.c.id.desc()))
    ]


def _reply(row: Row[Any]) -> Reply:
    return Reply(**dict(row._mapping) | {"state": ReplyState(row.state)})
