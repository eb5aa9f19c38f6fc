"""What seals sensitive bytes (face vectors, photo files, second factors) before they reach a disk, and opens them again.

Sealed bytes are ``0x01 | key id (4) | nonce (12) | AES-256-GCM ciphertext and tag``; bytes kept without a key start with
``0x00``. The *context* (which row, which photo) is authenticated with them, so a value moved to another row does not open.
Nonces are random: one key may seal about 2**32 values (NIST SP 800-38D, 8.3), rotate long before.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from store.errors import Damaged, StoreError

Vector = NDArray[np.float32]

_PLAIN = b"\x00"
_SEALED = b"\x01"
_ID = 4
_NONCE = 12
_NO_KEY = "set SUISHOUPAI_KEY, or put the key file back in its place"


class Vault(Protocol):
    """Seals bytes. ``context`` binds a sealed value to its row: moved to another row, it does not open."""

    def seal(self, plain: bytes, context: str) -> bytes: ...

    def open(self, sealed: bytes, context: str) -> bytes:
        """Raises :class:`StoreError` where the bytes are damaged, moved, or sealed with a key that is not at hand."""

    def fresh(self, sealed: bytes) -> bool:
        """Whether the bytes were sealed with the key that seals now (so rotation has nothing to do)."""


class PlainVault:
    """Keeps bytes as they are, marked as plain, so that a key can be brought in later."""

    def seal(self, plain: bytes, context: str) -> bytes:
        return _PLAIN + plain

    def open(self, sealed: bytes, context: str) -> bytes:
        if not sealed:
            raise StoreError("the stored bytes are empty", mend="restore them from a backup")
        if sealed[:1] != _PLAIN:
            raise StoreError("the stored bytes are sealed and no key is at hand", mend=_NO_KEY)
        return sealed[1:]

    def fresh(self, sealed: bytes) -> bool:
        return sealed[:1] == _PLAIN


class AesVault:
    """Seals with the first of ``keys`` (32 bytes each) and opens with any of them.

    ``accept_plain`` is for rotation alone: otherwise someone who can write to the database could put in unsealed values.
    """

    def __init__(self, keys: Sequence[bytes], *, accept_plain: bool = False) -> None:
        if not keys or any(len(key) != 32 for key in keys):
            raise StoreError("a key must have 32 bytes", mend="make one with: suishoupai keys make")
        self._ciphers = {_key_id(key): AESGCM(key) for key in reversed(keys)}
        self._current = _key_id(keys[0])
        self._accept_plain = accept_plain

    def seal(self, plain: bytes, context: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return _SEALED + self._current + nonce + self._ciphers[self._current].encrypt(nonce, plain, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        if sealed[:1] == _PLAIN and self._accept_plain:
            return sealed[1:]
        if sealed[:1] == _PLAIN:
            raise StoreError("the stored bytes are not sealed, though a key is set", mend="run: suishoupai keys rotate")
        head, nonce, body = sealed[1 : 1 + _ID], sealed[1 + _ID : 1 + _ID + _NONCE], sealed[1 + _ID + _NONCE :]
        cipher = self._ciphers.get(head)
        if sealed[:1] != _SEALED or len(nonce) != _NONCE:
            raise Damaged("the stored bytes are damaged", mend="restore them from a backup")
        if cipher is None:
            raise StoreError(f"the stored bytes are sealed with a key that is not at hand (key {head.hex()})", mend=_NO_KEY)
        try:
            return cipher.decrypt(nonce, body, context.encode())
        except InvalidTag as error:
            raise Damaged("the stored bytes were changed or moved", mend="restore them from a backup") from error

    def fresh(self, sealed: bytes) -> bool:
        return sealed[: 1 + _ID] == _SEALED + self._current


def _key_id(key: bytes) -> bytes:
    """Which key sealed a value, without telling anything about the key."""
    return hashlib.sha256(b"suishoupai key id:" + key).digest()[:_ID]


def seal_vector(vault: Vault, vector: Vector, context: str) -> bytes:
    """``vector`` (unit length, float32, shape (dimension,)) as sealed float16: half the size, error below 0.001 in cosine."""
    return vault.seal(np.ascontiguousarray(vector, dtype="<f2").tobytes(), context)


def open_vectors(vault: Vault, sealed: Sequence[tuple[bytes, str]]) -> Vector:
    """Many vectors, each with its context, as rows: what :func:`open_vector` gives, in a quarter of the time.

    Raises:
        Damaged: they are not of one length.
    """
    opened = [vault.open(value, context) for value, context in sealed]
    if len({len(plain) for plain in opened}) > 1:
        raise Damaged("stored vectors differ in length", mend="embed their photos again, or restore a backup")
    rows = np.frombuffer(b"".join(opened), dtype="<f2").astype(np.float32).reshape(len(opened), -1 if opened else 0)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    np.divide(rows, lengths, out=rows, where=lengths > 0)
    return rows


def open_vector(vault: Vault, sealed: bytes, context: str) -> Vector:
    """The vector of :func:`seal_vector`, float32, brought back to unit length."""
    vector = np.frombuffer(vault.open(sealed, context), dtype="<f2").astype(np.float32)
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if length > 0 else vector
