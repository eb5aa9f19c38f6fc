"""The suite every platform passes: each name of ``available()`` is run through it, with nothing to register."""

from __future__ import annotations

import copy
import inspect
import json
import random
import re
import traceback
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest

from bot.platforms.base import Platform, PlatformSettings
from bot.platforms.loading import available, load
from store import errors
from store.model import Capability, LookUp, MessageKind, Outgoing, Page, Post, Stream, StreamKind

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
NOW = datetime.fromisoformat("2026-11-20T12:00:00+08:00")
EVERY = available()
PLATFORMS = [name for name in EVERY if getattr(load(name), "WIRE", "http") == "http"]
"""Those that speak HTTP. One that speaks something else says so in ``WIRE`` and has its own suite, test_<name>.py."""


def _examples_of(name: str) -> list[Path]:
    found = sorted((EXAMPLES / name).glob("*.json"))
    return [path for path in found if not path.name.startswith("_") and not path.name.endswith(".expected.json")]


CASES = [(name, path) for name in PLATFORMS for path in _examples_of(name)]


def _example(path: Path) -> dict[str, Any]:
    example: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return example


def _is_readable(path: Path) -> bool:
    """Whether the example's first answer is a JSON body of a success: one that can be spoilt."""
    first = next((e["response"] for e in _example(path)["exchanges"]), {})
    return "json" in first and 200 <= first.get("status", 200) < 300


def _returns_posts(path: Path) -> bool:
    partner = path.with_name(f"{path.stem}.expected.json")
    expected = json.loads(partner.read_text(encoding="utf-8")) if partner.is_file() else {}
    return bool({"read", "look_up"} & set(_example(path)["call"])) and "returns" in expected


def _each_example(cases: list[tuple[str, Path]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("name", "path"), cases, ids=[f"{name}-{path.stem}" for name, path in cases])


each_platform = pytest.mark.parametrize("name", PLATFORMS)
every_platform = pytest.mark.parametrize("name", EVERY)
MENTIONS = StreamKind.MENTIONS
MESSAGE = Outgoing(MessageKind.ANSWER, "收到，编号 S-4F7K。如遇紧急情况请拨打110。", "S-4F7K", reply_to_id="5012345678901234")


@pytest.fixture
def build(replay: ModuleType, server: Any) -> Callable[..., Platform]:
    """Builds a platform by name, pointed at the replay server unless settings say otherwise."""

    def built(name: str, **settings: Any) -> Platform:
        given = replay.defaults(EXAMPLES / name) | settings
        platform: Platform = replay.build_platform(load(name), {"settings": given}, server.url)
        return platform

    return built


# --- what it is ----------------------------------------------------------------------------------------------------


@every_platform
def test_it_follows_the_protocol_with_at_most_five_methods(name: str, build: Callable[..., Platform]) -> None:
    """A platform object offers exactly the calls of the Protocol: nothing else may come to depend on one of them."""
    platform = build(name)
    methods = {n for n, _ in inspect.getmembers(type(platform), inspect.isfunction) if not n.startswith("_")}
    assert isinstance(platform, Platform)
    assert methods == {"read", "look_up", "say", "own_recent", "account"}
    assert platform.name == name


@every_platform
def test_its_module_holds_settings_secrets_and_build(name: str) -> None:
    """Every key is described, and secrets are named as environment names with a sentence each."""
    module = load(name)
    assert issubclass(module.Settings, PlatformSettings)
    assert [key for key, field in module.Settings.model_fields.items() if not field.description] == []
    assert module.SECRETS or name not in PLATFORMS
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]+", env) and why for env, why in module.SECRETS.items())


@each_platform
def test_a_missing_secret_is_a_clear_settings_error(name: str, replay: ModuleType) -> None:
    """Without its secrets a platform is not built, and the error names the variable and how to mend it."""
    module = load(name)
    settings = replay.read_settings(module, replay.defaults(EXAMPLES / name), "http://127.0.0.1:9")
    with pytest.raises(errors.SettingsError) as caught:
        module.build(settings, {}, lambda: NOW)
    assert any(env in str(caught.value) for env in module.SECRETS)
    assert caught.value.mend


@every_platform
def test_it_explains_all_six_capabilities(name: str, build: Callable[..., Platform]) -> None:
    """Each capability is decided and has a sentence that says why, on or off; every one can be switched off."""
    rules = build(name).rules
    assert set(rules.capabilities) == set(Capability)
    assert all(len(allowance.why) > 20 for allowance in rules.capabilities.values())
    off = build(name, **{capability.value: False for capability in Capability}).rules
    assert [c for c, allowance in off.capabilities.items() if allowance.on] == []


