"""Sealed blocks of the gallery's templates, for a quick restart; derived, so nothing has to be brought over."""

import sqlalchemy as sa
from alembic import op

from store import dialect

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "gallery_blocks",
        sa.Column("pack_sha256", dialect.Word(64), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("sealed", dialect.Blob(), nullable=False),
        sa.PrimaryKeyConstraint("pack_sha256", "number", name=op.f("pk_gallery_blocks")),
    )


def downgrade() -> None:
    op.drop_table("gallery_blocks")
