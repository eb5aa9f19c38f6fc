"""X's API: fields and expansions, paging, windows, OAuth, writing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bot.microblog.model import Entry, PlaceTag, Role
from bot.microblog.server import Microblog, Side

TAG = "#随手拍 has:images -is:retweet"


@pytest.fixture
def post(mb: Microblog, jpeg: Callable[..., bytes]) -> Entry:
    """A campaign post with a photo, a link and a place, that names the bot."""
    place = PlaceTag("f7eb2fa2fea288b1", "哈尔滨, 黑龙江", bbox=(126.5, 45.6, 126.8, 45.9), kind="city")
    text = "出站口 #随手拍 @suishoupai_bot https://example.com/a"
    return mb.world.add_post(Side.X, "passerby", text, photos=[jpeg()], geo=(45.77, 126.62), place=place)


def problem(answer: Any) -> tuple[int, str]:
    """Status and detail of a problem document."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "detail"} <= set(body)
    return answer.status_code, body["detail"]


# --- reading -------------------------------------------------------------------------------------------------------


def test_only_what_was_asked_for_is_given(call: Any, post: Entry) -> None:
    """Without fields and expansions a post is its id, text and history; nothing is included."""
    body = call.x("/tweets/search/recent", query=TAG).json()
    assert set(body) == {"data", "meta"}
    assert set(body["data"][0]) == {"id", "text", "edit_history_tweet_ids"}


def test_expansions_join_author_media_and_place(call: Any, mb: Microblog, post: Entry) -> None:
    """media_keys lead to a photo with address and size, place_id to a box [W,S,E,N]; the point is [lon, lat]."""
    body = call.x(
        "/tweets/search/recent",
        query=TAG,
        tweet_fields="attachments,author_id,geo,created_at,entities,lang",
        media_fields="url,width,height",
        place_fields="geo,place_type,country_code",
        expansions="author_id,attachments.media_keys,geo.place_id",
    ).json()
    tweet, includes = body["data"][0], body["includes"]
    photo = includes["media"][0]
    assert tweet["attachments"]["media_keys"] == [photo["media_key"]]
    assert (photo["type"], photo["width"], photo["height"]) == ("photo", 320, 240)
    assert includes["users"] == [{"id": tweet["author_id"], "name": "路过的人", "username": "passer_by"}]
    assert includes["places"][0]["geo"]["bbox"] == [126.5, 45.6, 126.8, 45.9]
    assert tweet["geo"]["coordinates"]["coordinates"] == [126.62, 45.77]
    assert tweet["lang"] == "zh"
    assert call.session.get(photo["url"], params={"name": "orig"}).content == mb.world.photos[post.photos[0]].data


def test_links_come_back_as_t_co_with_their_entities(call: Any, post: Entry) -> None:
    """The text holds the short address, the entities the real one at the same span, and the photo's own address last."""
    tweet = call.x(f"/tweets/{post.id}", tweet_fields="entities,display_text_range").json()["data"]
    link, media = tweet["entities"]["urls"]
    assert "example.com" not in tweet["text"]
    assert tweet["text"][link["start"] : link["end"]] == link["url"]
    assert link["expanded_url"] == "https://example.com/a"
    assert media["media_key"].startswith("3_")
    assert tweet["text"][slice(*tweet["display_text_range"])].endswith(link["url"])
    tag = tweet["entities"]["hashtags"][0]
    assert tweet["text"][tag["start"] : tag["end"]] == "#随手拍"


def test_search_pages_back_to_since_id(call: Any, mb: Microblog) -> None:
    """The same since_id with each next_token gives every post once, newest first; the first page's newest_id is the cursor."""
    ids = [str(mb.world.add_post(Side.X, "passerby", f"#随手拍 {n}").id) for n in range(34)]
    seen: list[str] = []
    params: dict[str, Any] = {"query": "#随手拍", "since_id": ids[3], "max_results": 10}
    newest = ""
    while True:
        body = call.x("/tweets/search/recent", **params).json()
        seen += [t["id"] for t in body["data"]]
        newest = newest or body["meta"]["newest_id"]
        assert body["meta"]["oldest_id"] == seen[-1]
        if "next_token" not in body["meta"]:
            break
        params["next_token"] = body["meta"]["next_token"]
    assert seen == ids[:3:-1]
    assert newest == ids[-1]
    nothing = call.x("/tweets/search/recent", query="#随手拍", since_id=newest).json()
    assert nothing == {"meta": {"result_count": 0}}


