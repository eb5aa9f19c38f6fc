"""The directory of officials as a file: every form it comes in, every fault a line can have, its holes."""

from __future__ import annotations

import csv
import random
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from bot.alerts import coverage, directory
from bot.alerts.directory import COLUMNS, ImportReport
from bot.alerts.officials import MINISTRY, RoutingRules
from ingest.divisions import table
from store.errors import BadInput
from store.model import Agency, AgencyType, OfficialAccount

TODAY = date(2026, 3, 1)
EXAMPLE = Path(__file__).parents[3] / "examples" / "officials.example.csv"
GOOD: dict[str, Any] = {
    "agency": "虚构区公安分局", "adcode": "440303", "level": "county", "type": "police", "priority": "10",
    "valid_from": "2020-01-01", "valid_to": "", "platform": "weibo", "account_id": "9000000001", "handle": "虚构公安",
    "verified": "yes", "verified_type": "1", "verified_reason": "虚构", "checked_on": "2026-02-01", "evidence": "示例",
}  # fmt: skip
SECOND = GOOD | {"agency": "虚构区民政局", "type": "civil_affairs", "account_id": "9000000002", "handle": "虚构民政"}


def rows_of(*changes: dict[str, Any]) -> list[dict[str, Any]]:
    return [GOOD | change for change in changes]


def write_csv(path: Path, rows: list[dict[str, Any]], encoding: str = "utf-8", delimiter: str = ",") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_xlsx(path: Path, rows: list[dict[str, Any]]) -> Path:
    book = Workbook()
    book.active.append(list(rows[0]))
    for row in rows:
        book.active.append(list(row.values()))
    book.save(path)
    return path


def parse(path: Path) -> ImportReport:
    return directory.parse(path, divisions=table(), today=TODAY, platforms=("weibo", "x"))


def test_the_shipped_example_is_sound(tmp_path: Path) -> None:
    """The example imports without a refusal, and says of each agency that it is invented."""
    report = directory.parse(EXAMPLE, divisions=table(), today=date(2026, 11, 22), platforms=("weibo", "x"))
    assert report.problems == ()
    assert len(report.rows) >= 5
    assert all("EXAMPLE" in row.agency for row in report.rows)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_encodings_and_delimiters(tmp_path: Path, encoding: str, delimiter: str) -> None:
    """GBK, a BOM, UTF-16, and the separators of other spreadsheets are read alike."""
    report = parse(write_csv(tmp_path / "d.csv", [GOOD, SECOND], encoding, delimiter))
    assert [row.agency for row in report.rows] == ["虚构区公安分局", "虚构区民政局"]
    assert report.problems == ()


def test_xlsx_reads_numbers_and_dates_as_typed(tmp_path: Path) -> None:
    """A spreadsheet's own numbers and dates become the words they stand for."""
    day = datetime(2026, 2, 1)  # noqa: DTZ001 -- a spreadsheet's dates have no zone
    typed = GOOD | {"adcode": 440303, "account_id": 9000000001.0, "checked_on": day, "verified": True, "priority": 10}
    (row,) = parse(write_xlsx(tmp_path / "d.xlsx", [typed])).rows
    assert (row.adcode, row.account_id, row.checked_on, row.verified, row.priority) == (
        "440303", "9000000001", date(2026, 2, 1), True, 10,
    )  # fmt: skip


def test_xlsx_merged_cells_stand_for_each_line(tmp_path: Path) -> None:
    """A merged cell's value counts for all lines it covers."""
    path = write_xlsx(tmp_path / "d.xlsx", [GOOD, SECOND | {"agency": None, "type": "police", "priority": "10"}])
    book = load_workbook(path)
    book.active.merge_cells("A2:A3")
    book.save(path)
    assert [row.agency for row in parse(path).rows] == ["虚构区公安分局", "虚构区公安分局"]


def test_xlsx_formulas_are_refused(tmp_path: Path) -> None:
    """A formula is a value that nobody wrote down: its line is refused, naming the column."""
    report = parse(write_xlsx(tmp_path / "d.xlsx", [GOOD | {"account_id": "=9000000000+1"}, SECOND]))
    assert [row.account_id for row in report.rows] == ["9000000002"]
    assert any(p.line == 2 and p.column == "account_id" and "formula" in p.text for p in report.refused)


