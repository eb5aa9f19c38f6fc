"""One child over time, and what follows from it; the everyday tail is collected."""

from types import SimpleNamespace

import pytest

from bot.drift import kept_drift
from bot.microblog.model import Side
from bot.microblog.server import Microblog
from bot.pipeline import run_round
from bot.steps.tracks import TrackBook
from store import faces, media, posts, recognition, sightings
from store.errors import BadInput
from store.sightings import SightingState

LUOHU = (22.5462, 114.1195)


@pytest.fixture
def start(tools: SimpleNamespace, loaded, microblog: Microblog):
    with tools.opened(loaded) as bot:
        tools.register(bot)
        tools.enrol_luohu(bot, microblog)
        run_round(bot)
        yield bot


def see(tools, microblog: Microblog, bot, photo, author: str = "anna"):
    """A sighting made of one post."""
    entry = microblog.world.add_post(
        Side.WEIBO, author, f"#{tools.tag}# 刚刚在深圳市罗湖区东门老街 @随手拍助手", photos=[photo.data], geo=LUOHU
    )
    tools.settle(bot)
    with bot.store.read() as tx:
        return sightings.of_post(tx, posts.find(tx, "weibo", str(entry.id)))


def tracks_of(bot, *seen) -> list[int]:
    with bot.store.read() as tx:
        found = []
        for sighting in seen:
            photo_ids = [m.photo_id for m in media.of_post(tx, sighting.post_id)]
            face_ids = [f.id for p in photo_ids for f in faces.faces_of_photo(tx, p, bot.faces.pack.sha256)]
            found += [recognition.track_of(tx, face_id) for face_id in face_ids]
        return found


def test_the_same_face_is_one_track_and_another_face_another(start, tools, microblog: Microblog, photos) -> None:
    """Two renderings of one stranger are linked into a trajectory; somebody else begins a track of their own."""
    first = see(tools, microblog, start, photos["b-street"])
    second = see(tools, microblog, start, photos["b-mirror"], "boris")
    other = see(tools, microblog, start, photos["q-2"])
    a, b, c = tracks_of(start, first, second, other)
    assert a == b
    assert c not in (None, a)
    with start.store.read() as tx:
        assert recognition.sightings_on(tx, a) == [first.id, second.id]
        assert recognition.longest(tx) == [a]


def test_what_people_split_stays_apart_and_what_they_merge_stays_together(start, tools, microblog: Microblog, photos) -> None:
    """A split face begins a track, cannot be merged back unawares, and the bot does not join it again."""
    first = see(tools, microblog, start, photos["b-street"])
    second = see(tools, microblog, start, photos["b-mirror"], "boris")
    [track] = set(tracks_of(start, first, second))
    with start.store.write() as tx:
        faces_on = recognition.track(tx, track).faces
        new = recognition.split(tx, faces_on[1], by="lead", why="other ears")
    with start.store.write() as tx, pytest.raises(BadInput, match="different children"):
        recognition.merge(tx, track, new, by="lead", why="")
    assert tracks_of(start, first, second) == [track, new]
    third = see(tools, microblog, start, photos["q-2"])
    [its] = tracks_of(start, third)
    with start.store.write() as tx:
        recognition.merge(tx, track, its, by="lead", why="known to us")
    assert tracks_of(start, first, third) == [track, track]


def test_a_track_is_found_by_another_process(start, tools, microblog: Microblog, photos) -> None:
    """A bot that did not see the first face itself links the second with it all the same."""
    first = see(tools, microblog, start, photos["b-street"])
    object.__setattr__(start, "tracks", TrackBook())
    second = see(tools, microblog, start, photos["b-mirror"], "boris")
    a, b = tracks_of(start, first, second)
    assert a == b


def test_a_child_with_verified_parents_raises_no_alert_again(start, tools, microblog: Microblog, photos) -> None:
    """Once an official recorded it on one sighting, another photo of the same face calls nobody."""
    first = see(tools, microblog, start, photos["a-street"])
    said = microblog.world.ledger.publications
    assert sum("@示例罗湖公安" in p.text for p in said) == 1
    with start.store.write() as tx:
        sightings.set_state(tx, first.id, SightingState.WITH_PARENTS, by="official of Luohu")
    see(tools, microblog, start, photos["a-mirror"], "boris")
    assert sum("@示例罗湖公安" in p.text for p in said) == 1
    assert len(said) == 3


def test_the_everyday_tail_is_counted_once_a_face(start, tools, microblog: Microblog, photos) -> None:
    """Each searched face of a stranger adds one count; the histogram is kept by the store and holds no vector."""
    for name in ("q-1", "r-1", "s-1"):
        see(tools, microblog, start, photos[name])
    with start.store.read() as tx:
        counts = kept_drift(tx, start.faces.pack.sha256).as_json()
    assert sum(sum(row) for row in counts.values()) == 3
