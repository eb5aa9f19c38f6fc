"""Runs the numbered migrations of ``store/migrations`` on an open connection; no alembic.ini is needed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection

from store import dialect
from store.errors import BadInput, StoreError
from store.tables import metadata

if TYPE_CHECKING:  # alembic is loaded by whoever migrates: a start on tables that fit does without it
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory


LOCATION = Path(__file__).with_name("migrations")


def config() -> Config:
    """Alembic's settings; the connection to work on goes into ``attributes["connection"]``."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(LOCATION))
    return made


def scripts() -> ScriptDirectory:
    """The migrations, read once a process: alembic's own commands would read all of their files at every step."""
    return _read(LOCATION)


@cache
def _read(location: Path) -> ScriptDirectory:
    from alembic.script import ScriptDirectory

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
    from alembic.runtime.environment import EnvironmentContext

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
    return max(_applied(connection), default=NOTHING)


def is_behind(connection: Connection, to: str) -> bool:
    """Whether ``to`` is a migration that came before the present one.

    Raises:
        BadInput: there is no such migration.
    """
    known = revisions()
    if to not in (NEWEST, NOTHING, *known):
        raise BadInput(f"there is no migration {to}; there are: {', '.join(known)}")
    present = version(connection)
    if to == NEWEST or present not in known:
        return False
    return to == NOTHING or known.index(to) < known.index(present)


def state(connection: Connection) -> Literal["empty", "current", "old", "newer"]:
    """How the database's migrations compare with the program's."""
    applied = _applied(connection)
    if not applied:
        return "old" if set(metadata.tables) & set(inspect(connection).get_table_names()) else "empty"
    if applied == {revisions()[-1]}:
        return "current"
    return "old" if applied <= set(revisions()) else "newer"


def revisions() -> tuple[str, ...]:
    """The migrations there are, the first one first: the numbers that their files' names begin with."""
    return _numbers(LOCATION)


@cache
def _numbers(location: Path) -> tuple[str, ...]:
    names = (file.name for file in (location / "versions").glob("*.py"))
    return tuple(sorted(name.partition("_")[0] for name in names if name[0].isdigit()))


def _applied(connection: Connection) -> set[str]:
    """What stands in alembic's own table: one number."""
    if not inspect(connection).has_table("alembic_version"):
        return set()
    return set(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())
