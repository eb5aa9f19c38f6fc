"""Every name a place may have in a text, and the automaton that finds them in one pass.

Names come from the division table (full, short, pinyin, former), from ``landmarks.csv`` (stations, streets, nicknames) and from
``words.csv`` (words that only look like places, which win because they are found first or are longer).
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import Literal, NamedTuple

from ahocorasick_rs import MATCHKIND_LEFTMOST_LONGEST, AhoCorasick

from ingest.divisions import Division, data_rows, table

Kind = Literal["province", "prefecture", "county", "short county", "former", "landmark", "pinyin", "word"]
Weight = Literal[0, 1, 2, 3]
"""Whether a name counts alone: 3 anywhere, 2 where it opens a clause or a cue is near, 1 where a preposition or a place word says
that it is a place, 0 only beside its parent."""


class Sense(NamedTuple):
    """One place that a name may mean."""

    adcode: str
    kind: Kind
    weight: Weight


class Name(NamedTuple):
    """A name and its senses. No senses: a word that only looks like a place.

    ``weight`` is the greatest of its senses, ``alone`` the senses that count where the name counts without help.
    """

    text: str
    senses: tuple[Sense, ...]
    weight: Weight
    alone: tuple[Sense, ...]

    @classmethod
    def of(cls, text: str, senses: tuple[Sense, ...]) -> Name:
        if len(senses) == 1:  # four of five names
            return cls(text, senses, senses[0].weight, senses if senses[0].weight else ())
        weight: Weight = max((sense.weight for sense in senses), default=0)
        return cls(text, senses, weight, widest(tuple(sense for sense in senses if sense.weight == weight)) if weight else ())


def widest(senses: tuple[Sense, ...]) -> tuple[Sense, ...]:
    """``吉林`` the province rather than its city, ``湘潭`` the city rather than its county: the answer that holds either way."""
    if len(senses) < 2:
        return senses
    provinces = tuple(sense for sense in senses if sense.kind == "province")
    prefectures = tuple(sense for sense in senses if sense.adcode.endswith("00"))
    if len(prefectures) == 1 and all(sense.adcode[:4] == prefectures[0].adcode[:4] for sense in senses):
        return prefectures
    return provinces or senses


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


GENERIC = frozenset({"郊区", "城区", "矿区", "市中区", "新区", "市区", "县城"})

WEAK_PREFECTURES = _words(
    "安康 来宾 日照 中山 阿里 白银 开封 北海 大理 和田 朝阳 玉树 黄山 长治 海东 海西 海北 兴安 怒江 红河 文山 大庆 大同 山南"
    " 安顺 凉山 黄南 甘南 黔南 白山 黑河 中卫 金昌 临夏 保山"
)
"""Short names of prefectures that are also words, mountains, parks or people's names."""

COMMON_WORDS = _words(
    "东方 合作 双河 新星 白杨 永安 永康 江山 高安 乐平 福安 南安 石狮 海城 大安 安达 海林 宁安 新民 高平 安国 海阳 应城 天门"
    " 赤壁 洪湖 洪江 乐昌 兴宁 阳春 台山 开平 文昌 康定 安宁 福泉 弥勒 大理 同仁 玉树 兴平 石首 当阳 合山 东兴 庐山 铁门关"
    " 北流 信宜 化州 大冶 赤水 水富 开远 玉门 沙湾 和龙 双辽 同江 长安 建安 草湖 万源 通州 潮阳 明光 太和 新华 香格里拉"
)
"""Short names of county-level cities that are also words, persons' names or sights: they count beside their parent only."""

MOST_TOWNS = 8
"""Town names that more counties share (城关镇) say nothing."""

RISKY_PINYIN = _words(
    "chaoyang ali aba dali jian luan xian yaan puer anyang hami heihe yanan taian hetian baise beihai sanming hebi ankang"
    " haidong haixi haibei huangnan"
)
"""Readings that are English words, names or parts of other readings: they count capitalised behind in/at/near only."""


