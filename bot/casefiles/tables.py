"""CSV and XLSX registers: a mapping file says which column is which field.

A mapping (YAML)::

    source: 示例登记册          # names the register; with source_ref a second import of the same case is refused
    columns: {name: 姓名, sex: 性别, birth_on: 出生日期, missing_on: 失踪日期, missing_adcode: 失踪地, source_ref: 编号}

Without a mapping the columns are named as the fields are.
"""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any
from xml.etree.ElementTree import ParseError

import yaml

from bot import spreadsheets
from bot.casefiles.lines import Line, adcode, checked, day, sex, whole, yes
from store.cases import Case, CaseFields
from store.errors import BadInput

FIELDS = tuple(item.name for item in fields(CaseFields))
MAX_ROWS = 20_000
_MAX_CELL = 4000
_BOUNDS = spreadsheets.Bounds(rows=MAX_ROWS + 1)
_DAMAGED = (
    ParseError, zipfile.BadZipFile, zlib.error, LookupError, ValueError, TypeError, ArithmeticError, AttributeError, EOFError,
    NotImplementedError, RuntimeError, OSError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Formula:
    """A workbook's cell that holds a formula."""


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Which column holds which field, and the register's name."""

    columns: Mapping[str, str] = field(default_factory=lambda: {name: name for name in FIELDS})
    source: str = ""


def load_mapping(data: bytes) -> ColumnMap:
    """A mapping file.

    Raises:
        BadInput: it is no YAML, or names a field that does not exist.
    """
    try:
        values = yaml.safe_load(data.decode("utf-8-sig"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # YAML's own numbers and dates raise ValueError
        raise BadInput(f"the mapping cannot be read: {str(error)[:200]}", mend="give YAML in UTF-8") from error
    columns = values.get("columns") if isinstance(values, dict) else None
    if not isinstance(columns, dict) or not all(isinstance(v, str) for v in columns.values()):
        raise BadInput("the mapping needs 'columns': one column title for each field")
    unknown = sorted(str(name) for name in columns if name not in FIELDS)
    if unknown:
        raise BadInput(f"the mapping names unknown fields: {', '.join(unknown)}", mend=f"known: {', '.join(FIELDS)}")
    if "name" not in columns:
        raise BadInput("the mapping does not say which column holds the name")
    return ColumnMap(columns, str(values.get("source", "")))


def read_table(name: str, data: bytes, mapping: ColumnMap, today: date) -> list[Line]:
    """The rows of a CSV or XLSX file (by its name's ending).

    Raises:
        BadInput: the file cannot be read at all, has no rows, too many, or lacks the name's column.
    """
    rows = _xlsx(data) if name.lower().endswith(".xlsx") else _csv(data)
    found: list[Line] = []
    for number, row in rows:
        if number > MAX_ROWS + 1:
            raise BadInput(f"more than {MAX_ROWS} rows", mend="split the file")
        if not found and mapping.columns["name"] not in row:
            raise BadInput(f"there is no column '{mapping.columns['name']}' in this file", mend="give a mapping file")
        if any(value not in (None, "") for value in row.values()):
            found.append(_line(number, row, mapping, today))
    if not found:
        raise BadInput("the file holds no rows")
    return found


def write_csv(found: Iterable[Case]) -> str:
    """Cases as CSV, one a line, the columns named as the fields are. For colleagues: contacts are in it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(("ref", "state", *FIELDS))
    for case in found:
        writer.writerow((case.ref, case.state.value, *(_cell(getattr(case.fields, name)) for name in FIELDS)))
    return out.getvalue()


def write_xlsx(found: Iterable[Case]) -> bytes:
    """The same as a workbook: every cell a text, so that no number loses its zeros and nothing is run as a formula."""
    from openpyxl import Workbook  # here: a third of a second that only a workbook needs

    book = Workbook(write_only=True)
    sheet = book.create_sheet("cases")
    sheet.freeze_panes = "A2"
    sheet.append(["ref", "state", *FIELDS])
    for case in found:
        said = (case.ref, case.state.value, *(_said(getattr(case.fields, name)) for name in FIELDS))
        sheet.append([_text_cell(sheet, value) for value in said])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _text_cell(sheet: Any, value: str) -> Any:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    # XML has no place for control characters, and a workbook with one cannot be opened.
    cell = WriteOnlyCell(sheet, value=ILLEGAL_CHARACTERS_RE.sub("", value))
    cell.data_type = "s"  # it takes what begins with "=" for a formula
    return cell


def _line(number: int, row: Mapping[str, Any], mapping: ColumnMap, today: date) -> Line:
    cells = {name: row.get(title) for name, title in mapping.columns.items()}
    cells = {name: spreadsheets.unquoted(value) if isinstance(value, str) else value for name, value in cells.items()}
    said = {name: ("" if value is None else str(value).strip()) for name, value in cells.items()}
    formula = next((mapping.columns[name] for name, value in cells.items() if isinstance(value, Formula)), None)
    long = next((name for name, value in said.items() if len(value) > _MAX_CELL), None)
    try:
        if formula:
            raise BadInput(f"the column {formula} holds a formula: nobody wrote that value; paste it as a value")
        if long:
            raise BadInput(f"{long} is longer than {_MAX_CELL} characters")
        born, missing = day(cells.get("birth_on")), day(cells.get("missing_on"))
        what = CaseFields(
            name=said.get("name", ""),
            sex=sex(said.get("sex", "")),
            birth_on=born,
            birth_adcode=adcode(said.get("birth_adcode", ""), born.year if born else None),
            missing_on=missing,
            missing_adcode=adcode(said.get("missing_adcode", ""), missing.year if missing else None),
            height_cm=whole(cells.get("height_cm"), 20, 250, "height in cm"),
            contacts=tuple(part.strip() for part in said.get("contacts", "").replace("；", ";").split(";") if part.strip()),
            dna_filed=yes(cells.get("dna_filed")),
            source=said.get("source") or mapping.source,
            source_ref=said.get("source_ref") or None,
            **{name: said.get(name, "") for name in _WORDS},
        )
        return Line(number, checked(what, today))
    except BadInput as error:
        return Line(number, None, str(error))


_WORDS = ("features", "accent", "clothing", "circumstances", "siblings", "police_report_number")


def _csv(data: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    text = None
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    if text is None or "\x00" in text:
        raise BadInput("the file is no CSV in UTF-8 or GB 18030")
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="")
    try:
        for row in reader:
            yield reader.line_num, {str(key).strip(): value for key, value in row.items() if key}
    except csv.Error as error:
        raise BadInput(f"line {reader.line_num}: {error}") from error


def _xlsx(data: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        spreadsheets.check(io.BytesIO(data), _BOUNDS)
        book = load_workbook(io.BytesIO(data), read_only=True)
    except (InvalidFileException, *_DAMAGED) as error:
        raise BadInput(f"the file is no XLSX workbook: {str(error)[:200]}") from error
    titles: list[str] = []
    for number, cells in enumerate(_rows(book), 1):
        if number == 1:
            titles = ["" if cell is None else str(cell).strip() for cell in cells]
        else:
            yield number, {title: cell for title, cell in zip(titles, cells, strict=False) if title}


def _rows(book: Any) -> Iterator[tuple[Any, ...]]:
    # A workbook is parsed as it is read: a damaged sheet shows at its rows, not when it is opened.
    try:
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # what it says of its own size may be a whole sheet of empty cells
        for cells in sheet.iter_rows():
            yield tuple(Formula() if cell.data_type == "f" else cell.value for cell in cells)
    except _DAMAGED as error:
        raise BadInput(f"the workbook's first sheet is damaged: {str(error)[:200]}", mend="save it again as XLSX") from error


def _cell(value: object) -> str:
    return spreadsheets.inert(_said(value))


def _said(value: object) -> str:
    return "; ".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)
