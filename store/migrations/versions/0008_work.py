"""What several workers share: each platform's state, and the sequence by which their books of tracks keep in step."""

import sqlalchemy as sa
from alembic import op

from store import dialect

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "platform_states",
        sa.Column("platform", dialect.Word(40), nullable=False),
        sa.Column("own_id", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("own_handle", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("quiet_until", dialect.UtcDateTime(), nullable=True),
        sa.Column("breaker", dialect.Json(), nullable=True),
        sa.Column("poll_at", dialect.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("platform", name=op.f("pk_platform_states")),
    )
    with op.batch_alter_table("track_faces", schema=None) as batch_op:
        batch_op.add_column(sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.create_index(op.f("ix_track_faces_seq"), ["seq"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("track_faces", schema=None) as batch_op:
        batch_op.drop_index(op.f("ix_track_faces_seq"))
        batch_op.drop_column("seq")

    op.drop_table("platform_states")
