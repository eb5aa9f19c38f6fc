"""How each side reads a text: mentions, topics, links, length. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from bot.microblog.model import Side

_URL = re.compile(r"https?://[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_MENTION = {
    # A Weibo name goes on as far as letters, digits, "_" and "-" do, Chinese too: writing on without a space names nobody.
    Side.WEIBO: re.compile(r"@([\w\-]{1,30})"),
    Side.X: re.compile(r"(?<![A-Za-z0-9_@])@([A-Za-z0-9_]{1,15})(?![A-Za-z0-9_@])"),
}
_TOPIC = {Side.WEIBO: re.compile(r"#([^#\n]{1,70})#"), Side.X: re.compile(r"(?<![\w&])[#＃](\w*[^\W\d_]\w*)")}


@dataclass(frozen=True, slots=True)
class Span:
    """A found piece of text: its value without sign, and where it stands (code points, end exclusive)."""

    value: str
    start: int
    end: int


def mentions(text: str, side: Side) -> list[Span]:
    """The handles named in ``text``, in order."""
    return [Span(m[1], m.start(), m.end()) for m in _MENTION[side].finditer(_without_links(text))]


def topics(text: str, side: Side) -> list[Span]:
    """The hashtags of ``text``: ``#topic#`` on Weibo, ``#topic`` on X."""
    return [Span(m[1].strip(), m.start(), m.end()) for m in _TOPIC[side].finditer(_without_links(text))]


def links(text: str) -> list[Span]:
    """The web addresses in ``text``."""
    return [Span(m[0], m.start(), m.end()) for m in _URL.finditer(text)]


def _without_links(text: str) -> str:
    return _URL.sub(lambda m: " " * len(m[0]), text)


def weibo_length(text: str) -> float:
    """Length in full characters: 1 per other, a half per ASCII character, 10 for an address (shortened to t.cn)."""
    rest = _URL.sub("", text)
    return 10 * len(_URL.findall(text)) + sum(0.5 if ord(c) < 128 else 1 for c in rest)


def x_length(text: str) -> int:
    """Weighted length as X counts it: CJK and emoji 2, an address 23."""
    from twitter_text import parse_tweet  # here: its patterns take half a second to compile

    return int(parse_tweet(text).weightedLength)


def short_link(address: str) -> str:
    """The t.co address X shows instead of ``address``."""
    digest = hashlib.sha256(address.encode()).hexdigest()
    return "https://t.co/" + digest[:10]


def language(text: str) -> str:
    """A BCP 47 tag for ``text``: ja where it has kana, zh where it has Han characters, en for letters, else und."""
    if re.search(r"[\u3040-\u30ff]", text):
        return "ja"
    if re.search(r"[\u4e00-\u9fff]", text):
        return "zh"
    return "en" if re.search(r"[A-Za-z]{2}", _without_links(text)) else "und"
