"""The auditor: holds what the platform published against what the database remembers, post by post. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields

from bot.chaos.plan import Feed
from bot.microblog.model import Publication, Side
from store.alerts import Alert
from store.model import AlertState, MessageKind
from store.posts import Step

ENDS = (Step.DECIDED, Step.IGNORED)
FOR_A_PERSON = (AlertState.HELD, AlertState.UNKNOWN, AlertState.DEAD)
"""What was not said, or not surely, and is shown to people until they settle it (``alerts list``, the health page)."""


@dataclass(frozen=True, slots=True)
class Made:
    """A post that the scripted feed made."""

    side: Side
    id: str
    feed: Feed


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the database holds: each post's step by (platform, id), and every message."""

    steps: dict[tuple[str, str], Step]
    alerts: Sequence[Alert]


@dataclass(frozen=True, slots=True)
class Ledger:
    """The audit. Everything named lost, doubled or stray must be 0; ``wrong`` names each finding."""

    posts: int
    posts_lost: int
    posts_unfinished: int
    answers: int
    answers_for_a_person: int
    answers_lost: int
    answers_doubled: int
    alerts: int
    alerts_for_a_person: int
    alerts_lost: int
    alerts_doubled: int
    mentions_doubled: int
    strays: int
    wrong: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled or said without being remembered."""
        return not self.wrong

    def __add__(self, other: Ledger) -> Ledger:
        return Ledger(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


def audit(feed: Sequence[Made], published: Sequence[Publication], remembered: Remembered, official: str) -> Ledger:
    """Hold the platform's own ledger against the database. ``official`` is the account key that alerts mention.

    A message is *lost* where it was owed and is neither published nor waits for a person; *doubled* where it stands on the
    platform more than once; a *stray* was published without a message of the outbox, or is recorded as sent and was not.
    """
    tally: Counter[str] = Counter()
    wrong: list[str] = []

    def find(what: str, words: str, count: int = 1) -> None:
        tally[what] += count
        wrong.append(f"{what.replace('_', ' ')}: {words}")

    said = Counter((p.side.value, p.target_id or "", p.text) for p in published)
    by_post: defaultdict[tuple[str, str, MessageKind], list[Alert]] = defaultdict(list)
    for message in remembered.alerts:
        by_post[message.platform, message.target_post_id, message.kind].append(message)
    for made in feed:
        where = f"{made.side.value} {made.id} ({made.feed.value})"
        step = remembered.steps.get((made.side.value, made.id))
        if step is None:
            find("posts_lost", where)
        elif step not in ENDS:
            find("posts_unfinished", f"{where} is {step.value}")
        for kind in (MessageKind.ANSWER, MessageKind.ALERT):
            if kind is MessageKind.ALERT and made.feed not in (Feed.MATCH, Feed.UNPLACED):
                continue
            noun = "answers" if kind is MessageKind.ANSWER else "alerts"
            messages = by_post[made.side.value, made.id, kind]
            times = sum(said[m.platform, m.target_post_id, m.text] for m in messages)
            tally[noun] += times > 0
            if times > 1:
                find(f"{noun}_doubled", f"{where} was told {times} times", times - 1)
            elif times == 0 and any(m.state in FOR_A_PERSON for m in messages):
                tally[f"{noun}_for_a_person"] += 1
            elif times == 0:
                find(f"{noun}_lost", f"{where}: {[m.state.value for m in messages] or 'no message'}")
    _strays(said, remembered, find)
    named = Counter((p.side.value, p.target_id, name) for p in published for name in p.mentions if name == official)
    for (side, target, name), times in named.items():
        if times > 1:
            find("mentions_doubled", f"{name} was mentioned {times} times under {side} {target}", times - 1)
    counts = {field.name: tally[field.name] for field in fields(Ledger) if field.name not in ("posts", "wrong")}
    return Ledger(posts=len(feed), wrong=tuple(wrong), **counts)


def _strays(said: Counter[tuple[str, str, str]], remembered: Remembered, find: object) -> None:
    assert callable(find)
    known = {(m.platform, m.target_post_id, m.text): m for m in remembered.alerts}
    for key in said:
        if key not in known:
            find("strays", f"published under {key[0]} {key[1]} and not in the outbox")
        elif known[key].state not in (AlertState.SENT, AlertState.UNKNOWN):
            find("strays", f"published under {key[0]} {key[1]}, and the outbox says {known[key].state.value}")
    for key, message in known.items():
        if message.state is AlertState.SENT and not said[key]:
            find("strays", f"message {message.id} is recorded as sent under {key[0]} {key[1]} and was not published")
