"""Weibo's adapter over real HTTP against the local microblog, which keeps its own record of what was really said."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from PIL import Image

from bot.microblog.server import Fault, FaultKind, Microblog, Role, Side
from bot.platforms.weibo import Settings, Weibo, build
from store import errors
from store.model import MessageKind, Outgoing, Page, Post, Stream, StreamKind

TAG = Stream("weibo", StreamKind.HASHTAG, "随手拍解救")
MENTIONS = Stream("weibo", StreamKind.MENTIONS)
START = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
LONG_AGO = START - timedelta(days=1)
PATIENT_S = 15.0
LAW = "请不要自行干预，紧急情况请拨打110。"
Make = Callable[..., Weibo]


class Ticking:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def on(self, **delta: float) -> datetime:
        """Move on by ``delta`` (keywords of timedelta)."""
        self.now += timedelta(**delta)
        return self.now


@pytest.fixture
def clock() -> Ticking:
    """The clock that the microblog and the adapter share."""
    return Ticking()


@pytest.fixture
def microblog(clock: Ticking) -> Iterator[Microblog]:
    """A running microblog with one passer-by and the bot."""
    with Microblog(clock=clock) as running:
        yield running


@pytest.fixture
def make(microblog: Microblog, clock: Ticking) -> Make:
    """Builds the adapter as wiring does, pointed at the microblog."""

    def made(**settings: Any) -> Weibo:
        given = {
            "base_url": f"{microblog.weibo_url}/2",
            "photo_hosts": ("127.0.0.1",),
            "rip": "203.0.113.7",
            "daily_calls": 10_000,
            "timeout_s": PATIENT_S,
            "screen_name": microblog.world.bot.screen_name,
            **settings,
        }
        return build(Settings.model_validate(given), {"WEIBO_ACCESS_TOKEN": microblog.credentials.weibo_access_token}, clock)

    return made


def photo(shade: int = 100) -> bytes:
    """A small grey JPEG."""
    data = io.BytesIO()
    Image.new("RGB", (32, 24), (shade, shade, shade)).save(data, "JPEG")
    return data.getvalue()


def chain(weibo: Weibo, stream: Stream, since: str | None = None) -> list[Page]:
    """All pages of one poll."""
    pages = [weibo.read(stream, since, None, LONG_AGO)]
    while pages[-1].next:
        pages.append(weibo.read(stream, since, pages[-1].next, LONG_AGO))
        assert len(pages) < 50
    return pages


def posts_of(pages: list[Page]) -> list[Post]:
    """The posts of all pages, in order; each must be readable."""
    found = [p for page in pages for p in page.posts]
    assert all(isinstance(p, Post) for p in found)
    return [p for p in found if isinstance(p, Post)]


def newest(weibo: Weibo, posts: list[Post]) -> str:
    """The cursor that the pipeline keeps."""
    return max((p.id for p in posts), key=weibo.rules.id_key)


def answer(reply_to_id: str | None, text: str = f"收到，编号 S-4F7K。{LAW}", kind: MessageKind = MessageKind.ANSWER) -> Outgoing:
    """A message as deliver sends it."""
    return Outgoing(kind, text, "S-4F7K", reply_to_id=reply_to_id)


# --- reading ---------------------------------------------------------------------------------------------------------


def test_a_tagged_post_is_read_with_its_photos_place_and_author(microblog: Microblog, make: Make) -> None:
    """Hashtag search brings what was posted: text, picture addresses that can be fetched, point in GCJ-02, author."""
    data = [photo(10), photo(200)]
    entry = microblog.world.add_post(Side.WEIBO, "passerby", "在人民路天桥下 #随手拍解救#", photos=data, geo=(25.04, 102.71))
    weibo = make()
    (post,) = posts_of(chain(weibo, TAG))
    assert (post.id, post.text, post.hashtags, post.summons) == (str(entry.id), entry.text, ("随手拍解救",), False)
    assert post.point is not None
    assert (post.point.lat, post.point.lon, post.point.datum) == (25.04, 102.71, "gcj02")
    assert post.author.handle == microblog.world.account("passerby").screen_name
    assert post.posted_at == START
    for media, sent in zip(post.media, data, strict=True):
        assert urlsplit(media.urls[0]).hostname in weibo.rules.photo_hosts
        got = requests.get(media.urls[0], headers=dict(weibo.rules.photo_headers), timeout=5)
        assert (got.status_code, got.content) == (200, sent)


@pytest.mark.parametrize("stream", [TAG, MENTIONS], ids=["hashtag", "mentions"])
def test_a_chain_of_pages_brings_every_post_once_and_the_next_poll_only_new_ones(
    stream: Stream, microblog: Microblog, make: Make, clock: Ticking
) -> None:
    """Eleven posts over pages of three, then a cursor: only the overlap and what came since is read again."""
    bot = microblog.world.bot.screen_name
    written = []
    for n in range(11):
        clock.on(minutes=20)
        written.append(str(microblog.world.add_post(Side.WEIBO, "passerby", f"第{n}条 @{bot} #随手拍解救#").id))
    weibo = make(page_size=3)
    read = posts_of(chain(weibo, stream))
    assert [p.id for p in read] == written[::-1]
    cursor = newest(weibo, read)
    clock.on(minutes=20)
    later = str(microblog.world.add_post(Side.WEIBO, "passerby", f"后来的 @{bot} #随手拍解救#").id)
    assert [p.id for p in posts_of(chain(weibo, stream, cursor))] == [later, cursor]


def test_a_post_indexed_late_is_found_by_the_overlap(microblog: Microblog, make: Make, clock: Ticking) -> None:
    """A post that shows up only after newer ones were read is still read: each poll goes back ten minutes before its cursor."""
    bot = microblog.world.bot.screen_name
    late = microblog.world.add_post(Side.WEIBO, "passerby", f"慢 @{bot}", visible_after_s=120)
    clock.on(seconds=60)
    microblog.world.add_post(Side.WEIBO, "passerby", f"快 @{bot}")
    weibo = make()
    first = posts_of(chain(weibo, MENTIONS))
    assert str(late.id) not in {p.id for p in first}
    clock.on(minutes=5)
    assert str(late.id) in {p.id for p in posts_of(chain(weibo, MENTIONS, newest(weibo, first)))}


def test_posts_that_arrive_while_search_is_paged_push_none_out(microblog: Microblog, make: Make, clock: Ticking) -> None:
    """Search pages by number: a post that arrives meanwhile shifts the rest to later pages; nothing is missed."""
    written = set()
    for n in range(6):
        clock.on(minutes=20)
        written.add(str(microblog.world.add_post(Side.WEIBO, "passerby", f"第{n}条 #随手拍解救#").id))
    weibo = make(page_size=2)
    first = weibo.read(TAG, None, None, LONG_AGO)
    microblog.world.add_post(Side.WEIBO, "passerby", "插进来的 #随手拍解救#")
    pages = [first]
    while pages[-1].next:
        pages.append(weibo.read(TAG, None, pages[-1].next, LONG_AGO))
    assert written <= {p.id for p in posts_of(pages)}


def test_the_search_window_is_named(microblog: Microblog, make: Make, clock: Ticking) -> None:
    """Beyond its newest posts search gives nothing: the last page says that the stream has a hole."""
    microblog.world.rules.weibo_search_window = 4
    for n in range(7):
        clock.on(minutes=1)
        microblog.world.add_post(Side.WEIBO, "passerby", f"第{n}条 #随手拍解救#")
    known = make(page_size=2, search_window=4)
    pages = chain(known, TAG)
    assert [len(page.posts) for page in pages] == [2, 2]
    assert pages[-1].truncated
    unknown = make(page_size=2, search_window=200)
    assert chain(unknown, TAG)[-1] == Page(posts=(), truncated=True)


def test_long_text_is_read_in_full(microblog: Microblog, make: Make) -> None:
    """A text that lists cut short arrives whole, for one call more."""
    text = "#随手拍解救# " + "每天早上都在天桥下看到他们。" * 15 + "地点：昆明市五华区人民路。"
    microblog.world.add_post(Side.WEIBO, "passerby", text)
    (post,) = posts_of(chain(make(), TAG))
    assert post.text == text
    assert microblog.world.ledger.calls["GET /weibo/2/statuses/show_batch.json"] == 1


def test_a_repost_links_to_its_original_even_when_that_is_gone(microblog: Microblog, make: Make) -> None:
    """The original is the sighting; of a deleted one only the mark is left."""
    bot = microblog.world.bot.screen_name
    original = microblog.world.add_post(Side.WEIBO, "passerby", "原帖 #随手拍解救#", photos=[photo()])
    microblog.world.add_account("sharer", Role.PASSER_BY, "转发的人", "sharer")
    microblog.world.repost(original.id, "sharer", f"@{bot} 请看")
    weibo = make()
    (repost,) = posts_of(chain(weibo, MENTIONS))
    assert repost.repost_of is not None
    assert (repost.repost_of.id, len(repost.repost_of.media), repost.media) == (str(original.id), 1, ())
    assert repost.thread_id == str(original.id)
    microblog.world.delete(original.id)
    (repost,) = posts_of(chain(weibo, MENTIONS))
    assert repost.repost_of is not None
    assert (repost.repost_of.deleted, repost.repost_of.media) == (True, ())


def test_a_deleted_post_is_gone(microblog: Microblog, make: Make) -> None:
    """Look-up tells posts that exist from posts that were deleted."""
    kept, deleted = (microblog.world.add_post(Side.WEIBO, "passerby", f"{n} #随手拍解救#") for n in "甲乙")
    microblog.world.delete(deleted.id)
    found = make().look_up([str(kept.id), str(deleted.id)])
    assert [p.id for p in found.posts] == [str(kept.id)]
    assert found.gone == (str(deleted.id),)
    assert make().look_up([str(deleted.id)]).gone == (str(deleted.id),)


def test_a_comment_that_tags_the_bot_is_read_and_answered_in_its_place(microblog: Microblog, make: Make) -> None:
    """Somebody tags the bot under another's photo: the photo's post is the sighting, the answer goes to the comment."""
    original = microblog.world.add_post(Side.WEIBO, "passerby", "市集的照片", photos=[photo()])
    microblog.world.add_account("helper", Role.PASSER_BY, "热心人", "helper")
    comment = microblog.world.comment(original.id, "helper", f"@{microblog.world.bot.screen_name} 看看这个")
    weibo = make(read_comments=True)
    (post,) = posts_of(chain(weibo, MENTIONS))
    assert (post.id, post.summons, post.thread_id) == (f"{original.id}_{comment.id}", True, str(original.id))
    assert post.repost_of is not None
    assert len(post.repost_of.media) == 1
    weibo.say(answer(post.id))
    (said,) = microblog.world.ledger.publications
    assert (said.kind, said.target_id, said.target_comment_id) == ("reply", str(original.id), str(comment.id))
    (own,) = weibo.own_recent(post.id, START)
    assert (own.text, own.reply_to_id) == (answer(None).text, post.id)


def test_a_deleted_comment_is_gone(microblog: Microblog, make: Make) -> None:
    """Comments are looked up apart from posts, by the id that holds both."""
    original = microblog.world.add_post(Side.WEIBO, "passerby", "市集的照片", photos=[photo()])
    kept, deleted = (microblog.world.comment(original.id, "passerby", f"@{microblog.world.bot.screen_name} {n}") for n in "甲乙")
    microblog.world.delete_comment(deleted.id)
    ids = [f"{original.id}_{comment.id}" for comment in (kept, deleted)]
    found = make().look_up([*ids, str(original.id)])
    assert {p.id for p in found.posts} == {ids[0], str(original.id)}
    assert found.gone == (ids[1],)


# --- speaking --------------------------------------------------------------------------------------------------------


@pytest.fixture
def target(microblog: Microblog) -> str:
    """The id of a passer-by's post."""
    return str(microblog.world.add_post(Side.WEIBO, "passerby", "#随手拍解救# 请看", photos=[photo()]).id)


