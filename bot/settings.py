"""config.yaml + environment -> typed, frozen settings, read once and handed down.

Every unknown or wrong key is reported with its full path and what is allowed there, all of them at once. Secrets come from the
environment or a ``.env`` beside config.yaml, never from config.yaml itself.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from bot.alerts.officials import RoutingRules
from bot.alerts.routing import Route, Routing, SightingKind
from bot.platforms.base import PlatformSettings
from bot.platforms.loading import PlatformModule, load
from matcher.cores import cores
from store.errors import SettingsError
from store.model import AgencyType

DEFAULT_CONFIG = Path("config.yaml")


class Section(BaseModel):
    """A frozen part of config.yaml that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CampaignSettings(Section):
    name: str = Field(default="随手拍照解救乞讨儿童", description="The campaign's name, shown on pages.")
    operator: str = Field(default="", description="The organisation that runs this bot. Needed to go live.")
    authority: str = Field(default="", description="Under whose authority (agreement, police unit, date). Needed to go live.")
    contact: str = Field(default="", description="Where people reach the operator (mail or telephone). Needed to go live.")


class StoreSettings(Section):
    url: str = Field(
        default="sqlite:///var/suishoupai.sqlite", description="The database: sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME."
    )
    photos_dir: Path = Field(default=Path("var/photos"), description="Folder of photo files, named by content hash.")
    photos_url: str = Field(
        default="", description="s3://BUCKET/PREFIX for photos instead of photos_dir; keys and endpoint from the environment."
    )
    key_file: Path = Field(
        default=Path("var/key"), description="The key that seals photos and vectors, where SUISHOUPAI_KEY is not set; made once."
    )

    @field_validator("photos_url")
    @classmethod
    def _bucket(cls, value: str) -> str:
        parsed = urlsplit(value)
        if value and (parsed.scheme != "s3" or not parsed.netloc or "@" in parsed.netloc or parsed.query):
            raise ValueError("write it as s3://BUCKET or s3://BUCKET/PREFIX; keys stand in the environment")
        return value


class ModelsSettings(Section):
    dir: Path = Field(default=Path("var/models"), description="Folder that holds face model packs.")
    pack: str = Field(default="yunet_sface", description="Name of the model pack in use (models list shows them).")
    engine: str = Field(default="insightface_pack", description="The engine file that runs the pack (matcher/engines/NAME.py).")
    agree_with: str = Field(
        default="", description="A second pack that must agree before anything is in the high band; empty: none."
    )
    providers: tuple[str, ...] = Field(default=("CPUExecutionProvider",), description="onnxruntime execution providers.")
    threads: int = Field(default=1, ge=1, le=64, description="onnxruntime threads a session.")
    photos_at_once: int = Field(
        default=0, ge=0, le=64, description="Photos decoded and embedded at the same time. 0: one a core, two to four."
    )

    def at_once(self) -> int:
        """How many photos are in hand at the same time. Two on one core too: one is decoded while the other is in the engine."""
        return self.photos_at_once or min(max(cores(), 2), 4)


class MatchingSettings(Section):
    high_one_in_photos: int = Field(
        default=10_000, ge=10, description="High band: at most one false alert in this many photos of strangers."
    )
    review_per_day: float = Field(default=20.0, gt=0, description="Review band: at most this many false candidates a day.")
    photos_per_day: int = Field(default=2000, ge=1, description="Photos expected a day; the review band is derived from it.")
    candidates_kept: int = Field(default=20, ge=1, le=200, description="Candidates kept for one face.")
    search: Literal["auto", "memory", "pgvector"] = Field(
        default="auto", description="Where cases are searched: auto; memory: in each process; pgvector: inside PostgreSQL."
    )
    pgvector_from: int = Field(default=1_000_000, ge=1, description="auto: cases from which pgvector searches, where allowed.")
    unsealed_vectors: bool = Field(
        default=False, description="Allow pgvector to hold case templates unsealed in PostgreSQL (docs/privacy.md)."
    )
    approximate_ef: int | None = Field(
        default=None, ge=400, le=1000, description="pgvector: search by HNSW with so many candidates. null: exactly."
    )

    @model_validator(mode="after")
    def _allowed(self) -> Self:
        if self.search == "pgvector" and not self.unsealed_vectors:
            raise ValueError("search: pgvector needs unsealed_vectors: true (it cannot search sealed vectors; docs/privacy.md)")
        return self


class PhotoSettings(Section):
    max_bytes: int = Field(default=25_000_000, ge=10_000, description="Largest photo file that is fetched, in bytes.")
    max_pixels: int = Field(default=60_000_000, ge=10_000, description="Largest photo that is decoded, in pixels.")
    fetch_seconds: float = Field(default=30.0, gt=0, le=300, description="Longest time for one download, in seconds.")
    attempts: int = Field(default=5, ge=1, le=20, description="Tries for a photo that cannot be fetched for now.")
    allow_loopback: bool = Field(default=False, description="Fetch photos from 127.0.0.1. For the local microblog only.")


