"""The list of banned accounts and pictures; leases found by an index."""

import sqlalchemy as sa
from alembic import op

from store import dialect

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "bans",
        sa.Column("kind", dialect.Word(20), nullable=False),
        sa.Column("platform", dialect.Word(40), nullable=False),
        sa.Column("value", dialect.CleanText(), nullable=False),
        sa.Column("by", dialect.CleanText(), nullable=False),
        sa.Column("why", dialect.CleanText(), nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "platform", "value", name=op.f("pk_bans")),
    )
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index("ix_alerts_lease", ["state", "lease_until"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.drop_index("ix_alerts_lease")

    op.drop_table("bans")
