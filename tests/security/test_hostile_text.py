"""Hostile texts, bodies, mails, addresses and case files: each is read or refused in the project's words, and stays inert."""

import json
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.fuzz.__main__ import NAMES
from bot.fuzz.targets import TARGETS, survives
from ingest.addresses import check_url
from store.errors import PhotoRefused

TEXTS = [
    "",
    "\x00",
    "\x1b[2J\x1b]0;title\x07",
    "\u202egnp.exe\u202c 深圳",
    "\u2066\u2067\u2068\u2069" * 50,
    "👨‍👩‍👧‍👦" * 500,
    "𝕊𝕙𝕖𝕟𝕫𝕙𝕖𝕟 𠀀𠀁",
    "\ud83d".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍" * 200,
    "'; DROP TABLE posts; --",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "{{7*7}} ${7*7} #{7*7} <%= 7*7 %>",
    "=HYPERLINK(\"http://evil.example\")",
    "+1+1", "-1", "@SUM(A1)", "\t=1", "\r=1",
    "Subject: x\r\nBcc: everybody@example.org\r\n\r\nbody",
    "../../../etc/passwd", "..\\..\\windows", "%2e%2e%2f", "%00",
    "1" * 100_000,
    "深" * 100_000,
    "昨天" * 5_000,
    "1月" * 5_000 + "32日",
    "省市区县" * 2_000,
    "#" * 10_000, "@" * 10_000, "((((" * 5_000,
    "9999-99-99 99:99", "公元0000年00月00日", "昨天的昨天的" * 500,
    "S-AAAA S-BBBB " * 500,
    "\u3000\u200b\ufeff\u00ad" * 1_000,
    "%s%n%x" * 100,
]  # fmt: skip
"""Control characters, bidi overrides, 4-byte emoji, combining marks, script, SQL, templates, formulas, headers, repetitions."""

MEGABYTE = "在深圳市罗湖区看到一个孩子 <b>&amp;\n" * 40_000
ODD = [None, True, -1, 1e308, "x", [], {}, [[]], {"id": {}}, "\u0000", "9" * 400]


FIELDS = (
    *("id", "idstr", "mid", "text", "created_at", "user", "pic_ids", "geo", "retweeted_status", "account", "content", "entities"),
    *("media_attachments", "author_id", "attachments", "referenced_tweets", "includes", "data", "annotations", "comment"),
)


def bodies() -> list[bytes]:
    """For each text and each odd value, a body in which every field of a platform's post holds it."""
    return [json.dumps(dict.fromkeys(FIELDS, value)).encode() for value in [*TEXTS, *ODD]]


def mails() -> list[bytes]:
    """Each text as a header and as a body, under each way in which mails encode them."""
    sent = "From: a@example.org\r\n"
    ways = (
        "From: {0}\r\nSubject: a\r\n\r\n{0}",
        sent + "Subject: =?utf-8?b?{0}?=\r\n\r\n{0}",
        sent + "Content-Type: multipart/mixed; boundary={0}\r\n\r\n--{0}\r\n\r\n{0}",
        sent + "Content-Type: text/html; charset={0}\r\nContent-Transfer-Encoding: base64\r\n\r\n{0}",
    )
    nested = b"From: a@example.org\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 2_000
    return [nested, *(way.replace("{0}", text).encode("utf-8", "replace") for way, text in product(ways, TEXTS))]


HOSTS = (
    *("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "0", "0x7f.1"),
    *("2130706433", "017700000001", "169.254.169.254", "[fe80::1%25eth0]", "[fd00::1]", "localhost"),
    *("wx1.sinaimg.cn.evil.example", "evil.example#wx1.sinaimg.cn", "wx1.sinaimg.cn@evil.example", "wx1.sinaimg.cn:22"),
    *("evil.example\\@wx1.sinaimg.cn", "xn--wx1.evil.example", "wx1.sinaimg.cn\x00.evil.example", "wx1.sinaimg.cn\r\nHost: evil"),
)
OTHER_URLS = ("file:///etc/passwd", "gopher://127.0.0.1/", "data:image/png;base64,AA", "//evil.example", "http://", "javascript:")
HOSTILE_URLS = [*(f"http://{host}{path}" for host, path in product(HOSTS, ["/a.jpg", "/../../etc/passwd"])), *OTHER_URLS]


def corpus() -> list[tuple[str, bytes]]:
    """Every input with the parser it is meant for."""
    found = [(name, body) for name in ("weibo", "x", "mastodon", "photo_record") for body in bodies()]
    found += [("mail", mail) for mail in mails()]
    found += [(name, text.encode("utf-8", "replace")) for name in ("words", "cases", "address") for text in TEXTS]
    return found


def test_the_list_of_parsers_is_one() -> None:
    """The command that fuzzes and the module with the parsers name the same ones."""
    assert tuple(TARGETS) == NAMES


def test_the_corpus_is_large() -> None:
    """More than 300 different hostile inputs that are no photos (those have a corpus of their own)."""
    assert len(set(corpus())) > 300


@pytest.mark.parametrize("name", NAMES)
def test_every_hostile_input_is_read_or_refused(name: str) -> None:
    """Nothing escapes but the project's own errors."""
    for target, data in corpus():
        if target == name:
            survives(name, data)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["words", "mail", "cases"])
def test_a_megabyte_of_text_is_read_to_its_end(name: str) -> None:
    """A body of a megabyte hangs no parser (the test's time-out would end it)."""
    survives(name, (("From: a@example.org\r\n\r\n" if name == "mail" else "") + MEGABYTE).encode())


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_no_address_leads_elsewhere(url: str) -> None:
    """Inner addresses in every spelling, look-alikes, other schemes, injected headers: refused before a name is looked up."""
    with pytest.raises(PhotoRefused):
        check_url(url, ["*.sinaimg.cn", "pbs.twimg.com"])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NAMES), st.binary(max_size=2_000) | st.text(max_size=1_000).map(lambda t: t.encode("utf-8", "replace")))
def test_any_bytes(name: str, data: bytes) -> None:
    """Any bytes and any text at all are read or refused by every parser."""
    survives(name, data)


KEYS = st.sampled_from(["id", "text", "user", "data", "geo"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["weibo", "x", "mastodon", "photo_record"]), JSON)
def test_any_json(name: str, body: object) -> None:
    """Any JSON at all becomes a post, or a malformed one that is kept."""
    survives(name, json.dumps(body).encode())
