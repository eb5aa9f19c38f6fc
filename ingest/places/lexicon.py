"""Every name a place may have in a text, and the automaton that finds them in one pass.

Names come from the division table (full, short, pinyin, former), from ``landmarks.csv`` (stations, streets, nicknames) and from
``words.csv`` (words that only look like places, which win because they are found first or are longer).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from ahocorasick_rs import MATCHKIND_LEFTMOST_LONGEST, AhoCorasick

from ingest.divisions import Division, data_rows, table

Kind = Literal["province", "prefecture", "county", "short county", "former", "landmark", "pinyin", "word"]
Weight = Literal[0, 1, 2]
"""Whether a name counts alone: 2 yes, 1 only where the words around it speak of a place, 0 only beside its parent."""


@dataclass(frozen=True, slots=True)
class Sense:
    """One place that a name may mean."""

    adcode: str
    kind: Kind
    weight: Weight


@dataclass(frozen=True, slots=True)
class Name:
    """A name and its senses, the most likely first. No senses: a word that only looks like a place."""

    text: str
    senses: tuple[Sense, ...]
    ascii: bool

    @property
    def weight(self) -> int:
        return max((sense.weight for sense in self.senses), default=0)


GENERIC = frozenset({"郊区", "城区", "矿区", "市中区", "新区", "市区", "县城"})

WEAK_PREFECTURES = frozenset(
    "安康 来宾 日照 中山 阿里 白银 开封 北海 大理 和田 三明 朝阳 保山 玉树 黄山 长治 海东 海西 海北 兴安 怒江 红河 文山 大庆 中卫 自贡 凉山"
    " 平凉 天水 常德 百色 安顺 金昌 定西 黄南 甘南 黔南 临夏 通化 四平 东营 德阳 广元 巴中 黑河 白山 白城 松原 辽源 六安".split()
)
"""Short names of prefectures that are also words, mountains, parks or people's names."""

COMMON_WORDS = frozenset(
    "东方 合作 双河 新星 白杨 永安 永康 东阳 江山 高安 乐平 福安 南安 石狮 海城 大安 安达 海林 宁安 新民 龙口 高平 安国 海阳 应城 天门 赤壁 洪湖"
    " 洪江 乐昌 兴宁 阳春 台山 开平 文昌 康定 安宁 福泉 弥勒 大理 同仁 玉树 兴平 长安 建安 石首 当阳 合山 东兴 武夷山 庐山 韶山 井冈山 峨眉山 五指山"
    " 都江堰 黄山 铁门关 北流 信宜 化州 共青城 大冶 赤水 清镇 水富 开远 玉门 敦煌 沙湾 公主岭 和龙 双辽 同江".split()
)
"""Short names of county-level cities that are also words, persons' names or sights: they count beside their parent only."""

NICKNAMES = {
    "魔都": "310000", "申城": "310000", "沪上": "310000", "上海滩": "310000", "帝都": "110000", "首都": "110000", "京城": "110000",
    "羊城": "440100", "妖都": "440100", "鹏城": "440300", "蓉城": "510100", "金陵": "320100", "冰城": "230100", "鹭岛": "350200",
    "甬城": "330200", "津门": "120000", "天津卫": "120000", "泉城": "370100", "岛城": "370200", "滨城": "210200", "奉天": "210100",
    "北平": "110000", "燕京": "110000",
}  # fmt: skip
WEAK_NICKNAMES = frozenset({"首都", "金陵", "燕京", "北平", "奉天", "滨城", "上海滩", "泉城", "岛城", "津门"})

ENGLISH = {
    "harbin": "230100", "hohhot": "150100", "huhhot": "150100", "urumqi": "650100", "lhasa": "540100", "shaanxi": "610000",
    "hong kong": "810000", "hongkong": "810000", "kowloon": "810000", "macau": "820000", "macao": "820000", "taiwan": "710000",
    "taipei": "710000", "kaohsiung": "710000", "taichung": "710000", "tainan": "710000", "hsinchu": "710000", "keelung": "710000",
    "inner mongolia": "150000", "tibet": "540000", "canton": "440100", "peking": "110000", "xi'an": "610100", "kashgar": "653100",
    "ordos": "150600", "qiqihar": "230200", "jiamusi": "230800", "tai'an": "370900", "lu'an": "341500", "ya'an": "511800",
    "ji'an": "360800", "yan'an": "610600", "hua'ian": "320800", "huai'an": "320800", "pu'er": "530800", "guang'an": "511600",
    "shigatse": "540200", "golmud": "632801", "korla": "652801", "amoy": "350200", "chungking": "500000", "tientsin": "120000",
    "tsingtao": "370200", "kunshan": "320583", "yiwu": "330782", "pudong": "310115", "haidian": "110108",
}  # fmt: skip

