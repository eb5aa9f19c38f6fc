"""Coordinates: the two datums, county polygons, borders, boxes."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.divisions import table
from ingest.places import geo
from ingest.where import locate
from store.model import Certainty, Datum, GeoPoint

POINTS = [
    (39.9087, 116.3975, "110101"),  # 天安门
    (39.9996, 116.2755, "110108"),  # 颐和园
    (31.2397, 121.4998, "310115"),  # 陆家嘴
    (29.5745, 106.5310, "500157"),  # 观音桥, 江北区 until 2026
    (22.5431, 114.0579, "440304"),  # 深圳市民中心
    (23.1365, 113.3245, "440106"),  # 天河体育中心
    (23.0205, 113.7518, "441900"),  # 东莞: a prefecture without counties
    (22.5176, 113.3926, "442000"),  # 中山
    (30.3622, 113.4534, "429004"),  # 仙桃, directly administered
    (35.0670, 112.6020, "419001"),  # 济源, directly administered
    (44.3060, 86.0800, "659001"),  # 石河子
    (19.5170, 109.5770, "460400"),  # 儋州
    (39.7720, 98.2890, "620200"),  # 嘉峪关
    (30.5447, 114.3025, "420106"),  # 黄鹤楼
    (29.6578, 91.1172, "540102"),  # 布达拉宫
    (45.7068, 126.5770, "230103"),  # 哈尔滨西站
    (29.3060, 120.0750, "330782"),  # 义乌
    (31.3850, 120.9580, "320583"),  # 昆山
    (22.3193, 114.1694, "810000"),  # 旺角
    (22.1987, 113.5480, "820000"),  # 澳门
    (25.0340, 121.5645, "710000"),  # 台北
    (18.2287, 109.6400, "460203"),  # 亚龙湾
    (31.5990, 117.8650, "340181"),  # 巢湖市
]


@pytest.mark.parametrize(("lat", "lon", "adcode"), POINTS)
def test_points_far_from_borders(lat: float, lon: float, adcode: str) -> None:
    """Well-known points in WGS-84 give today's division, and the same place in GCJ-02 gives the same."""
    where = locate(GeoPoint(lat, lon, Datum.WGS84))
    assert (where.adcode, where.certainty) == (adcode, Certainty.HIGH)
    shifted = GeoPoint(*geo.wgs84_to_gcj02(lat, lon), Datum.GCJ02)
    assert locate(shifted).adcode == adcode


@given(st.floats(18, 53), st.floats(74, 134))
def test_the_datums_convert_back(lat: float, lon: float) -> None:
    """GCJ-02 and back moves a point by less than a tenth of a metre; the offset is tens to hundreds of metres, never kilometres.

    The smallest offset inside China, 0.0002 degrees, lies near 37.15 N 96.6 E (a grid of 0.05 degrees).
    """
    there = geo.wgs84_to_gcj02(lat, lon)
    back = geo.gcj02_to_wgs84(*there)
    assert math.dist(back, (lat, lon)) < 1e-6
    assert 0.00015 < math.dist(there, (lat, lon)) < 0.02


def test_abroad_the_datums_are_one() -> None:
    """Outside China no map shifts coordinates."""
    assert geo.gcj02_to_wgs84(51.5, -0.12) == (51.5, -0.12)


def test_reading_the_datum_wrongly_changes_the_answer_near_a_border() -> None:
    """About 550 m matter: of points across Guangzhou's centre some change their division when the datum is mistaken."""
    grid = [(23.09 + 0.005 * i, 113.24 + 0.005 * j) for i in range(12) for j in range(20)]
    wgs = [locate(GeoPoint(lat, lon, Datum.WGS84)).adcode for lat, lon in grid]
    gcj = [locate(GeoPoint(lat, lon, Datum.GCJ02)).adcode for lat, lon in grid]
    changed = sum(one != other for one, other in zip(wgs, gcj, strict=True))
    assert 0.03 < changed / len(grid) < 0.5


def test_near_a_border_the_parent_answers() -> None:
    """Walking from one district into another, the answer goes county, city, county; never straight from one to the other."""
    line = [locate(GeoPoint(23.1291, 113.2644 + 0.0005 * step, Datum.WGS84)).adcode for step in range(140)]
    runs = [line[0], *(after for before, after in pairwise(line) if before != after)]
    assert {"440104", "440106", "440100"} <= set(runs)
    for before, after in pairwise(runs):
        assert "440100" in (before, after)


def test_near_a_border_of_provinces_nobody_answers() -> None:
    """At 罗湖口岸 Shenzhen and Hong Kong are closer than the polygons are fine: both are left open."""
    where = locate(GeoPoint(22.5333, 114.1181, Datum.WGS84))
    assert where.adcode is None
    assert set(where.alternatives) == {"440303", "810000"}
    assert not where.settled


def test_every_polygon_answers_with_a_division_of_today() -> None:
    """Former codes and the parts of Hong Kong, Macau and Taiwan are translated; nearly every county has a polygon."""
    _, codes = geo._shapes()
    assert all(table().get(code) for code in codes)
    missing = {division.adcode for division in table() if division.level == "county"} - set(codes)
    assert len(missing) < 10, sorted(missing)


def test_what_divisions_share() -> None:
    """Two districts share their city, two cities their province, two provinces nothing."""
    divisions = table()
    assert geo.common_division(["440104", "440106"], divisions) == "440100"
    assert geo.common_division(["440104", "440303"], divisions) == "440000"
    assert geo.common_division(["440303", "810000"], divisions) is None
    assert geo.common_division([], divisions) is None
