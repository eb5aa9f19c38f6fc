"""X's query language."""

from __future__ import annotations

import pytest

from bot.microblog.x_query import Facts, QueryError, compile_query


def facts(**changed: object) -> Facts:
    base = {
        "text": "a child at the station #寻亲",
        "author": "passer_by",
        "hashtags": frozenset({"寻亲"}),
        "mentions": frozenset({"suishoupai_bot"}),
        "reply_to": "",
        "lang": "zh",
        "conversation_id": "12",
        "has": frozenset({"images", "hashtags"}),
        "kinds": frozenset(),
    }
    return Facts(**(base | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "query",
    [
        "#寻亲",
        "#寻亲 has:images -is:retweet",
        "(#别的 OR #寻亲) has:images",
        "#别的 OR #寻亲 has:images",
        '"at the station" lang:zh',
        "from:passer_by -#别的",
        "@suishoupai_bot -(is:reply OR is:quote)",
        "conversation_id:12",
    ],
)
def test_queries_that_match(query: str) -> None:
    """Terms, operators, OR, parentheses and negation mean what X documents; AND binds before OR."""
    assert compile_query(query)(facts())


@pytest.mark.parametrize(
    "query",
    [
        "#寻",
        "#寻亲 is:retweet",
        "#寻亲 -has:images",
        "(#别的 OR #寻亲) lang:en",
        "#别的 has:images OR #另一个",
        "from:suishoupai_bot",
    ],
)
def test_queries_that_do_not_match(query: str) -> None:
    """A hashtag is matched whole, and every condition counts."""
    assert not compile_query(query)(facts())


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("has:images -is:retweet", "at least one positive"),
        ("-#寻亲", "at least one positive"),
        ("#寻亲 near:harbin", "invalid operator"),
        ("(#寻亲 has:images", "missing ')'"),
        ("#寻亲)", "no viable alternative"),
        ("#寻亲 OR", "missing term"),
        ("#" + "长" * 512, "512 characters"),
    ],
)
def test_queries_that_x_refuses(query: str, said: str) -> None:
    """Nothing that stands alone, unknown operators, lopsided parentheses and too long queries are refused with X's reason."""
    with pytest.raises(QueryError, match=said.replace("(", r"\(").replace(")", r"\)")):
        compile_query(query)
