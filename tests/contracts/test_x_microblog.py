"""The X adapter end to end against the local microblog, which checks signatures, windows, limits and manners as X does."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any
from urllib.request import urlopen

import pytest
from PIL import Image

from bot.microblog.faults import Fault, FaultKind
from bot.microblog.model import PlaceTag
from bot.microblog.server import Microblog, Role, Side
from bot.microblog.world import BOT
from bot.platforms.base import Platform
from store import errors
from store.model import Datum, MessageKind, Outgoing, Page, Post, Stream, StreamKind

TAG = Stream("x", StreamKind.HASHTAG, "随手拍")
MENTIONS = Stream("x", StreamKind.MENTIONS)
CREATE, SEARCH = "/x/2/tweets", "/x/2/tweets/search/recent"


def picture(shade: int = 90) -> bytes:
    """A small JPEG of no one."""
    data = io.BytesIO()
    Image.new("RGB", (64, 48), (shade, 120, 150)).save(data, "JPEG")
    return data.getvalue()


def chain(platform: Platform, stream: Stream, since: str | None, clock: Any) -> tuple[list[Post], list[Page]]:
    """Every page of one poll, as the pipeline reads them."""
    posts: list[Post] = []
    pages: list[Page] = []
    page: str | None = None
    while True:
        pages.append(platform.read(stream, since, page, clock() - timedelta(hours=24)))
        posts += [p for p in pages[-1].posts if isinstance(p, Post)]
        page = pages[-1].next
        if page is None:
            return posts, pages


def answer(to: Any, text: str = "已收到您的照片，编号 S-4F7K。如遇紧急情况请拨打 110。") -> Outgoing:
    """An answer to the post with this id."""
    return Outgoing(MessageKind.ANSWER, text, "S-4F7K", reply_to_id=str(to))


# --- reading -------------------------------------------------------------------------------------------------------


def test_a_photo_post_comes_with_everything(x_build: Callable[..., Platform], microblog: Microblog, clock: Any) -> None:
    """Author, picture, point, place and summons of a hashtag post arrive, and its picture can be fetched byte for byte."""
    data = picture()
    place = PlaceTag("0f1e2d3c4b5a6978", "广东 广州", bbox=(112.9, 22.5, 114.0, 23.9), kind="city")
    entry = microblog.world.add_post(
        Side.X, "passerby", "#随手拍 @suishoupai_bot 天河", photos=[data, picture(10)], geo=(23.13, 113.32), place=place
    )
    platform = x_build()
    (post,), (page,) = chain(platform, TAG, None, clock)
    assert (post.id, post.author.handle, post.summons, post.hashtags) == (str(entry.id), "passer_by", True, ("随手拍",))
    assert post.posted_at == clock().astimezone(UTC)
    assert post.point is not None
    assert (post.point.lat, post.point.lon, post.point.datum) == (23.13, 113.32, Datum.WGS84)
    assert post.place is not None
    assert (post.place.name, post.place.bbox, post.place.kind) == ("广东 广州", (112.9, 22.5, 114.0, 23.9), "city")
    assert len(post.media) == 2
    with urlopen(post.media[0].urls[0]) as response:
        assert response.read() == data
    assert page.head == post.id


def test_several_pages_are_one_chain(x_build: Callable[..., Platform], microblog: Microblog, clock: Any) -> None:
    """250 posts come in three pages, each once, newest first, with the first page's newest id as the next cursor."""
    for n in range(250):
        at = clock() - timedelta(minutes=250 - n)
        microblog.world.add_post(Side.X, "passerby", f"#随手拍 第{n}张", photos=[b"not decoded here"], posted_at=at)
    posts, pages = chain(x_build(), TAG, None, clock)
    assert [len(p.posts) for p in pages] == [100, 100, 50]
    assert [p.text.split()[1] for p in posts] == [f"第{n}张" for n in reversed(range(250))]
    assert [p.head for p in pages] == [posts[0].id, None, None]


