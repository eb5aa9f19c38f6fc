"""What is known of a pair besides the faces, gathered from the store: for the order of the review queue and for its pages."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime

from ingest.looks import looks
from ingest.places import geo
from matcher.priors import CaseFacts, Fact, Sex, SightingFacts, facts
from store import cases, posts, sightings
from store.cases import Case
from store.errors import NotFound
from store.session import Tx
from store.sightings import Sighting

_REF = re.compile(r"\bC-[0-9A-Z]{4,9}\b", re.IGNORECASE)


def of_pair(tx: Tx, case: Case, photo_id: int, resembles: Collection[int] = ()) -> tuple[Fact, ...]:
    """What speaks for and against ``case`` in a photo that was seen.

    Args:
        tx: The transaction to read in.
        case: The case of the pair.
        photo_id: The photo's row; the first of its sightings that is no copy counts.
        resembles: All cases that the face is a candidate for.
    """
    shown = sightings.showing(tx, [photo_id])
    first = next((seen for seen in shown if seen.duplicate_of is None), shown[0] if shown else None)
    if first is None:
        return ()
    return facts(_of_case(tx, case), _of_sighting(tx, case, first, resembles))


def _of_case(tx: Tx, case: Case) -> CaseFacts:
    return CaseFacts(_sex(case.fields.sex), case.fields.birth_on, case.fields.missing_on, _siblings(tx, case))


def _of_sighting(tx: Tx, case: Case, seen: Sighting, resembles: Collection[int]) -> SightingFacts:
    lost, here = case.fields.missing_adcode, seen.where.adcode
    said = looks(_text(tx, seen))
    km = geo.distance_km(lost, here) if lost and here else None
    others = frozenset(resembles) - {case.id}
    return SightingFacts(_day(seen).date(), km, _sex(said.sex), said.age_years, others)


def _day(seen: Sighting) -> datetime:
    return seen.when.seen_from or seen.created_at


def _text(tx: Tx, seen: Sighting) -> str:
    stored = posts.get(tx, seen.post_id)
    return "" if stored.post is None else stored.post.text


def _sex(said: str) -> Sex:
    return Sex(said) if said in (Sex.FEMALE, Sex.MALE) else Sex.UNKNOWN


def _siblings(tx: Tx, case: Case) -> frozenset[int]:
    """The cases whose reference the case's words on siblings name."""
    found = set()
    for ref in _REF.findall(case.fields.siblings):
        try:
            found.add(cases.get(tx, ref).id)
        except NotFound:
            continue  # a name for people; nothing here depends on it
    return frozenset(found - {case.id})
