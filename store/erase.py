"""Erasing a post, an account, a photo or a case: rows, vectors, files; a tombstone against the next poll; a receipt.

Rows go in one transaction together with the receipt and the list of files to remove; files go after its commit. A crash in
between leaves the list, which :func:`finish_removals` works off at the next erasure, retention run or start.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from store import audit, cases, photos, tombstones
from store.bans import BanKind, lift
from store.erase_rows import remove_case, remove_photo_everywhere, remove_posts
from store.errors import BadInput, NotFound, StoreError
from store.photos import PhotoFiles
from store.refs import new_ref, tidy_ref
from store.session import Store, Tx
from store.tables import alerts, erasures, file_removals, media, opt_outs, posts
from store.tables import photos as photo_table
from store.tombstones import Kind


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an erasure removed. ``counts`` by noun; ``files_gone_at`` is None until the photo files are gone too.

    ``said`` are (platform, id) of the bot's own published messages about it, for taking them down on the platform.
    """

    ref: str
    at: datetime
    by: str
    why: str
    kind: Kind
    counts: Mapping[str, int]
    files_gone_at: datetime | None
    said: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Work:
    """One erasure under way: what it removed so far, and the tombstones it made."""

    tx: Tx
    counts: Counter[str]
    said: list[tuple[str, str]]
    macs: list[tuple[str, Kind]]

    def bury(self, kind: Kind, *parts: str) -> str:
        mac = tombstones.put(self.tx, kind, *parts)
        self.macs.append((mac, kind))
        return mac


def erase_post(
    store: Store, files: PhotoFiles, platform: str, post_id: str, *, by: str, why: str, photos_too: bool = False
) -> Receipt:
    """Erase one post. It never comes back, known or not; photos that other posts show stay unless ``photos_too``."""

    def remove(work: _Work) -> str:
        row = work.tx.execute(select(posts.c.id).where(posts.c.platform == platform, posts.c.post_id == post_id)).scalar()
        if row is not None:
            if photos_too:
                for photo_id in _photos_of(work.tx, row):
                    _remove_photo(work, photo_id)
            _remove_posts(work, [row])
        return work.bury(Kind.POST, platform, post_id)

    return _erase(store, files, Kind.POST, remove, by, why)


def erase_account(store: Store, files: PhotoFiles, platform: str, author_id: str, *, by: str, why: str) -> Receipt:
    """Erase everything an account posted; nothing it posts is stored from now on (so it is never answered either)."""

    def remove(work: _Work) -> str:
        wrote = select(posts.c.id).where(posts.c.platform == platform, posts.c.author_id == author_id)
        _remove_posts(work, list(work.tx.execute(wrote).scalars()))
        work.tx.execute(delete(opt_outs).where(opt_outs.c.platform == platform, opt_outs.c.author_id == author_id))
        lift(work.tx, BanKind.ACCOUNT, author_id, platform=platform)
        return work.bury(Kind.AUTHOR, platform, author_id)

    return _erase(store, files, Kind.AUTHOR, remove, by, why)


def erase_photo(store: Store, files: PhotoFiles, sha256: str, *, by: str, why: str) -> Receipt:
    """Erase one photo from every post and case, with its faces; neither its bytes nor its very picture is stored again."""
    photos.checked_name(sha256)

    def remove(work: _Work) -> str:
        number = work.tx.execute(select(photo_table.c.id).where(photo_table.c.sha256 == sha256)).scalar()
        if number is not None:
            _remove_photo(work, number)
        return work.bury(Kind.PHOTO, sha256)

    return _erase(store, files, Kind.PHOTO, remove, by, why)


def erase_case(store: Store, files: PhotoFiles, key: int | str, *, by: str, why: str) -> Receipt:
    """Erase a case with its photos, faces, candidates and leads; an import does not bring it back.

    Raises:
        NotFound: there is no such case.
    """

    def remove(work: _Work) -> str:
        found = cases.get(work.tx, key)
        remove_case(work.tx, found.id, work.counts)
        if found.fields.source_ref is None:
            return work.bury(Kind.CASE, "", found.ref)
        return work.bury(Kind.CASE, found.fields.source, found.fields.source_ref)

    return _erase(store, files, Kind.CASE, remove, by, why)


