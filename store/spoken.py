"""How much was said, and to whom: what caps, the brake, and "one answer a conversation" ask of the outbox."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, func, select

from store.model import AlertState, MessageKind
from store.session import Tx
from store.tables import alert_mentions, alerts, posts

_S = AlertState
_SAID = (_S.SENDING.value, _S.SENT.value, _S.UNKNOWN.value)
_SAID_OR_WAITING = (_S.HELD.value, _S.READY.value, *_SAID)


_SENT = (
    select(func.count())
    .select_from(alerts)
    .where(alerts.c.platform == bindparam("platform"), alerts.c.state.in_(_SAID), alerts.c.sending_at >= bindparam("since"))
)
_SENT_OF_KIND = _SENT.where(alerts.c.kind == bindparam("kind"))


def sent_since(tx: Tx, platform: str, kind: MessageKind | None, since: datetime) -> int:
    """How many messages were sent, may have been, or are being sent since then: what caps count."""
    values = {"platform": platform, "since": since}
    if kind is None:
        return int(tx.execute(_SENT, values).scalar_one())
    return int(tx.execute(_SENT_OF_KIND, {**values, "kind": kind.value}).scalar_one())


def decided_since(tx: Tx, kind: MessageKind, since: datetime) -> int:
    """How many messages of a kind were put into the outbox since then, on all platforms, whatever became of them."""
    query = select(func.count()).select_from(alerts).where(alerts.c.kind == kind.value, alerts.c.created_at >= since)
    return int(tx.execute(query).scalar_one())


# From the account's posts to their answers: the other way round, every answer of the day would be looked at for each post.
_OWN = select(posts.c.post_id).where(posts.c.platform == bindparam("platform"), posts.c.author_id == bindparam("author"))
_ANSWERS = select(func.count()).where(
    alerts.c.platform == bindparam("platform"),
    alerts.c.target_post_id.in_(_OWN),
    alerts.c.kind == MessageKind.ANSWER.value,
    alerts.c.created_at >= bindparam("since"),
)


def answers_since(tx: Tx, platform: str, author_id: str, since: datetime) -> int:
    """How many answers were put into the outbox since then to posts of one account, whatever became of them."""
    return int(tx.execute(_ANSWERS, {"platform": platform, "author": author_id, "since": since}).scalar_one())


def mentions_since(tx: Tx, account_id: int, since: datetime) -> int:
    """How often an official's account was named since then, messages that still wait to be sent included."""
    query = (
        select(func.count())
        .select_from(alert_mentions.join(alerts, alerts.c.id == alert_mentions.c.alert_id))
        .where(
            alert_mentions.c.account_id == account_id,
            alerts.c.state.in_(_SAID_OR_WAITING),
            func.coalesce(alerts.c.sending_at, alerts.c.created_at) >= since,
        )
    )
    return int(tx.execute(query).scalar_one())


def answered_thread(tx: Tx, platform: str, thread_id: str) -> bool:
    """Whether a message to this conversation was said, may have been, or waits: a conversation is answered once."""
    query = select(alerts.c.id).where(
        alerts.c.platform == platform, alerts.c.thread_id == thread_id, alerts.c.state.in_(_SAID_OR_WAITING)
    )
    return tx.execute(query.limit(1)).first() is not None
