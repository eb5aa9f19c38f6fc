"""X's settings, rules, windows and parsing, where no server is needed. The server's side stands in tests/contracts."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.platforms import _x_parse, _x_rules, x
from bot.platforms._x_window import Chain
from store.errors import BadInput, Refused, SettingsError
from store.model import Capability, Malformed, MessageKind, Outgoing, Post

NOW = datetime.fromisoformat("2026-11-20T12:00:00+08:00")
SECRETS = {name: f"secret-of-{name}" for name in x.SECRETS}
ME = _x_parse.Me("1700000000000000001", "suishoupai_bot")
IN_NEED = ("match_faces", "mention_others", "reply_uninvited")
APPROVAL = {"reference": "case 2026-0001", "date": "2026-10-01"}

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no failure."""


def build(**settings: Any) -> Any:
    """The X platform with made-up tokens; opens no connection."""
    return x.build(x.Settings.model_validate(settings), SECRETS, lambda: NOW)


def snowflake(at: datetime) -> str:
    """The smallest id of an instant."""
    return str((int(at.timestamp() * 1000) - 1_288_834_974_657) << 22)


# --- settings and capabilities -------------------------------------------------------------------------------------


def test_what_the_terms_forbid_is_off_and_says_why() -> None:
    """Face matching, uninvited answers and mentions of others start off, each with the terms' reason and the key to set."""
    allowed = build(hashtags=["随手拍"]).rules.capabilities
    for name in IN_NEED:
        allowance = allowed[Capability(name)]
        assert not allowance.on
        assert "X's" in allowance.why
        assert f"platforms.x.{name}" in allowance.why
    for name in ("read_hashtag", "read_mentions", "reply_author"):
        assert allowed[Capability(name)].on


@pytest.mark.parametrize("name", IN_NEED)
def test_a_forbidden_capability_needs_its_own_recorded_approval(name: str) -> None:
    """Switching one on without a record, or with the record of another, is a settings error that names both keys."""
    other = next(n for n in IN_NEED if n != name)
    for approvals in ({}, {other: APPROVAL}):
        with pytest.raises(ValidationError, match=f"{name}: .*approvals.{name}"):
            x.Settings.model_validate({name: True, "approvals": approvals})
    allowance = build(**{name: True, "approvals": {name: APPROVAL}}).rules.capabilities[Capability(name)]
    assert allowance.on
    assert "case 2026-0001" in allowance.why
    assert "2026-10-01" in allowance.why


def test_a_record_alone_switches_nothing_on() -> None:
    """An approval may stay on record while the operator has the capability switched off."""
    assert not build(approvals={"match_faces": APPROVAL}).rules.capabilities[Capability.MATCH_FACES].on


def test_an_approval_from_the_future_is_a_mistake() -> None:
    """A date that has not come yet is refused when the platform is built, by the key's full path."""
    with pytest.raises(SettingsError, match=r"platforms\.x\.approvals\.match_faces\.date"):
        build(match_faces=True, approvals={"match_faces": {"reference": "case 1", "date": "2026-11-21"}})


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"base_url": "http://api.x.com"}, "readable to anyone"),
        ({"base_url": "api.x.com"}, "address such as"),
        ({"base_url": "https://user:word@api.x.com"}, "address such as"),
        ({"hashtags": ["#随手拍"]}, "without '#'"),
        ({"hashtags": ["two words"]}, "no X hashtag"),
        ({"hashtags": ["2026"]}, "no X hashtag"),
        ({"hashtags": ["a OR from:someone"]}, "no X hashtag"),
        ({"hashtags": ["长" * 500]}, "X takes 512"),
        ({"user_id": "17"}, "go together"),
        ({"user_id": "17", "handle": "@bot"}, "without '@'"),
        ({"approval": {}}, "Extra inputs"),
        ({"approvals": {"match_faces": {"reference": "", "date": "2026-10-01"}}}, "at least 3"),
    ],
)
def test_wrong_settings_are_refused_with_words(settings: dict[str, Any], says: str) -> None:
    """Each wrong value is an error that says what is expected."""
    with pytest.raises(ValidationError, match=says):
        x.Settings.model_validate(settings)


