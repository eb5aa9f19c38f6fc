"""Who may sign in, and the record of what everybody did."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from store.dialect import Blob, CleanText, Json, UtcDateTime, Word
from store.tables.columns import Id, metadata, row_id, to

users = Table(
    "users",
    metadata,
    row_id(),
    Column("login", Word(200), nullable=False, unique=True),
    Column("name", CleanText, nullable=False, server_default=""),
    Column("password_hash", Text),
    Column("totp_secret", Blob),
    Column("roles", Json, nullable=False),
    Column("divisions", Json, nullable=False),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("locked_until", UtcDateTime),
    Column("disabled_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("totp_step", BigInteger),
    Column("lang", Word(10), nullable=False, server_default=""),
)

user_cases = Table(
    "user_cases",
    metadata,
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("case_id", Id, ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True, index=True),
)

invitations = Table(
    "invitations",
    metadata,
    Column("token_hash", Word(64), primary_key=True),
    to("user_id -> users", cascade=True),
    Column("by", CleanText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
)

user_sessions = Table(
    "user_sessions",
    metadata,
    Column("token_hash", Word(64), primary_key=True),
    to("user_id -> users", cascade=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
)

audit_events = Table(
    "audit_events",
    metadata,
    row_id(),
    Column("at", UtcDateTime, nullable=False),
    Column("who", CleanText, nullable=False),
    Column("what", Word(60), nullable=False),
    Column("object", Word(200), nullable=False),
    Column("details", Json, nullable=False),
    Column("previous", Word(64), nullable=False),
    Column("hash", Word(64), nullable=False),
    Index("ix_audit_events_object", "object", "id"),
    Index("ix_audit_events_who", "who", "id"),
    Index("ix_audit_events_at", "at", "what", "who"),
)