RISKY_PINYIN = frozenset(
    "ali aba dali jian luan xian yaan puer anyang hami heihe yanan taian hetian baise beihai sanming hebi ankang haidong haixi haibei huangnan".split()
)
"""Readings that are English words, names or parts of other readings: they count capitalised behind in/at/near only."""


class Lexicon:
    """All names, found by :meth:`find` in one pass over a normalised text."""

    def __init__(self) -> None:
        self._senses: dict[str, dict[str, Sense]] = {}
        for add in (self._divisions, self._formers, self._nicknames, self._pinyin, self._landmarks, self._words):
            add()
        self.names = [Name(text, tuple(senses.values()), text.isascii()) for text, senses in self._senses.items()]
        self._automaton = AhoCorasick([name.text for name in self.names], matchkind=MATCHKIND_LEFTMOST_LONGEST)

    def find(self, prose: str) -> list[tuple[Name, int, int]]:
        """Every name in ``prose`` with its span: leftmost, then longest, never overlapping."""
        names = self.names
        return [(names[index], start, end) for index, start, end in self._automaton.find_matches_as_indexes(prose)]

    def _add(self, text: str, adcode: str, kind: Kind, weight: Weight) -> None:
        known = self._senses.setdefault(text, {})
        if adcode not in known or known[adcode].weight < weight:
            known[adcode] = Sense(adcode, kind, weight)

    def _divisions(self) -> None:
        divisions = sorted(table(), key=lambda d: ("province", "prefecture", "county").index(d.level))
        for division in divisions:
            if division.name in GENERIC:
                continue
            self._add(division.name, division.adcode, "county" if division.level == "county" else division.level, 2)
            if division.short == division.name or len(division.short) < 2:
                continue
            kind: Kind = "short county" if division.level == "county" else division.level
            self._add(division.short, division.adcode, kind, self._short_weight(division))

    def _short_weight(self, division: Division) -> Weight:
        if division.level == "province":
            return 2
        if division.level == "prefecture":
            return 1 if division.short in WEAK_PREFECTURES else 2
        alone = division.name.endswith("市") and division.short not in COMMON_WORDS
        return 1 if alone and len(table().by_name(division.short)) == 1 else 0

    def _formers(self) -> None:
        for former in table().formers:
            if former.last_year < 1995 or former.name in GENERIC or former.name.endswith("地区"):
                continue
            today = table().get(former.today)
            if today is None or former.name == today.name:
                continue
            self._add(former.name, former.today, "former", 2)
            short = re.sub(r"[市县区]$", "", former.name)
            if len(short) > 1 and short != today.short and not table().by_name(short):
                self._add(short, former.today, "former", 2 if former.code.endswith("00") else 0)

    def _nicknames(self) -> None:
        for text, adcode in NICKNAMES.items():
            self._add(text, adcode, "landmark", 1 if text in WEAK_NICKNAMES else 2)

    def _pinyin(self) -> None:
        for text, adcode in ENGLISH.items():
            self._add(text, adcode, "pinyin", 2)
        for division in table():
            if division.level == "county" or len(division.pinyin) < 3 or division.pinyin in ENGLISH:
                continue
            if division.adcode in ("610000", "810000", "820000"):
                continue
            self._add(division.pinyin, division.adcode, "pinyin", 1 if division.pinyin in RISKY_PINYIN else 2)
        for division in table():
            if division.level == "county" and division.pinyin not in ENGLISH and len(division.pinyin) > 4:
                self._add(division.pinyin, division.adcode, "pinyin", 0)

    def _landmarks(self) -> None:
        for row in data_rows("landmarks.csv"):
            weight: Weight = 2 if row["scope"] == "unique" else 0
            for adcode in row["adcode"].split("|"):
                self._add(row["name"], adcode, "landmark", weight)

    def _words(self) -> None:
        for row in data_rows("words.csv"):
            self._senses[row["word"]] = {}


@cache
def lexicon() -> Lexicon:
    """The lexicon, built at the first call and kept."""
    return Lexicon()
