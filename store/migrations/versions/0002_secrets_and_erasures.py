"""The sealed pepper, tombstones and receipts of erasures."""

import sqlalchemy as sa
from alembic import op

from store import dialect

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ref", dialect.Word(16), nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.Column("by", dialect.CleanText(), nullable=False),
        sa.Column("why", dialect.CleanText(), nullable=False),
        sa.Column("kind", dialect.Word(20), nullable=False),
        sa.Column("mac", dialect.Word(64), nullable=False),
        sa.Column("counts", dialect.Json(), nullable=False),
        sa.Column("files_gone_at", dialect.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
        sa.UniqueConstraint("ref", name=op.f("uq_erasures_ref")),
    )
    with op.batch_alter_table("erasures", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_erasures_mac"), ["mac"], unique=False)

    op.create_table(
        "removed_cases",
        sa.Column("case_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_removed_cases")),
    )
    with op.batch_alter_table("removed_cases", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_removed_cases_seq"), ["seq"], unique=False)

    op.create_table(
        "secrets",
        sa.Column("name", dialect.Word(40), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_secrets")),
    )
    op.create_table(
        "tombstones",
        sa.Column("mac", dialect.Word(64), nullable=False),
        sa.Column("kind", dialect.Word(20), nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("mac", name=op.f("pk_tombstones")),
    )
    op.create_table(
        "file_removals",
        sa.Column("sha256", dialect.Word(64), nullable=False),
        sa.Column("erasure_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["erasure_id"], ["erasures.id"], name=op.f("fk_file_removals_erasure_id")),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_file_removals")),
    )
    with op.batch_alter_table("file_removals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_file_removals_erasure_id"), ["erasure_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("file_removals", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_file_removals_erasure_id"))

    op.drop_table("file_removals")
    op.drop_table("tombstones")
    op.drop_table("secrets")
    with op.batch_alter_table("removed_cases", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_removed_cases_seq"))

    op.drop_table("removed_cases")
    with op.batch_alter_table("erasures", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_erasures_mac"))

    op.drop_table("erasures")
