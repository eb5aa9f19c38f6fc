"""The tables. Queries stand in the module of each noun; migrations/ brings a database to this shape.

Conventions: every ``*_at`` is an instant (UTC), every ``*_on`` a date. Enumerations are kept as their text values.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from store.dialect import Blob, CleanText, Json, UtcDateTime, Word

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself in an INTEGER primary key alone; PostgreSQL wants 64 bits.
Id = BigInteger().with_variant(Integer(), "sqlite")


def _id() -> Column[int]:
    return Column("id", Id, primary_key=True)


def _to(column: str, *, nullable: bool = False, cascade: bool = False) -> Column[int]:
    """A reference named ``<table's singular>_id`` style by the caller; ``cascade`` where the row dies with its owner."""
    name, target = column.split(" -> ")
    return Column(name, Id, ForeignKey(f"{target}.id", ondelete="CASCADE" if cascade else None), nullable=nullable, index=True)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=false())


def _box() -> list[Column[float]]:
    """A face's place in the upright photo, in pixels."""
    return [Column(f"box_{side}", Float, nullable=False) for side in ("left", "top", "right", "bottom")]


# --- reading ----------------------------------------------------------------------------------------------------

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

posts = Table(
    "posts",
    metadata,
    _id(),
    Column("platform", Word(40), nullable=False),
    Column("post_id", CleanText, nullable=False),
    Column("stream", Word(300), nullable=False),
    _flag("direct"),
    Column("author_id", CleanText, nullable=False, server_default=""),
    Column("author_handle", CleanText, nullable=False, server_default=""),
    Column("text", CleanText, nullable=False, server_default=""),
    Column("lang", Word(20), nullable=False, server_default=""),
    Column("posted_at", UtcDateTime),
    Column("url", CleanText, nullable=False, server_default=""),
    Column("reply_to_id", CleanText),
    Column("thread_id", CleanText),
    _to("repost_of_id -> posts", nullable=True),
    _flag("summons"),
    _flag("silent"),
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

# --- secrets, erasures ------------------------------------------------------------------------------------------

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
    _id(),
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
    _to("erasure_id -> erasures", nullable=True),
)

removed_cases = Table(
    "removed_cases",
    metadata,
    Column("case_id", Id, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False, index=True),
)

# --- photos and faces -------------------------------------------------------------------------------------------

