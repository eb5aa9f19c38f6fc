"""The domain's values as JSON and back: what a table keeps in one column."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from store.dialect import clean_text
from store.model import Author, Certainty, Datum, Evidence, Exif, GeoPoint, PlaceTag, Post


def squeeze(raw: Mapping[str, Any] | str) -> bytes:
    """A platform's own body, compressed. Whatever JSON cannot hold (it never should) is kept as its text."""
    body = json.dumps(raw, ensure_ascii=False, default=str, separators=(",", ":"))
    return zlib.compress(clean_text(body).encode("utf-8"), 6)


def unsqueeze(blob: bytes) -> Any:
    """The body that :func:`squeeze` kept."""
    return json.loads(zlib.decompress(blob))


def point_out(point: GeoPoint | None) -> list[Any] | None:
    return None if point is None else [point.lat, point.lon, point.datum.value]


def point_in(value: Sequence[Any] | None) -> GeoPoint | None:
    return None if value is None else GeoPoint(value[0], value[1], Datum(value[2]))


def time_out(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def time_in(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def post_out(post: Post) -> dict[str, Any]:
    """The fields of a post that no query asks for."""
    author, place = post.author, post.place
    return {
        "author": {
            "name": author.name,
            "place": author.place,
            "created_at": time_out(author.created_at),
            "verified": author.verified,
            "automated": author.automated,
        },
        "point": point_out(post.point),
        "place": None
        if place is None
        else {
            "name": place.name,
            "point": point_out(place.point),
            "bbox": None if place.bbox is None else list(place.bbox),
            "kind": place.kind,
            "country_code": place.country_code,
        },
        "mentions": list(post.mentions),
        "hashtags": list(post.hashtags),
    }


def author_in(value: Mapping[str, Any], author_id: str, handle: str) -> Author:
    return Author(
        id=author_id,
        handle=handle,
        name=value["name"],
        place=value["place"],
        created_at=time_in(value["created_at"]),
        verified=value["verified"],
        automated=value["automated"],
    )


def place_in(value: Mapping[str, Any] | None) -> PlaceTag | None:
    if value is None:
        return None
    box = value["bbox"]
    return PlaceTag(
        name=value["name"],
        point=point_in(value["point"]),
        bbox=None if box is None else (box[0], box[1], box[2], box[3]),
        kind=value["kind"],
        country_code=value["country_code"],
    )


def evidence_out(evidence: Sequence[Evidence]) -> list[Any]:
    return [
        [sign.source, sign.value, sign.certainty.value, sign.why, None if sign.span is None else list(sign.span)]
        for sign in evidence
    ]


def evidence_in(value: Sequence[Any]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(source, says, Certainty(certainty), why, None if span is None else (span[0], span[1]))
        for source, says, certainty, why, span in value
    )


def exif_out(exif: Exif | None) -> dict[str, Any] | None:
    if exif is None:
        return None
    return {
        "taken_at": time_out(exif.taken_at),
        "point": point_out(exif.point),
        "camera": exif.camera,
        "refused": list(exif.refused),
    }


def exif_in(value: Mapping[str, Any] | None) -> Exif | None:
    if value is None:
        return None
    return Exif(time_in(value["taken_at"]), point_in(value["point"]), value["camera"], tuple(value["refused"]))
