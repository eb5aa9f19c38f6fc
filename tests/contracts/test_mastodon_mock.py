"""Mastodon end to end against mastodon-mock, a server of other people's making that speaks Mastodon's API over real HTTP."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from bot.platforms import mastodon
from store import errors
from store.model import MessageKind, Outgoing, Page, Post, Stream, StreamKind

mock = pytest.importorskip("mastodon_mock.testing", reason="mastodon-mock is not installed (requirements-models.txt)")

# An ASCII tag: mastodon-mock 0.6.1 fails on its own Link header with any other; the recorded examples hold a Chinese one.
TAG = Stream("mastodon", StreamKind.HASHTAG, "snapnearby")
MENTIONS = Stream("mastodon", StreamKind.MENTIONS)


class Person:
    """Somebody who posts with a client of their own."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.headers = {"Authorization": f"Bearer {token}"}

    def call(self, method: str, path: str, **given: Any) -> Any:
        """One API call that must succeed."""
        response = requests.request(method, f"{self.url}/api{path}", headers=self.headers, timeout=10, **given)
        response.raise_for_status()
        return response.json()

    def post(self, text: str, *, photo: bool = False, reply_to: str | None = None, visibility: str = "public") -> Any:
        """A status, with a picture of no one."""
        form: dict[str, Any] = {"status": text, "visibility": visibility}
        if photo:
            data = io.BytesIO()
            Image.new("RGB", (64, 48), (90, 120, 150)).save(data, "JPEG")
            form["media_ids[]"] = self.call("POST", "/v2/media", files={"file": ("a.jpg", data.getvalue(), "image/jpeg")})["id"]
        return self.call("POST", "/v1/statuses", data=form | ({"in_reply_to_id": reply_to} if reply_to else {}))


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A fresh server with a bot and two people."""
    from mastodon_mock.config import DatabaseConfig, MastodonMockConfig, SeedAccount, SeedConfig

    accounts = [
        SeedAccount(username=name, display_name=name, access_token=f"token-of-{name}")
        for name in ("suishoupai", "walker", "neighbour")
    ]
    settings = MastodonMockConfig(
        database=DatabaseConfig(path=":memory:"), seed=SeedConfig(accounts=accounts), media_storage_path=str(tmp_path / "media")
    )
    with mock.MockServer(config=settings) as server:
        yield server.base_url.rstrip("/")


@pytest.fixture
def walker(url: str) -> Person:
    """A passer-by."""
    return Person(url, "token-of-walker")


@pytest.fixture
def platform(url: str) -> Any:
    """The Mastodon platform as the bot's account."""
    secrets = {"MASTODON_ACCESS_TOKEN": "token-of-suishoupai"}
    return mastodon.build(mastodon.Settings(base_url=url), secrets, lambda: datetime.now(UTC))


def chain(platform: Any, stream: Stream, since: str | None = None) -> tuple[list[Post], list[Page]]:
    """Every page of one poll, as the pipeline reads them."""
    posts: list[Post] = []
    pages: list[Page] = []
    page: str | None = None
    while True:
        pages.append(platform.read(stream, since, page, datetime.now(UTC) - timedelta(hours=24)))
        posts += [p for p in pages[-1].posts if isinstance(p, Post)]
        page = pages[-1].next
        if page is None:
            return posts, pages


def answer(to: str) -> Outgoing:
    """An answer to the post with this id."""
    return Outgoing(MessageKind.ANSWER, "已收到您的照片，编号 S-4F7K。如遇紧急情况请拨打 110。", "S-4F7K", reply_to_id=to)


def test_a_tagged_photo_is_read(platform: Any, walker: Person) -> None:
    """A photo post with the hashtag arrives with author, text, picture and the summons in it."""
    made = walker.post("天河城门口 #snapnearby @suishoupai", photo=True)
    (post,), (page,) = chain(platform, TAG)
    assert (post.id, post.author.handle, post.summons, post.hashtags) == (made["id"], "walker", True, ("snapnearby",))
    assert post.text == "天河城门口 #snapnearby @suishoupai"
    assert [m.kind for m in post.media] == ["photo"]
    assert page.head == made["id"]
    assert chain(platform, TAG, page.head)[0] == []