@pytest.mark.parametrize(
    ("change", "column", "words"),
    [
        ({"agency": " "}, "agency", "no name"),
        ({"adcode": "999999"}, "adcode", "no division"),
        ({"adcode": "44030"}, "adcode", "no division"),
        ({"adcode": "440301"}, "adcode", "no division"),
        ({"level": "city"}, "level", "unknown level"),
        ({"level": "province"}, "level", "is a county"),
        ({"type": "army"}, "type", "unknown type"),
        ({"priority": "first"}, "priority", "whole number"),
        ({"valid_from": "1.1."}, "valid_from", "no date"),
        ({"valid_from": "2026-02-30"}, "valid_from", "no date"),
        ({"valid_from": "2026-02-02", "valid_to": "2026-02-01"}, "valid_to", "before it begins"),
        ({"platform": "myspace"}, "platform", "unknown platform"),
        ({"account_id": "abc"}, "account_id", "no numeric"),
        ({"account_id": ""}, "account_id", "no numeric"),
        ({"account_id": "9.0E+15"}, "account_id", "no numeric"),
        ({"handle": ""}, "handle", "no handle"),
        ({"handle": "two words"}, "handle", "no handle"),
        ({"verified": "maybe"}, "verified", "neither"),
        ({"checked_on": "2026-03-02"}, "checked_on", "still to come"),
    ],
)
def test_faults_refuse_the_line(tmp_path: Path, change: dict[str, str], column: str, words: str) -> None:
    """Each fault refuses its line alone, names line and column, and says how to mend it."""
    report = parse(write_csv(tmp_path / "d.csv", [GOOD | change, SECOND]))
    assert [row.handle for row in report.rows] == ["虚构民政"]
    found = [p for p in report.refused if p.column == column]
    assert found
    assert found[0].line == 2
    assert words in found[0].text
    assert found[0].mend


def test_a_former_code_names_its_heir(tmp_path: Path) -> None:
    """A code that was merged away is refused, with today's code in the advice."""
    report = parse(write_csv(tmp_path / "d.csv", [GOOD | {"adcode": "110103", "level": ""}]))
    assert any("110101" in p.mend for p in report.refused)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"verified": "no"}, "not verified"),
        ({"checked_on": ""}, "never checked"),
        ({"checked_on": "2025-08-01"}, "days ago"),
        ({"valid_to": "2025-12-31"}, "out of office"),
        ({"evidence": ""}, "how the account was checked"),
    ],
)
def test_flags_keep_the_line(tmp_path: Path, change: dict[str, str], words: str) -> None:
    """What only keeps an account from being mentioned is flagged; the line itself is imported."""
    report = parse(write_csv(tmp_path / "d.csv", [GOOD | change]))
    assert len(report.rows) == 1
    assert report.refused == ()
    assert any(words in p.text for p in report.problems)


