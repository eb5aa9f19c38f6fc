"""One row of a file: the case it says, or what is wrong with it; and keeping the good ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from ingest.divisions import table as divisions
from store import audit, cases
from store.cases import CaseFields
from store.errors import BadInput
from store.session import Store

_BATCH = 200


@dataclass(frozen=True, slots=True)
class Line:
    """A row by its number in the file (the header is line 1). ``fields`` is None where ``error`` says what is wrong."""

    number: int
    fields: CaseFields | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a row: the case's reference, or why it did not go in."""

    number: int
    ref: str
    error: str


def keep(store: Store, lines: Iterable[Line], by: str) -> list[Kept]:
    """Register the good rows as drafts, in batches; a wrong one never keeps the others out. Drafts are silent until verified.

    Raises:
        BadInput: nobody is named.
    """
    if not by.strip():
        raise BadInput("say who imports the cases")
    found = list(lines)
    done: list[Kept] = []
    for start in range(0, len(found), _BATCH):
        with store.write("cases.import") as tx:
            for line in found[start : start + _BATCH]:
                if line.fields is None:
                    done.append(Kept(line.number, "", line.error))
                    continue
                try:
                    done.append(Kept(line.number, cases.add(tx, line.fields, by).ref, ""))
                except BadInput as error:
                    done.append(Kept(line.number, "", str(error)))
    with store.write("cases.imported") as tx:
        good = sum(1 for item in done if item.ref)
        audit.append(tx, who=by, what="cases.imported", object="cases", details={"kept": good, "wrong": len(done) - good})
    return done


def day(value: object, forms: Iterable[str] = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y%m%d")) -> date | None:
    """A date of a file; None for an empty cell.

    Raises:
        BadInput: it is no date, or lies before 1900.
    """
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    said = str(value or "").strip()
    if not said:
        return None
    for form in forms:
        try:
            found = datetime.strptime(said, form).date()  # noqa: DTZ007 - a date has no zone
        except ValueError:
            continue
        if found.year >= 1900:
            return found
    raise BadInput(f"'{said[:40]}' is no date")


def adcode(value: str, year: int | None) -> str | None:
    """Today's division of a code or name as it stood in ``year``; None for an empty cell.

    Raises:
        BadInput: it is no division, or several.
    """
    said = value.strip()
    if not said:
        return None
    found = divisions().resolve_old(said, year) or divisions().resolve_old(said)
    if found is None:
        raise BadInput(f"'{said[:40]}' is no division, or several; give its six-digit code")
    return found.adcode


def sex(value: str) -> str:
    """ "female", "male" or "" as registers write it.

    Raises:
        BadInput: it is neither.
    """
    said = value.strip().casefold()
    known = {"": "", "女": "female", "f": "female", "female": "female", "男": "male", "m": "male", "male": "male", "other": ""}
    if said not in known:
        raise BadInput(f"'{said[:20]}' is no sex: female, male, 女, 男 or empty")
    return known[said]


def whole(value: object, low: int, high: int, what: str) -> int | None:
    """A whole number of a cell; None for an empty one.

    Raises:
        BadInput: it is none, or out of range.
    """
    said = str(value if value is not None else "").strip().removesuffix(".0").removesuffix("cm").strip()
    if not said:
        return None
    if not said.isascii() or not said.isdigit() or not low <= int(said[:9]) <= high:
        raise BadInput(f"'{said[:20]}' is no {what} between {low} and {high}")
    return int(said)


def yes(value: object) -> bool:
    """A yes or no of a cell.

    Raises:
        BadInput: it is neither.
    """
    said = str(value if value is not None else "").strip().casefold()
    if said in ("", "0", "no", "false", "否", "未采集", "无", "n"):
        return False
    if said in ("1", "yes", "true", "是", "已采集", "有", "y"):
        return True
    raise BadInput(f"'{said[:20]}' is neither yes nor no")


def checked(fields: CaseFields, today: date) -> CaseFields:
    """``fields``, its dates possible.

    Raises:
        BadInput: no name, a date in the future, or a loss before birth.
    """
    if not fields.name.strip():
        raise BadInput("the child's name is missing")
    for what, when in (("birth date", fields.birth_on), ("date of loss", fields.missing_on)):
        if when is not None and when > today:
            raise BadInput(f"the {what} {when} lies in the future")
    if fields.birth_on and fields.missing_on and fields.missing_on < fields.birth_on:
        raise BadInput(f"missing on {fields.missing_on}, before the birth on {fields.birth_on}")
    return fields
