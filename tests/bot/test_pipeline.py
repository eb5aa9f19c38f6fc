"""The whole pipeline over the local microblog with the real engine: what people see, and what is remembered."""

from types import SimpleNamespace

import pytest

from bot import casework
from bot.demo.photos import DemoPhoto
from bot.microblog.model import Side
from bot.microblog.server import Microblog
from bot.pipeline import run_round, work
from bot.settings import Loaded
from bot.steps.housekeeping import look_for_deletions
from bot.steps.poll import poll, streams
from store import alerts, bans, leads, matches, media, posts, sightings, spoken
from store.cases import CaseFields
from store.model import AlertState, Band, MessageKind, StreamKind

pytestmark = pytest.mark.on_both

LUOHU = (22.5462, 114.1195)


@pytest.fixture
def start(tools: SimpleNamespace, loaded: Loaded, microblog: Microblog):
    """A bot with one verified case and one official, after its first (empty) poll."""
    with tools.opened(loaded) as bot:
        tools.case = tools.register(bot)
        tools.enrol_luohu(bot, microblog)
        run_round(bot)
        yield bot


def said(microblog: Microblog) -> list[str]:
    return [publication.text for publication in microblog.world.ledger.publications]


def test_a_match_is_answered_and_the_local_official_mentioned(
    start, tools: SimpleNamespace, microblog: Microblog, photos: dict[str, DemoPhoto]
) -> None:
    """A tagged post with a matching photo and a certain place: one answer, one mention, one lead, nothing twice."""
    entry = microblog.world.add_post(
        Side.WEIBO, "anna", f"#{tools.tag}# 刚刚在深圳市罗湖区东门老街 @随手拍助手", photos=[photos["a-street"].data], geo=LUOHU
    )
    tools.settle(start)
    tools.settle(start)
    texts = said(microblog)
    assert len(texts) == 2
    answer, alert = sorted(texts, key=lambda text: "@示例罗湖公安" in text)
    assert "收到" in answer
    assert "@" not in answer
    assert "@示例罗湖公安" in alert
    assert all("Demo case" not in text and tools.case not in text for text in texts)
    with start.store.read() as tx:
        row = posts.find(tx, "weibo", str(entry.id))
        sighting = sightings.of_post(tx, row)
        assert sighting.where.adcode == "440303"
        assert sighting.ref in answer
        assert sighting.ref in alert
        assert [c.band for c in matches.of_post(tx, row)] == [Band.HIGH]
        assert [lead.sighting_id for lead in leads.listing(tx)] == [sighting.id]
        assert alerts.counts(tx)[AlertState.SENT] == 2


def test_a_stranger_is_answered_and_nobody_is_called(
    start, tools: SimpleNamespace, microblog: Microblog, photos: dict[str, DemoPhoto]
) -> None:
    """A face that is nobody's case gets the same friendly answer and nothing else."""
    microblog.world.add_post(
        Side.WEIBO, "anna", f"#{tools.tag}# 刚刚在深圳市罗湖区东门老街 @随手拍助手", photos=[photos["q-1"].data], geo=LUOHU
    )
    tools.settle(start)
    assert len(said(microblog)) == 1
    assert "@" not in said(microblog)[0]


def test_a_draft_case_is_silent(start, tools: SimpleNamespace, microblog: Microblog, photos: dict[str, DemoPhoto]) -> None:
    """Until a second person verified it, a case matches nothing: no candidate, no lead, no alert."""
    desk = casework.Desk(start.store, start.files, start.decoder, start.faces)
    casework.register(desk, CaseFields(name="Draft"), [casework.CasePhotoInput("b", photos["case-b-1"].data)], by="clerk")
    microblog.world.add_post(
        Side.WEIBO, "anna", f"#{tools.tag}# 深圳市罗湖区 @随手拍助手", photos=[photos["b-street"].data], geo=LUOHU
    )
    tools.settle(start)
    with start.store.read() as tx:
        assert matches.listing(tx) == []
        assert leads.listing(tx) == []
    assert len(said(microblog)) == 1


def test_a_new_case_is_searched_among_past_sightings(
    start, tools: SimpleNamespace, microblog: Microblog, photos: dict[str, DemoPhoto]
) -> None:
    """A case that is verified after the photo was posted still finds it, and the officials are called then."""
    microblog.world.add_post(
        Side.WEIBO, "anna", f"#{tools.tag}# 刚刚在深圳市罗湖区东门老街 @随手拍助手", photos=[photos["b-street"].data], geo=LUOHU
    )
    tools.settle(start)
    assert len(said(microblog)) == 1
    tools.register(start, key="b", name="Demo case B")
    tools.settle(start)
    assert len(said(microblog)) == 2
    assert "@示例罗湖公安" in said(microblog)[1]


