"""The console: cases of a family's sign-in, invitations, the review's locks, votes and known pairs."""

import sqlalchemy as sa
from alembic import op

from store import dialect

revision = "0004"
down_revision = "0003"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "invitations",
        sa.Column("token_hash", dialect.Word(64), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("by", dialect.CleanText(), nullable=False),
        sa.Column("created_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("expires_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("used_at", dialect.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_invitations_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_invitations")),
    )
    with op.batch_alter_table("invitations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_invitations_user_id"), ["user_id"], unique=False)

    op.create_table(
        "user_cases",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("case_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_user_cases_case_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_cases_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "case_id", name=op.f("pk_user_cases")),
    )
    with op.batch_alter_table("user_cases", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_user_cases_case_id"), ["case_id"], unique=False)

    op.create_table(
        "review_checks",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("left_id", ID, nullable=False),
        sa.Column("right_id", ID, nullable=False),
        sa.Column("mated", sa.Boolean(), nullable=False),
        sa.Column("given_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("verdict", dialect.Word(20), nullable=True),
        sa.Column("checklist", dialect.Json(), nullable=False),
        sa.Column("note", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("at", dialect.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["left_id"], ["case_photos.id"], name=op.f("fk_review_checks_left_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["right_id"], ["case_photos.id"], name=op.f("fk_review_checks_right_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_review_checks_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_checks")),
    )
    with op.batch_alter_table("review_checks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_review_checks_left_id"), ["left_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_review_checks_right_id"), ["right_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_review_checks_user_id"), ["user_id"], unique=False)

    op.create_table(
        "review_locks",
        sa.Column("candidate_id", ID, autoincrement=False, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("given_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("until", dialect.UtcDateTime(), nullable=False),
        sa.Column("skipped", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidates.id"], name=op.f("fk_review_locks_candidate_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_review_locks_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("candidate_id", "user_id", name=op.f("pk_review_locks")),
    )
    with op.batch_alter_table("review_locks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_review_locks_user_id"), ["user_id"], unique=False)

    op.create_table(
        "review_votes",
        sa.Column("id", ID, nullable=False),
        sa.Column("candidate_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("verdict", dialect.Word(20), nullable=False),
        sa.Column("unblinded", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("leading", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("checklist", dialect.Json(), nullable=False),
        sa.Column("note", dialect.CleanText(), server_default="", nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.Column("undone_at", dialect.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidates.id"], name=op.f("fk_review_votes_candidate_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_review_votes_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_votes")),
    )
    with op.batch_alter_table("review_votes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_review_votes_candidate_id"), ["candidate_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_review_votes_user_id"), ["user_id"], unique=False)

    op.create_table(
        "reviews",
        sa.Column("candidate_id", ID, autoincrement=False, nullable=False),
        sa.Column("stage", dialect.Word(20), nullable=False),
        sa.Column("needed", sa.Integer(), nullable=False),
        sa.Column("updated_at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidates.id"], name=op.f("fk_reviews_candidate_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("candidate_id", name=op.f("pk_reviews")),
    )
    with op.batch_alter_table("reviews", schema=None) as batch_op:
        batch_op.create_index("ix_reviews_stage", ["stage", "candidate_id"], unique=False)

    op.add_column("users", sa.Column("totp_step", sa.BigInteger(), nullable=True))
    op.add_column("users", sa.Column("lang", dialect.Word(10), server_default="", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_column("lang")
        batch_op.drop_column("totp_step")

    with op.batch_alter_table("reviews", schema=None) as batch_op:
        batch_op.drop_index("ix_reviews_stage")

    op.drop_table("reviews")
    with op.batch_alter_table("review_votes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_review_votes_user_id"))
        batch_op.drop_index(batch_op.f("ix_review_votes_candidate_id"))

    op.drop_table("review_votes")
    with op.batch_alter_table("review_locks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_review_locks_user_id"))

    op.drop_table("review_locks")
    with op.batch_alter_table("review_checks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_review_checks_user_id"))
        batch_op.drop_index(batch_op.f("ix_review_checks_right_id"))
        batch_op.drop_index(batch_op.f("ix_review_checks_left_id"))

    op.drop_table("review_checks")
    with op.batch_alter_table("user_cases", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_user_cases_case_id"))

    op.drop_table("user_cases")
    with op.batch_alter_table("invitations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_invitations_user_id"))

    op.drop_table("invitations")
