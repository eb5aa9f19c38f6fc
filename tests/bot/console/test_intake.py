"""The public form and its receipt: what is sent, what is refused, and what nobody else can see."""

import hashlib
import io
import re
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image
from starlette.testclient import TestClient

from bot.console.app import create_app
from bot.console.intake import Submission, post_id
from bot.console.intakeguard import CHALLENGE_LASTS, Guard, network
from bot.console.parts import Parts
from bot.pipeline import run_round
from store import alerts, erase, media, posts, sightings
from store.model import AlertState
from store.posts import Step

pytestmark = pytest.mark.on_both

NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
FORM = "platforms:\n  intake: {enabled: true, proof_bits: 6, per_hour: 3, without_script_per_hour: 2}\n"


def photo(seed: int = 1, size: tuple[int, int] = (64, 48)) -> bytes:
    """A drawn JPEG of its own."""
    out = io.BytesIO()
    Image.radial_gradient("L").resize(size).rotate(seed * 7).save(out, "JPEG")
    return out.getvalue()


def solve(challenge: str, bits: int) -> str:
    """What the browser's script finds."""
    number = 0
    while int.from_bytes(hashlib.sha256(f"{challenge}:{number}".encode()).digest(), "big") >> (256 - bits):
        number += 1
    return str(number)


@pytest.fixture
def console_settings() -> str:
    return "console: {insecure_cookies: true}\nphotos: {max_bytes: 1000000}\n" + FORM


@pytest.fixture
def send(app) -> Callable[..., object]:
    """Fills in the form as a browser does, in English, and sends it."""
    client = TestClient(app, base_url="http://127.0.0.1", headers={"accept-language": "en"})

    def sent(files=None, *, script: bool = True, follow: bool = True, **fields: str):
        page = client.get("/report").text
        challenge = re.search(r'name="challenge" value="([^"]+)"', page)[1]
        token = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)[1]
        values = {"csrf": token, "challenge": challenge, "proof": solve(challenge, 6) if script else "", **fields}
        given = [("photos", ("a.jpg", data, "image/jpeg")) for data in ([photo()] if files is None else files)]
        return client.post("/report", data=values, files=given, follow_redirects=follow)

    sent.client = client
    return sent


def code_of(answer) -> str:
    return str(answer.headers["location"]).rpartition("/")[2]


# --- sending -------------------------------------------------------------------------------------------------------


def test_a_submission_is_stored_whole_and_its_sender_gets_a_receipt(send, parts: Parts) -> None:
    """Photo, time, place and note become one post with its photo in place; the receipt shows that it arrived."""
    page = send(seen="2026-02-11T20:15", place="深圳市罗湖区火车站", note="a boy with a bowl")
    assert page.status_code == 200
    assert "Your receipt" in page.text
    with parts.store.read() as tx:
        (row,) = posts.pending(tx, Step.STORED, tx.now, 10)
        stored = posts.get(tx, row if isinstance(row, int) else row.id)
        (picture,) = media.of_post(tx, stored.id)
    assert stored.post is not None
    assert stored.post.text == "2026-02-11 20:15\n深圳市罗湖区火车站\na boy with a bowl"
    assert parts.files.get(picture.sha256) == photo()
    assert stored.post.author.handle == "web"
    assert "testclient" not in stored.post.author.id


def test_neither_receipt_code_nor_address_stands_in_the_database(send, parts: Parts, stored_bytes) -> None:
    """Who reads the database can open no receipt and sees no network address."""
    code = code_of(send(follow=False))
    with parts.store.read() as tx:
        assert posts.find(tx, "intake", post_id(code)) is not None
    raw = stored_bytes(parts.store)
    assert code.encode() not in raw
    assert b"testclient" not in raw


def test_another_code_opens_no_receipt(send) -> None:
    """A guessed address is a plain 404."""
    send()
    assert send.client.get("/report/" + "x" * 24).status_code == 404


@pytest.mark.parametrize(
    ("files", "fields", "status", "words"),
    [
        ([], {}, 400, "at least one photo"),
        ([b"no photo at all"], {}, 400, "could not be used"),
        ([photo(n) for n in range(4)], {}, 400, "At most 3"),
        (None, {"seen": "yesterday"}, 400, "time could not be read"),
        (None, {"note": "x" * 2001}, 400, "too long"),
        (None, {"place": "x" * 201}, 400, "too long"),
    ],
)
def test_bad_input_is_refused_in_words(send, parts: Parts, files, fields, status, words) -> None:
    """Each mistake is named, what was written stays in the form, and nothing is stored."""
    answer = send(files, **{"note": "kept words", **fields})
    assert answer.status_code == status
    assert words in answer.text
    if "note" not in fields:
        assert "kept words" in answer.text
    with parts.store.read() as tx:
        assert posts.counts(tx)[Step.STORED] == 0


