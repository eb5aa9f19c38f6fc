"""Erasure removes rows, vectors and files, survives the next poll, a crash and a restore, and leaves a receipt."""

from __future__ import annotations

import pytest

from store import alerts, audit, bans, cases, erase, faces, gallery, leads, matches, media, photos, posts, sightings
from store.alerts import NewAlert
from store.cases import CaseFields
from store.errors import BadInput, NotFound, PhotoRefused, StoreError
from store.matches import NewCandidate
from store.model import AlertState, Band, Malformed, MessageKind, When, Where
from store.photos import PhotoFiles

PACK = "p" * 64


@pytest.fixture
def files(tmp_path):
    return PhotoFiles(tmp_path / "photos")


@pytest.fixture
def world(store, files, stream, make_post, make_photo, make_face):
    """Two posts of two authors showing one photo, a repost of the first, another post with its own photo; a case; a match,
    a lead, a sent answer and a ready alert about post 1."""
    one, two = make_post("1", author="anna", text="只有一号帖子说的话"), make_post("2", author="ben")
    page = [
        one,
        two,
        make_post("3", author="carl", repost_of=one, media=(), raw={"retweeted": "只有一号帖子说的话"}),
        make_post("4", author="anna"),
    ]
    with store.write() as tx:
        posts.save_page(tx, stream, page, now=tx.now, silent=lambda post: False, cursor="4", chain=None)
        shared = make_photo(tx, files.put(b"shared picture"))
        own = make_photo(tx, files.put(b"own picture"), "0f0ff0f00ff0f00f")
        for picture in media.pending(tx, tx.now, 10):
            media.mark_stored(tx, picture.id, own.id if picture.post_id == posts.find(tx, "weibo", "4") else shared.id)
        (face,) = faces.save_faces(tx, shared.id, "pack", PACK, [make_face(1)])
        case = cases.add(tx, CaseFields(name="示例", source="register", source_ref="17"), "family")
        held = make_photo(tx, files.put(b"case picture"), "3333cccc3333cccc")
        gallery.save_case_face(tx, cases.add_photo(tx, case.id, held.id).id, "pack", PACK, make_face(2))
        cases.verify(tx, case.id, "second", "A-1")
        (candidate,) = matches.save_candidates(tx, face, "pack", [NewCandidate(case.id, 0.7, None, None, 1, Band.HIGH)])
        first = sightings.save(tx, posts.find(tx, "weibo", "1"), Where("440303", "罗湖"), When())
        second = sightings.save(tx, posts.find(tx, "weibo", "2"), Where(), When(), duplicate_of=first.id)
        lead = leads.open_lead(tx, first.id, case.id, candidate_id=candidate, who="bot", why="high")
        leads.open_lead(tx, second.id, case.id, candidate_id=candidate, who="bot", why="high")
        said = {"platform": "weibo", "target_post_id": "1", "ref": first.ref, "sighting_id": first.id, "lead_id": lead.id}
        alerts.propose(tx, NewAlert(kind=MessageKind.ANSWER, text="只有一号回答的话", **said))
        claimed = alerts.claim_next(tx, "weibo", tx.now, 60)
        alerts.record_sent(tx, claimed.id, claimed.attempt, "55")
        alerts.propose(tx, NewAlert(kind=MessageKind.ALERT, text="只有一号提醒的话", **said))
    return page


@pytest.fixture
def kept(store, files, stored_bytes):
    """``kept()``: every byte that the database and the photo folder hold."""
    return lambda: stored_bytes(store) + b"".join(path.read_bytes() for path in files.place.root.rglob("*") if path.is_file())


def test_an_erased_post_is_gone_in_every_byte(store, files, world, kept):
    """Rows, texts, raw bodies (the repost's copy too), leads and messages: nothing of them is left in the files."""
    words = ["只有一号帖子说的话", "只有一号回答的话", "只有一号提醒的话"]
    assert all(word.encode() in kept() for word in words)
    told = erase.erase_post(store, files, "weibo", "1", by="operator", why="the guardian asked")
    assert (told.counts["posts"], told.counts["sightings"], told.counts["leads"], told.counts["messages"]) == (1, 1, 1, 2)
    assert told.said == (("weibo", "55"),)
    assert told.files_gone_at is not None
    assert not any(word.encode() in kept() for word in words)
    with store.read() as tx:
        assert posts.find(tx, "weibo", "1") is None
        assert [found.state for found in alerts.listing(tx)] == [AlertState.CANCELLED, AlertState.SENT]
        repost = posts.get(tx, posts.find(tx, "weibo", "3"))
        assert (repost.repost_of_id, posts.raw(tx, repost.id)) == (None, None)
        assert sightings.of_post(tx, posts.find(tx, "weibo", "2")).duplicate_of is None
        assert photos.count(tx) == 3, "another post still shows the photo"
        assert erase.receipt(tx, told.ref) == told
        assert [event.what for event in audit.listing(tx)] == ["erase"]
        assert audit.verify(tx) is None