def test_an_answer_stands_under_the_post_byte_for_byte(microblog: Microblog, make: Make, target: str) -> None:
    """What was said is what was handed in, is read back under its post, and cannot be said a second time."""
    weibo = make()
    sent = weibo.say(answer(target))
    (said,) = microblog.world.ledger.said_to(target)
    assert (said.kind, said.text, said.id) == ("comment", answer(target).text, sent.id)
    (own,) = weibo.own_recent(target, START)
    assert (own.id, own.text, own.reply_to_id) == (sent.id, answer(target).text, target)
    assert sent.url == own.url == weibo.rules.post_url(str(microblog.world.account("passerby").uid), target)
    with pytest.raises(errors.AlreadySaid):
        weibo.say(answer(target))
    assert microblog.world.ledger.repeated() == []


@pytest.mark.parametrize(
    "kind", [FaultKind.TIME_OUT, FaultKind.RESET, FaultKind.GARBAGE, FaultKind.EMPTY, FaultKind.SERVER_ERROR]
)
@pytest.mark.parametrize("accepted", [True, False])
def test_a_lost_answer_is_doubtful_and_the_read_back_tells(
    kind: FaultKind, accepted: bool, microblog: Microblog, make: Make, target: str
) -> None:
    """Whether the platform took the message before the answer was lost shows only in one's own posts; nothing is sent twice."""
    microblog.faults.add(Fault(kind, path="/weibo/2/comments/create.json", accepted=accepted))
    with pytest.raises(errors.Doubtful):
        make(timeout_s=0.4 if kind is FaultKind.TIME_OUT else PATIENT_S).say(answer(target))
    assert len(microblog.world.ledger.publications) == accepted
    assert [own.text for own in make().own_recent(target, START)] == [answer(target).text] * accepted
    assert microblog.world.ledger.calls["POST /weibo/2/comments/create.json"] == 1


