"""The division table: today's codes, and every code and name since 1980 resolved to today's."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from ingest.divisions import MUNICIPALITIES, data_rows, table

DATA = Path(__file__).resolve().parents[2] / "ingest" / "data"


def test_counts_are_those_of_the_national_list() -> None:
    """34 provinces, 333 prefectures and 2847 counties: the Ministry's list of 2026 with Hong Kong, Macau and Taiwan."""
    assert Counter(division.level for division in table()) == {"province": 34, "prefecture": 333, "county": 2847}


@pytest.mark.parametrize(
    ("adcode", "full_name"),
    [
        ("110105", "北京市朝阳区"),
        ("220104", "吉林省长春市朝阳区"),
        ("500157", "重庆市两江新区"),
        ("429004", "湖北省仙桃市"),
        ("419001", "河南省济源市"),
        ("469002", "海南省琼海市"),
        ("659001", "新疆维吾尔自治区石河子市"),
        ("441900", "广东省东莞市"),
        ("460400", "海南省儋州市"),
        ("620200", "甘肃省嘉峪关市"),
        ("810000", "香港特别行政区"),
        ("820000", "澳门特别行政区"),
        ("710000", "台湾省"),
        ("659013", "新疆维吾尔自治区草湖市"),
        ("340181", "安徽省合肥市巢湖市"),
    ],
)
def test_full_names(adcode: str, full_name: str) -> None:
    """A full name is the chain of names; municipalities and directly administered counties have no level in between."""
    assert table().full_name(adcode) == full_name


def test_pseudo_codes_are_no_divisions() -> None:
    """市辖区 and 县 (x01xx, x02xx of municipalities, xxx01) name no place."""
    divisions = table()
    for code in ("110100", "310100", "500100", "500200", "440301", "419000", "469000"):
        assert divisions.get(code) is None
        assert divisions.full_name(code) == ""


def test_every_parent_exists_one_level_up() -> None:
    """Counties hang under a prefecture, or under a province where there is none; prefectures under their province."""
    divisions = table()
    for division in divisions:
        if division.level == "province":
            assert division.parent is None
            continue
        parent = divisions.get(division.parent or "")
        assert parent is not None
        assert parent.adcode[:2] == division.adcode[:2]
        if division.level == "county" and parent.level == "province":
            direct = division.adcode[2:4] == "90"
            assert parent.adcode in MUNICIPALITIES or direct


def test_cities_without_counties() -> None:
    """Dongguan, Zhongshan, Danzhou and Jiayuguan have no counties; Guangzhou has eleven."""
    divisions = table()
    for adcode in ("441900", "442000", "460400", "620200"):
        assert divisions.children(adcode) == []
    assert len(divisions.children("440100")) == 11
    assert [child.name for child in divisions.children("110000")][:3] == ["东城区", "西城区", "朝阳区"]


@pytest.mark.parametrize(
    ("old", "today"),
    [
        ("110104", "110102"),  # 宣武区
        ("110103", "110101"),  # 崇文区
        ("310108", "310106"),  # 闸北区
        ("310119", "310115"),  # 南汇区
        ("500105", "500157"),  # 重庆江北区
        ("500112", "500157"),  # 重庆渝北区
        ("320503", "320508"),  # 平江区
        ("330204", "330212"),  # 宁波江东区
        ("440116", "440112"),  # 萝岗区
        ("371202", "370116"),  # 莱城区
        ("341402", "340181"),  # 居巢区
        ("340221", "340210"),  # 芜湖县
        ("510224", "500157"),  # 江北县
        ("130421", "130400"),  # 邯郸县, split: its prefecture
        ("330104", "330100"),  # 江干区, split: its prefecture
        ("320222", "320200"),  # 无锡县, split: its prefecture
        ("142100", "140000"),  # 雁北地区, split: its province
        ("宣武区", "110102"),
        ("襄樊市", "420600"),
        ("萧山市", "330109"),
        ("昌都县", "540302"),
        ("户县", "610118"),
        ("哲里木盟", "150500"),
        ("广东省", "440000"),
        ("义乌", "330782"),
        ("440303", "440303"),
    ],
)
def test_former_codes_and_names_resolve_to_today(old: str, today: str) -> None:
    """Renamed and merged divisions give their heir, split ones the level above."""
    found = table().resolve_old(old)
    assert found is not None
    assert found.adcode == today


