"""Faults strike what they are meant to strike, and leave the world as a real failure would."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from bot.microblog.faults import Faults, fault_from_json
from bot.microblog.model import Entry, WorldError
from bot.microblog.server import Fault, FaultKind, Microblog, Side

CREATE = "/weibo/2/comments/create.json"
MENTIONS = "/weibo/2/statuses/mentions.json"


@pytest.fixture
def post(mb: Microblog, jpeg: Callable[..., bytes]) -> Entry:
    """A post to comment on."""
    return mb.world.add_post(Side.WEIBO, "passerby", "@随手拍助手 看", photos=[jpeg(2000, 1500)])


@pytest.fixture
def tweet(mb: Microblog) -> Entry:
    """A post to answer."""
    return mb.world.add_post(Side.X, "passerby", "@suishoupai_bot look")


def wait_until(true: Callable[[], bool]) -> None:
    """A client that gave up may be faster than the server; the assertion that follows tells what is wrong."""
    until = time.monotonic() + 10
    while not true() and time.monotonic() < until:
        time.sleep(0.01)


# --- counting ------------------------------------------------------------------------------------------------------


def test_a_fault_counts_down_and_skips() -> None:
    """``skip`` requests pass, ``count`` are struck, the rest pass; count 0 strikes for ever; patterns and methods select."""
    faults = Faults()
    faults.add(Fault(FaultKind.RESET, "/weibo/2/comments/*", method="POST", count=2, skip=1))
    asked = [("POST", CREATE), ("GET", CREATE), ("POST", MENTIONS), ("POST", CREATE), ("POST", CREATE), ("POST", CREATE)]
    assert [faults.strike(*one) is not None for one in asked] == [False, False, False, True, True, False]
    faults.add(Fault(FaultKind.RESET, count=0))
    assert all(faults.strike("GET", MENTIONS) for _ in range(5))
    assert len(faults.listed()) == 1
    faults.clear()
    assert faults.strike("GET", MENTIONS) is None


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ([], "object"),
        ({}, "kind"),
        ({"kind": "earthquake"}, "earthquake"),
        ({"kind": "reset", "cuont": 2}, "cuont"),
        ({"kind": "reset", "count": "2"}, "count"),
        ({"kind": "reset", "accepted": 1}, "accepted"),
        ({"kind": "reset", "seconds": True}, "seconds"),
    ],
)
def test_a_wrong_fault_is_named(body: object, named: str) -> None:
    """An unknown kind or field, or a value of the wrong type, is an error that names it."""
    with pytest.raises(WorldError, match=named):
        fault_from_json(body)


def test_every_kind_can_be_set_from_json() -> None:
    """The JSON form knows every kind."""
    assert [fault_from_json({"kind": kind.value, "seconds": 2}).kind for kind in FaultKind] == list(FaultKind)


# --- answers in the platform's form --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "weibo", "x"),
    [
        (FaultKind.RATE_LIMITED, (403, 10023), (429, "about:blank")),
        (FaultKind.USAGE_CAPPED, (403, 10024), (429, "usage-capped")),
        (FaultKind.PAYMENT_REQUIRED, (403, 10014), (402, "credits")),
        (FaultKind.EXPIRED_TOKEN, (403, 21327), (401, "about:blank")),
        (FaultKind.FORBIDDEN, (403, 10014), (403, "client-forbidden")),
        (FaultKind.DUPLICATE, (400, 20019), (403, "about:blank")),
        (FaultKind.NOT_SUMMONED, (400, 20021), (403, "about:blank")),
        (FaultKind.TARGET_GONE, (400, 20101), (403, "about:blank")),
    ],
)
def test_errors_come_in_the_struck_platforms_form(
    call: Any, mb: Microblog, post: Entry, tweet: Entry, kind: FaultKind, weibo: tuple[int, int], x: tuple[int, str]
) -> None:
    """Each error has its platform's status and code, nothing is said, and the next request goes through."""
    mb.faults.add(Fault(kind, CREATE), Fault(kind, "/x/2/tweets"))
    told = call.comment(post.id, "收到")
    assert (told.status_code, told.json()["error_code"]) == weibo
    answer = call.tweet("received", tweet.id)
    assert answer.status_code == x[0]
    assert answer.json()["type"].endswith(x[1])
    assert mb.world.ledger.publications == []
    assert call.comment(post.id, "收到").ok
    assert call.tweet("received", tweet.id).ok


