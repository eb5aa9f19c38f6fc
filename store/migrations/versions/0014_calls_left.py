"""How many calls a platform still allows, so that whoever looks at the store sees it without asking the platform."""

import sqlalchemy as sa
from alembic import op

from store import dialect

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("platform_states", sa.Column("calls_left", sa.BigInteger()))
    op.add_column("platform_states", sa.Column("calls_reset_at", dialect.UtcDateTime()))


def downgrade() -> None:
    with op.batch_alter_table("platform_states") as batch_op:
        batch_op.drop_column("calls_reset_at")
        batch_op.drop_column("calls_left")