def test_secrets_are_checked_and_never_shown() -> None:
    """A missing or broken token is named by its variable; no value stands in any message, and no log line holds one."""
    for broken in ("", "two words", "line\nend", "令牌"):
        with pytest.raises(SettingsError, match="X_ACCESS_TOKEN") as caught:
            x.build(x.Settings(), SECRETS | {"X_ACCESS_TOKEN": broken}, lambda: NOW)
        assert not broken or broken not in str(caught.value)
        assert "secret-of" not in str(caught.value)


def test_no_library_logs_a_token(caplog: pytest.LogCaptureFixture) -> None:
    """tweepy and the OAuth libraries write headers and signatures at DEBUG; a root logger at DEBUG does not bring them out."""
    caplog.set_level(logging.DEBUG)
    platform = build(base_url="http://127.0.0.1:9", timeout_s=0.2)
    for call in (lambda: platform.look_up(["1"]), lambda: platform.say(Outgoing(MessageKind.DIGEST, "a S-4F7K", "S-4F7K"))):
        with pytest.raises(Exception, match="no connection"):
            call()
    assert "secret-of" not in caplog.text
    assert "oauth_signature" not in caplog.text


# --- rules ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", 0),
        ("abc", 3),
        ("随手拍", 6),
        ("已收到，编号 S-4F7K", 19),
        ("https://example.org/" + "x" * 300, 23),
        ("看 http://a.cn 吧", 2 + 1 + 23 + 1 + 2),
        ("👨‍👩‍👧", 2),
        ("é", 1),
        ("e\u0301", 1),
    ],
)
def test_length_is_weighted_as_x_counts(text: str, length: int) -> None:
    """CJK and emoji weigh 2, a link 23 whatever its length, composed characters count once."""
    assert _x_rules.weighted_length(text) == length


def test_a_message_of_exactly_the_limit_passes_the_check() -> None:
    """140 Chinese characters are 280 and go out; one more is refused before any request."""
    platform = build(base_url="http://127.0.0.1:9", timeout_s=0.2)
    with pytest.raises(Refused, match="281"):
        platform.say(Outgoing(MessageKind.DIGEST, "孩" * 140 + "a", "S-4F7K"))
    with pytest.raises(Refused, match="has 0"):
        platform.say(Outgoing(MessageKind.DIGEST, "", "S-4F7K"))
    with pytest.raises(Exception, match="no connection"):
        platform.say(Outgoing(MessageKind.DIGEST, "孩" * 140, "S-4F7K"))


def test_a_target_that_is_no_post_of_x_is_refused() -> None:
    """An id of another platform's shape never reaches X."""
    with pytest.raises(Refused) as caught:
        build().say(Outgoing(MessageKind.ANSWER, "a S-4F7K", "S-4F7K", reply_to_id="1_2"))
    assert caught.value.code == "no_such_target"


@pytest.mark.parametrize(
    ("author", "address"),
    [
        ("walker_one", "https://x.com/walker_one/status/17"),
        ("", "https://x.com/i/status/17"),
        ("1700000000000000001", "https://x.com/i/status/17"),
        ("../evil", "https://x.com/i/status/17"),
    ],
)
def test_post_addresses(author: str, address: str) -> None:
    """A post is found by its id, so an author whose handle is unknown becomes ``i``."""
    assert _x_rules.post_url(author, "17") == address


@unhurried
@given(st.integers(1_300_000_000, 3_400_000_000), st.floats(0, 1e6))
def test_an_earlier_id_is_earlier_by_just_that_time(at: int, seconds: float) -> None:
    """Moving an id back moves the time in it, to the millisecond."""
    post_id = snowflake(datetime.fromtimestamp(at, tz=UTC))
    minted, moved = _x_rules.id_time(post_id), _x_rules.id_time(_x_rules.id_earlier(post_id, seconds))
    assert minted is not None
    assert moved is not None
    assert abs((minted - moved).total_seconds() - seconds) < 0.002


