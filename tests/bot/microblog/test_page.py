"""The page: what a passer-by can do on it, what it shows, and that nothing a visitor writes becomes part of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
import requests
from PIL import Image

from bot.microblog.model import Role
from bot.microblog.server import Fault, FaultKind, Microblog, Side


class Tags(HTMLParser):
    """Collects tags with their attributes, and checks that they nest."""

    VOID = frozenset({"meta", "link", "input", "img", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def send(mb: Microblog, photos: list[bytes] | None = None, **fields: str) -> requests.Response:
    """Post the page's form as a browser without JavaScript would."""
    form = {"side": "weibo", "author": "passerby", "text": "", "place": "", "lat": "", "lon": "", **fields}
    files = [("photos", (f"{n}.jpg", data, "image/jpeg")) for n, data in enumerate(photos or [])]
    empty = [("photos", ("", b"", "application/octet-stream"))]
    return requests.post(f"{mb.url}/post", data=form, files=files or empty, timeout=10, allow_redirects=False)


def test_a_post_of_the_page_stands_in_the_api_and_on_the_page(mb: Microblog, call: Any, jpeg: Callable[..., bytes]) -> None:
    """Text, photo and place arrive as a post of the chosen side; the browser is led to it."""
    answer = send(mb, [jpeg()], text="#寻亲# 出站口\r\n二楼", place="哈尔滨站", lat="45.77", lon="126.62")
    status = call.weibo("search/topics", q="寻亲").json()["statuses"][0]
    assert (answer.status_code, answer.headers["location"]) == (303, f"/#p{status['id']}")
    assert status["text"] == "#寻亲# 出站口\n二楼"
    assert status["geo"]["coordinates"] == [45.77, 126.62]
    assert status["annotations"][0]["place"]["title"] == "哈尔滨站"
    assert len(status["pic_ids"]) == 1
    page = requests.get(mb.url, timeout=5).text
    assert f'id="p{status["id"]}"' in page
    assert f"/page/photo/{status['pic_ids'][0]}" in page


def test_the_photos_record_is_taken_off_and_its_turn_kept(mb: Microblog, jpeg: Callable[..., bytes]) -> None:
    """An upload loses EXIF and GPS as on the real platforms, and stands upright (orientation 6: 320 x 240 becomes 240 x 320)."""
    data = jpeg(exif=True)
    assert b"SECRETCAM" in data
    assert b"SECRETCOMMENT" in data
    assert send(mb, [data], side="x", text="x").status_code == 303
    kept = mb.world.photos[mb.world.timeline()[0].photos[0]]
    with Image.open(io.BytesIO(kept.data)) as picture:
        assert dict(picture.getexif()) == {}
        assert picture.size == (240, 320)
    assert b"SECRET" not in kept.data


@pytest.mark.parametrize(
    ("fields", "photos", "said"),
    [
        ({"text": "  "}, [], "write something"),
        ({"text": "x"}, [b"no picture at all"], "not a picture"),
        ({"text": "x", "side": "x"}, [b"\xff\xd8\xff"] * 5, "at most 4 photos"),
        ({"text": "x"}, [b"\xff\xd8\xff"] * 10, "at most 9 photos"),
        ({"text": "x", "lat": "north", "lon": "1"}, [], "not a number"),
        ({"text": "x", "lat": "nan", "lon": "1"}, [], "no place on earth"),
        ({"text": "x", "side": "facebook"}, [], "side is one of"),
        ({"text": "x", "author": "bot"}, [], "only passers-by"),
        ({"text": "x", "author": "<b>"}, [], "no account &#39;&lt;b&gt;&#39;"),
    ],
)
def test_a_refused_post_comes_back_with_its_reason(mb: Microblog, fields: dict[str, str], photos: list[bytes], said: str) -> None:
    """The page says why, keeps what was written, and nothing is posted."""
    answer = send(mb, photos, **fields)
    assert answer.status_code == 400
    assert said in answer.text
    assert 'role="alert"' in answer.text
    assert f">{fields['text']}</textarea>" in answer.text
    assert mb.world.timeline() == []


HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)> {{ 7*7 }} </textarea>'


def test_whatever_is_written_stays_text(mb: Microblog, call: Any) -> None:
    """Texts, names, places, comments, quotes and refused drafts never become elements or attributes."""
    world = mb.world
    world.add_account("o", Role.OFFICIAL, "官方", "official_one", name=HOSTILE)
    entry = world.add_post(Side.WEIBO, "passerby", f"#{HOSTILE}# @官方 https://example.com/?a=1&b=<i>")
    call.comment(entry.id, f"@官方 {HOSTILE}")
    world.repost(entry.id, "passerby", HOSTILE)
    world.add_post(Side.X, "o", HOSTILE)
    send(mb, text=HOSTILE, place=HOSTILE)
    refused = send(mb, text=HOSTILE, place=HOSTILE, lat=HOSTILE)
    for html in (requests.get(mb.url, timeout=5).text, requests.get(f"{mb.url}/_world/timeline", timeout=5).text, refused.text):
        tags = Tags(html)
        assert [attrs.get("src") for tag, attrs in tags.found if tag == "script"] in ([], ["/static/page.js"])
        assert not any(name.startswith("on") or name == "style" for _, attrs in tags.found for name in attrs)
        assert "{{ 7*7 }}" in html
        assert "&lt;script&gt;" in html


