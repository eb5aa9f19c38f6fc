"""Indexes that answer a search for sightings by place, time and state without reading a row for each that they pass.

Each is made anew under its name in one transaction, so code of the version before finds them all the time.
"""

from alembic import op

revision = "0015"
down_revision = "0014"

_BEFORE = {
    "ix_sightings_place": ["adcode", "post_id", "duplicate_of"],
    "ix_sightings_seen_from": ["seen_from"],
    "ix_sightings_state": ["state", "id"],
}
_AFTER = {
    "ix_sightings_place": ["adcode", "post_id", "duplicate_of", "state", "seen_from", "seen_to"],
    "ix_sightings_seen_from": ["seen_from", "seen_to", "post_id", "duplicate_of", "state"],
    "ix_sightings_state": ["state", "post_id", "duplicate_of"],
}


def upgrade() -> None:
    _exchange(_AFTER)


def downgrade() -> None:
    _exchange(_BEFORE)


def _exchange(indexes: dict[str, list[str]]) -> None:
    for name, columns in indexes.items():
        op.drop_index(name, table_name="sightings")
        op.create_index(name, "sightings", columns)
