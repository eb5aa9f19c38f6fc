"""What was read from platforms, how far, and who wants no answer."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, UniqueConstraint

from store.dialect import Blob, CleanText, Json, UtcDateTime, Word
from store.tables.columns import flag, metadata, row_id, to

streams = Table(
    "streams",
    metadata,
    Column("key", CleanText, primary_key=True),
    Column("platform", Word(40), nullable=False),
    Column("cursor", CleanText),
    Column("chain", Json),
    Column("started_at", UtcDateTime, nullable=False),
    Column("last_attempt_at", UtcDateTime),
    Column("last_success_at", UtcDateTime),
    Column("last_outcome", Word(40)),
    Column("last_error", CleanText),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("newest_posted_at", UtcDateTime),
)

platform_states = Table(
    "platform_states",
    metadata,
    Column("platform", Word(40), primary_key=True),
    Column("own_id", CleanText, nullable=False, server_default=""),
    Column("own_handle", CleanText, nullable=False, server_default=""),
    Column("quiet_until", UtcDateTime),
    Column("breaker", Json),
    Column("poll_at", UtcDateTime),
    Column("calls_left", BigInteger),
    Column("calls_reset_at", UtcDateTime),
    Column("calls_made", BigInteger, nullable=False, server_default="0"),
    Column("calls_day_began", BigInteger, nullable=False, server_default="0"),
    Column("calls_day_ends", UtcDateTime),
)

posts = Table(
    "posts",
    metadata,
    row_id(),
    Column("platform", Word(40), nullable=False),
    Column("post_id", CleanText, nullable=False),
    Column("stream", Word(300), nullable=False),
    flag("direct"),
    Column("author_id", CleanText, nullable=False, server_default=""),
    Column("author_handle", CleanText, nullable=False, server_default=""),
    Column("text", CleanText, nullable=False, server_default=""),
    Column("lang", Word(20), nullable=False, server_default=""),
    Column("posted_at", UtcDateTime),
    Column("url", CleanText, nullable=False, server_default=""),
    Column("reply_to_id", CleanText),
    Column("thread_id", CleanText),
    to("repost_of_id -> posts", nullable=True),
    flag("summons"),
    flag("silent"),
    Column("details", Json),
    Column("raw", Blob),
    Column("step", Word(20), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("not_before", UtcDateTime),
    Column("error", CleanText),
    Column("lane", Integer, nullable=False, server_default="0"),
    Column("first_read_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    Column("checked_at", UtcDateTime),
    UniqueConstraint("platform", "post_id"),
    Index("ix_posts_pending", "step", "lane", "id"),
    Index("ix_posts_author", "platform", "author_id", "step"),
    Index("ix_posts_checked", "platform", "checked_at"),
    Index("ix_posts_posted_at", "posted_at"),
    Index("ix_posts_platform", "platform", "id"),
)

opt_outs = Table(
    "opt_outs",
    metadata,
    Column("platform", Word(40), primary_key=True),
    Column("author_id", CleanText, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)

bans = Table(
    "bans",
    metadata,
    Column("kind", Word(20), primary_key=True),
    Column("platform", Word(40), primary_key=True),
    Column("value", CleanText, primary_key=True),
    Column("by", CleanText, nullable=False),
    Column("why", CleanText, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
