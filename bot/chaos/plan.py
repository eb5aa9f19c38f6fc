"""What happens in each round: what is posted, what goes wrong, where the bot dies. Pure: one seed, one plan."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.chaos.dying import POINTS, SHARED_POINTS
from bot.microblog.faults import Fault, FaultKind
from bot.microblog.model import Side


class Feed(StrEnum):
    """Kinds of posts. Each tags the bot, so each is owed an answer; MATCH is owed a mention, UNPLACED a person's look."""

    MATCH = "match"
    UNPLACED = "unplaced"
    STRANGER = "stranger"
    NO_PHOTO = "no_photo"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Round:
    """One life of the bot. It dies at ``die_at`` where that comes within ``lives_s``, else when those are over: by SIGKILL, or
    where ``terminate`` is set by SIGTERM. ``touch_case`` makes the case look changed before, so that it is searched anew."""

    feed: tuple[tuple[Side, Feed], ...]
    faults: tuple[Fault, ...]
    die_at: str
    lives_s: float
    terminate: bool
    touch_case: bool


_SAY = {Side.WEIBO: "/weibo/2/comments/create.json", Side.X: "/x/2/tweets"}
_READ = (
    "/weibo/2/search/topics.json",
    "/weibo/2/statuses/mentions.json",
    "/weibo/2/comments/by_me.json",
    "/x/2/tweets/search/recent",
    "/x/2/users/*",
)
_PHOTOS = ("/weibo/large/*", "/x/media/*")

_TIME_OUT_S = 1.6
"""Longer than the time-out in the settings of chaos rounds."""

_ON_SAYING = (
    Fault(FaultKind.SERVER_ERROR, accepted=True),
    Fault(FaultKind.SERVER_ERROR),
    Fault(FaultKind.RESET, accepted=True),
    Fault(FaultKind.RESET),
    Fault(FaultKind.TIME_OUT, accepted=True, seconds=_TIME_OUT_S),
    Fault(FaultKind.TIME_OUT, seconds=_TIME_OUT_S),
    Fault(FaultKind.DELAYED, seconds=0.3),
    Fault(FaultKind.GARBAGE, accepted=True),
    Fault(FaultKind.GARBAGE),
    Fault(FaultKind.EMPTY, accepted=True),
    Fault(FaultKind.TRUNCATED),
    Fault(FaultKind.LOGIN_PAGE),
    Fault(FaultKind.RATE_LIMITED),
    Fault(FaultKind.RATE_LIMITED, reset_s=1.0),
    Fault(FaultKind.PAYMENT_REQUIRED),
    Fault(FaultKind.EXPIRED_TOKEN),
    Fault(FaultKind.TARGET_GONE),
    Fault(FaultKind.NOT_SUMMONED),
)
_ON_READING = (
    Fault(FaultKind.SERVER_ERROR),
    Fault(FaultKind.RESET),
    Fault(FaultKind.TIME_OUT, seconds=_TIME_OUT_S),
    Fault(FaultKind.GARBAGE),
    Fault(FaultKind.EMPTY),
    Fault(FaultKind.TRUNCATED),
    Fault(FaultKind.LOGIN_PAGE),
    Fault(FaultKind.RATE_LIMITED),
    Fault(FaultKind.EXPIRED_TOKEN),
)
_ON_PHOTOS = (
    Fault(FaultKind.SERVER_ERROR),
    Fault(FaultKind.RESET),
    Fault(FaultKind.TRUNCATED),
    Fault(FaultKind.SLOW, seconds=0.5),
)

_BRINGS = {
    "poll.failed": ("read", Fault(FaultKind.SERVER_ERROR)),
    "photo.later": ("photo", Fault(FaultKind.SERVER_ERROR)),
    "post.later": ("photo", Fault(FaultKind.SERVER_ERROR)),
    "deliver.unknown": ("say", Fault(FaultKind.SERVER_ERROR, accepted=True)),
    "reconcile.done": ("say", Fault(FaultKind.SERVER_ERROR, accepted=True)),
    "deliver.back": ("say", Fault(FaultKind.RATE_LIMITED)),
    "deliver.dead": ("say", Fault(FaultKind.TARGET_GONE)),
}
"""Points that are only passed when something goes wrong, and what brings that about."""

_SEARCHED = ("match.reverse", "case.embedded")


def plan(rounds: int, seed: int, *, shared: bool = False) -> list[Round]:
    """``rounds`` lives of the bot (``shared``: of its workers, which recover nothing at their start, and commit more). Every
    named commit is a place to die on either side before any comes again; between them are rounds that end at a random moment."""
    chance = random.Random(seed)
    names = (*(point for point in POINTS if point != "recovered"), *SHARED_POINTS) if shared else POINTS
    points = [f"{side}:{point}" for point in names for side in ("before", "after")]
    chance.shuffle(points)
    made = []
    for number in range(rounds):
        by_name = number % 3 != 2  # two named, then one at a random moment
        die_at = points[(number - number // 3) % len(points)] if by_name else ""
        made.append(_round(chance, number, die_at))
    return made


def _round(chance: random.Random, number: int, die_at: str) -> Round:
    point = die_at.partition(":")[2]
    feed = [(chance.choice(list(Side)), chance.choice(list(Feed))) for _ in range(chance.randint(0, 2))]
    feed.append((chance.choice(list(Side)), Feed.BROKEN if point == "photo.refused" else Feed.MATCH))
    faults = [_fault(chance) for _ in range(chance.choice((0, 0, 1, 1, 2)))]
    if point in _BRINGS:
        where, fault = _BRINGS[point]
        paths = {"read": _READ, "photo": _PHOTOS, "say": tuple(_SAY.values())}[where]
        faults = [_at(path, fault, where) for path in paths]
    lives_s = 10.0 if die_at else chance.uniform(0.05, 2.2)
    nth = "#2" if die_at and not faults and chance.random() < 0.2 else ""
    return Round(tuple(feed), tuple(faults), die_at + nth, lives_s, not die_at and number % 9 == 8, point in _SEARCHED)


def _fault(chance: random.Random) -> Fault:
    where = chance.choice(("say", "say", "say", "read", "photo"))
    if where == "say":
        return _at(chance.choice(list(_SAY.values())), chance.choice(_ON_SAYING), where)
    if where == "read":
        return _at(chance.choice(_READ), chance.choice(_ON_READING), where)
    return _at(chance.choice(_PHOTOS), chance.choice(_ON_PHOTOS), where)


def _at(path: str, fault: Fault, where: str) -> Fault:
    return replace(fault, path=path, method="POST" if where == "say" else "GET")
