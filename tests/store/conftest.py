"""A real database for each test, on SQLite and on PostgreSQL; a clock that stands still; posts and faces to put into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from store import photos
from store.model import Author, Box, FaceQuality, Media, Post, Stream, StreamKind
from store.session import Store, Tx

NOW = datetime(2011, 2, 10, 12, 0, tzinfo=UTC)


@dataclass
class StoppedClock:
    """A clock that moves when told to."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


BOX = Box(10, 10, 60, 70)


@dataclass(frozen=True)
class Face:
    """A face as an engine returns it."""

    vector: np.ndarray = field(repr=False)
    box: Box = BOX
    det_score: float = 0.9
    landmarks: tuple[tuple[float, float], ...] = ((20, 30), (50, 30), (35, 45), (25, 58), (48, 58))
    quality: FaceQuality = FaceQuality.GOOD
    quality_why: str = "sharp"
    norm: float = 11.5


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def store(database_url: str, clock: StoppedClock) -> Iterator[Store]:
    opened = Store(database_url, clock)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def stream() -> Stream:
    return Stream("weibo", StreamKind.HASHTAG, "随手拍照解救乞讨儿童")


@pytest.fixture(scope="session")
def make_post() -> Callable[..., Post]:
    plain = Post(
        platform="weibo",
        id="1",
        author=Author(id="u1", handle="路人甲", name="路人甲", place="广东 深圳"),
        text="在罗湖口岸看到的 @随手拍",
        posted_at=NOW - timedelta(minutes=5),
        url="https://weibo.example/u1/1",
        media=(Media("pic1", ("https://wx1.sinaimg.example/large/pic1.jpg",)),),
        raw={"id": 1, "text": "在罗湖口岸看到的"},
    )

    def make(id: str = "1", *, author: str | None = None, **changes: object) -> Post:
        if author is not None:
            changes["author"] = Author(id=author, handle=author)
        return replace(plain, **{"id": id, "raw": {"id": id}} | changes)

    return make


@pytest.fixture(scope="session")
def make_face() -> Callable[..., Face]:
    def make(seed: int = 1, **changes: object) -> Face:
        vector = np.random.default_rng(seed).normal(size=128).astype(np.float32)
        return Face(vector / np.linalg.norm(vector), **changes)

    return make


@pytest.fixture(scope="session")
def make_photo() -> Callable[..., photos.StoredPhoto]:
    def make(tx: Tx, sha256: str = "a" * 64, phash: str = "00ff00ff00ff00ff") -> photos.StoredPhoto:
        return photos.save(tx, sha256=sha256, phash=phash, width_px=640, height_px=480, format="JPEG", size_bytes=12345)

    return make