@pytest.mark.parametrize("kind", [FaultKind.TRUNCATED, FaultKind.CORRUPT])
def test_a_damaged_answer_to_a_write_is_doubtful(kind: FaultKind, microblog: Microblog, make: Make, target: str) -> None:
    """The message stands there, but its answer cannot be read: reconcile."""
    microblog.faults.add(Fault(kind, path="/weibo/2/comments/create.json"))
    weibo = make()
    with pytest.raises(errors.Doubtful):
        weibo.say(answer(target))
    assert len(weibo.own_recent(target, START)) == 1


def test_accepted_but_delayed_is_sent_without_an_id(microblog: Microblog, make: Make, target: str, clock: Ticking) -> None:
    """20032: it will show up later, and then it is found."""
    microblog.faults.add(Fault(FaultKind.DELAYED, path="/weibo/2/comments/create.json", seconds=90))
    weibo = make()
    assert weibo.say(answer(target)).id is None
    assert weibo.own_recent(target, START) == []
    clock.on(minutes=2)
    assert len(weibo.own_recent(target, START)) == 1


def test_a_write_refused_for_good_or_for_now(microblog: Microblog, make: Make, target: str) -> None:
    """Each error of the platform becomes the outcome that deliver acts on, and nothing was published."""
    weibo = make()
    expected = {
        FaultKind.TARGET_GONE: errors.TargetGone,
        FaultKind.NOT_SUMMONED: errors.Refused,
        FaultKind.RATE_LIMITED: errors.RateLimited,
        FaultKind.EXPIRED_TOKEN: errors.Unauthorised,
        FaultKind.FORBIDDEN: errors.Unauthorised,
    }
    for kind, error in expected.items():
        microblog.faults.add(Fault(kind, path="/weibo/2/comments/create.json"))
        with pytest.raises(error):
            weibo.say(answer(target))
    microblog.world.delete(int(target))
    with pytest.raises(errors.TargetGone):
        weibo.say(answer(target))
    assert microblog.world.ledger.publications == []