def receipt(tx: Tx, ref: str) -> Receipt:
    """The receipt of an erasure.

    Raises:
        NotFound: there is none.
    """
    row = tx.execute(select(erasures).where(erasures.c.ref == tidy_ref(ref))).first()
    if row is None:
        raise NotFound(f"no erasure is recorded as {ref}")
    return _receipt(row)


def receipts(tx: Tx, *, limit: int = 50) -> list[Receipt]:
    """Receipts, newest first."""
    return [_receipt(row) for row in tx.execute(select(erasures).order_by(erasures.c.id.desc()).limit(limit))]


def finish_removals(store: Store, files: PhotoFiles) -> int:
    """Remove the files that erasures left to be removed (also after a crash). Returns how many are gone now."""
    with store.read() as tx:
        waiting = list(tx.execute(select(file_removals.c.sha256)).scalars())
    for sha256 in waiting:
        with store.write("erase.file") as tx:
            # A photo that was stored again meanwhile (not buried: its post fell under retention) keeps its file.
            kept = tx.execute(select(photo_table.c.id).where(photo_table.c.sha256 == sha256)).first()
            if kept is None:
                files.delete(sha256)
            tx.execute(delete(file_removals).where(file_removals.c.sha256 == sha256))
    with store.write("erase.done") as tx:
        if tx.execute(select(file_removals.c.sha256).limit(1)).first() is None:
            tx.execute(update(erasures).where(erasures.c.files_gone_at.is_(None)).values(files_gone_at=tx.now))
    return len(waiting)


def _erase(store: Store, files: PhotoFiles, kind: Kind, remove: Callable[[_Work], str], by: str, why: str) -> Receipt:
    if not by.strip() or not why.strip():
        raise BadInput("say who erases, and why", mend="--by NAME --why 'request of the guardian'")
    with store.write(f"erase.{kind.value}") as tx:
        work = _Work(tx, Counter(), [], [])
        mac = remove(work)
        ref = new_ref(tx, erasures, "E")
        counts = {noun: number for noun, number in sorted(work.counts.items()) if number}
        told = {"removed": counts, "said": work.said}
        tx.execute(insert(erasures).values(ref=ref, at=tx.now, by=by, why=why, kind=kind.value, mac=mac, counts=told))
        audit.append(tx, by, "erase", f"erasure:{ref}", counts)
        _log(log_path(store, files), work.macs)
    finish_removals(store, files)
    store.checkpoint()
    with store.read() as tx:
        return receipt(tx, ref)


def _remove_posts(work: _Work, rows: list[int]) -> None:
    for row in rows:
        work.said.extend(_said(work.tx, row))
    remove_posts(work.tx, rows, work.counts, bury=False)


def _remove_photo(work: _Work, photo_id: int) -> None:
    found = photos.get(work.tx, photo_id)
    remove_photo_everywhere(work.tx, photo_id, work.counts)
    for part in photos.tombstone_parts(found.sha256, found.phash):
        work.bury(Kind.PHOTO, part)


def _photos_of(tx: Tx, row: int) -> list[int]:
    query = select(media.c.photo_id).where(media.c.post_id == row, media.c.photo_id.is_not(None)).distinct()
    return list(tx.execute(query).scalars())


def _said(tx: Tx, row: int) -> Iterator[tuple[str, str]]:
    query = (
        select(alerts.c.platform, alerts.c.sent_id)
        .join(posts, (posts.c.platform == alerts.c.platform) & (posts.c.post_id == alerts.c.target_post_id))
        .where(posts.c.id == row, alerts.c.sent_id.is_not(None))
    )
    for found in tx.execute(query):
        yield found.platform, found.sent_id


