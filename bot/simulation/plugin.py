"""The simulated platform and face engine as files of an operator's own (``extensions``) bring them: so real processes
(``suishoupai run``, ``suishoupai worker``) play a campaign together, for what one process cannot show."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image as Pictures
from pydantic import Field

from bot.demo.photos import demo_photos
from bot.platforms.base import PlatformSettings
from bot.simulation.campaign import PLATFORM, TAG, Campaign, Shape
from bot.simulation.engine import VectorEngine
from bot.simulation.platform import GeneratedPlatform
from matcher.engines import insightface_pack
from matcher.engines.base import DetectedFace, Engine, EngineSettings, Image
from store.model import Clock, Page, Stream

SECRETS: Mapping[str, str] = {}
_A_DAY = 10_000 * 86_400
"""All posts within a moment: a backlog, so that what is measured is the work and not the waiting."""
ENGINE = "simulated"
LADEN = "simulated_laden"


class Settings(PlatformSettings):
    """What is played: so many posts over so many cases, all at the moment that ``cue`` names once it is there."""

    base_url: str = Field(default="http://127.0.0.1", description="Nobody is there; says that no person is at the other end.")
    cue: Path = Field(description="A file; as soon as it is there the posts come, after the moment (ISO 8601) in it.")
    posts: int = Field(ge=1, description="How many posts come.")
    cases: int = Field(ge=0, description="How many cases are registered.")
    network_s: float = Field(default=0.0, ge=0, description="How long each request waits.")


class PlatformOnCue(GeneratedPlatform):
    """A :class:`GeneratedPlatform` that is empty until its cue, and whose requests really wait."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._cue = settings.cue
        # Nothing is read before the cue, which says when the campaign starts.
        campaign = Campaign(Shape(_A_DAY, settings.cases), datetime.max.replace(tzinfo=clock().tzinfo) - timedelta(days=30))
        self._on = False

        def until_the_last() -> datetime:
            return min(clock(), campaign.moment(settings.posts + 1) - timedelta(microseconds=20))

        super().__init__(campaign, until_the_last, settings.network_s, time.sleep)

    def read(self, stream: Stream, since: str | None, page: str | None, not_before: datetime) -> Page:
        """Nothing before the cue."""
        if not self._on:
            if not self._cue.exists():
                return Page((), next=None, head=since)
            self._campaign.start = datetime.fromisoformat(self._cue.read_text(encoding="utf-8"))
            self._on = True
        return super().read(stream, since, page, not_before)


def build(settings: Settings, secrets: Mapping[str, str], clock: Clock) -> PlatformOnCue:
    """The platform; see :mod:`bot.platforms.loading`."""
    return PlatformOnCue(settings, clock)


class Laden(VectorEngine):
    """Vectors of the simulation, for the work of the real engine: it looks at a photo of the demo each time."""

    def __init__(self, real: Engine) -> None:
        super().__init__()
        self._real = real
        photo = next(photo for photo in demo_photos() if not photo.is_case_photo)
        with Pictures.open(BytesIO(photo.data)) as opened:
            self._picture: Image = np.ascontiguousarray(np.asarray(opened.convert("RGB"))[:, :, ::-1])

    def faces(self, image: Image) -> list[DetectedFace]:
        """As :meth:`VectorEngine.faces`, after the real engine's work on one photo."""
        self._real.faces(self._picture)
        return super().faces(image)


def open_laden(settings: EngineSettings) -> Laden:
    """The engine that works; see :mod:`matcher.engines.loading`."""
    return Laden(insightface_pack.open_engine(settings))


def write_files(folder: Path) -> None:
    """Make an ``extensions`` folder that brings the platform and both engines (:data:`ENGINE`, :data:`LADEN`)."""
    here = f"from {__name__} import"
    files = {
        f"platforms/{PLATFORM}.py": f"{here} SECRETS, Settings, build\n",
        f"engines/{ENGINE}.py": (
            "from bot.simulation.engine import VectorEngine\n\n\ndef open_engine(settings):\n    return VectorEngine()\n"
        ),
        f"engines/{LADEN}.py": f"{here} open_laden\n\n\ndef open_engine(settings):\n    return open_laden(settings)\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def platform_values(cue: Path, posts: int, cases: int, network_s: float) -> dict[str, object]:
    """What stands under ``platforms.simulated`` in the settings of such an installation."""
    common = {"enabled": True, "hashtags": [TAG], "mentions": False, "poll_every_s": 1, "max_pages": 100}
    return {**common, "cue": str(cue), "posts": posts, "cases": cases, "network_s": network_s}