def test_a_post_of_its_own_links_into_the_bound_domain(microblog: Microblog, make: Make, clock: Ticking) -> None:
    """A share names officials, is read back from the own timeline, and cannot be made without the link."""
    microblog.world.add_account("police", Role.OFFICIAL, "平安某城", "police", verified_type=1, verified_reason="某城公安局")
    weibo = make(bound_domain="127.0.0.1")
    text = f"@平安某城 收到一张照片和地点，请核实，编号 S-4F7K。 http://127.0.0.1/s/4F7K {LAW}"
    clock.on(minutes=1)
    sent = weibo.say(answer(None, text, MessageKind.DIGEST))
    (said,) = microblog.world.ledger.publications
    assert (said.kind, said.mentions) == ("share", ("police",))
    assert [own.id for own in weibo.own_recent(None, clock.now)] == [sent.id]
    with pytest.raises(errors.Refused):
        weibo.say(answer(None, "没有链接", MessageKind.DIGEST))


# --- faults in reading, the account, the budget --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(FaultKind.EXPIRED_TOKEN), errors.Unauthorised),
        (Fault(FaultKind.FORBIDDEN), errors.Unauthorised),
        (Fault(FaultKind.LOGIN_PAGE), errors.Blocked),
        (Fault(FaultKind.REDIRECT), errors.Blocked),
        (Fault(FaultKind.GARBAGE), errors.BadResponse),
        (Fault(FaultKind.EMPTY), errors.BadResponse),
        (Fault(FaultKind.SERVER_ERROR), errors.BadResponse),
        (Fault(FaultKind.CORRUPT), errors.BadResponse),
        (Fault(FaultKind.TRUNCATED), errors.Unreachable),
        (Fault(FaultKind.ENDLESS), errors.Unreachable),
        (Fault(FaultKind.RESET), errors.Unreachable),
        (Fault(FaultKind.TIME_OUT), errors.Unreachable),
    ],
    ids=lambda value: value.kind.value if isinstance(value, Fault) else "",
)
def test_a_fault_in_reading_is_an_outcome_of_its_own(
    fault: Fault, expected: type[errors.PlatformError], microblog: Microblog, make: Make
) -> None:
    """Nothing that goes wrong reads as "no posts", and the next poll reads as if nothing had happened."""
    microblog.world.add_post(Side.WEIBO, "passerby", "#随手拍解救#")
    never_ends = fault.kind in (FaultKind.TIME_OUT, FaultKind.ENDLESS)
    microblog.faults.add(fault)
    with pytest.raises(expected):
        make(timeout_s=0.3 if never_ends else PATIENT_S, ask_rate_limit=False).read(TAG, None, None, LONG_AGO)
    assert len(posts_of(chain(make(), TAG))) == 1


