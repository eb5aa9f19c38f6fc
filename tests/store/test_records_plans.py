"""The console's queries about sightings, cases, families and replies follow indexes: their cost does not grow with the store.

On SQLite alone, for the reason that test_query_plans.py gives.
"""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event

from store import (
    alerts,
    audit,
    case_merge,
    cases,
    faces,
    families,
    gallery,
    history,
    leads,
    matches,
    media,
    posts,
    replies,
    search,
    sightings,
)
from store.cases import CaseFields
from store.families import FamilyFilter
from store.matches import NewCandidate
from store.model import Band, When, Where
from store.session import Store
from store.sightings import SightingFilter, SightingState

PACK = "p" * 64
NOW = datetime(2026, 2, 10, 12, 0, tzinfo=UTC)
OPEN = {"state": SightingState.OPEN}
WEEK = {"seen_since": NOW - timedelta(days=7), "seen_until": NOW + timedelta(days=1)}


@pytest.fixture(scope="module")
def world(tmp_path_factory, migrated, stream, make_post, make_photo, make_face):
    """A store with one of everything; nothing is committed to it afterwards."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('plans') / 'suishoupai.sqlite'}", lambda: NOW)
    shutil.copy(migrated("sqlite"), store.path)
    with store.write() as tx:
        posts.save_page(tx, stream, [make_post()], now=tx.now, silent=lambda post: False, cursor=None, chain=None)
        media.mark_stored(tx, 1, make_photo(tx).id)
        (face,) = faces.save_faces(tx, 1, "pack", PACK, [make_face()])
        case = cases.add(tx, CaseFields(name="示例", missing_on=date(2010, 1, 1), police_report_number="T"), "family")
        cases.verify(tx, case.id, "second", "T")
        gallery.save_case_face(tx, cases.add_photo(tx, case.id, 1).id, "pack", PACK, make_face())
        matches.save_candidates(tx, face, "pack", [NewCandidate(1, 0.7, None, None, 1, Band.HIGH)])
        sightings.save(tx, 1, Where("440303"), When(NOW, NOW + timedelta(hours=1)))
        leads.open_lead(tx, 1, 1, candidate_id=1, who="bot", why="x")
        families.pick(tx, 1, face, "mother", "", 1)
    yield store
    store.close()


def case(tx):
    return cases.get(tx, 1)


QUERIES = {
    "sightings of a province": lambda tx: search.search(tx, SightingFilter(adcode_prefix="44")),
    "sightings of a platform": lambda tx: search.search(tx, SightingFilter(platform="weibo")),
    "open sightings": lambda tx: search.search(tx, SightingFilter(state=SightingState.OPEN)),
    "sightings of a county, of a platform": lambda tx: search.search(tx, SightingFilter("440303", platform="weibo", **OPEN)),
    "sightings of a prefecture in a week": lambda tx: search.search(tx, SightingFilter("4403", **WEEK, **OPEN)),
    "a week of a platform": lambda tx: search.search(tx, SightingFilter(platform="weibo", **WEEK, **OPEN)),
    "an older page": lambda tx: search.search(tx, SightingFilter(), before=50),
    "sightings by division": search.by_adcode,
    "sightings of a page": lambda tx: sightings.several(tx, [1, 2]),
    "cases of a page": lambda tx: cases.several(tx, [1, 2]),
    "sightings by month": lambda tx: search.between(tx, [NOW - timedelta(days=30), NOW]),
    "the same photo": lambda tx: search.same_photo(tx, sightings.get(tx, 1)),
    "leads of a division": lambda tx: search.leads_in(tx, ("4403",)),
    "a family's faces": lambda tx: families.faces_for(tx, case(tx), PACK, FamilyFilter(sex="female", age_from=3, age_to=9)),
    "a family's faces of a month": lambda tx: families.faces_for(tx, case(tx), PACK, FamilyFilter(month_from=date(2026, 1, 1))),
    "whether a family may see a face": lambda tx: families.may_see(tx, case(tx), 1),
    "the sighting of a face": lambda tx: families.sighting_of_face(tx, 1),
    "a family's picks": lambda tx: families.picks(tx, 1),
    "picks of a lead": lambda tx: families.of_lead(tx, 1),
    "newest pack": families.pack_in_use,
    "registrations of one child": lambda tx: case_merge.alike(tx, case(tx)),
    "a case's history": lambda tx: history.of_case(tx, 1),
    "open replies": lambda tx: replies.listing(tx, state=replies.ReplyState.OPEN),
    "replies about a sighting": lambda tx: replies.listing(tx, sighting_id=1),
    "who was called by a post": lambda tx: replies.called_by(tx, "weibo", {"1", "2"}),
    "who was called for a reference": lambda tx: replies.called_for(tx, "S-1"),
    "who was shown photos of late": lambda tx: audit.viewers(tx, NOW - timedelta(hours=1)),
    "who registered cases of late": lambda tx: cases.registrants(tx, NOW - timedelta(hours=24)),
    "messages about a reference": lambda tx: alerts.about(tx, "S-1"),
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_page_reads_no_whole_table(world, name):
    """Each statement is explained by SQLite: no table is scanned but along an index that ends at the page's limit."""
    seen: list[tuple[str, tuple]] = []

    def note(_connection, _cursor, statement, parameters, _context, _many) -> None:
        seen.append((statement, parameters))

    with world.read() as tx:
        event.listen(tx.connection, "before_cursor_execute", note)
        QUERIES[name](tx)
        event.remove(tx.connection, "before_cursor_execute", note)
        assert seen
        for statement, parameters in seen:
            plan = [step[3] for step in tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            newest = "WHERE" not in statement and "DESC" in statement and "LIMIT" in statement  # stops at its limit
            scans = [step for step in plan if step.startswith("SCAN") and "USING" not in step and "(" not in step[:6]]
            assert newest or not scans, (statement, plan)
