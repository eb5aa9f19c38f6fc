"""Calls made on each platform's account, counted in one place by every process that makes them."""

import sqlalchemy as sa
from alembic import op

from store import dialect

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("platform_states", sa.Column("calls_made", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("platform_states", sa.Column("calls_day_began", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("platform_states", sa.Column("calls_day_ends", dialect.UtcDateTime()))


def downgrade() -> None:
    with op.batch_alter_table("platform_states") as batch_op:
        for name in ("calls_day_ends", "calls_day_began", "calls_made"):
            batch_op.drop_column(name)
