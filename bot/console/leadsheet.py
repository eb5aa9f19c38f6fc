"""A lead on paper: a PDF for a volunteer to hand to an office, with the evidence and the hashes that prove it unchanged.

Set by Typst from ``templates/leads_sheet.typ`` with an embedded Chinese font, all in memory: photos of children are not written
to a disk, and the reader's machine needs no font.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import pylopdf_fonts_zh_cn
import typst

from bot.console.i18n import Words, told_in
from bot.console.views import LeadView
from store.cases import Case
from store.leads import LeadEvent
from store.model import Evidence
from store.sightings import Sighting

TEMPLATE = Path(__file__).parent / "templates" / "leads_sheet.typ"
PHOTO_PX = 800
MOST_PHOTOS = 6
"""Of the sighting, and of the case: as many as are looked at on paper."""

_QUOTED = re.compile("“[^”]{1,80}”")

Photo = Callable[[str], bytes]
Rows = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Writing:
    """How a sheet writes things: its language and words, an instant, a span of time, a date, and a division by its code."""

    lang: str
    say: Words
    moment: Callable[[datetime | None], str]
    span: Callable[[datetime | None, datetime | None], str]
    day: Callable[[Any], str]
    division: Callable[[str | None], str]


def pdf(view: LeadView, writing: Writing, photo: Photo, *, now: datetime, by: str, head: tuple[int, str], office: str) -> bytes:
    """The sheet as a PDF.

    Args:
        photo: A photo's JPEG by its content hash, fit to be printed.
        head: How many entries the record of what was done holds, and the hash of the last (``audit.head``).
        office: Who runs the campaign and how to reach them, for the foot of each page.
    """
    values = sheet(view, writing, photo, now=now, by=by, head=head, office=office)
    made = typst.compile(
        TEMPLATE.read_bytes(), font_paths=_fonts(), sys_inputs={"data": json.dumps(values, ensure_ascii=False)}, format="pdf"
    )
    if not isinstance(made, bytes):
        raise TypeError("a PDF is one file")
    return made


@lru_cache(maxsize=1)
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, font_paths=[str(pylopdf_fonts_zh_cn.sans_path().parent)])


def sheet(
    view: LeadView, writing: Writing, photo: Photo, *, now: datetime, by: str, head: tuple[int, str], office: str
) -> dict[str, Any]:
    """What the template sets, as plain values."""
    _, seen, case = writing.say, view.seen, view.case
    here = [(f"{seen.sighting.ref}/{shown.number}", shown.sha256) for shown in seen.photos]
    there = [(f"{case.ref}/{n}", shown.sha256) for n, shown in enumerate(view.case_photos, 1)]
    number, last = head
    return {
        "lang": writing.lang,
        "title": _("For an office to check: sighting %(ref)s", ref=seen.sighting.ref),
        "caution": _(
            "People saw a likeness; nobody has established who this child is. Please check. Confirmation rests on your own"
            " inquiry or DNA."
        ),
        "seen": {"title": _("What was seen"), "facts": _sighting(view, writing), "photos": _photos(here, photo)},
        "case": {"title": _("The registered case"), "facts": _case(case, writing), "photos": _photos(there, photo)},
        "evidence": {"title": _("Evidence of when and where"), "rows": _evidence(seen.sighting, writing)},
        "history": {"title": _("What happened"), "rows": [_event(event, writing) for event in view.history]},
        "hashes": {"title": _("Hashes (SHA-256) of the photos as received"), "rows": here + there},
        "vouched": _(
            "Printed %(when)s by %(who)s. The record of what was done then held %(n)s entries, the last with the hash:",
            when=writing.moment(now),
            who=by,
            n=number,
        ),
        "head": last,
        "footer": " · ".join(part for part in (office, _("For the office alone: it shows a child.")) if part),
    }


def _photos(found: Iterable[tuple[str, str]], photo: Photo) -> list[dict[str, Any]]:
    return [{"label": label, "bytes": list(photo(sha256))} for label, sha256 in list(found)[:MOST_PHOTOS]]


def _sighting(view: LeadView, writing: Writing) -> Rows:
    _, sighting, post = writing.say, view.seen.sighting, view.seen.post
    place = writing.division(sighting.where.adcode)
    if sighting.where.place and sighting.where.place not in place:
        place = " · ".join(part for part in (place, sighting.where.place) if part)
    span = writing.span(sighting.when.seen_from, sighting.when.seen_to)
    rows = [
        (_("Sighting"), sighting.ref),
        (_("Where"), f"{place or _('not known')} ({_(sighting.where.certainty.value)})"),
        (_("When"), f"{span or _('not known')} ({_(sighting.when.certainty.value)})"),
    ]
    if post is not None:
        rows += [(_("Posted"), f"{writing.moment(post.posted_at)} · {_(post.platform)}"), (_("Words"), post.text), ("", post.url)]
    return [row for row in rows if row[1]]


def _case(case: Case, writing: Writing) -> Rows:
    _, said = writing.say, case.fields
    rows = [
        (_("Case"), case.ref),
        (_("Name"), said.name),
        (_("Sex"), _(said.sex) if said.sex else ""),
        (_("Born"), f"{writing.day(said.birth_on)} {writing.division(said.birth_adcode)}".strip()),
        (_("Missing since"), f"{writing.day(said.missing_on)} {writing.division(said.missing_adcode)}".strip()),
        (_("Height"), f"{said.height_cm} cm" if said.height_cm else ""),
        (_("Features"), said.features),
        (_("Accent"), said.accent),
        (_("Clothing"), said.clothing),
        (_("Circumstances"), said.circumstances),
        (_("Siblings"), said.siblings),
        (_("Police report"), said.police_report_number or _("none given")),
        (_("DNA filed"), _("yes") if said.dna_filed else _("no")),
    ]
    return [row for row in rows if row[1]]


def _evidence(sighting: Sighting, writing: Writing) -> Rows:
    signs = [*sighting.where.evidence, *sighting.when.evidence]
    return [(_source(sign.source, writing.say), _sign(sign, writing)) for sign in signs if sign.value]


def _source(name: str, _: Words) -> str:
    told = _(f"evidence: {name}")
    return told.removeprefix("evidence: ").replace("_", " ")


def _sign(sign: Evidence, writing: Writing) -> str:
    """A sign in the reader's form: a division by its name, a span of time as it is written here, and the words as they stood."""
    value = sign.value or ""
    if "/" in value:
        start, _slash, end = value.partition("/")
        value = writing.span(*(datetime.fromisoformat(part) if part else None for part in (start, end)))
    elif value.isdigit():
        value = writing.division(value)
    # The reasons are written in English; elsewhere the words of the post that they quote say enough.
    why = sign.why if writing.lang == "en" else " ".join(_QUOTED.findall(sign.why))
    return f"{value} ({writing.say(sign.certainty.value)})" + (f" · {why}" if why else "")


def _event(event: LeadEvent, writing: Writing) -> tuple[str, str]:
    _ = writing.say
    record = "" if event.record is None else f"{_('record')} ({_(event.record.kind.value)}): {event.record.reference}"
    # The bot's own reason is a score, which is for reviewers: an office looks at the child, not at a number.
    why = "" if event.who == "bot" else told_in(writing.lang, event.why)
    told = (_(event.to_state.value.replace("_", " ")), event.who, why, record)
    return writing.moment(event.at), " · ".join(part for part in told if part)
