"""Where the key comes from: the environment, or a file outside the database and its backups."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from store.errors import StoreError
from store.vault import AesVault, PlainVault, Vault

ENVIRONMENT = "SUISHOUPAI_KEY"
_MAKE = "make one with: suishoupai keys make"


class Origin(StrEnum):
    """Where the key was found. ``doctor`` warns of FILE (it lies on the same machine) and of NONE (nothing is sealed)."""

    ENVIRONMENT = "environment"
    FILE = "file"
    MADE = "made"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Opened:
    """A vault and where its key came from."""

    vault: Vault
    origin: Origin


def make_key() -> str:
    """A new key, as the environment and the key file take it (32 random bytes, base64)."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def parse_keys(text: str) -> list[bytes]:
    """The keys of a setting or file, the present one first: base64, separated by commas or lines; ``#`` starts a comment.

    Raises:
        StoreError: a part is no key. The message never repeats it.
    """
    parts = [part.strip() for line in text.splitlines() for part in line.partition("#")[0].split(",")]
    keys = []
    for number, part in enumerate((part for part in parts if part), 1):
        try:
            key = base64.b64decode(part.replace("-", "+").replace("_", "/"), validate=True)
        except (binascii.Error, ValueError) as error:
            raise StoreError(f"key {number} is not base64", mend=_MAKE) from error
        if len(key) != 32:
            raise StoreError(f"key {number} has {len(key)} bytes instead of 32", mend=_MAKE)
        keys.append(key)
    if not keys:
        raise StoreError("no key is given", mend=_MAKE)
    return keys


def open_vault(environment: str | None, key_file: Path | None, *, make: bool = False, accept_plain: bool = False) -> Opened:
    """The vault of the key in ``environment`` (the value of :data:`ENVIRONMENT`), else of ``key_file``, else no sealing.

    ``make`` writes a new key file where neither is there (the demo; a first start). ``accept_plain`` is for rotation.

    Raises:
        StoreError: a key is there and cannot be used: nothing is ever sealed or read with a guess.
    """
    if environment:
        return Opened(AesVault(parse_keys(environment), accept_plain=accept_plain), Origin.ENVIRONMENT)
    if key_file is not None and key_file.exists():
        return Opened(AesVault(parse_keys(_read(key_file)), accept_plain=accept_plain), Origin.FILE)
    if key_file is not None and make:
        write_key_file(key_file, [make_key()])
        return Opened(AesVault(parse_keys(_read(key_file)), accept_plain=accept_plain), Origin.MADE)
    return Opened(PlainVault(), Origin.NONE)


def write_key_file(path: Path, keys: list[str]) -> None:
    """Write keys, the present one first, readable by the owner alone; an existing file is replaced in one step.

    Raises:
        StoreError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write("# The key that opens face vectors and photos. Keep a copy apart from the backups.\n")
            file.writelines(f"{key}\n" for key in keys)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise StoreError(f"the key file {path} cannot be written: {error}", mend="check its folder's permissions") from error


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"the key file {path} cannot be read: {error}", mend="check its permissions") from error
