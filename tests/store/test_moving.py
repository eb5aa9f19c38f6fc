"""`store copy`: a living installation moves to another database whole, however often the move is killed."""

from __future__ import annotations

import secrets as random
from contextlib import ExitStack, suppress
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import select

from store import (
    alerts,
    audit,
    cases,
    erase,
    faces,
    gallery,
    leads,
    matches,
    media,
    moving,
    moving_rows,
    people,
    posts,
    sightings,
)
from store.alerts import NewAlert
from store.cases import CaseFields
from store.errors import Occupied, StoreError
from store.matches import NewCandidate
from store.model import Band, MessageKind, When, Where
from store.photos import PhotoFiles
from store.session import Store
from store.tables import metadata
from store.vault import AesVault

PACK = "p" * 64
KEY = random.token_bytes(32)
OTHER_WAY = {"sqlite": "postgresql", "postgresql": "sqlite"}


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    """Several parts a table, though it has a few rows."""
    monkeypatch.setattr(moving_rows, "PART", 2)


@pytest.fixture
def source(database_url, clock):
    store = Store(database_url, clock, AesVault([KEY]))
    yield store
    store.close()


@pytest.fixture
def target(database, fresh_database, tmp_path, clock):
    """An empty database of the other kind."""
    with ExitStack() as stack:
        (tmp_path / "to").mkdir()
        url = stack.enter_context(fresh_database(OTHER_WAY[database], tmp_path / "to", tables=False))
        store = Store(url, clock, AesVault([KEY]))
        yield store
        store.close()


@pytest.fixture
def installation(source, clock, stream, make_post, make_photo, make_face):
    """Posts (a repost before its original's number, odd characters), faces, a case, a lead, messages, people, events."""
    with source.write() as tx:
        page = [make_post(str(n), author=f"u{n % 3}", text=f"帖 {n} 🧒 \t\\N") for n in range(7)]
        page.append(make_post("9", repost_of=make_post("8")))
        posts.save_page(tx, stream, page, now=tx.now, silent=lambda post: False, cursor="c", chain=None)
        for row, mark in ((1, "a"), (2, "b")):
            media.mark_stored(tx, row, make_photo(tx, mark * 64).id)
            (face,) = faces.save_faces(tx, row, "pack", PACK, [make_face(row)])
            sightings.save(tx, row, Where("440303"), When(clock(), clock() + timedelta(hours=1)), duplicate_of=None)
        case = cases.add(tx, CaseFields(name="示例", contacts=("a", "b")), "family")
        gallery.save_case_face(tx, cases.add_photo(tx, case.id, 2).id, "pack", PACK, make_face(9))
        matches.save_candidates(tx, face, "pack", [NewCandidate(case.id, 0.7, None, 4200.5, 1, Band.HIGH)])
        leads.open_lead(tx, 1, case.id, candidate_id=1, who="bot", why="x")
        alerts.propose(tx, NewAlert("weibo", "1", MessageKind.ANSWER, "S-1", "说过的话", thread_id="1"))
        people.add(tx, "reviewer", totp_secret=b"base32secretbase32secret")
        for number in range(3):
            audit.append(tx, "operator", "test", f"thing:{number}", {"n": number})
    return source


def _all(store: Store) -> dict[str, list[tuple]]:
    with store.read() as tx:
        return {t.name: sorted(map(repr, tx.execute(select(t)))) for t in metadata.sorted_tables}


def test_everything_is_the_same_after_the_move(installation, target, make_face, stream, make_post):
    """Every value of every table, sealed ones included; vectors open, the events' chain holds, the next rows get new numbers."""
    done = moving.copy(installation, target)
    assert done.complete
    assert _all(target) == _all(installation)
    assert {moved.table for moved in done.tables} == set(metadata.tables)
    assert sum(moved.rows for moved in done.tables) == sum(len(rows) for rows in _all(installation).values())
    with target.write() as tx:
        kept = {face.face_id: face.vector for face in faces.vectors(tx, PACK)}
        assert float(kept[1] @ np.asarray(make_face(1).vector)) > 0.999
        assert people.totp_secret(tx, 1) == b"base32secretbase32secret"
        assert audit.verify(tx) is None
        assert audit.append(tx, "operator", "test", "after") == 4
        posts.save_page(tx, stream, [make_post("new")], now=tx.now, silent=lambda post: False, cursor=None, chain=None)
        assert posts.find(tx, "weibo", "new") == 10
        assert posts.get(tx, posts.find(tx, "weibo", "9")).repost_of_id == posts.find(tx, "weibo", "8")
    moving.refuse_half(target)


