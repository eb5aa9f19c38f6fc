"""Runs the numbered migrations of ``store/migrations`` on an open connection; no alembic.ini is needed."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect
from sqlalchemy.engine import Connection

from store import dialect
from store.errors import BadInput, StoreError
from store.tables import metadata


def config() -> Config:
    """Alembic's settings; the connection to work on goes into ``attributes["connection"]``."""
    made = Config()
    made.set_main_option("script_location", "store:migrations")
    return made


def scripts() -> ScriptDirectory:
    """The migrations, read once a process: alembic's own commands would read all of their files at every step."""
    return _read(config().get_main_option("script_location") or "")


@cache
def _read(location: str) -> ScriptDirectory:
    return ScriptDirectory.from_config(config())


NEWEST, NOTHING = "head", "base"


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
    found = scripts()
    steps = found._downgrade_revs if is_behind(connection, to) else found._upgrade_revs

    def plan(present: Any, context: MigrationContext) -> Any:
        """As alembic's upgrade and downgrade commands plan it."""
        return steps(to, present)

    with EnvironmentContext(settings, found, fn=plan, destination_rev=to):
        found.run_env()
    dialect.check_references(connection)


def version(connection: Connection) -> str:
    """The last migration that was applied; :data:`NOTHING` before the first."""
    return MigrationContext.configure(connection).get_current_revision() or NOTHING


def is_behind(connection: Connection, to: str) -> bool:
    """Whether ``to`` is a migration that came before the present one.

    Raises:
        BadInput: there is no such migration.
    """
    known = [script.revision for script in scripts().walk_revisions()][::-1]
    if to not in (NEWEST, NOTHING, *known):
        raise BadInput(f"there is no migration {to}; there are: {', '.join(known)}")
    present = version(connection)
    if to == NEWEST or present not in known:
        return False
    return to == NOTHING or known.index(to) < known.index(present)


def state(connection: Connection) -> Literal["empty", "current", "old", "newer"]:
    """How the database's migrations compare with the program's."""
    heads = MigrationContext.configure(connection).get_current_heads()
    if not heads:
        return "old" if set(metadata.tables) & set(inspect(connection).get_table_names()) else "empty"
    if set(heads) == set(scripts().get_heads()):
        return "current"
    known = {script.revision for script in scripts().walk_revisions()}
    return "old" if set(heads) <= known else "newer"
