"""What a post asks of the bot, read from its words: to be answered in its language, or to be left alone."""

from __future__ import annotations

import re
import unicodedata

from store.model import Post

_NOISE = re.compile(r"@[\w\-·]+|https?://\S+|[\s!！。.,，~～\"“”'‘’]+")
_TAGS = re.compile(r"#[^#\s]+#|#\S+|@[\w\-·]+|https?://\S+")
_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]{2,}")
_OPT_OUT = frozenset(
    {"退订", "td", "t", "stop", "unsubscribe", "取消订阅", "不要再回复", "别再回复", "不要打扰", "别打扰", "请勿打扰"}
)


def language(post: Post) -> str:
    """"zh" or "en", whichever the author wrote in. Hashtags and handles do not count: the campaign's own is Chinese for all."""
    words = _TAGS.sub(" ", post.text)
    if _HAN.search(words):
        return "zh"
    return "en" if _LATIN.search(words) else post.lang


def is_opt_out(post: Post) -> bool:
    """True where the author tagged or answered the bot and the words beside handles and signs are just a wish for silence.

    A whole post such as "stop" counts; a sentence that happens to hold the word does not: silence is permanent.
    """
    if not post.summons and post.reply_to_id is None:
        return False
    words = _NOISE.sub("", unicodedata.normalize("NFKC", post.text)).casefold()
    return words in _OPT_OUT