@every_platform
def test_its_rules_are_complete(name: str, build: Callable[..., Platform]) -> None:
    """Lengths, addresses, hosts and batches are those of a platform one can post on."""
    rules = build(name).rules
    assert rules.length("") == 0
    linked = rules.length("孩子 https://example.org/" + "x" * 300)
    assert 0 < rules.length("a") <= rules.length("孩子") <= linked
    assert linked < 100 or name not in PLATFORMS
    assert rules.max_length >= rules.length(MESSAGE.text)
    assert rules.mention("someone").strip() == "@someone"
    address = rules.post_url("1234567890", "5012345678901234")
    assert urlsplit(address).scheme == "https" or (not address and name not in PLATFORMS)
    assert bool(rules.photo_hosts) is (rules.photo_reader is None)
    assert all("." in host.removeprefix("*.") for host in rules.photo_hosts)
    assert 1 <= rules.look_up_batch <= 100
    assert rules.indexing_delay_s >= 0


@every_platform
def test_ids_are_ordered_by_age(name: str, build: Callable[..., Platform]) -> None:
    """A longer id is a later one, as numbers and not as words; what is no id does not raise."""
    key = build(name).rules.id_key
    ids = ["1000000000000000001", "999999999999999999", "1000000000000000000"]
    assert sorted(ids, key=key) == ["999999999999999999", "1000000000000000000", "1000000000000000001"]
    key("not an id")


# --- recorded traffic ----------------------------------------------------------------------------------------------


@every_platform
def test_every_call_has_a_recorded_example(name: str) -> None:
    """A platform without examples of each of its calls fails here; one that speaks no HTTP has a suite of its own for them."""
    calls = {next(iter(_example(path)["call"])) for path in _examples_of(name)}
    if name not in PLATFORMS:
        assert Path(__file__).with_name(f"test_{name}.py").is_file()
    if getattr(load(name), "WIRE", "http") == "none":
        return
    assert calls == {"read", "look_up", "say", "own_recent", "account"}


@_each_example(CASES)
def test_the_example_replays(name: str, path: Path, replay: ModuleType) -> None:
    """Against the recorded traffic the platform asks exactly what was recorded and returns or raises what is expected."""
    assert replay.check_example(load(name), path) == []


@_each_example([case for case in CASES if _returns_posts(case[1])])
def test_photos_and_addresses_of_the_example_belong_to_the_platform(name: str, path: Path, replay: ModuleType) -> None:
    """Photos come from hosts the platform names, largest first, and posts have a web address or none."""
    example = replay.read_example(path)
    with replay.replay_server() as server:
        server.exchanges = [dict(e) for e in example["exchanges"]]
        platform = replay.build_platform(load(name), example, server.url)
        result = replay.make_call(platform, example["call"])
    for post in _posts(result):
        assert post.platform == name
        assert post.posted_at.tzinfo is not None
        assert not post.url or urlsplit(post.url).scheme in ("https", "http")
        for url in (url for media in post.media for url in media.urls):
            host = urlsplit(url).hostname or ""
            assert any(fnmatch(host, pattern) for pattern in platform.rules.photo_hosts), host


@_each_example([case for case in CASES if _is_readable(case[1])])
def test_a_malformed_answer_never_escapes_as_another_error(name: str, path: Path, replay: ModuleType, server: Any) -> None:
    """Whatever single value of an answer is swapped for another, the call returns or raises one of the platform errors.

    Inside a list of posts the page survives: only that post is malformed.
    """
    example = replay.read_example(path)
    first = example["exchanges"][0]["response"]
    single = "read" in example["call"] and len(example["exchanges"]) == 1
    example["settings"].setdefault("timeout_s", replay.PATIENT_S)
    for where, spoilt in _spoilt(first["json"], random.Random(path.stem), at_most=30):
        server.play({**first, "json": spoilt}, repeat=True)
        platform = replay.build_platform(load(name), example, server.url)
        try:
            result = replay.make_call(platform, example["call"])
        except errors.PlatformError as error:
            escaped = single and _inside_a_list(where) and "errors" not in where
            stopped = f"{where}: {error}" if escaped else ""
        else:
            stopped = f"{where}: returned {result!r}" if single and not isinstance(result, Page) else ""
        assert not stopped


# --- faults --------------------------------------------------------------------------------------------------------