class CapsSettings(Section):
    per_hour: int = Field(default=10, ge=0, description="Alerts that go out by themselves in any hour.")
    per_day: int = Field(default=50, ge=0, description="Alerts that go out by themselves in any 24 hours.")
    per_official_per_day: int = Field(default=5, ge=0, description="Mentions of one official in any 24 hours.")
    answers_per_author_per_day: int = Field(default=20, ge=0, description="Answers to one account in any 24 hours.")


def _checked_hours(value: tuple[int, int]) -> tuple[int, int]:
    if not all(0 <= hour <= 23 for hour in value):
        raise ValueError("hours run from 0 to 23")
    return value


class RouteSettings(Section):
    types: tuple[AgencyType, ...] | None = Field(
        default=None, min_length=1, description="Agency types for this kind, in order of preference; empty: as in general."
    )
    max_mentions: int | None = Field(default=None, ge=1, le=5, description="Accounts mentioned at most; empty: as in general.")


class BrakeSettings(Section):
    multiple: float = Field(
        default=20, gt=0, description="High-band alerts a day, as a multiple of the false ones to be expected, before all wait."
    )
    at_least: int = Field(default=20, ge=1, description="So many a day never set the brake, however few are to be expected.")


class RoutingSettings(Section):
    types: tuple[AgencyType, ...] = Field(
        default=(AgencyType.POLICE, AgencyType.ANTI_TRAFFICKING, AgencyType.CIVIL_AFFAIRS, AgencyType.RESCUE_STATION),
        description="Agency types that may be mentioned, in order of preference.",
    )
    max_mentions: int = Field(default=2, ge=1, le=5, description="Accounts mentioned in one alert at most.")
    max_age_days: int = Field(default=180, ge=1, description="An account not checked for this long is never mentioned.")
    kinds: dict[SightingKind, RouteSettings] = Field(
        default_factory=dict, description="What a kind of sighting changes: night (decides first), fresh, older, undated."
    )
    fresh_hours: float = Field(default=6, gt=0, description="A child seen at most this long ago makes a sighting fresh.")
    night_hours: tuple[int, int] = Field(default=(22, 6), description="[from, to) hours (campaign time zone) of the kind night.")

    @field_validator("night_hours")
    @classmethod
    def _hours(cls, value: tuple[int, int]) -> tuple[int, int]:
        return _checked_hours(value)

    @property
    def routing(self) -> Routing:
        """As the choice of officials takes them."""
        return Routing(
            rules=RoutingRules(types=self.types, max_mentions=self.max_mentions, max_age_days=self.max_age_days),
            kinds={kind: Route(route.types, route.max_mentions) for kind, route in self.kinds.items()},
            fresh=timedelta(hours=self.fresh_hours),
            night=self.night_hours,
        )


