"""Spreadsheets from outside and for outside: workbooks looked at before openpyxl reads them, cells that run nothing.

A few bytes can ask openpyxl for millions of cells: it makes one for each cell of a merged area or of a link's range, and fills
the rows and columns up to the last one that is named. :func:`check` streams the parts' XML without keeping any of it and refuses
what no list of people or agencies needs. Entities are never resolved (defusedxml).
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

import defusedxml
from defusedxml.sax import make_parser

from store.errors import BadInput

MAX_ELEMENTS = 4_000_000
"""XML elements of one part; 50,000 lines of 15 columns have about 1.6 million."""

_CHUNK = 1 << 16
_MEND = "copy the lines themselves into a new workbook, without merged areas and formatting of whole rows or columns"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a workbook may span: its last row and column, the cells up to them, and its size when unpacked."""

    rows: int
    columns: int = 256
    cells: int = 2_000_000
    unpacked_bytes: int = 200_000_000


def check(source: Path | IO[bytes], bounds: Bounds) -> None:
    """Refuse a workbook that would take long or much memory to read.

    Raises:
        BadInput: it spans, merges, links or unpacks to more than ``bounds``; the message says which.
        zipfile.BadZipFile, zlib.error, ValueError, OSError, NotImplementedError, RuntimeError, EOFError: it is damaged.
    """
    with zipfile.ZipFile(source) as parts:
        if sum(part.file_size for part in parts.infolist()) > bounds.unpacked_bytes:
            raise BadInput(f"the workbook unpacks to more than {bounds.unpacked_bytes // 1_000_000} MB", mend=_MEND)
        for part in parts.infolist():
            with parts.open(part) as content:
                _scan(content, bounds)


def _scan(content: IO[bytes], bounds: Bounds) -> None:
    """Read one part to its end, or to where it is no XML: openpyxl stops there as well (pictures have no XML at all)."""
    parser = make_parser()
    parser.setContentHandler(_Sheet(bounds))
    try:
        while piece := content.read(_CHUNK):
            parser.feed(piece)
    except defusedxml.DefusedXmlException as error:
        raise BadInput("the workbook's XML holds entities", mend=_MEND) from error
    except SAXParseException:
        return


_ACTIVE = ("=", "+", "-", "@", "\t", "\r")


def inert(cell: str) -> str:
    """A spreadsheet runs a CSV cell that begins so as a formula; a quote before it makes it text (OWASP, CSV injection)."""
    return "'" + cell if cell.startswith(_ACTIVE) else cell


def unquoted(cell: str) -> str:
    """The cell without the quote that marks text in a spreadsheet."""
    return cell[1:] if cell.startswith("'") and (cell[1:].startswith(_ACTIVE) or cell[1:].isdigit()) else cell


class _Sheet(ContentHandler):
    """Counts what one part asks for."""

    def __init__(self, bounds: Bounds) -> None:
        super().__init__()
        self._bounds = bounds
        self._elements = self._area = self._last_row = self._last_column = 0
        self._row = self._column = 0

    def startElement(self, name: str, attrs: AttributesImpl) -> None:
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise BadInput("the workbook holds more cells than can be read here", mend="split it")
        tag = name.rpartition(":")[2]
        if tag == "c":
            self._reach(attrs.get("r", ""))
        elif tag == "row":
            said = attrs.get("r", "")
            self._row = int(said[:9]) if said.isdecimal() else self._row + 1
            self._column = 0
            self._span(self._row, 0)
        elif tag in ("mergeCell", "hyperlink") and "ref" in attrs:
            self._cover(attrs["ref"], tag)

    def _reach(self, cell: str) -> None:
        """A cell by its name, or the next one of the row where it has none."""
        letters = cell.rstrip("0123456789")
        if cell and letters.isascii() and letters.isalpha() and len(letters) <= 3:
            self._column = 0
            for letter in letters.upper():
                self._column = self._column * 26 + ord(letter) - 64
            self._row = int(cell[len(letters) :][:9] or self._row)
        else:
            self._column += 1
        self._span(self._row, self._column)

    def _span(self, row: int, column: int) -> None:
        bounds = self._bounds
        self._last_row, self._last_column = max(self._last_row, row), max(self._last_column, column)
        if self._last_row > bounds.rows:
            raise BadInput(f"the workbook has a line {self._last_row}: more than {bounds.rows} lines", mend=_MEND)
        if self._last_column > bounds.columns or self._last_row * self._last_column > bounds.cells:
            size = f"{self._last_row} lines and {self._last_column} columns"
            raise BadInput(f"the workbook spans {size}, which is more than can be read here", mend=_MEND)

    def _cover(self, area: str, tag: str) -> None:
        from openpyxl.utils.cell import range_boundaries  # here: openpyxl takes a third of a second to load

        left, top, right, bottom = range_boundaries(area)
        what = "merged" if tag == "mergeCell" else "linked"
        if left is None or top is None or right is None or bottom is None:
            left, top, right, bottom = 1, 1, self._bounds.columns + 1, self._bounds.rows + 1
        if right > self._bounds.columns or bottom > self._bounds.rows:
            raise BadInput(f"the cells {area[:40]} are {what}: whole rows, columns or sheets cannot be read", mend=_MEND)
        self._area += (right - left + 1) * (bottom - top + 1)
        if self._area > self._bounds.cells:
            raise BadInput(f"more than {self._bounds.cells} cells of the workbook are {what}", mend=_MEND)