def test_a_name_of_several_places_resolves_to_none() -> None:
    """朝阳区 alone is nobody's in particular; by_name lists them all."""
    divisions = table()
    assert divisions.resolve_old("朝阳区") is None
    assert {division.adcode for division in divisions.by_name("朝阳区")} == {"110105", "220104"}
    assert {division.adcode for division in divisions.by_name("吉林")} == {"220000", "220200"}
    assert divisions.resolve_old("没有这个地方") is None
    assert divisions.by_name("没有这个地方") == []


def test_the_year_decides_what_a_reused_name_meant() -> None:
    """江东区 of 2005 was Ningbo's; today no division is called so, and Hengyang had one until 2000."""
    divisions = table()
    then = divisions.resolve_old("江东区", year=2005)
    assert then is not None
    assert then.adcode == "330212"
    assert divisions.resolve_old("江东区") is None


def test_every_former_division_resolves_to_one_that_exists() -> None:
    """Every code and name of 1980-2024 has an heir in its own province, Chongqing and Hainan apart."""
    divisions = table()
    moved_provinces = {("51", "50"), ("44", "46")}
    for former in divisions.formers:
        assert divisions.get(former.today) is not None
        provinces = (former.code[:2], former.today[:2])
        assert provinces[0] == provinces[1] or provinces in moved_provinces, former
        assert 1980 <= former.first_year <= former.last_year <= 2024


def test_the_hand_made_file_gives_a_reason_for_each_line() -> None:
    """Each line names an existing heir and says when and why."""
    rows = list(data_rows("divisions_changed.csv"))
    assert len(rows) > 300
    for row in rows:
        assert table().get(row["today"]), row
        assert len(row["reason"]) >= 3, row


def test_ancestors_and_contains() -> None:
    """ancestors climbs from the division itself to its province; contains is true of itself and everything below."""
    divisions = table()
    assert [division.adcode for division in divisions.ancestors("440303")] == ["440303", "440300", "440000"]
    assert divisions.ancestors("999999") == []
    assert divisions.contains("440000", "440303")
    assert divisions.contains("440303", "440303")
    assert not divisions.contains("440303", "440300")
    assert not divisions.contains("999999", "999999")
    assert divisions.prefecture_of("310106") == "310000"
    assert divisions.prefecture_of("429004") == "429004"
    assert divisions.prefecture_of("440303") == "440300"
    assert divisions.prefecture_of("440000") is None


@pytest.mark.parametrize(
    ("adcode", "pinyin"),
    [("610000", "shaanxi"), ("140000", "shanxi"), ("500000", "chongqing"), ("350200", "xiamen"), ("341500", "luan"),
     ("340300", "bengbu"), ("130225", "laoting"), ("330382", "yueqing"), ("220100", "changchun"), ("140428", "zhangzi")],
)  # fmt: skip
def test_pinyin_follows_the_local_reading(adcode: str, pinyin: str) -> None:
    """Characters with several readings are read as the place is called, and Shaanxi is told from Shanxi."""
    division = table().get(adcode)
    assert division is not None
    assert division.pinyin == pinyin


def test_pinyin_is_plain_letters() -> None:
    """Every reading is lower-case ASCII in one word."""
    assert all(re.fullmatch(r"[a-z]+", division.pinyin) for division in table())


def test_tables_say_where_they_come_from() -> None:
    """The built tables begin with their origin and its licence."""
    for name in ("divisions.csv", "divisions_old.csv"):
        first = (DATA / name).read_text("utf-8").splitlines()[0]
        assert first.startswith("#")
        assert "MIT" in first


def test_landmarks_name_existing_divisions() -> None:
    """Every line of landmarks.csv has a known scope and codes that exist, and no name twice."""
    seen: set[str] = set()
    for row in data_rows("landmarks.csv"):
        assert row["scope"] in ("unique", "district", "city"), row
        assert all(table().get(code) for code in row["adcode"].split("|")), row
        assert row["name"] not in seen, row
        seen.add(row["name"])
    assert len(seen) > 1500


def test_importing_reads_no_file() -> None:
    """Importing the resolver opens no data file; the tables are read at the first call."""
    code = (
        "import sys, ingest.where, ingest.divisions as d, ingest.places.lexicon as x, ingest.places.geo as g;"
        "sys.exit(d.table.cache_info().currsize + x.lexicon.cache_info().currsize + g._shapes.cache_info().currsize)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=DATA.parents[1], check=False).returncode == 0


def test_csv_has_no_ragged_rows() -> None:
    """Every table has as many cells in each row as its header names."""
    for path in DATA.glob("*.csv"):
        lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
        widths = {len(row) for row in csv.reader(lines)}
        assert len(widths) == 1, path.name
