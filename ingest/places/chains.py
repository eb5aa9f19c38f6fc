"""Names side by side: what one says about the next.

Part of a refused chain is refused, what a writer corrects is taken back, and a landmark right behind another city's name is
that city's own.
"""

from __future__ import annotations

import re

from ingest.divisions import DivisionTable
from ingest.places import surroundings as say
from ingest.places.cues import WINDOW, Cue, Verdict
from ingest.places.mentions import Mention
from ingest.places.normalise import Prose

_JOINED = re.compile(r"(?:到|至|去|往|飞|回|开往|[-—~→、和与])+$")

_OR = re.compile("或者?|还是|和|及|、")
_ON_TO = re.compile("(?:一路)?(?:找|寻|追|走|跑|流浪|辗转|奔波|坐车|坐火车)?[到至去飞回往]")
_JOURNEY_ENDS = re.compile(r"[，,。；;!！?？\n\x00]|$|的?(?:火车|列车|高铁|动车|航班|飞机|大巴|客车|车|路上|途中|路)")

_DRAGS = frozenset({"origin", "missing", "destination", "person", "appeal", "general"})
"""Verdicts on a name that hold for the names it is chained to as well."""
_DRAGS_BACK = frozenset({"institution", "goods", "staff"})
"""Verdicts that hold for the wider name right before as well: 河南|安阳警方提醒."""

_CORRECTION = re.compile("不对|不(?<=[啊哦噢呃额嗯哎]不)[，,是对]|说错|写错|打错|记错|搞错|弄错|口误|更正|纠正")
CORRECTED = 40
"""A correction takes back what was named at most this many characters before it."""

MOST_CORRECTIONS = 8
"""Nobody corrects himself more often; a text that does costs no more time."""

_SCHOOL = ("大学", "学院", "医院")


def without_chained(
    accepted: list[Mention], refused: list[Mention], prose: Prose, divisions: DivisionTable
) -> list[Mention]:
    """``湖北黄冈的``: where a part of a chain of names is refused as somebody's home, so is the rest of the chain.

    ``南宁到柳州的大巴``, ``北京、上海等大城市``: both ends of a journey and all of a list are refused.
    """
    queue = [mention for mention in refused if mention.cue.verdict in _DRAGS | _DRAGS_BACK]
    if not queue:
        return accepted
    by_end = {mention.end: mention for mention in accepted}
    by_start = {mention.start: mention for mention in accepted}
    dragged: set[int] = set()
    for mention in queue:
        if mention.cue.verdict in _DRAGS_BACK:
            beside = [by_end.get(mention.start)]
        else:
            beside = [by_end.get(mention.start - gap) for gap in (0, 1)]
            beside += [by_start.get(mention.end + gap) for gap in (0, 1)]
        joined = _JOINED.search(prose.prose, max(0, mention.start - 3), mention.start)
        partner = by_end.get(joined.start()) if joined and mention.cue.verdict in ("destination", "general") else None
        partner = partner or _journey(mention, by_start, prose)
        for other in (*beside, partner):
            if other is None or other.start in dragged:
                continue
            if other is partner or related(mention, other, divisions) or _listed(other, mention):
                dragged.add(other.start)
                queue.append(Mention.of(other.name, other.start, other.end, mention.cue, other.in_hashtag))
                refused.append(queue[-1])
    return [mention for mention in accepted if mention.start not in dragged]


def _journey(mention: Mention, by_start: dict[int, Mention], prose: Prose) -> Mention | None:
    """What goes with a refused name: the end of its journey (从成都一路找到拉萨，...; None where somebody was seen at that
    end), or the other of two destinations (卖到莆田或者潮汕)."""
    either = _OR.match(prose.prose, mention.end)
    if either and mention.cue.verdict in ("destination", "general"):
        return by_start.get(either.end())
    on = _ON_TO.match(prose.prose, mention.end) if mention.cue.because[:1] in ("从", "由", "自") else None
    if on is None:
        return None
    end = by_start.get(on.end())
    return end if end is not None and _JOURNEY_ENDS.match(prose.prose, end.end) else None


