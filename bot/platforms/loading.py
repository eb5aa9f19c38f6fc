"""Finds platform files: one file = one platform = one config key, the project's own and an operator's.

A platform file holds three names: ``Settings`` (a :class:`PlatformSettings`), ``SECRETS`` (environment name -> what it is)
and ``build(settings, secrets, clock) -> Platform``. Nothing has to be registered anywhere else. A fourth, optional name is
``rules(settings, clock) -> Rules``: what the platform knows about itself without a token, for workers that have none.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Protocol, cast

from bot.platforms.base import Platform, PlatformSettings
from store.errors import SettingsError
from store.model import Clock

_OWN = Path(__file__).parent
_NOT_PLATFORMS = frozenset({"base", "loading"})
_NAMES = ("Settings", "SECRETS", "build")
_IMPORT_FAILS = (
    ImportError,
    SyntaxError,
    NameError,
    AttributeError,
    TypeError,
    ValueError,
    LookupError,
    ArithmeticError,
    AssertionError,
    OSError,
    RuntimeError,
)


class PlatformModule(Protocol):
    """What a platform file holds."""

    Settings: type[PlatformSettings]
    SECRETS: Mapping[str, str]

    def build(self, settings: PlatformSettings, secrets: Mapping[str, str], clock: Clock) -> Platform:
        """A platform object; opens no connection. Raises SettingsError where settings or secrets do not go together."""


def available(extra_dirs: Sequence[Path] = ()) -> list[str]:
    """The names of all platforms: every ``*.py`` of this folder and of ``extra_dirs`` that does not start with ``_``, sorted.

    Raises:
        SettingsError: a directory does not exist, or two files claim one name.
    """
    return sorted(_files(extra_dirs))


def load(name: str, extra_dirs: Sequence[Path] = ()) -> PlatformModule:
    """Import the platform file ``name``.

    Raises:
        SettingsError: there is none of that name (the message lists what exists), it lacks one of the three names, or it
            cannot be imported.
    """
    files = _files(extra_dirs)
    if name not in files:
        raise SettingsError(
            f"platforms.{name}: there is no such platform; there are: {', '.join(sorted(files))}",
            mend="Correct the name, or put its file into one of the platform directories.",
        )
    module = importlib.import_module(f"bot.platforms.{name}") if files[name].parent == _OWN else _import(name, files[name])
    return _checked(module, name, files[name])


def _files(extra_dirs: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in (_OWN, *(Path(d).resolve() for d in extra_dirs)):
        if not folder.is_dir():
            raise SettingsError(f"platform directory {folder} does not exist", mend="Create it or take it out of the settings.")
        for path in sorted(folder.glob("*.py")):
            if path.stem.startswith("_") or (folder == _OWN and path.stem in _NOT_PLATFORMS):
                continue
            if path.stem in found and found[path.stem] != path:
                raise SettingsError(
                    f"platforms.{path.stem}: two files claim this name: {found[path.stem]} and {path}", mend="Rename one of them."
                )
            found[path.stem] = path
    return found


def _import(name: str, path: Path) -> ModuleType:
    key = f"suishoupai_platform_{name}"
    known = sys.modules.get(key)
    if known is not None and known.__file__ == str(path):
        return known
    spec = importlib.util.spec_from_file_location(key, path)
    if spec is None or spec.loader is None:
        raise SettingsError(f"platforms.{name}: {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[key] = module  # dataclasses and pydantic look their module up while the class is made
    try:
        spec.loader.exec_module(module)
    except _IMPORT_FAILS as error:
        del sys.modules[key]
        raise SettingsError(f"platforms.{name}: {path} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _checked(module: ModuleType, name: str, path: Path) -> PlatformModule:
    missing = [n for n in _NAMES if not hasattr(module, n)]
    if missing:
        raise SettingsError(
            f"platforms.{name}: {path} lacks {', '.join(missing)}",
            mend="A platform file holds Settings, SECRETS and build; bot/platforms/weibo.py is one.",
        )
    settings = module.Settings
    if not (isinstance(settings, type) and issubclass(settings, PlatformSettings)):
        raise SettingsError(f"platforms.{name}: Settings in {path} must be a subclass of bot.platforms.base.PlatformSettings")
    return cast(PlatformModule, module)
