"""A post as a JSON object in, when and where it was as a JSON object out: the form of ``suishoupai extract``.

In: ``{"id", "text", "post_time"}`` and optionally ``geo``, ``place``, ``exif``, ``profile_place``, ``lang``. Out: ``{"id",
"adcode", "place", "alternatives", "certainty", "evidence", "seen_from", "seen_to", "grain", "time_certainty",
"time_evidence"}``, null where unknown. ``adcode`` is given only where one place is meant; several open ones stand in
``alternatives``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ingest.exif import read_exif
from ingest.times.resolve import CHINA
from ingest.when import resolve_when
from ingest.where import resolve_where
from store.errors import BadInput
from store.model import Datum, Evidence, Exif, GeoPoint, PlaceTag, When, Where

EXAMPLE = '{"id": "1", "text": "昨晚八点在重庆观音桥步行街看到", "post_time": "2026-02-11T09:00:00+08:00"}'
MAX_LINE_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Item:
    """One line of input, checked."""

    id: str | int
    text: str
    posted_at: datetime
    point: GeoPoint | None = None
    place: PlaceTag | None = None
    exif: Exif = field(default_factory=Exif)
    profile_place: str = ""
    lang: str = "zh"


def read_item(line: str) -> Item:
    """Read one JSON line.

    Raises:
        BadInput: no JSON object, or a field of the wrong type; the message names the field.
    """
    if len(line) > MAX_LINE_BYTES:
        raise BadInput(f"longer than {MAX_LINE_BYTES // 1_000_000} million characters", mend="no post is that long")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"no JSON ({error})", mend=f"one object a line, like {EXAMPLE}") from error
    if not isinstance(value, dict):
        raise BadInput(f"expected an object, found {type(value).__name__}", mend=f"one object a line, like {EXAMPLE}")
    text = value.get("text")
    if not isinstance(text, str):
        raise BadInput("text: expected the post's words", mend=f"like {EXAMPLE}")
    number = value.get("id")
    if isinstance(number, bool) or not isinstance(number, str | int):
        raise BadInput("id: expected a word or a whole number", mend=f"like {EXAMPLE}")
    return Item(
        id=number,
        text=text,
        posted_at=_time("post_time", value.get("post_time")),
        point=_point("geo", value["geo"]) if value.get("geo") is not None else None,
        place=_place(value["place"]) if value.get("place") is not None else None,
        exif=_exif(value["exif"]) if value.get("exif") is not None else Exif(),
        profile_place=_optional_text(value, "profile_place", ""),
        lang=_optional_text(value, "lang", "zh"),
    )


def _optional_text(value: Mapping[str, Any], key: str, default: str) -> str:
    found = value.get(key)
    if found is None:
        return default
    if not isinstance(found, str):
        raise BadInput(f"{key}: expected a word, found {type(found).__name__}")
    return found


def _time(key: str, value: object) -> datetime:
    mend = "ISO 8601 with an offset, like 2026-02-11T09:00:00+08:00 (without one it is read as +08:00)"
    if not isinstance(value, str):
        raise BadInput(f"{key}: expected a time", mend=mend)
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise BadInput(f"{key}: no time: {value[:60]!r}", mend=mend) from None
    return found if found.tzinfo else found.replace(tzinfo=CHINA)


def _number(key: str, value: object, limit: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > limit:
        raise BadInput(f"{key}: expected degrees between -{limit:g} and {limit:g}, found {value!r:.60}")
    return float(value)


def _point(key: str, value: object) -> GeoPoint:
    """``{"lat", "lon", "datum"}`` (WGS-84 unless said), Weibo's ``{"type": "Point", "coordinates": [lat, lon]}`` (GCJ-02), or X's
    ``{"coordinates": {"type": "Point", "coordinates": [lon, lat]}}`` (WGS-84).

    Latitudes up to 180 are let through: a swapped pair is recognised and put right where places are resolved.
    """
    mend = f'{key}: {{"lat": 29.57, "lon": 106.53, "datum": "wgs84"}}, or Weibo\'s {{"type": "Point", "coordinates": [lat, lon]}}'
    if not isinstance(value, dict):
        raise BadInput(f"{key}: expected an object, found {type(value).__name__}", mend=mend)
    pair = value.get("coordinates")
    if isinstance(pair, dict):
        pair = pair.get("coordinates")
        if not isinstance(pair, list) or len(pair) != 2:
            raise BadInput(f"{key}.coordinates.coordinates: expected two numbers", mend=mend)
        lat, lon, default = pair[1], pair[0], Datum.WGS84
    elif pair is not None:
        if not isinstance(pair, list) or len(pair) != 2:
            raise BadInput(f"{key}.coordinates: expected two numbers", mend=mend)
        lat, lon, default = pair[0], pair[1], Datum.GCJ02
    else:
        lat, lon, default = value.get("lat"), value.get("lon"), Datum.WGS84
    try:
        datum = Datum(str(value.get("datum", default.value)).lower())
    except ValueError:
        raise BadInput(f"{key}.datum: expected wgs84 or gcj02, found {value.get('datum')!r:.60}", mend=mend) from None
    return GeoPoint(_number(f"{key}.lat", lat, 180), _number(f"{key}.lon", lon, 180), datum)


def _place(value: object) -> PlaceTag:
    """A name, ``{"name", "point", "bbox": [west, south, east, north], "kind", "country_code"}``, or a place object of X."""
    if isinstance(value, str):
        return PlaceTag(value)
    if not isinstance(value, dict):
        raise BadInput(f"place: expected a name or an object, found {type(value).__name__}")
    if "full_name" in value or "place_type" in value:  # X: https://docs.x.com/x-api/fundamentals/data-dictionary#place
        geo = value.get("geo")
        value = {**value, "name": value.get("full_name") or value.get("name"), "kind": value.get("place_type")}
        value["bbox"] = geo.get("bbox") if isinstance(geo, dict) else value.get("bbox")
    box = value.get("bbox")
    if box is not None and (not isinstance(box, list) or len(box) != 4):
        raise BadInput("place.bbox: expected [west, south, east, north] in degrees")
    return PlaceTag(
        name=_optional_text(value, "name", ""),
        point=_point("place.point", value["point"]) if value.get("point") is not None else None,
        bbox=None if box is None else (_edge(box, 0), _edge(box, 1), _edge(box, 2), _edge(box, 3)),
        kind=_optional_text(value, "kind", ""),
        country_code=_optional_text(value, "country_code", ""),
    )


def _edge(box: list[object], at: int) -> float:
    return _number(f"place.bbox[{at}]", box[at], 180)


def _exif(value: object) -> Exif:
    """EXIF's own tag names (``DateTimeOriginal``, ``GPSLatitude`` ...), or ``{"taken_at": ISO time, "point": {...}}``."""
    if not isinstance(value, dict):
        mend = 'like {"DateTimeOriginal": "2026:02:10 20:14:05"}'
        raise BadInput(f"exif: expected an object of tags, found {type(value).__name__}", mend=mend)
    if "taken_at" in value or "point" in value:
        taken = None if value.get("taken_at") is None else _time("exif.taken_at", value["taken_at"])
        return Exif(taken, None if value.get("point") is None else _point("exif.point", value["point"]))
    return read_exif({str(name): _tag(tag) for name, tag in value.items()})


