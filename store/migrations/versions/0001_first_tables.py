"""The first tables."""

import sqlalchemy as sa
from alembic import op

from store import dialect

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "agencies",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", dialect.CleanText(), nullable=False),
        sa.Column("adcode", dialect.Word(6), nullable=False),
        sa.Column("level", dialect.Word(20), nullable=False),
        sa.Column("type", dialect.Word(30), nullable=False),
        sa.Column("priority", sa.Integer(), server_default="100", nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agencies")),
        sa.UniqueConstraint("adcode", "name", name=op.f("uq_agencies_adcode_name")),
    )
    op.create_table(
        "audit_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.Column("who", dialect.CleanText(), nullable=False),
        sa.Column("what", dialect.Word(60), nullable=False),
        sa.Column("object", dialect.Word(200), nullable=False),
        sa.Column("details", dialect.Json(), nullable=False),
        sa.Column("previous", dialect.Word(64), nullable=False),
        sa.Column("hash", dialect.Word(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
    )
    op.create_index("ix_audit_events_object", "audit_events", ["object", "id"], unique=False)
    op.create_index("ix_audit_events_who", "audit_events", ["who", "id"], unique=False)
    op.create_table(
        "cases",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ref", dialect.Word(16), nullable=False),
        sa.Column("name", dialect.CleanText(), nullable=False),
        sa.Column("sex", dialect.Word(10), server_default="", nullable=False),
        sa.Column("birth_on", sa.Date(), nullable=True),
        sa.Column("birth_adcode", dialect.Word(6), nullable=True),
        sa.Column("missing_on", sa.Date(), nullable=True),
        sa.Column("missing_adcode", dialect.Word(6), nullable=True),
        sa.Column("height_cm", sa.Integer(), nullable=True),
        sa.Column("features", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("accent", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("clothing", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("circumstances", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("siblings", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("contacts", dialect.Json(), nullable=False),
        sa.Column("police_report_number", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("dna_filed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("source", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("source_ref", dialect.Word(200), nullable=True),
        sa.Column("registered_by", dialect.CleanText(), nullable=False),
        sa.Column("registered_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("verified_by", dialect.CleanText(), nullable=True),
        sa.Column("verified_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("closed_by", dialect.CleanText(), nullable=True),
        sa.Column("closed_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("closed_reason", dialect.CleanText(), nullable=True),
        sa.Column("closed_record", dialect.CleanText(), nullable=True),
        sa.Column("state", dialect.Word(20), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("searched_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("ref", name=op.f("uq_cases_ref")),
        sa.UniqueConstraint("source", "source_ref", name=op.f("uq_cases_source_source_ref")),
    )
    op.create_index(op.f("ix_cases_seq"), "cases", ["seq"], unique=False)
    op.create_index("ix_cases_state", "cases", ["state", "id"], unique=False)
    op.create_table(
        "counters",
        sa.Column("name", dialect.Word(40), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
    )
    op.create_table(
        "opt_outs",
        sa.Column("platform", dialect.Word(40), nullable=False),
        sa.Column("author_id", dialect.CleanText(), nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "author_id", name=op.f("pk_opt_outs")),
    )
    op.create_table(
        "photos",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sha256", dialect.Word(64), nullable=False),
        sa.Column("phash", dialect.Word(16), nullable=False),
        sa.Column("band0", sa.Integer(), nullable=False),
        sa.Column("band1", sa.Integer(), nullable=False),
        sa.Column("band2", sa.Integer(), nullable=False),
        sa.Column("band3", sa.Integer(), nullable=False),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        sa.Column("format", dialect.Word(20), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("exif", dialect.Json(), nullable=True),
        sa.Column("first_seen_at", dialect.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photos")),
        sa.UniqueConstraint("sha256", name=op.f("uq_photos_sha256")),
    )
    op.create_index(op.f("ix_photos_band0"), "photos", ["band0"], unique=False)
    op.create_index(op.f("ix_photos_band1"), "photos", ["band1"], unique=False)
    op.create_index(op.f("ix_photos_band2"), "photos", ["band2"], unique=False)
    op.create_index(op.f("ix_photos_band3"), "photos", ["band3"], unique=False)
    op.create_table(
        "posts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("platform", dialect.Word(40), nullable=False),
        sa.Column("post_id", dialect.CleanText(), nullable=False),
        sa.Column("stream", dialect.Word(300), nullable=False),
        sa.Column("direct", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("author_id", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("author_handle", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("text", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("lang", dialect.Word(20), server_default="", nullable=False),
        sa.Column("posted_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("url", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("reply_to_id", dialect.CleanText(), nullable=True),
        sa.Column("thread_id", dialect.CleanText(), nullable=True),
        sa.Column("repost_of_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("summons", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("silent", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("details", dialect.Json(), nullable=True),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("step", dialect.Word(20), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_before", dialect.UtcDateTime(), nullable=True),
        sa.Column("error", dialect.CleanText(), nullable=True),
        sa.Column("lane", sa.Integer(), server_default="0", nullable=False),
        sa.Column("first_read_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("deleted_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("checked_at", dialect.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["repost_of_id"], ["posts.id"], name=op.f("fk_posts_repost_of_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
        sa.UniqueConstraint("platform", "post_id", name=op.f("uq_posts_platform_post_id")),
    )
    op.create_index("ix_posts_author", "posts", ["platform", "author_id", "step"], unique=False)
    op.create_index("ix_posts_checked", "posts", ["platform", "checked_at"], unique=False)
    op.create_index("ix_posts_pending", "posts", ["step", "lane", "id"], unique=False)
    op.create_index("ix_posts_posted_at", "posts", ["posted_at"], unique=False)
    op.create_index(op.f("ix_posts_repost_of_id"), "posts", ["repost_of_id"], unique=False)
    op.create_table(
        "streams",
        sa.Column("key", dialect.CleanText(), nullable=False),
        sa.Column("platform", dialect.Word(40), nullable=False),
        sa.Column("cursor", dialect.CleanText(), nullable=True),
        sa.Column("chain", dialect.Json(), nullable=True),
        sa.Column("started_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("last_attempt_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("last_success_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("last_outcome", dialect.Word(40), nullable=True),
        sa.Column("last_error", dialect.CleanText(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("newest_posted_at", dialect.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_streams")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("login", dialect.Word(200), nullable=False),
        sa.Column("name", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("totp_secret", sa.LargeBinary(), nullable=True),
        sa.Column("roles", dialect.Json(), nullable=False),
        sa.Column("divisions", dialect.Json(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("locked_until", dialect.UtcDateTime(), nullable=True),
        sa.Column("disabled_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("created_at", dialect.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("login", name=op.f("uq_users_login")),
    )
    op.create_table(
        "case_photos",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("case_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("photo_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("taken_on", sa.Date(), nullable=True),
        sa.Column("face_position", sa.Integer(), nullable=True),
        sa.Column("added_at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_photos_case_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["photo_id"], ["photos.id"], name=op.f("fk_case_photos_photo_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_photos")),
        sa.UniqueConstraint("case_id", "photo_id", name=op.f("uq_case_photos_case_id_photo_id")),
    )
    op.create_index(op.f("ix_case_photos_case_id"), "case_photos", ["case_id"], unique=False)
    op.create_index(op.f("ix_case_photos_photo_id"), "case_photos", ["photo_id"], unique=False)
    op.create_table(
        "face_scans",
        sa.Column("photo_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("pack_sha256", dialect.Word(64), nullable=False),
        sa.Column("pack_id", dialect.Word(100), nullable=False),
        sa.Column("faces", sa.Integer(), nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["photo_id"], ["photos.id"], name=op.f("fk_face_scans_photo_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("photo_id", "pack_sha256", name=op.f("pk_face_scans")),
    )
    op.create_table(
        "faces",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("photo_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("box_left", sa.Float(), nullable=False),
        sa.Column("box_top", sa.Float(), nullable=False),
        sa.Column("box_right", sa.Float(), nullable=False),
        sa.Column("box_bottom", sa.Float(), nullable=False),
        sa.Column("det_score", sa.Float(), nullable=False),
        sa.Column("landmarks", dialect.Json(), nullable=False),
        sa.Column("quality", dialect.Word(20), nullable=False),
        sa.Column("quality_why", sa.Text(), nullable=False),
        sa.Column("norm", sa.Float(), nullable=False),
        sa.Column("pack_id", dialect.Word(100), nullable=False),
        sa.Column("pack_sha256", dialect.Word(64), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["photo_id"], ["photos.id"], name=op.f("fk_faces_photo_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_faces")),
        sa.UniqueConstraint("photo_id", "pack_sha256", "position", name=op.f("uq_faces_photo_id_pack_sha256_position")),
    )
    op.create_index("ix_faces_pack", "faces", ["pack_sha256", "id"], unique=False)
    op.create_index(op.f("ix_faces_photo_id"), "faces", ["photo_id"], unique=False)
    op.create_table(
        "media",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("post_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("key", dialect.CleanText(), nullable=False),
        sa.Column("urls", dialect.Json(), nullable=False),
        sa.Column("kind", dialect.Word(20), nullable=False),
        sa.Column("state", dialect.Word(20), nullable=False),
        sa.Column("error", dialect.CleanText(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_before", dialect.UtcDateTime(), nullable=True),
        sa.Column("photo_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["photo_id"], ["photos.id"], name=op.f("fk_media_photo_id")),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_media_post_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_media")),
        sa.UniqueConstraint("post_id", "position", name=op.f("uq_media_post_id_position")),
    )
    op.create_index("ix_media_pending", "media", ["state", "id"], unique=False)
    op.create_index(op.f("ix_media_photo_id"), "media", ["photo_id"], unique=False)
    op.create_index(op.f("ix_media_post_id"), "media", ["post_id"], unique=False)
    op.create_table(
        "official_accounts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("agency_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("platform", dialect.Word(40), nullable=False),
        sa.Column("account_id", dialect.CleanText(), nullable=False),
        sa.Column("handle", dialect.CleanText(), nullable=False),
        sa.Column("verified", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("verified_type", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("verified_reason", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("checked_on", sa.Date(), nullable=True),
        sa.Column("evidence", dialect.CleanText(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["agency_id"], ["agencies.id"], name=op.f("fk_official_accounts_agency_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_official_accounts")),
        sa.UniqueConstraint("platform", "account_id", name=op.f("uq_official_accounts_platform_account_id")),
    )
    op.create_index(op.f("ix_official_accounts_agency_id"), "official_accounts", ["agency_id"], unique=False)
    op.create_table(
        "rejections",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("case_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("photo_sha256", dialect.Word(64), nullable=False),
        sa.Column("box_left", sa.Float(), nullable=False),
        sa.Column("box_top", sa.Float(), nullable=False),
        sa.Column("box_right", sa.Float(), nullable=False),
        sa.Column("box_bottom", sa.Float(), nullable=False),
        sa.Column("by", dialect.CleanText(), nullable=False),
        sa.Column("why", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_rejections_case_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejections")),
    )
    op.create_index(op.f("ix_rejections_case_id"), "rejections", ["case_id"], unique=False)
    op.create_index("ix_rejections_photo", "rejections", ["photo_sha256", "case_id"], unique=False)
    op.create_table(
        "sightings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ref", dialect.Word(16), nullable=False),
        sa.Column("post_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("adcode", dialect.Word(6), nullable=True),
        sa.Column("place", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("alternatives", dialect.Json(), nullable=False),
        sa.Column("where_certainty", dialect.Word(10), nullable=False),
        sa.Column("where_evidence", dialect.Json(), nullable=False),
        sa.Column("where_by", dialect.CleanText(), nullable=True),
        sa.Column("seen_from", dialect.UtcDateTime(), nullable=True),
        sa.Column("seen_to", dialect.UtcDateTime(), nullable=True),
        sa.Column("grain", dialect.Word(20), nullable=True),
        sa.Column("when_certainty", dialect.Word(10), nullable=False),
        sa.Column("when_evidence", dialect.Json(), nullable=False),
        sa.Column("when_by", dialect.CleanText(), nullable=True),
        sa.Column("duplicate_of", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("state", dialect.Word(20), nullable=False),
        sa.Column("state_by", dialect.CleanText(), nullable=True),
        sa.Column("created_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("updated_at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["duplicate_of"], ["sightings.id"], name=op.f("fk_sightings_duplicate_of")),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_sightings_post_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sightings")),
        sa.UniqueConstraint("post_id", name=op.f("uq_sightings_post_id")),
        sa.UniqueConstraint("ref", name=op.f("uq_sightings_ref")),
    )
    op.create_index("ix_sightings_adcode", "sightings", ["adcode", "id"], unique=False)
    op.create_index(op.f("ix_sightings_duplicate_of"), "sightings", ["duplicate_of"], unique=False)
    op.create_index("ix_sightings_seen_from", "sightings", ["seen_from"], unique=False)
    op.create_index("ix_sightings_state", "sightings", ["state", "id"], unique=False)
    op.create_table(
        "user_sessions",
        sa.Column("token_hash", dialect.Word(64), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("expires_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("revoked_at", dialect.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_sessions_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_user_sessions")),
    )
    op.create_index(op.f("ix_user_sessions_user_id"), "user_sessions", ["user_id"], unique=False)
    op.create_table(
        "candidates",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("face_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("case_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("raw", sa.Float(), nullable=False),
        sa.Column("normalised", sa.Float(), nullable=True),
        sa.Column("one_in", sa.Float(), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("band", dialect.Word(10), nullable=False),
        sa.Column("why", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("pack_id", dialect.Word(100), nullable=False),
        sa.Column("calibration", dialect.Word(200), server_default="", nullable=False),
        sa.Column("state", dialect.Word(20), nullable=False),
        sa.Column("state_by", dialect.CleanText(), nullable=True),
        sa.Column("state_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("created_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("updated_at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_candidates_case_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["face_id"], ["faces.id"], name=op.f("fk_candidates_face_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_candidates")),
        sa.UniqueConstraint("face_id", "case_id", name=op.f("uq_candidates_face_id_case_id")),
    )
    op.create_index(op.f("ix_candidates_case_id"), "candidates", ["case_id"], unique=False)
    op.create_index(op.f("ix_candidates_face_id"), "candidates", ["face_id"], unique=False)
    op.create_index("ix_candidates_state", "candidates", ["state", "band", "id"], unique=False)
    op.create_table(
        "case_faces",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("case_photo_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("box_left", sa.Float(), nullable=False),
        sa.Column("box_top", sa.Float(), nullable=False),
        sa.Column("box_right", sa.Float(), nullable=False),
        sa.Column("box_bottom", sa.Float(), nullable=False),
        sa.Column("det_score", sa.Float(), nullable=False),
        sa.Column("quality", dialect.Word(20), nullable=False),
        sa.Column("quality_why", sa.Text(), nullable=False),
        sa.Column("norm", sa.Float(), nullable=False),
        sa.Column("pack_id", dialect.Word(100), nullable=False),
        sa.Column("pack_sha256", dialect.Word(64), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_photo_id"], ["case_photos.id"], name=op.f("fk_case_faces_case_photo_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_faces")),
        sa.UniqueConstraint("case_photo_id", "pack_sha256", name=op.f("uq_case_faces_case_photo_id_pack_sha256")),
    )
    op.create_index(op.f("ix_case_faces_case_photo_id"), "case_faces", ["case_photo_id"], unique=False)
    op.create_index("ix_case_faces_pack", "case_faces", ["pack_sha256", "id"], unique=False)
    op.create_table(
        "leads",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sighting_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("case_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("candidate_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("state", dialect.Word(20), nullable=False),
        sa.Column("created_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("updated_at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidates.id"], name=op.f("fk_leads_candidate_id")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_leads_case_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["sighting_id"], ["sightings.id"], name=op.f("fk_leads_sighting_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leads")),
        sa.UniqueConstraint("sighting_id", "case_id", name=op.f("uq_leads_sighting_id_case_id")),
    )
    op.create_index(op.f("ix_leads_candidate_id"), "leads", ["candidate_id"], unique=False)
    op.create_index(op.f("ix_leads_case_id"), "leads", ["case_id"], unique=False)
    op.create_index(op.f("ix_leads_sighting_id"), "leads", ["sighting_id"], unique=False)
    op.create_index("ix_leads_state", "leads", ["state", "id"], unique=False)
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("platform", dialect.Word(40), nullable=False),
        sa.Column("target_post_id", dialect.CleanText(), nullable=False),
        sa.Column("kind", dialect.Word(20), nullable=False),
        sa.Column("scope", dialect.Word(200), nullable=False),
        sa.Column("ref", dialect.Word(40), nullable=False),
        sa.Column("text", dialect.CleanText(), nullable=False),
        sa.Column("reply_to_id", dialect.CleanText(), nullable=True),
        sa.Column("reply_to_comment_id", dialect.CleanText(), nullable=True),
        sa.Column("thread_id", dialect.CleanText(), nullable=True),
        sa.Column("lead_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("sighting_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("state", dialect.Word(20), nullable=False),
        sa.Column("hold_reason", dialect.CleanText(), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reads", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_before", dialect.UtcDateTime(), nullable=True),
        sa.Column("lease_until", dialect.UtcDateTime(), nullable=True),
        sa.Column("sending_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("sent_id", dialect.CleanText(), nullable=True),
        sa.Column("sent_url", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("error", dialect.CleanText(), nullable=True),
        sa.Column("decided_by", dialect.CleanText(), nullable=True),
        sa.Column("created_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("sent_at", dialect.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name=op.f("fk_alerts_lead_id")),
        sa.ForeignKeyConstraint(["sighting_id"], ["sightings.id"], name=op.f("fk_alerts_sighting_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint(
            "platform", "target_post_id", "kind", "scope", name=op.f("uq_alerts_platform_target_post_id_kind_scope")
        ),
    )
    op.create_index(op.f("ix_alerts_lead_id"), "alerts", ["lead_id"], unique=False)
    op.create_index("ix_alerts_ref", "alerts", ["ref"], unique=False)
    op.create_index("ix_alerts_sending_at", "alerts", ["platform", "sending_at"], unique=False)
    op.create_index(op.f("ix_alerts_sighting_id"), "alerts", ["sighting_id"], unique=False)
    op.create_index("ix_alerts_state", "alerts", ["platform", "state", "id"], unique=False)
    op.create_index("ix_alerts_thread", "alerts", ["platform", "thread_id"], unique=False)
    op.create_table(
        "lead_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("lead_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("from_state", dialect.Word(20), nullable=True),
        sa.Column("to_state", dialect.Word(20), nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.Column("who", dialect.CleanText(), nullable=False),
        sa.Column("why", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("record_kind", dialect.Word(20), nullable=True),
        sa.Column("record", dialect.CleanText(), nullable=True),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name=op.f("fk_lead_events_lead_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lead_events")),
    )
    op.create_index(op.f("ix_lead_events_lead_id"), "lead_events", ["lead_id"], unique=False)
    op.create_table(
        "alert_mentions",
        sa.Column("alert_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("handle", dialect.CleanText(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["official_accounts.id"], name=op.f("fk_alert_mentions_account_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name=op.f("fk_alert_mentions_alert_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("alert_id", "position", name=op.f("pk_alert_mentions")),
    )
    op.create_index(op.f("ix_alert_mentions_account_id"), "alert_mentions", ["account_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_alert_mentions_account_id"), table_name="alert_mentions")
    op.drop_table("alert_mentions")
    op.drop_index(op.f("ix_lead_events_lead_id"), table_name="lead_events")
    op.drop_table("lead_events")
    op.drop_index("ix_alerts_thread", table_name="alerts")
    op.drop_index("ix_alerts_state", table_name="alerts")
    op.drop_index(op.f("ix_alerts_sighting_id"), table_name="alerts")
    op.drop_index("ix_alerts_sending_at", table_name="alerts")
    op.drop_index("ix_alerts_ref", table_name="alerts")
    op.drop_index(op.f("ix_alerts_lead_id"), table_name="alerts")
    op.drop_table("alerts")
    op.drop_index("ix_leads_state", table_name="leads")
    op.drop_index(op.f("ix_leads_sighting_id"), table_name="leads")
    op.drop_index(op.f("ix_leads_case_id"), table_name="leads")
    op.drop_index(op.f("ix_leads_candidate_id"), table_name="leads")
    op.drop_table("leads")
    op.drop_index("ix_case_faces_pack", table_name="case_faces")
    op.drop_index(op.f("ix_case_faces_case_photo_id"), table_name="case_faces")
    op.drop_table("case_faces")
    op.drop_index("ix_candidates_state", table_name="candidates")
    op.drop_index(op.f("ix_candidates_face_id"), table_name="candidates")
    op.drop_index(op.f("ix_candidates_case_id"), table_name="candidates")
    op.drop_table("candidates")
    op.drop_index(op.f("ix_user_sessions_user_id"), table_name="user_sessions")
    op.drop_table("user_sessions")
    op.drop_index("ix_sightings_state", table_name="sightings")
    op.drop_index("ix_sightings_seen_from", table_name="sightings")
    op.drop_index(op.f("ix_sightings_duplicate_of"), table_name="sightings")
    op.drop_index("ix_sightings_adcode", table_name="sightings")
    op.drop_table("sightings")
    op.drop_index("ix_rejections_photo", table_name="rejections")
    op.drop_index(op.f("ix_rejections_case_id"), table_name="rejections")
    op.drop_table("rejections")
    op.drop_index(op.f("ix_official_accounts_agency_id"), table_name="official_accounts")
    op.drop_table("official_accounts")
    op.drop_index(op.f("ix_media_post_id"), table_name="media")
    op.drop_index(op.f("ix_media_photo_id"), table_name="media")
    op.drop_index("ix_media_pending", table_name="media")
    op.drop_table("media")
    op.drop_index(op.f("ix_faces_photo_id"), table_name="faces")
    op.drop_index("ix_faces_pack", table_name="faces")
    op.drop_table("faces")
    op.drop_table("face_scans")
    op.drop_index(op.f("ix_case_photos_photo_id"), table_name="case_photos")
    op.drop_index(op.f("ix_case_photos_case_id"), table_name="case_photos")
    op.drop_table("case_photos")
    op.drop_table("users")
    op.drop_table("streams")
    op.drop_index(op.f("ix_posts_repost_of_id"), table_name="posts")
    op.drop_index("ix_posts_posted_at", table_name="posts")
    op.drop_index("ix_posts_pending", table_name="posts")
    op.drop_index("ix_posts_checked", table_name="posts")
    op.drop_index("ix_posts_author", table_name="posts")
    op.drop_table("posts")
    op.drop_index(op.f("ix_photos_band3"), table_name="photos")
    op.drop_index(op.f("ix_photos_band2"), table_name="photos")
    op.drop_index(op.f("ix_photos_band1"), table_name="photos")
    op.drop_index(op.f("ix_photos_band0"), table_name="photos")
    op.drop_table("photos")
    op.drop_table("opt_outs")
    op.drop_table("counters")
    op.drop_index("ix_cases_state", table_name="cases")
    op.drop_index(op.f("ix_cases_seq"), table_name="cases")
    op.drop_table("cases")
    op.drop_index("ix_audit_events_who", table_name="audit_events")
    op.drop_index("ix_audit_events_object", table_name="audit_events")
    op.drop_table("audit_events")
    op.drop_table("agencies")
