"""The gallery kept in step with the store: at start, from sealed blocks, after every kind of change, and after erasures."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bot import faces
from bot.bench._cases import PACK, fill
from bot.faces import FaceBook, group_of
from matcher.calibrate import BandTargets
from matcher.gallery import Group
from store import cases, erase, gallery_blocks, photos, rotate, tables
from store.keys import make_key, parse_keys
from store.photos import PhotoFiles
from store.session import Store
from store.vault import AesVault

COUNT = 60
pytestmark = pytest.mark.on_both


def units(count: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def store(database_url: str):
    """60 verified cases, sealed."""
    opened = Store(database_url, lambda: datetime(2026, 5, 1, tzinfo=UTC), AesVault(parse_keys(make_key())))
    fill(opened, units(COUNT))
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 16 cases, kept from the first case on, written anew when 2 of them changed."""
    monkeypatch.setattr(gallery_blocks, "CASES", 16)
    monkeypatch.setattr(faces, "BLOCKS_FROM", 1)
    monkeypatch.setattr(faces, "_STALE", 2)
    monkeypatch.setattr(faces, "_CHUNK", 7)


def started(store: Store) -> FaceBook:
    """A bot that has just started."""
    book = FaceBook(SimpleNamespace(pack_id="bench", pack_sha256=PACK, dimension=16), BandTargets(), 20)
    with store.read() as tx:
        book.sync(tx)
    return book


def kept(store: Store) -> dict[int, int]:
    with store.read() as tx:
        return gallery_blocks.kept(tx, PACK)


def same(book: FaceBook, other: FaceBook) -> bool:
    """Whether two galleries hold the same cases with the same templates and groups."""
    ours, theirs = (b.gallery.held(range(COUNT + 5)) for b in (book, other))
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_a_template_leans_to_the_newest_photo_and_to_the_clear_one() -> None:
    """Of two photos ten years apart the newer weighs twice the older; a photo without a date counts by its quality alone."""
    given = SimpleNamespace(
        case_ids=np.array([7, 7, 8, 8]),
        norms=np.array([10.0, 10.0, 10.0, 20.0]),
        taken_on=(date(2010, 1, 1), date(2020, 1, 1), None, date(2020, 1, 1)),
    )
    older, newer, undated, clear = faces._weights(given).tolist()
    assert newer / older == pytest.approx(2.0, rel=0.01)
    assert clear / undated == pytest.approx(4.0)


def test_a_start_from_blocks_gives_the_gallery_of_the_tables(store):
    """All cases are there from the tables; blocks are sealed once; a later start reads them and has the very same gallery."""
    first = started(store)
    assert len(first.gallery) == COUNT
    assert first.keep_blocks(store) == len(kept(store)) == 4
    assert first.keep_blocks(store) == 0
    with store.write() as tx:  # what only the tables say is not looked at again
        for table in ("case_faces", "case_photos"):
            tx.connection.exec_driver_sql(f"DELETE FROM {table}")
    assert same(first, started(store))


def test_what_changed_since_a_block_is_taken_in_at_start(store):
    """Closed and changed cases leave or change the gallery though an older block still holds them."""
    started(store).keep_blocks(store)
    with store.write() as tx:
        cases.close(tx, 20, "official", "found", "DNA 1")
        cases.change(tx, 21, cases.CaseFields(name="示例", birth_on=date(2025, 1, 1), missing_on=date(2026, 1, 1)))
    book = started(store)
    assert len(book.gallery) == COUNT - 1
    assert 20 not in book.gallery
    assert book.gallery.group_of(21) is Group.TODDLER
    assert book.keep_blocks(store) == 1  # two of its cases changed


def test_a_running_bot_takes_in_many_changes_at_once(store):
    """More changes than one batch holds: each is taken in, and a bot started afterwards has the same gallery."""
    book = started(store)
    with store.write() as tx:
        for case_id in range(1, 31):
            cases.close(tx, case_id, "official", "found", "DNA 1")
    with store.read() as tx:
        assert book.sync(tx) == 30
        assert book.sync(tx) == 0
    assert book.gallery.case_ids() == list(range(31, COUNT + 1))
    assert same(book, started(store))


def test_an_erased_case_is_in_no_block(store, tmp_path):
    """Its block goes with the erasure's transaction, whoever erases; a bot that has not noticed yet writes none with it."""
    book = started(store)
    book.keep_blocks(store)
    files = PhotoFiles(tmp_path / "photos", store.vault)
    erase.erase_case(store, files, 33, by="operator", why="asked")
    assert sorted(kept(store)) == [0, 1, 3]
    book._stale[2] = 2
    assert book.keep_blocks(store) == 0
    with store.read() as tx:
        book.sync(tx)
    assert book.keep_blocks(store) == 1
    assert 33 not in started(store).gallery


def test_an_erased_photo_takes_the_block_of_its_case_along(store, tmp_path):
    """A template made of an erased photo does not stay in a copy."""
    started(store).keep_blocks(store)
    with store.read() as tx:
        sha256 = photos.get(tx, 5).sha256
    erase.erase_photo(store, PhotoFiles(tmp_path / "photos", store.vault), sha256, by="operator", why="asked")
    assert sorted(kept(store)) == [1, 2, 3]
    assert 5 not in started(store).gallery


def test_a_damaged_block_costs_time_and_nothing_else(store):
    """A block that does not open is made anew from the tables."""
    book = started(store)
    book.keep_blocks(store)
    with store.write() as tx:
        tx.execute(tables.gallery_blocks.update().where(tables.gallery_blocks.c.number == 1).values(sealed=b"\x01" + bytes(99)))
    again = started(store)
    assert same(book, again)
    assert again.keep_blocks(store) == 1


def test_a_new_key_leaves_no_block_under_the_old_one(store, tmp_path):
    """Rotation removes the blocks (they are derived); the bot makes them anew with the key that seals now."""
    started(store).keep_blocks(store)
    rotate.rotate(store, PhotoFiles(Path(tmp_path) / "photos", store.vault))
    assert kept(store) == {}
    assert started(store).keep_blocks(store) == 4


def test_a_small_gallery_keeps_no_blocks(store, monkeypatch):
    """Below the limit the tables are read: nothing is written twice for nothing."""
    monkeypatch.setattr(faces, "BLOCKS_FROM", COUNT + 1)
    assert started(store).keep_blocks(store) == 0


@pytest.mark.parametrize(
    ("birth", "missing", "taken", "group"),
    [
        (None, date(2020, 1, 1), [None], Group.CHILD),
        (date(2018, 1, 1), date(2020, 1, 1), [None], Group.TODDLER),
        (date(2018, 1, 1), date(2020, 1, 1), [date(2024, 1, 1), date(2022, 1, 1)], Group.CHILD),
        (date(2000, 1, 1), None, [date(2019, 1, 1)], Group.ADULT),
    ],
)
def test_the_group_is_that_of_the_youngest_photo(birth, missing, taken, group):
    """The photos' days decide, then the day of the loss; without either the careful middle."""
    assert group_of(birth, missing, taken) is group