def test_a_limit_says_until_when(microblog: Microblog, make: Make) -> None:
    """Weibo's limit error names no time; the adapter asks for it, for that costs no call."""
    microblog.faults.add(Fault(FaultKind.RATE_LIMITED, path="/weibo/2/search/*"))
    with pytest.raises(errors.RateLimited) as caught:
        make().read(TAG, None, None, LONG_AGO)
    assert caught.value.until == datetime(2026, 11, 20, 16, 0, tzinfo=UTC)  # midnight in Beijing


def test_polling_leaves_calls_for_answers_and_starts_anew_at_midnight(
    microblog: Microblog, make: Make, target: str, clock: Ticking
) -> None:
    """With ten calls a day and four kept, six polls go out; then answers still do, and after midnight polls again."""
    microblog.world.rules.weibo_daily_calls = 10
    weibo = make(daily_calls=10, reserve_for_writing=4)
    for _ in range(6):
        weibo.read(TAG, None, None, LONG_AGO)
    with pytest.raises(errors.RateLimited) as caught:
        weibo.read(TAG, None, None, LONG_AGO)
    assert caught.value.until == datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
    weibo.say(answer(target))
    assert len(weibo.own_recent(target, START)) == 1
    assert weibo.rules.poll_interval_s is not None
    assert weibo.rules.poll_interval_s(2) == 12 * 3600
    clock.now = caught.value.until
    assert len(posts_of(chain(weibo, TAG))) == 1
    assert weibo.rules.poll_interval_s(1) == pytest.approx(24 * 3600 / 5)