def test_ids_from_before_snowflakes_carry_no_time() -> None:
    """The ids of X's first years are counted, not timed; they are left as they are."""
    assert _x_rules.id_time("20000000000") is None
    assert _x_rules.id_earlier("20", 600) == "20"


# --- windows -------------------------------------------------------------------------------------------------------

WEEK_AGO = NOW - timedelta(days=7) + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("since", "not_before", "by", "at", "cut"),
    [
        (None, NOW - timedelta(hours=24), "time", NOW - timedelta(hours=24), False),
        (None, NOW - timedelta(days=30), "time", WEEK_AGO, False),
        (NOW - timedelta(days=6), NOW, "id", NOW - timedelta(days=6, minutes=10), False),
        (WEEK_AGO + timedelta(minutes=1), NOW, "time", WEEK_AGO, False),
        (WEEK_AGO - timedelta(minutes=1), NOW, "time", WEEK_AGO, True),
    ],
)
def test_where_a_search_starts(since: datetime | None, not_before: datetime, by: str, at: datetime, cut: bool) -> None:
    """A cursor less the overlap; a time where there is no cursor or X would refuse it; ``cut`` only where posts are lost."""
    chain = Chain.start(snowflake(since) if since else None, not_before, NOW, 600, within_days=7)
    assert (chain.by, chain.cut) == (by, cut)
    found = _x_rules.id_time(str(chain.value)) if by == "id" else datetime.fromtimestamp(chain.value, tz=UTC)
    assert found is not None
    assert abs(found - at) < timedelta(seconds=1)


def test_mentions_start_at_any_age() -> None:
    """The mentions timeline has no seven days: an old cursor stays a cursor."""
    chain = Chain.start(snowflake(NOW - timedelta(days=90)), NOW, NOW, 600, within_days=None)
    assert chain.by == "id"


@unhurried
@given(
    st.sampled_from(["id", "time"]), st.integers(0, 10**19 - 1), st.booleans(), st.integers(0, 10**6 - 1), st.text("abc-_.~=:")
)
def test_a_page_token_holds_the_whole_chain(by: Any, value: int, cut: bool, seen: int, token: str) -> None:
    """A token is read back to the chain it came from, so that a chain keeps its window and its count."""
    chain = Chain(by, value, cut, seen, token or "t")
    assert Chain.parse(str(chain)) == chain


@pytest.mark.parametrize("page", ["", "b26v89c19zqg8o3f", "id:1::2:", "since:1::2:t", "id:１::2:t", "id:1::2:a b"])
def test_a_token_of_something_else_is_bad_input(page: str) -> None:
    """What is no token of this adapter is said to be none, before a call is spent."""
    with pytest.raises(BadInput, match="no page token"):
        Chain.parse(page)


def test_look_ups_are_bounded_before_a_call_is_spent() -> None:
    """No ids need no call; too many, or ids of another shape, are bad input: X would refuse the whole batch for one."""
    platform = build(base_url="http://127.0.0.1:9")
    assert platform.look_up([]).posts == ()
    for ids in ([str(n) for n in range(101)], ["1", "M_abc"], ["-1"], ["１"]):
        with pytest.raises(BadInput):
            platform.look_up(ids)


# --- parsing -------------------------------------------------------------------------------------------------------


def tweet(text: str = "#随手拍 看", **fields: Any) -> dict[str, Any]:
    """A post as X gives it."""
    return {"id": "2123614809093046273", "text": text, "author_id": "17", "created_at": "2026-11-20T03:10:00.000Z", **fields}


def read(item: Any, **includes: Any) -> Post | Malformed:
    """What the parser makes of one item."""
    (found,) = _x_parse.read_posts({"data": [item], "includes": includes}, ME)
    return found


