"""Photo files by content, photos that look alike, and the first time one was seen."""

from __future__ import annotations

import os
import random
import stat
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store import media, photos, posts
from store.errors import BadInput, NotFound, StoreError
from store.model import Datum, Exif, GeoPoint
from store.photos import PhotoFiles
from store.session import Store


@pytest.fixture
def files(tmp_path):
    return PhotoFiles(tmp_path / "photos")


def test_a_photo_is_kept_once_under_its_hash(files):
    """Putting the same bytes twice keeps one file and gives the same name; no half-written file stays behind."""
    name = files.put(b"picture")
    assert files.put(b"picture") == name
    assert files.get(name) == b"picture"
    assert list(files.all()) == [name]
    assert [path.name for path in files.place.root.rglob("*") if path.is_file()] == [name]


def test_photos_and_database_are_for_their_owner_alone(files, tmp_path, clock):
    """No other account of the machine reads a photo, the database or its log."""
    name = files.put(b"picture")
    store = Store(f"sqlite:///{tmp_path / 'new.sqlite'}", clock)
    store.migrate()
    with store.write():
        kept = [files.place.path(name), *tmp_path.glob("new.sqlite*")]
        assert len(kept) == 4
        assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}
    assert stat.S_IMODE(files.place.path(name).parent.stat().st_mode) == 0o700


def test_a_damaged_photo_is_not_handed_out(files):
    """A file whose content no longer fits its name is an error, not a picture."""
    name = files.put(b"picture")
    files.place.path(name).write_bytes(b"\x00pictura")
    with pytest.raises(StoreError, match="damaged"):
        files.get(name)


def test_putting_a_photo_again_mends_a_damaged_file(files):
    """A photo that is fetched again replaces a damaged copy instead of trusting that a file of its name stands there."""
    name = files.put(b"picture")
    files.place.path(name).write_bytes(b"")
    files.put(b"picture")
    assert files.get(name) == b"picture"


def test_deleting_and_missing(files):
    """A deleted photo is gone; a missing one is NotFound."""
    name = files.put(b"picture")
    assert files.delete(name)
    assert not files.delete(name)
    with pytest.raises(NotFound):
        files.get(name)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a", "A" * 64, "", "a" * 63 + "/"])
def test_only_hashes_name_photos(files, name):
    """No name from outside reaches the file system unless it is a sha256."""
    with pytest.raises(BadInput):
        files.get(name)


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path):
    """A file where the folder should be (or no space, or no right) is a StoreError that says what to do."""
    (tmp_path / "photos").write_text("in the way")
    with pytest.raises(StoreError) as caught:
        PhotoFiles(tmp_path / "photos").put(b"picture")
    assert caught.value.mend


def test_a_full_disk_leaves_no_half_photo(files, monkeypatch):
    """When the disk fills up while writing, nothing of the photo stays."""

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space"):
        files.put(b"picture")
    assert [path for path in files.place.root.rglob("*") if path.is_file()] == []


def test_a_photo_row_is_one_for_equal_bytes(store, make_photo):
    """Saving the same photo again returns the same row."""
    with store.write() as tx:
        first = make_photo(tx)
        assert make_photo(tx) == first
        assert photos.get(tx, first.id) == photos.get(tx, first.sha256) == first
        with pytest.raises(NotFound):
            photos.get(tx, 99)


def test_exif_survives(store, clock):
    """What a photo says of itself comes back with its zone and datum."""
    exif = Exif(clock.now, GeoPoint(22.5, 114.1, Datum.WGS84), "a camera", ("gps: swapped",))
    with store.write() as tx:
        saved = photos.save(tx, sha256="b" * 64, phash="0" * 16, width_px=1, height_px=2, format="PNG", size_bytes=3, exif=exif)
    assert saved.exif == exif


def test_near_finds_exactly_what_a_full_scan_finds(store, make_photo):
    """The banded look-up misses nothing and adds nothing, at every distance up to 11."""
    chance = random.Random(7)
    base = chance.getrandbits(64)
    hashes = []
    for _ in range(300):
        value = base
        for bit in chance.sample(range(64), chance.randrange(0, 16)):
            value ^= 1 << bit
        hashes.append(value)
    with store.write() as tx:
        for number, value in enumerate(hashes):
            make_photo(tx, f"{number:064x}", f"{value:016x}")
        for distance in range(12):
            found = {hit.photo_id: hit.distance for hit in photos.near(tx, f"{base:016x}", distance)}
            wanted = {n + 1: (v ^ base).bit_count() for n, v in enumerate(hashes) if (v ^ base).bit_count() <= distance}
            assert found == wanted


@pytest.mark.only_on("sqlite", why="SQLite's plan")
def test_near_uses_its_indexes(store, make_photo):
    """The look-up never scans the table (its cost must not grow with the photos)."""
    with store.read() as tx:
        seen: list[str] = []
        original = tx.connection.exec_driver_sql
        query = "EXPLAIN QUERY PLAN SELECT id FROM photos WHERE band0 IN (1,2) OR band1 IN (1,2) OR band2 IN (1) OR band3 IN (3)"
        seen = [row[3] for row in original(query)]
    assert not [step for step in seen if step.startswith("SCAN")]


@given(st.text(max_size=20))
def test_near_never_fails_on_odd_hashes(phash):
    """What is no 64-bit hash is BadInput, whatever it is."""
    try:
        value = int(phash, 16)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 64:
        with pytest.raises(BadInput):
            photos._bands(phash)


@pytest.mark.parametrize("distance", [-1, 12])
def test_near_refuses_distances_it_cannot_search(store, distance):
    """A distance the bands cannot guarantee is refused instead of answered incompletely."""
    with store.read() as tx, pytest.raises(BadInput):
        photos.near(tx, "0" * 16, distance)


def test_first_seen_is_the_earliest_post_even_if_read_later(store, stream, make_post, make_photo, clock):
    """A recycled photo is bounded by the earliest post that shows it or a near copy; a case's own photo by none."""
    late, early = make_post("1"), make_post("2", posted_at=clock.now - timedelta(days=9))
    with store.write() as tx:
        posts.save_page(tx, stream, [late, early], now=tx.now, silent=lambda post: False, cursor=None, chain=None)
        one, other, lonely = (
            make_photo(tx, "1" * 64),
            make_photo(tx, "2" * 64, "00ff00ff00ff00fe"),
            make_photo(tx, "3" * 64, "f" * 16),
        )
        media.mark_stored(tx, 1, one.id)
        media.mark_stored(tx, 2, other.id)
        assert photos.first_seen(tx, one.id).post_row == 1
        seen = photos.first_seen(tx, one.id, max_distance=3)
        assert (seen.post_row, seen.posted_at) == (2, early.posted_at)
        assert photos.first_seen(tx, lonely.id, max_distance=3) is None


def test_a_blank_picture_was_not_first_seen_in_another_blank_one(store, stream, make_post, make_photo, clock):
    """Flat pictures share a perceptual hash and prove nothing about each other."""
    late, early = make_post("1"), make_post("2", posted_at=clock.now - timedelta(days=9))
    with store.write() as tx:
        posts.save_page(tx, stream, [late, early], now=tx.now, silent=lambda post: False, cursor=None, chain=None)
        for row in (1, 2):
            media.mark_stored(tx, row, make_photo(tx, f"{row}" * 64, "0" * 16).id)
        assert photos.first_seen(tx, 1, max_distance=6).post_row == 1
