"""What the bot asks all the time is answered from an index: its cost must not grow with what is stored.

Explained on SQLite alone: PostgreSQL plans by statistics, and on a table of one row its plan says nothing about a table of a
million. It has the same indexes (tests/store/test_postgresql.py compares them with store/tables), which these plans prove to fit.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from sqlalchemy import event

from store import (
    alerts,
    audit,
    cases,
    erase,
    faces,
    gallery,
    invitations,
    known_pairs,
    leads,
    matches,
    media,
    officials,
    people,
    photos,
    posts,
    recognition,
    reviews,
    sightings,
    spoken,
)
from store.alerts import NewAlert
from store.cases import CaseFields
from store.matches import NewCandidate
from store.model import AlertState, Band, LeadState, MessageKind, When, Where
from store.posts import Step
from store.session import Store
from store.sightings import SightingFilter, SightingState
from store.tombstones import Kind, Tombstones

PACK = "p" * 64
NOW = datetime(2011, 2, 10, 12, 0, tzinfo=UTC)
SMALL = {"streams", "agencies", "official_accounts", "counters", "secrets", "users", "file_removals"}
"""Tables that hold tens to thousands of rows whatever the campaign's size."""


@pytest.fixture(scope="module")
def world(tmp_path_factory, migrated, stream, make_post, make_photo, make_face):
    """A store with one of everything, so that each query has something to follow. Nothing is committed to it afterwards."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('plans') / 'suishoupai.sqlite'}", lambda: NOW)
    shutil.copy(migrated("sqlite"), store.path)
    with store.write() as tx:
        posts.save_page(tx, stream, [make_post()], now=tx.now, silent=lambda post: False, cursor=None, chain=None)
        media.mark_stored(tx, 1, make_photo(tx).id)
        (face,) = faces.save_faces(tx, 1, "pack", PACK, [make_face()])
        case = cases.add(tx, CaseFields(name="示例"), "family")
        gallery.save_case_face(tx, cases.add_photo(tx, case.id, 1).id, "pack", PACK, make_face())
        matches.save_candidates(tx, face, "pack", [NewCandidate(1, 0.7, None, None, 1, Band.HIGH)])
        sightings.save(tx, 1, Where("440303"), When())
        leads.open_lead(tx, 1, 1, candidate_id=1, who="bot", why="x")
        alerts.propose(tx, NewAlert("weibo", "1", MessageKind.ANSWER, "S-1", "x", thread_id="1"))
        tombs = Tombstones(tx)
        assert not tombs.stands(Kind.POST, "weibo", "1")
        people.add(tx, "reviewer")
    yield store
    store.close()


QUERIES = {
    "pending posts": lambda tx: posts.pending(tx, Step.STORED, tx.now, 20),
    "a post": lambda tx: posts.get(tx, 1),
    "a post by its id": lambda tx: posts.find(tx, "weibo", "1"),
    "posts to look up": lambda tx: posts.to_look_up(tx, "weibo", tx.now, 50),
    "opt-outs": lambda tx: posts.opted_out(tx, "weibo", "u1"),
    "pending pictures": lambda tx: media.pending(tx, tx.now, 20),
    "posts that show a photo": lambda tx: media.posts_showing(tx, 1),
    "look-alikes": lambda tx: photos.near(tx, "0" * 16, 6),
    "first seen": lambda tx: photos.first_seen(tx, 1, 6),
    "the newest photo": lambda tx: faces.newest_photo(tx),
    "new faces on tracks": lambda tx: recognition.tracked_after(tx, PACK, 1, 20),
    "tracks of faces": lambda tx: recognition.tracks_with(tx, [1], PACK),
    "tracks in all": lambda tx: recognition.tracks_made(tx),
    "faces of a photo": lambda tx: faces.faces_of_photo(tx, 1, PACK),
    "scanned": lambda tx: faces.scanned(tx, 1, PACK),
    "rejected cases": lambda tx: matches.rejected_cases(tx, 1),
    "candidates of a post": lambda tx: matches.of_post(tx, 1),
    "posts of a candidate": lambda tx: matches.posts_of(tx, 1),
    "open candidates": lambda tx: matches.listing(tx, state=matches.CandidateState.OPEN, band=Band.HIGH),
    "candidates of a case": lambda tx: matches.listing(tx, case_id=1),
    "sighting of a post": lambda tx: sightings.of_post(tx, 1),
    "sightings with a photo": lambda tx: sightings.showing(tx, [1]),
    "sightings of a prefecture": lambda tx: sightings.listing(tx, SightingFilter(adcode_prefix="4403")),
    "open sightings": lambda tx: sightings.listing(tx, SightingFilter(state=SightingState.OPEN)),
    "leads in a state": lambda tx: leads.listing(tx, state=LeadState.NEW),
    "leads of a case": lambda tx: leads.listing(tx, case_id=1),
    "a lead's history": lambda tx: leads.history(tx, 1),
    "the last change of a case": lambda tx: cases.last_seq(tx),
    "changed cases": lambda tx: cases.changed_since(tx, 1),
    "cases to search back": lambda tx: cases.pending_reverse(tx),
    "verified cases": lambda tx: cases.listing(tx),
    "gallery of some cases": lambda tx: gallery.gallery(tx, PACK, [1]),
    "next message": lambda tx: alerts.claim_next(tx, "weibo", tx.now, 60),
    "unknown messages": lambda tx: alerts.unknowns(tx, "weibo", tx.now),
    "expired leases": lambda tx: alerts.expired_leases(tx, tx.now),
    "cap of messages": lambda tx: spoken.sent_since(tx, "weibo", MessageKind.ALERT, tx.now - timedelta(hours=1)),
    "cap of an official": lambda tx: spoken.mentions_since(tx, 1, tx.now - timedelta(days=1)),
    "alerts of late": lambda tx: alerts.listing(tx, kind=MessageKind.ALERT, limit=21),
    "answered threads": lambda tx: spoken.answered_thread(tx, "weibo", "1"),
    "held messages": lambda tx: alerts.listing(tx, state=AlertState.HELD, platform="weibo"),
    "messages about a post": lambda tx: alerts.listing(tx, platform="weibo", target_post_id="1"),
    "an official's account": lambda tx: officials.account(tx, "weibo", "7"),
    "a reviewer's next pair": lambda tx: reviews.take_next(tx, 1, tx.now),
    "a reviewer's next pair in a division": lambda tx: reviews.take_next(tx, 1, tx.now, ("44",)),
    "pairs that wait": lambda tx: reviews.waiting(tx, 1),
    "pairs passed on": lambda tx: reviews.escalated(tx),
    "a reviewer's last vote": lambda tx: reviews.last_of(tx, 1),
    "a reviewer's figures": lambda tx: known_pairs.figures(tx, 1),
    "a known pair": lambda tx: known_pairs.give(tx, 1, Random(1)),
    "an invitation": lambda tx: invitations.find(tx, "token"),
    "a session": lambda tx: people.of_session(tx, "token"),
    "last events": lambda tx: audit.listing(tx, object="photo:1"),
    "a person's events": lambda tx: audit.listing(tx, who="reviewer"),
    "receipts": lambda tx: erase.receipts(tx),
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_frequent_query_reads_no_whole_table(world, name):
    """Each statement of the function is explained by SQLite: no big table is scanned without an index to follow."""
    assert _scans(world, QUERIES[name]) == []


def test_storing_a_page_reads_no_whole_table(world, stream, make_post):
    """Nor does storing a post: known or new, repost or not."""
    page = [make_post("1"), make_post("2", author="anna"), make_post("3", repost_of=make_post("1"))]
    save = {"now": NOW, "silent": lambda post: False, "cursor": None, "chain": None}
    assert _scans(world, lambda tx: posts.save_page(tx, stream, page, **save)) == []


def _scans(store, ask) -> list[str]:
    seen: list[tuple[str, tuple]] = []

    def note(_connection, _cursor, statement, parameters, _context, _many) -> None:
        if statement.split(maxsplit=1)[0] in {"SELECT", "UPDATE", "DELETE", "INSERT"}:
            seen.append((statement, parameters))

    found: list[str] = []
    with suppress(_RollBack), store.write() as tx:
        event.listen(tx.connection, "before_cursor_execute", note)
        ask(tx)
        event.remove(tx.connection, "before_cursor_execute", note)
        assert seen, "the function asked nothing"
        for statement, parameters in seen:
            plan = tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            whole = [step[3] for step in plan if _is_whole_scan(step[3])]
            if whole and not _stops_early(statement):
                found.append(f"{whole} in: {' '.join(statement.split())}")
        raise _RollBack
    return found


class _RollBack(Exception):
    """Leaves the store as it was."""


def _is_whole_scan(step: str) -> bool:
    words = step.split()
    if words[0] != "SCAN" or words[1] in SMALL or words[1].startswith("("):
        return False
    return "USING" not in words


def _stops_early(statement: str) -> bool:
    """Newest-first lists without a condition walk the primary key backwards and stop at their limit."""
    return "WHERE" not in statement and "DESC" in statement and "LIMIT" in statement
