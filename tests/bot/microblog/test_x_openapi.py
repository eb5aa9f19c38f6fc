"""What the X side answers, and what it takes, is valid by X's own OpenAPI document (kept beside the checkout, not in it)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from openapi_core import Config, OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse

from bot.microblog.model import PlaceTag, Role
from bot.microblog.server import Fault, FaultKind, Microblog, Side
from bot.microblog.x_gate import FIELDS

SPEC = Path(__file__).resolve().parents[4] / "shared" / "specs" / "x-openapi-2.166.json"
pytestmark = [
    pytest.mark.skipif(not SPEC.exists(), reason="X's OpenAPI document is not beside this checkout"),
    pytest.mark.filterwarnings("ignore:Unsupported scheme type"),  # openapi-core checks no OAuth 1.0a; the server does
]

EVERYTHING = {
    "tweet_fields": (
        "attachments,author_id,conversation_id,created_at,display_text_range,edit_history_tweet_ids,entities,geo,id,"
        "in_reply_to_user_id,lang,note_tweet,possibly_sensitive,public_metrics,referenced_tweets,reply_settings,source,text"
    ),
    "user_fields": (
        "created_at,description,id,location,name,profile_image_url,protected,public_metrics,username,verified,verified_type"
    ),
    "media_fields": "height,media_key,type,url,width",
    "place_fields": "country,country_code,full_name,geo,id,name,place_type",
    "expansions": (
        "author_id,attachments.media_keys,geo.place_id,in_reply_to_user_id,entities.mentions.username,referenced_tweets.id,"
        "referenced_tweets.id.author_id,referenced_tweets.id.attachments.media_keys"
    ),
}


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    """The document."""
    loaded: dict[str, Any] = json.loads(SPEC.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def openapi(spec: dict[str, Any]) -> OpenAPI:
    """The document, ready to validate; problem documents are JSON too."""
    config = Config(spec_validator_cls=None, extra_media_type_deserializers={"application/problem+json": json.loads})
    return OpenAPI.from_dict(spec, config=config)


@pytest.fixture
def valid(openapi: OpenAPI, mb: Microblog) -> Callable[..., requests.Response]:
    """Checks an exchange against the document and gives the answer back."""

    def check(answer: requests.Response, status: int, *, request_too: bool = True) -> requests.Response:
        assert answer.status_code == status, answer.text
        sent = answer.request.copy()
        sent.url = str(sent.url).replace(mb.x_url, "https://api.x.com")
        # requests_oauthlib writes header values as bytes.
        sent.headers.update({k: v.decode() for k, v in sent.headers.items() if isinstance(v, bytes)})
        request = RequestsOpenAPIRequest(sent)
        if request_too:
            openapi.validate_request(request)
        openapi.validate_response(request, RequestsOpenAPIResponse(answer))
        return answer

    return check


@pytest.fixture
def thread(mb: Microblog, jpeg: Callable[..., bytes]) -> list[int]:
    """Posts of every sort: with photo, place and link, an answer, a quote, a retweet, a long one."""
    world = mb.world
    world.add_account("pa", Role.OFFICIAL, "平安测试", "ping_an", x_verified_type="government", verified_reason="测试")
    place = PlaceTag("f7eb2fa2fea288b1", "哈尔滨, 黑龙江", bbox=(126.5, 45.6, 126.8, 45.9), kind="city")
    text = "#随手拍 @suishoupai_bot @ping_an https://example.com/a"
    first = world.add_post(Side.X, "passerby", text, photos=[jpeg(), jpeg()], geo=(45.7, 126.6), place=place)
    answer = world.add_post(Side.X, "pa", "在看", reply_to=first.id)
    quote = world.add_post(Side.X, "passerby", "#随手拍 @suishoupai_bot 引用", quote_of=first.id, photos=[b"no picture"])
    retweet = world.repost(first.id, "pa")
    long = world.add_post(Side.X, "passerby", "#随手拍 @suishoupai_bot " + "长" * 200)
    return [first.id, answer.id, quote.id, retweet.id, long.id]


def test_lists_are_valid_with_everything_asked_for(call: Any, mb: Microblog, valid: Any, thread: list[int]) -> None:
    """Search, mentions, timeline and look-up, with every field and expansion, on several pages, empty and with what is gone."""
    gone = mb.world.add_post(Side.X, "passerby", "走了")
    mb.world.add_post(Side.X, "passerby", "@suishoupai_bot 引用", quote_of=gone.id)
    mb.world.delete(gone.id)
    for n in range(12):
        mb.world.add_post(Side.X, "passerby", f"#随手拍 {n}")
    page = valid(call.x("/tweets/search/recent", query="#随手拍", max_results=10, **EVERYTHING), 200).json()
    token = page["meta"]["next_token"]
    valid(call.x("/tweets/search/recent", query="#随手拍", max_results=10, next_token=token, **EVERYTHING), 200)
    valid(call.x("/tweets/search/recent", query="#没有"), 200)
    assert valid(call.x(f"/users/{mb.world.bot.x_id}/mentions", **EVERYTHING), 200).json()["errors"]
    valid(call.x(f"/users/{mb.world.accounts['pa'].x_id}/tweets", exclude="retweets", **EVERYTHING), 200)
    ids = ",".join(map(str, [*thread, gone.id]))
    assert valid(call.x("/tweets", ids=ids, **EVERYTHING), 200).json()["errors"]
    valid(call.x(f"/tweets/{thread[0]}", **EVERYTHING), 200)


def test_accounts_are_valid(call: Any, mb: Microblog, valid: Any, thread: list[int]) -> None:
    """One and several accounts, by id and name, and one that is not there."""
    fields = {"user_fields": EVERYTHING["user_fields"]}
    official = mb.world.accounts["pa"]
    valid(call.x(f"/users/{official.x_id}", **fields), 200)
    valid(call.x("/users/by/username/ping_an", **fields), 200)
    valid(call.x("/users/by/username/nobody"), 200)
    valid(call.x("/users", ids=official.x_id, **fields), 200)
    valid(call.x("/users/by", usernames="ping_an,nobody", **fields), 200)
    valid(call.session.get(f"{mb.x_url}/2/users/me", auth=call.oauth()), 200)


def test_usage_is_valid_and_for_the_app_alone(call: Any, mb: Microblog, valid: Any, thread: list[int]) -> None:
    """Posts given out are counted; a user's token is refused."""
    before = valid(call.x("/usage/tweets"), 200).json()["data"]["project_usage"]
    valid(call.x("/tweets", ids=str(thread[0])), 200)
    after = valid(call.x("/usage/tweets", **{"usage.fields": "project_cap,project_usage"}), 200).json()["data"]
    assert after["project_usage"] == before + 1
    assert call.session.get(f"{mb.x_url}/2/usage/tweets", auth=call.oauth()).status_code == 403


