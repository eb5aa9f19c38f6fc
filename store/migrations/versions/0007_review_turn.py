"""Whose turn it is in the review queue: by how rare the score is, moved by what else is known."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    with op.batch_alter_table("candidates", schema=None) as batch_op:
        batch_op.add_column(sa.Column("turn", sa.Float(), server_default="0", nullable=False))
        batch_op.create_index("ix_candidates_turn", ["state", "band", "turn", "id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("candidates", schema=None) as batch_op:
        batch_op.drop_index("ix_candidates_turn")
        batch_op.drop_column("turn")
