"""What a photo's own record says, and what of it can be believed.

Cameras write factory defaults, editors write zeros, attackers write anything: each value is checked, and each refusal is kept
in words, since a reviewer may know better. EXIF 2.32 (CIPA DC-008) names the tags; it knows no time zone before 2.31, so a time
without offset is read as China's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone

from store.model import Datum, Exif, GeoPoint

Tags = Mapping[str, object]
"""Tag name -> str, float or list of float, as the decoder hands them over. Nothing in it is trusted."""

CHINA = timezone(timedelta(hours=8))
_TIME = re.compile(r"(\d{4})[:\-/](\d{1,2})[:\-/](\d{1,2})[ T](\d{1,2}):(\d{1,2}):(\d{1,2})", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 1995, 2099  # EXIF 1.0 is of October 1995
_WGS84 = re.compile(r"WGS[-_ ]?(19)?84", re.IGNORECASE)
_GCJ02 = re.compile(r"GCJ[-_ ]?02", re.IGNORECASE)


def read_exif(tags: Tags) -> Exif:
    """Validate ``tags`` into an :class:`Exif`. Never raises: what cannot be believed goes to ``refused`` with its reason."""
    refused: list[str] = []
    return Exif(
        taken_at=_taken_at(tags, refused),
        point=_point(tags, refused),
        camera=_camera(tags),
        refused=tuple(refused),
    )


def _text(tags: Tags, name: str) -> str:
    value = tags.get(name)
    return value.strip("\x00 \t\r\n") if isinstance(value, str) else ""


def _camera(tags: Tags) -> str:
    """Make and model in one line, without the repeated make and without control characters."""
    make, model = _text(tags, "Make"), _text(tags, "Model")
    name = model if model.lower().startswith(make.lower()) else f"{make} {model}"
    return "".join(char for char in name if char.isprintable()).strip()[:80]


def _taken_at(tags: Tags, refused: list[str]) -> datetime | None:
    """The time of exposure; of digitising where that is missing. DateTime (306) is the last *editing* and says nothing."""
    for name, offset_name in (("DateTimeOriginal", "OffsetTimeOriginal"), ("DateTimeDigitized", "OffsetTimeDigitized")):
        text = _text(tags, name)
        if not text.strip(": "):
            continue  # blank means unknown (EXIF 2.32, 4.6.5)
        when, why = _parse_time(text, _text(tags, offset_name))
        if why:
            refused.append(f"{name} {text[:40]!r}: {why}")
        if when is not None:
            return when
    return None


def _parse_time(text: str, offset: str) -> tuple[datetime | None, str]:
    """The instant and an empty string, or None (or the instant in China's time) and why something was refused."""
    match = _TIME.match(text)
    if match is None:
        return None, "not a time"
    year, month, day, hour, minute, second = (int(part) for part in match.groups())
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        return None, "a year without EXIF: a clock never set"
    if (month, day, hour, minute) == (1, 1, 0, 0):
        return None, "a factory default: a clock never set"
    zone, why = _zone(offset)
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=zone), why
    except ValueError:
        return None, "no such time"


def _zone(offset: str) -> tuple[timezone, str]:
    """The offset's zone; China's where it is missing, or (with the reason) where it is no offset on Earth."""
    if not offset.strip(": +-"):
        return CHINA, ""
    if offset.upper() == "Z":
        return timezone(timedelta(0)), ""
    match = _OFFSET.fullmatch(offset)
    if match is None or int(match[3]) > 59 or int(match[2]) * 60 + int(match[3]) > 14 * 60:
        return CHINA, f"offset {offset[:12]!r} is none; read as +08:00"
    shift = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(-shift if match[1] == "-" else shift), ""


def _point(tags: Tags, refused: list[str]) -> GeoPoint | None:
    """The place of exposure in degrees, with its datum (WGS-84 unless the photo names GCJ-02)."""
    if "GPSLatitude" not in tags and "GPSLongitude" not in tags:
        return None
    point, why = _parse_point(tags)
    if why:
        refused.append(f"GPS position: {why}")
    return point


def _parse_point(tags: Tags) -> tuple[GeoPoint | None, str]:
    if _text(tags, "GPSStatus").upper() == "V":
        return None, "the receiver marked it void"
    lat = _degrees(tags.get("GPSLatitude"), _text(tags, "GPSLatitudeRef"), "NS", 90.0)
    lon = _degrees(tags.get("GPSLongitude"), _text(tags, "GPSLongitudeRef"), "EW", 180.0)
    if isinstance(lat, str) or isinstance(lon, str):
        return None, lat if isinstance(lat, str) else str(lon)
    if lat == 0.0 and lon == 0.0:
        return None, "0, 0 is a default, not a place"
    datum = _text(tags, "GPSMapDatum")
    if not datum.strip("-") or _WGS84.search(datum):
        return GeoPoint(lat, lon, Datum.WGS84), ""
    if _GCJ02.search(datum):
        return GeoPoint(lat, lon, Datum.GCJ02), ""
    return None, f"unknown datum {datum[:20]!r}"


def _degrees(value: object, ref: str, letters: str, most: float) -> float | str:
    """Degrees from [degrees, minutes, seconds] and a hemisphere letter, or why they are none."""
    parts = [part for part in value if isinstance(part, float)] if isinstance(value, Sequence) else []
    if not isinstance(value, Sequence) or not 1 <= len(parts) <= 3 or len(parts) != len(value):
        return "not degrees, minutes, seconds"
    if not all(math.isfinite(part) and part >= 0 for part in parts):
        return "a number that is none (zero denominator)"
    degrees, minutes, seconds = (*parts, 0.0, 0.0)[:3]
    if minutes >= 60 or seconds >= 60:
        return "60 minutes or seconds, or more"
    total = degrees + minutes / 60 + seconds / 3600
    if total > most:
        return "out of range"
    letter = ref[:1].upper()
    if not letter or letter not in letters:
        return "no hemisphere"
    return -total if letter in "SW" else total
