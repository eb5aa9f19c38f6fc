"""Photo files by content hash, the row of each photo, and which photos look alike."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Any

from sqlalchemy import Row, bindparam, func, select, union_all

from store import codec, dialect
from store.errors import BadInput, Damaged, NotFound, PhotoRefused, StoreError
from store.model import Exif
from store.photo_place import Folder, PhotoPlace
from store.session import Tx
from store.tables import media, photos, posts
from store.tombstones import Kind, Tombstones
from store.vault import PlainVault, Vault

_BANDS = 4
_BAND_BITS = 16
MAX_DISTANCE = 11
_TELLING = 16

_BY_ROW = select(photos).where(photos.c.id == bindparam("key"))
_BY_SHA256 = select(photos).where(photos.c.sha256 == bindparam("key"))
_SAME = (
    select(photos.c.id).where(photos.c.band0 == bindparam("band0"), photos.c.phash == bindparam("phash")).order_by(photos.c.id)
)
# One query a band: together (OR) they would read each photo's row, alone they read its index entry.
_NEAR = union_all(
    *(
        select(photos.c.id, photos.c.phash).where(column.in_(bindparam(f"around{i}", expanding=True)))
        for i, column in enumerate((photos.c.band0, photos.c.band1, photos.c.band2, photos.c.band3))
    )
)
_FIRST_SEEN = (
    select(media.c.photo_id, posts.c.id, posts.c.posted_at)
    .join(posts, posts.c.id == media.c.post_id)
    .where(media.c.photo_id.in_(bindparam("photos", expanding=True)), posts.c.posted_at.is_not(None))
    .order_by(posts.c.posted_at, posts.c.id)
    .limit(1)
)


class PhotoFiles:
    """Photos by the sha256 of their bytes, sealed by ``vault``, in a folder or another place. Safe to share between threads.

    ``beside`` is a folder on this machine for what is kept beside the photos (the list of erasures, :mod:`store.erase`); the
    photo folder itself by default.
    """

    def __init__(self, place: Path | PhotoPlace, vault: Vault | None = None, beside: Path | None = None) -> None:
        self.place: PhotoPlace = Folder(place) if isinstance(place, Path) else place
        self._beside = place if isinstance(place, Path) else beside
        self._vault: Vault = vault or PlainVault()

    def put(self, content: bytes) -> str:
        """Keep ``content`` and return its sha256 (hex). It is whole and lasts when this returns; twice is once, and mends a
        damaged copy.

        Raises:
            StoreError: the place cannot be written, or is full.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        # Written anew even where it stands: so it is whole, and sweeping does not take a photo that is about to get its row.
        self.place.write(sha256, self._vault.seal(content, f"photo:{sha256}"))
        return sha256

    @property
    def beside(self) -> Path:
        """The folder on this machine.

        Raises:
            StoreError: none was named.
        """
        if self._beside is None:
            raise StoreError("no folder is named for the list of erasures", mend="set store.photos_dir")
        return self._beside

    def reseal(self, sha256: str) -> bool:
        """Seal a photo anew with the present key. True if that was needed."""
        try:
            if self._vault.fresh(self.sealed(sha256)):
                return False
        except NotFound:  # erased meanwhile
            return False
        self.put(self.get(sha256))
        return True

    def get(self, sha256: str) -> bytes:
        """The bytes of a photo.

        Raises:
            NotFound: no such photo is kept.
            Damaged: what is kept no longer fits its name; other photos are not concerned.
            StoreError: it cannot be read, or its key is not at hand.
        """
        sealed = self.sealed(sha256)
        try:
            content = self._vault.open(sealed, f"photo:{sha256}")
        except Damaged as error:
            raise Damaged(f"the photo {self._at(sha256)} is damaged: {error}", mend=error.mend) from error
        if hashlib.sha256(content).hexdigest() != sha256:
            words = f"the photo {self._at(sha256)} is damaged: its content no longer fits its name"
            raise Damaged(words, mend="restore it from a backup")
        return content

    def _at(self, sha256: str) -> str:
        return f"{self.place}/{sha256[:2]}/{sha256}"

    def sealed(self, sha256: str) -> bytes:
        """A photo as it is kept, for a backup. Raises NotFound and StoreError as :meth:`get`."""
        return self.place.read(checked_name(sha256))

    def bring_back(self, sha256: str, sealed: bytes) -> None:
        """Keep what :meth:`sealed` gave. Raises StoreError as :meth:`put`."""
        self.place.write(checked_name(sha256), sealed)

    def delete(self, sha256: str) -> bool:
        """Let go of a photo. True if there was one."""
        return self.place.remove(checked_name(sha256))

    def all(self) -> Iterator[str]:
        """The sha256 of every photo that is kept."""
        return self.place.names()

    def older(self, sha256: str, moment: datetime) -> bool:
        """Whether a photo was last put before ``moment``."""
        at = self.place.written_at(checked_name(sha256))
        return at is not None and at < moment

    def clear_leftovers(self, moment: datetime) -> int:
        """Remove what writes that were interrupted before ``moment`` left. Returns how many."""
        left = list(self.place.leftovers())
        return sum(self.place.remove(name) for name in left if (at := self.place.written_at(name)) is not None and at < moment)


def checked_name(sha256: str) -> str:
    """``sha256`` itself. Refuses what is none, such as ``../``.

    Raises:
        BadInput: it is not 64 hexadecimal digits.
    """
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise BadInput("a photo is named by 64 hexadecimal digits")
    return sha256


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
    row = tx.execute(_BY_ROW if isinstance(key, int) else _BY_SHA256, {"key": key}).first()
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
        same = {"band0": wanted & 0xFFFF, "phash": f"{wanted:016x}"}
        return [Near(number, 0) for number in tx.execute(_SAME, same).scalars()]
    around = {f"around{i}": _around(band, radius) for i, band in enumerate(_bands(phash))}
    found = {row.id: (int(row.phash, 16) ^ wanted).bit_count() for row in tx.execute(_NEAR, around)}
    hits = [Near(number, distance) for number, distance in found.items() if distance <= max_distance]
    return sorted(hits, key=lambda hit: (hit.distance, hit.photo_id))


def first_seen(tx: Tx, photo_id: int, max_distance: int = 0) -> FirstSeen | None:
    """The earliest post that shows this photo, or one that looks like it; None where no post shows it (a case's photo).

    A blank or flat picture looks like every other one: only its own bytes count.
    """
    phash = get(tx, photo_id).phash
    alike = {photo_id} | ({hit.photo_id for hit in near(tx, phash, max_distance)} if _telling(phash) else set())
    row = tx.execute(_FIRST_SEEN, {"photos": sorted(alike)}).first()
    return None if row is None else FirstSeen(row.photo_id, row.id, row.posted_at)


def without_row(tx: Tx, names: Sequence[str]) -> list[str]:
    """Which of these photos (a few hundred at most) no row names."""
    known = set(tx.execute(select(photos.c.sha256).where(photos.c.sha256.in_(list(names)))).scalars())
    return [name for name in names if name not in known]


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
