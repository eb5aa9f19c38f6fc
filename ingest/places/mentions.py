"""The names in a text, each judged by its surroundings."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.divisions import table
from ingest.places.cues import Cue, judge
from ingest.places.lexicon import Name, Sense, lexicon
from ingest.places.normalise import Prose
from ingest.places.surroundings import AFTER_CIVIC

REASONS = {
    "road": "is part of a road or gate name",
    "origin": "says where somebody comes from",
    "destination": "is where somebody or something is going",
    "institution": "belongs to the name of an institution",
    "goods": "belongs to the name of a dish, a shop or goods",
    "person": "is part of a person's name, or is thanked",
    "appeal": "is where the writer asks for witnesses",
    "missing": "is where somebody went missing",
    "corrected": "is taken back by the writer",
    "staff": "says where somebody works or studies",
    "general": "is said of another place or of places in general",
    "title": "stands in a title",
    "compared": "is compared with the place",
    "asked": "is asked for",
    "feature": "is part of a square's, park's or building's name",
}
"""Why a name is not where the child was seen, in a reviewer's words."""


@dataclass(slots=True, eq=False)
class Mention:
    """One name in the text with its span, the verdict of its surroundings and the senses still possible.

    ``alone``: the senses that count without help; none where the surroundings do not speak of a place as the name needs.
    ``codes``: the adcodes of ``senses``, each once.
    """

    name: Name
    start: int
    end: int
    cue: Cue
    senses: tuple[Sense, ...]
    in_hashtag: bool
    alone: tuple[Sense, ...]
    codes: tuple[str, ...]

    @classmethod
    def of(cls, name: Name, start: int, end: int, cue: Cue, in_hashtag: bool) -> Mention:
        """A mention with all senses of its name."""
        weight = name.weight
        counts = weight == 3 or (weight == 2 and cue.verdict == "sighting") or (weight == 1 and cue.strong)
        return cls(name, start, end, cue, name.senses, in_hashtag, name.alone if counts else (), _codes(name.senses))

    def meaning(self, senses: tuple[Sense, ...]) -> Mention:
        """The same mention with these senses only."""
        return Mention(self.name, self.start, self.end, self.cue, senses, self.in_hashtag, self.alone, _codes(senses))

    @property
    def is_landmark(self) -> bool:
        return self.name.senses[0].kind == "landmark"

    def gap(self, other: Mention) -> int:
        """Characters between the two; negative where they overlap."""
        return max(self.start - other.end, other.start - self.end)


def _codes(senses: tuple[Sense, ...]) -> tuple[str, ...]:
    if len(senses) == 1:
        return (senses[0].adcode,)
    return tuple(dict.fromkeys([sense.adcode for sense in senses]))


def find(prose: Prose) -> tuple[list[Mention], list[Mention]]:
    """The names of the prose and of its hashtags: (those that may be where the child was seen, those that are not)."""
    accepted: list[Mention] = []
    refused: list[Mention] = []
    prose_names = lexicon().find(prose.prose)
    last = len(prose_names)
    found = prose_names
    for kind, start, end in prose.apart:
        if kind == "hashtag":
            found = found + [(name, start + a, start + b) for name, a, b in lexicon().find(prose.plain[start:end])]
    for index, (name, start, end) in enumerate(found):
        tagged = index >= last
        if name.text.isascii() and not _whole_word(prose.plain, start, end):
            continue
        cue = judge(prose.plain if tagged else prose.prose, start, end, feature=name.senses[0].kind == "short county")
        if cue.verdict in ("road", "goods", "feature"):
            behind = found[index + 1] if index + 1 < len(found) else None
            if behind is not None and behind[1] == end and _holds(name, behind[0]):
                cue = Cue("sighting", "the name after it")  # 南京|新街口, 邢台|桥西区: the street is a name of its own
            elif cue.verdict == "feature" and _is_city_behind_its_parent(name, start, found[index - 1] if index else None):
                cue = Cue("sighting", cue.because, strong=True)  # 新疆|石河子广场: called after the city it stands in
            elif cue.verdict == "feature" and name.weight == 2 and AFTER_CIVIC.match(prose.plain, end):
                cue = judge(prose.plain if tagged else prose.prose, start, end)
        mention = Mention.of(name, start, end, cue, tagged)
        city = name.senses[0].adcode == "710000"  # 台北, 高雄: listed beside the streets, and streets are called after them
        street = mention.is_landmark and not city and cue.verdict in ("road", "institution", "goods")
        (accepted if street or cue.verdict in ("sighting", "plain") else refused).append(mention)
    return accepted, refused


def _holds(outer: Name, inner: Name) -> bool:
    """Whether ``inner`` is a street's name or lies in ``outer``: 南通|南大街, 南京|鼓楼, but not 路桥 in 西藏 (西藏路|桥头)."""
    if len(inner.text) > 2 and inner.senses[0].kind == "landmark":
        return True
    contains = table().contains
    return any(contains(wide.adcode, sense.adcode) for wide in outer.senses[:8] for sense in inner.senses[:8])


def _is_city_behind_its_parent(name: Name, start: int, before: tuple[Name, int, int] | None) -> bool:
    if before is None or before[2] != start:
        return False
    contains, get = table().contains, table().get
    for sense in name.senses:
        division = get(sense.adcode)
        city = division is not None and division.level == "county" and division.name.endswith("市")
        if city and any(contains(wide.adcode, sense.adcode) for wide in before[0].senses if wide.adcode != sense.adcode):
            return True
    return False


def _whole_word(prose: str, start: int, end: int) -> bool:
    """ASCII names count as whole words only (``Xian`` in ``Xianyang`` does not)."""
    before = prose[start - 1] if start else " "
    after = prose[end] if end < len(prose) else " "
    return not (before.isascii() and before.isalnum()) and not (after.isascii() and after.isalnum())