photos = Table(
    "photos",
    metadata,
    _id(),
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
    _id(),
    _to("post_id -> posts", cascade=True),
    Column("position", Integer, nullable=False),
    Column("key", CleanText, nullable=False),
    Column("urls", Json, nullable=False),
    Column("kind", Word(20), nullable=False),
    Column("state", Word(20), nullable=False),
    Column("error", CleanText),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("not_before", UtcDateTime),
    _to("photo_id -> photos", nullable=True),
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
    _id(),
    _to("photo_id -> photos", cascade=True),
    Column("position", Integer, nullable=False),
    *_box(),
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

# --- sightings --------------------------------------------------------------------------------------------------

sightings = Table(
    "sightings",
    metadata,
    _id(),
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
    _to("duplicate_of -> sightings", nullable=True),
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

# --- cases ------------------------------------------------------------------------------------------------------

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
    _id(),
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
    _flag("dna_filed"),
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
    _id(),
    _to("case_id -> cases", cascade=True),
    _to("photo_id -> photos"),
    Column("taken_on", Date),
    Column("face_position", Integer),
    Column("added_at", UtcDateTime, nullable=False),
    UniqueConstraint("case_id", "photo_id"),
)

case_faces = Table(
    "case_faces",
    metadata,
    _id(),
    _to("case_photo_id -> case_photos", cascade=True),
    *_box(),
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

# --- candidates and leads ---------------------------------------------------------------------------------------

candidates = Table(
    "candidates",
    metadata,
    _id(),
    _to("face_id -> faces", cascade=True),
    _to("case_id -> cases", cascade=True),
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
    _id(),
    _to("case_id -> cases", cascade=True),
    Column("photo_sha256", Word(64), nullable=False),
    *_box(),
    Column("by", CleanText, nullable=False),
    Column("why", CleanText, nullable=False, server_default=""),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_rejections_photo", "photo_sha256", "case_id"),
)

leads = Table(
    "leads",
    metadata,
    _id(),
    _to("sighting_id -> sightings", cascade=True),
    _to("case_id -> cases", cascade=True),
    _to("candidate_id -> candidates", nullable=True),
    Column("state", Word(20), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("sighting_id", "case_id"),
    Index("ix_leads_state", "state", "id"),
)

lead_events = Table(
    "lead_events",
    metadata,
    _id(),
    _to("lead_id -> leads", cascade=True),
    Column("from_state", Word(20)),
    Column("to_state", Word(20), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("who", CleanText, nullable=False),
    Column("why", CleanText, nullable=False, server_default=""),
    Column("record_kind", Word(20)),
    Column("record", CleanText),
)

# --- officials and alerts ---------------------------------------------------------------------------------------

agencies = Table(
    "agencies",
    metadata,
    _id(),
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
    _id(),
    _to("agency_id -> agencies", cascade=True),
    Column("platform", Word(40), nullable=False),
    Column("account_id", CleanText, nullable=False),
    Column("handle", CleanText, nullable=False),
    _flag("verified"),
    Column("verified_type", CleanText, nullable=False, server_default=""),
    Column("verified_reason", CleanText, nullable=False, server_default=""),
    Column("checked_on", Date),
    Column("evidence", CleanText, nullable=False, server_default=""),
    UniqueConstraint("platform", "account_id"),
)

alerts = Table(
    "alerts",
    metadata,
    _id(),
    Column("platform", Word(40), nullable=False),
    Column("target_post_id", CleanText, nullable=False),
    Column("kind", Word(20), nullable=False),
    Column("scope", Word(200), nullable=False),
    Column("ref", Word(40), nullable=False),
    Column("text", CleanText, nullable=False),
    Column("reply_to_id", CleanText),
    Column("reply_to_comment_id", CleanText),
    Column("thread_id", CleanText),
    _to("lead_id -> leads", nullable=True),
    _to("sighting_id -> sightings", nullable=True),
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

# --- people and the record of what they did ---------------------------------------------------------------------

users = Table(
    "users",
    metadata,
    _id(),
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
    _to("user_id -> users", cascade=True),
    Column("by", CleanText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
)

user_sessions = Table(
    "user_sessions",
    metadata,
    Column("token_hash", Word(64), primary_key=True),
    _to("user_id -> users", cascade=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
)

# --- what reviewers say of candidates ---------------------------------------------------------------------------

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
    _flag("skipped"),
)

review_votes = Table(
    "review_votes",
    metadata,
    _id(),
    _to("candidate_id -> candidates", cascade=True),
    _to("user_id -> users", cascade=True),
    Column("verdict", Word(20), nullable=False),
    _flag("unblinded"),
    _flag("leading"),
    Column("checklist", Json, nullable=False),
    Column("note", CleanText, nullable=False, server_default=""),
    Column("seconds", Float, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("undone_at", UtcDateTime),
)

review_checks = Table(
    "review_checks",
    metadata,
    _id(),
    _to("user_id -> users", cascade=True),
    _to("left_id -> case_photos", cascade=True),
    _to("right_id -> case_photos", cascade=True),
    Column("mated", Boolean, nullable=False),
    Column("given_at", UtcDateTime, nullable=False),
    Column("verdict", Word(20)),
    Column("checklist", Json, nullable=False),
    Column("note", CleanText, nullable=False, server_default=""),
    Column("seconds", Float),
    Column("at", UtcDateTime),
)

audit_events = Table(
    "audit_events",
    metadata,
    _id(),
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

# --- what officials answered, what families looked at, what changed in a case ------------------------------------

official_replies = Table(
    "official_replies",
    metadata,
    _id(),
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

case_changes = Table(
    "case_changes",
    metadata,
    _id(),
    _to("case_id -> cases", cascade=True),
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
    _id(),
    _to("case_id -> cases", cascade=True),
    _to("face_id -> faces", cascade=True),
    Column("who", CleanText, nullable=False),
    Column("note", CleanText, nullable=False, server_default=""),
    Column("lead_id", Id, ForeignKey("leads.id", ondelete="SET NULL"), index=True),
    Column("at", UtcDateTime, nullable=False),
    UniqueConstraint("case_id", "face_id"),
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

# --- recognition: what the matcher remembers beside vectors and candidates ------------------------------------------

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
    _id(),
    Column("pack_sha256", Word(64), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("vector", Blob, nullable=False),
)

tracks = Table(
    "tracks",
    metadata,
    _id(),
    Column("ref", Word(16), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
)

track_faces = Table(
    "track_faces",
    metadata,
    Column("face_id", Id, ForeignKey("faces.id", ondelete="CASCADE"), primary_key=True),
    _to("track_id -> tracks", cascade=True),
    Column("why", CleanText, nullable=False, server_default=""),
    Column("by", CleanText, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("seq", BigInteger, nullable=False, server_default="0", index=True),
)

# --- what workers share ----------------------------------------------------------------------------------------

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
)

tracks_apart = Table(
    "tracks_apart",
    metadata,
    Column("face_a", Id, ForeignKey("faces.id", ondelete="CASCADE"), primary_key=True),
    Column("face_b", Id, ForeignKey("faces.id", ondelete="CASCADE"), primary_key=True),
    Column("by", CleanText, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
