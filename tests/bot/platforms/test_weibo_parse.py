"""Reading Weibo's JSON: every real shape, and what happens to those that are none."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.platforms import _weibo_parse as parse
from bot.platforms._weibo_ids import base62, comment_part, id_before, id_key, id_time, status_part
from store.model import Datum, GeoPoint, Malformed, Post

SHARED = Path(__file__).resolve().parents[4] / "shared" / "weibo" / "status_structures.json"
READER = parse.Reader("https://wx1.sinaimg.cn/large/{pid}.jpg", "https://weibo.com", lambda handle: handle == "随手拍助手")
USER = {"id": 1000000001, "screen_name": "河边的风"}


def status(**changed: Any) -> dict[str, Any]:
    """The least a status needs, changed as given."""
    return {"id": 5367296214171651, "created_at": "Fri Nov 20 11:50:00 +0800 2026", "text": "看到了", "user": USER} | changed


def read(**changed: Any) -> Post:
    """The status as a post; it must be readable."""
    post = READER.post(status(**changed))
    assert isinstance(post, Post), post
    return post


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    """Six real statuses, scrubbed."""
    if not SHARED.is_file():
        pytest.skip("the recorded statuses are not at ../shared/weibo")
    loaded: dict[str, Any] = json.loads(SHARED.read_text(encoding="utf-8"))
    return loaded


def test_recorded_statuses_read_as_they_stand(recorded: dict[str, Any]) -> None:
    """Every recorded status is a post with the pictures, the point and the place it was recorded with."""
    statuses = [body for key, body in recorded.items() if key[0] in "12345"]
    posts = [READER.post(body) for body in statuses]
    assert [len(p.media) for p in posts if isinstance(p, Post)] == [2, 8, 8, 0, 0]
    first, _, third, _, fifth = (p for p in posts if isinstance(p, Post))
    assert first.point == GeoPoint(45.77919, 126.56521, Datum.GCJ02)
    assert first.place is not None
    assert (first.place.name, first.place.kind) == ("哈尔滨冰雪大世界", "checkin")
    assert third.media[2].urls[0].endswith(".gif")
    assert fifth.repost_of is not None
    assert fifth.repost_of.deleted
    assert all(url.startswith("https://") for p in (first, third) for media in p.media for url in media.urls)


def test_recorded_ids_hold_their_time(recorded: dict[str, Any]) -> None:
    """The overlap before a cursor is reckoned from ids: in the recordings since 2012 an id is at most 12 s off its post."""
    bodies = [body for key, body in recorded.items() if key[0] in "12346"]
    for body in bodies:
        assert abs(id_time(parse.id_of(body) or "") - parse.created_at(body["created_at"])) <= timedelta(seconds=12)


def test_a_recorded_comment_links_to_its_status(recorded: dict[str, Any]) -> None:
    """The id of a comment's post names both; a comment's mid, which is another number, is not used."""
    body = recorded["6_comment"]
    post = READER.comment(body)
    assert isinstance(post, Post)
    assert post.id == "3481474642286341_3485073486004301"
    assert post.repost_of is not None
    assert len(post.repost_of.media) == 1


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Fri Jan 06 23:00:21 +0800 2017", datetime(2017, 1, 6, 15, 0, 21, tzinfo=UTC)),
        ("Tue Feb 29 00:00:00 +0000 2028", datetime(2028, 2, 29, tzinfo=UTC)),
    ],
)
def test_time_is_read_whatever_the_locale(written: str, expected: datetime) -> None:
    """Month names are English on the wire, and the process's locale has no say."""
    assert parse.created_at(written) == expected


@pytest.mark.parametrize(
    "written", ["", None, 7, "2026-11-20 12:00", "Fri Foo 06 23:00:21 +0800 2017", "Fri Feb 30 23:00:21 +0800 2017"]
)
def test_what_is_no_time_is_malformed(written: Any) -> None:
    """A post whose time cannot be read is kept with its raw body, not guessed at."""
    body = status(created_at=written)
    kept = READER.post(body)
    assert isinstance(kept, Malformed)
    assert (kept.id, kept.raw) == ("5367296214171651", body)


