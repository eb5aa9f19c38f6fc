"""A sighting in Luohu with a photo, a verified case, a lead between them: what the pages about work are about."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin
from skimage import data as pictures
from starlette.applications import Starlette

from bot.console.app import create_app
from bot.console.parts import Parts
from ingest.photo import Decoder
from store import alerts, cases, faces, leads, matches, media, photos, posts, sightings
from store.alerts import Mention, NewAlert
from store.cases import CaseFields
from store.matches import NewCandidate
from store.model import (
    AlertState,
    Author,
    Band,
    Box,
    Certainty,
    Evidence,
    FaceQuality,
    Grain,
    Media,
    MessageKind,
    Post,
    Stream,
    StreamKind,
    When,
    Where,
)

PAGES = ("signin", "leads", "official", "sightings", "family", "cases_files", "cases", "operator")
PACK = "p" * 64
SECRETS = ("SECRETCAM", "22.54", "东门老街", "罗湖", "深圳", "440303", "passer_anna", "路人甲", "5005005", "weibo", "photohost")
"""Words of the sighting that a family never sees: camera, point, place, division, poster, ids, platform, host."""


BOX = Box(170, 70, 290, 210)


@dataclass(frozen=True)
class Face:
    """A face as an engine returns it."""

    vector: np.ndarray
    box: Box = BOX
    det_score: float = 0.9
    landmarks: tuple[tuple[float, float], ...] = ((200, 120), (245, 118), (222, 145), (205, 170), (240, 168))
    quality: FaceQuality = FaceQuality.GOOD
    quality_why: str = "sharp"
    norm: float = 11.0


@dataclass(frozen=True)
class World:
    """Row numbers and references of what is there."""

    parts: Parts
    sighting: str
    sighting_id: int
    case: str
    case_id: int
    lead: int
    face: int
    alert: int


@pytest.fixture
def app(parts: Parts) -> Starlette:
    return create_app(parts, PAGES)


def picture(shift: int = 0) -> bytes:
    """A JPEG of an adult public figure with a camera, a comment and a point in its EXIF."""
    image = Image.fromarray(np.roll(pictures.astronaut(), shift, axis=1))
    exif = Image.Exif()
    exif[0x0110] = "SECRETCAM"
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2] = "N", tuple(TiffImagePlugin.IFDRational(value) for value in (22, 32, 46))
    gps[3], gps[4] = "E", tuple(TiffImagePlugin.IFDRational(value) for value in (114, 7, 10))
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif, comment=b"SECRETCAM 22.54", quality=85)
    return out.getvalue()


def vector(seed: int) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=128).astype(np.float32)
    return found / np.linalg.norm(found)


@pytest.fixture
def keep_photo(parts: Parts, decoder: Decoder) -> Callable[..., int]:
    """Keeps a photo's file and row; returns the row."""

    def keep(tx, data: bytes) -> int:
        photo, _ = decoder.read(data)
        parts.files.put(data)
        return photos.save(
            tx,
            sha256=photo.sha256,
            phash=photo.phash,
            width_px=photo.width_px,
            height_px=photo.height_px,
            format=photo.format,
            size_bytes=photo.size_bytes,
            exif=photo.exif,
        ).id

    return keep


@pytest.fixture
def see(parts: Parts, keep_photo) -> Callable[..., tuple[int, int]]:
    """Makes a sighting: (its row, its face's row)."""

    def make(
        number: int = 1, adcode: str | None = "440303", shift: int = 0, seen: datetime | None = None, certainty=Certainty.HIGH
    ) -> tuple[int, int]:
        at = seen or parts.clock() - timedelta(days=3)
        post = Post(
            platform="weibo",
            id=f"5005005{number}",
            author=Author("77", "passer_anna", "路人甲"),
            text="在深圳市罗湖区东门老街看到的孩子",
            posted_at=at,
            url=f"https://weibo.com/77/5005005{number}",
            media=(Media(f"key{number}", (f"https://photohost.example/{number}.jpg",)),),
        )
        where = Where(adcode, "东门老街" if adcode else "", (), certainty, (Evidence("text", adcode, certainty, "named"),))
        when = When(at, at + timedelta(hours=1), Grain.HOUR, Certainty.HIGH, ())
        with parts.store.write() as tx:
            stream = Stream("weibo", StreamKind.HASHTAG, "t")
            (row,) = posts.save_page(tx, stream, [post], now=tx.now, silent=lambda _: False, cursor=None, chain=None).new
            photo = keep_photo(tx, picture(shift))
            media.mark_stored(tx, media.of_post(tx, row)[0].id, photo)
            (face,) = faces.save_faces(tx, photo, "pack", PACK, [Face(vector(number))])
            return sightings.save(tx, row, where, when).id, face

    return make


@pytest.fixture
def world(parts: Parts, see, keep_photo) -> World:
    sighting, face = see()
    with parts.store.write() as tx:
        what = CaseFields(name="Kim Example", sex="female", missing_on=date(2026, 1, 10), police_report_number="T-1")
        case = cases.add(tx, what, "clerk")
        cases.add_photo(tx, case.id, keep_photo(tx, picture(40)))
        cases.verify(tx, case.id, "second", "T-1")
        (candidate,) = matches.save_candidates(tx, face, "pack", [NewCandidate(case.id, 0.7, None, None, 1, Band.HIGH)])
        lead = leads.open_lead(tx, sighting, case.id, candidate_id=candidate, who="bot", why="high band")
        ref = sightings.get(tx, sighting).ref
        alert = alerts.propose(
            tx,
            NewAlert(
                "weibo",
                "50050051",
                MessageKind.ALERT,
                ref,
                f"有网友提交了一张照片（编号 {ref}），请协助核实。110",
                sighting_id=sighting,
                lead_id=lead.id,
                state=AlertState.HELD,
                hold_reason="the place is not certain",
                mentions=(Mention("somebody"),),
            ),
        )
        return World(parts, ref, sighting, case.ref, case.id, lead.id, face, alert)


@pytest.fixture
def this_month() -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC)
