"""Pairs of a face and a case, what people say of them, and what is one unknown child over days."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, Table, UniqueConstraint

from store.dialect import Blob, CleanText, Json, UtcDateTime, Word
from store.tables.columns import Id, box, flag, metadata, row_id, to

candidates = Table(
    "candidates",
    metadata,
    row_id(),
    to("face_id -> faces", cascade=True),
    to("case_id -> cases", cascade=True),
    Column("raw", Float, nullable=False),
    Column("normalised", Float),
    Column("one_in", Float),
    Column("rank", Integer, nullable=False),
    Column("band", Word(10), nullable=False),
    Column("why", CleanText, nullable=False, server_default=""),
    Column("pack_id", Word(100), nullable=False),
    Column("calibration", Word(200), nullable=False, server_default=""),
    Column("turn", Float, nullable=False, server_default="0"),
    Column("state", Word(20), nullable=False),
    Column("state_by", CleanText),
    Column("state_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("face_id", "case_id"),
    Index("ix_candidates_state", "state", "band", "id"),
    Index("ix_candidates_turn", "state", "band", "turn", "id"),
)

rejections = Table(
    "rejections",
    metadata,
    row_id(),
    to("case_id -> cases", cascade=True),
    Column("photo_sha256", Word(64), nullable=False),
    *box(),
    Column("by", CleanText, nullable=False),
    Column("why", CleanText, nullable=False, server_default=""),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_rejections_photo", "photo_sha256", "case_id"),
)

leads = Table(
    "leads",
    metadata,
    row_id(),
    to("sighting_id -> sightings", cascade=True),
    to("case_id -> cases", cascade=True),
    to("candidate_id -> candidates", nullable=True),
    Column("state", Word(20), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("sighting_id", "case_id"),
    Index("ix_leads_state", "state", "id"),
)

lead_events = Table(
    "lead_events",
    metadata,
    row_id(),
    to("lead_id -> leads", cascade=True),
    Column("from_state", Word(20)),
    Column("to_state", Word(20), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("who", CleanText, nullable=False),
    Column("why", CleanText, nullable=False, server_default=""),
    Column("record_kind", Word(20)),
    Column("record", CleanText),
)

reviews = Table(
    "reviews",
    metadata,
    Column("candidate_id", Id, ForeignKey("candidates.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("stage", Word(20), nullable=False),
    Column("needed", Integer, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("ix_reviews_stage", "stage", "candidate_id"),
)

review_locks = Table(
    "review_locks",
    metadata,
    Column("candidate_id", Id, ForeignKey("candidates.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("given_at", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    flag("skipped"),
)

review_votes = Table(
    "review_votes",
    metadata,
    row_id(),
    to("candidate_id -> candidates", cascade=True),
    to("user_id -> users", cascade=True),
    Column("verdict", Word(20), nullable=False),
    flag("unblinded"),
    flag("leading"),
    Column("checklist", Json, nullable=False),
    Column("note", CleanText, nullable=False, server_default=""),
    Column("seconds", Float, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("undone_at", UtcDateTime),
)

review_checks = Table(
    "review_checks",
    metadata,
    row_id(),
    to("user_id -> users", cascade=True),
    to("left_id -> case_photos", cascade=True),
    to("right_id -> case_photos", cascade=True),
    Column("mated", Boolean, nullable=False),
    Column("given_at", UtcDateTime, nullable=False),
    Column("verdict", Word(20)),
    Column("checklist", Json, nullable=False),
    Column("note", CleanText, nullable=False, server_default=""),
    Column("seconds", Float),
    Column("at", UtcDateTime),
)

drift = Table(
    "drift",
    metadata,
    Column("pack_sha256", Word(64), primary_key=True),
    Column("histogram", Json, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

cohort_vectors = Table(
    "cohort_vectors",
    metadata,
    row_id(),
    Column("pack_sha256", Word(64), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("vector", Blob, nullable=False),
)

tracks = Table(
    "tracks",
    metadata,
    row_id(),
    Column("ref", Word(16), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
)

track_faces = Table(
    "track_faces",
    metadata,
    Column("face_id", Id, ForeignKey("faces.id", ondelete="CASCADE"), primary_key=True),
    to("track_id -> tracks", cascade=True),
    Column("why", CleanText, nullable=False, server_default=""),
    Column("by", CleanText, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("seq", BigInteger, nullable=False, server_default="0", index=True),
)

tracks_apart = Table(
    "tracks_apart",
    metadata,
    Column("face_a", Id, ForeignKey("faces.id", ondelete="CASCADE"), primary_key=True),
    Column("face_b", Id, ForeignKey("faces.id", ondelete="CASCADE"), primary_key=True),
    Column("by", CleanText, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
