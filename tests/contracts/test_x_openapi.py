"""What the X adapter asks, and what the local microblog answers, held against X's own OpenAPI document.

The document carries no licence and so is not part of this repository; without it these tests skip.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from bot.microblog.faults import Fault, FaultKind
from bot.microblog.server import Microblog, Side
from bot.platforms import x
from bot.platforms.base import Platform
from store.errors import PlatformError
from store.model import MessageKind, Outgoing, Stream, StreamKind

openapi_core = pytest.importorskip("openapi_core")

DOCUMENT = Path(__file__).resolve().parents[3] / "shared" / "specs" / "x-openapi-2.166.json"
pytestmark = [
    pytest.mark.skipif(not DOCUMENT.is_file(), reason=f"X's OpenAPI document is not at ../shared/specs/{DOCUMENT.name}"),
    # openapi-core knows no OAuth 1.0a scheme and says so; who may ask what is not its part here.
    pytest.mark.filterwarnings("ignore:Unsupported scheme type:UserWarning"),
]
TAG = Stream("x", StreamKind.HASHTAG, "随手拍")
MENTIONS = Stream("x", StreamKind.MENTIONS)


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    """X's OpenAPI document."""
    loaded: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture
def check(document: dict[str, Any], microblog: Microblog) -> Callable[[requests.Response], None]:
    """Validates one exchange with the local microblog: its request, and its response. Raises where either does not conform."""
    return _checker(document, microblog.x_url)


@pytest.fixture
def watched(x_build: Callable[..., Platform]) -> tuple[Platform, list[requests.Response]]:
    """The X platform, and every answer its session gets."""
    platform = x_build(timeout_s=20)
    seen: list[requests.Response] = []
    platform._client.session.hooks["response"].append(lambda response, *_, **__: seen.append(response))  # type: ignore[attr-defined]
    return platform, seen


def test_every_call_conforms(
    watched: tuple[Platform, list[requests.Response]], check: Callable[[requests.Response], None], microblog: Microblog
) -> None:
    """All five calls, over full, empty and several pages, ask and are answered as X's document says."""
    platform, seen = watched
    world = microblog.world
    long_ago = world.clock() - timedelta(days=1)
    first = world.add_post(Side.X, "passerby", "#随手拍 火车站 @suishoupai_bot", photos=[_picture()], geo=(23.1, 113.2))
    world.add_post(Side.X, "passerby", "@suishoupai_bot 就是这里", reply_to=first.id)
    long_text = "#随手拍 @suishoupai_bot " + "孩子在天桥下面。" * 60
    world.add_post(Side.X, "passerby", long_text, photos=[_picture()], quote_of=first.id)
    gone = world.add_post(Side.X, "passerby", "#随手拍 删掉的", photos=[_picture()])
    world.delete(gone.id)
    for stream in (TAG, MENTIONS):
        assert platform.read(stream, None, None, long_ago).posts
        platform.read(stream, str(first.id), None, long_ago)
    answer = Outgoing(MessageKind.ANSWER, "已收到，编号 S-4F7K。https://example.org/s/1", "S-4F7K", reply_to_id=str(first.id))
    sent = platform.say(answer)
    assert [p.id for p in platform.own_recent(str(first.id), long_ago)] == [sent.id]
    assert platform.look_up([str(first.id), str(gone.id)]).gone == (str(gone.id),)
    assert platform.account("passer_by")
    assert platform.account("nobody_at_all") is None
    paths = {(r.request.method, r.status_code) for r in seen}
    assert paths == {("GET", 200), ("POST", 201)}
    assert len(seen) == 10
    for response in seen:
        check(response)


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.RATE_LIMITED,
        FaultKind.USAGE_CAPPED,
        FaultKind.PAYMENT_REQUIRED,
        FaultKind.EXPIRED_TOKEN,
        FaultKind.FORBIDDEN,
        FaultKind.DUPLICATE,
        FaultKind.NOT_SUMMONED,
        FaultKind.TARGET_GONE,
    ],
)
def test_every_refusal_conforms(
    kind: FaultKind,
    watched: tuple[Platform, list[requests.Response]],
    check: Callable[[requests.Response], None],
    microblog: Microblog,
) -> None:
    """The local microblog's refusals are problem documents of X's shape, so what the adapter reads of them is real."""
    platform, seen = watched
    microblog.faults.add(Fault(kind, "/x/2/tweets", method="POST"))
    with pytest.raises(PlatformError):
        platform.say(Outgoing(MessageKind.DIGEST, "今日照片 S-4F7K", "S-4F7K"))
    assert len(seen) == 1
    assert seen[0].status_code >= 400
    check(seen[0])


def test_the_check_itself_finds_what_does_not_conform(
    watched: tuple[Platform, list[requests.Response]], check: Callable[[requests.Response], None], microblog: Microblog
) -> None:
    """A request X would not understand and an answer X would not give are both noticed."""
    platform, seen = watched
    platform.account("passer_by")
    url = seen[0].request.url
    assert url is not None
    check(seen[0])
    seen[0].request.url = url.replace("user.fields=", "user.fields=shoe_size%2C")
    with pytest.raises(openapi_core.exceptions.OpenAPIError):
        check(seen[0])
    seen[0].request.url = url
    seen[0]._content = b'{"data": {"id": 17, "name": "a", "username": "a"}}'
    with pytest.raises(openapi_core.exceptions.OpenAPIError):
        check(seen[0])


def test_the_recorded_examples_conform(document: dict[str, Any], replay: Any) -> None:
    """The answers recorded for X are of the shape that X's document gives; those that are wrong on purpose are named here."""
    on_purpose = {"search_malformed_posts_do_not_stop_the_page", "search_neither_posts_nor_count", "say_created_without_id"}
    checked = set()
    for path in replay.examples(replay.EXAMPLES / "x"):
        if path.stem in on_purpose or path.stem.startswith("_"):
            continue
        for response in _answers(path, replay):
            if "json" in response.headers.get("Content-Type", ""):
                _checker(document, str(response.request.url).split("/2/", 1)[0])(response)
                checked.add(path.stem)
    assert len(checked) > 25


def _checker(document: dict[str, Any], address: str) -> Callable[[requests.Response], None]:
    from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse

    api = openapi_core.OpenAPI.from_dict(
        document | {"servers": [{"url": address}]},
        config=openapi_core.Config(
            spec_validator_cls=None,  # the document is taken as it is: X's, not ours to validate
            extra_media_type_deserializers={"application/problem+json": json.loads},
        ),
    )

    def checked(response: requests.Response) -> None:
        request = RequestsOpenAPIRequest(response.request)
        api.validate_request(request)
        api.validate_response(request, RequestsOpenAPIResponse(response))

    return checked


def _answers(path: Path, replay: Any) -> list[requests.Response]:
    example = json.loads(path.read_text(encoding="utf-8"))
    example["settings"] = replay.defaults(path.parent) | example.get("settings", {})
    seen: list[requests.Response] = []
    with replay.replay_server() as server:
        server.exchanges = [dict(e) for e in example["exchanges"]]
        platform = replay.build_platform(x, example, server.url)
        platform._client.session.hooks["response"].append(lambda response, *_, **__: seen.append(response))
        with contextlib.suppress(PlatformError):
            replay.make_call(platform, example["call"])
    return seen


def _picture() -> bytes:
    """A small JPEG of no one."""
    data = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 120, 150)).save(data, "JPEG")
    return data.getvalue()
