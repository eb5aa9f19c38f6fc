"""The whole bot in five calls.

poll ──► extract ──► store ──► match ──► alert
 │          │          │         │         │
 │          │          │         │         └ decide (pure) ─► compose ─► outbox ─► deliver, reconcile
 │          │          │         └ faces of each photo × verified cases ─► candidates with a meaning, in bands
 │          │          └ every step commits its effect and its mark together: a crash at any line repeats work, never words
 │          └ photos fetched and hashed, when and where read, each with its source
 └ pages of posts, stored with the cursor that they move
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.alerts.deliver import Delivered, deliver_all
from bot.bot import Bot
from bot.steps import housekeeping, thanks
from bot.steps.alert import alert
from bot.steps.each import StepReport, each_post
from bot.steps.extract import extract
from bot.steps.match import match_each, reverse
from bot.steps.poll import Polled, poll_all
from store.posts import Step

PAST_PHOTOS_A_ROUND = 20
"""After a change of model pack, past photos are embedded between rounds, this many at a time: new posts come first."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round did."""

    polled: tuple[Polled, ...]
    steps: tuple[StepReport, ...]
    reverse_hits: int
    delivered: tuple[Delivered, ...]


def run_round(bot: Bot) -> Round:
    """One round: read what is new, work until nothing is due, say what is to be said.

    Raises:
        StoreError: the database or the photo folder failed; nothing of the failing step was stored.
    """
    polled = poll_all(bot)
    steps, hits = work(bot)
    return Round(tuple(polled), steps, hits, tuple(deliver_all(bot)))


def work(bot: Bot) -> tuple[tuple[StepReport, ...], int]:
    """Extract, match and alert every post that is due, and search changed cases among past sightings, until nothing moves."""
    totals: dict[Step, StepReport] = {}
    hits = 0
    while not bot.stopping.is_set():
        for book in filter(None, (bot.faces, bot.second)):
            housekeeping.embed_case_photos(bot, book)
        hits += reverse(bot)
        reports = (
            each_post(bot, Step.STORED, extract),
            match_each(bot),
            each_post(bot, Step.MATCHED, alert),
        )
        for report in reports:
            totals[report.step] = totals.get(report.step, StepReport(report.step)) + report
        if not any(report.moved for report in reports):
            break
    thanks.thank(bot)
    housekeeping.embed_past_photos(bot, bot.faces, PAST_PHOTOS_A_ROUND)
    bot.drift.keep(bot.store, bot.faces.pack.sha256)
    bot.faces.keep_blocks(bot.store)
    return tuple(totals.values()), hits
