"""When was the child seen? An interval with its grain, or an honest "unknown".

Unknown is ``seen_from = seen_to = None``: a post without a time in its text or photo says only that the child was seen
before it was written, and that bound stands in the evidence (source ``post_time``), not in the interval. One case leaves
``seen_from`` open and sets ``seen_to``: a photo that was already known before the time the post tells (a photo used again).

Order of trust: the text and the photo's EXIF agreeing, the text, EXIF alone. Contradictions lower the certainty and are
kept for people.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from ingest.sure import BY_DAY, BY_MINUTE, BY_RANGE, HIGH, LOW, MEDIUM, NONE
from ingest.times.context import around, refusal, seen_near
from ingest.times.days import Unresolved
from ingest.times.normalise import mask, normalise
from ingest.times.phrases import Phrase, phrases
from ingest.times.resolve import CHINA, NIGHT_PARTS, Interval, resolve
from ingest.times.tokens import tokens
from store.model import Evidence, When

__all__ = ["resolve_when"]

MAX_CHARS = 20_000
"""Longer texts are read to here: no platform allows longer posts, and the time of a sighting stands near its head."""
OLD_DAYS = 400
EXIF_SAME = timedelta(seconds=2)
"""EXIF within this of the post's own time was written by the program that fetched or posted the photo."""
EXIF_AHEAD = timedelta(minutes=10)
"""How far a camera's clock may run ahead before its time is refused."""
EXIF_AGREES = timedelta(minutes=45)
BORROW_CHARS = 60


def resolve_when(
    text: str,
    posted_at: datetime,
    *,
    exif_taken_at: datetime | None = None,
    first_seen_at: datetime | None = None,
    lang: str = "zh",
) -> When:
    """Fuse what the text, the photo and the database say about when a post's child was seen.

    Args:
        text: the post's text, any length and script; read as Chinese and English whatever ``lang`` says.
        posted_at: when the post was published; a naive time is taken as +08:00.
        exif_taken_at: the photo's DateTimeOriginal, validated by :mod:`ingest.photo`.
        first_seen_at: the earliest time this photo (or a near-identical one) was seen anywhere.
        lang: the platform's guess; kept for the signature, posts mix languages freely.

    Returns:
        A :class:`When` in +08:00 that never reaches past ``posted_at``. Never raises.
    """
    try:
        posted = _china(posted_at)
        from_text, evidence = _read_text(text[:MAX_CHARS], posted)
        value, more = _with_exif(from_text, posted, exif_taken_at)
        value, bound = _with_first_seen(value, posted, first_seen_at)
    except (OverflowError, ValueError) as error:
        why = f"the post's own time cannot be reckoned with ({error})"
        return When(evidence=(Evidence("post_time", None, NONE, why),))
    trail = (*evidence, *more, *bound)
    if value is None:
        last = f"no usable time in the text or the photo: seen at some time before the post ({_said(posted)})"
        return When(evidence=(*trail, Evidence("post_time", f"/{posted.isoformat()}", LOW, last)))
    return When(value.seen_from, value.seen_to, value.grain, value.certainty, trail)


def _china(moment: datetime) -> datetime:
    return moment.replace(tzinfo=CHINA) if moment.tzinfo is None else moment.astimezone(CHINA)


def _said(moment: datetime) -> str:
    return moment.isoformat(" ", "minutes")[:16]


def _iso(start: datetime | None, end: datetime | None) -> str:
    return f"{start.isoformat() if start else ''}/{end.isoformat() if end else ''}"


# --- text ---------------------------------------------------------------------------------------------------------


def _read_text(text: str, posted: datetime) -> tuple[When | None, tuple[Evidence, ...]]:
    """The best time in the text, and a line of evidence for every time that was read or refused."""
    plain = mask(normalise(text))
    found = phrases(plain, tokens(plain, text))
    _borrow_days(found, plain)
    quoted_from = plain.find("//\u25a1")
    evidence: list[Evidence] = []
    read: list[_Read] = []
    for phrase, limit in zip(found, _limits(found, len(plain)), strict=True):
        if phrase.lone is not None and phrase.lone.kind == "trap":
            continue
        sentence = around(plain, phrase, limit)
        words = text[phrase.start : phrase.end]
        span = (phrase.start, phrase.end)
        try:
            interval = resolve(phrase, posted)
            why = refusal(phrase, sentence, old=(posted - interval.end).days > OLD_DAYS)
        except Unresolved as reason:
            why = str(reason)
        if why is not None:
            evidence.append(Evidence("text", None, NONE, f"“{words}” refused: {why}", span))
            continue
        quoted = 0 <= quoted_from < phrase.start
        if quoted:
            interval = interval._replace(certainty=LOW)
        evidence.append(_text_evidence(words, span, interval, quoted))
        score = _weight(phrase) + (0.6 if seen_near(sentence) else 0) - (1.0 if quoted else 0)
        read.append(_Read(score, phrase, interval))
    if not read:
        return None, tuple(evidence)
    interval = max(read, key=_score).interval
    together = _day_with_clock(read, posted) if len(read) > 1 else None
    if together is not None:
        day, clock, interval = together
        said = f"{text[day.start : day.end]} … {text[clock.start : clock.end]}"
        evidence.append(_text_evidence(said, (clock.start, clock.end), interval, False))
    return When(interval.start, interval.end, interval.grain, interval.certainty), tuple(evidence)


class _Read(NamedTuple):
    score: float
    phrase: Phrase
    interval: Interval


def _score(read: _Read) -> float:
    return read.score


