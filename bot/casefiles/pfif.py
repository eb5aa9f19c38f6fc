"""PFIF 1.4, the People Finder Interchange Format (http://zesty.ca/pfif/1.4/): cases out to and in from other person finders.

Contacts and police report numbers never leave: a PFIF file is made to be passed on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from xml.etree import ElementTree

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from bot.casefiles.lines import Line, adcode, checked, day, sex, whole
from ingest.divisions import table as divisions
from store.cases import Case, CaseFields
from store.errors import BadInput

NAMESPACE = "http://zesty.ca/pfif/1.4"
_OLDER = ("http://zesty.ca/pfif/1.3", "http://zesty.ca/pfif/1.2", "http://zesty.ca/pfif/1.1")
MAX_PERSONS = 20_000
_MAX_TEXT = 4000

# What PFIF has no element for stands in its free description, one "name: value" a line, as the format's authors advise.
_DESCRIBED = (
    "missing_on",
    "missing_adcode",
    "birth_adcode",
    "height_cm",
    "features",
    "accent",
    "clothing",
    "siblings",
    "circumstances",
)


def write(found: Iterable[Case], *, domain: str, now: datetime) -> bytes:
    """Cases as a PFIF 1.4 document. ``domain`` is our half of the record ids ("example.org/person.C-9X2M").

    Elements stand in the order of the specification's table of person fields.
    """
    ElementTree.register_namespace("pfif", NAMESPACE)
    root = ElementTree.Element(_tag("pfif"))
    for case in found:
        what = case.fields
        person = ElementTree.SubElement(root, _tag("person"))
        home = divisions().ancestors(what.birth_adcode) if what.birth_adcode else []
        for name, value in (
            ("person_record_id", f"{domain}/person.{case.ref}"),
            ("entry_date", _instant(now)),
            ("source_date", _instant(case.registered_at)),
            ("source_name", what.source),
            ("full_name", what.name),
            ("description", _description(what)),
            ("sex", what.sex),
            ("date_of_birth", what.birth_on.isoformat() if what.birth_on else ""),
            ("home_city", next((d.name for d in home if d.level == "prefecture"), "")),
            ("home_state", home[-1].name if home else ""),
            ("home_country", "CN" if home else ""),
        ):
            if value:
                ElementTree.SubElement(person, _tag(name)).text = _clean(value)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def read(data: bytes, today: date) -> list[Line]:
    """The persons of a PFIF document, 1.1 to 1.4. Entities, DTDs and external references are refused outright.

    Raises:
        BadInput: it is no PFIF document, or a hostile one.
    """
    try:
        root = fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        raise BadInput("this file defines entities; it is refused", mend="export it anew without a DTD") from error
    except (ElementTree.ParseError, ValueError, RecursionError, LookupError) as error:
        raise BadInput(f"this is no XML: {str(error)[:200]}") from error
    space = root.tag[1:].partition("}")[0] if root.tag.startswith("{") else ""
    if space not in (NAMESPACE, *_OLDER) or not root.tag.endswith("}pfif"):
        raise BadInput("this is no PFIF document", mend=f"its root must be pfif in {NAMESPACE}")
    persons = root.findall(f"{{{space}}}person")
    if not persons:
        raise BadInput("the file holds no persons")
    if len(persons) > MAX_PERSONS:
        raise BadInput(f"more than {MAX_PERSONS} persons", mend="split the file")
    return [_line(number, person, space, today) for number, person in enumerate(persons, 1)]


def _line(number: int, person: ElementTree.Element, space: str, today: date) -> Line:
    said = {
        item.tag.removeprefix(f"{{{space}}}"): (item.text or "").strip()
        for item in person
        if isinstance(item.tag, str) and item.tag.startswith(f"{{{space}}}")
    }
    try:
        if any(len(value) > _MAX_TEXT for value in said.values()):
            raise BadInput(f"a field is longer than {_MAX_TEXT} characters")
        return Line(number, checked(_fields(said), today))
    except BadInput as error:
        return Line(number, None, str(error))


def _fields(said: dict[str, str]) -> CaseFields:
    ref = said.get("person_record_id", "")
    if not ref or "/" not in ref:
        raise BadInput("person_record_id is missing or is not of the form domain/unique")
    told, rest = _told(said.get("description", "") or said.get("other", ""))
    born = day(said.get("date_of_birth", ""), ("%Y-%m-%d", "%Y-%m", "%Y"))
    missing = day(told.get("missing_on", ""))
    return CaseFields(
        name=said.get("full_name") or f"{said.get('family_name', '')}{said.get('given_name', '')}",
        sex=sex(said.get("sex", "")),
        # A year or a month alone is no birth date; it is kept in words.
        birth_on=born if len(said.get("date_of_birth", "")) == 10 else None,
        birth_adcode=adcode(told.get("birth_adcode", ""), None),
        missing_on=missing,
        missing_adcode=adcode(told.get("missing_adcode", ""), missing.year if missing else None),
        height_cm=whole(told.get("height_cm", ""), 20, 250, "height in cm"),
        features=told.get("features", ""),
        accent=told.get("accent", ""),
        clothing=told.get("clothing", ""),
        siblings=told.get("siblings", ""),
        circumstances="\n".join(filter(None, (told.get("circumstances", ""), rest, _partly(said.get("date_of_birth", ""))))),
        source=ref.partition("/")[0],
        source_ref=ref[:200],
    )


def _partly(born: str) -> str:
    return f"born {born}" if born and len(born) != 10 else ""


def _description(what: CaseFields) -> str:
    told = []
    for name in _DESCRIBED:
        value = getattr(what, name)
        if value not in (None, ""):
            told.append(f"{name}: {' / '.join(str(value).splitlines())}")
    return "\n".join(told)


def _told(description: str) -> tuple[dict[str, str], str]:
    """The "name: value" lines of a description that are fields of ours, and the other lines."""
    found, rest = {}, []
    for line in description.splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip() in _DESCRIBED:
            found[name.strip()] = value.strip()
        elif line.strip():
            rest.append(line.strip())
    return found, "\n".join(rest)


def _clean(value: str) -> str:
    """Without what XML 1.0 cannot hold."""
    return "".join(c for c in value if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c >= "\U00010000")


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"