def test_a_40_mb_photo_is_refused_before_it_is_read(send) -> None:
    """The length alone answers 413: not a byte of such a body is asked for."""
    read = []

    def body():
        read.append(1)
        yield b"x" * 40_000_000

    headers = {"content-length": "40000000", "content-type": "multipart/form-data; boundary=b"}
    answer = send.client.post("/report", content=body(), headers=headers)
    assert answer.status_code == 413
    assert "too large" in answer.text


def test_a_photo_over_the_limit_is_refused_among_small_ones(send, parts: Parts) -> None:
    """Three photos' room is not one huge photo's: each has its own limit."""
    answer = send([b"\xff\xd8\xff" + b"x" * 1_500_000])
    assert answer.status_code == 413
    with parts.store.read() as tx:
        assert posts.counts(tx)[Step.STORED] == 0


def test_script_in_every_field_stays_text(send) -> None:
    """What people write is shown as text, also in the form after a mistake."""
    evil = "<script>alert(1)</script>"
    answer = send([], note=evil, place=evil)
    assert evil not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_a_forged_form_is_refused(send, parts: Parts) -> None:
    """Without the page's token nothing is taken."""
    answer = send.client.post("/report", data={"csrf": "0" * 64}, files=[("photos", ("a.jpg", photo(), "image/jpeg"))])
    assert answer.status_code == 403


def test_an_erased_photo_is_not_taken_again(send, parts: Parts) -> None:
    """What a guardian had erased does not come back through the form."""
    send()
    erase.erase_photo(parts.store, parts.files, hashlib.sha256(photo()).hexdigest(), by="operator", why="a parent asked")
    assert send().status_code == 400


def test_the_form_says_so_where_it_is_closed(parts: Parts) -> None:
    """Without platforms.intake nothing would read what is sent: the page says where to turn instead."""
    shut = parts.settings.model_copy(update={"platforms": {}})
    loaded = type(parts.loaded)(parts.loaded.path, shut, parts.loaded.secrets, {})
    app = create_app(Parts(loaded, parts.store, parts.files, parts.decoder, parts.clock))
    answer = TestClient(app, base_url="http://127.0.0.1", headers={"accept-language": "en"}).get("/report")
    assert answer.status_code == 404
    assert "closed" in answer.text


# --- floods --------------------------------------------------------------------------------------------------------


def test_one_address_has_its_share(send, parts: Parts) -> None:
    """Three submissions an hour from one address; the fourth hears when to come back, and an hour later it may."""
    assert [send([photo(n)]).status_code for n in range(4)] == [200, 200, 200, 429]
    parts.clock.forward(hours=1, seconds=1)
    assert send([photo(9)]).status_code == 200


def test_without_script_there_is_a_small_quota(send) -> None:
    """A browser without script may send; together such browsers have a small quota."""
    answers = [send([photo(n)], script=False) for n in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) > 0


def test_a_proof_is_good_for_one_submission() -> None:
    """Used twice, too old, for another challenge, or wrong: each is refused; a forged challenge too."""
    guard = Guard(8, 100, 100)
    challenge = guard.challenge(NOW)
    proof = solve(challenge, 8)
    assert guard.admit("192.0.2.1", challenge, proof, NOW).problem == ""
    assert guard.admit("192.0.2.1", challenge, proof, NOW).problem == "proof"
    late = guard.challenge(NOW)
    assert guard.admit("192.0.2.1", late, solve(late, 8), NOW + CHALLENGE_LASTS + timedelta(seconds=1)).problem == "proof"
    wrong = next(n for n in range(10_000) if hashlib.sha256(f"{late}:{n}".encode()).digest()[0])
    assert guard.admit("192.0.2.1", late, str(wrong), NOW).problem == "proof"
    forged = Guard(8, 100, 100).challenge(NOW)
    assert guard.admit("192.0.2.1", forged, solve(forged, 8), NOW).problem == "proof"
    for odd in ("", ".", "9" * 400, "\ud7ff", "1.2.3"):
        assert guard.admit("192.0.2.1", odd, "1", NOW).problem == "proof"


