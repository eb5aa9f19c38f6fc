"""Secrets, and what is left of what was erased."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table

from store.dialect import Blob, CleanText, Json, UtcDateTime, Word
from store.tables.columns import Id, metadata, row_id, to

secrets = Table(
    "secrets",
    metadata,
    Column("name", Word(40), primary_key=True),
    Column("sealed", Blob, nullable=False),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("mac", Word(64), primary_key=True),
    Column("kind", Word(20), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

erasures = Table(
    "erasures",
    metadata,
    row_id(),
    Column("ref", Word(16), nullable=False, unique=True),
    Column("at", UtcDateTime, nullable=False),
    Column("by", CleanText, nullable=False),
    Column("why", CleanText, nullable=False),
    Column("kind", Word(20), nullable=False),
    Column("mac", Word(64), nullable=False, index=True),
    Column("counts", Json, nullable=False),
    Column("files_gone_at", UtcDateTime),
)

file_removals = Table(
    "file_removals",
    metadata,
    Column("sha256", Word(64), primary_key=True),
    to("erasure_id -> erasures", nullable=True),
)

removed_cases = Table(
    "removed_cases",
    metadata,
    Column("case_id", Id, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False, index=True),
)
