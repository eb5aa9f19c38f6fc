"""config.yaml + environment -> typed, frozen settings, read once and handed down.

Every unknown or wrong key is reported with its full path and what is allowed there, all of them at once. Secrets come from the
environment or a ``.env`` beside config.yaml, never from config.yaml itself.
"""

from __future__ import annotations

import difflib
import os
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from dotenv import dotenv_values
from pydantic import BaseModel, Field, ValidationError, field_validator

from bot.platforms.base import PlatformSettings
from bot.platforms.loading import PlatformModule, load
from bot.sections import (
    AlertSettings,
    CampaignSettings,
    ConsoleSettings,
    HealthSettings,
    LogSettings,
    MatchingSettings,
    MicroblogSettings,
    ModelsSettings,
    PhotoSettings,
    RetentionSettings,
    ScheduleSettings,
    Section,
    StoreSettings,
    WorkSettings,
)
from bot.yaml_file import read_yaml
from store.errors import SettingsError

DEFAULT_CONFIG = Path("config.yaml")


class Settings(Section):
    """Everything in config.yaml. ``platforms`` holds each platform file's own Settings, already validated."""

    campaign: CampaignSettings = Field(default_factory=CampaignSettings)
    time_zone: str = Field(default="Asia/Shanghai", description="IANA time zone in which times are read and shown.")
    extensions: tuple[Path, ...] = Field(
        default=(), description="Folders with your own platforms/NAME.py and engines/NAME.py files."
    )
    store: StoreSettings = Field(default_factory=StoreSettings)
    models: ModelsSettings = Field(default_factory=ModelsSettings)
    matching: MatchingSettings = Field(default_factory=MatchingSettings)
    photos: PhotoSettings = Field(default_factory=PhotoSettings)
    alerts: AlertSettings = Field(default_factory=AlertSettings)
    schedule: ScheduleSettings = Field(default_factory=ScheduleSettings)
    work: WorkSettings = Field(default_factory=WorkSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    health: HealthSettings = Field(default_factory=HealthSettings)
    microblog: MicroblogSettings = Field(default_factory=MicroblogSettings)
    console: ConsoleSettings = Field(default_factory=ConsoleSettings)
    platforms: dict[str, Any] = Field(default_factory=dict, description="One entry a platform: its own settings.")

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is no IANA time zone (for example Asia/Shanghai)") from error
        return value

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class Secrets(Mapping[str, str]):
    """The environment and ``.env``, readable by name, never shown: its repr holds names alone."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<Secrets: {len(self)} names>"

    def only(self, names: typing.Iterable[str]) -> Secrets:
        """The part that one platform may see: the named, non-empty values."""
        return Secrets({name: self._values[name] for name in names if self._values.get(name)})


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, secrets and the platform files they name, as read from ``path``."""

    path: Path
    settings: Settings
    secrets: Secrets
    modules: Mapping[str, PlatformModule]

    def platform_settings(self, name: str) -> PlatformSettings:
        """The validated settings of platform ``name``."""
        return typing.cast(PlatformSettings, self.settings.platforms[name])

    def is_live(self, name: str) -> bool:
        """True where the platform's address is not this machine: real people are at the other end."""
        host = urlsplit(str(getattr(self.platform_settings(name), "base_url", ""))).hostname or ""
        return host not in ("127.0.0.1", "localhost", "::1")


def load_settings(path: Path, environ: Mapping[str, str] | None = None) -> Loaded:
    """Read ``path`` (YAML) and the environment.

    Relative folders in the file are taken from the file's own folder.

    Raises:
        SettingsError: the file is missing, no YAML, or has wrong keys; one line for each, with its full path.
    """
    values = _read_yaml(path)
    base = path.resolve().parent
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_explain(path, Settings, error, ()), mend="correct these lines and run it again") from error
    modules = _platform_modules(path, settings)
    platforms: dict[str, PlatformSettings] = {}
    problems: list[str] = []
    for name, module in modules.items():
        try:
            platforms[name] = module.Settings.model_validate(settings.platforms[name] or {})
        except ValidationError as error:
            problems.append(_explain(path, module.Settings, error, ("platforms", name)))
    if problems:
        raise SettingsError("\n".join(problems), mend="correct these lines and run it again")
    env = dict(os.environ if environ is None else environ)
    dotenv = {k: v for k, v in dotenv_values(base / ".env").items() if v is not None} if (base / ".env").is_file() else {}
    absolute = _absolute(settings, base).model_copy(update={"platforms": platforms})
    return Loaded(path, absolute, Secrets({**dotenv, **env}), modules)


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise SettingsError(f"{path}: no such settings file", mend="run from the project's folder, or name it: --config FILE")
    try:
        values = read_yaml(path)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not readable as YAML: {error}", mend="correct the file (UTF-8, YAML)") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: expected keys and values at the top, found {type(values).__name__}", mend="see config.yaml")
    return values


