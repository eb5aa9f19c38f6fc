"""The sections of config.yaml, as typed, frozen settings: what each key means, may be, and is where nothing is said."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bot.alerts.officials import RoutingRules
from bot.alerts.routing import Route, Routing, SightingKind
from matcher.cores import cores
from store.model import AgencyType


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
        default="sqlite:///var/suishoupai.sqlite",
        description="The database: sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME.",
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
    pack: str = Field(default="yunet_lightcnn_int8", description="Name of the model pack in use (models list shows them).")
    engine: str = Field(default="insightface_pack", description="The engine file that runs the pack (matcher/engines/NAME.py).")
    agree_with: str = Field(
        default="", description="A second pack that must agree before anything is in the high band; empty: none."
    )
    providers: tuple[str, ...] = Field(default=("CPUExecutionProvider",), description="onnxruntime execution providers.")
    threads: int = Field(default=1, ge=1, le=64, description="onnxruntime threads a session.")
    photos_at_once: int = Field(
        default=0,
        ge=0,
        le=64,
        description="Photos decoded and embedded at the same time. 0: one more than cores, four at most.",
    )

    def at_once(self) -> int:
        """How many photos are in hand at the same time: one is decoded while the others are in the engine, one a core."""
        return self.photos_at_once or min(cores() + 1, 4)


class MatchingSettings(Section):
    high_one_in_photos: int = Field(
        default=10_000, ge=10, description="High band: at most one false alert in this many photos of strangers."
    )
    review_per_day: float = Field(default=20.0, gt=0, description="Review band: at most this many false candidates a day.")
    photos_per_day: int = Field(default=2000, ge=1, description="Photos expected a day; the review band is derived from it.")
    pictures_alert: bool = Field(
        default=False, description="Let a face alert that is a picture of the case photo itself (a poster, a screen)."
    )
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