def test_duplicates_in_a_file_are_refused(tmp_path: Path) -> None:
    """The same number, or the same handle under two numbers, cannot stand twice; nor an agency with other particulars."""
    same_number = GOOD | {"handle": "另一个"}
    same_handle = GOOD | {"account_id": "9000000003"}
    other_type = GOOD | {"account_id": "9000000004", "handle": "第四个", "type": "media"}
    report = parse(write_csv(tmp_path / "d.csv", [GOOD, same_number, same_handle, other_type]))
    assert [row.line for row in report.rows] == [2]
    assert {(p.line, p.column) for p in report.refused} == {(3, "account_id"), (4, "handle"), (5, "agency")}


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("d.csv", b"", "empty"),
        ("d.csv", b"\n\n", "empty"),
        ("d.csv", b"name,code\n1,2\n", "no column"),
        ("d.csv", b"agency,adcode,type,type\n1,2,3,4\n", "twice"),
        ("d.csv", b'agency,adcode,type\n"open,2,3\n', "not readable as CSV"),
        ("d.csv", b"\xff\xff\xff\xff,\x80", "neither UTF-8 nor GBK"),
        ("d.xlsx", b"PK\x03\x04 broken", "not readable as XLSX"),
        ("d.xlsx", b"agency,adcode,type", "not readable as XLSX"),
        ("d.ods", b"x", "neither .csv nor .xlsx"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    """A file that is no directory gives one clear error."""
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(BadInput, match=words):
        parse(path)
    with pytest.raises(BadInput, match="no such file"):
        parse(tmp_path / "missing.csv")


def test_random_bytes_never_break_it(tmp_path: Path) -> None:
    """Damaged files end in a report or a clear error, whatever was damaged."""
    source = random.Random(7)
    good = write_xlsx(tmp_path / "good.xlsx", [GOOD, SECOND]).read_bytes()
    text = write_csv(tmp_path / "good.csv", [GOOD, SECOND]).read_bytes()
    for number in range(60):
        data = bytearray(good if number % 2 else text)
        for _ in range(source.randint(1, 20)):
            data[source.randrange(len(data))] = source.randrange(256)
        path = tmp_path / f"bad{number}{'.xlsx' if number % 2 else '.csv'}"
        path.write_bytes(bytes(data))
        try:
            report = parse(path)
        except BadInput:
            continue
        assert len(report.rows) <= 2


def agency(number: int, adcode: str = "440303", level: str = "county", kind: AgencyType = AgencyType.POLICE) -> Agency:
    return Agency(number, f"虚构机构{number}", adcode, level, kind, 10, date(2020, 1, 1))


def account(number: int, body: Agency, platform: str = "weibo") -> OfficialAccount:
    return OfficialAccount(number, body, platform, str(9_000_000 + number), f"虚构{number}", True, "1", "=虚构", TODAY, "+示例")


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_round_trip(tmp_path: Path, ending: str) -> None:
    """What is exported is imported as the same; agencies without an account and cells that look like formulas included."""
    with_account, alone = agency(1), agency(2, "440300", "prefecture", AgencyType.CIVIL_AFFAIRS)
    path = tmp_path / f"d{ending}"
    assert directory.write(path, [with_account, alone], [account(1, with_account), account(2, with_account, "x")]) == 3
    report = parse(path)
    if ending == ".csv":
        assert report.problems == ()
    assert [(r.agency, r.adcode, r.type, r.priority, r.valid_from) for r in report.rows if r.platform != "x"] == [
        ("虚构机构2", "440300", AgencyType.CIVIL_AFFAIRS, 10, date(2020, 1, 1)),
        ("虚构机构1", "440303", AgencyType.POLICE, 10, date(2020, 1, 1)),
    ]
    kept = next(r for r in report.rows if r.platform == "weibo")
    assert (kept.account_id, kept.handle, kept.verified, kept.checked_on) == ("9000001", "虚构1", True, TODAY)
    assert (kept.verified_reason, kept.evidence) == ("=虚构", "+示例")


def test_writing_to_a_bad_place_is_a_clear_error(tmp_path: Path) -> None:
    """An ending that is neither, and a folder that is not there, are said so."""
    with pytest.raises(BadInput, match="neither"):
        directory.write(tmp_path / "d.pdf", [], [])
    with pytest.raises(BadInput, match="cannot be written"):
        directory.write(tmp_path / "no" / "d.csv", [], [])


def check(agencies: list[Agency], accounts: list[OfficialAccount]) -> list[coverage.Finding]:
    return coverage.check(
        agencies, accounts, divisions=table(), rules=RoutingRules(), today=TODAY, platforms=["weibo"]
    )  # fmt: skip


def test_coverage_names_the_topmost_division_of_a_hole() -> None:
    """With nobody listed every province is named once, none of their cities; one city's account closes nothing above it."""
    alone = [f.adcode for f in check([], []) if f.kind == "alone"]
    assert "110000" in alone
    assert len(alone) == len([d for d in table() if d.level == "province"])
    city = agency(1, "440300", "prefecture")
    holes = {f.adcode for f in check([city], [account(1, city)]) if f.kind == "alone"}
    assert "440303" not in holes
    assert "440300" not in holes
    assert "440000" in holes


def test_the_ministry_covers_everything() -> None:
    """An account of the whole country leaves no division without anybody."""
    ministry = agency(1, MINISTRY, "ministry")
    assert check([ministry], [account(1, ministry)]) == []


def test_check_finds_stale_rows_and_wrong_codes() -> None:
    """Stale accounts, codes of the past and wrong levels are each found, with a remedy."""
    ministry = agency(1, MINISTRY, "ministry")
    stale = replace(account(2, agency(2)), checked_on=date(2025, 1, 1))
    gone, wrong = agency(3, "110103"), agency(4, "440300", "county")
    found = check([ministry, agency(2), gone, wrong], [account(1, ministry), stale])
    assert [(f.kind, f.adcode) for f in found] == [("unfit", "440303"), ("unknown", "110103"), ("level", "440300")]
    assert "110101" in found[1].mend
    assert all(f.mend for f in found)


def test_columns_are_documented_by_the_example() -> None:
    """The example's first line names exactly the columns that are read."""
    assert tuple(EXAMPLE.read_text(encoding="utf-8").splitlines()[0].split(",")) == COLUMNS