@pytest.mark.parametrize(
    ("fields", "parent", "summons"),
    [
        ({"text": "@suishoupai_bot 看", "display_text_range": [0, 18]}, None, True),
        ({"text": "@suishoupai_bot 看", "display_text_range": [16, 18]}, None, True),
        ({"text": "@suishoupai_bot 谢谢", "display_text_range": [16, 19]}, {"author_id": ME.id}, False),
        ({"text": "@suishoupai_bot 谢谢", "display_text_range": [16, 19]}, {"text": "@suishoupai_bot 看"}, False),
        ({"text": "@a @suishoupai_bot 看", "display_text_range": [3, 20]}, {"text": "一张照片"}, True),
        ({"text": "@suishoupai_bot 看 @suishoupai_bot", "display_text_range": [16, 36]}, {"author_id": ME.id}, True),
        ({"text": "没有提到"}, {"author_id": ME.id}, False),
        ({"text": "write to me@suishoupai_bot"}, None, False),
        ({"text": "@suishoupai_botany"}, None, False),
    ],
)
def test_who_summons_the_bot(fields: dict[str, Any], parent: dict[str, Any] | None, summons: bool) -> None:
    """A mention the author wrote summons; one X carried over from the thread, where the bot already took part, does not."""
    refers = {"referenced_tweets": [{"type": "replied_to", "id": "5"}]} if parent else {}
    tweets = [tweet(id="5") | parent] if parent else []
    post = read(tweet(**fields, **refers), tweets=tweets)
    assert isinstance(post, Post)
    assert post.summons is summons


def test_quoting_the_bot_summons_it() -> None:
    """X's terms name a quote of the account as an invitation too."""
    post = read(
        tweet("看这个", referenced_tweets=[{"type": "quoted", "id": "5"}]), tweets=[tweet("编号 S-4F7K", id="5", author_id=ME.id)]
    )
    assert isinstance(post, Post)
    assert post.summons


@pytest.mark.parametrize(
    ("url", "urls"),
    [
        (
            "https://pbs.twimg.com/media/AbC-_1.png",
            (
                "https://pbs.twimg.com/media/AbC-_1?format=png&name=orig",
                "https://pbs.twimg.com/media/AbC-_1?format=png&name=large",
            ),
        ),
        ("https://pbs.twimg.com/media/AbC?format=jpg&name=small", ()),
        ("https://elsewhere.example/media/AbC.jpg", ()),
        ("http://127.0.0.1:8765/x/media/AbC.jpg", ()),
    ],
)
def test_the_largest_picture_comes_first(url: str, urls: tuple[str, ...]) -> None:
    """Only X's own host knows sizes by name; every address ends with the one X gave."""
    assert _x_parse.sizes(url) == (*urls, url)


def test_an_original_that_cannot_be_read_does_not_spoil_the_post() -> None:
    """A quote of a post without an author is still a post; the broken original stays in its raw body."""
    post = read(
        tweet("看", referenced_tweets=[{"type": "quoted", "id": "5"}], entities={}), tweets=[{"id": "5", "text": "没有作者"}]
    )
    assert isinstance(post, Post)
    assert post.repost_of is None
    assert post.raw["includes"]["tweets"] == [{"id": "5", "text": "没有作者"}]


def test_the_raw_body_holds_what_belongs_to_the_post_and_no_more() -> None:
    """Evidence is kept per post: its own author and pictures, not those of the other posts on the page."""
    users = [{"id": "17", "name": "a", "username": "a"}, {"id": "18", "name": "b", "username": "b"}]
    post = read(tweet(), users=users)
    assert post.raw["includes"] == {"users": users[:1]}  # type: ignore[index,call-overload]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["17", "5", "2026-11-20T03:10:00Z"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(
    [
        *("id", "text", "author_id", "created_at", "entities", "note_tweet", "geo", "attachments", "lang"),
        *("referenced_tweets", "conversation_id", "display_text_range"),
    ]
)


@unhurried
@given(
    st.dictionaries(fields, json_values, max_size=6),
    st.dictionaries(st.sampled_from(["users", "media", "places", "tweets"]), json_values),
)
def test_any_shape_is_a_post_or_malformed(spoilt: dict[str, Any], includes: dict[str, Any]) -> None:
    """Whatever stands where X would put something else, one item is a post or a malformed one, never an exception."""
    found = read(tweet() | spoilt, **includes)
    assert isinstance(found, Post | Malformed)
    if isinstance(found, Post):
        assert found.posted_at.tzinfo is not None
        assert found.id.isdigit()