def test_a_second_run_finds_nothing_to_do(installation, target):
    """What is equal is passed over."""
    first = moving.copy(installation, target)
    again = moving.copy(installation, target)
    assert again.complete
    assert sum(moved.changed for moved in again.tables) == 0
    assert [(m.table, m.rows, m.digest) for m in again.tables] == [(m.table, m.rows, m.digest) for m in first.tables]


def test_killed_at_every_commit_it_goes_on_where_it_was(installation, target):
    """It dies before its first commit, then before its second, ...: nobody may use what is half there, and it ends complete."""
    target.migrate()
    deaths = 0

    class Killed(BaseException):
        pass

    def mortal(limit: int):
        count = 0

        def watch(point: str) -> None:
            nonlocal count
            count += point.startswith("before:")
            if count > limit:
                raise Killed(point)

        return watch

    limit = 0
    while True:
        target.watch = mortal(limit)
        with suppress(Killed):
            assert moving.copy(installation, target).complete
            break
        target.watch = None
        deaths += 1
        if limit:
            with pytest.raises(StoreError, match="not complete"):
                moving.refuse_half(target)
        limit += 4
    target.watch = None
    assert deaths > 3
    assert _all(target) == _all(installation)
    moving.refuse_half(target)


def test_while_the_bot_runs_it_copies_and_does_not_settle(installation, target, tmp_path, stream, make_post):
    """The bot goes on and its rows are copied as they stand; what it changes, adds and erases comes over once it is stopped."""
    with installation.lock_bot():
        half = moving.copy(installation, target)
        assert not half.complete
        assert str(half.why)
        with pytest.raises(StoreError, match="not complete"):
            moving.refuse_half(target)
        with installation.write() as tx:
            posts.save_page(tx, stream, [make_post("20")], now=tx.now, silent=lambda post: False, cursor="d", chain=None)
            alerts.claim_next(tx, "weibo", tx.now, 60)
        erase.erase_post(installation, PhotoFiles(tmp_path / "photos"), "weibo", "1", by="operator", why="asked")
    done = moving.copy(installation, target)
    assert done.complete
    assert 0 < sum(moved.changed for moved in done.tables) < sum(moved.rows for moved in done.tables)
    assert _all(target) == _all(installation)


def test_another_installation_is_not_written_over(installation, target):
    """The target has rows of its own: refused, and they stay."""
    target.migrate()
    with target.write() as tx:
        audit.append(tx, "operator", "test", "theirs")
    with pytest.raises(StoreError, match="another installation"):
        moving.copy(installation, target)
    with target.read() as tx:
        assert [event.object for event in audit.listing(tx)] == ["theirs"]


def test_a_target_with_a_running_bot_is_refused(installation, target):
    """Nobody copies into a database that is in use."""
    target.migrate()
    with target.lock_bot(), pytest.raises(Occupied):
        moving.copy(installation, target)


def test_a_source_of_another_version_is_refused(source, target, fresh_database, database, tmp_path, clock):
    """An empty or older source is to be migrated first; nothing is made in the target."""
    (tmp_path / "old").mkdir()
    with fresh_database(database, tmp_path / "old", tables=False) as url:
        empty = Store(url, clock)
        with pytest.raises(StoreError, match="empty"):
            moving.copy(empty, target)
        with pytest.raises(StoreError, match="itself"):
            moving.copy(source, source)
        empty.close()
    assert target.schema_state() == "empty"


def test_a_row_that_was_changed_behind_the_move_is_found(installation, target, monkeypatch):
    """The comparison really compares: with one value spoilt on its way the move does not call itself complete."""
    plain_change = moving_rows.differences

    def spoil(source, there, part):
        found = plain_change(source, there, part)
        for row in (*found.new, *found.other.values()):
            if source.table.name == "photos":
                row["size_bytes"] += 1
        return found

    monkeypatch.setattr(moving, "differences", spoil)
    with pytest.raises(StoreError, match="photos differs"):
        moving.copy(installation, target)
    with pytest.raises(StoreError, match="not complete"):
        moving.refuse_half(target)
