"""What seals sensitive bytes (face vectors, photo files) before they reach a disk, and opens them again."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from store.errors import StoreError

Vector = NDArray[np.float32]

_PLAIN = b"\x00"


class Vault(Protocol):
    """Seals bytes. ``context`` binds a sealed value to its row: moved to another row, it does not open."""

    def seal(self, plain: bytes, context: str) -> bytes: ...

    def open(self, sealed: bytes, context: str) -> bytes:
        """Raises :class:`StoreError` where the bytes are damaged, moved, or sealed with a key that is not at hand."""


class PlainVault:
    """Keeps bytes as they are, marked as plain, so that a key can be brought in later."""

    def seal(self, plain: bytes, context: str) -> bytes:
        return _PLAIN + plain

    def open(self, sealed: bytes, context: str) -> bytes:
        if not sealed:
            raise StoreError("the stored bytes are empty", mend="restore them from a backup")
        if sealed[:1] != _PLAIN:
            raise StoreError("the stored bytes are sealed and no key is at hand", mend="set SUISHOUPAI_KEY, or name the key file")
        return sealed[1:]


def seal_vector(vault: Vault, vector: Vector, context: str) -> bytes:
    """``vector`` (unit length, float32, shape (dimension,)) as sealed float16: half the size, error below 0.001 in cosine."""
    return vault.seal(np.ascontiguousarray(vector, dtype="<f2").tobytes(), context)


def open_vector(vault: Vault, sealed: bytes, context: str) -> Vector:
    """The vector of :func:`seal_vector`, float32, brought back to unit length."""
    vector = np.frombuffer(vault.open(sealed, context), dtype="<f2").astype(np.float32)
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if length > 0 else vector