def _receipt(row: Row[Any]) -> Receipt:
    return Receipt(
        ref=row.ref,
        at=row.at,
        by=row.by,
        why=row.why,
        kind=Kind(row.kind),
        counts=row.counts["removed"],
        files_gone_at=row.files_gone_at,
        said=tuple((platform, sent_id) for platform, sent_id in row.counts["said"]),
    )


# --- after a restore --------------------------------------------------------------------------------------------


def log_path(store: Store, files: PhotoFiles) -> Path:
    """The file that lists every tombstone's hash; a restore leaves it alone and replays it.

    It stands beside the database's file; where a server keeps the database, beside the photo folder.
    """
    beside = files.beside if store.path is None else store.path
    return beside.with_name(beside.name + ".erasures")


def carry_log(source: Store, target: Store, files: PhotoFiles) -> None:
    """An installation moved to another database takes its list along (lines that stand there already do no harm)."""
    before, after = log_path(source, files), log_path(target, files)
    if before.exists() and before != after:
        _log(after, list(_read_log(before)))


def _log(path: Path, macs: list[tuple[str, Kind]]) -> None:
    """Written before the commit: a line too many erases nothing that was not asked for, a line too few would bring it back."""
    try:
        with open(path, "a", encoding="ascii") as file:
            file.writelines(json.dumps({"mac": mac, "kind": kind.value}) + "\n" for mac, kind in macs)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreError(f"the erasure cannot be logged: {error}", mend="free space; nothing was erased") from error


def replay(store: Store, files: PhotoFiles) -> int:
    """After a backup was restored: erase again what was erased since it was made. Returns how many things went again."""
    logged = dict(_read_log(log_path(store, files)))
    with store.write("erase.replayed") as tx:
        missing = {mac: kind for mac, kind in logged.items() if mac not in tombstones.all_macs(tx)}
        if not missing:
            return 0
        work = _Work(tx, Counter(), [], [])
        for found in list(_recognised(tx, missing)):
            found(work)
        tombstones.put_macs(tx, missing.items())
        audit.append(tx, "bot", "erase.replayed", "store", dict(work.counts))
    finish_removals(store, files)
    store.checkpoint()
    return sum(work.counts[noun] for noun in ("posts", "photos", "cases"))


def _read_log(path: Path) -> Iterator[tuple[str, Kind]]:
    if not path.exists():
        return
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), 1):
        try:
            told = json.loads(line)
            yield told["mac"], Kind(told["kind"])
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"line {number} of {path} cannot be read", mend="mend that line before going on") from error


def _recognised(tx: Tx, macs: Mapping[str, Kind]) -> Iterator[Callable[[_Work], None]]:
    """What stands in the database and should not: every row is hashed and looked for among ``macs``."""
    pepper = tombstones.pepper(tx)

    def known(kind: Kind, *parts: str) -> bool:
        return tombstones.mac(pepper, kind, *parts) in macs

    for row in tx.execute(select(posts.c.id, posts.c.platform, posts.c.post_id, posts.c.author_id)):
        if known(Kind.POST, row.platform, row.post_id) or known(Kind.AUTHOR, row.platform, row.author_id):
            yield lambda work, number=row.id: _remove_posts(work, [number])  # type: ignore[misc]
    for row in tx.execute(select(photo_table.c.id, photo_table.c.sha256, photo_table.c.phash)):
        if any(known(Kind.PHOTO, part) for part in photos.tombstone_parts(row.sha256, row.phash)):
            yield lambda work, number=row.id: _remove_photo_if_there(work, number)  # type: ignore[misc]
    for number, source, ref in cases.sources(tx):
        if known(Kind.CASE, source, ref):
            yield lambda work, number=number: remove_case(work.tx, number, work.counts)  # type: ignore[misc]


def _remove_photo_if_there(work: _Work, photo_id: int) -> None:
    """A photo may be gone already with the post that showed it."""
    if work.tx.execute(select(photo_table.c.id).where(photo_table.c.id == photo_id)).first() is not None:
        _remove_photo(work, photo_id)
