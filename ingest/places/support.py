"""Names support each other: a county's short name counts beside its parent, a street inside its city, a home town drags its
province along."""

from __future__ import annotations

import re

from ingest.divisions import MUNICIPALITIES, DivisionTable, table
from ingest.places.cues import judge
from ingest.places.lexicon import Sense, lexicon, widest
from ingest.places.mentions import Mention
from ingest.places.normalise import Prose

NEAR = 24
"""A street narrows an ambiguous district at most this many characters away."""

_JOINED = re.compile(r"(?:到|至|去|往|飞|回|开往|[-—~→、和与])+$")

_SHARED_NAME = re.compile(r"(?:路|街|道|巷|站|广场|公园|大厦|商场|市场|医院|学校|门)$")

_OR = re.compile("或者?|还是|和|及|、")
_ON_TO = re.compile("[到至去飞回往]")
_JOURNEY_ENDS = re.compile(r"[，,。；;!！?？\n\x00]|$|的?(?:火车|列车|高铁|动车|航班|飞机|大巴|客车|车|路上|途中|路)")

_DRAGS = frozenset({"origin", "missing", "destination", "person", "appeal", "general"})
"""Verdicts on a name that hold for the names it is chained to as well."""

MOST_ANCHORS = 8
"""Parents looked at for each name, the closest ones: a text that names more lists places, and stays linear this way."""


def supported(accepted: list[Mention], refused: list[Mention], prose: Prose) -> list[Mention]:
    """Of each accepted mention the senses that count; mentions that nothing supports fall away.

    ``refused`` gains what belongs to a refused chain.
    """
    divisions = table()
    if refused:
        accepted = _without_chained(accepted, refused, prose, divisions)
    if len(accepted) > 1:
        accepted = _without_namesakes(accepted, divisions)
    anchors = [mention for mention in accepted if mention.alone]
    if len(anchors) < len(accepted):
        accepted = _shortened(accepted, anchors, prose, divisions)
        anchors = [mention for mention in accepted if mention.alone]
    out: list[Mention] = []
    for mention in accepted:
        senses = widest(_backed(mention, _nearby(anchors, mention), divisions)) or mention.alone
        if senses:
            out.append(mention if senses is mention.senses else mention.meaning(senses))
    settled = [mention for mention in out if len(mention.codes) == 1]
    if len(settled) == len(out):
        return out
    return [_narrowed(m, _nearby(settled, m), divisions) if len(m.codes) > 1 else m for m in out]