def test_429_with_and_without_reset(call: Any, mb: Microblog, clock: Any) -> None:
    """The header is there exactly where it was asked for."""
    mb.faults.add(Fault(FaultKind.RATE_LIMITED, "/x/*", reset_s=60), Fault(FaultKind.RATE_LIMITED, "/x/*"))
    first, second = (call.x("/tweets/search/recent", query="#a") for _ in range(2))
    assert first.headers["x-rate-limit-reset"] == str(int(clock().timestamp()) + 60)
    assert "x-rate-limit-reset" not in second.headers
    assert (first.status_code, second.status_code) == (429, 429)


@pytest.mark.parametrize(
    ("fault", "status", "held"),
    [
        (Fault(FaultKind.SERVER_ERROR, MENTIONS), 503, "<h1>"),
        (Fault(FaultKind.SERVER_ERROR, MENTIONS, status=502), 502, "<h1>"),
        (Fault(FaultKind.LOGIN_PAGE, MENTIONS), 200, "<form>"),
        (Fault(FaultKind.EMPTY, MENTIONS), 200, ""),
        (Fault(FaultKind.GARBAGE, MENTIONS), 200, "NaN"),
        (Fault(FaultKind.ERROR, MENTIONS, code=20031), 400, "20031"),
    ],
)
def test_answers_that_are_no_answer(call: Any, mb: Microblog, fault: Fault, status: int, held: str) -> None:
    """Pages, empty and broken bodies come with the status they would really have."""
    mb.faults.add(fault)
    answer = call.weibo("statuses/mentions")
    assert answer.status_code == status
    assert held in answer.text
    if fault.kind is not FaultKind.ERROR:
        with pytest.raises(ValueError, match=r"."):
            answer.json()


# --- the write is done, the answer is lost -------------------------------------------------------------------------


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.TIME_OUT, FaultKind.SERVER_ERROR, FaultKind.GARBAGE])
def test_a_lost_answer_leaves_the_write_done_or_not(
    call: Any, mb: Microblog, post: Entry, kind: FaultKind, accepted: bool
) -> None:
    """Accepted or not decides whether it was published, which the client cannot see: the ledger and comments/by_me can."""
    mb.faults.add(Fault(kind, CREATE, accepted=accepted, seconds=20))
    if kind is FaultKind.TIME_OUT:
        call.timeout_s = 0.5
    try:
        answer = call.comment(post.id, "收到 S-1")
    except requests.RequestException as error:
        lost = isinstance(error, requests.Timeout)
        assert lost == (kind is FaultKind.TIME_OUT)
    else:
        assert kind in (FaultKind.SERVER_ERROR, FaultKind.GARBAGE)
        assert b"idstr" not in answer.content
    call.timeout_s = 10
    wait_until(lambda: bool(mb.faults.struck) and len(mb.world.ledger.publications) == accepted)
    assert [p.text for p in mb.world.ledger.publications] == ["收到 S-1"] * accepted
    assert call.weibo("comments/by_me").json()["total_number"] == accepted
    assert call.comment(post.id, "收到 S-1").status_code == (400 if accepted else 200)


def test_a_late_answer_is_the_true_one(call: Any, mb: Microblog, post: Entry) -> None:
    """A client that waits longer than the fault gets the answer to what was carried out."""
    mb.faults.add(Fault(FaultKind.TIME_OUT, CREATE, accepted=True, seconds=0.3))
    began = time.monotonic()
    answer = call.comment(post.id, "收到 S-1")
    assert time.monotonic() - began >= 0.3
    assert answer.json()["idstr"] == mb.world.ledger.publications[0].id


def test_accepted_but_delayed(call: Any, mb: Microblog, clock: Any, post: Entry, tweet: Entry) -> None:
    """Weibo answers 20032, X as always; either shows the text only after the delay."""
    mb.faults.add(Fault(FaultKind.DELAYED, CREATE, seconds=60), Fault(FaultKind.DELAYED, "/x/2/tweets", seconds=60))
    assert call.comment(post.id, "收到 S-1").json()["error_code"] == 20032
    assert call.tweet("S-2", tweet.id).status_code == 201
    assert len(mb.world.ledger.publications) == 2
    own = f"/users/{mb.world.bot.x_id}/tweets"
    assert call.weibo("comments/by_me").json()["comments"] == []
    assert call.x(own).json()["meta"]["result_count"] == 0
    clock.move(seconds=61)
    assert call.weibo("comments/by_me").json()["comments"][0]["text"] == "收到 S-1"
    assert call.x(own).json()["meta"]["result_count"] == 1