def test_a_poll_goes_on_from_its_cursor_with_an_overlap(
    x_build: Callable[..., Platform], microblog: Microblog, clock: Any
) -> None:
    """A post indexed late, with an id older than the cursor, is still read: each poll reads ten minutes again, and no more."""
    world, platform = microblog.world, x_build()
    world.add_post(Side.X, "passerby", "#随手拍 很早", photos=[b"1"], posted_at=clock() - timedelta(hours=2))
    late = world.add_post(
        Side.X, "passerby", "#随手拍 晚到", photos=[b"2"], posted_at=clock() - timedelta(minutes=9), visible_after_s=900
    )
    seen = world.add_post(Side.X, "passerby", "#随手拍 先到", photos=[b"3"], posted_at=clock() - timedelta(minutes=1))
    first, pages = chain(platform, TAG, None, clock)
    assert str(late.id) not in {p.id for p in first}
    assert pages[0].head == str(seen.id)
    clock.forward(minutes=20)
    second, pages = chain(platform, TAG, pages[0].head, clock)
    assert {p.id for p in second} == {str(late.id), str(seen.id)}
    assert pages[0].head == str(seen.id)


def test_a_cursor_older_than_search_reaches_is_survived(
    x_build: Callable[..., Platform], microblog: Microblog, clock: Any
) -> None:
    """After two weeks of standstill the search goes on from seven days back and says that posts in between are lost."""
    world = microblog.world
    cursor = world.add_post(Side.X, "passerby", "#随手拍 一", photos=[b"1"])
    clock.forward(days=14)
    world.add_post(Side.X, "passerby", "#随手拍 二", photos=[b"2"], posted_at=clock() - timedelta(days=6))
    posts, pages = chain(x_build(), TAG, str(cursor.id), clock)
    assert [p.text.split()[1] for p in posts] == ["二"]
    assert pages[0].truncated


def test_mentions_that_reach_the_window_say_so(x_build: Callable[..., Platform], microblog: Microblog, clock: Any) -> None:
    """X gives the newest 800 mentions; where a poll reads them all, older ones may be lost, and the last page says so."""
    for n in range(820):
        at = clock() - timedelta(seconds=900 - n)
        microblog.world.add_post(Side.X, "passerby", f"@suishoupai_bot {n}", posted_at=at)
    posts, pages = chain(x_build(), MENTIONS, None, clock)
    assert len(posts) == 800
    assert [p.truncated for p in pages] == [False] * 7 + [True]


def test_a_summons_under_anothers_photo(x_build: Callable[..., Platform], microblog: Microblog, clock: Any) -> None:
    """Tagging the bot under somebody else's photo brings that photo, as the original of the summons."""
    world = microblog.world
    world.add_account("neighbour", Role.PASSER_BY, "邻居", "neighbour")
    photo = world.add_post(Side.X, "passerby", "火车站东口的孩子", photos=[picture()])
    world.add_post(Side.X, "neighbour", "@suishoupai_bot 请看", reply_to=photo.id)
    (post,), _ = chain(x_build(), MENTIONS, None, clock)
    assert (post.author.handle, post.summons, post.media) == ("neighbour", True, ())
    assert post.repost_of is not None
    assert (post.repost_of.id, post.repost_of.author.handle) == (str(photo.id), "passer_by")
    assert len(post.repost_of.media) == 1


def test_a_long_post_is_read_in_full(x_build: Callable[..., Platform], microblog: Microblog, clock: Any) -> None:
    """A text over 280 comes whole, with the hashtag and the summons at its end."""
    text = "孩子在天桥下面。" * 60 + " #随手拍 @suishoupai_bot"
    microblog.world.add_post(Side.X, "passerby", text, photos=[picture()])
    (post,), _ = chain(x_build(), TAG, None, clock)
    assert post.text.startswith(text)
    assert post.summons


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(FaultKind.SERVER_ERROR, SEARCH), errors.BadResponse),
        (Fault(FaultKind.GARBAGE, SEARCH), errors.BadResponse),
        (Fault(FaultKind.EMPTY, SEARCH), errors.BadResponse),
        (Fault(FaultKind.CORRUPT, SEARCH), errors.PlatformError),
        (Fault(FaultKind.TRUNCATED, SEARCH), errors.Unreachable),
        (Fault(FaultKind.RESET, SEARCH), errors.Unreachable),
        (Fault(FaultKind.TIME_OUT, SEARCH, seconds=5), errors.Unreachable),
        (Fault(FaultKind.SLOW, SEARCH, seconds=20), errors.Unreachable),
        (Fault(FaultKind.ENDLESS, SEARCH), errors.Unreachable),
        (Fault(FaultKind.LOGIN_PAGE, SEARCH), errors.Blocked),
        (Fault(FaultKind.REDIRECT, SEARCH, location="/"), errors.Blocked),
        (Fault(FaultKind.EXPIRED_TOKEN, SEARCH), errors.Unauthorised),
        (Fault(FaultKind.FORBIDDEN, SEARCH), errors.Unauthorised),
        (Fault(FaultKind.PAYMENT_REQUIRED, SEARCH), errors.Unauthorised),
        (Fault(FaultKind.USAGE_CAPPED, SEARCH), errors.RateLimited),
    ],
    ids=lambda value: value.kind.value if isinstance(value, Fault) else "",
)
def test_no_fault_in_reading_looks_like_no_posts(
    fault: Fault, expected: type[Exception], x_build: Callable[..., Platform], microblog: Microblog, clock: Any
) -> None:
    """Whatever goes wrong on the way is an error within bounded time, and the next poll reads the post."""
    microblog.world.add_post(Side.X, "passerby", "#随手拍 一", photos=[b"1"])
    platform = x_build()  # two seconds: an answer of a busy machine may take one
    microblog.faults.add(fault)
    with pytest.raises(expected):
        chain(platform, TAG, None, clock)
    assert len(chain(platform, TAG, None, clock)[0]) == 1


