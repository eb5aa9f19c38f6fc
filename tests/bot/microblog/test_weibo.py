"""Weibo's API: shapes, paging, limits, tokens, writing."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.microblog.model import Entry, PlaceTag, Role
from bot.microblog.server import Microblog, Side

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "weibo" / "field_types.json"


@pytest.fixture
def post(mb: Microblog, jpeg: Callable[..., bytes]) -> Entry:
    """A campaign post with two photos and a place, that names the bot."""
    place = PlaceTag("8008623010900000001", "哈尔滨站", 45.77, 126.62)
    return mb.world.add_post(
        Side.WEIBO, "passerby", "#寻亲# 出站口 @随手拍助手", photos=[jpeg(), jpeg(90, 60)], geo=(45.77, 126.62), place=place
    )


def error_of(answer: Any) -> tuple[int, int]:
    """HTTP status and Weibo's code."""
    body = answer.json()
    assert set(body) == {"error", "error_code", "request"}
    assert body["request"].startswith("/2/")
    return answer.status_code, body["error_code"]


# --- shapes --------------------------------------------------------------------------------------------------------


def test_search_gives_pic_ids_and_timelines_pic_urls(call: Any, post: Entry) -> None:
    """The two shapes of pictures stand where the real API has them; ``original_pic`` is the first alone."""
    found = call.weibo("search/topics", q="寻亲").json()["statuses"][0]
    assert found["pic_ids"] == list(post.photos)
    assert "pic_urls" not in found
    shown = call.weibo("statuses/show", id=post.id).json()
    assert [p["thumbnail_pic"].rsplit("/", 1)[-1] for p in shown["pic_urls"]] == [f"{name}.jpg" for name in post.photos]
    assert "pic_ids" not in shown
    assert shown["original_pic"].endswith(f"/large/{post.photos[0]}.jpg")


def test_a_status_has_the_fields_of_recorded_ones(call: Any, post: Entry) -> None:
    """Ids, time, geo as [lat, lon] and the place annotation are laid out as recorded."""
    status = call.weibo("statuses/show", id=post.id).json()
    assert (status["id"], status["idstr"], status["mid"]) == (post.id, str(post.id), str(post.id))
    assert status["created_at"] == "Fri Nov 20 12:00:00 +0800 2026"
    assert status["geo"] == {"type": "Point", "coordinates": [45.77, 126.62]}
    place = status["annotations"][0]["place"]
    assert place == {"lon": 126.62, "lat": 45.77, "poiid": "8008623010900000001", "title": "哈尔滨站", "type": "checkin"}
    assert status["user"]["screen_name"] == "路过的人"


@pytest.mark.skipif(not RECORDED.exists(), reason="the table of recorded field types is not beside this checkout")
def test_every_field_has_a_type_that_was_recorded(call: Any, mb: Microblog, post: Entry) -> None:
    """Whatever this server sends of a status has the type it had in 386 real ones."""
    types = json.loads(RECORDED.read_text(encoding="utf-8"))
    repost = mb.world.repost(post.id, "passerby", "转 @随手拍助手")
    for name in ("search/topics", "statuses/mentions"):
        for status in call.weibo(name, q="寻亲").json()["statuses"]:
            for path, value in _leaves(status):
                if path in types and value is not None:
                    assert type(value).__name__ in types[path], (path, value)
    assert call.weibo("statuses/show", id=repost.id).json()["retweeted_status"]["id"] == post.id


