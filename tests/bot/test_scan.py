"""The next photos are in the engine while one is stored and searched: in order, bounded, and with the same outcome."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from types import SimpleNamespace

import pytest

from bot.microblog.model import Side
from bot.pipeline import work
from bot.steps.poll import poll_all
from bot.steps.scan import ahead
from store import faces
from store import photos as stored_photos
from store.errors import Damaged, PhotoRefused


class Engine:
    """Stands for reading, decoding and embedding: what it "sees" in a photo is the photo's name; it waits where it is told to."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.wait_at: dict[str, threading.Event] = {}
        self.fails: dict[str, Exception] = {}
        self.threads: set[str] = set()
        self._moved = threading.Condition()

    def __call__(self, sha256: str) -> list[str]:
        with self._moved:
            self.begun.append(sha256)
            self.threads.add(threading.current_thread().name)
            self._moved.notify_all()
        if sha256 in self.wait_at:
            assert self.wait_at[sha256].wait(30)
        if sha256 in self.fails:
            raise self.fails[sha256]
        return [sha256]

    def has_begun(self, count: int) -> bool:
        with self._moved:
            return self._moved.wait_for(lambda: len(self.begun) >= count, timeout=30)


@pytest.fixture
def engine() -> Engine:
    return Engine()


def test_the_next_photo_is_in_hand_before_it_is_asked_for(engine: Engine) -> None:
    """While the caller is busy with the first photo, the second is looked at in another thread; what comes out is the same."""
    with ahead(engine, ["a", "b", "c"], at_once=1) as look:
        assert look("a") == ["a"]
        assert engine.has_begun(3)  # and nobody has asked for b or c
        assert [look("b"), look("c")] == [["b"], ["c"]]
    assert engine.begun == ["a", "b", "c"]
    assert threading.current_thread().name not in engine.threads


def test_no_more_photos_are_ahead_than_twice_those_at_once(engine: Engine) -> None:
    """Memory is bounded: of a hundred photos coming two are looked at at a time, and four at most are looked at but not taken.
    Before anything is asked for nothing is."""
    names = [f"{number:03}" for number in range(100)]
    gate = threading.Event()
    engine.wait_at = dict.fromkeys(names, gate)
    with ThreadPoolExecutor() as caller, ahead(engine, names, at_once=2) as look:
        assert engine.begun == []
        first = caller.submit(look, "000")
        assert engine.has_begun(2)
        assert len(engine.begun) == 2  # the others wait for a thread, without their pixels
        gate.set()
        assert first.result() == ["000"]
        assert engine.has_begun(5)
    assert len(engine.begun) == 5


def test_an_error_reaches_whoever_asks_for_its_photo_and_nobody_else(engine: Engine) -> None:
    """A photo that cannot be decoded, or is damaged, raises where it would have raised without looking ahead."""
    engine.fails = {"b": PhotoRefused("broken"), "c": Damaged("bits have turned", mend="restore it")}
    with ahead(engine, ["a", "b", "c", "d"], at_once=2) as look:
        assert look("a") == ["a"]
        with pytest.raises(PhotoRefused, match="broken"):
            look("b")
        with pytest.raises(Damaged, match="turned"):
            look("c")
        assert look("d") == ["d"]


def test_a_photo_that_is_passed_over_holds_nothing_up(engine: Engine) -> None:
    """A post that failed or was taken by another worker leaves its photos unasked for: those behind come all the same, and one
    that was never announced is looked at when it is asked for."""
    engine.fails = {"b": PhotoRefused("nobody asks")}
    with ahead(engine, ["a", "b", "c", "a", "d", "e", "f"], at_once=1) as look:
        assert [look(name) for name in ("c", "z", "f")] == [["c"], ["z"], ["f"]]
    assert engine.begun.count("a") <= 1
    assert engine.begun.count("z") == 1


def test_leaving_early_drops_what_has_not_begun(engine: Engine) -> None:
    """Where the round ends (SIGTERM, a failing store) the photos in hand are finished and the others not begun."""
    gate = threading.Event()
    engine.wait_at = {"b": gate}

    def leave() -> None:
        with ahead(engine, ["a", "b", "c", "d"], at_once=1) as look:
            look("a")
            assert engine.has_begun(2)
            threading.Timer(0.05, gate.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leave()
    assert engine.begun == ["a", "b"]


def test_a_round_commits_photo_by_photo_what_the_engine_alone_finds(
    tools: SimpleNamespace, loaded, microblog, photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Posts, among them one picture twice and a broken one: each scan is committed before its post is matched and before the
    next one's, though the engine ran ahead in other threads; and the faces kept are those the engine finds when asked alone."""
    with tools.opened(loaded) as bot:
        tools.register(bot)
        work(bot)
        for name in ("a-street", "q-1", "b-street", "q-1", "b-mirror"):
            microblog.world.add_post(Side.WEIBO, "anna", f"#{tools.tag}# 深圳市罗湖区", photos=[photos[name].data])
        microblog.world.add_post(Side.WEIBO, "boris", f"#{tools.tag}# 深圳市", photos=[b"\xff\xd8\xff\xe0" + b"x" * 300])
        poll_all(bot)
        commits: list[str] = []
        bot.store.watch = commits.append
        alone, threads = bot.faces.engine.faces, []
        monkeypatch.setattr(bot.faces.engine, "faces", lambda image: threads.append(threading.current_thread()) or alone(image))
        work(bot)
        monkeypatch.undo()
        done = [name for name in commits if name in ("after:match.scanned", "after:match.done")]
        assert done[:2] == ["after:match.scanned", "after:match.done"]
        assert done.count("after:match.scanned") == 4
        assert ("after:match.scanned", "after:match.scanned") not in pairwise(done)
        assert len(threads) == 4
        assert threading.main_thread() not in threads
        with bot.store.read() as tx:
            numbers, pack = range(1, faces.newest_photo(tx) + 1), bot.faces.pack.sha256
            scanned = [number for number in numbers if faces.scanned(tx, number, pack)]
            kept = {stored_photos.get(tx, number).sha256: faces.faces_of_photo(tx, number, pack) for number in scanned}
        assert len(kept) == 4
        for name, found in kept.items():
            direct = alone(bot.decoder.pixels(bot.files.get(name)))
            assert [(face.box, face.norm) for face in found] == [(face.box, face.norm) for face in direct]

