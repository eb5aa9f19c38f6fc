"""The demo's scene as data: its posts, its officials, and what is expected of each post (posts.csv, officials.csv)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from bot.demo.photos import DemoPhoto
from bot.microblog.model import Account, Entry, Role, Side
from bot.microblog.world import World

_HERE = Path(__file__).parent
BROKEN = b"\xff\xd8\xff\xe0" + b"not a photo any more" * 40
"""What a cut-off upload looks like: a JPEG's first bytes and nothing that decodes."""


@dataclass(frozen=True, slots=True)
class ScenePost:
    """A post of the demo. ``answer`` is the expected template without ``answer_`` ("" none); ``alert`` the expected official's
    key, "held" (waits for a person), "any" or "" (none)."""

    key: str
    side: Side
    author: str
    text: str
    photos: tuple[str, ...]
    point: tuple[float, float] | None
    answer: str
    alert: str
    note: str


@dataclass(frozen=True, slots=True)
class SceneOfficial:
    """An invented official account; every name says that it is an example."""

    key: str
    adcode: str
    level: str
    type: str
    screen_name: str
    username: str


def posts() -> list[ScenePost]:
    """The posts in the order they are made."""
    found = []
    for row in _rows("posts.csv"):
        point = (float(row["lat"]), float(row["lon"])) if row["lat"] else None
        words = tuple(row["photos"].split())
        found.append(
            ScenePost(
                row["key"], Side(row["side"]), row["author"], row["text"], words, point, row["answer"], row["alert"], row["note"]
            )
        )
    return found


def officials() -> list[SceneOfficial]:
    """The invented officials."""
    return [SceneOfficial(**row) for row in _rows("officials.csv")]


def people(world: World) -> dict[str, Account]:
    """Make the accounts of everyone in the scene."""
    made = {}
    for official in officials():
        made[official.key] = world.add_account(
            official.key,
            Role.OFFICIAL,
            official.screen_name,
            official.username,
            verified_type=1,
            verified_reason="示例账号，仅用于演示",
            x_verified_type="government",
        )
    for author in sorted({post.author for post in posts()}):
        made[author] = world.add_account(author, Role.PASSER_BY, f"路人{author}", f"passer_{author}")
    return made


def directory_csv(accounts: dict[str, Account], today: date) -> str:
    """The officials as the directory file that ``suishoupai officials import`` reads."""
    lines = ["adcode,agency,level,type,priority,platform,account_id,handle,verified,verified_type,verified_reason,checked_on"]
    for official in officials():
        account = accounts[official.key]
        for side, number, handle in (
            (Side.WEIBO, str(account.uid), account.screen_name),
            (Side.X, account.x_id, account.username),
        ):
            agency = f"{official.screen_name}（演示）"
            lines.append(
                f"{official.adcode},{agency},{official.level},{official.type},100,{side.value},{number},{handle},yes,1,"
                f"示例账号,{today.isoformat()}"
            )
    return "\n".join(lines) + "\n"


def say(world: World, post: ScenePost, photos: dict[str, DemoPhoto], said: dict[str, Entry]) -> Entry:
    """Make one post in the world, as its author would."""
    if post.key == "w-repost":
        return world.repost(said["w-luohu"].id, post.author, post.text)
    data = [BROKEN if name == "broken" else photos[name].data for name in post.photos]
    return world.add_post(post.side, post.author, post.text, photos=data, geo=post.point)


def _rows(name: str) -> list[dict[str, str]]:
    with (_HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