def test_posts_from_before_the_first_start_are_stored_and_never_answered(
    tools: SimpleNamespace, loaded: Loaded, microblog: Microblog, clock, photos: dict[str, DemoPhoto]
) -> None:
    """The first start reads back a bounded while; those posts are searched, and a match on them waits for a person."""
    microblog.world.add_post(
        Side.WEIBO, "anna", f"#{tools.tag}# 深圳市罗湖区东门老街 @随手拍助手", photos=[photos["a-street"].data], geo=LUOHU
    )
    clock.forward(minutes=5)
    with tools.opened(loaded) as bot:
        tools.register(bot)
        tools.enrol_luohu(bot, microblog)
        tools.settle(bot)
        with bot.store.read() as tx:
            [alert] = alerts.listing(tx)
    assert said(microblog) == []
    assert alert.kind is MessageKind.ALERT
    assert alert.state is AlertState.HELD
    assert "first start" in alert.hold_reason


def test_opting_out_is_permanent(start, tools: SimpleNamespace, microblog: Microblog, photos: dict[str, DemoPhoto]) -> None:
    """After 退订 the author hears one confirmation and then nothing, whatever they post or ask."""
    for text, names in (
        ("@随手拍助手 退订", ()),
        (f"#{tools.tag}# 深圳市罗湖区 @随手拍助手", ("q-1",)),
        ("@随手拍助手 退订", ()),
    ):
        microblog.world.add_post(Side.WEIBO, "anna", text, photos=[photos[n].data for n in names])
        tools.settle(start)
    assert len(said(microblog)) == 1
    assert "不再打扰" in said(microblog)[0]


def test_a_broken_photo_is_refused_recorded_and_said_kindly(
    start, tools: SimpleNamespace, microblog: Microblog, photos: dict[str, DemoPhoto]
) -> None:
    """An unreadable photo beside a good one does not stop the post; alone, the poster is asked to send it again."""
    broken = b"\xff\xd8\xff\xe0" + b"x" * 500
    mixed = microblog.world.add_post(Side.WEIBO, "anna", f"#{tools.tag}# 深圳 @随手拍助手", photos=[broken, photos["q-1"].data])
    microblog.world.add_post(Side.WEIBO, "boris", f"#{tools.tag}# 深圳 @随手拍助手", photos=[broken])
    tools.settle(start)
    with start.store.read() as tx:
        row = posts.find(tx, "weibo", str(mixed.id))
        assert [m.state for m in media.of_post(tx, row)] == [media.MediaState.REFUSED, media.MediaState.STORED]
    assert sorted("没能打开" in text for text in said(microblog)) == [False, True]


def test_the_same_photo_again_is_one_sighting_repeated(
    start, tools: SimpleNamespace, microblog: Microblog, photos: dict[str, DemoPhoto]
) -> None:
    """A second post of the same photo is marked as a repeat, answered, and the officials are not called again."""
    for author in ("anna", "boris"):
        microblog.world.add_post(
            Side.WEIBO, author, f"#{tools.tag}# 深圳市罗湖区东门老街 @随手拍助手", photos=[photos["a-street"].data], geo=LUOHU
        )
        tools.settle(start)
    mentions = [text for text in said(microblog) if "@示例罗湖公安" in text]
    assert len(mentions) == 1
    assert len(said(microblog)) == 3
    with start.store.read() as tx:
        first, second = sorted(sightings.listing(tx), key=lambda s: s.id)
        assert second.duplicate_of == first.id
        assert spoken.sent_since(tx, "weibo", MessageKind.ALERT, first.created_at) == 1


def test_a_deleted_post_is_not_spoken_about(
    start, tools: SimpleNamespace, microblog: Microblog, clock, photos: dict[str, DemoPhoto]
) -> None:
    """Where the author deletes the post before the alert was released, what waited is cancelled at the next look-up."""
    entry = microblog.world.add_post(Side.WEIBO, "anna", f"#{tools.tag}# 朝阳区 @随手拍助手", photos=[photos["a-street"].data])
    tools.settle(start)
    microblog.world.delete(entry.id)
    clock.forward(hours=21)
    assert look_for_deletions(start, start.seats["weibo"]) == 1
    with start.store.read() as tx:
        states = {a.kind: a.state for a in alerts.listing(tx)}
    assert states[MessageKind.ALERT] is AlertState.CANCELLED