def test_search_reaches_seven_days(call: Any, mb: Microblog, clock: Any, post: Entry) -> None:
    """After seven days a post is no longer found, and its id is refused as since_id, an old start_time too."""
    assert call.x("/tweets/search/recent", query=TAG, since_id=post.id).ok
    clock.move(days=7, seconds=1)
    assert call.x("/tweets/search/recent", query=TAG).json()["meta"]["result_count"] == 0
    status, _ = problem(refused := call.x("/tweets/search/recent", query=TAG, since_id=post.id))
    assert status == 400
    assert "must be a tweet id created after" in refused.json()["errors"][0]["message"]
    late = (clock() - timedelta(days=8)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert call.x("/tweets/search/recent", query=TAG, start_time=late).status_code == 400


def test_mentions_hold_answers_to_the_bot_and_leave_out_retweets(call: Any, mb: Microblog, post: Entry) -> None:
    """Who answers the bot mentions it, without typing so; a retweet of a post that names the bot does not."""
    own = call.tweet("收到 S-1", post.id).json()["data"]["id"]
    answer = mb.world.add_post(Side.X, "passerby", "谢谢", reply_to=int(own))
    mb.world.add_account("li", Role.PASSER_BY, "李路人", "li_passes")
    mb.world.repost(post.id, "li")
    body = call.x(f"/users/{mb.world.bot.x_id}/mentions", tweet_fields="referenced_tweets,display_text_range").json()
    assert [t["id"] for t in body["data"]] == [str(answer.id), str(post.id)]
    assert body["data"][0]["text"] == "@suishoupai_bot 谢谢"
    assert body["data"][0]["display_text_range"] == [len("@suishoupai_bot "), len("@suishoupai_bot 谢谢")]
    assert body["data"][0]["referenced_tweets"] == [{"type": "replied_to", "id": own}]


def test_mentions_end_at_the_newest_800(call: Any, mb: Microblog) -> None:
    """Older mentions are not given, however far one pages."""
    mb.world.rules.x_mentions_window = 12
    for n in range(15):
        mb.world.add_post(Side.X, "passerby", f"@suishoupai_bot {n}")
    first = call.x(f"/users/{mb.world.bot.x_id}/mentions", max_results=10).json()
    rest = call.x(f"/users/{mb.world.bot.x_id}/mentions", max_results=10, pagination_token=first["meta"]["next_token"]).json()
    assert (first["meta"]["result_count"], rest["meta"]["result_count"]) == (10, 2)
    assert "next_token" not in rest["meta"]


def test_a_retweet_refers_to_its_original(call: Any, mb: Microblog, post: Entry) -> None:
    """Its text begins RT, the original is included with its media, and -is:retweet leaves it out."""
    retweet = mb.world.repost(post.id, "bot")
    body = call.x(
        f"/tweets/{retweet.id}",
        expansions="referenced_tweets.id,referenced_tweets.id.attachments.media_keys,referenced_tweets.id.author_id",
        tweet_fields="referenced_tweets,attachments,author_id",
    ).json()
    assert body["data"]["text"].startswith("RT @passer_by: ")
    assert body["data"]["referenced_tweets"] == [{"type": "retweeted", "id": str(post.id)}]
    assert body["includes"]["tweets"][0]["id"] == str(post.id)
    assert body["includes"]["media"][0]["media_key"] == body["includes"]["tweets"][0]["attachments"]["media_keys"][0]
    assert call.x("/tweets/search/recent", query=TAG).json()["meta"]["result_count"] == 1
    mb.world.delete(post.id)
    after = call.x(f"/tweets/{retweet.id}", expansions="referenced_tweets.id").json()
    assert after["errors"][0]["resource_id"] == str(post.id)


def test_look_up_names_what_is_gone(call: Any, mb: Microblog, post: Entry) -> None:
    """A 200 holds the posts that are there, and an error of type resource-not-found for each that is not."""
    gone = mb.world.add_post(Side.X, "passerby", "走了")
    mb.world.delete(gone.id)
    body = call.x("/tweets", ids=f"{post.id},{gone.id},12").json()
    assert [t["id"] for t in body["data"]] == [str(post.id)]
    assert [(e["resource_id"], e["type"].rsplit("/", 1)[-1]) for e in body["errors"]] == [
        (str(gone.id), "resource-not-found"),
        ("12", "resource-not-found"),
    ]


def test_long_posts_are_cut_beside_their_note(call: Any, mb: Microblog) -> None:
    """Over 280 weighted characters the text is cut and the whole stands in note_tweet."""
    entry = mb.world.add_post(Side.X, "passerby", "长" * 200)
    tweet = call.x(f"/tweets/{entry.id}", tweet_fields="note_tweet").json()["data"]
    assert tweet["note_tweet"]["text"] == "长" * 200
    assert len(tweet["text"]) < 200


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/tweets/search/recent", {}),
        ("/tweets/search/recent", {"query": "has:images"}),
        ("/tweets/search/recent", {"query": TAG, "max_results": 9}),
        ("/tweets/search/recent", {"query": TAG, "max_results": 101}),
        ("/tweets/search/recent", {"query": TAG, "next_token": "!"}),
        ("/tweets/search/recent", {"query": TAG, "tweet_fields": "secrets"}),
        ("/tweets/search/recent", {"query": TAG, "expansions": "everything"}),
        ("/tweets/search/recent", {"query": TAG, "start_time": "yesterday"}),
        ("/tweets/search/recent", {"query": TAG, "count": 5}),
        ("/users/1/mentions", {}),
        ("/tweets", {"ids": "one"}),
        ("/tweets", {"ids": ",".join(map(str, range(101)))}),
    ],
)
def test_wrong_parameters_are_invalid_requests(call: Any, path: str, params: dict[str, Any]) -> None:
    """Each is a 400 problem that names the parameter."""
    answer = call.x(path, **params)
    assert problem(answer)[0] == 400
    assert answer.json()["errors"][0]["parameters"]


