"""Photos, what a post shows, and the faces found in them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from store.dialect import Blob, CleanText, Json, UtcDateTime, Word
from store.tables.columns import Id, box, metadata, row_id, to

photos = Table(
    "photos",
    metadata,
    row_id(),
    Column("sha256", Word(64), nullable=False, unique=True),
    Column("phash", Word(16), nullable=False),
    Column("band0", Integer, nullable=False),
    Column("band1", Integer, nullable=False),
    Column("band2", Integer, nullable=False),
    Column("band3", Integer, nullable=False),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("format", Word(20), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("exif", Json),
    Column("first_seen_at", UtcDateTime, nullable=False),
    # With all that a look-up of look-alikes reads, so that it never goes to the rows themselves.
    *(Index(f"ix_photos_look_alike{band}", f"band{band}", "phash", "id") for band in range(4)),
)

media = Table(
    "media",
    metadata,
    row_id(),
    to("post_id -> posts", cascade=True),
    Column("position", Integer, nullable=False),
    Column("key", CleanText, nullable=False),
    Column("urls", Json, nullable=False),
    Column("kind", Word(20), nullable=False),
    Column("state", Word(20), nullable=False),
    Column("error", CleanText),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("not_before", UtcDateTime),
    to("photo_id -> photos", nullable=True),
    UniqueConstraint("post_id", "position"),
    Index("ix_media_pending", "state", "id"),
)

face_scans = Table(
    "face_scans",
    metadata,
    Column("photo_id", Id, ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True),
    Column("pack_sha256", Word(64), primary_key=True),
    Column("pack_id", Word(100), nullable=False),
    Column("faces", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

faces = Table(
    "faces",
    metadata,
    row_id(),
    to("photo_id -> photos", cascade=True),
    Column("position", Integer, nullable=False),
    *box(),
    Column("det_score", Float, nullable=False),
    Column("landmarks", Json, nullable=False),
    Column("quality", Word(20), nullable=False),
    Column("quality_why", Text, nullable=False),
    Column("norm", Float, nullable=False),
    Column("pack_id", Word(100), nullable=False),
    Column("pack_sha256", Word(64), nullable=False),
    Column("vector", Blob, nullable=False),
    UniqueConstraint("photo_id", "pack_sha256", "position"),
    Index("ix_faces_pack", "pack_sha256", "id"),
)

face_notes = Table(
    "face_notes",
    metadata,
    Column("face_id", Id, ForeignKey("faces.id", ondelete="CASCADE"), primary_key=True),
    Column("sex", Word(10), nullable=False, server_default=""),
    Column("age_from", Integer),
    Column("age_to", Integer),
    Column("by", CleanText, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

sightings = Table(
    "sightings",
    metadata,
    row_id(),
    Column("ref", Word(16), nullable=False, unique=True),
    Column("post_id", Id, ForeignKey("posts.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("adcode", Word(6)),
    Column("place", CleanText, nullable=False, server_default=""),
    Column("alternatives", Json, nullable=False),
    Column("where_certainty", Word(10), nullable=False),
    Column("where_evidence", Json, nullable=False),
    Column("where_by", CleanText),
    Column("seen_from", UtcDateTime),
    Column("seen_to", UtcDateTime),
    Column("grain", Word(20)),
    Column("when_certainty", Word(10), nullable=False),
    Column("when_evidence", Json, nullable=False),
    Column("when_by", CleanText),
    to("duplicate_of -> sightings", nullable=True),
    Column("state", Word(20), nullable=False),
    Column("state_by", CleanText),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("ix_sightings_adcode", "adcode", "id"),
    # Each answers a search (store/search.py) without reading a row for every sighting it passes.
    Index("ix_sightings_place", "adcode", "post_id", "duplicate_of", "state", "seen_from", "seen_to"),
    Index("ix_sightings_seen_from", "seen_from", "seen_to", "post_id", "duplicate_of", "state"),
    Index("ix_sightings_state", "state", "post_id", "duplicate_of"),
)
