"""Where sealed photos lie: what any place must offer, and the folder on this machine's disk.

Why not fsspec for the folder too: its local files are written without fsync, so a photo whose row is committed could be gone
after a power cut. What a place promises is the same everywhere: when ``write`` returns, the photo is whole and lasts.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from store.errors import NotFound, StoreError


class PhotoPlace(Protocol):
    """Keeps sealed bytes by name (64 hexadecimal digits). Safe to share between threads. Every method may raise StoreError."""

    def write(self, name: str, sealed: bytes) -> None:
        """Keep ``sealed`` in place of what stood there. Whole and lasting when this returns; never half."""

    def read(self, name: str) -> bytes:
        """What was written. Raises NotFound where there is none."""

    def remove(self, name: str) -> bool:
        """Let go of it. True if it was there."""

    def names(self) -> Iterator[str]:
        """Every name of what was written whole."""

    def leftovers(self) -> Iterator[str]:
        """The names (they begin with a dot) of what interrupted writes left."""

    def written_at(self, name: str) -> datetime | None:
        """When it was last written (UTC); None where there is none."""


class Folder:
    """A folder on a disk, in 256 folders by the first two digits, for its owner alone."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def path(self, name: str) -> Path:
        """Where a photo's file stands, whether it exists or not."""
        return self.root / name.lstrip(".")[:2] / name

    def write(self, name: str, sealed: bytes) -> None:
        """See :class:`PhotoPlace`: written beside, flushed to the disk, renamed, and the rename flushed too."""
        path = self.path(name)
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

    def read(self, name: str) -> bytes:
        """See :class:`PhotoPlace`."""
        path = self.path(name)
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise NotFound(f"the photo {name} is not kept under {self.root}") from error
        except OSError as error:
            raise StoreError(f"the photo {path} cannot be read: {error}", mend="check the disk and the permissions") from error

    def remove(self, name: str) -> bool:
        """See :class:`PhotoPlace`."""
        path = self.path(name)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError(
                f"the photo {path} cannot be removed: {error}", mend="mend the permissions, then erase again"
            ) from error
        return True

    def names(self) -> Iterator[str]:
        """See :class:`PhotoPlace`."""
        for path in self.root.glob("??/[!.]*"):
            yield path.name

    def leftovers(self) -> Iterator[str]:
        """See :class:`PhotoPlace`."""
        for path in self.root.glob("??/.*"):
            yield path.name

    def written_at(self, name: str) -> datetime | None:
        """See :class:`PhotoPlace`."""
        try:
            return datetime.fromtimestamp(self.path(name).stat().st_mtime, UTC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"the photo {self.path(name)} cannot be read: {error}", mend="check the disk") from error


def _private(path: str, flags: int) -> int:
    """Opens a new file for its owner alone."""
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a loss of power: the folder itself must reach the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
