"""Photo files by content hash, the row of each photo, and which photos look alike."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Any

from sqlalchemy import Row, func, select, union_all

from store import codec, dialect
from store.errors import BadInput, Damaged, NotFound, PhotoRefused, StoreError
from store.model import Exif
from store.session import Tx
from store.tables import media, photos, posts
from store.tombstones import Kind, Tombstones
from store.vault import PlainVault, Vault

_BANDS = 4
_BAND_BITS = 16
MAX_DISTANCE = 11
_TELLING = 16


class PhotoFiles:
    """A folder of photos, each in a file named by the sha256 of its bytes, sealed by ``vault``. Safe to share."""

    def __init__(self, root: Path, vault: Vault | None = None) -> None:
        self.root = root
        self._vault: Vault = vault or PlainVault()

    def put(self, content: bytes) -> str:
        """Keep ``content`` and return its sha256 (hex). The file is whole and on the disk when this returns; twice is once.

        Raises:
            StoreError: the folder cannot be written, or the disk is full.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        path = self.path(sha256)
        if self._holds(sha256):
            with suppress(OSError):
                os.utime(path)  # so that sweep() does not take a file that is about to get its row
            return sha256
        self._write(path, self._vault.seal(content, f"photo:{sha256}"))
        return sha256

    def reseal(self, sha256: str) -> bool:
        """Seal a photo anew with the present key. True if that was needed."""
        path = self.path(sha256)
        try:
            sealed = path.read_bytes()
        except FileNotFoundError:  # erased meanwhile
            return False
        except OSError as error:
            raise _unreadable(path, error) from error
        if self._vault.fresh(sealed):
            return False
        self._write(path, self._vault.seal(self.get(sha256), f"photo:{sha256}"))
        return True

    def _write(self, path: Path, sealed: bytes) -> None:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(temporary, "xb", opener=_private) as file:
                file.write(sealed)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_folder(path.parent)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise StoreError(
                f"a photo cannot be written under {self.root}: {error}", mend="free space or mend the permissions"
            ) from error

    def get(self, sha256: str) -> bytes:
        """The bytes of a photo.

        Raises:
            NotFound: no such photo is kept.
            Damaged: the file no longer holds what its name says; other photos are not concerned.
            StoreError: the file cannot be read, or its key is not at hand.
        """
        path = self.path(sha256)
        try:
            sealed = path.read_bytes()
        except FileNotFoundError as error:
            raise NotFound(f"the photo {sha256} is not kept under {self.root}") from error
        except OSError as error:
            raise _unreadable(path, error) from error
        try:
            content = self._vault.open(sealed, f"photo:{sha256}")
        except Damaged as error:
            raise Damaged(f"the photo {path} is damaged: {error}", mend=error.mend) from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise Damaged(f"the photo {path} is damaged: its content no longer fits its name", mend="restore it from a backup")
        return content

    def _holds(self, sha256: str) -> bool:
        """Whether the photo stands there and is whole: a damaged copy is to be written anew, not trusted for its name."""
        try:
            self.get(sha256)
        except (NotFound, StoreError):
            return False
        return True

    def delete(self, sha256: str) -> bool:
        """Remove a photo's file. True if there was one."""
        path = self.path(sha256)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError(
                f"the photo {path} cannot be removed: {error}", mend="mend the permissions, then erase again"
            ) from error
        return True

    def all(self) -> Iterator[str]:
        """The sha256 of every photo that is kept."""
        for path in self.root.glob("??/*"):
            if not path.name.startswith("."):
                yield path.name

    def older_than(self, moment: datetime) -> Iterator[str]:
        """Photos whose files were last put before ``moment``. Left-overs of interrupted writes from before then are removed."""
        for path in self.root.glob("??/*"):
            with suppress(FileNotFoundError):  # erased meanwhile
                if path.stat().st_mtime < moment.timestamp():
                    if path.name.startswith("."):
                        path.unlink()
                    else:
                        yield path.name

    def path(self, sha256: str) -> Path:
        """Where a photo's file stands (whether it exists or not). Refuses what is not a sha256, such as ``../``."""
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise BadInput("a photo is named by 64 hexadecimal digits")
        return self.root / sha256[:2] / sha256


def _private(path: str, flags: int) -> int:
    """Opens a new file for its owner alone."""
    return os.open(path, flags, 0o600)


def _unreadable(path: Path, error: OSError) -> StoreError:
    return StoreError(f"the photo {path} cannot be read: {error}", mend="check the disk and the permissions")


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a loss of power: the folder itself must reach the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """A photo's row. ``phash`` is 64 bits as 16 hexadecimal digits; sizes are of the upright picture, in pixels."""

    id: int
    sha256: str
    phash: str
    width_px: int
    height_px: int
    format: str
    size_bytes: int
    exif: Exif | None
    first_seen_at: datetime


@dataclass(frozen=True, slots=True)
class Near:
    """A photo that looks like another: ``distance`` is the number of differing bits of 64 (0: the same picture)."""

    photo_id: int
    distance: int


@dataclass(frozen=True, slots=True)
class FirstSeen:
    """The earliest post that shows a photo (or one that looks like it)."""

    photo_id: int
    post_row: int
    posted_at: datetime


def save(
    tx: Tx,
    *,
    sha256: str,
    phash: str,
    width_px: int,
    height_px: int,
    format: str,
    size_bytes: int,
    exif: Exif | None = None,
) -> StoredPhoto:
    """Keep a photo's row; the same photo twice is one row, and what stood there stays.

    Raises:
        PhotoRefused: it was erased for good (see :func:`refuse_erased`).
    """
    bands = _bands(phash)
    refuse_erased(tx, sha256, phash)
    statement = dialect.upsert(photos, ["sha256"]).values(
        sha256=sha256,
        phash=f"{int(phash, 16):016x}",
        **{f"band{number}": band for number, band in enumerate(bands)},
        width_px=width_px,
        height_px=height_px,
        format=format,
        size_bytes=size_bytes,
        exif=codec.exif_out(exif),
        first_seen_at=tx.now,
    )
    tx.execute(statement)
    return get(tx, sha256)


