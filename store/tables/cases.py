"""Registered children, their photos and vectors, what families did and what changed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, Float, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from store.dialect import Blob, CleanText, Json, UtcDateTime, Word
from store.tables.columns import Id, box, flag, metadata, row_id, to

counters = Table(
    "counters",
    metadata,
    Column("name", Word(40), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

_UNSEARCHED = text("searched_seq < seq")

cases = Table(
    "cases",
    metadata,
    row_id(),
    Column("ref", Word(16), nullable=False, unique=True),
    Column("name", CleanText, nullable=False),
    Column("sex", Word(10), nullable=False, server_default=""),
    Column("birth_on", Date),
    Column("birth_adcode", Word(6)),
    Column("missing_on", Date),
    Column("missing_adcode", Word(6)),
    Column("height_cm", Integer),
    Column("features", CleanText, nullable=False, server_default=""),
    Column("accent", CleanText, nullable=False, server_default=""),
    Column("clothing", CleanText, nullable=False, server_default=""),
    Column("circumstances", CleanText, nullable=False, server_default=""),
    Column("siblings", CleanText, nullable=False, server_default=""),
    Column("contacts", Json, nullable=False),
    Column("police_report_number", CleanText, nullable=False, server_default=""),
    flag("dna_filed"),
    Column("source", CleanText, nullable=False, server_default=""),
    Column("source_ref", Word(200)),
    Column("registered_by", CleanText, nullable=False),
    Column("registered_at", UtcDateTime, nullable=False),
    Column("verified_by", CleanText),
    Column("verified_at", UtcDateTime),
    Column("closed_by", CleanText),
    Column("closed_at", UtcDateTime),
    Column("closed_reason", CleanText),
    Column("closed_record", CleanText),
    Column("state", Word(20), nullable=False),
    Column("seq", BigInteger, nullable=False, index=True),
    Column("searched_seq", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("source", "source_ref"),
    Index("ix_cases_state", "state", "id"),
    Index("ix_cases_name", "name"),
    Index("ix_cases_registered", "registered_at", "registered_by"),
    Index("ix_cases_birth_on", "birth_on"),
    Index("ix_cases_police_report_number", "police_report_number"),
    # Empty unless a case is new or changed: asked for in every round.
    Index("ix_cases_unsearched", "seq", sqlite_where=_UNSEARCHED, postgresql_where=_UNSEARCHED),
)

case_photos = Table(
    "case_photos",
    metadata,
    row_id(),
    to("case_id -> cases", cascade=True),
    to("photo_id -> photos"),
    Column("taken_on", Date),
    Column("face_position", Integer),
    Column("added_at", UtcDateTime, nullable=False),
    UniqueConstraint("case_id", "photo_id"),
)

case_faces = Table(
    "case_faces",
    metadata,
    row_id(),
    to("case_photo_id -> case_photos", cascade=True),
    *box(),
    Column("det_score", Float, nullable=False),
    Column("quality", Word(20), nullable=False),
    Column("quality_why", Text, nullable=False),
    Column("norm", Float, nullable=False),
    Column("pack_id", Word(100), nullable=False),
    Column("pack_sha256", Word(64), nullable=False),
    Column("vector", Blob, nullable=False),
    UniqueConstraint("case_photo_id", "pack_sha256"),
    Index("ix_case_faces_pack", "pack_sha256", "id"),
)

gallery_blocks = Table(
    "gallery_blocks",
    metadata,
    Column("pack_sha256", Word(64), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("sealed", Blob, nullable=False),
)

case_changes = Table(
    "case_changes",
    metadata,
    row_id(),
    to("case_id -> cases", cascade=True),
    Column("at", UtcDateTime, nullable=False),
    Column("who", CleanText, nullable=False),
    Column("field", Word(40), nullable=False),
    Column("before", CleanText, nullable=False),
    Column("after", CleanText, nullable=False),
)

case_publications = Table(
    "case_publications",
    metadata,
    Column("case_id", Id, ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True),
    Column("url", CleanText, nullable=False),
    Column("said_by", CleanText, nullable=False),
    Column("noted_by", CleanText, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

family_picks = Table(
    "family_picks",
    metadata,
    row_id(),
    to("case_id -> cases", cascade=True),
    to("face_id -> faces", cascade=True),
    Column("who", CleanText, nullable=False),
    Column("note", CleanText, nullable=False, server_default=""),
    Column("lead_id", Id, ForeignKey("leads.id", ondelete="SET NULL"), index=True),
    Column("at", UtcDateTime, nullable=False),
    UniqueConstraint("case_id", "face_id"),
)