def test_an_erased_post_does_not_come_back(store, files, world, stream):
    """Neither itself, nor as the original of a repost, nor as a malformed body; other posts do."""
    erase.erase_post(store, files, "weibo", "1", by="operator", why="asked")
    page = [*world, Malformed("weibo", "1", "odd", {})]
    with store.write() as tx:
        stored = posts.save_page(tx, stream, page, now=tx.now, silent=lambda post: False, cursor=None, chain=None)
        assert (stored.new, stored.known, stored.erased) == ((), 3, 1)
        assert posts.find(tx, "weibo", "1") is None


def test_a_later_repost_of_an_erased_post_carries_nothing_of_it(store, files, world, stream, make_post):
    """The repost is kept as its author's own words, without the original's body."""
    erase.erase_post(store, files, "weibo", "1", by="operator", why="asked")
    repost = make_post("9", author="dora", repost_of=world[0], media=(), raw={"retweeted": "只有一号帖子说的话"})
    with store.write() as tx:
        posts.save_page(tx, stream, [repost], now=tx.now, silent=lambda post: False, cursor=None, chain=None)
        number = posts.find(tx, "weibo", "9")
        assert (posts.get(tx, number).repost_of_id, posts.raw(tx, number)) == (None, {})


def test_an_erased_account_is_gone_and_stays_unheard(store, files, world, kept, stream, make_post):
    """All its posts go with the photos nobody else shows; what it posts later is not stored; others are untouched."""
    told = erase.erase_account(store, files, "weibo", "anna", by="operator", why="asked")
    assert (told.counts["posts"], told.counts["photos"]) == (2, 1)
    assert b"own picture" not in kept()
    with store.write() as tx:
        page = [make_post("10", author="anna"), make_post("11", author="ben")]
        stored = posts.save_page(tx, stream, page, now=tx.now, silent=lambda post: False, cursor=None, chain=None)
        assert (len(stored.new), stored.erased) == (1, 1)
        assert posts.find(tx, "weibo", "2") is not None


def test_an_erased_photo_is_gone_from_every_post_with_its_faces(store, files, world, make_photo):
    """File, faces, candidates go; posts keep their words; the same bytes or the same picture are refused from now on."""
    with store.read() as tx:
        shared = photos.get(tx, 1)
    told = erase.erase_photo(store, files, shared.sha256, by="operator", why="the guardian asked")
    assert (told.counts["photos"], told.counts["faces"], told.counts["candidates"], told.counts["pictures"]) == (1, 1, 1, 2)
    with pytest.raises(NotFound):
        files.get(shared.sha256)
    with store.write() as tx:
        assert list(faces.vectors(tx, PACK)) == []
        pictures = media.of_post(tx, posts.find(tx, "weibo", "1"))
        assert [(p.state.value, p.error, p.media.urls) for p in pictures] == [("refused", "erased", ())]
        assert media.pending(tx, tx.now, 10) == ()
        assert [lead.candidate_id for lead in leads.listing(tx)] == [None, None]
        for sha256, phash in ((shared.sha256, "0" * 16), ("e" * 64, shared.phash)):
            with pytest.raises(PhotoRefused):
                photos.refuse_erased(tx, sha256, phash)
            with pytest.raises(PhotoRefused):
                make_photo(tx, sha256, phash)
        assert make_photo(tx, "e" * 64, "0123456789abcdef").id


def test_a_flat_pictures_hash_bars_no_other_picture(store, files, make_photo):
    """Blank pictures share one perceptual hash: erasing one by its bytes does not refuse all of them."""
    with store.write() as tx:
        make_photo(tx, "1" * 64, "0" * 16)
    erase.erase_photo(store, files, "1" * 64, by="operator", why="asked")
    with store.write() as tx:
        assert make_photo(tx, "2" * 64, "0" * 16)
        with pytest.raises(PhotoRefused):
            make_photo(tx, "1" * 64, "0" * 16)


def test_erasing_a_post_with_its_photos_reaches_the_other_posts(store, files, world, kept):
    """photos_too takes the photo from every post that shows it."""
    erase.erase_post(store, files, "weibo", "1", by="operator", why="asked", photos_too=True)
    with store.read() as tx:
        assert media.of_post(tx, posts.find(tx, "weibo", "2"))[0].error == "erased"
    assert b"shared picture" not in kept()