class AlertSettings(Section):
    release: Literal["auto", "review"] = Field(
        default="review", description="auto: high-band alerts go at once, under the caps. review: each waits for a person."
    )
    console_url: str = Field(default="", description="Public address of the console; alerts link to it. Empty: no link.")
    max_age_hours: float = Field(default=48, gt=0, description="A match on an older post waits for a person.")
    answer_max_age_hours: float = Field(default=24, gt=0, description="Posts older than this get no answer.")
    caps: CapsSettings = Field(default_factory=CapsSettings)
    brake: BrakeSettings = Field(default_factory=BrakeSettings)
    digest_hour: int | None = Field(
        default=20, ge=0, le=23, description="Hour (campaign time) of the daily digest for officials at their cap; null: none."
    )
    routing: RoutingSettings = Field(default_factory=RoutingSettings)
    templates_dir: Path | None = Field(default=None, description="Folder with your own zh.yaml and en.yaml; empty: built-in.")
    quiet_hours: tuple[int, int] | None = Field(
        default=None, description="[from, to] hours (campaign time zone) in which alerts wait, e.g. [22, 7]; empty: none."
    )
    lease_s: float = Field(
        default=300, gt=0, description="A message whose sender is silent for so long is looked for; longer than any request."
    )
    reconcile_reads: int = Field(default=3, ge=1, le=20, description="Clean read-backs without a find before a person is asked.")

    @field_validator("quiet_hours")
    @classmethod
    def _hours(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        return None if value is None else _checked_hours(value)


class ScheduleSettings(Section):
    work_every_s: float = Field(default=5, gt=0, description="Seconds between rounds of extracting, matching and deciding.")
    deliver_every_s: float = Field(default=5, gt=0, description="Seconds between rounds of sending and reconciling.")
    batch: int = Field(default=50, ge=1, le=1000, description="Posts taken by one round of a step.")
    attempts: int = Field(default=5, ge=1, le=50, description="Tries for a post whose step fails before it is set aside.")
    retry_s: float = Field(
        default=30, gt=0, le=3600, description="Pause before a failed post or message is tried again; doubled, an hour at most."
    )


class WorkSettings(Section):
    mode: Literal["embedded", "shared"] = Field(
        default="embedded",
        description="embedded: one process does everything. shared: any number of workers, on PostgreSQL (docs/scale.md).",
    )
    sweep_every_s: int = Field(default=2, ge=1, le=30, description="shared: seconds between looks for due rows without a job.")
    heartbeat_s: float = Field(default=5, gt=0, description="shared: seconds between two signs of life of a worker.")
    stalled_after_s: float = Field(
        default=30, gt=0, description="shared: a worker that is silent for so long is taken for dead; its jobs go to others."
    )


class RetentionSettings(Section):
    gone_hours: int = Field(default=24, ge=1, description="Posts deleted at their source, in hours.")
    without_face_days: int = Field(default=30, ge=1, description="Posts without a face, ignored or failed.")
    unmatched_days: int = Field(default=365, ge=1, description="Posts with a face that matches no case yet.")
    candidate_days: int = Field(default=730, ge=1, description="Posts with a candidate and no lead.")
    lead_ended_days: int = Field(default=180, ge=1, description="Posts all of whose leads were ruled out or closed.")
    raw_days: int = Field(default=30, ge=1, description="The platform's own body of a post.")
    case_closed_days: int = Field(default=90, ge=1, description="Closed cases.")
    gone_keeps_leads: bool = Field(
        default=False, description="Keep a deleted post while a lead of it is under way. X's terms do not allow it."
    )


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class MailSettings(Section):
    host: str = Field(default="", description="SMTP server for alarms to the operator; empty: no mail.")
    port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    starttls: bool = Field(default=True, description="Encrypt with STARTTLS. Switch off for a relay on this machine alone.")
    sender: str = Field(default="", description="From address.")
    to: tuple[str, ...] = Field(default=(), description="Who is told.")
    user: str = Field(default="", description="User name; the password comes from SUISHOUPAI_SMTP_PASSWORD.")


class HealthSettings(Section):
    port: int | None = Field(
        default=None, ge=0, le=65535, description="Serve /healthz and /metrics on 127.0.0.1 at this port while running; null: no."
    )
    missed_polls: float = Field(default=4, ge=1, description="A stream not read for so many poll intervals raises the alarm.")
    repeat_hours: float = Field(default=6, gt=0, description="A lasting alarm is repeated after so many hours.")
    views_an_hour: int = Field(default=1500, ge=1, description="Photos shown to one person within an hour that raise the alarm.")
    views_a_day: int = Field(default=6000, ge=1, description="Photos shown to one person within 24 hours that raise the alarm.")
    cases_a_day: int = Field(default=20, ge=1, description="Cases registered by one person within 24 hours that raise the alarm.")
    mail: MailSettings = Field(default_factory=MailSettings)


class MicroblogSettings(Section):
    port: int = Field(default=8765, ge=0, le=65535, description="Port of the local microblog on 127.0.0.1; 0 takes a free one.")


class ConsoleSettings(Section):
    host: str = Field(default="127.0.0.1", description="Address the console listens on; put a TLS proxy before it.")
    port: int = Field(default=8766, ge=0, le=65535, description="Port the console listens on; 0 takes a free one.")
    public_url: str = Field(
        default="", description="Address people type (https://...); empty: alerts.console_url, else http://HOST:PORT."
    )
    proxies: tuple[str, ...] = Field(
        default=("127.0.0.1", "::1"), description="Addresses or networks of proxies whose X-Forwarded-For is believed."
    )
    insecure_cookies: bool = Field(default=False, description="Cookies without Secure, for plain http on this machine alone.")
    session_hours: float = Field(default=12, gt=0, le=168, description="Hours after which everybody signs in anew.")
    invitation_hours: float = Field(default=72, gt=0, le=720, description="Hours that an invitation's link works.")
    lockout_failures: int = Field(default=5, ge=2, le=50, description="Wrong sign-ins in a row that lock a person out.")
    lockout_minutes: float = Field(default=15, gt=0, le=1440, description="Minutes that a person stays locked out.")
    review_lock_minutes: float = Field(default=10, gt=0, le=1440, description="Minutes a reviewer has a pair to themselves.")
    known_pair_one_in: int = Field(default=12, ge=0, description="One in so many pairs is a known one; 0: none.")

    @field_validator("public_url")
    @classmethod
    def _url(cls, value: str) -> str:
        if value and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
            raise ValueError("write it as https://console.example.org")
        return value.rstrip("/")

    @field_validator("proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            try:
                network = ipaddress.ip_network(entry)
            except ValueError as error:
                raise ValueError(f"{entry} is no address or network: write 10.0.0.2 or 10.0.0.0/24") from error
            if network.prefixlen == 0:
                raise ValueError(f"{entry} believes everybody: name the proxy alone")
        return value


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
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
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
