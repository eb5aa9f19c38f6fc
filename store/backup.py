"""Backup of a living store into a folder, and its verified restore.

A backup holds ``suishoupai.sqlite`` (a consistent snapshot), ``photos/`` (the files as they stand: sealed where a key is set),
``manifest.json`` and ``SHA256SUMS``, which ``sha256sum -c`` reads. The key is in none of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import update

from store import audit, dialect, erase, tombstones
from store.errors import NotFound, StoreError
from store.model import AlertState
from store.photos import PhotoFiles
from store.posts import Step
from store.session import Store, Tx
from store.tables import alerts, posts, streams

DATABASE = "suishoupai.sqlite"
PHOTOS = "photos"
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
FORMAT = 1
_TO_SERVER = "restore into a file, then move it: suishoupai store copy FROM TO; or use pg_restore (docs/upgrade.md)"

Progress = Callable[[str, int, int], None]
"""Told (what, done, total) while a backup or restore goes on."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. ``missing`` photos have a row but no file; erasures that went on meanwhile explain a few."""

    format: int
    made_at: str
    photos: int
    size_bytes: int
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore brought back, and what it silenced because it may have been said since the backup was made."""

    manifest: Manifest
    held: int
    unknown: int
    silenced: int
    erased_again: int


def _quiet(what: str, done: int, total: int) -> None:
    """Nobody watches."""


def backup(store: Store, files: PhotoFiles, target: Path, progress: Progress = _quiet) -> Manifest:
    """Write a backup to ``target``, which must not be there yet; it appears there whole or not at all. The bot may run.

    Photo files are written before the row that names them and never change, so files copied after the database are all there.

    Raises:
        StoreError: ``target`` is there already, or cannot be written.
    """
    if target.exists():
        raise StoreError(f"{target} is there already", mend="name a new folder for each backup")
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700, parents=True)
        manifest = _write(store, files, part, progress)
        part.rename(target)
        _sync(target.parent)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise StoreError(f"the backup cannot be written: {error}", mend="free space, or choose another folder") from error
    return manifest


def _write(store: Store, files: PhotoFiles, part: Path, progress: Progress) -> Manifest:
    store.snapshot(part / DATABASE)
    sums = {DATABASE: _hash_file(part / DATABASE)}
    names = _photo_names(part / DATABASE)
    missing = []
    for done, name in enumerate(names, 1):
        relative = f"{PHOTOS}/{name[:2]}/{name}"
        try:
            sums[relative] = _put_bytes(part / relative, files.sealed(name))
        except NotFound:
            missing.append(name)
        progress("photos", done, len(names))
    size = sum((part / relative).stat().st_size for relative in sums)
    manifest = Manifest(FORMAT, datetime.now(UTC).isoformat(), len(names) - len(missing), size, tuple(missing))
    _put_text(part / MANIFEST, json.dumps(asdict(manifest), indent=1) + "\n")
    sums[MANIFEST] = _hash_file(part / MANIFEST)
    _put_text(part / SUMS, "".join(f"{digest}  {relative}\n" for relative, digest in sums.items()))
    return manifest


def verify(source: Path, progress: Progress = _quiet) -> Manifest:
    """Read a whole backup: every sum, the database's inner order, and a file for every photo.

    Raises:
        StoreError: something is missing, damaged, or of another format; the message names it.
    """
    sums = dict(_read_sums(source))
    for done, (relative, digest) in enumerate(sums.items(), 1):
        try:
            found = _hash_file(source / relative)
        except OSError as error:
            raise StoreError(f"{source / relative} cannot be read: {error}", mend="use another backup") from error
        if found != digest:
            raise StoreError(f"{source / relative} is damaged: its sum differs", mend="use another backup")
        progress("checked", done, len(sums))
    manifest = _read_manifest(source)
    dialect.check_file(source / DATABASE)
    for name in _photo_names(source / DATABASE):
        if f"{PHOTOS}/{name[:2]}/{name}" not in sums and name not in manifest.missing:
            raise StoreError(f"the backup {source} lacks the photo {name}", mend="use another backup")
    return manifest


def restore(source: Path, store: Store, files: PhotoFiles, progress: Progress = _quiet) -> Restored:
    """Bring a verified backup back to where ``store`` and ``files`` point, where no database may be.

    What waited to be said is held for a person, posts under way are silenced and streams start anew in time: all of it may
    have been said after the backup was made. What was erased since is erased again, from the list beside the database.

    Raises:
        StoreError: the backup is damaged, a database is there already, a bot runs, or the key is not the database's.
    """
    if store.path is None:
        raise StoreError("a backup is brought back into a file, and store.url names a server", mend=_TO_SERVER)
    manifest = verify(source, progress)
    with store.lock_bot():
        if store.path.exists():
            raise StoreError(f"a database is at {store.path} already", mend="move it aside first; nothing was changed")
        _bring_back(source, store.path, files, progress)
        _fit(store, store.path)
        with store.write("restore.silenced") as tx:
            held, unknown, silenced = _silence(tx)
            audit.append(tx, "operator", "restore", "store", {"made_at": manifest.made_at, "held": held, "unknown": unknown})
        return Restored(manifest, held, unknown, silenced, erase.replay(store, files))


def _fit(store: Store, path: Path) -> None:
    """Bring the tables up to date and try the key; a database that does not open is not left standing there."""
    try:
        store.migrate()
        with store.write("restore.key") as tx:
            tombstones.check_key(tx)
    except StoreError:
        store.close()
        for left in ("", "-wal", "-shm"):
            path.with_name(path.name + left).unlink(missing_ok=True)
        raise


def _bring_back(source: Path, database: Path, files: PhotoFiles, progress: Progress) -> None:
    """Photos first, the database last: where this stops half-way there is no database, and it can be run again."""
    names = sorted(path for path in (source / PHOTOS).glob("*/*"))
    try:
        for done, path in enumerate(names, 1):
            files.bring_back(path.name, path.read_bytes())
            progress("photos", done, len(names))
        for left in ("-wal", "-shm"):
            database.with_name(database.name + left).unlink(missing_ok=True)
        part = database.with_name(f".{database.name}.part")
        _copy(source / DATABASE, part)
        part.replace(database)
        _sync(database.parent)
    except OSError as error:
        raise StoreError(
            f"the backup cannot be brought back: {error}", mend="free space or mend the permissions, then again"
        ) from error


def _silence(tx: Tx) -> tuple[int, int, int]:
    why = "restored from a backup: it may have been said since"
    held = update(alerts).where(alerts.c.state == AlertState.READY.value)
    unknown = update(alerts).where(alerts.c.state == AlertState.SENDING.value)
    under_way = [Step.STORED.value, Step.EXTRACTED.value, Step.MATCHED.value]
    silenced = update(posts).where(posts.c.step.in_(under_way))
    tx.execute(update(streams).values(started_at=tx.now, chain=None))
    return (
        tx.execute(held.values(state=AlertState.HELD.value, hold_reason=why)).rowcount,
        tx.execute(unknown.values(state=AlertState.UNKNOWN.value, error=why, lease_until=None, reads=0)).rowcount,
        tx.execute(silenced.values(silent=True)).rowcount,
    )


def _photo_names(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return [row[0] for row in connection.execute("SELECT sha256 FROM photos ORDER BY sha256")]


def _read_manifest(source: Path) -> Manifest:
    try:
        told = json.loads((source / MANIFEST).read_text())
        manifest = Manifest(**told | {"missing": tuple(told["missing"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StoreError(f"{source} is no backup of this program: {error}", mend="name a folder that `backup` wrote") from error
    if manifest.format != FORMAT:
        raise StoreError(f"{source} is of format {manifest.format}, this program reads {FORMAT}", mend="update the program")
    return manifest


def _read_sums(source: Path) -> Iterator[tuple[str, str]]:
    try:
        lines = (source / SUMS).read_text().splitlines()
    except OSError as error:
        raise StoreError(f"{source} is no backup: {error}", mend="name a folder that `backup` wrote") from error
    for line in lines:
        digest, _, relative = line.partition("  ")
        if ".." in Path(relative).parts or Path(relative).is_absolute():
            raise StoreError(f"{source / SUMS} names a file outside the backup", mend="do not use this backup")
        yield relative, digest
    if not {DATABASE, MANIFEST} <= {line.partition("  ")[2] for line in lines}:
        raise StoreError(f"{source} is not whole", mend="use another backup")


def _copy(source: Path, target: Path) -> str:
    """Copy a file so that it is on the disk when this returns; gives its sha256."""
    digest = hashlib.sha256()
    with open(source, "rb") as incoming:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "wb") as outgoing:
            while block := incoming.read(1 << 20):
                digest.update(block)
                outgoing.write(block)
            outgoing.flush()
            os.fsync(outgoing.fileno())
    return digest.hexdigest()


def _hash_file(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _put_bytes(target: Path, content: bytes) -> str:
    """Write a file so that it is on the disk when this returns; gives its sha256."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return hashlib.sha256(content).hexdigest()


def _put_text(path: Path, text: str) -> None:
    _put_bytes(path, text.encode())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