def test_answers_and_mentions_arrive_in_the_parts(mb: Microblog, call: Any) -> None:
    """An answer of the bot stands marked under its post, the mention in the official's inbox with a link to it."""
    mb.world.add_account("pa", Role.OFFICIAL, "平安测试", "ping_an", verified_type=1)
    entry = mb.world.add_post(Side.WEIBO, "passerby", "看")
    parts = f"{mb.url}/_world/timeline"
    before = requests.get(parts, timeout=5)
    assert requests.get(parts, headers={"If-None-Match": before.headers["etag"]}, timeout=5).status_code == 304
    comment = call.comment(entry.id, "@平安测试 请核实 S-1").json()["idstr"]
    tweet = mb.world.add_post(Side.X, "passerby", "@suishoupai_bot @ping_an look")
    call.tweet("received S-2", tweet.id)
    after = requests.get(parts, headers={"If-None-Match": before.headers["etag"]}, timeout=5)
    assert after.status_code == 200
    assert f'id="c{comment}" class="by-bot"' in after.text
    inbox = after.text.split('id="inbox"')[1]
    assert f'href="#c{comment}"' in inbox
    assert f'href="#p{tweet.id}"' in inbox
    assert "received S-2" in inbox  # X told the official too: the answered post named them
    assert 'data-answered="2"' in after.text


def test_an_official_answers_what_mentions_them(mb: Microblog) -> None:
    """From the inbox, as the platform writes it: under the comment on Weibo, as a reply on X. Nobody else answers there, and
    nothing is no answer."""
    world = mb.world
    world.add_account("office", Role.OFFICIAL, "示例公安", "demo_office", verified_type=1)
    post = world.add_post(Side.WEIBO, "passerby", "在火车站")
    said = world.comment(post.id, "bot", "@示例公安 您好")
    page = requests.get(mb.url, timeout=5).text
    assert Tags(page).found
    assert f'name="to" value="c{said.id}"' in page

    def answer(**fields: str) -> requests.Response:
        form = {"author": "office", "to": f"c{said.id}", "text": "核实中", **fields}
        return requests.post(f"{mb.url}/reply", data=form, timeout=10, allow_redirects=False)

    assert answer().status_code == 303
    (kept,) = [c for c in world.comments.values() if c.author == "office"]
    assert (kept.text, kept.reply_to, kept.post_id) == ("回复@随手拍助手:核实中", said.id, post.id)
    tweet = world.add_post(Side.X, "bot", "@demo_office hello")
    assert answer(to=f"p{tweet.id}", text="Ruled out").headers["location"].startswith("/#p")
    assert [e.text for e in world.timeline() if e.reply_to == tweet.id] == ["@suishoupai_bot Ruled out"]
    refused = [answer(author="passerby"), answer(text=" "), answer(to="c1"), answer(to="x"), answer(to="p9")]
    assert [found.status_code for found in refused] == [400] * 5


def test_the_page_brings_everything_itself_and_closes_the_rest(mb: Microblog) -> None:
    """No address of another host stands in it, the policy allows none, and its own files are served."""
    answer = requests.get(mb.url, timeout=5)
    for _, attrs in Tags(answer.text).found:
        for name in ("src", "href", "action"):
            assert not (attrs.get(name) or "/").startswith(("http", "//"))
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for file in ("page.js", "page.css", "icon.svg"):
        assert requests.get(f"{mb.url}/static/{file}", timeout=5).ok
    assert requests.get(f"{mb.url}/static/../server.py", timeout=5).status_code == 404
    assert requests.get(f"{mb.url}/page/photo/none", timeout=5).status_code == 404


def test_other_sites_may_not_post_or_come_under_another_name(mb: Microblog) -> None:
    """A foreign Origin and a foreign Host are refused: a web page open beside it cannot write into the world."""
    form = {"side": "weibo", "author": "passerby", "text": "x"}
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        for path in ("/post", "/_world/posts"):
            assert requests.post(mb.url + path, data=form, headers={"Origin": origin}, timeout=5).status_code == 403
    assert requests.get(mb.url, headers={"Host": "evil.example"}, timeout=5).status_code == 400
    own = requests.post(f"{mb.url}/post", data=form, headers={"Origin": mb.url}, timeout=5, allow_redirects=False)
    assert own.status_code == 303


def test_looking_at_the_page_trips_no_fault(mb: Microblog, jpeg: Callable[..., bytes]) -> None:
    """Its pictures have addresses of their own, so a fault set for the bot's fetch still waits for the bot."""
    mb.world.add_post(Side.WEIBO, "passerby", "图", photos=[jpeg()])
    mb.faults.add(Fault(FaultKind.CORRUPT, "*.jpg"))
    pictures = [a["src"] for tag, a in Tags(requests.get(mb.url, timeout=5).text).found if tag == "img"]
    assert [requests.get(f"{mb.url}{src}", timeout=5).headers["content-type"] for src in pictures] == ["image/jpeg"]
    assert len(mb.faults.listed()) == 1
    assert mb.world.ledger.calls == {}
