"""Cases in files: PFIF out and in again, hostile XML, and registers with wrong rows among good ones."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime

import openpyxl
import pytest
from defusedxml.ElementTree import fromstring

from bot.casefiles import pfif, tables
from bot.casefiles.lines import day, keep
from store import cases
from store.cases import CaseFields
from store.errors import BadInput
from store.session import Store

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TODAY = NOW.date()
FULL = CaseFields(
    name="示例 A & <B>",
    sex="female",
    birth_on=date(2010, 5, 6),
    birth_adcode="440303",
    missing_on=date(2015, 7, 8),
    missing_adcode="110105",
    height_cm=110,
    features="left ear: a mole",
    accent="粤",
    clothing="red coat",
    circumstances="at the market",
    siblings="one brother",
    contacts=("13800000000",),
    police_report_number="A-2015-9",
)


@pytest.fixture
def store(database_url: str):
    opened = Store(database_url, lambda: NOW)
    yield opened
    opened.close()


def exported(store: Store, *what: CaseFields) -> bytes:
    with store.write() as tx:
        return pfif.write([cases.add(tx, one, "clerk") for one in what], domain="example.org", now=NOW)


def test_a_case_goes_out_and_comes_back(store: Store) -> None:
    """Every field that may be passed on survives; contacts and the police report number never leave."""
    data = exported(store, FULL)
    (line,) = pfif.read(data, TODAY)
    assert line.error == ""
    for name in ("name", "sex", "birth_on", "birth_adcode", "missing_on", "missing_adcode", "height_cm", "features", "siblings"):
        assert getattr(line.fields, name) == getattr(FULL, name), name
    assert b"13800000000" not in data
    assert b"A-2015-9" not in data
    assert (line.fields.source, line.fields.contacts) == ("example.org", ())


def test_the_elements_follow_the_specification(store: Store) -> None:
    """Namespace, record id and the order of person fields are PFIF 1.4's."""
    root = fromstring(exported(store, FULL))
    assert root.tag == "{http://zesty.ca/pfif/1.4}pfif"
    names = [item.tag.partition("}")[2] for item in root[0]]
    order = ["person_record_id", "entry_date", "source_date", "full_name", "description", "sex", "date_of_birth"]
    assert [name for name in names if name in order] == order
    assert root[0][0].text.startswith("example.org/person.C-")


BOMB = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<pfif xmlns="http://zesty.ca/pfif/1.4"><person><full_name>&b;</full_name></person></pfif>"""
OUTSIDE = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>
<pfif xmlns="http://zesty.ca/pfif/1.4"><person><full_name>&a;</full_name></person></pfif>"""


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (BOMB, "entities"),
        (OUTSIDE, "entities"),
        ('<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><x/>', "entities"),
        ("", "no XML"),
        ("<pfif", "no XML"),
        ("<html/>", "no PFIF"),
        ('<pfif xmlns="http://zesty.ca/pfif/1.4"/>', "no persons"),
        ("\x00\x01", "no XML"),
    ],
)
def test_hostile_or_foreign_xml_is_refused(data: str, says: str) -> None:
    """Entity bombs, external files, broken XML and other formats: one clear sentence, nothing read."""
    with pytest.raises(BadInput, match=says):
        pfif.read(data.encode(), TODAY)


def test_wrong_persons_are_named_and_others_go_in(store: Store) -> None:
    """A person without an id or with an impossible date is reported; the good one is registered once."""
    person = "<person><person_record_id>{}</person_record_id><full_name>{}</full_name><date_of_birth>{}</date_of_birth></person>"
    body = person.format("a.org/1", "A", "2010-01-02") + person.format("", "B", "") + person.format("a.org/3", "C", "2010-13-40")
    data = f'<pfif xmlns="http://zesty.ca/pfif/1.4">{body}</pfif>'.encode()
    told = keep(store, pfif.read(data, TODAY), "clerk")
    assert [bool(item.ref) for item in told] == [True, False, False]
    assert [bool(item.ref) for item in keep(store, pfif.read(data, TODAY), "clerk")] == [False, False, False]


def register_of(rows: int, wrong: dict[int, str]) -> bytes:
    out = ["姓名,性别,出生日期,失踪日期,失踪地,编号"]
    for number in range(rows):
        out.append(wrong.get(number, f"示例{number},男,2010-01-02,2015/3/4,440303,R{number}"))
    return "\r\n".join(out).encode("gb18030")


MAPPING = """source: Register
columns: {name: 姓名, sex: 性别, birth_on: 出生日期, missing_on: 失踪日期, missing_adcode: 失踪地, source_ref: 编号}
""".encode()


def test_ten_thousand_rows_of_which_thirty_seven_are_wrong() -> None:
    """Each wrong row is reported by its line; the 9,963 good ones are read."""
    kinds = [
        ",男,2010-01-02,2015/3/4,440303,X",
        "示例,人,2010-01-02,2015/3/4,440303,X",
        "示例,男,2010-02-30,2015/3/4,440303,X",
        "示例,男,2016-01-02,2015/3/4,440303,X",
        "示例,男,2010-01-02,2099/3/4,440303,X",
        "示例,男,2010-01-02,2015/3/4,999999,X",
    ]
    wrong = {number * 270: kinds[number % len(kinds)] for number in range(37)}
    lines = tables.read_table("r.csv", register_of(10_000, wrong), tables.load_mapping(MAPPING), TODAY)
    assert len(lines) == 10_000
    assert [line.number for line in lines if line.error] == [number + 2 for number in wrong]
    assert all(line.fields.source == "Register" for line in lines if line.fields)