def test_a_rate_limit_names_its_end(x_build: Callable[..., Platform], microblog: Microblog, clock: Any) -> None:
    """The reset comes from X, is capped at one window, and stays unknown where X does not say."""
    platform = x_build()
    for reset_s, wait in ((300.0, timedelta(seconds=300)), (86_400.0, timedelta(seconds=901)), (None, None)):
        microblog.faults.add(Fault(FaultKind.RATE_LIMITED, SEARCH, reset_s=reset_s))
        with pytest.raises(errors.RateLimited) as caught:
            chain(platform, TAG, None, clock)
        assert caught.value.until == (clock() + wait if wait else None)
        assert microblog.world.ledger.calls[f"GET {SEARCH}"] >= 1
    assert microblog.world.ledger.calls[f"GET {SEARCH}"] == 3


def test_the_microblogs_own_limit_is_met_once(x_build: Callable[..., Platform], microblog: Microblog, clock: Any) -> None:
    """At the end of a window one call is refused; the adapter does not ask again by itself."""
    microblog.world.rules.x_limits["search"] = 2
    platform = x_build()
    for _ in range(2):
        chain(platform, TAG, None, clock)
    with pytest.raises(errors.RateLimited) as caught:
        chain(platform, TAG, None, clock)
    assert caught.value.until == clock() + timedelta(minutes=15)
    assert microblog.world.ledger.calls[f"GET {SEARCH}"] == 3


# --- speaking ------------------------------------------------------------------------------------------------------


def test_an_answer_is_said_and_read_back(x_build: Callable[..., Platform], microblog: Microblog, clock: Any) -> None:
    """What is said stands under the post, signed by the bot's account, and is found among its own posts with its words."""
    post = microblog.world.add_post(Side.X, "passerby", "@suishoupai_bot 看", photos=[picture()])
    other = microblog.world.add_post(Side.X, "passerby", "@suishoupai_bot 还有")
    platform = x_build()
    text = "已收到，编号 S-4F7K。https://example.org/s/1 请拨打 110"
    sent = platform.say(answer(post.id, text))
    platform.say(answer(other.id, "已收到，编号 S-9Q2M。"))
    (said, _) = microblog.world.ledger.publications
    assert (said.author, said.target_id, said.text, said.id) == (BOT, str(post.id), text, sent.id)
    (own,) = platform.own_recent(str(post.id), clock() - timedelta(minutes=10))
    assert (own.id, own.reply_to_id) == (sent.id, str(post.id))
    assert own.url == f"https://x.com/suishoupai_bot/status/{sent.id}"
    assert text in own.text
    assert [p.id for p in platform.own_recent(None, clock() - timedelta(minutes=10))][-1] == sent.id


