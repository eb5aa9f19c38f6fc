"""Where a child was seen: the front of everything under :mod:`ingest.places`.

:func:`resolve_where` reads each source (text, geo point, place tag, EXIF, profile) and has them weighed against each other;
:func:`locate` answers for a point alone. Both never raise on any input, and say in words what they rest on.
"""

from __future__ import annotations

import re

from ingest.divisions import table
from ingest.places import geo
from ingest.places.fuse import Sign, fuse
from ingest.places.text import read_place
from ingest.sure import HIGH, MEDIUM, NONE
from store.model import Datum, Evidence, GeoPoint, PlaceTag, Where

MAX_CHARS = 10_000
"""Longer texts are read up to here: a sighting's place stands in the first lines (X allows 25,000 characters, Weibo fewer)."""

_ANOTHER_DAY = re.compile(
    "昨[天日晚夜]|前[天日晚]|前几天|上周|上个?月|去年|上星期|周末|礼拜|几天前|yesterday|last (?:week|night|month)|days? ago",
    re.IGNORECASE,
)


def resolve_where(
    text: str,
    *,
    point: GeoPoint | None = None,
    place: PlaceTag | None = None,
    exif_point: GeoPoint | None = None,
    profile_place: str = "",
    lang: str = "zh",
) -> Where:
    """Where the child of a post was seen.

    Args:
        text: the post's text; Simplified, Traditional, pinyin or English, mixed as people do.
        point: the post's geo point (Weibo: GCJ-02; X: WGS-84). It says where the post was written.
        place: the place the platform attached; X gives a box, Weibo a name and a point.
        exif_point: the photo's own position (WGS-84).
        profile_place: the author's profile, free text or an adcode. It orders alternatives and never decides.
        lang: the post's language as the platform tells it; names are looked for in every script whatever it says.

    Returns:
        A place with its certainty and evidence; ``settled`` where officials may be mentioned. Several equally likely places
        come as ``alternatives`` without an adcode. Never raises.
    """
    del lang  # every script is read in every post: people mix them, and platforms guess the language wrongly
    reading = read_place(text[:MAX_CHARS])
    if reading.adcode is not None and point is None and place is None and exif_point is None:
        return Where(reading.adcode, table().full_name(reading.adcode), (), reading.certainty, reading.evidence)
    signs = [Sign("text", *reading)]
    if exif_point is not None:
        signs.append(_from_point(exif_point, "exif"))
    if point is not None:
        signs.append(_from_post_point(point, text[:MAX_CHARS]))
    if place is not None:
        signs.extend(_from_tag(place))
    return fuse(signs, home_of(profile_place))


def prepare() -> None:
    """Load the tables now (some half a second), so that no post waits for it, and no two threads do it side by side."""
    resolve_where("北京市海淀区", point=GeoPoint(39.96, 116.3, Datum.GCJ02))


def locate(point: GeoPoint) -> Where:
    """The division of one point: its county, or near a border what both sides share. Never raises."""
    return fuse([_from_point(point, "geo")])


def home_of(profile_place: str) -> str | None:
    """The adcode of a profile's place: a code, or free text such as ``北京 朝阳区``; None where it names no single place."""
    profile_place = profile_place.strip()[:200]
    if not profile_place:
        return None
    if re.fullmatch(r"[0-9]{6}", profile_place):
        known = table().resolve_old(profile_place)
        return known.adcode if known else None
    return read_place(profile_place).adcode


def _from_point(point: GeoPoint, source: str) -> Sign:
    found = geo.locate(point)
    evidence = Evidence(source, found.adcode, found.certainty, found.why)
    return Sign(source, found.adcode, found.alternatives, found.certainty, (evidence,))


def _from_post_point(point: GeoPoint, text: str) -> Sign:
    """The post's own point: it says where the post was written, which is the place only if the sighting is of the same hour."""
    sign = _from_point(point, "geo")
    if sign.certainty is HIGH and _ANOTHER_DAY.search(text):
        note = f"{sign.evidence[0].why}; but the text speaks of another day, and the point says where the post was written"
        evidence = Evidence("geo", sign.adcode, MEDIUM, note)
        return Sign("geo", sign.adcode, sign.alternatives, MEDIUM, (evidence,))
    return sign


def _from_tag(place: PlaceTag) -> list[Sign]:
    """A place tag's point, box and name as one sign: they were given by one hand, so that they agree proves nothing.

    A tag abroad says that this is no sighting in China.
    """
    source = "x_place" if place.bbox is not None else "place"
    if place.country_code and place.country_code.upper() not in ("CN", "HK", "MO", "TW"):
        why = f"the tagged place “{place.name[:60]}” lies in {place.country_code[:2].upper()}, outside China"
        return [Sign(source, None, (), NONE, (Evidence(source, None, NONE, why),))]
    signs: list[Sign] = []
    if place.point is not None:
        signs.append(_from_point(place.point, source))
    if place.bbox is not None:
        found = geo.locate_box(place.bbox)
        evidence = Evidence(source, found.adcode, found.certainty, found.why)
        signs.append(Sign(source, found.adcode, found.alternatives, found.certainty, (evidence,)))
    if place.name:
        signs.append(_from_name(place.name, source))
    if not signs:
        return []
    together = fuse(signs)
    pinned = any(sign.certainty is HIGH for sign in signs)
    certainty = together.certainty if pinned or together.certainty is not HIGH else MEDIUM
    return [Sign(source, together.adcode, together.alternatives, certainty, together.evidence)]


def _from_name(name: str, source: str) -> Sign:
    """The tag's name, read as a text: it was picked from the platform's list, so it is a place but need not be the sighting's."""
    reading = read_place(name[:200])
    codes = [reading.adcode] if reading.adcode else list(reading.alternatives)
    names = " or ".join(table().full_name(code) for code in codes) or "no division"
    certainty = MEDIUM if reading.adcode else reading.certainty
    evidence = Evidence(source, reading.adcode, certainty, f"the tagged place “{name[:60]}” means {names}")
    return Sign(source, reading.adcode, reading.alternatives, certainty, (evidence,))
