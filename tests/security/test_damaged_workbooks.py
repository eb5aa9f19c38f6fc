"""A damaged or made-up workbook of cases is refused in words, wherever in the file the damage lies."""

from __future__ import annotations

import io
import zipfile
from datetime import date

import openpyxl
import pytest

from bot.casefiles import tables
from store.errors import BadInput

TITLES = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    '<row r="1"><c r="A1" t="inlineStr"><is><t>name</t></is></c></row>'
)
END = "</sheetData></worksheet>"
DAMAGED = {
    "cut short": TITLES,
    "no number": f'{TITLES}<row r="2"><c r="A2" t="n"><v>zz</v></c></row>{END}',
    "no such shared text": f'{TITLES}<row r="2"><c r="A2" t="s"><v>99999</v></c></row>{END}',
    "no cell's name": f'{TITLES}<row r="2"><c r="!!"><v>1</v></c></row>{END}',
    "no row's number": f'{TITLES}<row r="x"><c r="A2"><v>1</v></c></row>{END}',
    "no date": f'{TITLES}<row r="2"><c r="A2" t="d"><v>nope</v></c></row>{END}',
    "a row beyond the limit": f'{TITLES}<row r="999999999"><c r="A999999999"><v>1</v></c></row>{END}',
}
WELL = f'{TITLES}<row r="2"><c r="A2" t="inlineStr"><is><t>Kim Example</t></is></c></row>{END}'


def workbook(sheet: str) -> bytes:
    """A workbook whose first sheet is this XML."""
    plain, made = io.BytesIO(), io.BytesIO()
    openpyxl.Workbook().save(plain)
    with zipfile.ZipFile(plain) as parts, zipfile.ZipFile(made, "w") as out:
        for name in parts.namelist():
            out.writestr(name, sheet if name == "xl/worksheets/sheet1.xml" else parts.read(name))
    return made.getvalue()


@pytest.mark.parametrize("sheet", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_sheet_is_refused_in_words(sheet: str) -> None:
    """The reader's own errors (of XML, numbers, look-ups) never reach the person who gave the file."""
    with pytest.raises(BadInput):
        tables.read_table("a.xlsx", workbook(sheet), tables.ColumnMap(), date(2026, 1, 1))


def test_the_same_sheet_undamaged_is_read() -> None:
    """What is refused above is refused for its damage."""
    (line,) = tables.read_table("a.xlsx", workbook(WELL), tables.ColumnMap(), date(2026, 1, 1))
    assert line.fields is not None
    assert line.fields.name == "Kim Example"