def test_a_post_of_its_own(x_build: Callable[..., Platform], microblog: Microblog, clock: Any) -> None:
    """Without a post to answer the bot posts by itself."""
    platform = x_build()
    sent = platform.say(Outgoing(MessageKind.DIGEST, "今日收到 3 张照片，编号 S-4F7K。", "S-4F7K"))
    (own,) = platform.own_recent(None, clock() - timedelta(minutes=10))
    assert (own.id, own.reply_to_id) == (sent.id, None)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.TIME_OUT, CREATE, "POST", accepted=True, seconds=3),
        Fault(FaultKind.RESET, CREATE, "POST", accepted=True),
        Fault(FaultKind.TRUNCATED, CREATE, "POST"),
        Fault(FaultKind.GARBAGE, CREATE, "POST", accepted=True),
        Fault(FaultKind.SERVER_ERROR, CREATE, "POST", accepted=True),
        Fault(FaultKind.LOGIN_PAGE, CREATE, "POST", accepted=True),
        Fault(FaultKind.EMPTY, CREATE, "POST", accepted=True),
        Fault(FaultKind.ENDLESS, CREATE, "POST", accepted=True),
    ],
    ids=lambda fault: fault.kind.value,
)
def test_a_lost_answer_is_doubtful_and_found_by_reading_back(
    fault: Fault, x_build: Callable[..., Platform], microblog: Microblog, clock: Any
) -> None:
    """X took the message and its answer was lost: the adapter says doubtful, and its own timeline shows the message, once."""
    post = microblog.world.add_post(Side.X, "passerby", "@suishoupai_bot 看", photos=[picture()])
    platform = x_build(timeout_s=0.5)
    microblog.faults.add(fault)
    with pytest.raises(errors.Doubtful) as caught:
        platform.say(answer(post.id))
    assert not caught.value.certain
    (own,) = platform.own_recent(str(post.id), clock() - timedelta(minutes=10))
    assert "S-4F7K" in own.text
    with pytest.raises(errors.AlreadySaid):
        platform.say(answer(post.id))
    assert len(microblog.world.ledger.publications) == 1


def test_a_message_that_was_not_taken_is_not_read_back(
    x_build: Callable[..., Platform], microblog: Microblog, clock: Any
) -> None:
    """The same doubt without the message being taken: nothing is found, and saying it again publishes it once."""
    post = microblog.world.add_post(Side.X, "passerby", "@suishoupai_bot 看", photos=[picture()])
    platform = x_build()
    microblog.faults.add(Fault(FaultKind.RESET, CREATE, "POST"))
    with pytest.raises(errors.Doubtful):
        platform.say(answer(post.id))
    assert platform.own_recent(str(post.id), clock() - timedelta(minutes=10)) == []
    platform.say(answer(post.id))
    assert len(microblog.world.ledger.publications) == 1


def test_an_answer_not_yet_indexed_is_not_found_too_early(
    x_build: Callable[..., Platform], microblog: Microblog, clock: Any
) -> None:
    """X shows a new post late: a read-back before ``indexing_delay_s`` proves nothing, one after it finds the message."""
    post = microblog.world.add_post(Side.X, "passerby", "@suishoupai_bot 看", photos=[picture()])
    platform = x_build()
    microblog.world.rules.indexing_delay_s = platform.rules.indexing_delay_s
    platform.say(answer(post.id))
    assert platform.own_recent(str(post.id), clock() - timedelta(minutes=10)) == []
    clock.forward(seconds=platform.rules.indexing_delay_s)
    assert len(platform.own_recent(str(post.id), clock() - timedelta(minutes=10))) == 1


@pytest.mark.parametrize(
    ("kind", "expected", "code"),
    [
        (FaultKind.DUPLICATE, errors.AlreadySaid, None),
        (FaultKind.NOT_SUMMONED, errors.Refused, "not_summoned"),
        (FaultKind.TARGET_GONE, errors.TargetGone, None),
        (FaultKind.EXPIRED_TOKEN, errors.Unauthorised, None),
        (FaultKind.FORBIDDEN, errors.Unauthorised, None),
        (FaultKind.PAYMENT_REQUIRED, errors.Unauthorised, None),
        (FaultKind.RATE_LIMITED, errors.RateLimited, None),
        (FaultKind.USAGE_CAPPED, errors.RateLimited, None),
    ],
)
def test_each_refusal_is_certain_and_its_own_outcome(
    kind: FaultKind,
    expected: type[errors.PlatformError],
    code: str | None,
    x_build: Callable[..., Platform],
    microblog: Microblog,
) -> None:
    """A refusal published nothing, is asked for once, and says who must act."""
    post = microblog.world.add_post(Side.X, "passerby", "@suishoupai_bot 看", photos=[picture()])
    platform = x_build()
    microblog.faults.add(Fault(kind, CREATE, "POST"))
    with pytest.raises(expected) as caught:
        platform.say(answer(post.id))
    assert caught.value.certain
    assert code is None or getattr(caught.value, "code", None) == code
    assert microblog.world.ledger.publications == []
    assert microblog.world.ledger.calls[f"POST {CREATE}"] == 1