def _nearby(mentions: list[Mention], to: Mention) -> list[Mention]:
    """All of a few mentions, or those closest to ``to`` of many (they come in the order of the text)."""
    if len(mentions) <= MOST_ANCHORS:
        return mentions
    low, high = 0, len(mentions)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if mentions[middle].start < to.start else (low, middle)
    return mentions[max(0, low - MOST_ANCHORS // 2) : low + MOST_ANCHORS // 2]


def _without_chained(
    accepted: list[Mention], refused: list[Mention], prose: Prose, divisions: DivisionTable
) -> list[Mention]:
    """``湖北黄冈的``: where a part of a chain of names is refused as somebody's home, so is the rest of the chain.

    ``南宁到柳州的大巴``, ``北京、上海等大城市``: both ends of a journey and all of a list are refused.
    """
    queue = [mention for mention in refused if mention.cue.verdict in _DRAGS]
    if not queue:
        return accepted
    by_end = {mention.end: mention for mention in accepted}
    by_start = {mention.start: mention for mention in accepted}
    dragged: set[int] = set()
    for mention in queue:
        beside = [by_end.get(mention.start - gap) for gap in (0, 1)] + [by_start.get(mention.end + gap) for gap in (0, 1)]
        joined = _JOINED.search(prose.prose, max(0, mention.start - 3), mention.start)
        partner = by_end.get(joined.start()) if joined and mention.cue.verdict in ("destination", "general") else None
        partner = partner or _journey(mention, by_start, prose)
        for other in (*beside, partner):
            if other is not None and other.start not in dragged and (other is partner or _related(mention, other, divisions)):
                dragged.add(other.start)
                queue.append(Mention.of(other.name, other.start, other.end, mention.cue, other.in_hashtag))
                refused.append(queue[-1])
    return [mention for mention in accepted if mention.start not in dragged]


def _journey(mention: Mention, by_start: dict[int, Mention], prose: Prose) -> Mention | None:
    """What goes with a refused name: the end of its journey (从成都到拉萨，...; None where somebody was seen at that end), or
    the other of two destinations (卖到莆田或者潮汕)."""
    either = _OR.match(prose.prose, mention.end)
    if either and mention.cue.verdict in ("destination", "general"):
        return by_start.get(either.end())
    if mention.cue.because[:1] not in ("从", "由", "自") or not _ON_TO.match(prose.prose, mention.end):
        return None
    end = by_start.get(mention.end + 1)
    return end if end is not None and _JOURNEY_ENDS.match(prose.prose, end.end) else None


def _related(one: Mention, other: Mention, divisions: DivisionTable) -> bool:
    return any(
        divisions.contains(a.adcode, b.adcode) or divisions.contains(b.adcode, a.adcode)
        for a in one.name.senses[:8]
        for b in other.name.senses[:8]
    )


def _without_namesakes(accepted: list[Mention], divisions: DivisionTable) -> list[Mention]:
    """``天津塘沽区|外滩公园``: a landmark right behind a division of another city is that city's own place of the same name."""
    out: list[Mention] = []
    for mention in accepted:
        before = out[-1] if out else None
        if before is not None and before.end == mention.start and mention.is_landmark and mention.name.weight == 3:
            named = {divisions.prefecture_of(sense.adcode) or sense.adcode for sense in before.alone if sense.kind != "landmark"}
            elsewhere = not any(divisions.contains(wide, sense.adcode) for wide in named for sense in mention.name.senses)
            if named and elsewhere:
                continue
        out.append(mention)
    return out


def _shortened(mentions: list[Mention], anchors: list[Mention], prose: Prose, divisions: DivisionTable) -> list[Mention]:
    """``太原街头``: a street's name (太原街) that no city nearby supports gives way to the city's name it begins with."""
    out: list[Mention] = []
    for mention in mentions:
        if mention.name.weight or not mention.is_landmark or _backed(mention, _nearby(anchors, mention), divisions):
            out.append(mention)
            continue
        for end in range(mention.end - 1, mention.start + 1, -1):
            name = lexicon().get(prose.plain[mention.start : end])
            if name is None or not name.weight:
                continue
            cue = judge(prose.plain, mention.start, end)
            if cue.verdict in ("sighting", "plain"):
                out.append(Mention.of(name, mention.start, end, cue, mention.in_hashtag))
            break
    return out


def _backed(mention: Mention, anchors: list[Mention], divisions: DivisionTable) -> tuple[Sense, ...]:
    """The senses of ``mention`` that lie in the nearest anchor which contains any of them; one behind it counts as farther."""
    if len(anchors) == 1 and anchors[0] is mention:
        return ()
    best: tuple[int, tuple[Sense, ...]] | None = None
    weak = mention.name.weight == 0 and mention.name.senses[0].kind in ("short county", "pinyin")
    street = mention.name.weight == 0 and mention.is_landmark
    for anchor in anchors:
        if anchor.name is mention.name:
            continue
        gap = mention.gap(anchor)
        if gap < 0 or (weak and gap > 3 and mention.cue.verdict == "plain"):
            continue
        distance = gap + (6 if anchor.start > mention.start else 0)
        if best is not None and distance >= best[0]:
            continue
        outer = anchor.alone
        if street and outer[0].kind == "province" and outer[0].adcode not in MUNICIPALITIES:
            continue  # 江苏…步行街: every town has one
        if street and len(outer) > 1 and _SHARED_NAME.search(mention.name.text):
            continue  # 铁西区兴华街: a street does not tell which of three districts
        senses = [sense for sense in mention.name.senses if _inside(sense, outer, divisions.up_from(sense.adcode))]
        if senses:
            best = (distance, tuple(senses))
    return best[1] if best else ()


def _inside(inner: Sense, outers: tuple[Sense, ...], up: tuple[str, ...]) -> bool:
    """Whether ``inner``, whose codes from itself upwards are ``up``, lies in one of ``outers`` and is not that very sense."""
    return any(adcode in up and (adcode != inner.adcode or kind != inner.kind) for adcode, kind, _ in outers)


def _narrowed(mention: Mention, settled: list[Mention], divisions: DivisionTable) -> Mention:
    """``朝阳区大望路``: the place lies in one of the two districts, so that one is meant. A street's or square's name, which
    other cities may have as well, decides nothing."""
    for other in settled:
        if not other.name.weight and _SHARED_NAME.search(other.name.text):
            continue
        senses = tuple(sense for sense in mention.senses if divisions.contains(sense.adcode, other.codes[0]))
        if len(senses) == 1 and mention.gap(other) <= NEAR:
            return mention.meaning(senses)
    return mention