def _leaves(body: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(body, dict):
        return [leaf for key, value in body.items() for leaf in _leaves(value, f"{path}.{key}" if path else key)]
    if isinstance(body, list):
        return [leaf for value in body for leaf in _leaves(value, f"{path}.[]")]
    return [(path, body)]


def test_long_text_is_cut_unless_asked_for(call: Any, mb: Microblog) -> None:
    """A text over 140 characters is cut and marked; isGetLongText gives all of it."""
    entry = mb.world.add_post(Side.WEIBO, "passerby", "长" * 300)
    cut = call.weibo("statuses/show", id=entry.id).json()
    assert cut["isLongText"] is True
    assert "全文" in cut["text"]
    assert len(cut["text"]) < 200
    full = call.weibo("statuses/show_batch", ids=entry.id, isGetLongText=1).json()["statuses"][0]
    assert full["longText"]["longTextContent"] == "长" * 300


def test_a_repost_holds_the_original_and_shows_when_it_is_deleted(call: Any, mb: Microblog, post: Entry) -> None:
    """A repost of a repost points to the first post; a deleted original keeps its marks only."""
    second = mb.world.repost(mb.world.repost(post.id, "passerby").id, "passerby", "再转")
    assert call.weibo("statuses/show", id=second.id).json()["retweeted_status"]["id"] == post.id
    mb.world.delete(post.id)
    original = call.weibo("statuses/show", id=second.id).json()["retweeted_status"]
    assert original["deleted"] == "1"
    assert original["text"] == "此微博已被原作者删除。"
    assert "user" not in original


def test_a_deleted_post_is_gone(call: Any, mb: Microblog, post: Entry) -> None:
    """``show`` refuses with 20101, ``show_batch`` leaves it out, search and mentions no longer have it."""
    mb.world.delete(post.id)
    assert error_of(call.weibo("statuses/show", id=post.id)) == (400, 20101)
    assert call.weibo("statuses/show_batch", ids=post.id).json()["statuses"] == []
    assert call.weibo("search/topics", q="寻亲").json()["statuses"] == []
    assert call.weibo("statuses/mentions").json()["total_number"] == 0


def test_posts_of_x_are_not_on_weibo(call: Any, mb: Microblog) -> None:
    """A post belongs to one side."""
    entry = mb.world.add_post(Side.X, "passerby", "#寻亲# @随手拍助手")
    assert call.weibo("search/topics", q="寻亲").json()["statuses"] == []
    assert error_of(call.weibo("statuses/show", id=entry.id)) == (400, 20101)


def test_photos_are_served_as_given_and_smaller_ones_scaled(call: Any, mb: Microblog, jpeg: Callable[..., bytes]) -> None:
    """``large`` is byte for byte what was handed in, record included; ``thumbnail`` is a small rendition of its own."""
    data = jpeg(900, 600, exif=True)
    entry = mb.world.add_post(Side.WEIBO, "passerby", "图", photos=[data])
    thumbnail = call.weibo("statuses/show", id=entry.id).json()["thumbnail_pic"]
    assert call.session.get(thumbnail.replace("/thumbnail/", "/large/")).content == data
    small = call.session.get(thumbnail)
    assert small.headers["content-type"] == "image/jpeg"
    assert len(small.content) < len(data)
    assert b"SECRETCAM" not in small.content
    assert call.session.get(thumbnail.replace(entry.photos[0], "0" * 32)).status_code == 404


# --- paging --------------------------------------------------------------------------------------------------------


def test_search_ends_at_the_newest_200(call: Any, mb: Microblog) -> None:
    """Pages hold the newest 200 without repeats; the page beyond them is error 21411; count is cut at 50."""
    for n in range(230):
        mb.world.add_post(Side.WEIBO, "passerby", f"#寻亲# {n}")
    pages = [call.weibo("search/topics", q="寻亲", count=99, page=n).json()["statuses"] for n in (1, 2, 3, 4)]
    ids = [s["id"] for page in pages for s in page]
    assert [len(page) for page in pages] == [50] * 4
    assert ids == sorted(set(ids), reverse=True)
    assert pages[0][0]["text"] == "#寻亲# 229"
    assert error_of(call.weibo("search/topics", q="寻亲", count=50, page=5)) == (400, 21411)


def test_mentions_page_by_max_id_inclusive_and_since_id(call: Any, mb: Microblog) -> None:
    """``next_cursor`` is the ``max_id`` of the next page, which begins with that very post; ``since_id`` is exclusive."""
    ids = [mb.world.add_post(Side.WEIBO, "passerby", f"@随手拍助手 {n}").id for n in range(7)]
    seen: list[int] = []
    cursor = 0
    while True:
        page = call.weibo("statuses/mentions", count=3, max_id=cursor).json()
        seen += [s["id"] for s in page["statuses"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert seen == ids[::-1]
    repeated = call.weibo("statuses/mentions", count=3, max_id=ids[4]).json()["statuses"]
    assert repeated[0]["id"] == ids[4]
    newer = call.weibo("statuses/mentions", since_id=ids[4]).json()["statuses"]
    assert [s["id"] for s in newer] == [ids[6], ids[5]]


def test_comment_streams(call: Any, mb: Microblog, post: Entry) -> None:
    """Comments by the caller, to the caller, naming the caller and under a post are four lists, newest first."""
    own = call.comment(post.id, "收到 S-1").json()["id"]
    answer = mb.world.comment(post.id, "passerby", "谢谢", reply_to=own)
    named = mb.world.comment(post.id, "passerby", "@随手拍助手 退订")
    lists = {n: [c["id"] for c in call.weibo(f"comments/{n}").json()["comments"]] for n in ("by_me", "to_me", "mentions")}
    assert lists == {"by_me": [own], "to_me": [answer.id], "mentions": [named.id]}
    under = call.weibo("comments/show", id=post.id).json()["comments"]
    assert [c["id"] for c in under] == [named.id, answer.id, own]
    assert under[1]["reply_comment"]["id"] == own
    assert under[0]["status"]["id"] == post.id
    batch = call.weibo("comments/show_batch", cids=f"{own},{named.id},1").json()
    assert {c["id"] for c in batch} == {own, named.id}


def test_own_timeline_shows_the_latest_five_of_oneself_only(call: Any, mb: Microblog) -> None:
    """Another's uid is error 21335."""
    ids = [mb.world.add_post(Side.WEIBO, "bot", f"第{n}").id for n in range(7)]
    shown = call.weibo("statuses/user_timeline").json()
    assert [s["id"] for s in shown["statuses"]] == ids[:1:-1]
    assert error_of(call.weibo("statuses/user_timeline", uid=1)) == (403, 21335)


# --- tokens, budgets, parameters -----------------------------------------------------------------------------------


def test_tokens(call: Any, mb: Microblog, clock: Any) -> None:
    """None, unknown, expired and revoked ones are told apart; the header form is taken too; the life left can be asked."""
    held = mb.credentials.weibo_access_token
    assert error_of(call.weibo("account/get_uid", access_token="")) == (400, 10006)
    assert error_of(call.weibo("account/get_uid", access_token="2.00nobody")) == (403, 21332)
    by_header = call.session.get(f"{mb.weibo_url}/2/account/get_uid.json", headers={"Authorization": f"OAuth2 {held}"})
    assert by_header.json() == {"uid": mb.world.bot.uid}
    info = call.session.post(f"{mb.weibo_url}/oauth2/get_token_info", data={"access_token": held}).json()
    assert info["expire_in"] == timedelta(days=30).total_seconds()
    clock.move(days=31)
    assert error_of(call.weibo("account/get_uid")) == (403, 21327)
    mb.world.tokens.renew(mb.world.bot, clock())
    assert call.weibo("account/get_uid").ok
    mb.world.tokens.revoke("bot")
    assert error_of(call.weibo("account/get_uid")) == (403, 21316)


def test_the_daily_budget_is_counted_and_renews_at_midnight_in_beijing(call: Any, mb: Microblog, clock: Any) -> None:
    """The call after the last is 10023; asking what is left costs nothing; the next day begins anew."""
    mb.world.rules.weibo_daily_calls = 3
    for left in (3, 2, 1):
        assert call.weibo("account/rate_limit_status").json()["remaining_user_hits"] == left
        assert call.weibo("statuses/mentions").ok
    assert error_of(call.weibo("statuses/mentions")) == (403, 10023)
    status = call.weibo("account/rate_limit_status").json()
    assert status["remaining_user_hits"] == 0
    assert status["reset_time"] == "2026-11-21 00:00:00"
    clock.move(seconds=status["reset_time_in_seconds"])
    assert call.weibo("statuses/mentions").ok


def test_the_hourly_budget_of_an_address(call: Any, mb: Microblog) -> None:
    """Beyond it every call of that address is 10022."""
    mb.world.rules.weibo_hourly_calls_per_ip = 1
    assert call.weibo("statuses/mentions").ok
    assert error_of(call.weibo("statuses/mentions")) == (403, 10022)


@pytest.mark.parametrize(
    ("name", "values", "code"),
    [
        ("search/topics", {}, 10016),
        ("search/topics", {"q": "寻亲", "page": 0}, 10008),
        ("search/topics", {"q": "寻亲", "count": "many"}, 10008),
        ("statuses/mentions", {"since_id": "-4"}, 10008),
        ("statuses/show_batch", {"ids": ",".join(map(str, range(51)))}, 10008),
        ("users/show", {}, 10008),
        ("users/show", {"screen_name": "没有这个人"}, 20003),
        ("no/such", {}, 10020),
        ("comments/create", {}, 10021),
    ],
)
def test_wrong_parameters_are_refused_in_weibos_form(call: Any, name: str, values: dict[str, Any], code: int) -> None:
    """Every refusal has the three fields and a 4xx."""
    status, got = error_of(call.weibo(name, **values))
    assert got == code
    assert 400 <= status < 500


def test_accounts_show_how_they_are_verified(call: Any, mb: Microblog) -> None:
    """A government account is verified_type 1, looked up by screen_name or uid."""
    official = mb.world.add_account(
        "pa", Role.OFFICIAL, "平安测试", "ping_an", verified_type=1, verified_reason="测试市公安局官方微博"
    )
    by_name = call.weibo("users/show", screen_name="平安测试").json()
    assert by_name == call.weibo("users/show", uid=official.uid).json()
    assert (by_name["verified"], by_name["verified_type"]) == (True, 1)
    assert by_name["verified_reason"] == "测试市公安局官方微博"


# --- writing -------------------------------------------------------------------------------------------------------


def test_a_comment_is_published_recorded_and_read_back(call: Any, mb: Microblog, post: Entry) -> None:
    """The ledger holds what was said, under what, and whom it names; the text reads back byte for byte."""
    mb.world.add_account("pa", Role.OFFICIAL, "平安测试", "ping_an", verified_type=1)
    answer = call.comment(post.id, "@平安测试 收到线索 S-4F7K").json()
    said = mb.world.ledger.publications[0]
    assert (said.side, said.kind, said.id, said.target_id) == (Side.WEIBO, "comment", answer["idstr"], str(post.id))
    assert said.mentions == ("pa",)
    assert call.weibo("comments/by_me").json()["comments"][0]["text"] == "@平安测试 收到线索 S-4F7K"
    assert answer["mid"] != answer["idstr"]


def test_what_weibo_refuses_to_publish(call: Any, mb: Microblog, post: Entry) -> None:
    """Too long, repeated, no rip, a bad rip, a target that is gone, a closed call: each with its code, and nothing is said."""
    assert call.comment(post.id, "收到").ok
    refused = [
        (call.comment(post.id, "收到"), 20019),
        (call.comment(post.id, "长" * 141), 20012),
        (call.comment(post.id, "短" * 139 + "a" * 3), 20012),
        (call.weibo("comments/create", "POST", id=post.id, comment="好", rip=""), 10016),
        (call.weibo("comments/create", "POST", id=post.id, comment="好", rip="here"), 10017),
        (call.weibo("comments/create", "POST", id=post.id, comment="  "), 20008),
        (call.comment(4061056659451430, "收到"), 20101),
        (call.weibo("comments/reply", "POST", id=post.id, cid=1, comment="好"), 20201),
        (call.weibo("statuses/update", "POST", status="好"), 10014),
    ]
    assert [error_of(answer)[1] for answer, _ in refused] == [code for _, code in refused]
    assert len(mb.world.ledger.publications) == 1
    assert call.comment(post.id, "短" * 139 + "ab").ok


def test_the_same_words_may_be_said_elsewhere_or_a_day_later(call: Any, mb: Microblog, clock: Any, post: Entry) -> None:
    """The guard against repeats looks at one post and one day."""
    other = mb.world.add_post(Side.WEIBO, "passerby", "另一条")
    assert call.comment(post.id, "收到").ok
    assert call.comment(other.id, "收到").ok
    assert mb.world.ledger.repeated() == []
    clock.move(hours=25)
    assert call.comment(post.id, "收到").ok
    assert [p.target_id for p in mb.world.ledger.repeated()] == [str(post.id)]


def test_a_reply_to_a_comment(call: Any, mb: Microblog, post: Entry) -> None:
    """It begins with the name of whom it answers unless without_mention, and points to that comment."""
    asked = mb.world.comment(post.id, "passerby", "在哪里？")
    plain = call.weibo("comments/reply", "POST", id=post.id, cid=asked.id, comment="见原帖", without_mention=1).json()
    named = call.weibo("comments/reply", "POST", id=post.id, cid=asked.id, comment="见上").json()
    assert plain["text"] == "见原帖"
    assert named["text"] == "回复@路过的人:见上"
    assert plain["reply_comment"]["id"] == asked.id
    assert [p.target_comment_id for p in mb.world.ledger.publications] == [str(asked.id)] * 2


def test_a_share_needs_the_bound_domain_and_no_topic(call: Any, mb: Microblog, jpeg: Callable[..., bytes]) -> None:
    """Without an address of the bound domain, or with a #topic#, it is 10017; a repeat is 20019; a picture may go with it."""
    mb.world.rules.bound_domain = "example.org"

    def share(text: str, **more: Any) -> Any:
        data = {"access_token": mb.credentials.weibo_access_token, "status": text, "rip": "203.0.113.9"}
        return call.session.post(f"{mb.weibo_url}/2/statuses/share.json", data=data, **more)

    assert error_of(share("没有链接"))[1] == 10017
    assert error_of(share("https://example.com/ 别家"))[1] == 10017
    assert error_of(share("#寻亲# https://example.org/"))[1] == 10017
    sent = share("日报 https://www.example.org/day", files={"pic": ("p.jpg", jpeg(), "image/jpeg")}).json()
    assert len(sent["pic_urls"]) == 1
    assert error_of(share("日报 https://www.example.org/day"))[1] == 20019
    assert [s["id"] for s in call.weibo("statuses/user_timeline").json()["statuses"]] == [sent["id"]]


def test_thirty_posts_an_hour(call: Any, mb: Microblog, clock: Any, post: Entry) -> None:
    """The limit on publishing is 20016 and passes with the hour."""
    mb.world.rules.weibo_hourly_posts = 2
    assert [call.comment(post.id, f"第{n}").status_code for n in range(3)] == [200, 200, 403]
    clock.move(minutes=61)
    assert call.comment(post.id, "第3").ok


def test_times_are_in_beijing_whatever_zone_they_came_in(call: Any, mb: Microblog) -> None:
    """A post dated back keeps its instant, and its id lies before a later one's."""
    old = mb.world.add_post(Side.WEIBO, "passerby", "昨天", posted_at=datetime(2026, 11, 18, 20, 30, tzinfo=UTC))
    new = mb.world.add_post(Side.WEIBO, "passerby", "今天")
    assert call.weibo("statuses/show", id=old.id).json()["created_at"] == "Thu Nov 19 04:30:00 +0800 2026"
    assert old.id < new.id
