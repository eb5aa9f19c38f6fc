"""Sealing everything anew with the present key: after a new key was put first, or when a key is brought in at last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Row, Table, func, select, update

from store import faces, gallery, gallery_blocks, people
from store.photos import PhotoFiles
from store.session import Store, Tx
from store.tables import case_faces, secrets, users
from store.tables import faces as face_table

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rotation is: ``done`` of ``total`` values of one kind were looked at, ``resealed`` of them sealed anew."""

    what: str
    done: int
    total: int
    resealed: int


@dataclass(frozen=True, slots=True)
class _Place:
    """A column of sealed values, the key that orders its rows, and the context each value was sealed with."""

    what: str
    table: Table
    key: Column[Any]
    column: Column[Any]
    context: Callable[[Row[Any]], str]


def _places() -> tuple[_Place, ...]:
    return (
        _Place("secrets", secrets, secrets.c.name, secrets.c.sealed, lambda row: str(row.name)),
        _Place("second factors", users, users.c.id, users.c.totp_secret, people.context),
        _Place("case faces", case_faces, case_faces.c.id, case_faces.c.vector, gallery.context),
        _Place("faces", face_table, face_table.c.id, face_table.c.vector, faces.context),
    )


def rotate(store: Store, files: PhotoFiles, on_progress: Callable[[Progress], None] = lambda progress: None) -> dict[str, int]:
    """Seal everything with the first of the vault's keys; returns how many values of each kind were sealed anew.

    The vault must also hold the old keys (and accept plain bytes where the database had none). May run beside the bot if that
    holds the same keys; may be stopped at any time and run again: what is done already is passed over.

    Raises:
        StoreError: a value does not open with any key at hand; nothing of its batch was changed.
    """
    told = {}
    for place in _places():
        for progress in _rotate_table(store, place):
            on_progress(progress)
            told[place.what] = progress.resealed
    with store.write("keys.rotated") as tx:
        gallery_blocks.forget_all(tx)  # derived: made anew, with the present key, by the running bot
    for progress in _rotate_files(files):
        on_progress(progress)
        told[progress.what] = progress.resealed
    return told


def _rotate_table(store: Store, place: _Place) -> Iterator[Progress]:
    with store.read() as tx:
        total = int(tx.execute(select(func.count()).select_from(place.table)).scalar_one())
    done = resealed = 0
    after = None
    yield Progress(place.what, 0, total, 0)
    while True:
        with store.write("keys.rotated") as tx:
            rows = _batch(tx, place, after)
            resealed += sum(_reseal(tx, place, row) for row in rows)
        if not rows:
            return
        after = getattr(rows[-1], place.key.name)
        done += len(rows)
        yield Progress(place.what, done, total, resealed)


def _batch(tx: Tx, place: _Place, after: Any) -> list[Row[Any]]:
    query = select(place.table).order_by(place.key).limit(_BATCH)
    return list(tx.execute(query if after is None else query.where(place.key > after)))


def _reseal(tx: Tx, place: _Place, row: Row[Any]) -> int:
    sealed = getattr(row, place.column.name)
    if sealed is None or tx.vault.fresh(sealed):
        return 0
    context = place.context(row)
    anew = tx.vault.seal(tx.vault.open(sealed, context), context)
    tx.execute(update(place.table).where(place.key == getattr(row, place.key.name)).values({place.column.name: anew}))
    return 1


def _rotate_files(files: PhotoFiles) -> Iterator[Progress]:
    names = sorted(files.all())
    resealed = 0
    yield Progress("photos", 0, len(names), 0)
    for done, name in enumerate(names, 1):
        resealed += files.reseal(name)
        if done % 50 == 0 or done == len(names):
            yield Progress("photos", done, len(names), resealed)
