"""What the matcher remembers beside vectors: drift, an operator's cohort, one unknown child over days and cities."""

import sqlalchemy as sa
from alembic import op

from store import dialect

revision = "0006"
down_revision = "0005"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "drift",
        sa.Column("pack_sha256", dialect.Word(64), nullable=False),
        sa.Column("histogram", dialect.Json(), nullable=False),
        sa.Column("since", dialect.UtcDateTime(), nullable=False),
        sa.Column("updated_at", dialect.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("pack_sha256", name=op.f("pk_drift")),
    )
    op.create_table(
        "cohort_vectors",
        sa.Column("id", _ID, nullable=False),
        sa.Column("pack_sha256", dialect.Word(64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("vector", dialect.Blob(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cohort_vectors")),
    )
    op.create_index(op.f("ix_cohort_vectors_pack_sha256"), "cohort_vectors", ["pack_sha256"])
    op.create_table(
        "tracks",
        sa.Column("id", _ID, nullable=False),
        sa.Column("ref", dialect.Word(16), nullable=False),
        sa.Column("created_at", dialect.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tracks")),
        sa.UniqueConstraint("ref", name=op.f("uq_tracks_ref")),
    )
    op.create_table(
        "track_faces",
        sa.Column("face_id", _ID, nullable=False),
        sa.Column("track_id", _ID, nullable=False),
        sa.Column("why", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("by", dialect.CleanText(), nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["face_id"], ["faces.id"], name=op.f("fk_track_faces_face_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name=op.f("fk_track_faces_track_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("face_id", name=op.f("pk_track_faces")),
    )
    op.create_index(op.f("ix_track_faces_track_id"), "track_faces", ["track_id"])
    op.create_table(
        "tracks_apart",
        sa.Column("face_a", _ID, nullable=False),
        sa.Column("face_b", _ID, nullable=False),
        sa.Column("by", dialect.CleanText(), nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["face_a"], ["faces.id"], name=op.f("fk_tracks_apart_face_a"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["face_b"], ["faces.id"], name=op.f("fk_tracks_apart_face_b"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("face_a", "face_b", name=op.f("pk_tracks_apart")),
    )


def downgrade() -> None:
    for table in ("tracks_apart", "track_faces", "tracks", "cohort_vectors", "drift"):
        op.drop_table(table)