def _day_with_clock(read: list[_Read], posted: datetime) -> tuple[Phrase, Phrase, Interval] | None:
    """The day and the clock of a text that says them far apart (``前天在宜昌。……下午四点半``), taken together.

    Only where the best reading is one of the two, the text names one day only, and the clock on that day lies before the post.
    """
    days = [each for each in read if each.phrase.day is not None and each.interval.grain is BY_DAY]
    clocks = [each for each in read if each.phrase.day is None and each.phrase.clock is not None]
    if not days or not clocks or any(each.interval.start != days[0].interval.start for each in days):
        return None
    best, clock = max(read, key=_score), max(clocks, key=_score)
    if best not in (*days, clock) or (best is not clock and best.score > clock.score + 1.5):
        return None
    phrase = replace(clock.phrase, day=days[0].phrase.day, borrowed=True)
    try:
        return days[0].phrase, clock.phrase, resolve(phrase, posted)
    except Unresolved:
        return None


def _limits(found: list[Phrase], end: int) -> list[int]:
    """For each phrase where the next one that names a day begins."""
    limits = []
    for phrase in reversed(found):
        limits.append(end)
        if phrase.day is not None and not phrase.borrowed:
            end = phrase.start
    return limits[::-1]


def _text_evidence(words: str, span: tuple[int, int], interval: Interval, quoted: bool) -> Evidence:
    start, end = interval.start.isoformat(), interval.end.isoformat()
    why = f"“{words}” read as {start[:10]} {start[11:16]} to {end[:10]} {end[11:16]}"
    if quoted:
        why += ", in the words of a reposted post whose own time is not known"
    return Evidence("text", f"{start}/{end}", interval.certainty, why, span)


def _borrow_days(found: list[Phrase], text: str) -> None:
    """Give a time of day without a day the day said shortly before in the same sentence (昨天在罗湖火车站，下午三点)."""
    last: Phrase | None = None
    for phrase in found:
        lonely = phrase.day is None and phrase.lone is None
        near = last is not None and phrase.start - last.end <= BORROW_CHARS
        if lonely and near and last is not None and last.day is not None and last.clock is None:
            between = text[last.end : phrase.start]
            if not any(c in between for c in "。!?\n") and (not last.parts or phrase.clock is not None):
                phrase.day, phrase.borrowed = last.day, True
                # 昨天晚上...，凌晨一点: the small hours belong to that night, which is the next day's morning
                overnight = phrase.parts == ("small_hours",) and last.parts and last.parts[-1] in NIGHT_PARTS
                phrase.parts = (*last.parts, *phrase.parts) if overnight else phrase.parts or last.parts
        last = phrase


_DATES = frozenset({"instant", "date", "month_day"})
_RANGES = frozenset({"days", "week", "month", "month_part"})


def _weight(phrase: Phrase) -> float:
    """How much a phrase says: a day with a clock most, a bare part of the day least."""
    if phrase.lone is not None:
        return 2.0 if phrase.lone.kind == "now" else 3.5
    score = 0.0
    if phrase.day is not None:
        score += 1.2 if phrase.day.kind in _RANGES else 2.3 if phrase.day.kind in _DATES else 2.2
    if phrase.clock is not None:
        return score + 2.0
    return score + (1.0 if phrase.parts else 0)


# --- the photo ----------------------------------------------------------------------------------------------------


def _with_exif(text: When | None, posted: datetime, taken_at: datetime | None) -> tuple[When | None, tuple[Evidence, ...]]:
    if taken_at is None:
        return text, ()
    taken = _china(taken_at)

    def refused(why: str) -> tuple[When | None, tuple[Evidence, ...]]:
        return text, (Evidence("exif", None, NONE, f"EXIF {_said(taken)} refused: {why}"),)

    if abs(taken - posted) <= EXIF_SAME:
        return refused("it equals the post's own time, so a program wrote it, not a camera")
    if taken > posted + EXIF_AHEAD:
        return refused("it lies after the post itself")
    start = min(taken, posted - timedelta(minutes=1))
    end = start + timedelta(minutes=1)
    value = _iso(start, end)
    if text is None or text.seen_from is None or text.seen_to is None:
        alone = When(start, end, BY_MINUTE, MEDIUM)
        return alone, (Evidence("exif", value, MEDIUM, f"the photo's EXIF says {_said(taken)}"),)
    if text.seen_from - EXIF_AGREES <= taken < text.seen_to + EXIF_AGREES:
        why = f"the photo's EXIF says {_said(taken)}, which agrees with the text"
        return When(start, end, BY_MINUTE, HIGH), (Evidence("exif", value, HIGH, why),)
    why = f"the photo's EXIF says {_said(taken)}, which contradicts the text: the text is kept, a person should look"
    return replace(text, certainty=LOW), (Evidence("exif", value, LOW, why),)


def _with_first_seen(
    value: When | None, posted: datetime, first_seen_at: datetime | None
) -> tuple[When | None, tuple[Evidence, ...]]:
    """Bound the sighting by the first time its photo was seen anywhere."""
    if first_seen_at is None:
        return value, ()
    first = _china(first_seen_at)
    if first >= posted or (value is not None and value.seen_to is not None and value.seen_to <= first):
        return value, ()
    bound = _iso(None, first)
    if value is not None and value.seen_from is not None and value.seen_from < first:
        why = f"the photo was already seen on {_said(first)}, so the sighting is not later"
        return replace(value, seen_to=first), (Evidence("first_seen", bound, MEDIUM, why),)
    why = f"the photo was already seen on {_said(first)}, before the time this post tells: a photo used again"
    return When(None, first, BY_RANGE, LOW), (Evidence("first_seen", bound, MEDIUM, why),)
