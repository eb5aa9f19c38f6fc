"""Keeps a world in an SQLite file, so that it goes on where it was after the process ended, by SIGKILL too.

Every account, photo, post, comment and publication is written before the request that made it is answered. Tokens, rules and
faults are not kept: a new process begins with the defaults.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from bot.microblog.model import Account, Comment, Entry, Photo, Publication, WorldError
from bot.microblog.shelf import Shelf, Thing

T = TypeVar("T", Account, Photo, Entry, Comment, Publication)

_ADAPTERS: dict[type, TypeAdapter[Thing]] = {kind: TypeAdapter(kind) for kind in (Account, Photo, Entry, Comment, Publication)}


class StateFile:
    """One table of things by kind and key, the newest state of each. Raises WorldError where the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS things (at INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, "
                "body TEXT NOT NULL, data BLOB, UNIQUE (kind, key))"
            )
        except sqlite3.Error as error:
            raise WorldError(f"the state file {path} cannot be used: {error}", mend="choose another --state file") from error

    def attach(self, world: Shelf) -> None:
        """Put what the file holds into ``world``, and write what it changes from now on."""
        with world.lock:
            world.restore(
                accounts=self._all(Account), photos=self._all(Photo), entries=self._all(Entry), comments=self._all(Comment),
                publications=self._all(Publication),
            )  # fmt: skip
            for account in world.accounts.values():
                self.keep(account)
            world.keeper = self.keep

    def keep(self, thing: Thing) -> None:
        """Write ``thing``. The world's lock is held."""
        data = thing.data if isinstance(thing, Photo) else None
        bare = _without_data(thing)
        body = _ADAPTERS[type(thing)].dump_json(bare).decode()
        self._db.execute(
            "INSERT INTO things (kind, key, body, data) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
            (type(thing).__name__, _key(thing), body, data),
        )

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _all(self, kind: Callable[..., T]) -> list[T]:
        adapter = _ADAPTERS[kind]  # type: ignore[index]
        rows = self._db.execute("SELECT body, data FROM things WHERE kind = ? ORDER BY at", (kind.__name__,))
        found = []
        for body, data in rows:
            thing = adapter.validate_json(body)
            found.append(_with_data(thing, data) if isinstance(thing, Photo) else thing)
        return found  # type: ignore[return-value]


def _key(thing: Thing) -> str:
    match thing:
        case Account():
            return thing.key
        case Photo():
            return thing.name
        case Publication():
            return f"{thing.side.value}:{thing.id}"
    return str(thing.id)


def _without_data(thing: Thing) -> Thing:
    if not isinstance(thing, Photo):
        return thing
    return Photo(thing.name, thing.media_key, b"", thing.width_px, thing.height_px, thing.extension)


def _with_data(photo: Photo, data: bytes) -> Photo:
    return Photo(photo.name, photo.media_key, data, photo.width_px, photo.height_px, photo.extension)
