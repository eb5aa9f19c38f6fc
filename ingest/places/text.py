"""From a text to where the child was seen: names are found, judged by their surroundings, supported by each other, and weighed.

The steps of :func:`read_place`: find names -> judge each (:mod:`cues`) -> keep the senses that a parent nearby supports ->
group what lies in one prefecture -> decide. Doubt is an answer: alternatives, or a lower certainty.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ingest.divisions import DivisionTable, table
from ingest.places.cues import Cue, judge
from ingest.places.lexicon import Name, Sense, lexicon
from ingest.places.normalise import Prose, read
from store.model import Certainty, Evidence

NEAR = 24
"""A parent supports a name at most this many characters away, unless it stands right before it."""

MAX_EVIDENCE = 24
"""Signs kept for the reviewer; more come only from texts that list places."""

REASONS = {
    "road": "is part of a road or gate name",
    "origin": "says where somebody comes from",
    "destination": "is where somebody or something is going",
    "institution": "belongs to the name of an institution",
    "goods": "belongs to the name of a dish, a shop or goods",
    "person": "is part of a person's name",
    "missing": "is where somebody went missing",
}


@dataclass(frozen=True, slots=True)
class Mention:
    """One name in the text with its span, the verdict of its surroundings and the senses still possible."""

    name: Name
    start: int
    end: int
    cue: Cue
    senses: tuple[Sense, ...]
    in_hashtag: bool = False

    @property
    def weight(self) -> int:
        return max((sense.weight for sense in self.senses), default=0)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text says about the place: one adcode, or several alternatives, or nothing; with the signs it rests on."""

    adcode: str | None
    alternatives: tuple[str, ...]
    certainty: Certainty
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Mentions that agree: each adcode contains or equals the next deeper one."""

    adcode: str
    score: float
    mentions: tuple[Mention, ...]


def read_place(text: str) -> Reading:
    """Read the place of a sighting from ``text``. Never raises; linear in the length of the text."""
    reader = read(text)
    divisions = table()
    accepted, refused = _judged(reader)
    accepted = _supported(accepted, divisions)
    groups = _grouped(accepted, divisions)
    return _decided(groups, accepted, refused, text, divisions)


def _judged(prose: Prose) -> tuple[list[Mention], list[Mention]]:
    """The names of the prose and of its hashtags, split into those that may be the sighting's and those that are not."""
    accepted: list[Mention] = []
    refused: list[Mention] = []
    found = [(name, start, end, False) for name, start, end in lexicon().find(prose.prose)]
    for kind, start, end in prose.apart:
        if kind == "hashtag":
            inside = prose.plain[start:end]
            found += [(name, start + a, start + b, True) for name, a, b in lexicon().find(inside)]
    for name, start, end, tagged in found:
        if not name.senses or (name.ascii and not _whole_word(prose.plain, start, end)):
            continue
        cue = judge(prose.plain if tagged else prose.prose, start, end)
        mention = Mention(name, start, end, cue, name.senses, tagged)
        landmark = name.senses[0].kind == "landmark"
        harmless = cue.verdict in ("sighting", "plain") or (landmark and cue.verdict in ("road", "institution", "goods", "missing"))
        (accepted if harmless else refused).append(mention)
    return accepted, refused


def _whole_word(prose: str, start: int, end: int) -> bool:
    """ASCII names count as whole words only (``Xian`` in ``Xianyang`` does not)."""
    before = prose[start - 1] if start else " "
    after = prose[end] if end < len(prose) else " "
    return not (before.isascii() and before.isalnum()) and not (after.isascii() and after.isalnum())


def _supported(mentions: list[Mention], divisions: DivisionTable) -> list[Mention]:
    """Keep, of each mention, the senses that count alone or that another mention nearby contains."""
    anchors = [m for m in mentions if _stands_alone(m)]
    out: list[Mention] = []
    for mention in mentions:
        senses = _backed(mention, anchors, divisions)
        if senses:
            out.append(replace(mention, senses=senses))
        elif _stands_alone(mention):
            out.append(replace(mention, senses=_alone_senses(mention, divisions)))
    return out


def _alone_senses(mention: Mention, divisions: DivisionTable) -> tuple[Sense, ...]:
    """The senses that count without help: the highest level wins over a county of the same short name."""
    strong = [sense for sense in mention.senses if sense.weight == mention.weight]
    if any(sense.kind == "province" for sense in strong):
        strong = [sense for sense in strong if sense.kind == "province"]
    return tuple(strong)


def _stands_alone(mention: Mention) -> bool:
    return mention.weight == 2 or (mention.weight == 1 and mention.cue.verdict == "sighting")