# --- who calls, how often ------------------------------------------------------------------------------------------


def test_windows_of_fifteen_minutes(call: Any, mb: Microblog, clock: Any) -> None:
    """Headers count down; the call after the last is a 429 with the window's end, and works again after it."""
    mb.world.rules.x_limits["search"] = 2
    left = [call.x("/tweets/search/recent", query=TAG).headers["x-rate-limit-remaining"] for _ in range(2)]
    refused = call.x("/tweets/search/recent", query=TAG)
    assert left == ["1", "0"]
    assert refused.status_code == 429
    assert int(refused.headers["x-rate-limit-reset"]) == int(clock().timestamp()) + 900
    assert call.x(f"/users/{mb.world.bot.x_id}/mentions").ok
    clock.move(seconds=900)
    assert call.x("/tweets/search/recent", query=TAG).ok


def test_signatures_are_checked(call: Any, mb: Microblog, clock: Any) -> None:
    """The wrong key, secret or token, an expired or revoked one, and none at all are 401."""
    url = f"{mb.x_url}/2/users/me"
    assert call.session.get(url, auth=call.oauth()).json()["data"]["id"] == mb.world.bot.x_id
    for wrong in ("client_key", "client_secret", "resource_owner_key", "resource_owner_secret"):
        assert problem(call.session.get(url, auth=call.oauth(**{wrong: "wrong"})))[0] == 401
    assert call.session.get(url).status_code == 401
    assert call.session.get(url, headers={"Authorization": "Bearer nobody"}).status_code == 401
    mb.world.tokens.expire("bot", clock())
    assert call.session.get(url, auth=call.oauth()).status_code == 401
    assert call.x("/tweets/search/recent", query=TAG).status_code == 401


def test_the_app_alone_has_no_self(call: Any) -> None:
    """A bearer token cannot ask for users/me: 403 unsupported-authentication."""
    answer = call.x("/users/me")
    assert problem(answer)[0] == 403
    assert answer.json()["type"].endswith("unsupported-authentication")


def test_accounts_by_name_and_id(call: Any, mb: Microblog) -> None:
    """Handles ignore case; an unknown one is an error in a 200."""
    official = mb.world.add_account("pa", Role.OFFICIAL, "平安测试", "Ping_An", x_verified_type="government")
    found = call.x("/users/by/username/ping_an", user_fields="verified,verified_type").json()["data"]
    expected = {"id": official.x_id, "name": "平安测试", "username": "Ping_An", "verified": True, "verified_type": "government"}
    assert found == expected
    assert call.x("/users", ids=official.x_id).json()["data"][0]["id"] == official.x_id
    assert call.x(f"/users/{official.x_id}").json()["data"]["username"] == "Ping_An"
    assert call.x("/users/by", usernames="Ping_An,nobody").json()["errors"][0]["value"] == "nobody"
    assert "data" not in call.x("/users/by/username/nobody").json()


# --- writing -------------------------------------------------------------------------------------------------------


def test_a_reply_is_published_recorded_and_read_back(call: Any, mb: Microblog, post: Entry) -> None:
    """201 with id and text; the ledger has the text as sent; the own timeline has it with the leading mention."""
    answer = call.tweet("收到 S-4F7K https://example.org/c", post.id)
    assert answer.status_code == 201
    said = mb.world.ledger.publications[0]
    assert (said.kind, said.target_id, said.text) == ("reply", str(post.id), "收到 S-4F7K https://example.org/c")
    own = call.x(f"/users/{mb.world.bot.x_id}/tweets", tweet_fields="referenced_tweets,entities").json()["data"][0]
    assert own["id"] == answer.json()["data"]["id"] == said.id
    assert own["text"].startswith("@passer_by 收到 S-4F7K https://t.co/")
    assert own["entities"]["urls"][0]["expanded_url"] == "https://example.org/c"
    assert call.x(f"/users/{mb.world.bot.x_id}/tweets", exclude="replies").json()["meta"]["result_count"] == 0


