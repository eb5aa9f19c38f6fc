"""Names support each other: a county's short name counts beside its parent, a street inside its city, a home town drags its
province along."""

from __future__ import annotations

import re

from ingest.divisions import MUNICIPALITIES, DivisionTable, table
from ingest.places.chains import corrected, without_chained, without_namesakes
from ingest.places.cues import judge
from ingest.places.lexicon import Sense, lexicon, widest
from ingest.places.mentions import Mention
from ingest.places.normalise import Prose

NEAR = 24
"""A street narrows an ambiguous district at most this many characters away."""

_SHARED_NAME = re.compile(r"(?:路|街|道|巷|站|广场|公园|大厦|商场|市场|医院|学校|门)$")

MOST_ANCHORS = 8
"""Parents looked at for each name, the closest ones: a text that names more lists places, and stays linear this way."""


def supported(accepted: list[Mention], refused: list[Mention], prose: Prose) -> list[Mention]:
    """Of each accepted mention the senses that count; mentions that nothing supports fall away.

    ``refused`` gains what belongs to a refused chain.
    """
    divisions = table()
    accepted = corrected(accepted, refused, prose, divisions)
    if refused:
        accepted = without_chained(accepted, refused, prose, divisions)
    if len(accepted) > 1:
        accepted = without_namesakes(accepted, refused, prose, divisions)
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