def _listed(one: Mention, other: Mention) -> bool:
    """``汕头揭阳过来的``: of two names side by side the first goes with the second, unless a preposition says it is the place."""
    return one.end == other.start and not one.is_landmark and not one.cue.strong and one.cue.verdict == "plain"


def related(one: Mention, other: Mention, divisions: DivisionTable) -> bool:
    """Whether some sense of one holds some sense of the other."""
    return any(
        divisions.contains(a.adcode, b.adcode) or divisions.contains(b.adcode, a.adcode)
        for a in one.name.senses[:8]
        for b in other.name.senses[:8]
    )


def without_namesakes(
    accepted: list[Mention], refused: list[Mention], prose: Prose, divisions: DivisionTable
) -> list[Mention]:
    """Of two unrelated names side by side one may belong to the other's place.

    ``天津塘沽区|外滩公园``, ``西工区|上海市场``: a landmark or shop right behind a division of another city is that city's own
    place of the same name. ``北京大学|深圳医院``: a school's name before a city belongs to its branch there.
    """
    out: list[Mention] = []
    for mention in accepted:
        before = out[-1] if out else None
        if before is not None and before.end == mention.start and not related(before, mention, divisions):
            if before.name.text.endswith(_SCHOOL) and mention.alone and not mention.is_landmark:
                refused.append(_judged(out.pop(), "institution", prose.prose[mention.start : mention.end]))
            elif mention.is_landmark and mention.name.weight == 3 and _elsewhere(before, mention, divisions):
                continue
            elif not mention.is_landmark and not before.is_landmark and before.alone:
                end = mention.end - 1 if prose.prose[mention.end - 1] == "市" else mention.end
                shop = say.AFTER_FEATURE.match(prose.prose, end, end + WINDOW)
                if shop:
                    refused.append(_judged(mention, "feature", shop.group()))
                    continue
        out.append(mention)
    return out


def _elsewhere(before: Mention, mention: Mention, divisions: DivisionTable) -> bool:
    """Whether ``before`` names divisions and none of them holds ``mention``."""
    named = {divisions.prefecture_of(sense.adcode) or sense.adcode for sense in before.alone if sense.kind != "landmark"}
    return bool(named) and not any(divisions.contains(wide, s.adcode) for wide in named for s in mention.name.senses)


def _judged(mention: Mention, verdict: Verdict, because: str) -> Mention:
    cue = Cue(verdict, because, strong=verdict == "sighting")
    return Mention.of(mention.name, mention.start, mention.end, cue, mention.in_hashtag)


def corrected(accepted: list[Mention], refused: list[Mention], prose: Prose, divisions: DivisionTable) -> list[Mention]:
    """``在义乌，啊不，在东阳``: what stands before a correction and does not hold what stands behind it is taken back."""
    if not _CORRECTION.search(prose.prose):
        return accepted
    corrections = 0
    for mention in sorted((*accepted, *refused), key=lambda mention: mention.start):
        found = _CORRECTION.search(prose.prose, max(0, mention.start - 8), mention.start)
        if not found or corrections == MOST_CORRECTIONS:
            continue
        corrections += 1
        if mention in refused and mention.cue.verdict == "origin" and mention.cue.because[0] in "是系":  # 不对，是涧西区的
            refused.remove(mention)
            accepted = sorted((*accepted, _judged(mention, "sighting", found.group())), key=lambda other: other.start)
        for other in accepted:
            near = 0 <= found.start() - other.end <= CORRECTED
            if near and not related(other, mention, divisions):
                refused.append(_judged(other, "corrected", found.group()))
        taken = {other.start for other in refused if other.cue.verdict == "corrected"}
        accepted = [other for other in accepted if other.start not in taken]
    return accepted