def test_an_erased_case_leaves_galleries_and_is_not_imported_again(store, files, world, kept):
    """Photos, faces, candidates and leads of the case go; galleries in memory are told; the import is refused."""
    with store.read() as tx:
        seq, _ = cases.changed_since(tx, 0)
        ref = cases.get(tx, 1).ref
    told = erase.erase_case(store, files, ref, by="operator", why="the family asked")
    assert (told.counts["cases"], told.counts["case faces"], told.counts["photos"], told.counts["leads"]) == (1, 1, 1, 2)
    assert b"case picture" not in kept()
    with store.write() as tx:
        assert cases.changed_since(tx, seq)[1] == (1,)
        assert len(gallery.gallery(tx, PACK, case_ids=[1])) == 0
        with pytest.raises(BadInput, match="erased"):
            cases.add(tx, CaseFields(name="示例", source="register", source_ref="17"), "import")
        with pytest.raises(NotFound):
            cases.get(tx, ref)
    with pytest.raises(NotFound):
        erase.erase_case(store, files, ref, by="operator", why="again")


def test_a_message_under_way_while_its_post_is_erased_is_not_sent_again(store, files, world, stream, make_post):
    """Its outcome is still recorded; a certain failure ends it instead of sending an empty text."""
    with store.write() as tx:
        claimed = alerts.claim_next(tx, "weibo", tx.now, 60)
    erase.erase_post(store, files, "weibo", "1", by="operator", why="asked")
    with store.write() as tx:
        assert alerts.back_to_ready(tx, claimed.id, claimed.attempt, "429")
        assert alerts.get(tx, claimed.id).state is AlertState.CANCELLED
        assert alerts.claim_next(tx, "weibo", tx.now, 60) is None


def test_what_is_not_stored_can_be_barred_beforehand(store, files, stream, make_post):
    """A post or account that was never read is refused when it comes."""
    assert erase.erase_post(store, files, "weibo", "99", by="operator", why="asked").counts == {}
    with store.write() as tx:
        stored = posts.save_page(tx, stream, [make_post("99")], now=tx.now, silent=lambda post: False, cursor=None, chain=None)
        assert stored.erased == 1


def test_a_tombstone_tells_nothing(store, files, world, stored_bytes):
    """Neither the post's id nor the author's stands anywhere in the database after the erasure."""
    with store.write() as tx:
        posts.opt_out(tx, "weibo", "anna", tx.now)
        bans.ban(tx, bans.BanKind.ACCOUNT, "anna", platform="weibo", by="operator", why="flood")
    erase.erase_account(store, files, "weibo", "anna", by="operator", why="asked")
    assert b"anna" not in stored_bytes(store)
    assert b"anna" not in erase.log_path(store, files).read_bytes()


@pytest.mark.parametrize(("by", "why"), [("", "asked"), ("operator", " ")])
def test_an_erasure_needs_a_name_and_a_reason(store, files, by, why):
    """No erasure without who and why."""
    with pytest.raises(BadInput):
        erase.erase_post(store, files, "weibo", "1", by=by, why=why)


def test_a_crash_before_the_files_go_is_made_good(store, files, world, kept):
    """Killed between the commit and the files: rows are gone, the list of files stands, the next run removes them."""

    def die(point: str) -> None:
        if point == "after:erase.author":
            raise KeyboardInterrupt

    store.watch = die
    with pytest.raises(KeyboardInterrupt):
        erase.erase_account(store, files, "weibo", "anna", by="operator", why="asked")
    store.watch = None
    assert b"own picture" in kept()
    with store.read() as tx:
        (told,) = erase.receipts(tx)
        assert told.files_gone_at is None
    assert erase.finish_removals(store, files) == 1
    assert b"own picture" not in kept()
    with store.read() as tx:
        assert erase.receipt(tx, told.ref).files_gone_at is not None


def test_a_crash_before_the_commit_erases_nothing(store, files, world):
    """The rows, the receipt and the tombstone are one transaction."""

    def die(point: str) -> None:
        if point == "before:erase.post":
            raise KeyboardInterrupt

    store.watch = die
    with pytest.raises(KeyboardInterrupt):
        erase.erase_post(store, files, "weibo", "1", by="operator", why="asked")
    with store.read() as tx:
        assert posts.find(tx, "weibo", "1") is not None
        assert erase.receipts(tx) == []


def test_a_damaged_erasure_log_is_named(store, files, world):
    """A line that cannot be read stops the replay instead of being passed over."""
    erase.log_path(store, files).write_text("nonsense\n")
    with pytest.raises(StoreError, match="line 1"):
        erase.replay(store, files)