def refuse_erased(tx: Tx, sha256: str, phash: str) -> None:
    """Ask before a fetched photo's file is written: what was erased must not come back with the next poll.

    Raises:
        PhotoRefused: these bytes, or this very picture in another file, were erased for good.
    """
    erased = Tombstones(tx)
    if any(erased.stands(Kind.PHOTO, part) for part in tombstone_parts(sha256, phash)):
        raise PhotoRefused("this photo was erased on request and is not taken again")


def tombstone_parts(sha256: str, phash: str) -> tuple[str, ...]:
    """What an erased photo is recognised by: its bytes, and its perceptual hash unless that says too little.

    A picture with structure sets about half of the 64 bits; blank and flat ones set few or nearly all and look alike.
    """
    return (sha256, f"{int(phash, 16):016x}") if _telling(phash) else (sha256,)


def _telling(phash: str) -> bool:
    return _TELLING <= int(phash, 16).bit_count() <= 64 - _TELLING


def get(tx: Tx, key: int | str) -> StoredPhoto:
    """A photo by its row number or its sha256.

    Raises:
        NotFound: it is not stored.
    """
    column = photos.c.id if isinstance(key, int) else photos.c.sha256
    row = tx.execute(select(photos).where(column == key)).first()
    if row is None:
        raise NotFound(f"no photo is stored as {key}")
    return _photo(row)


def near(tx: Tx, phash: str, max_distance: int) -> list[Near]:
    """Stored photos whose perceptual hash differs from ``phash`` in at most ``max_distance`` (0 to 11) bits, nearest first.

    Of the four 16-bit bands at least one differs in no more than a quarter of the bits, so indexed look-ups of those few
    values per band find every such photo (multi-index hashing, Norouzi et al., CVPR 2012).

    Raises:
        BadInput: ``phash`` is no 64-bit hash, or ``max_distance`` is out of range.
    """
    if not 0 <= max_distance <= MAX_DISTANCE:
        raise BadInput(f"max_distance must be 0 to {MAX_DISTANCE}, not {max_distance}")
    wanted = int(phash, 16) if _bands(phash) else 0
    radius = max_distance // _BANDS
    if max_distance == 0:  # equal in every band: one of them finds it
        same = select(photos.c.id).where(photos.c.band0 == wanted & 0xFFFF, photos.c.phash == f"{wanted:016x}")
        return [Near(number, 0) for number in tx.execute(same.order_by(photos.c.id)).scalars()]
    columns = (photos.c.band0, photos.c.band1, photos.c.band2, photos.c.band3)
    # One query a band: together (OR) they would read each photo's row, alone they read its index entry.
    parts = [
        select(photos.c.id, photos.c.phash).where(column.in_(_around(band, radius)))
        for column, band in zip(columns, _bands(phash), strict=True)
    ]
    found = {row.id: (int(row.phash, 16) ^ wanted).bit_count() for row in tx.execute(union_all(*parts))}
    hits = [Near(number, distance) for number, distance in found.items() if distance <= max_distance]
    return sorted(hits, key=lambda hit: (hit.distance, hit.photo_id))


def first_seen(tx: Tx, photo_id: int, max_distance: int = 0) -> FirstSeen | None:
    """The earliest post that shows this photo, or one that looks like it; None where no post shows it (a case's photo).

    A blank or flat picture looks like every other one: only its own bytes count.
    """
    phash = get(tx, photo_id).phash
    alike = {photo_id} | ({hit.photo_id for hit in near(tx, phash, max_distance)} if _telling(phash) else set())
    query = (
        select(media.c.photo_id, posts.c.id, posts.c.posted_at)
        .join(posts, posts.c.id == media.c.post_id)
        .where(media.c.photo_id.in_(alike), posts.c.posted_at.is_not(None))
        .order_by(posts.c.posted_at, posts.c.id)
        .limit(1)
    )
    row = tx.execute(query).first()
    return None if row is None else FirstSeen(row.photo_id, row.id, row.posted_at)


def count(tx: Tx) -> int:
    """How many photos are stored."""
    return int(tx.execute(select(func.count()).select_from(photos)).scalar_one())


def _photo(row: Row[Any]) -> StoredPhoto:
    return StoredPhoto(
        id=row.id,
        sha256=row.sha256,
        phash=row.phash,
        width_px=row.width_px,
        height_px=row.height_px,
        format=row.format,
        size_bytes=row.size_bytes,
        exif=codec.exif_in(row.exif),
        first_seen_at=row.first_seen_at,
    )


def _bands(phash: str) -> tuple[int, ...]:
    try:
        value = int(phash, 16)
    except ValueError as error:
        raise BadInput(f"'{phash}' is no perceptual hash") from error
    if not 0 <= value < 1 << (_BANDS * _BAND_BITS):
        raise BadInput(f"'{phash}' is no 64-bit perceptual hash")
    return tuple(value >> (_BAND_BITS * number) & 0xFFFF for number in range(_BANDS))


def _around(band: int, radius: int) -> list[int]:
    """All 16-bit values that differ from ``band`` in at most ``radius`` bits."""
    values = [band]
    for bits in range(1, radius + 1):
        values += [band ^ sum(1 << bit for bit in chosen) for chosen in combinations(range(_BAND_BITS), bits)]
    return values