def test_writing_is_valid(call: Any, mb: Microblog, valid: Any, thread: list[int]) -> None:
    """Creating, answering, being refused and deleting."""
    own = valid(call.tweet("收到 S-1", thread[0]), 201).json()["data"]["id"]
    valid(call.tweet("收到 S-1", thread[0]), 403)
    silent = mb.world.add_post(Side.X, "passerby", "没有叫你")
    valid(call.tweet("收到 S-2", silent.id), 403)
    valid(call.session.delete(f"{mb.x_url}/2/tweets/{own}", auth=call.oauth()), 200)


@pytest.mark.parametrize(
    ("kind", "status"),
    [(FaultKind.RATE_LIMITED, 429), (FaultKind.USAGE_CAPPED, 429), (FaultKind.EXPIRED_TOKEN, 401), (FaultKind.FORBIDDEN, 403)],
)
def test_problems_are_valid(call: Any, mb: Microblog, valid: Any, kind: FaultKind, status: int) -> None:
    """Each problem a fault answers with is one that the document describes."""
    mb.faults.add(Fault(kind, "/x/*"))
    valid(call.x("/tweets/search/recent", query="#随手拍"), status)


def test_invalid_requests_are_answered_with_valid_problems(call: Any, valid: Any) -> None:
    """What the document forbids to send is a 400 problem."""
    valid(call.x("/tweets/search/recent", query="#a", max_results=9), 400, request_too=False)
    valid(call.x("/tweets/search/recent", query="#a", expansions="all"), 400, request_too=False)


def test_the_known_fields_are_the_documents(spec: dict[str, Any]) -> None:
    """The fields and expansions this server takes are exactly those of the document, so it refuses what X would refuse."""
    parameters = spec["components"]["parameters"]
    names = {
        "tweet.fields": "Tweet",
        "user.fields": "User",
        "media.fields": "Media",
        "place.fields": "Place",
        "poll.fields": "Poll",
    }
    for field, prefix in names.items():
        assert frozenset(parameters[f"{prefix}FieldsParameter"]["schema"]["items"]["enum"]) == FIELDS[field]
    known = parameters["TweetExpansionsParameter"]["schema"]["items"]["enum"]
    known += parameters["UserExpansionsParameter"]["schema"]["items"]["enum"]
    assert frozenset(known) == FIELDS["expansions"]
