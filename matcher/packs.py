"""Model packs on disk: building the default one, installing others from a directory, and checking them before use.

A pack is a directory ``MODELS_DIR/NAME`` with onnx files (and insightface's ``manifest.json`` where it has one), plus our own
``installed.json``: the SHA-256 over its files, its licence and when it was accepted. Nothing here downloads anything.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from store.errors import BadInput, EngineError

DEFAULT_PACK = "yunet_lightcnn_int8"
BUILT_IN = {name: f"matcher.engines.{name}_build" for name in (DEFAULT_PACK, "yunet_lightcnn", "yunet_sface")}
"""The packs that are built here from files that pinned wheels carry, free for any use, and the modules that build them."""
_RECORD = "installed.json"
_MANIFEST = "manifest.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LICENCE_FILES = ("LICENSE", "LICENCE", "LICENSE.txt", "LICENSES.txt", "LICENSE.md", "COPYING", "MODEL.LICENSE", "README.md")

UNKNOWN_LICENCE = (
    "This pack carries no licence file. The pretrained packs published by the insightface project (buffalo_*, antelopev2 and "
    "others) are for NON-COMMERCIAL RESEARCH ONLY. Make sure that you may use these models for what you are about to do."
)


@dataclass(frozen=True, slots=True)
class Pack:
    """An installed pack. ``sha256`` is taken over its model files and manifest; ``accepted_at`` is ISO 8601, UTC."""

    name: str
    path: Path
    sha256: str
    licence: str
    accepted_at: str
    size_bytes: int
    built_in: bool


@dataclass(frozen=True, slots=True)
class _Record:
    """The content of ``installed.json``."""

    name: str
    sha256: str
    licence: str
    licence_sha256: str
    accepted_at: str
    built_in: bool


def pack_sha256(directory: Path) -> str:
    """SHA-256 over the names and contents of the pack's onnx files and manifest, in the order of their names.

    Raises:
        EngineError: the directory is missing, unreadable or holds no onnx file.
    """
    files = _model_files(directory)
    digest = hashlib.sha256()
    try:
        for path in files:
            with path.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").hexdigest()
            digest.update(f"{content}  {path.name}\n".encode())
    except OSError as error:
        raise EngineError(f"model pack {directory}: cannot be read: {error}", mend="check the folder's permissions") from error
    return digest.hexdigest()


def ensure_default(models_dir: Path) -> Path:
    """The directory of the default pack, built now if it is not there yet; see :func:`ensure`."""
    return ensure(models_dir, DEFAULT_PACK)


def ensure_built_in(models_dir: Path) -> None:
    """Build those of the built-in packs that are not there yet; see :func:`ensure`."""
    for name in BUILT_IN:
        ensure(models_dir, name)


def ensure(models_dir: Path, name: str) -> Path:
    """The directory of the built-in pack ``name``, built now (0.3 s) if it is not there yet.

    Raises:
        EngineError: the wheel with its sources is missing or changed, or the folder cannot be written.
    """
    target = models_dir / name
    if (target / _RECORD).is_file():
        return target
    # Imported here: only the first start needs onnx, which takes a quarter of a second to load.
    builder = importlib.import_module(BUILT_IN[name])
    with _arriving(target) as staging:
        builder.build(staging)
        licence: str = builder.LICENCE
        _write_record(staging, _Record(target.name, pack_sha256(staging), licence, _text_sha256(licence), "", True))
    return target


def install(source: Path, models_dir: Path, accept: Callable[[str], bool], now: datetime, name: str = "") -> Pack:
    """Copy the pack in directory ``source`` to ``models_dir`` after ``accept(licence text)`` said yes.

    Args:
        source: A directory with onnx files, with or without insightface's manifest.
        models_dir: Where packs are kept.
        accept: Shows the licence to a person and returns whether they accept it.
        now: The instant of acceptance, aware.
        name: The pack's name; by default the directory's.

    Raises:
        BadInput: no such directory, an unusable or taken name, or the licence was not accepted.
        EngineError: the directory holds no complete pack, or its files differ from its manifest.
    """
    name = name or source.resolve().name
    if not _NAME.fullmatch(name):
        raise BadInput(f"{name!r} cannot be a pack's name", mend="use letters, digits, '.', '_' and '-' only: --name NAME")
    target = models_dir / name
    if target.exists():
        raise BadInput(f"there is a pack named {name} already: {target}", mend="choose another name, or remove that folder first")
    _verify_manifest(source)
    licence = licence_text(source)
    if not accept(licence):
        raise BadInput(f"{name}: its licence was not accepted; nothing was installed")
    with _arriving(target) as staging:
        for path in _copied_files(source):
            shutil.copyfile(path, staging / path.name)
        stamp = now.isoformat(timespec="seconds")
        _write_record(staging, _Record(name, pack_sha256(staging), licence, _text_sha256(licence), stamp, False))
    return check(target)


def installed(models_dir: Path) -> list[Pack]:
    """All packs in ``models_dir``, by name, without reading their models; see :func:`check` for that."""
    if not models_dir.is_dir():
        return []
    return [_pack(path) for path in sorted(models_dir.iterdir()) if (path / _RECORD).is_file()]


def find(models_dir: Path, name: str) -> Path:
    """The directory of the installed pack ``name``; a built-in pack is built if need be.

    Raises:
        EngineError: there is no such pack; the message lists those there are.
    """
    if name in BUILT_IN:
        return ensure(models_dir, name)
    path = models_dir / name
    if not (path / _RECORD).is_file():
        there = ", ".join(pack.name for pack in installed(models_dir)) or "none"
        raise EngineError(
            f"there is no model pack {name!r} in {models_dir} (installed: {there})",
            mend="suishoupai models install PATH, or set models.pack to one that is installed",
        )
    return path


def check(directory: Path) -> Pack:
    """Read every file of an installed pack and compare it with what was installed.

    Raises:
        EngineError: the pack is missing, incomplete, or a file was changed since.
    """
    pack = _pack(directory)
    mend = "remove the folder; suishoupai models check builds a built-in pack anew, models install PATH brings another back"
    _verify_manifest(directory)
    if pack_sha256(directory) != pack.sha256:
        raise EngineError(f"model pack {directory}: its files are not the ones that were installed (SHA-256 differs)", mend=mend)
    return pack


def licence_text(directory: Path) -> str:
    """The licence that a pack carries, or a sentence saying that it carries none and what that usually means."""
    texts = []
    for name in _LICENCE_FILES:
        path = directory / name
        if path.is_file():
            texts.append(path.read_text(encoding="utf-8", errors="replace").strip())
    return "\n\n".join(texts) or UNKNOWN_LICENCE


def _pack(directory: Path) -> Pack:
    record = _read_record(directory)
    size = sum(path.stat().st_size for path in _model_files(directory))
    return Pack(directory.name, directory, record.sha256, record.licence, record.accepted_at, size, record.built_in)


def _model_files(directory: Path) -> list[Path]:
    if not directory.is_dir():
        raise EngineError(f"model pack {directory}: there is no such directory", mend="see suishoupai models list")
    models = sorted(directory.glob("*.onnx"))
    if not models:
        raise EngineError(f"model pack {directory}: no .onnx file in it", mend="name the folder with the .onnx files")
    manifest = directory / _MANIFEST
    return [*models, manifest] if manifest.is_file() else models


def _copied_files(source: Path) -> list[Path]:
    return [*_model_files(source), *(path for name in _LICENCE_FILES if (path := source / name).is_file())]


def _verify_manifest(directory: Path) -> None:
    """Compare the files with the SHA-256 of the pack's own manifest, where it has one."""
    manifest = directory / _MANIFEST
    names = {path.name for path in _model_files(directory)}
    if not manifest.is_file():
        return
    try:
        tasks = json.loads(manifest.read_text(encoding="utf-8"))["tasks"]
        wanted = {str(task["file"]): str(task.get("sha256", "")) for task in tasks.values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineError(f"{manifest}: not a usable pack manifest: {error!r}", mend="get the pack again") from error
    for name, sha256 in wanted.items():
        if name not in names:
            raise EngineError(f"{manifest}: names {name}, which is not there", mend="get the pack again from its source")
        with (directory / name).open("rb") as stream:
            actual = hashlib.file_digest(stream, "sha256").hexdigest()
        if sha256 and actual != sha256:
            raise EngineError(
                f"{directory / name}: SHA-256 is {actual}, the manifest says {sha256}",
                mend="the file was changed or damaged: do not use it, get the pack again from its source",
            )


def _read_record(directory: Path) -> _Record:
    path = directory / _RECORD
    try:
        return _Record(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise EngineError(
            f"model pack {directory}: not installed (no {_RECORD})", mend="suishoupai models install PATH installs a pack"
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise EngineError(f"{path}: not readable: {error}", mend="remove the pack's folder and install it again") from error


def _write_record(directory: Path, record: _Record) -> None:
    (directory / _RECORD).write_text(json.dumps(asdict(record), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _text_sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def _arriving(target: Path) -> Iterator[Path]:
    """A staging directory beside ``target`` that becomes it in one rename: a pack is there whole or not at all."""
    staging = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        yield staging
        staging.chmod(0o755)
        try:
            os.rename(staging, target)
        except OSError:
            # Another process was quicker; its pack is as good as ours. Anything else in the way is an error.
            if not (target / _RECORD).is_file():
                raise
    except OSError as error:
        raise EngineError(
            f"model pack {target}: cannot be written: {error}", mend="free disk space, or set models.dir to a writable folder"
        ) from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
