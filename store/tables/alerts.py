"""Officials, the messages to them and to posters, and what was answered."""

from __future__ import annotations

from sqlalchemy import Column, Date, ForeignKey, Index, Integer, Table, UniqueConstraint

from store.dialect import CleanText, UtcDateTime, Word
from store.tables.columns import Id, flag, metadata, row_id, to

agencies = Table(
    "agencies",
    metadata,
    row_id(),
    Column("name", CleanText, nullable=False),
    Column("adcode", Word(6), nullable=False),
    Column("level", Word(20), nullable=False),
    Column("type", Word(30), nullable=False),
    Column("priority", Integer, nullable=False, server_default="100"),
    Column("valid_from", Date),
    Column("valid_to", Date),
    UniqueConstraint("adcode", "name"),
)

official_accounts = Table(
    "official_accounts",
    metadata,
    row_id(),
    to("agency_id -> agencies", cascade=True),
    Column("platform", Word(40), nullable=False),
    Column("account_id", CleanText, nullable=False),
    Column("handle", CleanText, nullable=False),
    flag("verified"),
    Column("verified_type", CleanText, nullable=False, server_default=""),
    Column("verified_reason", CleanText, nullable=False, server_default=""),
    Column("checked_on", Date),
    Column("evidence", CleanText, nullable=False, server_default=""),
    UniqueConstraint("platform", "account_id"),
)

alerts = Table(
    "alerts",
    metadata,
    row_id(),
    Column("platform", Word(40), nullable=False),
    Column("target_post_id", CleanText, nullable=False),
    Column("kind", Word(20), nullable=False),
    Column("scope", Word(200), nullable=False),
    Column("ref", Word(40), nullable=False),
    Column("text", CleanText, nullable=False),
    Column("reply_to_id", CleanText),
    Column("reply_to_comment_id", CleanText),
    Column("thread_id", CleanText),
    to("lead_id -> leads", nullable=True),
    to("sighting_id -> sightings", nullable=True),
    Column("state", Word(20), nullable=False),
    Column("hold_reason", CleanText),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("reads", Integer, nullable=False, server_default="0"),
    Column("not_before", UtcDateTime),
    Column("lease_until", UtcDateTime),
    Column("sending_at", UtcDateTime),
    Column("sent_id", CleanText),
    Column("sent_url", CleanText, nullable=False, server_default=""),
    Column("error", CleanText),
    Column("decided_by", CleanText),
    Column("created_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    Column("turn", Integer, nullable=False, server_default="0"),
    UniqueConstraint("platform", "target_post_id", "kind", "scope"),
    Index("ix_alerts_state", "platform", "state", "id"),
    Index("ix_alerts_turn", "platform", "state", "turn", "id"),
    Index("ix_alerts_thread", "platform", "thread_id"),
    Index("ix_alerts_ref", "ref"),
    Index("ix_alerts_sent_id", "platform", "sent_id"),
    Index("ix_alerts_lease", "state", "lease_until"),
    Index("ix_alerts_sending_at", "platform", "sending_at"),
    Index("ix_alerts_kind_sending_at", "platform", "kind", "sending_at"),
    Index("ix_alerts_kind", "kind", "id"),
)

alert_mentions = Table(
    "alert_mentions",
    metadata,
    Column("alert_id", Id, ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("account_id", Id, ForeignKey("official_accounts.id", ondelete="SET NULL"), index=True),
    Column("handle", CleanText, nullable=False),
)

official_replies = Table(
    "official_replies",
    metadata,
    row_id(),
    Column("post_id", Id, ForeignKey("posts.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("account_id", Id, ForeignKey("official_accounts.id", ondelete="SET NULL"), index=True),
    Column("agency", CleanText, nullable=False, server_default=""),
    Column("lead_id", Id, ForeignKey("leads.id", ondelete="SET NULL"), index=True),
    Column("sighting_id", Id, ForeignKey("sightings.id", ondelete="SET NULL"), index=True),
    Column("answer", Word(20), nullable=False),
    Column("state", Word(20), nullable=False),
    Column("why", CleanText, nullable=False, server_default=""),
    Column("decided_by", CleanText),
    Column("decided_at", UtcDateTime),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_official_replies_state", "state", "id"),
)
