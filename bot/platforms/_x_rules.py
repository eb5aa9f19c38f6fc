"""What X knows about itself without a network: ids, lengths, addresses, queries and what its terms allow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

MAX_LENGTH = 280
MAX_QUERY = 512
"""Characters of a recent-search query on the self-serve tiers."""

PHOTO_HOSTS = ("pbs.twimg.com",)

_EPOCH_MS = 1_288_834_974_657
_FIRST_SNOWFLAKE = 1 << 36
"""Ids below this were handed out one by one until November 2010 and carry no time; every later id is far above."""
_ID = re.compile(r"[0-9]{1,19}")
_HANDLE = re.compile(r"[A-Za-z0-9_]{1,15}")
_TAG = re.compile(r"(?!\d+$)\w+")


def is_id(value: object) -> bool:
    """True for what X uses as an id: 1 to 19 ASCII digits, as text."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def is_handle(value: object) -> bool:
    """True for a handle without ``@``: 1 to 15 ASCII letters, digits or underscores."""
    return isinstance(value, str) and _HANDLE.fullmatch(value) is not None


def id_key(value: str) -> int:
    """Ids in order of age; what is none comes first."""
    return int(value) if is_id(value) else -1


def id_time(post_id: str) -> datetime | None:
    """When ``post_id`` was handed out (UTC, to the millisecond): 41 bits of a snowflake. None for ids older than that scheme."""
    number = int(post_id)
    if number < _FIRST_SNOWFLAKE:
        return None
    return datetime.fromtimestamp(((number >> 22) + _EPOCH_MS) / 1000, tz=UTC)


def id_earlier(post_id: str, seconds: float) -> str:
    """The smallest id handed out ``seconds`` before ``post_id``; the id itself where it carries no time."""
    number = int(post_id)
    if number < _FIRST_SNOWFLAKE:
        return post_id
    return str(max(1, number - (int(seconds * 1000) << 22)))


def newer_id(*ids: object) -> str | None:
    """The newest of what is an id; None if nothing is."""
    return max((i for i in ids if isinstance(i, str) and is_id(i)), key=int, default=None)


def weighted_length(text: str) -> int:
    """X's own count: CJK and emoji weigh 2, every URL 23, most other characters 1 (https://docs.x.com/fundamentals/counting-characters)."""
    from twitter_text import parse_tweet  # here: its patterns take half a second to compile

    return int(parse_tweet(text).weightedLength)


def post_url(author: str, post_id: str) -> str:
    """The public address. X finds a post by its id alone, so an unknown or long-numbered author becomes ``i``."""
    return f"https://x.com/{author if is_handle(author) else 'i'}/status/{post_id}"


def mention(handle: str) -> str:
    """A mention as X links it."""
    return "@" + handle.lstrip("@")


def search_query(tag: str, terms: str) -> str:
    """The recent-search query for a hashtag. Raises ValueError for what X would not read as one hashtag, or too long a query."""
    if not _TAG.fullmatch(tag):
        raise ValueError(f"{tag!r} is no X hashtag: letters, digits and underscores only, not all digits, without '#'")
    query = f"#{tag} {terms}".strip()
    if len(query) > MAX_QUERY:
        raise ValueError(f"the query for #{tag[:20]}… has {len(query)} characters; X takes {MAX_QUERY}")
    return query


WHY_ON: Mapping[str, str] = {
    "read_hashtag": "Recent search reaches seven days back; every post read counts against the plan's cap.",
    "read_mentions": "The newest 800 posts that tag the bot can be read.",
    "reply_author": "X's terms allow one automated answer to an author who tagged or quoted the account.",
}
"""Capabilities that need nothing but the operator's wish, with what to know of each."""

WHY_OFF: Mapping[str, str] = {
    "reply_uninvited": (
        "X's terms accept an automated reply only where the author mentioned or quoted the account; "
        "answering anyone else can get the app banned."
    ),
    "mention_others": "X's terms treat automated mentions of people who did not ask for them as spam, and ban apps for it.",
    "match_faces": "X's developer terms name facial recognition as a prohibited use without X's written approval.",
}
"""Capabilities that X's terms (as of 2026) forbid unless X approved them in writing, and the sentence that says so."""
