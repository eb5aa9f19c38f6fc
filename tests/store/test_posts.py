"""Posts are stored once, the cursor moves with them, and each knows what is still to be done."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from store import bans, media, posts
from store.bans import BanKind
from store.errors import BadInput, NotFound, StoreError
from store.media import MediaState
from store.model import Author, Datum, GeoPoint, Malformed, Media, PlaceTag, Stream, StreamKind
from store.posts import Chain, Step


def _never(post) -> bool:
    return False


def _save(store, stream, items, *, cursor="10", chain=None, silent=_never):
    with store.write() as tx:
        return posts.save_page(tx, stream, items, now=tx.now, silent=silent, cursor=cursor, chain=chain)


def test_a_post_comes_back_as_it_was_stored(store, stream, make_post):
    """Every field of a post survives the database, its raw body included."""
    post = make_post(
        point=GeoPoint(22.53, 114.11, Datum.GCJ02),
        place=PlaceTag("罗湖口岸", GeoPoint(22.5, 114.1, Datum.WGS84), (114.0, 22.0, 115.0, 23.0), "poi", "CN"),
        mentions=("随手拍",),
        hashtags=("随手拍照解救乞讨儿童",),
        reply_to_id="0",
        thread_id="0",
        summons=True,
        media=(Media("a", ("https://x.example/a", "https://x.example/b")), Media("b", ("https://x.example/c",), "gif")),
    )
    stored = _save(store, stream, [post])
    with store.read() as tx:
        back = posts.get(tx, stored.new[0])
        assert back.post == replace(post, raw={})
        assert posts.raw(tx, back.id) == post.raw
    assert [picture.state for picture in back.media] == [MediaState.PENDING, MediaState.PENDING]
    assert (back.step, back.silent, back.direct) == (Step.STORED, False, True)


def test_reading_a_page_again_stores_nothing_twice(store, stream, make_post):
    """A re-read overlap costs calls and never posts."""
    page = [make_post("1"), make_post("2")]
    assert len(_save(store, stream, page).new) == 2
    again = _save(store, stream, page)
    assert (again.new, again.known) == ((), 2)
    with store.read() as tx:
        assert len(media.of_post(tx, 1)) == 1


def test_the_same_post_twice_on_one_page_is_one(store, stream, make_post):
    """A platform that repeats a post on a page does not break the page."""
    stored = _save(store, stream, [make_post("1"), make_post("1")])
    assert (len(stored.new), stored.known) == (1, 1)


def test_a_crash_before_the_commit_moves_neither_cursor_nor_posts(store, stream, make_post):
    """Posts and cursor are one transaction: both or neither."""

    def crash() -> None:
        with store.write() as tx:
            posts.save_page(tx, stream, [make_post()], now=tx.now, silent=_never, cursor="10", chain=None)
            raise RuntimeError("power fails")

    with pytest.raises(RuntimeError):
        crash()
    with store.read() as tx:
        assert posts.stream_state(tx, stream).cursor is None
        assert posts.find(tx, "weibo", "1") is None


def test_an_unfinished_chain_is_kept_and_the_cursor_waits_for_its_end(store, stream, make_post):
    """The cursor moves with the last page only; a restart finds where the chain stood."""
    chain = Chain(head="20", next="page2", since="5")
    _save(store, stream, [make_post("20")], cursor=None, chain=chain)
    with store.read() as tx:
        state = posts.stream_state(tx, stream)
    assert (state.cursor, state.chain) == (None, chain)
    _save(store, stream, [make_post("6")], cursor="20", chain=None)
    with store.read() as tx:
        state = posts.stream_state(tx, stream)
    assert (state.cursor, state.chain) == ("20", None)


def test_each_stream_has_its_own_cursor(store, stream, make_post):
    """Hashtag and mentions do not share a cursor."""
    _save(store, stream, [make_post()], cursor="10")
    with store.read() as tx:
        assert posts.stream_state(tx, Stream("weibo", StreamKind.MENTIONS)).cursor is None


def test_a_failed_poll_is_recorded_and_leaves_the_cursor(store, stream, make_post, clock):
    """Blocked is not 'no posts': the outcome is kept, the failures are counted, the cursor stands."""
    _save(store, stream, [make_post()], cursor="10")
    success = clock.now
    later = clock.forward(minutes=30)
    for _ in range(2):
        with store.write() as tx:
            posts.note_poll(tx, stream, "Blocked", "a login page", tx.now)
    with store.read() as tx:
        state = posts.stream_state(tx, stream)
    assert (state.cursor, state.last_outcome, state.last_error, state.failures) == ("10", "Blocked", "a login page", 2)
    assert (state.last_success_at, state.last_attempt_at) == (success, later)


def test_a_malformed_body_is_kept_as_failed_once(store, stream, make_post):
    """A body nobody can read neither stops the page nor piles up, with and without an id."""
    page = [Malformed("weibo", None, "no id", {"odd": True}), Malformed("weibo", "7", "no user", "<html>"), make_post("8")]
    for _ in range(2):
        stored = _save(store, stream, page)
        assert stored.failed == 2
    with store.read() as tx:
        assert posts.counts(tx)[Step.FAILED] == 2
        number = posts.find(tx, "weibo", "7")
        assert posts.get(tx, number).post is None
        assert posts.raw(tx, number) == "<html>"


def test_a_malformed_post_that_becomes_readable_starts_its_way(store, stream, make_post):
    """Once the platform gives a whole body, the post is processed like any other."""
    _save(store, stream, [Malformed("weibo", "7", "truncated", "{")])
    stored = _save(store, stream, [make_post("7")])
    with store.read() as tx:
        back = posts.get(tx, stored.new[0])
    assert (back.step, back.error, len(back.media)) == (Step.STORED, None, 1)


def test_a_repost_links_to_its_original_which_is_a_row_of_its_own(store, stream, make_post):
    """The original is the sighting; two reposts of it do not store it twice."""
    original = make_post("1")
    stored = _save(store, stream, [make_post("2", repost_of=original, media=()), make_post("3", repost_of=original, media=())])
    assert len(stored.new) == 3
    with store.read() as tx:
        first = posts.find(tx, "weibo", "1")
        assert [posts.get(tx, posts.find(tx, "weibo", number)).repost_of_id for number in "23"] == [first, first]
        assert not posts.get(tx, first).direct
    _save(store, stream, [original])
    with store.read() as tx:
        assert posts.get(tx, first).direct


def test_a_known_post_learns_a_summons_and_a_deletion(store, stream, make_post, clock):
    """What another stream or a later look says is added; nothing else changes."""
    _save(store, stream, [make_post()])
    clock.forward(hours=1)
    _save(store, stream, [make_post(summons=True, deleted=True, text="此微博已被原作者删除。")])
    with store.read() as tx:
        back = posts.get(tx, 1)
    assert back.post.summons
    assert back.deleted_at == clock.now
    assert back.post.text == "在罗湖口岸看到的 @随手拍"


def test_text_no_database_takes_is_kept_readable(store, stream, make_post):
    """NUL and lone surrogates are replaced; emoji, controls, bidi signs and SQL stay as they are."""
    text = "a\x00b \ud83d c 🧒\u202e'); DROP TABLE posts;--"
    _save(store, stream, [make_post(text=text, raw={"t": text})])
    with store.read() as tx:
        assert posts.get(tx, 1).post.text == "a\ufffdb \ufffd c 🧒\u202e'); DROP TABLE posts;--"


def test_silent_posts_are_marked_when_stored(store, stream, make_post):
    """Back-filled posts are stored and never answered."""
    _save(store, stream, [make_post("1"), make_post("2")], silent=lambda post: post.id == "1")
    with store.read() as tx:
        assert [posts.get(tx, number).silent for number in (1, 2)] == [True, False]


def test_pending_follows_marks_deferrals_and_failures(store, stream, make_post, clock):
    """A step is left by mark, waited for by defer, ended by fail."""
    _save(store, stream, [make_post(str(number), author=f"u{number}") for number in range(1, 5)])
    with store.write() as tx:
        posts.mark(tx, 1, Step.EXTRACTED)
        assert posts.defer(tx, 2, "no network", clock.now + timedelta(minutes=1)) == 1
        posts.fail(tx, 3, "broken")
        assert posts.pending(tx, Step.STORED, clock.now, 10) == [4]
        assert posts.pending(tx, Step.EXTRACTED, clock.now, 10) == [1]
    clock.forward(minutes=1)
    with store.write() as tx:
        assert posts.pending(tx, Step.STORED, clock.now, 10) == [2, 4]
        posts.mark(tx, 2, Step.EXTRACTED)
        assert (posts.get(tx, 2).attempts, posts.get(tx, 2).error) == (0, None)
        with pytest.raises(NotFound):
            posts.mark(tx, 99, Step.DECIDED)


def test_a_flood_from_one_account_does_not_delay_another(store, stream, make_post, clock):
    """Pending posts are taken in turns by account: the honest post comes right after the flood's first."""
    _save(store, stream, [make_post(str(number), author="flood") for number in range(100, 150)])
    _save(store, stream, [make_post("200", author="honest")])
    with store.read() as tx:
        first = [posts.get(tx, number).post.author.id for number in posts.pending(tx, Step.STORED, clock.now, 2)]
    assert first == ["flood", "honest"]


