"""The rules of one line of the directory of officials: what is refused, what is flagged, and how to mend it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from bot.alerts.directory_files import Formula
from bot.alerts.officials import MINISTRY
from bot.spreadsheets import unquoted
from ingest.divisions import DivisionTable
from store.model import AgencyType

COLUMNS = (
    "agency", "adcode", "level", "type", "priority", "valid_from", "valid_to",
    "platform", "account_id", "handle", "verified", "verified_type", "verified_reason", "checked_on", "evidence",
)  # fmt: skip
REQUIRED = ("agency", "adcode", "type")
LEVELS = ("county", "prefecture", "province", "ministry")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a line. ``fatal`` lines are not imported; the others are, with a flag for people."""

    line: int
    column: str
    text: str
    mend: str
    fatal: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the directory: an agency and, where ``account_id`` is set, its account on a platform."""

    line: int
    agency: str
    adcode: str
    level: str
    type: AgencyType
    priority: int = 100
    valid_from: date | None = None
    valid_to: date | None = None
    platform: str = ""
    account_id: str = ""
    handle: str = ""
    verified: bool = False
    verified_type: str = ""
    verified_reason: str = ""
    checked_on: date | None = None
    evidence: str = ""



_YES = {"1", "yes", "y", "true", "是", "已认证", "v", "√"}
_NO = {"0", "no", "n", "false", "否", "未认证", "", "×"}
_TYPES = {kind.value: kind for kind in AgencyType} | {
    "公安": AgencyType.POLICE,
    "打拐": AgencyType.ANTI_TRAFFICKING,
    "民政": AgencyType.CIVIL_AFFAIRS,
    "救助站": AgencyType.RESCUE_STATION,
    "媒体": AgencyType.MEDIA,
}
_HANDLE = re.compile(r"[\w\-·]{1,50}")
_ACCOUNT_ID = re.compile(r"\d{1,20}")


def level_of(divisions: DivisionTable, adcode: str) -> str | None:
    """county, prefecture, province or ministry; None where no division has this code today."""
    if adcode == MINISTRY:
        return "ministry"
    division = divisions.get(adcode)
    return None if division is None else division.level


class LineRules:
    """Checks lines one after the other and remembers what stood before, to find duplicates."""

    def __init__(self, divisions: DivisionTable, today: date, platforms: tuple[str, ...], max_age_days: int) -> None:
        self.divisions, self.today, self.platforms, self.max_age_days = divisions, today, platforms, max_age_days
        self.accounts: dict[tuple[str, str], int] = {}
        self.handles: dict[tuple[str, str], int] = {}
        self.agencies: dict[tuple[str, str], Row] = {}

    def row(self, line: int, values: dict[str, Any]) -> tuple[Row | None, list[Problem]]:
        """The line as a :class:`Row` (None where it is refused) and what is wrong with it."""
        wrong: list[Problem] = []

        def bad(column: str, text: str, mend: str, *, fatal: bool = True) -> None:
            wrong.append(Problem(line, column, text, mend, fatal))

        for name, value in values.items():
            if isinstance(value, Formula):
                bad(name, f"a formula: {value.text}", "paste the value in its place")
        words = {name: _word(values.get(name)) for name in COLUMNS}
        if not words["agency"]:
            bad("agency", "the agency has no name", "write its official name")
        level = self._level(words, bad)
        kind = _TYPES.get(words["type"].lower())
        if kind is None:
            bad("type", f"unknown type {words['type']!r}", f"one of {', '.join(t.value for t in AgencyType)}")
        dates = {name: self._date(name, values.get(name), bad) for name in ("valid_from", "valid_to", "checked_on")}
        row = Row(
            line,
            words["agency"],
            words["adcode"],
            level,
            kind or AgencyType.POLICE,
            self._priority(words["priority"], bad),
            dates["valid_from"],
            dates["valid_to"],
            words["platform"].lower(),
            words["account_id"],
            words["handle"].lstrip("@＠"),
            self._flag(words["verified"], bad),
            words["verified_type"],
            words["verified_reason"],
            dates["checked_on"],
            words["evidence"],
        )
        self._order(row, bad)
        self._account(row, bad)
        self._agency(row, bad)
        return (None if any(p.fatal for p in wrong) else row), wrong

    def _level(self, words: dict[str, str], bad: Callable[..., None]) -> str:
        adcode, said = words["adcode"], words["level"].lower()
        level = level_of(self.divisions, adcode)
        if level is None:
            heir = self.divisions.resolve_old(adcode) if re.fullmatch(r"\d{6}", adcode) else None
            mend = f"today it is {heir.adcode} {heir.name}" if heir else "a six-digit GB/T 2260 code, 000000 for the ministry"
            bad("adcode", f"no division has the code {adcode!r} today", mend)
            return said
        if said and said not in LEVELS:
            bad("level", f"unknown level {said!r}", f"one of {', '.join(LEVELS)}, or empty")
        elif said and said != level:
            bad("level", f"{adcode} is a {level}, not a {said}", f"write {level} or leave it empty")
        return level

    def _priority(self, word: str, bad: Callable[..., None]) -> int:
        if not word:
            return 100
        if not re.fullmatch(r"\d{1,6}", word):
            bad("priority", f"not a whole number: {word!r}", "1 is asked first; empty means 100")
            return 100
        return int(word)

    def _flag(self, word: str, bad: Callable[..., None]) -> bool:
        if word.lower() not in _YES | _NO:
            bad("verified", f"neither yes nor no: {word!r}", "write yes or no")
        return word.lower() in _YES

    def _date(self, column: str, value: Any, bad: Callable[..., None]) -> date | None:
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
        word = _word(value)
        if not word:
            return None
        found = re.fullmatch(r"(\d{4})(?:-|/|\.|年)(\d{1,2})(?:-|/|\.|月)(\d{1,2})日?", word)
        try:
            if found:
                return date(int(found[1]), int(found[2]), int(found[3]))
        except ValueError:
            pass
        bad(column, f"no date: {word!r}", "write it as 2026-01-31")
        return None

    def _order(self, row: Row, bad: Callable[..., None]) -> None:
        if row.valid_from and row.valid_to and row.valid_from > row.valid_to:
            bad("valid_to", f"ends ({row.valid_to}) before it begins ({row.valid_from})", "exchange the two dates")
        if row.valid_to and row.valid_to < self.today:
            self._flagged(bad, "valid_to", f"{row.agency} is out of office since {row.valid_to}", "add its successor")

    def _account(self, row: Row, bad: Callable[..., None]) -> None:
        if not (row.platform or row.account_id or row.handle):
            return
        if not row.platform or (self.platforms and row.platform not in self.platforms):
            bad("platform", f"unknown platform {row.platform!r}", f"one of {', '.join(self.platforms) or 'weibo, x'}")
        if not _ACCOUNT_ID.fullmatch(row.account_id):
            bad("account_id", f"no numeric account id: {row.account_id!r}", "the number in the account's page address, as text")
        if not _HANDLE.fullmatch(row.handle):
            bad("handle", f"no handle: {row.handle!r}", "the name after @, without spaces")
        for seen, key, column in (
            (self.accounts, (row.platform, row.account_id), "account_id"),
            (self.handles, (row.platform, row.handle.casefold()), "handle"),
        ):
            if key[1] and key in seen:
                bad(column, f"{key[1]} stands on line {seen[key]} already", "delete one of the two lines")
            elif key[1]:
                seen[key] = row.line
        self._trust(row, bad)

    def _trust(self, row: Row, bad: Callable[..., None]) -> None:
        if not row.verified:
            self._flagged(bad, "verified", f"@{row.handle} is not verified", "check its badge on the platform")
        if row.checked_on is None:
            self._flagged(bad, "checked_on", f"@{row.handle} was never checked", "look it up and write the day")
        elif row.checked_on > self.today:
            bad("checked_on", f"{row.checked_on} is still to come", "write the day on which it was looked up")
        elif (self.today - row.checked_on).days > self.max_age_days:
            age = (self.today - row.checked_on).days
            self._flagged(bad, "checked_on", f"@{row.handle} was checked {age} days ago", "look it up again")
        if row.verified and not row.evidence:
            bad("evidence", "nothing says how the account was checked", "a page address or a note", fatal=False)

    @staticmethod
    def _flagged(bad: Callable[..., None], column: str, text: str, mend: str) -> None:
        bad(column, f"{text}; it will not be mentioned", mend, fatal=False)

    def _agency(self, row: Row, bad: Callable[..., None]) -> None:
        first = self.agencies.setdefault((row.adcode, row.agency), row)
        if first is row:
            return
        if _particulars(first) != _particulars(row):
            bad("agency", f"differs from the same agency on line {first.line}", "make type, priority and validity equal")
        elif not row.account_id:
            bad("agency", f"stands on line {first.line} already", "delete one of the two lines")


def _particulars(row: Row) -> tuple[object, ...]:
    return row.type, row.priority, row.valid_from, row.valid_to


def _word(value: Any) -> str:
    """A cell as a word. A spreadsheet gives an id as a float; one of 16 digits and more has lost its end and is shown as such."""
    if value is None or isinstance(value, Formula):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return unquoted(str(value).replace("\u3000", " ").strip())