def test_a_household_is_one_sender_and_a_day_forgets_it() -> None:
    """IPv6 addresses of one /64 are one sender; its name changes each day, so that days cannot be joined."""
    guard = Guard(8, 100, 100)
    assert network("2001:db8:1:2::5") == network("2001:db8:1:2:ffff::9") != network("2001:db8:1:3::5")
    assert network("::ffff:192.0.2.7") == "192.0.2.7"
    today = guard.pseudonym("192.0.2.7", NOW)
    assert today == guard.pseudonym("192.0.2.7", NOW + timedelta(hours=3))
    assert today != guard.pseudonym("192.0.2.7", NOW + timedelta(days=1))
    assert today != guard.pseudonym("192.0.2.8", NOW)


def test_the_words_are_read_as_a_posts_words_are() -> None:
    """Time and place of the form are found by the same rules as those of a post, in both languages."""
    from ingest.when import resolve_when
    from ingest.where import resolve_where

    for lang in ("zh", "en"):
        text = Submission(datetime(2026, 2, 11, 20, 15), "深圳市罗湖区火车站", "", lang).text()  # noqa: DTZ001
        when = resolve_when(text, datetime(2026, 2, 12, tzinfo=UTC), lang=lang)
        assert when.seen_from == datetime(2026, 2, 11, 12, 15, tzinfo=UTC)
        assert resolve_where(text, lang=lang).adcode == "440303"


# --- the whole way -------------------------------------------------------------------------------------------------


@pytest.fixture
def running(tools, settings_file, microblog, clock, request):
    """A bot over the form's settings, and the console beside it on the same store."""
    from bot.settings import load_settings

    changes = {"platforms": {"intake": {"enabled": True, "proof_bits": 6}, "weibo": {"enabled": False}, "x": {"enabled": False}}}
    loaded = load_settings(settings_file(microblog, changes), environ=tools.environment(microblog))

    @contextmanager
    def both():
        with tools.opened(loaded) as bot:
            console = loaded.settings.console.model_copy(update={"insecure_cookies": True})
            turned = type(loaded)(
                loaded.path, loaded.settings.model_copy(update={"console": console}), loaded.secrets, loaded.modules
            )
            yield bot, Parts(turned, bot.store, bot.files, bot.decoder, clock)

    return both


@pytest.mark.engine
def test_from_the_form_to_the_answer_on_the_receipt(running, photos, tools) -> None:
    """A photo sent by the form goes through the same steps as a post; the answer stands on the receipt, a lead waits for people,
    and nobody is mentioned."""
    with running() as (bot, parts):
        tools.register(bot)
        client = TestClient(create_app(parts), base_url="http://127.0.0.1", headers={"accept-language": "en"})
        page = client.get("/report").text
        challenge = re.search(r'name="challenge" value="([^"]+)"', page)[1]
        values = {
            "csrf": re.search(r'name="csrf" value="([0-9a-f]{64})"', page)[1],
            "challenge": challenge,
            "proof": solve(challenge, 6),
            "place": "深圳市罗湖区火车站",
        }
        seen = next(p for p in photos.values() if p.person == "a" and not p.is_case_photo)
        sent = client.post("/report", data=values, files=[("photos", ("a.jpg", seen.data, "image/jpeg"))], follow_redirects=False)
        assert sent.status_code == 303, sent.text[:500]
        for _ in range(3):
            run_round(bot)
        with bot.store.read() as tx:
            (message,) = alerts.listing(tx, platform="intake", state=AlertState.SENT)
            row = posts.find(tx, "intake", post_id(code_of(sent)))
            sighting = sightings.of_post(tx, row)
            held = [a for a in alerts.listing(tx, platform="intake") if a.state is AlertState.HELD]
        receipt = client.get(sent.headers["location"]).text
        assert message.text in receipt
        assert sighting.ref in receipt
        assert sighting.where.adcode == "440303"
        assert all(not a.mentions for a in held)

        token = re.search(r'action="[^"]*"|name="csrf" value="([0-9a-f]{64})"', receipt)
        token = re.findall(r'name="csrf" value="([0-9a-f]{64})"', receipt)[-1]
        client.post(sent.headers["location"], data={"csrf": token})
        assert "took this back" in client.get(sent.headers["location"]).text
        with bot.store.read() as tx:
            assert posts.get(tx, row).deleted_at is not None