def test_a_restart_learns_what_the_day_has_left(microblog: Microblog, make: Make) -> None:
    """The count of a new process begins where the platform's own stands, not at the full budget."""
    microblog.world.rules.weibo_daily_calls = 10
    first = make(daily_calls=10, reserve_for_writing=0)
    for _ in range(9):
        first.read(TAG, None, None, LONG_AGO)
    second = make(daily_calls=10, reserve_for_writing=0)
    second.read(TAG, None, None, LONG_AGO)
    with pytest.raises(errors.RateLimited):
        second.read(TAG, None, None, LONG_AGO)
    assert microblog.world.ledger.calls["GET /weibo/2/search/topics.json"] == 10


def test_the_own_account_shows_expiry_and_calls_left(microblog: Microblog, make: Make) -> None:
    """doctor reads from it whose token it is and when it ends."""
    microblog.world.rules.weibo_daily_calls = 500
    own = make().account()
    assert own is not None
    assert own.handle == microblog.world.bot.screen_name
    assert own.token_expires_at == START + timedelta(days=30)
    assert own.calls_left == 499
    microblog.world.tokens.expire("bot", START)
    with pytest.raises(errors.Unauthorised):
        make().account()


def test_an_officials_handle_is_looked_up(microblog: Microblog, make: Make) -> None:
    """An official's account shows that it is verified, and as what; a free name is no account."""
    reason = "某城公安局"
    police = microblog.world.add_account("police", Role.OFFICIAL, "平安某城", "police", verified_type=1, verified_reason=reason)
    found = make().account("平安某城")
    assert found is not None
    assert (found.id, found.verified, found.verified_type) == (str(police.uid), True, "government")
    assert found.verified_reason == reason
    assert make().account("没有这个人") is None


def test_the_token_may_go_as_a_parameter(microblog: Microblog, make: Make, target: str) -> None:
    """Both documented ways of sending the token work, in reading and in writing."""
    weibo = make(token_in="parameter")
    assert len(posts_of(chain(weibo, TAG))) == 1
    assert weibo.say(answer(target)).id
    microblog.faults.add(Fault(FaultKind.RESET))
    with pytest.raises(errors.Unreachable) as caught:
        make(token_in="parameter", ask_rate_limit=False).read(TAG, None, None, LONG_AGO)
    assert microblog.credentials.weibo_access_token not in repr(caught.value) + str(caught.value)
    assert caught.value.__context__ is None


def test_the_name_of_the_bot_is_learnt_from_its_account(microblog: Microblog, make: Make) -> None:
    """Without screen_name in the settings a hashtag post that tags the bot is a summons once the account was asked."""
    microblog.world.add_post(Side.WEIBO, "passerby", f"#随手拍解救# @{microblog.world.bot.screen_name}")
    weibo = make(screen_name="")
    assert not posts_of(chain(weibo, TAG))[0].summons
    weibo.account()
    assert posts_of(chain(weibo, TAG))[0].summons