def test_several_pages_are_one_chain(platform: Any, walker: Person) -> None:
    """Ninety posts come each once over the Link header's pages, and the next poll reads only what is new."""
    made = [walker.post(f"#snapnearby 第{n}张")["id"] for n in range(90)]
    posts, pages = chain(platform, TAG)
    assert sorted((p.id for p in posts), key=platform.rules.id_key) == made
    assert len(pages) >= 3
    later = walker.post("#snapnearby 又一张")["id"]
    assert [p.id for p in chain(platform, TAG, pages[0].head)[0]] == [later]


def test_a_summons_under_anothers_photo(platform: Any, url: str, walker: Person) -> None:
    """A mention is read from the notifications, and points to the photo it stands under."""
    photo = walker.post("火车站东口的孩子", photo=True)
    Person(url, "token-of-neighbour").post("@suishoupai 请看", reply_to=photo["id"])
    (post,), (page,) = chain(platform, MENTIONS)
    assert (post.author.handle, post.summons) == ("neighbour", True)
    assert post.repost_of is not None
    assert (post.repost_of.id, len(post.repost_of.media)) == (photo["id"], 1)
    assert chain(platform, MENTIONS, page.head)[0] == []


def test_an_answer_is_said_once_and_read_back(platform: Any, walker: Person) -> None:
    """The answer names whom it answers, stands under the post, is found again, and is not doubled when sent again."""
    made = walker.post("#snapnearby @suishoupai", photo=True)
    chain(platform, TAG)
    sent = platform.say(answer(made["id"]))
    assert platform.say(answer(made["id"])).id == sent.id
    (own,) = platform.own_recent(made["id"], datetime.now(UTC) - timedelta(minutes=5))
    assert (own.id, own.reply_to_id) == (sent.id, made["id"])
    assert own.text == f"@walker {answer(made['id']).text}"
    told = walker.call("GET", "/v1/notifications", params={"types[]": "mention"})
    assert [n["status"]["id"] for n in told] == [sent.id]
    assert platform.own_recent("1", datetime.now(UTC) - timedelta(minutes=5)) == []


def test_who_writes_in_private_is_answered_in_private(platform: Any, walker: Person) -> None:
    """A direct post tagging the bot gets a direct answer, whatever the setting says."""
    made = walker.post("@suishoupai 私下说", photo=True, visibility="direct")
    chain(platform, MENTIONS)
    sent = platform.say(answer(made["id"]))
    assert walker.call("GET", f"/v1/statuses/{sent.id}")["visibility"] == "direct"


def test_a_deleted_post_is_gone(platform: Any, walker: Person) -> None:
    """A look-up notices that the author took the post back."""
    kept, made = walker.post("#snapnearby 一"), walker.post("#snapnearby 二")
    walker.call("DELETE", f"/v1/statuses/{made['id']}")
    found = platform.look_up([kept["id"], made["id"]])
    assert ([p.id for p in found.posts], found.gone) == ([kept["id"]], (made["id"],))


def test_accounts_and_a_wrong_token(platform: Any, url: str) -> None:
    """The own account, another's, nobody's; and a token the server does not know."""
    assert platform.account().handle == "suishoupai"
    assert platform.account("@walker").handle == "walker"
    assert platform.account("nobody") is None
    stranger = mastodon.build(mastodon.Settings(base_url=url), {"MASTODON_ACCESS_TOKEN": "unknown"}, lambda: datetime.now(UTC))
    with pytest.raises(errors.Unauthorised):
        stranger.account()
    with pytest.raises(errors.Unauthorised):
        stranger.say(answer("1"))
