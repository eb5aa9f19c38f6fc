"""An index that answers "the newest sightings of these places" by itself, without reading a row for each of them."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_index("ix_sightings_place", "sightings", ["adcode", "post_id", "duplicate_of"])


def downgrade() -> None:
    op.drop_index("ix_sightings_place", table_name="sightings")
