"""Officials' replies, changes of cases, what families made public and picked, notes on faces."""

import sqlalchemy as sa
from alembic import op

from store import dialect

revision = "0005"
down_revision = "0004"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "case_changes",
        sa.Column("id", ID, nullable=False),
        sa.Column("case_id", ID, nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.Column("who", dialect.CleanText(), nullable=False),
        sa.Column("field", dialect.Word(40), nullable=False),
        sa.Column("before", dialect.CleanText(), nullable=False),
        sa.Column("after", dialect.CleanText(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_changes_case_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_changes")),
    )
    with op.batch_alter_table("case_changes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_case_changes_case_id"), ["case_id"], unique=False)

    op.create_table(
        "case_publications",
        sa.Column("case_id", ID, nullable=False),
        sa.Column("url", dialect.CleanText(), nullable=False),
        sa.Column("said_by", dialect.CleanText(), nullable=False),
        sa.Column("noted_by", dialect.CleanText(), nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_publications_case_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_case_publications")),
    )
    op.create_table(
        "face_notes",
        sa.Column("face_id", ID, nullable=False),
        sa.Column("sex", dialect.Word(10), server_default="", nullable=False),
        sa.Column("age_from", sa.Integer(), nullable=True),
        sa.Column("age_to", sa.Integer(), nullable=True),
        sa.Column("by", dialect.CleanText(), nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["face_id"], ["faces.id"], name=op.f("fk_face_notes_face_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("face_id", name=op.f("pk_face_notes")),
    )
    op.create_table(
        "family_picks",
        sa.Column("id", ID, nullable=False),
        sa.Column("case_id", ID, nullable=False),
        sa.Column("face_id", ID, nullable=False),
        sa.Column("who", dialect.CleanText(), nullable=False),
        sa.Column("note", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("lead_id", ID, nullable=True),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_family_picks_case_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["face_id"], ["faces.id"], name=op.f("fk_family_picks_face_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name=op.f("fk_family_picks_lead_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_family_picks")),
        sa.UniqueConstraint("case_id", "face_id", name=op.f("uq_family_picks_case_id_face_id")),
    )
    with op.batch_alter_table("family_picks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_family_picks_case_id"), ["case_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_family_picks_face_id"), ["face_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_family_picks_lead_id"), ["lead_id"], unique=False)

    op.create_table(
        "official_replies",
        sa.Column("id", ID, nullable=False),
        sa.Column("post_id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=True),
        sa.Column("agency", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("lead_id", ID, nullable=True),
        sa.Column("sighting_id", ID, nullable=True),
        sa.Column("answer", dialect.Word(20), nullable=False),
        sa.Column("state", dialect.Word(20), nullable=False),
        sa.Column("why", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("decided_by", dialect.CleanText(), nullable=True),
        sa.Column("decided_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["official_accounts.id"], name=op.f("fk_official_replies_account_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name=op.f("fk_official_replies_lead_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_official_replies_post_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["sighting_id"], ["sightings.id"], name=op.f("fk_official_replies_sighting_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_official_replies")),
        sa.UniqueConstraint("post_id", name=op.f("uq_official_replies_post_id")),
    )
    with op.batch_alter_table("official_replies", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_official_replies_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_official_replies_lead_id"), ["lead_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_official_replies_sighting_id"), ["sighting_id"], unique=False)
        batch_op.create_index("ix_official_replies_state", ["state", "id"], unique=False)

    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index("ix_alerts_sent_id", ["platform", "sent_id"], unique=False)

    with op.batch_alter_table("cases", schema=None) as batch_op:
        batch_op.create_index("ix_cases_birth_on", ["birth_on"], unique=False)
        batch_op.create_index("ix_cases_name", ["name"], unique=False)
        batch_op.create_index("ix_cases_police_report_number", ["police_report_number"], unique=False)

    with op.batch_alter_table("posts", schema=None) as batch_op:
        batch_op.create_index("ix_posts_platform", ["platform", "id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("posts", schema=None) as batch_op:
        batch_op.drop_index("ix_posts_platform")

    with op.batch_alter_table("cases", schema=None) as batch_op:
        batch_op.drop_index("ix_cases_police_report_number")
        batch_op.drop_index("ix_cases_name")
        batch_op.drop_index("ix_cases_birth_on")

    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.drop_index("ix_alerts_sent_id")

    with op.batch_alter_table("official_replies", schema=None) as batch_op:
        batch_op.drop_index("ix_official_replies_state")
        batch_op.drop_index(batch_op.f("ix_official_replies_sighting_id"))
        batch_op.drop_index(batch_op.f("ix_official_replies_lead_id"))
        batch_op.drop_index(batch_op.f("ix_official_replies_account_id"))

    op.drop_table("official_replies")
    with op.batch_alter_table("family_picks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_family_picks_lead_id"))
        batch_op.drop_index(batch_op.f("ix_family_picks_face_id"))
        batch_op.drop_index(batch_op.f("ix_family_picks_case_id"))

    op.drop_table("family_picks")
    op.drop_table("face_notes")
    op.drop_table("case_publications")
    with op.batch_alter_table("case_changes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_case_changes_case_id"))

    op.drop_table("case_changes")