def test_a_flood_leaves_an_honest_post_to_the_first_round(store, stream, make_post, clock):
    """1,000 posts from 50 accounts, a fifth of them new ones: an honest post that comes last is among the first 51."""
    new, old = clock.now - timedelta(days=1), clock.now - timedelta(days=900)
    for page in range(10):
        authors = [Author(f"f{n % 50}", "flood", created_at=new if n % 5 == 0 else old) for n in range(100)]
        with store.write() as tx:
            items = [replace(make_post(f"{page}-{n}"), author=author) for n, author in enumerate(authors)]
            posts.save_page(tx, stream, items, now=tx.now, silent=_never, cursor=None, chain=None)
    _save(store, stream, [make_post("honest", author="honest")])
    with store.read() as tx:
        order = [posts.get(tx, row).post_id for row in posts.pending(tx, Step.STORED, clock.now, 60)]
        new_among_first = sum(
            int(name.split("-")[1]) % 5 == 0 for name in order if name != "honest" and not name.startswith("0-")
        )
    assert order.index("honest") <= 50
    assert new_among_first <= 2


def test_a_banned_account_is_stored_last_and_silent(store, stream, make_post, clock):
    """Its posts can be looked at; they are worked on after everyone's and never answered; a lifted ban ends that."""
    with store.write() as tx:
        assert bans.ban(tx, BanKind.ACCOUNT, "junk", platform="weibo", by="operator", why="flood")
        assert not bans.ban(tx, BanKind.ACCOUNT, "junk", platform="weibo", by="operator", why="flood")
    _save(store, stream, [make_post("1", author="junk"), make_post("2", author="a"), make_post("3", author="a")])
    with store.write() as tx:
        assert posts.pending(tx, Step.STORED, clock.now, 10) == [2, 3, 1]
        assert posts.get(tx, 1).silent
        assert [entry.value for entry in bans.listing(tx)] == ["junk"]
        assert bans.lift(tx, BanKind.ACCOUNT, "junk", platform="weibo")
        assert not bans.lift(tx, BanKind.ACCOUNT, "junk", platform="weibo")
        assert not bans.account_banned(tx, "weibo", "junk")


