"""The control interface, its client, and the microblog as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from bot.microblog.client import WorldClient
from bot.microblog.model import WorldError
from bot.microblog.server import Fault, FaultKind, Microblog, Side
from bot.microblog.world import World

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def client(mb: Microblog) -> Iterator[WorldClient]:
    """A client of the running microblog."""
    with WorldClient(mb.url) as opened:
        yield opened


def test_a_post_arrives_with_all_it_was_given(client: WorldClient, mb: Microblog, clock: Any, jpeg: Callable[..., bytes]) -> None:
    """Author, text, photos byte for byte, point, place with box and time pass through the form."""
    data = [jpeg(exif=True), jpeg(50, 50)]
    at = clock() - timedelta(hours=3)
    where = {"lat": 45.7, "lon": 126.6, "place": "哈尔滨", "place_bbox": "126.5,45.6,126.8,45.9", "place_kind": "city"}
    made = client.post(Side.X, "passerby", "line 1\nline 2", data, at, **where)
    entry = mb.world.entry(int(made["id"]))
    assert [mb.world.photos[name].data for name in entry.photos] == data
    assert (entry.text, entry.posted_at, entry.geo) == ("line 1\nline 2", at, (45.7, 126.6))
    assert entry.place is not None
    assert (entry.place.name, entry.place.bbox, entry.place.kind) == ("哈尔滨", (126.5, 45.6, 126.8, 45.9), "city")
    assert [p["id"] for p in client.posts()] == [made["id"]]


def test_the_world_through_the_client(client: WorldClient, mb: Microblog, call: Any) -> None:
    """Accounts, reposts, comments, deletion, rules, tokens, faults and the ledger are all within reach."""
    official = client.add_account("pa", "official", "平安测试", "ping_an", verified_type=1)
    assert official["role"] == "official"
    post = client.post(Side.WEIBO, "passerby", "@随手拍助手 看")
    comment = client.comment(post["id"], "pa", "在看")
    client.comment(post["id"], "passerby", "谢谢", reply_to=comment["id"])
    client.repost(post["id"], "pa", "转")
    client.add_fault(Fault(FaultKind.DUPLICATE, "/weibo/2/comments/create.json"))
    assert call.comment(post["id"], "@平安测试 S-1").status_code == 400
    assert call.comment(post["id"], "@平安测试 S-1").ok
    said = client.publications()
    assert [(p.text, p.mentions, p.side) for p in said] == [("@平安测试 S-1", ("pa",), Side.WEIBO)]
    assert said == mb.world.ledger.publications
    assert client.ledger()["repeated"] == []
    assert client.ledger()["calls"]["POST /weibo/2/comments/create.json"] == 2
    assert client.credentials() == mb.credentials
    client.set_rules(weibo_daily_calls=1, indexing_delay_s=2)
    assert mb.world.rules.weibo_daily_calls == 1
    client.set_tokens("expire")
    assert call.weibo("account/get_uid").json()["error_code"] == 21327
    client.set_tokens("renew")
    client.delete(post["id"])
    assert [p["text"] for p in client.posts()] == ["转"]
    assert client.health()["ok"] is True


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda c: c.post(Side.X, "nobody", "x"), "no account 'nobody'"),
        (lambda c: c.post(Side.X, "passerby", "x", lat="north"), "not a number"),
        (lambda c: c.post(Side.X, "passerby", "x", lat=99, lon=1), "no place on earth"),
        (lambda c: c.post(Side.X, "passerby", "x", reply_to=5), "no post 5"),
        (lambda c: c.post(Side.X, "passerby", "x", visible_after_s="soon"), "not a number"),
        (lambda c: c.add_account("a", "king", "甲", "a"), "unknown role"),
        (lambda c: c.add_account("a", "official", "甲 乙", "a"), "not a Weibo name"),
        (lambda c: c.add_account("a", "official", "甲", "a-b"), "not a handle of X"),
        (lambda c: c.add_account("bot", "official", "甲", "a"), "taken"),
        (lambda c: c.add_account("a", "official", "甲", "SUISHOUPAI_BOT"), "taken"),
        (lambda c: c.add_account("a", "official", "甲", "a", shoe_size=42), "shoe_size"),
        (lambda c: c.delete("5"), "no post 5"),
        (lambda c: c.comment(c.post(Side.X, "passerby", "x")["id"], "passerby", "y"), "on X"),
        (lambda c: c.set_rules(gravity=0), "unknown rule 'gravity'"),
        (lambda c: c.set_rules(weibo_daily_calls="many"), "cannot be 'many'"),
        (lambda c: c.set_tokens("eat"), "expire, revoke, renew"),
    ],
)
def test_bad_input_is_a_sentence(client: WorldClient, mb: Microblog, act: Callable[[WorldClient], object], said: str) -> None:
    """What cannot be done is refused with words that name it."""
    with pytest.raises(WorldError, match=said):
        act(client)


def test_times_lie_in_the_past_and_have_a_zone(client: WorldClient, clock: Any) -> None:
    """A post from the future, or at a time without a zone, is refused."""
    with pytest.raises(WorldError, match="lies after now"):
        client.post(Side.X, "passerby", "x", posted_at=clock() + timedelta(seconds=1))
    with pytest.raises(WorldError, match="no time zone"):
        client.post(Side.X, "passerby", "x", posted_at=clock().replace(tzinfo=None))


def test_a_body_that_is_no_object_is_refused(mb: Microblog) -> None:
    """Lists and broken JSON are 400."""
    for body in (b"[]", b"{", b"\xff"):
        answer = requests.post(f"{mb.url}/_world/rules", data=body, timeout=5)
        assert (answer.status_code, "object" in answer.json()["error"]) == (400, True)


def test_a_server_that_is_away_is_a_clear_error() -> None:
    """The client says that nobody answers, and where."""
    with Microblog() as mb:
        url = mb.url
    with WorldClient(url) as client, pytest.raises(WorldError, match="does not answer"):
        client.health()


def test_a_port_in_use_is_a_clear_error(mb: Microblog) -> None:
    """A second server on the port says so and how to mend it."""
    with pytest.raises(WorldError, match="cannot be used") as caught:
        Microblog(port=mb.port)
    assert "--port" in caught.value.mend


def test_many_threads_may_use_the_world_at_once(mb: Microblog, call: Any) -> None:
    """Posts made while pages are read are neither lost nor doubled."""

    def write() -> None:
        for n in range(50):
            mb.world.add_post(Side.WEIBO, "passerby", f"#寻亲# {n}")

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        statuses = call.weibo("search/topics", q="寻亲", count=50).json()["statuses"]
        ids = [s["id"] for s in statuses]
        assert ids == sorted(set(ids), reverse=True)
    assert call.weibo("search/topics", q="寻亲").json()["total_number"] == 200


def test_the_process_serves_until_it_is_told_to_stop(tmp_path: Path, jpeg: Callable[..., bytes]) -> None:
    """It prints its address, serves, ends with 0 on SIGTERM; what was said outlives it in the state file."""
    state = tmp_path / "world"
    with running(state) as (process, url), WorldClient(url) as client:
        post = client.post(Side.WEIBO, "passerby", "@随手拍助手 看", [jpeg()])
        token = client.credentials().weibo_access_token
        form = {"access_token": token, "id": post["id"], "comment": "收到 S-1", "rip": "203.0.113.9"}
        assert requests.post(f"{url}/weibo/2/comments/create.json", data=form, timeout=5).ok
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    with running(state) as (process, url), WorldClient(url) as client:
        assert [p.text for p in client.publications()] == ["收到 S-1"]
        held = client.posts()[0]
        assert [c["text"] for c in held["comments"]] == ["收到 S-1"]
        again = requests.post(f"{url}/weibo/2/comments/create.json", data=form, timeout=5)
        assert again.json()["error_code"] == 20019
        photo = requests.get(f"{url}/weibo/large/{held['photos'][0]}.jpg", timeout=5)
        assert photo.content == jpeg()


def test_the_state_survives_a_kill(tmp_path: Path) -> None:
    """What was answered for is on the disk: a SIGKILL right after loses nothing."""
    with running(tmp_path / "world") as (process, url), WorldClient(url) as client:
        made = client.post(Side.X, "passerby", "x")
        process.kill()
        process.wait(10)
    with running(tmp_path / "world") as (_, url), WorldClient(url) as client:
        assert [p["id"] for p in client.posts()] == [made["id"]]


class running:
    """The microblog as a process, with its address once it serves."""

    def __init__(self, state: Path) -> None:
        command = [sys.executable, "-m", "bot.microblog", "--port", "0", "--state", str(state)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=dict(os.environ))

    def __enter__(self) -> tuple[subprocess.Popen[str], str]:
        assert self.process.stdout is not None
        return self.process, self.process.stdout.readline().strip()

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


def test_a_world_can_be_made_before_it_is_served(clock: Any) -> None:
    """The demo fills a world with its own names and hands it in."""
    world = World(clock, bot_screen_name="寻亲机器人", bot_username="finder", campaign="寻亲")
    with Microblog(world=world) as mb:
        assert "寻亲机器人" in requests.get(mb.url, timeout=5).text
