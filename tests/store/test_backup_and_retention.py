"""A backup of a living store is whole, its restore says nothing twice and erases again; old data goes by its class."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from datetime import timedelta

import pytest

from store import alerts, audit, backup, cases, erase, faces, leads, matches, media, photos, posts, retention, sightings
from store.alerts import NewAlert
from store.cases import CaseFields
from store.errors import BadInput, StoreError
from store.leads import Record, RecordKind
from store.matches import NewCandidate
from store.model import Band, LeadState, MessageKind, When, Where
from store.photos import PhotoFiles
from store.posts import Step
from store.retention import Policy, PostClass
from store.session import Store
from store.vault import AesVault

PACK = "p" * 64
KEY = b"k" * 32


@pytest.fixture
def sealed(tmp_path, clock):
    """A store and photo folder under a key."""
    store = Store(f"sqlite:///{tmp_path / 'live' / 'suishoupai.sqlite'}", clock, AesVault([KEY]))
    store.migrate()
    yield store, PhotoFiles(tmp_path / "live" / "photos", store.vault)
    store.close()


def _fill(store, files, stream, make_post, make_photo, count=3):
    with store.write() as tx:
        page = [make_post(str(number), author=f"u{number}") for number in range(1, count + 1)]
        posts.save_page(tx, stream, page, now=tx.now, silent=lambda post: False, cursor="3", chain=None)
        for picture in media.pending(tx, tx.now, count):
            photo = make_photo(tx, files.put(f"picture {picture.id}".encode()), f"{picture.id * 0x1111_0F0F_3355_00FF:016x}")
            media.mark_stored(tx, picture.id, photo.id)
        for number in range(1, count + 1):
            alerts.propose(tx, NewAlert("weibo", str(number), MessageKind.ANSWER, f"S-000{number}", "收到"))
        alerts.claim_next(tx, "weibo", tx.now, 60)


def _elsewhere(tmp_path, clock, vault=None):
    store = Store(f"sqlite:///{tmp_path / 'new' / 'suishoupai.sqlite'}", clock, vault or AesVault([KEY]))
    return store, PhotoFiles(tmp_path / "new" / "photos", store.vault)


def test_a_restore_brings_everything_back_and_the_bot_goes_on(sealed, tmp_path, clock, stream, make_post, make_photo):
    """Posts, photos and cursor are back; what may have been said since is held, unknown or silenced; polling goes on."""
    store, files = sealed
    _fill(store, files, stream, make_post, make_photo)
    told: list[tuple[str, int, int]] = []
    manifest = backup.backup(store, files, tmp_path / "backup", lambda *step: told.append(step))
    assert (manifest.photos, manifest.missing) == (3, ())
    assert told[-1] == ("photos", 3, 3)
    clock.forward(hours=2)
    fresh, photo_files = _elsewhere(tmp_path, clock)
    restored = backup.restore(tmp_path / "backup", fresh, photo_files)
    assert (restored.held, restored.unknown, restored.silenced, restored.erased_again) == (2, 1, 3, 0)
    with fresh.write() as tx:
        assert alerts.claim_next(tx, "weibo", tx.now, 60) is None
        state = posts.stream_state(tx, stream)
        assert (state.cursor, state.started_at) == ("3", clock.now)
        assert photo_files.get(photos.get(tx, 1).sha256) == b"picture 1"
        assert posts.get(tx, 1).silent
        assert audit.verify(tx) is None
        page = [make_post("9")]
        assert posts.save_page(tx, stream, page, now=tx.now, silent=lambda post: False, cursor="9", chain=None).new == (4,)


def test_sha256sum_reads_the_backup(sealed, tmp_path, stream, make_post, make_photo):
    """An operator checks a backup with the tool every system has."""
    store, files = sealed
    _fill(store, files, stream, make_post, make_photo)
    backup.backup(store, files, tmp_path / "backup")
    if shutil.which("sha256sum") is None:
        pytest.skip("sha256sum is not installed")
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path / "backup", check=True)


def test_a_backup_holds_no_key_and_no_picture_in_the_clear(sealed, tmp_path, stream, make_post, make_photo):
    """What is sealed in the store is sealed in its backup."""
    store, files = sealed
    _fill(store, files, stream, make_post, make_photo)
    backup.backup(store, files, tmp_path / "backup")
    kept = b"".join(path.read_bytes() for path in (tmp_path / "backup").rglob("*") if path.is_file())
    assert KEY not in kept
    assert b"picture 1" not in kept


def test_a_backup_while_others_write_is_consistent(sealed, tmp_path, stream, make_post, make_photo):
    """With a writer busy all the time, each backup is a state that once was: the audit chain holds in it."""
    store, files = sealed
    _fill(store, files, stream, make_post, make_photo)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            with store.write() as tx:
                audit.append(tx, "bot", "test", "busy")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            backup.backup(store, files, tmp_path / f"backup{number}")
    finally:
        stop.set()
        writer.join()
    for number in range(3):
        backup.verify(tmp_path / f"backup{number}")
        copy = Store(f"sqlite:///{tmp_path / f'backup{number}' / backup.DATABASE}", store._clock, store.vault)
        with copy.read() as tx:
            assert audit.verify(tx) is None
        copy.close()


@pytest.mark.parametrize(
    "what", ["photo changed", "photo missing", "database changed", "sums missing", "line missing", "outside"]
)
def test_a_damaged_backup_is_refused_before_anything_is_touched(sealed, tmp_path, clock, stream, make_post, make_photo, what):
    """Every kind of damage is found, and nothing is brought back."""
    store, files = sealed
    _fill(store, files, stream, make_post, make_photo)
    folder = tmp_path / "backup"
    backup.backup(store, files, folder)
    photo = next((folder / "photos").glob("*/*"))
    sums = folder / backup.SUMS
    if what == "photo changed":
        photo.write_bytes(photo.read_bytes()[:-1] + b"\x00")
    elif what == "photo missing":
        photo.unlink()
    elif what == "database changed":
        (folder / backup.DATABASE).write_bytes(b"SQLite format 3\x00" + b"\x00" * 5000)
    elif what == "sums missing":
        sums.unlink()
    elif what == "line missing":
        sums.write_text("".join(line for line in sums.read_text().splitlines(True) if photo.name not in line))
    else:
        sums.write_text(sums.read_text() + "0" * 64 + "  ../outside\n")
    fresh, photo_files = _elsewhere(tmp_path, clock)
    with pytest.raises(StoreError):
        backup.restore(folder, fresh, photo_files)
    assert not fresh.path.exists()
    assert list(photo_files.all()) == []


def test_a_restore_never_overwrites_a_database_or_disturbs_a_bot(sealed, tmp_path, stream, make_post, make_photo):
    """Where a database is, or a bot runs, nothing is changed; nor does a backup overwrite another."""
    store, files = sealed
    _fill(store, files, stream, make_post, make_photo)
    backup.backup(store, files, tmp_path / "backup")
    with pytest.raises(StoreError, match="already"):
        backup.restore(tmp_path / "backup", store, files)
    with pytest.raises(StoreError, match="already"):
        backup.backup(store, files, tmp_path / "backup")
    with store.lock_bot(), pytest.raises(StoreError, match="runs"):
        backup.restore(tmp_path / "backup", store, files)


def test_the_wrong_key_leaves_no_database_behind(sealed, tmp_path, clock, stream, make_post, make_photo):
    """A restore under another key says so, and can be run again with the right one."""
    store, files = sealed
    with store.write() as tx:
        erase.tombstones.check_key(tx)
    _fill(store, files, stream, make_post, make_photo)
    backup.backup(store, files, tmp_path / "backup")
    with pytest.raises(StoreError, match="key"):
        backup.restore(tmp_path / "backup", *_elsewhere(tmp_path, clock, AesVault([b"x" * 32])))
    fresh, photo_files = _elsewhere(tmp_path, clock)
    assert backup.restore(tmp_path / "backup", fresh, photo_files).silenced == 3


def test_what_was_erased_after_the_backup_is_erased_again(sealed, tmp_path, clock, stream, make_post, make_photo):
    """A restore beside the erasure log does not bring erased people back: post, account and photo, files included."""
    store, files = sealed
    _fill(store, files, stream, make_post, make_photo, count=4)
    with store.write() as tx:
        cases.add(tx, CaseFields(name="示例", source="register", source_ref="17"), "family")
        third = photos.get(tx, 3).sha256
        erase.tombstones.check_key(tx)
    backup.backup(store, files, tmp_path / "backup")
    erase.erase_post(store, files, "weibo", "1", by="operator", why="asked")
    erase.erase_account(store, files, "weibo", "u2", by="operator", why="asked")
    erase.erase_photo(store, files, third, by="operator", why="asked")
    erase.erase_case(store, files, 1, by="operator", why="asked")
    store.close()
    store.path.unlink()
    assert backup.restore(tmp_path / "backup", store, files).erased_again == 6
    with store.read() as tx:
        assert [posts.find(tx, "weibo", number) for number in "123"] == [None, None, 3]
        assert cases.listing(tx) == []
        assert photos.count(tx) == 1
    assert len(list(files.all())) == 1
    assert erase.replay(store, files) == 0


def test_a_photo_erased_while_the_backup_runs_is_reported(sealed, tmp_path, stream, make_post, make_photo):
    """A row whose file is gone is named in the manifest, and the rest is whole."""
    store, files = sealed
    _fill(store, files, stream, make_post, make_photo)
    with store.read() as tx:
        gone = photos.get(tx, 2).sha256
    files.delete(gone)
    assert backup.backup(store, files, tmp_path / "backup").missing == (gone,)
    assert backup.verify(tmp_path / "backup").photos == 2


def test_a_folder_that_is_no_backup_is_refused(tmp_path):
    """Any other folder is named as such."""
    with pytest.raises(StoreError, match="no backup"):
        backup.verify(tmp_path)


# --- retention --------------------------------------------------------------------------------------------------


@pytest.fixture
def classes(store, tmp_path, stream, make_post, make_photo, make_face):
    """Six posts read at once: deleted at its source, faceless, unmatched, with a candidate, with a lead, with an ended lead."""
    files = PhotoFiles(tmp_path / "photos")
    names = ["gone", "faceless", "unmatched", "candidate", "lead", "ended"]
    with store.write() as tx:
        page = [make_post(name, author=name) for name in names]
        posts.save_page(tx, stream, page, now=tx.now, silent=lambda post: False, cursor=None, chain=None)
        case = cases.add(tx, CaseFields(name="示例"), "family")
        cases.verify(tx, case.id, "second", "A-1")
        for row, name in enumerate(names, 1):
            posts.mark(tx, row, Step.DECIDED)
            photo = make_photo(tx, files.put(name.encode()), f"{row * 0x0F0F:016x}")
            media.mark_stored(tx, row, photo.id)
            if name == "faceless":
                faces.save_faces(tx, photo.id, "pack", PACK, [])
                continue
            (face,) = faces.save_faces(tx, photo.id, "pack", PACK, [make_face(row)])
            if name not in ("gone", "unmatched"):
                (candidate,) = matches.save_candidates(tx, face, "pack", [NewCandidate(case.id, 0.7, None, None, 1, Band.HIGH)])
            if name in ("lead", "ended"):
                sighting = sightings.save(tx, row, Where(), When())
                lead = leads.open_lead(tx, sighting.id, case.id, candidate_id=candidate, who="bot", why="high")
        record = Record(RecordKind.OFFICIAL, "letter 7")
        leads.move(tx, lead.id, LeadState.RULED_OUT, who="official", why="checked", record=record)
        posts.mark_deleted(tx, "weibo", ["gone"])
    return files


def _left(store) -> set[str]:
    with store.read() as tx:
        return {posts.get(tx, row).post_id for row in range(1, 7) if _there(tx, row)}


def _there(tx, row: int) -> bool:
    try:
        posts.get(tx, row)
    except BadInput:
        return False
    return True


def test_each_class_goes_when_its_time_is_over(store, classes, clock):
    """Day by day, exactly the posts over their time go; a lead under way keeps its post for good."""
    policy = Policy()
    everything = {"gone", "faceless", "unmatched", "candidate", "lead", "ended"}
    for after, gone in (
        (timedelta(hours=23), set()),
        (timedelta(hours=25), {"gone"}),
        (timedelta(days=31), {"faceless"}),
        (timedelta(days=181), {"ended"}),
        (timedelta(days=366), {"unmatched"}),
        (timedelta(days=731), {"candidate"}),
        (timedelta(days=5000), set()),
    ):
        start = clock.now
        clock.now = start.replace(year=2011, month=2, day=10, hour=12, minute=0) + after
        retention.apply(store, classes, policy)
        everything -= gone
        assert _left(store) == everything
    assert len(list(classes.all())) == 1


def test_only_deleted_posts_are_barred_from_coming_back(store, classes, clock, stream, make_post):
    """A post deleted at its source leaves a tombstone; one that grew old would be stored again."""
    clock.forward(days=40)
    told = retention.apply(store, classes, Policy())
    assert (told["posts"], told["photos"]) == (2, 2)
    with store.write() as tx:
        page = [make_post("gone"), make_post("faceless")]
        stored = posts.save_page(tx, stream, page, now=tx.now, silent=lambda post: True, cursor=None, chain=None)
        assert (len(stored.new), stored.erased) == (1, 1)
    assert set(retention.apply(store, classes, Policy())) <= {"raw bodies"}


def test_a_deleted_post_under_investigation_stays_only_where_the_policy_says_so(store, classes, clock):
    """An officials' check does not lose its ground, unless the platform's terms leave no room."""
    with store.write() as tx:
        posts.mark_deleted(tx, "weibo", ["lead"])
    clock.forward(days=2)
    retention.apply(store, classes, Policy())
    assert "lead" in _left(store)
    retention.apply(store, classes, Policy(gone_keeps_leads=False))
    assert "lead" not in _left(store)


def test_raw_bodies_and_closed_cases_go(store, classes, clock):
    """The platform's own body goes once a post is decided and old; a closed case goes with its faces."""
    with store.write() as tx:
        cases.close(tx, 1, "official", "found", "DNA 7")
    clock.forward(days=91)
    told = retention.apply(store, classes, Policy())
    assert told["raw bodies"] == 4
    assert told["cases"] == 1
    with store.read() as tx:
        assert posts.raw(tx, 5) is None
        assert leads.listing(tx) == []