RESET = NOW + timedelta(minutes=10)
PAGE = "<!DOCTYPE html><html><head><title>登录</title></head><body><form>请先登录</form></body></html>"
LIMITED = {"Retry-After": format_datetime(RESET.astimezone(UTC), usegmt=True), "x-rate-limit-reset": str(int(RESET.timestamp()))}
DOWN = (errors.Unreachable, errors.BadResponse)
ACT = (errors.Unauthorised, errors.RateLimited, errors.Blocked, errors.BadResponse)

READING: dict[str, tuple[dict[str, Any], tuple[type[Exception], ...]]] = {
    "limited": ({"status": 429, "json": {}, "headers": LIMITED}, (errors.RateLimited,)),
    "limited without reset": ({"status": 429, "json": {}}, (errors.RateLimited,)),
    "limited with nonsense": (
        {"status": 429, "text": "", "headers": {"Retry-After": "soon", "x-rate-limit-reset": "later"}},
        (errors.RateLimited,),
    ),
    "token": ({"status": 401, "json": {}}, (errors.Unauthorised,)),
    "payment": ({"status": 402, "json": {}}, ACT),
    "forbidden": ({"status": 403, "json": {}}, ACT),
    "server error": ({"status": 500, "json": {}}, DOWN),
    "bad gateway": ({"status": 502, "text": "<html>bad gateway</html>"}, DOWN),
    "no answer": ({"fault": "timeout"}, DOWN),
    "reset": ({"fault": "reset"}, DOWN),
    "cut": ({"fault": "cut"}, DOWN),
    "garbage": ({"text": "\x00\x01 no json"}, (errors.BadResponse,)),
    "half a body": ({"text": '{"statuses": [{"id": 1'}, (errors.BadResponse,)),
    "another body": ({"json": "ok"}, (errors.BadResponse,)),
    "a bare number": ({"json": 7}, (errors.BadResponse,)),
    "sign-in page": ({"text": PAGE}, (errors.Blocked,)),
    "captcha page": ({"status": 403, "text": PAGE}, (errors.Blocked,)),
    "redirect": ({"status": 302, "text": "", "headers": {"Location": "https://sign-in.example.org/"}}, (errors.Blocked,)),
}

WRITING: dict[str, tuple[dict[str, Any], tuple[type[Exception], ...]]] = {
    "limited": ({"status": 429, "json": {}, "headers": LIMITED}, (errors.RateLimited,)),
    "limited without reset": ({"status": 429, "json": {}}, (errors.RateLimited,)),
    "token": ({"status": 401, "json": {}}, (errors.Unauthorised,)),
    "payment": ({"status": 402, "json": {}}, (errors.Unauthorised, errors.RateLimited, errors.Refused)),
    "forbidden": ({"status": 403, "json": {}}, (errors.Unauthorised, errors.Refused)),
    "bad request": ({"status": 400, "json": {}}, (errors.Refused,)),
    "server error": ({"status": 500, "json": {}}, (errors.Doubtful,)),
    "bad gateway": ({"status": 502, "text": "<html>bad gateway</html>"}, (errors.Doubtful,)),
    "no answer": ({"fault": "timeout"}, (errors.Doubtful,)),
    "reset": ({"fault": "reset"}, (errors.Doubtful,)),
    "cut": ({"fault": "cut"}, (errors.Doubtful,)),
    "garbage": ({"text": "\x00\x01 no json"}, (errors.Doubtful,)),
    "an empty answer": ({"json": {}}, (errors.Doubtful,)),
    "page instead of an answer": ({"text": PAGE}, (errors.Doubtful,)),
    "captcha page": ({"status": 403, "text": PAGE}, (errors.Blocked, errors.Refused)),
}


def read(platform: Platform, kind: StreamKind) -> Any:
    """One page, as the pipeline asks for it."""
    return platform.read(Stream(platform.name, kind, "随手拍"), None, None, NOW - timedelta(days=1))


@each_platform
@pytest.mark.parametrize("kind", list(StreamKind))
@pytest.mark.parametrize("fault", READING)
def test_a_fault_in_reading_is_never_no_posts(
    name: str, kind: StreamKind, fault: str, build: Callable[..., Platform], server: Any, replay: ModuleType
) -> None:
    """Blocked, rate-limited, unauthorised and broken are different outcomes from each other and from an empty page."""
    response, expected = READING[fault]
    platform = build(name, **_patience(response, replay))
    server.play(response, repeat=True)
    with pytest.raises(expected) as caught:
        read(platform, kind)
    assert not isinstance(caught.value, errors.Doubtful)
    if fault == "limited":
        assert caught.value.until == RESET  # type: ignore[attr-defined]
    _no_secrets(caught.value, name, platform)


