"""The parts of a running bot, put together by wiring.py and handed to every step."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from bot.alerts.compose import Templates
from bot.drift import DriftBook
from bot.faces import FaceBook
from bot.platforms.base import Platform, PlatformSettings
from bot.settings import Settings
from bot.steps.breaker import Breaker
from bot.steps.tracks import TrackBook
from ingest.photo import Decoder
from store.model import Clock
from store.photos import PhotoFiles
from store.session import Store


@dataclass(slots=True)
class PlatformSeat:
    """A platform in use: its object, its settings, and what was learnt about the bot's own account there. ``in_hand`` is the
    message being sent (number, attempt) while its outcome is not recorded yet."""

    name: str
    platform: Platform
    settings: PlatformSettings
    live: bool
    own_id: str = ""
    own_handle: str = ""
    quiet_until: datetime | None = None
    in_hand: tuple[int, int] | None = None
    checked_handles: dict[int, date] = field(default_factory=dict)
    breaker: Breaker = field(default_factory=Breaker)


@dataclass(frozen=True, slots=True)
class Bot:
    """Everything a step needs. ``stopping`` is set by SIGTERM: steps end after the post in hand. ``second`` is another engine
    that must agree before anything is in the high band (``models.agree_with``). ``embedded_up_to`` and ``case_photos_at`` are
    how far each pack has come: the last photo it was shown, the last change of a case it has followed."""

    settings: Settings
    zone: ZoneInfo
    clock: Clock
    store: Store
    files: PhotoFiles
    seats: Mapping[str, PlatformSeat]
    decoder: Decoder
    faces: FaceBook
    templates: Templates
    tracks: TrackBook = field(default_factory=TrackBook)
    drift: DriftBook = field(default_factory=DriftBook)
    stopping: threading.Event = field(default_factory=threading.Event)
    second: FaceBook | None = None
    unusable_case_photos: set[tuple[str, int]] = field(default_factory=set)
    embedded_up_to: dict[str, int] = field(default_factory=dict)
    case_photos_at: dict[str, int] = field(default_factory=dict)
