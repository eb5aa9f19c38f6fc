"""A synthetic campaign: who posts what, where and when; who is registered; which officials are there. Pure but for its dice."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.simulation import pictures
from ingest.divisions import table as divisions
from store.model import Author, Datum, GeoPoint, Media, Post

PLATFORM = "simulated"
TAG = "随手拍照解救乞讨儿童"
_FIRST_STRANGER = 1 << 31
_PLACES = (
    ("440303", "深圳市罗湖区东门老街", 22.5462, 114.1195),
    ("500112", "重庆市渝北区龙头寺公园", 29.6030, 106.5500),
    ("330106", "杭州市西湖区武林广场", 30.2730, 120.1630),
    ("110105", "北京市朝阳区三里屯", 39.9340, 116.4540),
    ("420106", "武汉市武昌区司门口", 30.5440, 114.3050),
    ("610102", "西安市新城区钟楼", 34.2610, 108.9470),
)
_TEXTS = (
    "#{tag}# 刚刚在{place}看到一个孩子，七八岁 @随手拍助手",
    "#{tag}# 今天下午三点{place}，两个小孩拉着路人的衣服 @随手拍助手",
    "#{tag}# {place}，孩子腿上有伤，请核实",
    "#{tag}# 支持这个活动，希望每个孩子都能回家",
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a campaign is like. ``mated`` is the share of photos that show a registered child, ``empty`` that of photos without
    a face, ``words_only`` that of posts without a photo, ``reposts`` that of posts that show an earlier photo once more."""

    posts_per_day: int
    cases: int
    mated: float = 0.002
    empty: float = 0.3
    words_only: float = 0.2
    reposts: float = 0.1


class Campaign:
    """Makes posts by number, the same ones for the same ``seed``. Case ``n`` shows person ``n``; strangers are nobody twice."""

    def __init__(self, shape: Shape, start: datetime, seed: int = 1) -> None:
        self.shape = shape
        self.start = start
        self._seed = seed

    def post(self, number: int) -> Post:
        """The post with this number (from 1), at its moment."""
        dice = random.Random(f"{self._seed}/{number}")
        _, place, lat, lon = dice.choice(_PLACES)
        words = dice.random() < self.shape.words_only
        text = _TEXTS[-1] if words else _TEXTS[dice.randrange(len(_TEXTS) - 1)]
        media = () if words else (Media(f"p{number}", (f"photo:{self._shown(number, dice)}",)),)
        at = self.moment(number)
        who = f"a{dice.randrange(10 * number + 100)}"
        return Post(
            platform=PLATFORM,
            id=str(number),
            author=Author(who, who, created_at=self.start - timedelta(days=400)),
            text=text.format(tag=TAG, place=place),
            posted_at=at,
            url=f"http://127.0.0.1/{number}",
            media=media,
            point=GeoPoint(lat, lon, Datum.WGS84) if media and dice.random() < 0.3 else None,
            hashtags=(TAG,),
            summons="@随手拍助手" in text,
        )

    def moment(self, number: int) -> datetime:
        """When post ``number`` appears: evenly, with the day's swell (three times as many at 21:00 as at 09:00, Beijing time)."""
        return self.start + timedelta(seconds=self._inverse(number / self.shape.posts_per_day) * 86_400)

    def newest(self, now: datetime) -> int:
        """The number of the last post that stands at ``now``, 0 before the first."""
        days = (now - self.start).total_seconds() / 86_400
        return max(0, int(self._share(days) * self.shape.posts_per_day)) if days > 0 else 0

    def _share(self, days: float) -> float:
        """Days' worth of posts in the first ``days``: the integral of 1 - 0.5 cos(2 pi (t - 21 h + 12 h))."""
        turn, at = 2 * math.pi, self._phase
        return days + 0.5 * (math.sin(turn * (days + at)) - math.sin(turn * at)) / turn

    def _inverse(self, share: float) -> float:
        """Newton's way: the share grows by a half to one and a half everywhere, so a few steps are exact."""
        days, turn = share, 2 * math.pi
        for _ in range(8):
            days -= (self._share(days) - share) / (1 + 0.5 * math.cos(turn * (days + self._phase)))
        return days

    @property
    def _phase(self) -> float:
        """Where ``start`` stands in the day whose peak (phase 0) is 21:00 in Beijing, 13:00 UTC."""
        return (self.start.hour + self.start.minute / 60 - 13.0) / 24

    def _shown(self, number: int, dice: random.Random) -> str:
        if number > 10 and dice.random() < self.shape.reposts:
            earlier = dice.randrange(1, number)
            again = next((m.urls[0] for m in self.post(earlier).media), None)
            if again is not None:
                return again.removeprefix("photo:")
        if dice.random() < self.shape.empty:
            return f"{pictures.NOBODY}/{number}"
        if self.shape.cases and dice.random() < self.shape.mated:
            return f"{dice.randrange(1, self.shape.cases + 1)}/{number}"
        return f"{_FIRST_STRANGER + number}/{number}"


def bytes_of(url: str) -> bytes:
    """The photo behind a generated post's address."""
    person, seed = url.removeprefix("photo:").split("/")
    return pictures.photo(int(person), int(seed))


def officials(count: int) -> list[tuple[str, str]]:
    """(adcode, handle) of ``count`` agencies, those of the campaign's places first."""
    own = [adcode for adcode, *_ in _PLACES]
    others = [code for code in sorted(division.adcode for division in divisions()) if code not in own and not code.endswith("00")]
    return [(code, f"示例公安{code}") for code in (own + others)[:count]]
