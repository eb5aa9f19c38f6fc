"""The real bot over a simulated platform and engine: what wiring.py does for a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.alerts.compose import load_templates
from bot.bot import Bot, PlatformSeat
from bot.faces import FaceBook
from bot.settings import Settings
from bot.simulation.campaign import PLATFORM, Campaign
from bot.simulation.engine import VectorEngine
from bot.simulation.platform import GeneratedPlatform, settings
from ingest.photo import Decoder
from matcher.calibrate import BandTargets
from store.model import Clock
from store.photos import PhotoFiles
from store.session import Store
from store.vault import AesVault

KEY = bytes(range(32))


@dataclass(frozen=True, slots=True)
class Site:
    """A bot, and the platform that it reads."""

    bot: Bot
    platform: GeneratedPlatform


@contextmanager
def open_store(url: str, clock: Clock) -> Iterator[Store]:
    """A store with its tables, sealed as a real one; the key is known to everybody, for the data are made up."""
    store = Store(url, clock, AesVault([KEY]))
    try:
        store.migrate()
        yield store
    finally:
        store.close()


@contextmanager
def open_site(
    store: Store,
    folder: Path,
    campaign: Campaign,
    clock: Clock,
    *,
    network_s: float = 0.0,
    engine_s: float = 0.0,
    spend: Callable[[float], None] = lambda seconds: None,
    poll_every_s: int = 60,
) -> Iterator[Site]:
    """The bot of a simulation on ``store``. ``spend`` is given every second that the network or the engine would have taken."""
    chosen = Settings.model_validate(
        {
            "alerts": {"release": "auto", "caps": {"per_hour": 1000, "per_day": 10_000, "per_official_per_day": 1000}},
            "matching": {"photos_per_day": max(1, campaign.shape.posts_per_day), "pictures_alert": True},
        }
    )
    matching = chosen.matching
    targets = BandTargets(matching.high_one_in_photos, matching.review_per_day, matching.photos_per_day)
    platform = GeneratedPlatform(campaign, clock, network_s, spend)
    seat = PlatformSeat(PLATFORM, platform, settings(poll_every_s), live=False, own_id="bot", own_handle="随手拍助手")
    with ExitStack() as stack:
        decoder = stack.enter_context(Decoder())
        faces = FaceBook(VectorEngine(engine_s, spend), targets, matching.candidates_kept)
        files = PhotoFiles(folder / "photos", store.vault)
        bot = Bot(chosen, chosen.zone, clock, store, files, {PLATFORM: seat}, decoder, faces, load_templates(None))
        yield Site(bot, platform)
