"""Weighs what text, geo point, place tag, EXIF and profile say. Pure: readings in, one :class:`~store.model.Where` out.

Agreement raises, contradiction lowers and is kept for people; the profile's place ranks alternatives and never decides.
"""

from __future__ import annotations

from typing import NamedTuple

from ingest.divisions import DivisionTable, table
from ingest.sure import HIGH, LOW, MEDIUM, NONE
from store.model import Certainty, Evidence, Where


class Sign(NamedTuple):
    """What one source says: a division, or several, with its certainty and the evidence a reviewer reads."""

    source: str
    adcode: str | None
    alternatives: tuple[str, ...]
    certainty: Certainty
    evidence: tuple[Evidence, ...]

    @property
    def options(self) -> tuple[str, ...]:
        return (self.adcode,) if self.adcode else self.alternatives


_RANK = {NONE: 0, LOW: 1, MEDIUM: 2, HIGH: 3}


def fuse(signs: list[Sign], profile: str | None = None) -> Where:
    """Combine the signs, the most telling source first (text, EXIF, geo, place); ``profile`` is the poster's home adcode."""
    divisions = table()
    evidence = [item for sign in signs for item in sign.evidence]
    speaking = [sign for sign in signs if sign.options]
    if not speaking:
        return Where(evidence=tuple(evidence))
    options, certainty, note = speaking[0].options, speaking[0].certainty, ""
    for sign in speaking[1:]:
        options, certainty, note = _meet(options, certainty, sign, divisions)
        if note:
            evidence.append(Evidence(sign.source, None, certainty, note))
    if len(options) == 1:
        return Where(options[0], divisions.full_name(options[0]), (), certainty, tuple(evidence))
    if profile:
        options, said = _ranked(options, profile, divisions)
        evidence.append(Evidence("profile", profile, LOW, said))
    return Where(None, "", options, LOW, tuple(evidence))


def _meet(
    options: tuple[str, ...], certainty: Certainty, sign: Sign, divisions: DivisionTable
) -> tuple[tuple[str, ...], Certainty, str]:
    """What ``options`` and a further sign leave open together, how sure that is, and a note where they disagree."""
    agreed = list(
        dict.fromkeys(
            mine if divisions.contains(other, mine) else other
            for mine in options
            for other in sign.options
            if divisions.contains(mine, other) or divisions.contains(other, mine)
        )
    )
    if len(agreed) == 1:
        return _agreed(options, certainty, sign, agreed[0])
    if agreed:
        return tuple(agreed), LOW, ""
    shared = _shared_prefecture(options, sign.options, divisions)
    if shared:
        names = f"{divisions.full_name(options[0])} and {divisions.full_name(sign.options[0])}"
        note = f"the signs name {names}, two parts of {divisions.full_name(shared)}: answered as the whole"
        return (shared,), MEDIUM, note
    open_ones = tuple(dict.fromkeys((*options, *sign.options)))
    here, there = (" or ".join(divisions.full_name(code) for code in some) for some in (options, sign.options))
    return open_ones, LOW, f"this contradicts the rest: {there} against {here}"


def _agreed(
    options: tuple[str, ...], certainty: Certainty, sign: Sign, deeper: str
) -> tuple[tuple[str, ...], Certainty, str]:
    """Both sides agree. The deeper answer is taken where the side that gives it is sure, or where neither is."""
    narrowed = len(options) > 1 or len(sign.options) > 1
    if narrowed:
        surer = max(certainty, sign.certainty, key=_RANK.__getitem__)
        return (deeper,), HIGH if surer is HIGH else MEDIUM, ""
    givers = [how for code, how in ((options[0], certainty), (sign.options[0], sign.certainty)) if code == deeper]
    if len(givers) == 2:
        return (deeper,), HIGH if _RANK[givers[0]] + _RANK[givers[1]] >= 4 else MEDIUM, ""
    wider = sign.options[0] if options[0] == deeper else options[0]
    other = sign.certainty if options[0] == deeper else certainty
    if other is HIGH and givers[0] is not HIGH:
        return (wider,), HIGH, f"a hint at {table().full_name(deeper)}, too weak to narrow {table().full_name(wider)}"
    return (deeper,), givers[0], ""


def _shared_prefecture(mine: tuple[str, ...], others: tuple[str, ...], divisions: DivisionTable) -> str | None:
    """The prefecture (or municipality) that holds both sides, where each side is one county of it."""
    if len(mine) != 1 or len(others) != 1:
        return None
    here, there = divisions.prefecture_of(mine[0]), divisions.prefecture_of(others[0])
    return here if here == there else None


def _ranked(options: tuple[str, ...], profile: str, divisions: DivisionTable) -> tuple[tuple[str, ...], str]:
    """Options in or around the poster's home first; the order of the others stays."""
    home = [code for code in options if divisions.contains(profile, code) or divisions.contains(code, profile)]
    if not home:
        province = divisions.ancestors(profile)[-1].adcode if divisions.ancestors(profile) else ""
        home = [code for code in options if province and divisions.contains(province, code)]
    rest = [code for code in options if code not in home]
    said = f"the poster's profile says {divisions.full_name(profile)}: it only orders the choices"
    return (*home, *rest), said