@pytest.mark.parametrize(
    "body", [None, [], "text", 7, {}, {"id": "abc"}, {"id": True}, status(user={"id": None}), status(id=None)]
)
def test_what_is_no_status_is_malformed(body: Any) -> None:
    """Whatever stands in a list of statuses, reading it raises nothing."""
    assert isinstance(READER.post(body), Malformed)
    assert isinstance(READER.comment(body), Malformed)


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ("@随手拍助手 看看", ("随手拍助手",)),
        ("看看@随手拍助手，谢谢", ("随手拍助手",)),
        ("//@甲-1:转//@乙_2:转//@甲-1:再转", ("甲-1", "乙_2")),
        ("写信到 help@example.org", ()),
        ("@ 空的", ()),
    ],
)
def test_mentions_end_where_a_name_ends(text: str, mentions: tuple[str, ...]) -> None:
    """Names are letters, digits, - and _; a mail address is no mention; each name counts once."""
    assert read(text=text).mentions == mentions


def test_only_the_bots_own_name_is_a_summons() -> None:
    """Tagging somebody else does not invite the bot; neither does a deleted post."""
    assert read(text="@随手拍助手 请看").summons
    assert not read(text="@别人 请看").summons
    assert not read(text="@随手拍助手 请看", deleted="1").summons


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ([{"place": {"title": "站前广场", "lat": 25.0, "lon": 102.0}}], GeoPoint(25.0, 102.0, Datum.GCJ02)),
        ([{"place": {"title": "站前广场", "lat": "25.0", "lon": "102.0"}}], GeoPoint(25.0, 102.0, Datum.GCJ02)),
        ([{"place": {"title": "站前广场", "lat": 0.0, "lon": "0.0"}}], None),
        ([{"place": {"title": "站前广场", "lat": float("nan"), "lon": 102.0}}], None),
        ([{"place": {"title": "站前广场"}}], None),
        ({"place": {"title": "站前广场", "lat": 25.0, "lon": 200.0}}, None),
    ],
)
def test_a_place_keeps_its_name_and_only_a_real_point(annotations: Any, expected: GeoPoint | None) -> None:
    """(0, 0) means none; what lies off the Earth is none; numbers come as text too."""
    place = read(annotations=annotations).place
    assert place is not None
    assert (place.name, place.point) == ("站前广场", expected)


@pytest.mark.parametrize("annotations", [None, "", [], [None, 7, {"place": []}], [{"place": {"title": " "}}]])
def test_annotations_without_a_place_are_none(annotations: Any) -> None:
    """Most annotations are clients' notes."""
    assert read(annotations=annotations).place is None


@pytest.mark.parametrize("geo", [None, {}, {"coordinates": [25.0]}, {"coordinates": "25,102"}, {"coordinates": [None, 1]}, []])
def test_geo_without_coordinates_is_none(geo: Any) -> None:
    """A point is there in full or not at all."""
    assert read(geo=geo).point is None


def test_bare_picture_ids_take_the_first_pictures_host_else_the_pattern() -> None:
    """The platform's own word on where pictures live goes before our pattern."""
    named = read(pic_ids=["aaa1", "aaa2"], original_pic="http://wx3.sinaimg.cn/large/aaa1.jpg")
    assert [m.urls[0] for m in named.media] == ["https://wx3.sinaimg.cn/large/aaa1.jpg", "https://wx3.sinaimg.cn/large/aaa2.jpg"]
    bare = read(pic_ids=["aaa1"])
    assert bare.media[0].urls == tuple(f"https://wx1.sinaimg.cn/{size}/aaa1.jpg" for size in parse.SIZES)


def test_pictures_come_once_and_in_order() -> None:
    """A picture named twice, as id and as address, is one picture."""
    post = read(
        pic_ids=["b", "a", "b"],
        pic_urls=[{"thumbnail_pic": "http://ww1.sinaimg.cn/thumbnail/a.gif"}, "http://ww2.sinaimg.cn/thumbnail/b.jpg", None, {}],
    )
    assert [m.urls[0] for m in post.media] == ["https://ww2.sinaimg.cn/large/b.jpg", "https://ww1.sinaimg.cn/large/a.gif"]