class Lexicon:
    """All names, found by :meth:`find` in one pass over a normalised text."""

    def __init__(self) -> None:
        self._senses: dict[str, dict[str, Sense]] = {}
        for add in (self._divisions, self._formers, self._aliases, self._pinyin, self._landmarks, self._towns, self._words):
            add()
        self.names = [Name.of(text, tuple(senses.values())) for text, senses in self._senses.items()]
        self._index = {name.text: index for index, name in enumerate(self.names)}
        self._automaton = AhoCorasick([name.text for name in self.names], matchkind=MATCHKIND_LEFTMOST_LONGEST)

    def find(self, prose: str) -> list[tuple[Name, int, int]]:
        """Every name of a place in ``prose`` with its span: leftmost, then longest, never overlapping."""
        names, found = self.names, self._automaton.find_matches_as_indexes(prose)
        return [(names[index], start, end) for index, start, end in found if names[index].senses]

    def get(self, text: str) -> Name | None:
        """The name written exactly so, if there is one."""
        index = self._index.get(text)
        return self.names[index] if index is not None else None

    def _add(self, text: str, adcode: str, kind: Kind, weight: Weight) -> None:
        known = self._senses.setdefault(text, {})
        if adcode not in known or known[adcode].weight < weight:
            known[adcode] = Sense(adcode, kind, weight)

    def _divisions(self) -> None:
        divisions = sorted(table(), key=lambda d: ("province", "prefecture", "county").index(d.level))
        for division in divisions:
            if division.parent and (division.name in GENERIC or division.name[0] == "市"):
                parent = table().divisions[division.parent]
                for city in (parent.name, parent.short):  # 济南市中区 would be read as 济南市|中区, 青岛市北区 as 青岛市|北区
                    self._add(city + division.name, division.adcode, "county", 3)
            if division.name in GENERIC:
                continue
            whole: Weight = 3 if len(division.name) > 2 else 1  # 范县, 康县 end 示范县, 小康县
            self._add(division.name, division.adcode, division.level, whole)
            if division.short == division.name or len(division.short) < 2:
                continue
            if "自治" in division.name and len(table().by_name(division.short)) == 1:
                kept = division.name[-1]  # 凉山州, 石柱县, 鄂伦春旗
                self._add(division.short + kept, division.adcode, division.level, 3)
            kind: Kind = "short county" if division.level == "county" else division.level
            self._add(division.short, division.adcode, kind, self._short_weight(division))

    def _short_weight(self, division: Division) -> Weight:
        if division.level == "province":
            return 3
        if division.level == "prefecture":
            return 1 if division.short in WEAK_PREFECTURES else 3
        if division.short.endswith("县"):
            return 1  # 梅县区, 赣县区 are still called 梅县, 赣县
        alone = division.name.endswith("市") and division.short not in COMMON_WORDS
        return 2 if alone and len(table().by_name(division.short)) == 1 else 0

    def _formers(self) -> None:
        for former in table().formers:
            if former.last_year < 1995 or former.name in GENERIC or former.name.endswith("地区"):
                continue
            today = table().get(former.today)
            if today is None or former.name == today.name:
                continue
            # by the first posts of the campaign (2011) today's bearer of the name was meant, unless the old parent is named
            if any(table().contains(former.today, bearer.adcode) for bearer in table().by_name(former.name)):
                continue  # 巢湖市 was a prefecture, now split; today's 巢湖市 is what people mean
            outlived = former.last_year < 2003 and bool(table().by_name(former.name))
            self._add(former.name, former.today, "former", 0 if outlived else 3 if len(former.name) > 2 else 1)
            short = re.sub(r"[市县区]$", "", former.name)
            if len(short) < 2 or short in COMMON_WORDS:
                continue
            bearers = table().by_name(short)
            if short == today.short and former.name.endswith("市") and len(bearers) == 1:
                self._add(short, former.today, "short county", 2)  # 即墨, 萧山: districts now, still called like cities
            elif short != today.short and not bearers:
                self._add(short, former.today, "former", 3 if former.code.endswith("00") else 0)

    def _aliases(self) -> None:
        for row in data_rows("aliases.csv"):
            kind: Kind = "pinyin" if row["name"].isascii() else "former"
            self._add(row["name"], row["adcode"], kind, 1 if row["scope"] == "weak" else 3)

    def _pinyin(self) -> None:
        known = frozenset(self._senses)  # aliases such as shaanxi, macau
        for division in table():
            if division.level == "county" or len(division.pinyin) < 3 or division.pinyin in known:
                continue
            if division.adcode in ("610000", "810000", "820000"):
                continue
            self._add(division.pinyin, division.adcode, "pinyin", 1 if division.pinyin in RISKY_PINYIN else 3)
        bearers = Counter(division.pinyin for division in table())
        for division in table():
            if division.level == "county" and division.pinyin not in known and len(division.pinyin) > 4:
                city = division.name.endswith("市") and bearers[division.pinyin] == 1
                self._add(division.pinyin, division.adcode, "pinyin", 1 if city else 0)

    def _landmarks(self) -> None:
        for row in data_rows("landmarks.csv"):
            codes = row["adcode"].split("|")
            cities = [division.short for division in table().ancestors(codes[0])]
            unique = row["scope"] == "unique" or any(row["name"].startswith(city) for city in cities if city != row["name"])
            weight: Weight = 3 if unique else 2 if row["scope"] == "district" else 0
            for adcode in codes:
                self._add(row["name"], adcode, "landmark", weight)

    def _towns(self) -> None:
        """Towns and subdistricts by their whole name; they count inside their prefecture only."""
        counties: dict[str, list[str]] = {}
        for row in data_rows("townships.csv.gz"):
            if table().get(row["adcode"]):
                for name in row["names"].split():
                    counties.setdefault(name, []).append(row["adcode"])
        inside = {division.adcode: Sense(division.adcode, "landmark", 0) for division in table()}
        for name, codes in counties.items():
            if len(codes) <= MOST_TOWNS and name not in self._senses:
                self._senses[name] = {code: inside[code] for code in codes}

    def _words(self) -> None:
        for row in data_rows("words.csv"):
            self._senses[row["word"]] = {}


@cache
def lexicon() -> Lexicon:
    """The lexicon, built at the first call and kept."""
    return Lexicon()
