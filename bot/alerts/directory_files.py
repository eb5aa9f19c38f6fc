"""The directory of officials as a file: CSV and XLSX in, the same out. Knows cells, not what they mean."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot import spreadsheets
from store.errors import BadInput

MAX_ROWS = 50_000
MAX_BYTES = 20_000_000
_BOUNDS = spreadsheets.Bounds(rows=MAX_ROWS + 1, unpacked_bytes=10 * MAX_BYTES)

# What openpyxl (beside its own InvalidFileException) and zipfile let fly over a damaged file (found by damaging files at random).
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, SyntaxError, LookupError, ValueError, TypeError, AttributeError, EOFError,
    NotImplementedError, RuntimeError, OSError,
)  # fmt: skip

Line = tuple[int, list[Any]]
"""A line's number in the file (from 1) and its cells, as text or as the spreadsheet's own types."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A cell that holds a formula: a value that nobody wrote down."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """The lines of a file that hold anything, and the encoding it was read as."""

    lines: list[Line]
    encoding: str


def read_table(path: Path) -> Table:
    """Read ``.csv`` (UTF-8 with or without BOM, UTF-16, GB18030; comma, semicolon or tab) or the first sheet of ``.xlsx``.

    Raises:
        BadInput: missing, too large, of another kind, or unreadable.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such file", mend="name a .csv or .xlsx file; officials export shows the columns")
    if path.stat().st_size > MAX_BYTES:
        raise BadInput(f"{path}: larger than {MAX_BYTES // 1_000_000} MB", mend="a directory is far smaller; split it")
    if path.suffix.lower() in {".xlsx", ".xlsm"}:
        return _xlsx(path)
    if path.suffix.lower() in {".csv", ".txt", ".tsv"}:
        return _csv(path)
    raise BadInput(f"{path}: neither .csv nor .xlsx", mend="save it as CSV or XLSX")


def _csv(path: Path) -> Table:
    data = path.read_bytes()
    text, encoding = _decode(path, data)
    text = text.replace("\x00", "")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        lines: list[Line] = [(reader.line_num, list(cells)) for cells in reader]
    except csv.Error as error:
        raise BadInput(f"{path}: line {reader.line_num}: not readable as CSV ({error})", mend="check the quotes there") from error
    return Table(_filled(lines), encoding)


def _decode(path: Path, data: bytes) -> tuple[str, str]:
    """Text and encoding. GB18030 (which covers GBK) is what spreadsheets in China write when nobody asks for UTF-8."""
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16",) if utf16 else ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    raise BadInput(f"{path}: neither UTF-8 nor GBK", mend="save it as UTF-8")


def _filled(lines: Sequence[Line]) -> list[Line]:
    return [(number, cells) for number, cells in lines if any(isinstance(c, Formula) or str(c or "").strip() for c in cells)]


def _xlsx(path: Path) -> Table:
    """The first sheet. A merged cell's value stands for all of its cells; a formula is kept as such, to be refused."""
    # Imported here: a third of a second that only a workbook needs.
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        spreadsheets.check(path, _BOUNDS)
        book = load_workbook(path, data_only=False)
    except BadInput as error:
        raise BadInput(f"{path}: {error}", mend=error.mend) from error
    except (InvalidFileException, *_DAMAGED) as error:
        raise BadInput(f"{path}: not readable as XLSX ({error})", mend="open it in a spreadsheet and save it again") from error
    if not book.worksheets:
        raise BadInput(f"{path}: holds no sheet", mend="put the directory on the first sheet")
    sheet = book.worksheets[0]
    merged = {
        (row, column): sheet.cell(area.min_row, area.min_col)
        for area in sheet.merged_cells.ranges
        for row in range(area.min_row, area.max_row + 1)
        for column in range(area.min_col, area.max_col + 1)
    }
    lines: list[Line] = []
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        lines.append((number, [_value(merged.get((number, at), cell)) for at, cell in enumerate(cells, start=1)]))
    return Table(_filled(lines), "xlsx")


def _value(cell: Any) -> Any:
    """What a cell holds; a formula as such (openpyxl gives those over several cells as objects with a text)."""
    return Formula(str(getattr(cell.value, "text", cell.value))) if cell.data_type == "f" else cell.value


def write_table(path: Path, columns: Sequence[str], rows: Sequence[dict[str, str]]) -> None:
    """Write rows as CSV (UTF-8 with BOM, so that spreadsheets read it) or XLSX, every cell as text.

    Raises:
        BadInput: the file's ending is neither, or it cannot be written.
    """
    try:
        if path.suffix.lower() == ".xlsx":
            from openpyxl import Workbook  # here: see _xlsx

            book = Workbook()
            sheet = book.active
            assert sheet is not None  # a new workbook has a sheet
            for cells_of_row in (list(columns), *([row[name] for name in columns] for row in rows)):
                sheet.append(cells_of_row)
            for cells in sheet.iter_rows():
                for cell in cells:
                    cell.data_type, cell.number_format = "s", "@"  # a handle that begins with = is no formula
            book.save(path)
        elif path.suffix.lower() == ".csv":
            with path.open("w", encoding="utf-8-sig", newline="") as file:
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows({name: spreadsheets.inert(cell) for name, cell in row.items()} for row in rows)
        else:
            raise BadInput(f"{path}: neither .csv nor .xlsx", mend="give the file one of these endings")
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror})", mend="choose another place") from error