@each_platform
@pytest.mark.parametrize("call", ["look_up", "own_recent", "account"])
@pytest.mark.parametrize("fault", ["server error", "garbage", "no answer", "sign-in page", "limited", "token", "another body"])
def test_a_fault_in_looking_is_never_nothing_found(
    name: str, call: str, fault: str, build: Callable[..., Platform], server: Any, replay: ModuleType
) -> None:
    """A failed look-up deletes nobody's post, a failed read-back is not "never said", a failed profile not "no account"."""
    response, expected = READING[fault]
    platform = build(name, **_patience(response, replay))
    server.play(response, repeat=True)
    arguments: dict[str, Sequence[Any]] = {
        "look_up": [["5012345678901234"]],
        "own_recent": ["5012345678901234", NOW - timedelta(hours=1)],
        "account": ["someone"],
    }
    with pytest.raises(expected) as caught:
        getattr(platform, call)(*arguments[call])
    _no_secrets(caught.value, name, platform)


@each_platform
@pytest.mark.parametrize("fault", WRITING)
def test_a_fault_in_writing_says_whether_it_may_have_been_published(
    name: str, fault: str, build: Callable[..., Platform], server: Any, replay: ModuleType
) -> None:
    """One request, never a retry; and ``certain`` is False exactly where the message may stand there all the same."""
    response, expected = WRITING[fault]
    platform = build(name, **_patience(response, replay))
    server.play(response, repeat=True)
    with pytest.raises(expected) as caught:
        platform.say(MESSAGE)
    assert len(server.requests) == 1
    assert caught.value.certain is (errors.Doubtful not in expected)  # type: ignore[attr-defined]
    assert not isinstance(caught.value, errors.AlreadySaid)
    _no_secrets(caught.value, name, platform)


@each_platform
def test_a_refused_connection_is_certain(name: str, replay: ModuleType, build: Callable[..., Platform]) -> None:
    """Where nothing listens nothing was published: both directions say Unreachable, which is safe to try again."""
    platform = build(name, base_url=f"http://127.0.0.1:{replay.free_port()}")
    with pytest.raises(errors.Unreachable):
        platform.say(MESSAGE)
    with pytest.raises(errors.Unreachable):
        read(platform, MENTIONS)


@each_platform
def test_a_message_too_long_is_refused_before_it_is_sent(name: str, build: Callable[..., Platform], server: Any) -> None:
    """The platform's own length rule holds: no request is spent on what it will refuse."""
    server.play({"status": 400, "json": {}}, repeat=True)
    platform = build(name)
    text = "孩" * (platform.rules.max_length + 1)
    with pytest.raises(errors.Refused):
        platform.say(Outgoing(MessageKind.ANSWER, text, "S-4F7K", reply_to_id="5012345678901234"))
    assert server.requests == []


# --- one file and its examples -------------------------------------------------------------------------------------