def test_an_address_of_another_host_stays_as_it_is() -> None:
    """Only sinaimg.cn is known to serve https and sizes; whether others may be fetched is decided elsewhere."""
    post = read(pic_urls=[{"thumbnail_pic": "http://127.0.0.1:8765/face.jpg"}])
    assert post.media[0].urls == ("http://127.0.0.1:8765/face.jpg",)


@pytest.mark.parametrize(
    "changed",
    [
        {"deleted": "1"},
        {"deleted": 1},
        {"deleted": True},
        {"user": None},
        {"text": "此微博已被原作者删除。"},
        {"text": "抱歉，此微博已被作者删除。查看帮助：http://t.cn/x"},
        {"text": "抱歉，由于作者设置，你暂时没有这条微博的查看权限哦。"},
    ],
)
def test_deleted_and_hidden_posts_are_marked_and_show_no_pictures(changed: dict[str, Any]) -> None:
    """Each way Weibo says that a post is gone."""
    post = read(pic_ids=["a"], **changed)
    assert post.deleted
    assert post.media == ()


def test_writing_about_a_deleted_post_is_not_being_deleted() -> None:
    """The sentence counts only where the platform put it, alone and at the start."""
    assert not read(text="为什么显示“此微博已被原作者删除。”？").deleted
    assert not read(text="此微博已被原作者删除。" + "可是我还记得，孩子在天桥下。" * 5, deleted="0").deleted


@pytest.mark.parametrize(
    ("text", "profile", "lang"),
    [
        ("a child near the station", "en", "en"),
        ("@随手拍助手 #随手拍解救# a child near the station", "en-us", "en"),
        ("火车站", "en", "zh"),
        ("help", "zh-cn", "zh"),
        ("", None, "zh"),
    ],
)
def test_the_language_is_that_of_the_authors_own_words(text: str, profile: str | None, lang: str) -> None:
    """The campaign's Chinese names in an English post do not make it Chinese."""
    assert read(text=text, user=USER | {"lang": profile}).lang == lang


def test_a_profile_without_words_gives_its_province_as_a_division_code() -> None:
    """Weibo's province is the first two digits of an adcode; 100 and 400 are its own words for elsewhere."""
    assert read(user=USER | {"province": "53", "location": ""}).author.place == "530000"
    assert read(user=USER | {"province": "53", "location": "云南 昆明"}).author.place == "云南 昆明"
    assert read(user=USER | {"province": "400"}).author.place == ""
    assert read(user=USER | {"province": 31}).author.place == "310000"


def test_addresses_write_ids_in_base_62() -> None:
    """Pairs of ids and addresses that the site itself gave; zeros inside and short ids keep their places."""
    assert base62("3491700092079471") == "yCtxn8IXR"
    assert base62("3501756485200075") == "z0JH2lOMb"
    assert base62("1") == "1"
    assert base62("10000000") == "10000"
    assert READER.post_url("1000000001", "3491700092079471_99") == "https://weibo.com/1000000001/yCtxn8IXR"


def test_ids_of_posts_and_comments() -> None:
    """A comment's post id holds its status and itself, and is ordered by itself."""
    assert (status_part("12_34"), comment_part("12_34"), status_part("12"), comment_part("12")) == ("12", "34", "12", None)
    assert sorted(["99", "12_100", "98_97", "none"], key=id_key) == ["none", "98_97", "99", "12_100"]
    assert id_before(600 << 22, 600) == 0
    assert id_before(5, 600) == 0
    assert id_time(str(id_before(5367296214171651, 600))) == id_time("5367296214171651") - timedelta(minutes=10)


def test_the_raw_body_is_kept() -> None:
    """What the platform said stays as evidence."""
    body = status(unknown={"deep": [1]})
    post = READER.post(body)
    assert post.raw == body