def test_a_banned_picture_is_known_by_its_hash(store):
    """Exactly, or within some bits; a ban without reason or platform is refused."""
    with store.write() as tx:
        bans.ban(tx, BanKind.PICTURE, "00ff00ff00ff00ff", by="operator", why="advertisement")
        assert bans.picture_banned(tx, "00FF00FF00FF00FF")
        assert not bans.picture_banned(tx, "00ff00ff00ff00fe")
        assert bans.picture_banned(tx, "00ff00ff00ff00fe", max_distance=2)
        for kind, wrong in (
            (BanKind.PICTURE, {"why": " "}),
            (BanKind.PICTURE, {"by": ""}),
            (BanKind.PICTURE, {"platform": "weibo"}),
            (BanKind.ACCOUNT, {}),
        ):
            with pytest.raises(BadInput):
                bans.ban(tx, kind, "x", **{"by": "operator", "why": "x"} | wrong)


def test_deletions_and_look_ups(store, stream, make_post, clock):
    """Posts are due for a look-up once their last sight is old; gone ones are reported once."""
    _save(store, stream, [make_post("1"), make_post("2")])
    start = clock.now
    clock.forward(hours=1)
    with store.write() as tx:
        assert posts.to_look_up(tx, "weibo", start, 10) == []
        assert posts.to_look_up(tx, "weibo", clock.now, 10) == ["1", "2"]
        posts.mark_looked_up(tx, "weibo", ["2"])
        assert posts.mark_deleted(tx, "weibo", ["1", "77"]) == [1]
        assert posts.mark_deleted(tx, "weibo", ["1"]) == []
        assert posts.to_look_up(tx, "weibo", clock.now, 10) == []


def test_opting_out_lasts(store, clock):
    """An opt-out holds on its platform, for its author, and twice is once."""
    with store.write() as tx:
        assert posts.opt_out(tx, "weibo", "u1", clock.now)
        assert not posts.opt_out(tx, "weibo", "u1", clock.now)
        assert posts.opted_out(tx, "weibo", "u1")
        assert not posts.opted_out(tx, "x", "u1")


def test_media_states(store, stream, make_post, make_photo, clock):
    """A picture is pending until it is stored, refused or given up; deleted posts' pictures are not fetched."""
    pictures = tuple(Media(str(number), (f"https://x.example/{number}",)) for number in range(4))
    _save(store, stream, [make_post("1", media=pictures), make_post("2", deleted=True)])
    with store.write() as tx:
        assert [picture.position for picture in media.pending(tx, clock.now, 10)] == [0, 1, 2, 3]
        photo = make_photo(tx)
        media.mark_stored(tx, 1, photo.id)
        media.mark_refused(tx, 2, "a bomb")
        media.mark_failed(tx, 3, "404")
        assert media.defer(tx, 4, "503", clock.now + timedelta(seconds=5)) == 1
        assert media.pending(tx, clock.now, 10) == ()
        back = media.of_post(tx, 1)
        assert [picture.state.value for picture in back] == ["stored", "refused", "failed", "pending"]
        assert back[0].sha256 == photo.sha256
        assert media.posts_showing(tx, photo.id) == [1]


def test_a_time_without_a_zone_is_refused(store, stream, make_post):
    """A naive datetime would silently be read as another instant."""
    post = make_post()
    with pytest.raises(StoreError, match="without a zone"):
        _save(store, stream, [replace(post, posted_at=post.posted_at.replace(tzinfo=None))])