def test_posts_that_wait_are_never_too_old(store, stream, make_post, tmp_path, clock):
    """A post that was not worked on yet is not let go, however long the bot was down."""
    with store.write() as tx:
        posts.save_page(tx, stream, [make_post()], now=tx.now, silent=lambda post: False, cursor=None, chain=None)
    clock.forward(days=900)
    assert retention.apply(store, PhotoFiles(tmp_path / "photos"), Policy()) == {}
    with store.read() as tx:
        assert retention.due(tx, Policy(), PostClass.WITHOUT_FACE) == []


@pytest.mark.parametrize("name", ["gone_hours", "unmatched_days", "case_closed_days"])
def test_a_time_below_one_is_refused_by_name(name):
    """A zero in the settings does not empty the store."""
    with pytest.raises(BadInput, match=name):
        Policy(**{name: 0})


def test_files_without_a_row_are_swept_after_a_day(store, tmp_path, make_photo):
    """What a crash left between file and row goes; photos with rows, fresh files and files put again stay."""
    files = PhotoFiles(tmp_path / "photos")
    kept, orphan, again, fresh = (files.put(name) for name in (b"kept", b"orphan", b"again", b"fresh"))
    left_over = files.place.path(orphan).with_name(f".{orphan}.1234.part")
    left_over.write_bytes(b"half")
    with store.write() as tx:
        make_photo(tx, kept)
    long_ago = (store._clock() - timedelta(days=2)).timestamp()
    for path in (files.place.path(kept), files.place.path(orphan), files.place.path(again), left_over):
        os.utime(path, (long_ago, long_ago))
    files.put(b"again")
    assert retention.sweep_files(store, files) == 1
    assert set(files.all()) == {kept, again, fresh}
    assert not left_over.exists()