TOY = '''
"""A toy platform: one file."""
import requests
from datetime import datetime
from pydantic import Field
from bot.platforms.base import PlatformSettings
from ingest.source import Rules
from store.errors import BadResponse
from store.model import Allowance, Author, Capability, Page, Post

SECRETS = {"TOY_TOKEN": "what the toy asks for"}

class Settings(PlatformSettings):
    base_url: str = Field(default="https://toy.example.org", description="The toy's address.")

class Toy:
    name = "toy"
    def __init__(self, settings, token):
        self.settings, self.token = settings, token
        self.rules = Rules(
            280, len, int, lambda a, i: f"https://toy.example.org/{i}", lambda h: "@" + h, ("toy.example.org",),
            {c: Allowance(False, "a toy only reads, it does not speak") for c in Capability}, {},
        )
    def read(self, stream, since, page, not_before):
        answer = requests.get(f"{self.settings.base_url}/posts", params={"tag": stream.query}, timeout=self.settings.timeout_s)
        if answer.status_code != 200:
            raise BadResponse(f"toy: HTTP {answer.status_code}")
        return Page(posts=tuple(
            Post("toy", str(p["id"]), Author(p["by"], p["by"]), p["text"], datetime.fromisoformat(p["at"]),
                 f"https://toy.example.org/{p['id']}") for p in answer.json()))
    def look_up(self, ids): raise NotImplementedError
    def say(self, message): raise NotImplementedError
    def own_recent(self, reply_to_id, since): raise NotImplementedError
    def account(self, handle=None): raise NotImplementedError

def build(settings, secrets, clock):
    return Toy(settings, secrets["TOY_TOKEN"])
'''
TOY_EXAMPLE = {
    "about": "One post of the toy.",
    "call": {"read": {"stream": {"kind": "hashtag", "query": "随手拍"}}},
    "exchanges": [
        {
            "request": {"method": "GET", "path": "/posts", "params": {"tag": "随手拍"}},
            "response": {"json": [{"id": 7, "by": "kite", "text": "seen at the station", "at": "2026-11-20T10:00:00+08:00"}]},
        }
    ],
}
TOY_EXPECTED = {
    "returns": {
        "posts": [
            {
                "platform": "toy",
                "id": "7",
                "author": {"id": "kite", "handle": "kite"},
                "text": "seen at the station",
                "posted_at": "2026-11-20T02:00:00+00:00",
                "url": "https://toy.example.org/7",
            }
        ]
    }
}


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A folder with one platform file and its example."""
    (tmp_path / "toy.py").write_text(TOY, encoding="utf-8")
    (tmp_path / "read.json").write_text(json.dumps(TOY_EXAMPLE), encoding="utf-8")
    (tmp_path / "read.expected.json").write_text(json.dumps(TOY_EXPECTED), encoding="utf-8")
    return tmp_path


def test_adding_a_platform_needs_one_file_and_its_examples(toy: Path, replay: ModuleType) -> None:
    """A file in an operator's folder is found, loaded, built, and held to its recorded example like the project's own."""
    assert available([toy]) == sorted([*EVERY, "toy"])
    module = load("toy", [toy])
    assert replay.check_example(module, toy / "read.json") == []
    assert isinstance(module.build(module.Settings(), {"TOY_TOKEN": "x"}, lambda: NOW), Platform)


def test_an_example_that_differs_fails(toy: Path, replay: ModuleType) -> None:
    """The check notices another value, a request never made, a request too many and a missing partner."""
    module = load("toy", [toy])
    example = json.loads((toy / "read.json").read_text(encoding="utf-8"))
    other = copy.deepcopy(TOY_EXPECTED)
    other["returns"]["posts"][0]["text"] = "something else"
    (toy / "read.expected.json").write_text(json.dumps(other), encoding="utf-8")
    assert replay.check_example(module, toy / "read.json")
    (toy / "read.expected.json").write_text(json.dumps(TOY_EXPECTED), encoding="utf-8")
    (toy / "read.json").write_text(json.dumps({**example, "exchanges": example["exchanges"] * 2}), encoding="utf-8")
    assert any("never asked" in p for p in replay.check_example(module, toy / "read.json"))
    (toy / "read.json").write_text(json.dumps({**example, "exchanges": []}), encoding="utf-8")
    assert any("not expected" in p for p in replay.check_example(module, toy / "read.json"))
    (toy / "read.expected.json").unlink()
    assert any("no read.expected.json" in p for p in replay.check_example(module, toy / "read.json"))


# --- helpers -------------------------------------------------------------------------------------------------------


def _patience(response: dict[str, Any], replay: ModuleType) -> dict[str, float]:
    return {"timeout_s": replay.IMPATIENT_S} if response.get("fault") == "timeout" else {}


def _posts(result: Any) -> Iterator[Post]:
    if isinstance(result, Page | LookUp):
        for post in result.posts:
            if isinstance(post, Post):
                yield post
                if post.repost_of:
                    yield post.repost_of


def _no_secrets(error: BaseException, name: str, platform: Platform) -> None:
    """Neither the error, nor anything chained to it, nor the platform's repr shows a secret."""
    shown = "".join(traceback.format_exception(error)) + repr(platform) + str(vars(error))
    link: BaseException | None = error
    while link is not None:
        shown += repr(link) + str(link.__cause__) + repr(link.__context__)
        link = link.__cause__ or link.__context__
    for env in load(name).SECRETS:
        assert f"example-{env}" not in shown


_ODD: tuple[Any, ...] = (None, "", "x", 0, -1, True, [], {}, ["x"], {"x": 1}, 1e308, 10**30, "9" * 400, "\ud7ff\x00")


def _spoilt(body: Any, chance: random.Random, at_most: int) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Copies of ``body`` in which one value, at the path given, is another or gone."""
    paths = list(_paths(body))
    for _ in range(min(at_most, len(paths) * len(_ODD))):
        where = chance.choice(paths)
        spoilt = copy.deepcopy(body)
        holder = spoilt
        for step in where[:-1]:
            holder = holder[step]
        if chance.random() < 0.15 and isinstance(holder, dict):
            del holder[where[-1]]
        else:
            holder[where[-1]] = chance.choice(_ODD)
        yield where, spoilt


def _paths(body: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    steps = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for step, value in steps:
        yield (*at, step)
        yield from _paths(value, (*at, step))


def _inside_a_list(where: tuple[Any, ...]) -> bool:
    return any(isinstance(step, int) for step in where)