def test_one_error_does_not_stop_the_round(
    start, tools: SimpleNamespace, microblog: Microblog, photos: dict[str, DemoPhoto], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A post on which the engine breaks is recorded as failed with its reason; its neighbours are answered."""
    bad = microblog.world.add_post(Side.WEIBO, "anna", f"#{tools.tag}# 深圳 @随手拍助手", photos=[photos["p-1"].data])
    microblog.world.add_post(Side.WEIBO, "boris", f"#{tools.tag}# 深圳 @随手拍助手", photos=[photos["q-1"].data])
    shape = start.decoder.open(photos["p-1"].data)
    real = start.faces.engine.faces

    def faces(image):
        if image.shape[:2] == (shape.height_px, shape.width_px):
            raise RuntimeError("engine broke on this photo")
        return real(image)

    monkeypatch.setattr(type(start.faces.engine), "faces", lambda self, image: faces(image))
    for _ in range(start.settings.schedule.attempts + 1):
        run_round(start)
        start.clock.forward(hours=1)
    with start.store.read() as tx:
        stored = posts.get(tx, posts.find(tx, "weibo", str(bad.id)))
    assert stored.step is posts.Step.FAILED
    assert "engine broke" in stored.error
    assert len(said(microblog)) == 1


def test_an_original_first_seen_behind_a_repost_is_answered_once_it_speaks_for_itself(
    start, tools: SimpleNamespace, microblog: Microblog, photos: dict[str, DemoPhoto]
) -> None:
    """The original comes in with somebody's repost (and is not answered for it); found under the hashtag later, it is."""
    world = microblog.world
    original = world.add_post(Side.WEIBO, "anna", f"#{tools.tag}# 深圳市罗湖区", photos=[photos["q-1"].data], visible_after_s=0)
    world.repost(original.id, "boris", "@随手拍助手 帮忙看看")
    seat = start.seats["weibo"]
    mentions = next(s for s in streams(seat) if s.kind is StreamKind.MENTIONS)
    poll(start, seat, mentions)
    work(start)
    with start.store.read() as tx:
        behind = posts.get(tx, posts.find(tx, "weibo", str(original.id)))
    assert not behind.direct
    tools.settle(start)
    answered = {publication.target_id for publication in microblog.world.ledger.publications}
    assert str(original.id) in answered


def test_one_new_picture_among_known_ones_is_a_sighting_of_its_own(
    start, tools: SimpleNamespace, microblog: Microblog, photos: dict[str, DemoPhoto]
) -> None:
    """A post that repeats a known photo beside a new one that matches still calls the officials: another child may be in it."""
    for names in (("q-1",), ("q-1", "a-street")):
        microblog.world.add_post(
            Side.WEIBO,
            "anna",
            f"#{tools.tag}# 刚刚在深圳市罗湖区东门老街 @随手拍助手",
            photos=[photos[n].data for n in names],
            geo=LUOHU,
        )
        tools.settle(start)
    assert sum("@示例罗湖公安" in text for text in said(microblog)) == 1
    with start.store.read() as tx:
        assert [s.duplicate_of for s in sightings.listing(tx)] == [None, None]


def test_a_banned_picture_and_a_banned_account_are_never_answered(
    start, tools: SimpleNamespace, microblog: Microblog, photos: dict[str, DemoPhoto]
) -> None:
    """What people put on the list is stored and reviewable; nobody hears of it, and a match on it waits for a person."""
    anna = str(microblog.world.account("anna").uid)
    with start.store.write() as tx:
        bans.ban(tx, bans.BanKind.PICTURE, start.decoder.open(photos["a-street"].data).phash, by="lead", why="a hoax")
        bans.ban(tx, bans.BanKind.ACCOUNT, anna, platform="weibo", by="lead", why="spam")
    for author, name in (("boris", "a-street"), ("anna", "q-1")):
        microblog.world.add_post(
            Side.WEIBO, author, f"#{tools.tag}# 刚刚在深圳市罗湖区东门老街 @随手拍助手", photos=[photos[name].data], geo=LUOHU
        )
    tools.settle(start)
    assert said(microblog) == []
    with start.store.read() as tx:
        assert len(sightings.listing(tx)) == 2
        [alert] = alerts.listing(tx)
    assert alert.state is AlertState.HELD
    assert "ban list" in alert.hold_reason