def test_a_truncated_answer_ends_in_the_middle(call: Any, mb: Microblog, post: Entry) -> None:
    """The client sees fewer bytes than were announced; the write is done."""
    mb.faults.add(Fault(FaultKind.TRUNCATED, CREATE))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        call.comment(post.id, "收到")
    assert len(mb.world.ledger.publications) == 1


# --- photos --------------------------------------------------------------------------------------------------------


def photo_url(mb: Microblog, post: Entry) -> str:
    return f"{mb.weibo_url}/large/{post.photos[0]}.jpg"


def test_a_slow_photo_comes_in_pieces(mb: Microblog, call: Any, post: Entry) -> None:
    """The bytes are true, and take as long as was asked."""
    mb.faults.add(Fault(FaultKind.SLOW, "/weibo/large/*", seconds=0.5))
    began = time.monotonic()
    assert call.session.get(photo_url(mb, post)).content == mb.world.photos[post.photos[0]].data
    assert time.monotonic() - began >= 0.4


def test_a_corrupt_photo_keeps_its_length(mb: Microblog, call: Any, post: Entry) -> None:
    """The head is a JPEG's, the rest is damaged."""
    data = mb.world.photos[post.photos[0]].data
    mb.faults.add(Fault(FaultKind.CORRUPT, "*.jpg"))
    got = call.session.get(photo_url(mb, post)).content
    assert len(got) == len(data)
    assert got[:3] == data[:3]
    assert got != data


def test_an_endless_photo_has_no_length_and_ends_with_its_reader(mb: Microblog, call: Any, post: Entry) -> None:
    """A client with a cap stops reading; the server goes on serving others."""
    mb.faults.add(Fault(FaultKind.ENDLESS, "*.jpg"))
    with call.session.get(photo_url(mb, post), stream=True) as answer:
        assert "content-length" not in answer.headers
        got = 0
        for piece in answer.iter_content(65536):
            got += len(piece)
            if got > 1_000_000:
                break
    assert call.weibo("statuses/mentions").ok


def test_a_photo_that_redirects(mb: Microblog, call: Any, post: Entry) -> None:
    """A redirect leads wherever the test wants a careless client to go."""
    mb.faults.add(Fault(FaultKind.REDIRECT, "*.jpg", location="http://169.254.169.254/"))
    answer = call.session.get(photo_url(mb, post), allow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (302, "http://169.254.169.254/")


# --- what the ledger and the server keep ---------------------------------------------------------------------------


def test_the_ledger_counts_calls_and_refusals(call: Any, mb: Microblog, post: Entry) -> None:
    """Every API call is counted by path; refusals and struck requests are kept with their status."""
    mb.faults.add(Fault(FaultKind.RESET, MENTIONS))
    with pytest.raises(requests.ConnectionError):
        call.weibo("statuses/mentions")
    call.weibo("statuses/mentions")
    call.comment(1, "收到")
    assert mb.world.ledger.calls[f"GET {MENTIONS}"] == 2
    assert [(r.path, r.status) for r in mb.world.ledger.refusals] == [(MENTIONS, 0), (CREATE, 400)]


def test_the_page_and_the_control_interface_are_never_struck(call: Any, mb: Microblog) -> None:
    """A fault on every path leaves them alone."""
    mb.faults.add(Fault(FaultKind.RESET, "*", count=0))
    assert call.session.get(mb.url).ok
    assert call.session.get(f"{mb.url}/_world/ledger").ok


@pytest.mark.timeout(60)
def test_stopping_lets_go_of_a_held_request(clock: Any) -> None:
    """A request that a fault holds for minutes does not keep the server from stopping."""
    with Microblog(clock=clock) as mb:
        mb.faults.add(Fault(FaultKind.TIME_OUT, MENTIONS, seconds=300))
        with pytest.raises(requests.Timeout):
            requests.get(f"{mb.url}{MENTIONS}", timeout=0.2)
    with pytest.raises(requests.ConnectionError):
        requests.get(mb.url, timeout=5)