def _backed(mention: Mention, anchors: list[Mention], divisions: DivisionTable) -> tuple[Sense, ...]:
    """The senses of ``mention`` that lie in the nearest anchor which contains any of them."""
    best: tuple[int, tuple[Sense, ...]] | None = None
    for anchor in anchors:
        if anchor.start == mention.start:
            continue
        gap = mention.start - anchor.end if anchor.end <= mention.start else anchor.start - mention.end
        behind = anchor.start > mention.start
        senses = tuple(
            sense
            for sense in mention.senses
            if any(_inside(sense.adcode, outer.adcode, divisions) for outer in anchor.senses if outer.weight)
        )
        if not senses:
            continue
        if mention.weight == 0 and mention.senses[0].kind in ("short county", "pinyin") and gap > 3 and mention.cue.verdict == "plain":
            continue
        distance = gap + (6 if behind else 0)
        if best is None or distance < best[0]:
            best = (distance, senses)
    return best[1] if best else ()


def _inside(inner: str, outer: str, divisions: DivisionTable) -> bool:
    return inner != outer and divisions.contains(outer, inner)


def _grouped(mentions: list[Mention], divisions: DivisionTable) -> list[Group]:
    """Mentions gathered by what they agree on, the strongest group first."""
    groups: list[Group] = []
    for mention in sorted(mentions, key=lambda m: (len({s.adcode for s in m.senses}) > 1, m.start)):
        codes = {sense.adcode for sense in mention.senses}
        if len(codes) != 1:
            continue
        code = codes.pop()
        weight = _score(mention)
        for index, group in enumerate(groups):
            if divisions.contains(group.adcode, code) or divisions.contains(code, group.adcode):
                deeper = code if divisions.contains(group.adcode, code) else group.adcode
                groups[index] = Group(deeper, group.score + weight, (*group.mentions, mention))
                break
            if divisions.prefecture_of(code) and divisions.prefecture_of(code) == divisions.prefecture_of(group.adcode):
                shared = divisions.prefecture_of(code) or code
                groups[index] = Group(shared, group.score + weight, (*group.mentions, mention))
                break
        else:
            groups.append(Group(code, weight, (mention,)))
    return sorted(groups, key=lambda g: -g.score)


def _score(mention: Mention) -> float:
    score = 2.0 if mention.cue.verdict == "sighting" else 1.0
    if mention.in_hashtag:
        score *= 0.4
    return score


def _decided(
    groups: list[Group], accepted: list[Mention], refused: list[Mention], text: str, divisions: DivisionTable
) -> Reading:
    evidence = _explained(accepted, refused, text, divisions)
    open_ones = [m for m in accepted if len({s.adcode for s in m.senses}) > 1]
    if not groups:
        if open_ones:
            codes = tuple(dict.fromkeys(sense.adcode for sense in open_ones[0].senses))[:12]
            return Reading(None, codes, Certainty.LOW, evidence)
        return Reading(None, (), Certainty.NONE, evidence)
    best = groups[0]
    rivals = [group for group in groups[1:] if group.score > best.score * 0.6]
    if rivals:
        return Reading(None, tuple(dict.fromkeys(g.adcode for g in (best, *rivals))), Certainty.LOW, evidence)
    certainty = Certainty.HIGH if best.score >= 2 and len(groups) == 1 else Certainty.MEDIUM
    return Reading(best.adcode, (), certainty, evidence)


def _explained(accepted: list[Mention], refused: list[Mention], text: str, divisions: DivisionTable) -> tuple[Evidence, ...]:
    out: list[Evidence] = []
    for mention in accepted[:MAX_EVIDENCE]:
        said = text[mention.start : mention.end]
        codes = list(dict.fromkeys(sense.adcode for sense in mention.senses))
        names = " or ".join(f"{divisions.full_name(code)} {code}" for code in codes[:6])
        why = f"“{said}” means {names}" + (f", beside “{mention.cue.because}”" if mention.cue.because else "")
        certainty = Certainty.HIGH if len(codes) == 1 and mention.cue.verdict == "sighting" else Certainty.MEDIUM
        out.append(Evidence("text", codes[0] if len(codes) == 1 else None, certainty, why, (mention.start, mention.end)))
    for mention in refused[:MAX_EVIDENCE]:
        said = text[mention.start : mention.end]
        why = f"“{said}” {REASONS[mention.cue.verdict]} (“{mention.cue.because}”); not where the child was seen"
        out.append(Evidence("text", None, Certainty.NONE, why, (mention.start, mention.end)))
    return tuple(out)