def test_an_answer_also_names_whom_the_answered_post_names(call: Any, mb: Microblog, post: Entry) -> None:
    """X puts the people of a thread before an answer, so they are told of it, unless they are left out by id."""
    official = mb.world.add_account("pa", Role.OFFICIAL, "平安测试", "ping_an")
    asked = mb.world.add_post(Side.X, "passerby", "@suishoupai_bot @ping_an 看")
    assert call.tweet("收到 S-1", asked.id).json()["data"]["text"] == "@passer_by @ping_an 收到 S-1"
    reply = {"in_reply_to_tweet_id": str(asked.id), "exclude_reply_user_ids": [official.x_id]}
    assert call.tweet("收到 S-2", reply=reply).json()["data"]["text"] == "@passer_by 收到 S-2"
    assert [p.mentions for p in mb.world.ledger.publications] == [("passerby", "pa"), ("passerby",)]


def test_what_x_refuses_to_publish(call: Any, mb: Microblog, post: Entry) -> None:
    """Repeated, not summoned, too long, to a post that is gone, without text: each with X's status and words; nothing is said."""
    silent = mb.world.add_post(Side.X, "passerby", "#随手拍 没有叫你")
    gone = mb.world.add_post(Side.X, "passerby", "@suishoupai_bot 走了")
    mb.world.delete(gone.id)
    assert call.tweet("收到", post.id).ok
    assert problem(call.tweet("收到", post.id)) == (403, "You are not allowed to create a Tweet with duplicate content.")
    status, detail = problem(call.tweet("收到", silent.id))
    assert status == 403
    assert "you have not been mentioned or otherwise engaged by the author" in detail
    assert "deleted or not visible" in problem(call.tweet("收到", gone.id))[1]
    assert problem(call.tweet("长" * 141))[0] == 400
    assert problem(call.tweet("  "))[0] == 400
    assert problem(call.tweet("收", reply={}, poll={}))[0] == 400
    assert len(mb.world.ledger.publications) == 1
    assert call.tweet("长" * 140).status_code == 201


def test_a_quote_and_an_answer_to_the_bot_are_summons(call: Any, mb: Microblog, post: Entry) -> None:
    """Who quotes or answers the bot may be answered, and anyone where the operator's app is not self-serve."""
    own = int(call.tweet("收到 S-1", post.id).json()["data"]["id"])
    quote = mb.world.add_post(Side.X, "passerby", "看这个", quote_of=own)
    thanks = mb.world.add_post(Side.X, "passerby", "谢谢", reply_to=own)
    assert call.tweet("S-2", quote.id).ok
    assert call.tweet("S-3", thanks.id).ok
    silent = mb.world.add_post(Side.X, "passerby", "没有叫你")
    mb.world.rules.x_requires_summons = False
    assert call.tweet("S-4", silent.id).ok
    closed = mb.world.add_post(Side.X, "passerby", "只限我提到的人", reply_settings="mentionedUsers")
    assert call.tweet("S-5", closed.id).status_code == 403


def test_one_deletes_only_ones_own(call: Any, mb: Microblog, post: Entry) -> None:
    """The bot's post goes; another's is a 403."""
    own = call.tweet("收到 S-1", post.id).json()["data"]["id"]
    delete = f"{mb.x_url}/2/tweets/"
    assert call.session.delete(delete + own, auth=call.oauth()).json() == {"data": {"deleted": True}}
    assert call.session.delete(delete + str(post.id), auth=call.oauth()).status_code == 403
    assert "errors" in call.x("/tweets", ids=own).json()


def test_an_indexing_delay_hides_ones_own_post(call: Any, mb: Microblog, clock: Any, post: Entry) -> None:
    """A post is published at once and stands in no list until the delay is over; a repeat is refused meanwhile."""
    mb.world.rules.indexing_delay_s = 30
    own = call.tweet("收到 S-1", post.id).json()["data"]["id"]
    timeline = f"/users/{mb.world.bot.x_id}/tweets"
    assert call.x(timeline).json()["meta"]["result_count"] == 0
    assert call.tweet("收到 S-1", post.id).status_code == 403
    clock.move(seconds=31)
    assert [t["id"] for t in call.x(timeline).json()["data"]] == [own]
