"""Runs the numbered migrations of ``store/migrations`` on an open connection; no alembic.ini is needed."""

from __future__ import annotations

from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect
from sqlalchemy.engine import Connection

from store.errors import StoreError
from store.tables import metadata


def config() -> Config:
    """Alembic's settings; the connection to work on goes into ``attributes["connection"]``."""
    made = Config()
    made.set_main_option("script_location", "store:migrations")
    return made


def upgrade(connection: Connection) -> None:
    """Apply what is missing, inside the caller's transaction.

    Raises:
        StoreError: the database knows migrations that this program does not.
    """
    if state(connection) == "newer":
        raise StoreError(
            "the database was made by a newer version of the program", mend="update the program; never downgrade by hand"
        )
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")


def state(connection: Connection) -> Literal["empty", "current", "old", "newer"]:
    """How the database's migrations compare with the program's."""
    heads = MigrationContext.configure(connection).get_current_heads()
    scripts = ScriptDirectory.from_config(config())
    if not heads:
        return "old" if set(metadata.tables) & set(inspect(connection).get_table_names()) else "empty"
    if set(heads) == set(scripts.get_heads()):
        return "current"
    known = {script.revision for script in scripts.walk_revisions()}
    return "old" if set(heads) <= known else "newer"