def _tag(value: object) -> object:
    """A tag in the types the reader of EXIF knows: text, float, list of float."""
    if isinstance(value, list):
        return [float(part) for part in value if _is_number(part)]
    return float(value) if _is_number(value) else value  # type: ignore[arg-type]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def resolve(item: Item) -> tuple[Where, When]:
    """When and where of one item. Never raises for any text."""
    where = resolve_where(
        item.text,
        point=item.point,
        place=item.place,
        exif_point=item.exif.point,
        profile_place=item.profile_place,
        lang=item.lang,
    )
    return where, resolve_when(item.text, item.posted_at, exif_taken_at=item.exif.taken_at, lang=item.lang)


def as_json(item: Item, where: Where, when: When) -> dict[str, Any]:
    """The line of output for one item."""
    return {
        "id": item.id,
        "adcode": where.adcode if not where.alternatives else None,
        "place": where.place or None,
        "alternatives": list(where.alternatives),
        "certainty": where.certainty.value,
        "evidence": [_evidence(e) for e in where.evidence],
        "seen_from": _iso(when.seen_from),
        "seen_to": _iso(when.seen_to),
        "grain": when.grain.value if when.grain else None,
        "time_certainty": when.certainty.value,
        "time_evidence": [_evidence(e) for e in when.evidence],
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "source": evidence.source,
        "value": evidence.value,
        "certainty": evidence.certainty.value,
        "why": evidence.why,
        "span": list(evidence.span) if evidence.span else None,
    }


def extract_line(line: str) -> dict[str, Any]:
    """A JSON line to its result; what :func:`read_item` refuses becomes ``{"id", "error", "mend"}``."""
    try:
        item = read_item(line)
    except BadInput as error:
        return {"id": _id_of(line), "error": str(error), "mend": error.mend}
    return as_json(item, *resolve(item))


def _id_of(line: str) -> str | int | None:
    try:
        value = json.loads(line[:MAX_LINE_BYTES])
    except (ValueError, RecursionError):
        return None
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str | int) else None
