"""The directory of officials as a file: reading CSV and XLSX with a report line by line, and writing it back.

Pure but for reading the file: nothing here knows the database. No public list of such accounts exists; an operator keeps one,
checks each account by hand, and writes down how (``evidence``) and when (``checked_on``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from bot.alerts.directory_files import Table, read_table, write_table
from bot.alerts.directory_rules import COLUMNS, REQUIRED, LineRules, Problem, Row
from ingest.divisions import DivisionTable
from store.errors import BadInput
from store.model import Agency, OfficialAccount

__all__ = ["COLUMNS", "ImportReport", "Problem", "Row", "lines", "parse", "write"]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What a file holds: the lines that can be imported and everything that is wrong with it. ``encoding`` is how it was read."""

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]
    encoding: str = ""

    @property
    def refused(self) -> tuple[Problem, ...]:
        return tuple(p for p in self.problems if p.fatal)


def parse(
    path: Path, *, divisions: DivisionTable, today: date, platforms: Sequence[str] = (), max_age_days: int = 180
) -> ImportReport:
    """Read a directory file (see :func:`bot.alerts.directory_files.read_table` for the forms).

    Args:
        today: accounts checked more than ``max_age_days`` before it are flagged, dates of a check after it refused.
        platforms: names an account may stand under; empty allows all.

    Raises:
        BadInput: the file cannot be read at all, or has not the columns it needs.
    """
    table = read_table(path)
    header = _header(path, table)
    first = table.lines[0][0]
    unknown = [name for name in header if name and name not in COLUMNS]
    problems = [Problem(first, name, "an unknown column, not read", "see officials export", fatal=False) for name in unknown]
    rules = LineRules(divisions, today, tuple(platforms), max_age_days)
    rows: list[Row] = []
    for line, cells in table.lines[1:]:
        row, wrong = rules.row(line, dict(zip(header, cells, strict=False)))
        problems += wrong
        if row is not None:
            rows.append(row)
    return ImportReport(tuple(rows), tuple(problems), table.encoding)


def _header(path: Path, table: Table) -> list[str]:
    mend = f"the first line names the columns: {','.join(COLUMNS)}"
    if not table.lines:
        raise BadInput(f"{path}: empty", mend=mend)
    header = [str(cell or "").strip().lower().lstrip("\ufeff") for cell in table.lines[0][1]]
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise BadInput(f"{path}: no column {', '.join(missing)}", mend=mend)
    doubled = sorted({name for name in header if name and header.count(name) > 1})
    if doubled:
        raise BadInput(f"{path}: column {', '.join(doubled)} stands there twice", mend="keep one of them")
    return header


def lines(agencies: Iterable[Agency], accounts: Iterable[OfficialAccount]) -> list[dict[str, str]]:
    """The directory as lines of the file's columns: an account a line, and a line for each agency without one."""
    out = [_line(account.agency, account) for account in accounts]
    with_account = {(line["adcode"], line["agency"]) for line in out}
    out += [_line(agency, None) for agency in agencies if (agency.adcode, agency.name) not in with_account]
    return sorted(out, key=lambda line: (line["adcode"], line["agency"], line["platform"], line["account_id"]))


def _line(agency: Agency, account: OfficialAccount | None) -> dict[str, str]:
    line = dict.fromkeys(COLUMNS, "")
    line |= {"agency": agency.name, "adcode": agency.adcode, "level": agency.level, "type": agency.type.value}
    line |= {"priority": str(agency.priority), "valid_from": _iso(agency.valid_from), "valid_to": _iso(agency.valid_to)}
    if account is not None:
        line |= {"platform": account.platform, "account_id": account.account_id, "handle": account.handle}
        line |= {"verified": "yes" if account.verified else "no", "verified_type": account.verified_type}
        line |= {"verified_reason": account.verified_reason, "checked_on": _iso(account.checked_on), "evidence": account.evidence}
    return line


def _iso(day: date | None) -> str:
    return day.isoformat() if day else ""


def write(path: Path, agencies: Iterable[Agency], accounts: Iterable[OfficialAccount]) -> int:
    """Write the directory as CSV or XLSX in the form that :func:`parse` reads. Returns the number of lines."""
    rows = lines(agencies, accounts)
    write_table(path, COLUMNS, rows)
    return len(rows)
