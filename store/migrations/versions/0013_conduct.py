"""Indexes that count, by themselves, what each person did of late: photos shown, cases registered."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_index("ix_audit_events_at", "audit_events", ["at", "what", "who"])
    op.create_index("ix_cases_registered", "cases", ["registered_at", "registered_by"])


def downgrade() -> None:
    op.drop_index("ix_cases_registered", table_name="cases")
    op.drop_index("ix_audit_events_at", table_name="audit_events")