def test_good_rows_go_in_and_twice_is_once(store: Store) -> None:
    """Of 300 rows with 7 wrong ones 293 are drafts; the same file again registers nobody twice."""
    data = register_of(300, {number * 40: ",男,,,," for number in range(7)})
    lines = tables.read_table("r.csv", data, tables.load_mapping(MAPPING), TODAY)
    assert sum(bool(item.ref) for item in keep(store, lines, "clerk")) == 293
    again = keep(store, lines, "clerk")
    assert not any(item.ref for item in again)
    with store.read() as tx:
        assert cases.counts(tx)[cases.CaseState.DRAFT] == 293


def test_a_workbook_is_read_like_a_csv() -> None:
    """Dates as cells of dates, numbers as numbers."""
    book = openpyxl.Workbook()
    book.active.append(["name", "sex", "birth_on", "height_cm", "dna_filed", "contacts"])
    book.active.append(["A", "女", datetime(2010, 1, 2), 95, "是", "1；2"])  # noqa: DTZ001 - as a workbook keeps it
    out = io.BytesIO()
    book.save(out)
    (line,) = tables.read_table("r.xlsx", out.getvalue(), tables.ColumnMap(), TODAY)
    assert (line.fields.birth_on, line.fields.height_cm, line.fields.dna_filed) == (date(2010, 1, 2), 95, True)
    assert line.fields.contacts == ("1", "2")


@pytest.mark.parametrize(
    ("name", "data"),
    [("r.csv", b""), ("r.csv", b"a,b\n1,2\n"), ("r.csv", b"\xff\xfe\x00"), ("r.xlsx", b"PK"), ("r.xlsx", b"name\nA\n")],
)
def test_files_that_are_none_are_refused(name: str, data: bytes) -> None:
    """Empty, without the name's column, binary, or no workbook: one clear sentence."""
    with pytest.raises(BadInput):
        tables.read_table(name, data, tables.ColumnMap(), TODAY)


@pytest.mark.parametrize("data", [b"", b"columns: 3", b"columns: {nmae: x}", b"columns: {sex: x}", b"\xff", b"a: [", b"- x"])
def test_mappings_that_do_not_fit_are_refused(data: bytes) -> None:
    """No YAML, no columns, an unknown field, or no name."""
    with pytest.raises(BadInput):
        tables.load_mapping(data)


def test_an_export_is_safe_in_a_spreadsheet(store: Store) -> None:
    """A text that a spreadsheet would run as a formula is kept as text."""
    with store.write() as tx:
        case = cases.add(tx, CaseFields(name="=HYPERLINK(1)", features="+1"), "clerk")
    told = tables.write_csv([case])
    assert "'=HYPERLINK" in told
    assert ",'+1" in told


@pytest.mark.parametrize("opening", ["=", "+", "-", "@", "\t"])
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_what_was_exported_reads_back_as_it_was(store: Store, form: str, opening: str) -> None:
    """The quote that makes a cell inert is no part of the value: an export comes back without it, and nothing was run."""
    fields = CaseFields(name="Kim Example", features=f"{opening}cmd|'/c calc'!A1", contacts=("+86 000 0000",))
    with store.write() as tx:
        case = cases.add(tx, fields, "clerk")
    data = tables.write_csv([case]).encode() if form == "csv" else tables.write_xlsx([case])
    (line,) = tables.read_table(f"r.{form}", data, tables.ColumnMap(), TODAY)
    assert line.fields is not None
    assert line.fields.features == fields.features.strip()
    assert line.fields.contacts == ("+86 000 0000",)


def test_a_formula_of_a_workbook_is_refused_with_its_line_and_column() -> None:
    """A formula's value is one that nobody wrote down: its line is refused, the rest is read; an unmapped column may hold one."""
    book = openpyxl.Workbook()
    book.active.append(["name", "features", "birth_on", "age"])
    book.active.append(["A", "scar", "=DATE(2010,1,2)", "=2026-2010"])
    book.active.append(["B", '=HYPERLINK("http://192.0.2.1","x")', None, None])
    book.active.append(["C", "scar", None, "=1"])
    out = io.BytesIO()
    book.save(out)
    by_age, by_link, well = tables.read_table("r.xlsx", out.getvalue(), tables.ColumnMap(), TODAY)
    assert (by_age.fields, by_link.fields) == (None, None)
    assert "birth_on holds a formula" in by_age.error
    assert "features holds a formula" in by_link.error
    assert well.fields is not None


def test_dates_as_registers_write_them() -> None:
    """Four forms of one day; nothing for an empty cell; an error for what is no day."""
    assert {day(said) for said in ("2015-03-04", "2015/3/4", "2015年3月4日", "20150304")} == {date(2015, 3, 4)}
    assert day("  ") is None
    for said in ("2015-02-30", "yesterday", "0001-01-01"):
        with pytest.raises(BadInput):
            day(said)
