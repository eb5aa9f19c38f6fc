"""Indexes for what every round asks, so that its cost does not grow with what is stored."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_UNSEARCHED = sa.text("searched_seq < seq")


def upgrade() -> None:
    for band in range(4):
        op.create_index(f"ix_photos_look_alike{band}", "photos", [f"band{band}", "phash", "id"])
        op.drop_index(f"ix_photos_band{band}", table_name="photos")
    op.create_index("ix_cases_unsearched", "cases", ["seq"], sqlite_where=_UNSEARCHED, postgresql_where=_UNSEARCHED)
    op.create_index("ix_alerts_kind_sending_at", "alerts", ["platform", "kind", "sending_at"])
    op.create_index("ix_alerts_kind", "alerts", ["kind", "id"])


def downgrade() -> None:
    op.drop_index("ix_alerts_kind", table_name="alerts")
    op.drop_index("ix_alerts_kind_sending_at", table_name="alerts")
    op.drop_index("ix_cases_unsearched", table_name="cases")
    for band in range(4):
        op.create_index(f"ix_photos_band{band}", "photos", [f"band{band}"])
        op.drop_index(f"ix_photos_look_alike{band}", table_name="photos")
