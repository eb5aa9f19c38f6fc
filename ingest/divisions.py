"""China's administrative divisions by code (GB/T 2260): today's, and every code and name since 1980 resolved to today's.

The tables under ``ingest/data`` are built by ``scripts/build_divisions.py``; their first lines name origin and licence.
The table is read once, at first use, and kept; importing this module reads nothing.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Literal

Level = Literal["province", "prefecture", "county"]

MUNICIPALITIES = frozenset({"110000", "120000", "310000", "500000"})
"""Provinces whose counties hang directly under them: 北京, 天津, 上海, 重庆."""


@dataclass(frozen=True, slots=True)
class Division:
    """One division of today. ``short`` drops the kind (``重庆市`` -> ``重庆``); ``pinyin`` is toneless, in one word.

    ``parent`` is the adcode of the level above, None for provinces. Directly administered counties (4190xx, 4290xx, 4690xx,
    6590xx) and the districts of municipalities have their province as parent; pseudo-codes such as 500100 do not exist.
    """

    adcode: str
    name: str
    short: str
    pinyin: str
    level: Level
    parent: str | None


@dataclass(frozen=True, slots=True)
class Former:
    """A code or a name that is no longer used, the years it stood in the lists, and today's code that answers for it."""

    code: str
    name: str
    first_year: int
    last_year: int
    parent_name: str
    today: str


@dataclass(frozen=True)
class DivisionTable:
    """Look-ups over today's divisions and the former ones. Build it with :func:`table`."""

    divisions: dict[str, Division]
    formers: tuple[Former, ...]
    _by_name: dict[str, list[Division]] = field(default_factory=dict)
    _children: dict[str, list[Division]] = field(default_factory=dict)
    _former_by_key: dict[str, list[Former]] = field(default_factory=dict)
    _chains: dict[str, tuple[Division, ...]] = field(default_factory=dict)
    _codes_up: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _prefectures: dict[str, str | None] = field(default_factory=dict)
    _full_names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for division in self.divisions.values():
            for name in {division.name, division.short}:
                self._by_name.setdefault(name, []).append(division)
            if division.parent:
                self._children.setdefault(division.parent, []).append(division)
        for division in self.divisions.values():
            self._chains[division.adcode] = tuple(self._upwards(division))
            self._codes_up[division.adcode] = tuple(up.adcode for up in self._chains[division.adcode])
            self._prefectures[division.adcode] = self._prefecture(self._chains[division.adcode])
            self._full_names[division.adcode] = "".join(up.name for up in reversed(self._chains[division.adcode]))
        for former in self.formers:
            self._former_by_key.setdefault(former.code, []).append(former)
            self._former_by_key.setdefault(former.name, []).append(former)

    def __iter__(self) -> Iterator[Division]:
        return iter(self.divisions.values())

    def __len__(self) -> int:
        return len(self.divisions)

    def get(self, adcode: str) -> Division | None:
        """Today's division with exactly this code; None for former codes (see :meth:`resolve_old`) and pseudo-codes."""
        return self.divisions.get(adcode)

    def by_name(self, name: str) -> list[Division]:
        """Every division of today with this full or short name: ``朝阳`` gives six. Empty when there is none."""
        return list(self._by_name.get(name, ()))

    def children(self, adcode: str) -> list[Division]:
        """The divisions directly below, in the order of their codes; empty for counties and for 441900, 442000, 620200."""
        return list(self._children.get(adcode, ()))

    def ancestors(self, adcode: str) -> list[Division]:
        """The division itself, then its prefecture if it has one, then its province; empty for an unknown code."""
        return list(self._chains.get(adcode, ()))

    def _upwards(self, division: Division) -> Iterator[Division]:
        at: Division | None = division
        while at is not None:
            yield at
            at = self.divisions.get(at.parent) if at.parent else None

    def full_name(self, adcode: str) -> str:
        """``500119`` -> ``重庆市南川区``; empty for an unknown code."""
        return self._full_names.get(adcode, "")

    def up_from(self, adcode: str) -> tuple[str, ...]:
        """The codes of all that contain ``adcode``, itself first; empty for an unknown code."""
        return self._codes_up.get(adcode, ())

    def contains(self, outer: str, inner: str) -> bool:
        """True when ``inner`` is ``outer`` or lies in it; False when either code is unknown."""
        if outer == inner:
            return outer in self.divisions
        return outer in self._codes_up.get(inner, ())

    def prefecture_of(self, adcode: str) -> str | None:
        """The adcode that answers on the prefecture level: the prefecture, or for municipalities, SARs and directly
        administered counties the province or the county itself. None for provinces that have prefectures, and unknown codes."""
        return self._prefectures.get(adcode)

    @staticmethod
    def _prefecture(chain: tuple[Division, ...]) -> str | None:
        for division in chain:
            if division.level == "prefecture" or division.adcode in MUNICIPALITIES or division.adcode[:1] in "78":
                return division.adcode
        return chain[0].adcode if chain[0].level == "county" else None

    def resolve_old(self, code_or_name: str, year: int | None = None) -> Division | None:
        """Today's division for any code or name since 1980; None when it is unknown or names several places.

        A renamed or merged county resolves to its heir, a split one to its prefecture, a split prefecture to its province.
        With ``year`` what the code or name meant in that year comes first (codes were reused); without, today's meaning does.
        """
        if year is not None:
            then = {former.today for former in self.former(code_or_name, year)}
            if len(then) == 1:
                return self.divisions[then.pop()]
        now = self.divisions.get(code_or_name)
        named = [now] if now else self.by_name(code_or_name)
        if named:
            return named[0] if len(named) == 1 else None
        heirs = {former.today for former in self.former(code_or_name)}
        return self.divisions[heirs.pop()] if len(heirs) == 1 else None

    def former(self, code_or_name: str, year: int | None = None) -> list[Former]:
        """The former divisions with this code or full name (in ``year`` where given), with the years they stood."""
        found = self._former_by_key.get(code_or_name, ())
        return [former for former in found if year is None or former.first_year <= year <= former.last_year]


def data_rows(name: str) -> Iterator[dict[str, str]]:
    """The rows of one of this folder's tables by column name; lines that begin with ``#`` are comments."""
    data = files("ingest").joinpath("data", name).read_bytes()
    text = (gzip.decompress(data) if name.endswith(".gz") else data).decode("utf-8")
    return iter(csv.DictReader(line for line in text.splitlines() if line and not line.startswith("#")))


_LEVELS: dict[str, Level] = {"province": "province", "prefecture": "prefecture", "county": "county"}


@cache
def table() -> DivisionTable:
    """The table, read at the first call and kept (about 0.05 s and 6 MB)."""
    divisions = {
        row["adcode"]: Division(
            row["adcode"], row["name"], row["short"], row["pinyin"], _LEVELS[row["level"]], row["parent"] or None
        )
        for row in data_rows("divisions.csv")
    }
    formers = tuple(
        Former(row["code"], row["name"], int(row["from"]), int(row["to"]), row["parent"], row["today"])
        for row in data_rows("divisions_old.csv")
    )
    return DivisionTable(divisions, formers)