def test_manners_of_the_platform_itself(x_build: Callable[..., Platform], microblog: Microblog, clock: Any) -> None:
    """Not only set faults: a deleted target, an author who never tagged the bot, and twice the same words are told apart."""
    world, platform = microblog.world, x_build()
    uninvited = world.add_post(Side.X, "passerby", "#随手拍 火车站", photos=[picture()])
    deleted = world.add_post(Side.X, "passerby", "@suishoupai_bot 看")
    world.delete(deleted.id)
    invited = world.add_post(Side.X, "passerby", "@suishoupai_bot 看这里")
    with pytest.raises(errors.Refused, match="have not been mentioned"):
        platform.say(answer(uninvited.id))
    with pytest.raises(errors.TargetGone):
        platform.say(answer(deleted.id))
    platform.say(answer(invited.id))
    with pytest.raises(errors.AlreadySaid):
        platform.say(answer(invited.id))


def test_a_token_that_expires_stops_reading_and_writing(
    x_build: Callable[..., Platform], microblog: Microblog, clock: Any
) -> None:
    """From the moment the tokens expire both directions ask for a person, in words that name where to look."""
    post = microblog.world.add_post(Side.X, "passerby", "@suishoupai_bot 看", photos=[picture()])
    platform = x_build()
    chain(platform, MENTIONS, None, clock)
    microblog.world.tokens.expire(BOT, clock())
    for call in (
        lambda: chain(platform, MENTIONS, None, clock),
        lambda: platform.say(answer(post.id)),
        lambda: platform.account(),
    ):
        with pytest.raises(errors.Unauthorised) as caught:
            call()
        assert "developer console" in caught.value.mend


# --- looking up ----------------------------------------------------------------------------------------------------


def test_deleted_posts_are_found_out_in_batches(x_build: Callable[..., Platform], microblog: Microblog, clock: Any) -> None:
    """A hundred ids are one call; those deleted since are gone, the others come back readable."""
    world, platform = microblog.world, x_build()
    entries = [world.add_post(Side.X, "passerby", f"#随手拍 {n}", photos=[b"1"]) for n in range(100)]
    for entry in entries[::10]:
        world.delete(entry.id)
    before = sum(world.ledger.calls.values())
    found = platform.look_up([str(e.id) for e in entries])
    assert found.gone == tuple(str(e.id) for e in entries[::10])
    assert len(found.posts) == 90
    assert sum(world.ledger.calls.values()) - before <= 2  # one look-up, and once who the bot is


def test_accounts_are_looked_up_by_handle(x_build: Callable[..., Platform], microblog: Microblog) -> None:
    """An official's account is found by its handle in any case, with its verification; a free handle is None."""
    microblog.world.add_account("police", Role.OFFICIAL, "示例公安", "example_police", x_verified_type="government")
    platform = x_build()
    found = platform.account("@Example_Police")
    assert found is not None
    assert (found.handle, found.verified, found.verified_type) == ("example_police", True, "government")
    assert platform.account("no_such_account") is None
    assert platform.account("not a handle!") is None
    own = platform.account()
    assert own is not None
    assert own.handle == "suishoupai_bot"


def test_what_is_left_to_read_is_asked_once_an_hour(x_build: Callable[..., Platform], microblog: Microblog, clock: Any) -> None:
    """Cap less usage and the first day of the next month; within the hour the last word holds, also where X fails then."""
    platform = x_build()
    left = platform.rules.calls_left
    assert left is not None
    microblog.faults.add(Fault(FaultKind.SERVER_ERROR, "/x/2/usage/tweets", count=1))
    assert left() is None
    clock.forward(hours=1)
    first = left()
    assert first is not None
    cap = microblog.world.rules.x_monthly_posts
    now = clock().astimezone(UTC)
    assert (first[0], first[1].day, first[1] > now) == (cap, 1, True)
    for number in range(3):
        microblog.world.add_post(Side.X, "passerby", f"#随手拍 {number}", photos=[picture(number)])
    posts, _ = chain(platform, TAG, None, clock)
    assert left() == first
    clock.forward(hours=1)
    microblog.faults.add(Fault(FaultKind.SERVER_ERROR, "/x/2/usage/tweets", count=1))
    assert left() == first
    clock.forward(hours=1)
    again = left()
    assert again is not None
    assert again[0] == cap - len(posts) == cap - 3
