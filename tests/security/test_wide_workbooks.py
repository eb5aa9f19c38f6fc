"""Workbooks of a few bytes that ask for millions of cells are refused in words, before anything is built of them."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from pathlib import Path

import pytest

from bot import spreadsheets
from bot.alerts import directory
from bot.casefiles import tables
from ingest.divisions import table
from store.errors import BadInput
from tests.security.test_damaged_workbooks import END, TITLES, WELL, workbook

TODAY = date(2026, 1, 1)
BODY = f'{TITLES}<row r="2"><c r="A2" t="inlineStr"><is><t>Kim Example</t></is></c></row></sheetData>'
WIDE = {
    "the whole sheet merged": (f'{BODY}<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells></worksheet>', "merged"),
    "whole columns merged": (f'{BODY}<mergeCells><mergeCell ref="A:C"/></mergeCells></worksheet>', "merged"),
    "the whole sheet linked": (f'{BODY}<hyperlinks><hyperlink ref="A1:XFD1048576"/></hyperlinks></worksheet>', "linked"),
    "many merged areas": (
        BODY + "<mergeCells>" + "".join(f'<mergeCell ref="A1:IV{2000 - n}"/>' for n in range(9)) + "</mergeCells></worksheet>",
        "merged",
    ),
    "a cell in the last column": (f'{TITLES}<row r="2"><c r="XFD2"><v>1</v></c></row>{END}', "16384 columns"),
    "a cell in the last line": (f'{TITLES}<row r="1048576"><c r="A1048576"><v>1</v></c></row>{END}', "line 1048576"),
    "a line without cells, far below": (f'{TITLES}<row r="1048576"/>{END}', "line 1048576"),
    "wide and long": (f'{TITLES}<row r="19000"><c r="IV19000"><v>1</v></c></row>{END}', "spans"),
    "cells without a name": (f'{TITLES}<row r="2">{"<c><v>1</v></c>" * 300}</row>{END}', "columns"),
    "entities": ('<!DOCTYPE x [<!ENTITY a "aaaa">]><worksheet><sheetData/></worksheet>', "entities"),
}


@pytest.mark.parametrize(("sheet", "words"), WIDE.values(), ids=WIDE.keys())
def test_cases_refuse_it(sheet: str, words: str) -> None:
    """The import of cases says what is wrong and reads nothing."""
    with pytest.raises(BadInput, match=words):
        tables.read_table("a.xlsx", workbook(sheet), tables.ColumnMap(), TODAY)


@pytest.mark.parametrize(("sheet", "words"), WIDE.values(), ids=WIDE.keys())
def test_the_directory_of_officials_refuses_it(tmp_path: Path, sheet: str, words: str) -> None:
    """So does the import of officials, and names the file and the remedy."""
    path = tmp_path / "officials.xlsx"
    path.write_bytes(workbook(sheet))
    if words == "spans":  # 50,001 lines are allowed here
        path.write_bytes(workbook(sheet.replace("19000", "49000")))
    with pytest.raises(BadInput, match=words) as caught:
        directory.parse(path, divisions=table(), today=TODAY, platforms=("weibo", "x"))
    assert str(caught.value).startswith(str(path))
    assert caught.value.mend


def test_a_sheet_that_hides_under_another_name_is_looked_at_as_well() -> None:
    """Every part is looked at, whatever its name: a workbook says by itself where its sheets lie."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as parts:
        parts.writestr("xl/picture.png", WIDE["the whole sheet merged"][0])
    with pytest.raises(BadInput, match="merged"):
        spreadsheets.check(made, spreadsheets.Bounds(rows=100))


def test_a_size_that_the_sheet_only_claims_harms_nothing() -> None:
    """Some programs write the whole sheet as a sheet's dimension; what it holds is read all the same."""
    claims = WELL.replace("<sheetData>", '<dimension ref="A1:XFD1048576"/><sheetData>')
    (line,) = tables.read_table("a.xlsx", workbook(claims), tables.ColumnMap(), TODAY)
    assert line.fields is not None
    assert line.fields.name == "Kim Example"


def test_an_unpacked_size_beyond_the_bound_is_refused() -> None:
    """A workbook that unpacks to more than the bound is refused by its list of parts, before any of it is unpacked."""
    with pytest.raises(BadInput, match="unpacks"):
        spreadsheets.check(io.BytesIO(workbook(WELL)), spreadsheets.Bounds(rows=100, unpacked_bytes=100))