def _platform_modules(path: Path, settings: Settings) -> dict[str, PlatformModule]:
    folders = [path.resolve().parent / folder / "platforms" for folder in settings.extensions]
    folders = [folder for folder in folders if folder.is_dir()]
    modules = {}
    for name, values in settings.platforms.items():
        if values is not None and not isinstance(values, dict):
            raise SettingsError(f"{path}: platforms.{name}: expected keys and values", mend="see config.yaml")
        try:
            modules[name] = load(name, folders)
        except SettingsError as error:
            raise SettingsError(f"{path}: platforms.{name}: {error}", mend=error.mend) from error
    return modules


def database_url(url: str, base: Path) -> str:
    """``url`` with a SQLite file's path taken from ``base``."""
    if url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
        return f"sqlite:///{base / url.removeprefix('sqlite:///')}"
    return url


def _absolute(settings: Settings, base: Path) -> Settings:
    """Resolve every folder against the settings file's own folder."""
    url = database_url(settings.store.url, base)
    return settings.model_copy(
        update={
            "store": settings.store.model_copy(
                update={"url": url, "photos_dir": base / settings.store.photos_dir, "key_file": base / settings.store.key_file}
            ),
            "models": settings.models.model_copy(update={"dir": base / settings.models.dir}),
            "extensions": tuple(base / folder for folder in settings.extensions),
            "alerts": settings.alerts.model_copy(
                update={"templates_dir": base / settings.alerts.templates_dir if settings.alerts.templates_dir else None}
            ),
        }
    )


def _explain(path: Path, model: type[BaseModel], error: ValidationError, prefix: tuple[str, ...]) -> str:
    """One line a problem: full path, what is wrong, what is allowed."""
    lines = []
    for problem in error.errors(include_url=False, include_context=True):
        location = tuple(str(part) for part in problem["loc"])
        where = ".".join((*prefix, *location))
        if problem["type"] == "extra_forbidden":
            allowed = sorted(_fields_at(model, location[:-1]))
            near = difflib.get_close_matches(location[-1], allowed, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            lines.append(f"{path}: {where}: unknown key{hint}; allowed here: {', '.join(allowed)}")
        else:
            value = problem.get("input")
            shown = f" (found {value!r})" if isinstance(value, str | int | float | bool) else ""
            lines.append(f"{path}: {where}: {problem['msg']}{shown}")
    return "\n".join(lines)


def _fields_at(model: type[BaseModel], location: tuple[str, ...]) -> list[str]:
    """The keys allowed at ``location`` below ``model``."""
    here: Any = model
    for part in location:
        field = getattr(here, "model_fields", {}).get(part)
        if field is None:
            return []
        options = typing.get_args(field.annotation) if _is_union(field.annotation) else (field.annotation,)
        here = next((option for option in options if isinstance(option, type) and issubclass(option, BaseModel)), None)
    return list(here.model_fields) if here is not None else []


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)
