"""What people and the bot did, append-only: each event carries the keyed hash of the one before it.

The key is derived from the database's sealed pepper, so that who can write to the database but has no key cannot mend the chain.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, select

from store import dialect
from store.session import Tx
from store.tables import audit_events, counters
from store.tombstones import pepper

VIEWS = ("photo.viewed", "review.viewed", "face.viewed", "lead.printed")
"""The events that stand for a photo somebody was shown."""

_START = "0" * 64
_HEAD = "audit_events"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that was done. ``object`` names what it was done to ("case:C-9X2M"); ``details`` hold no personal data."""

    id: int
    at: datetime
    who: str
    what: str
    object: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Broken:
    """Where the chain no longer holds: the number of the first event that does not fit, and what is wrong with it."""

    event_id: int
    why: str


def append(tx: Tx, who: str, what: str, object: str, details: Mapping[str, Any] | None = None) -> int:
    """Record an event in the caller's transaction: what was done and its record are kept together or not at all."""
    dialect.serialise(tx.connection, _HEAD)
    count, previous = head(tx)
    number = count + 1
    clean = {name: dialect.clean_text(value) for name, value in (("who", who), ("what", what), ("object", object))}
    told = json.loads(dialect.clean_text(json.dumps(dict(details or {}), ensure_ascii=False).replace("\\u0000", "\ufffd")))
    tx.execute(
        insert(audit_events).values(
            id=number,
            at=tx.now,
            **clean,
            details=told,
            previous=previous,
            hash=_hash(_key(tx), previous, number, tx.now, clean["who"], clean["what"], clean["object"], told),
        )
    )
    tx.execute(dialect.upsert(counters, ["name"], ["value"]).values(name=_HEAD, value=number))
    return number


def verify(tx: Tx) -> Broken | None:
    """Walk the whole chain; None where every event fits, else the first that was changed, removed or put in."""
    previous, expected = _START, 1
    key = _key(tx) if tx.execute(select(audit_events.c.id).limit(1)).first() else b""
    for row in tx.execute(select(audit_events).order_by(audit_events.c.id)):
        if row.id != expected:
            return Broken(expected, f"event {expected} is missing")
        if row.previous != previous:
            return Broken(row.id, "it does not follow the event before it")
        if row.hash != _hash(key, previous, row.id, row.at, row.who, row.what, row.object, row.details):
            return Broken(row.id, "its content was changed")
        previous, expected = row.hash, row.id + 1
    told = tx.execute(select(counters.c.value).where(counters.c.name == _HEAD)).scalar() or 0
    return Broken(expected, f"the last events are missing: {told} were recorded") if told != expected - 1 else None


def head(tx: Tx) -> tuple[int, str]:
    """(number of events, hash of the last): written down elsewhere, it shows later whether the end was cut off and mended."""
    last = tx.execute(select(audit_events.c.id, audit_events.c.hash).order_by(audit_events.c.id.desc()).limit(1)).first()
    return (0, _START) if last is None else (last.id, last.hash)


def listing(
    tx: Tx, *, object: str | None = None, who: str | None = None, limit: int = 50, before: int | None = None
) -> list[Event]:
    """Events, newest first; ``before`` (a number) goes on where an earlier page ended."""
    query = select(audit_events).order_by(audit_events.c.id.desc()).limit(limit)
    if object is not None:
        query = query.where(audit_events.c.object == object)
    if who is not None:
        query = query.where(audit_events.c.who == who)
    if before is not None:
        query = query.where(audit_events.c.id < before)
    return [_event(row) for row in tx.execute(query)]


def viewers(tx: Tx, since: datetime) -> dict[str, int]:
    """How many photos each person was shown since then, the same photo as often as it was shown: {login: views}."""
    query = select(audit_events.c.who, func.count().label("n")).where(audit_events.c.at >= since, audit_events.c.what.in_(VIEWS))
    return {row.who: row.n for row in tx.execute(query.group_by(audit_events.c.who))}


def _key(tx: Tx) -> bytes:
    return hmac.new(pepper(tx), b"audit", hashlib.sha256).digest()


def _hash(
    key: bytes, previous: str, number: int, at: datetime, who: str, what: str, object: str, details: Mapping[str, Any]
) -> str:
    body = json.dumps([previous, number, at.timestamp(), who, what, object, details], ensure_ascii=False, sort_keys=True)
    return hmac.new(key, body.encode(), hashlib.sha256).hexdigest()


def _event(row: Row[Any]) -> Event:
    return Event(row.id, row.at, row.who, row.what, row.object, row.details)
