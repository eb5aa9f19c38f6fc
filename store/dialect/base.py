"""What a database must offer to the store; sqlite.py and postgresql.py each are one."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine

DEADLINE_S = 10
"""How long a transaction waits for another one's lock before it gives up with "locked", on every database."""


class Database(Protocol):
    """One kind of database behind the store. Making one does no I/O."""

    engine: Engine
    path: Path | None
    """The database's file, where it is one."""
    place: str
    """Where it is, in words for people; without the password."""

    def is_there(self) -> bool:
        """Whether there is something to read at all; False for a file that no one has made yet."""

    def prepare(self) -> None:
        """Make what the first migration needs (a file and its folder).

        Raises:
            StoreError: it cannot be made.
        """

    server_url: str
    """How another client of the same server connects (libpq's form, with the password); empty where there is no server."""

    def hold(self, name: str, *, together: bool = False) -> AbstractContextManager[None]:
        """Hold the one place called ``name`` on this database until the block, or the process, ends; ``together`` with others
        who say so too, or alone.

        Raises:
            StoreError: somebody else holds it; the message names them.
        """

    def checkpoint(self) -> None:
        """Move what was committed from the log into the database, so that erased rows do not linger in the log."""

    def snapshot(self, target: Path) -> None:
        """Write a consistent copy of the living database to the new file ``target`` without holding up its writers.

        Raises:
            StoreError: the copy cannot be made, or this database's own tools make it.
        """
