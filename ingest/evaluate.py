"""How well when and where are read, measured on labelled posts.

A gold file holds JSON lines ``{"id", "text", "post_time", "adcode", "accept", "time", "tol_min"}``; ``adcode`` or ``time`` null
means that the text leaves it open, and the right answer is none.

Place
    *exact*: the settled answer is ``adcode``; *accepted*: it is in ``accept``; *prefecture*: neither, but of the same prefecture;
    *wrong*: another prefecture; *none*: no settled answer though there is one. Where none is expected, *rightly none* or, for any
    settled answer, *false alarm*. An answer with alternatives is not settled. Of each outcome it is counted how many answers were
    *certain*: only there would officials have been mentioned (``Where.settled``, the bar of bot/alerts/officials.py). So what is
    certain among *prefecture*, *wrong* and *false alarm* are the calls that would have gone to the wrong people.
Time
    *right*: the middle of [seen_from, seen_to) lies within ``tol_min`` minutes of ``time``; *wrong*, *none*, *false alarm*
    alike. The middle is the fairest single moment of an interval; a whole day for a clock in the text is thereby wrong.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ingest.divisions import table
from ingest.extract import Item, read_item, resolve
from store.errors import BadInput
from store.model import When, Where

PLACE_OUTCOMES = ("exact", "accepted", "prefecture", "wrong", "none", "rightly none", "false alarm")
MISLED = ("prefecture", "wrong", "false alarm")
"""Outcomes of the place where a certain answer calls the wrong people."""
TIME_OUTCOMES = ("right", "wrong", "none", "rightly none", "false alarm")


@dataclass(frozen=True, slots=True)
class Gold:
    """One labelled post. ``time`` None and ``adcode`` None: the text leaves it open."""

    item: Item
    adcode: str | None
    accept: tuple[str, ...]
    time: datetime | None
    tolerance: timedelta


@dataclass(frozen=True, slots=True)
class Miss:
    """A post that was not read as expected. ``certain``: officials of the place that was read would have been mentioned."""

    id: str | int
    what: str
    outcome: str
    text: str
    expected: str
    got: str
    certain: bool = False


@dataclass(slots=True)
class Figures:
    """Counts of outcomes over a gold file; ``texts_per_s`` on one core, after the tables were loaded.

    ``certain``: of each outcome of the place, how many answers officials would have been mentioned for.
    """

    posts: int
    place: dict[str, int]
    time: dict[str, int]
    certain: dict[str, int]
    texts_per_s: float = 0.0
    load_s: float = 0.0
    misses: list[Miss] = field(default_factory=list)

    @property
    def place_right(self) -> int:
        """Exact and accepted answers, and none where none is right."""
        return self.place["exact"] + self.place["accepted"] + self.place["rightly none"]

    @property
    def misled(self) -> int:
        """Posts for which the wrong officials would have been mentioned."""
        return sum(self.certain[outcome] for outcome in MISLED)


def read_gold(path: Path) -> list[Gold]:
    """Read a gold file.

    Raises:
        BadInput: missing, empty, or a line that is none; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not readable ({error})", mend="name a file of JSON lines in UTF-8") from error
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(_gold(line))
        except (BadInput, KeyError, TypeError, ValueError) as error:
            raise BadInput(f"{path}: line {number}: {error}", mend="see ingest/evaluate.py for the fields") from error
    if not found:
        raise BadInput(f"{path}: holds no line", mend="name a file of JSON lines")
    return found


def _gold(line: str) -> Gold:
    value: dict[str, Any] = json.loads(line)
    moment = value["time"]
    return Gold(
        item=read_item(line),
        adcode=value["adcode"],
        accept=tuple(value.get("accept") or ()),
        time=None if moment is None else datetime.fromisoformat(moment),
        tolerance=timedelta(minutes=float(value.get("tol_min") or 0)),
    )


def place_outcome(gold: Gold, where: Where) -> str:
    """One of :data:`PLACE_OUTCOMES`."""
    answer = None if where.alternatives else where.adcode
    if gold.adcode is None:
        return "rightly none" if answer is None else "false alarm"
    if answer is None:
        return "none"
    if answer == gold.adcode:
        return "exact"
    if answer in gold.accept:
        return "accepted"
    wanted = table().prefecture_of(gold.adcode)
    return "prefecture" if wanted is not None and wanted == table().prefecture_of(answer) else "wrong"


def time_outcome(gold: Gold, when: When) -> str:
    """One of :data:`TIME_OUTCOMES`."""
    if gold.time is None:
        return "rightly none" if when.seen_from is None and when.seen_to is None else "false alarm"
    if when.seen_from is None or when.seen_to is None:
        return "none"
    middle = when.seen_from + (when.seen_to - when.seen_from) / 2
    return "right" if abs(middle - gold.time) <= gold.tolerance else "wrong"


def evaluate(gold: Sequence[Gold], *, rounds: int = 5) -> Figures:
    """Read every post and count; the speed is the best of ``rounds`` passes (others share the machine)."""
    none_yet = dict.fromkeys(PLACE_OUTCOMES, 0)
    figures = Figures(len(gold), none_yet, dict.fromkeys(TIME_OUTCOMES, 0), dict(none_yet))
    started = time.perf_counter()
    resolve(gold[0].item)
    figures.load_s = time.perf_counter() - started
    for each in gold:
        where, when = resolve(each.item)
        place, moment = place_outcome(each, where), time_outcome(each, when)
        figures.place[place] += 1
        figures.certain[place] += where.settled
        figures.time[moment] += 1
        if place not in {"exact", "accepted", "rightly none"}:
            got = where.adcode or "/".join(where.alternatives) or "none"
            wanted = each.adcode or "none"
            figures.misses.append(Miss(each.item.id, "place", place, each.item.text, wanted, got, where.settled))
        if moment not in {"right", "rightly none"}:
            got = f"{when.seen_from} to {when.seen_to}" if when.seen_to else "none"
            figures.misses.append(Miss(each.item.id, "time", moment, each.item.text, str(each.time or "none"), got))
    best = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        for each in gold:
            resolve(each.item)
        best = min(best, time.perf_counter() - started)
    figures.texts_per_s = len(gold) / best
    return figures
