"""Runs the numbered migrations of ``store/migrations`` on an open connection; no alembic.ini is needed."""

from __future__ import annotations

from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect
from sqlalchemy.engine import Connection

from store import dialect
from store.errors import StoreError
from store.tables import metadata


def config() -> Config:
    """Alembic's settings; the connection to work on goes into ``attributes["connection"]``."""
    made = Config()
    made.set_main_option("script_location", "store:migrations")
    return made


NEWEST = "head"


def move(connection: Connection, to: str = NEWEST) -> None:
    """Apply what is missing up to the migration ``to``, or take back what came after it, inside the caller's transaction.

    Raises:
        StoreError: the database knows migrations that this program does not.
    """
    if state(connection) == "newer":
        raise StoreError(
            "the database was made by a newer version of the program", mend="update the program; never downgrade by hand"
        )
    settings = config()
    settings.attributes["connection"] = connection
    (command.downgrade if _is_behind(connection, to) else command.upgrade)(settings, to)
    dialect.check_references(connection)


def _is_behind(connection: Connection, to: str) -> bool:
    """Whether ``to`` is a migration that came before the present one."""
    present = MigrationContext.configure(connection).get_current_revision()
    if to == NEWEST or present is None:
        return False
    scripts = ScriptDirectory.from_config(config())
    return to == "base" or (to != present and to in {script.revision for script in scripts.walk_revisions("base", present)})


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
