"""What a platform must offer to be read, and the cursor rule.

The cursor rule: a stream's cursor moves only in the transaction that stores the posts of the *last* page of a chain, to the
first page's ``head`` (or to the greatest id seen, by the platform's ``id_key``). A crash in between re-reads the chain; posts
are unique by (platform, id), so reading again costs calls and never posts. Each poll also re-reads an overlap before the cursor,
because platforms index late (X loses posts at the edge of ``since_id``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from store.model import Allowance, Capability, LookUp, Page, Stream


@dataclass(frozen=True, slots=True)
class CallCount:
    """Calls that count against an account's budget: ever ``made``, and how many were made when the budget's day began, which
    ends at ``day_ends`` (None: nothing was counted yet)."""

    made: int = 0
    day_began: int = 0
    day_ends: datetime | None = None


class Counter(Protocol):
    """Where the calls of one account are counted."""

    def read(self) -> CallCount:
        """The count now."""

    def change(self, step: Callable[[CallCount], CallCount]) -> None:
        """Let ``step`` make the next count out of the present one, with nobody else counting meanwhile. What it raises is
        raised, and leaves the count as it was."""


class OwnCount:
    """A :class:`Counter` of one process, gone with it. Thread-safe."""

    def __init__(self) -> None:
        self._lock, self._count = threading.Lock(), CallCount()

    def read(self) -> CallCount:
        """The count now."""
        return self._count

    def change(self, step: Callable[[CallCount], CallCount]) -> None:
        """See :class:`Counter`."""
        with self._lock:
            self._count = step(self._count)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a platform object knows about itself, so that nothing else ever asks which platform it is.

    ``length(text)`` counts as the platform counts; ``id_key(id)`` orders ids by age; ``post_url(author_handle_or_id, post_id)``
    is the public address; ``photo_hosts`` are the only hosts (exact, or ``*.suffix``) photos are fetched from;
    ``photo_headers`` go with each photo request; ``indexing_delay_s`` is how long to wait before reading back one's own posts;
    ``overlap_s`` is how far before the cursor each poll reads again; ``mention(handle)`` renders a mention.
    ``poll_interval_s(streams)`` is how many seconds the call budget asks to leave between two polls of that many streams (the
    scheduler takes the greater of it and ``poll_every_s``); ``calls_left()`` is what is left of the budget (Weibo: calls
    today; X: posts that may be read this month) and until when that holds, None while it is not known. It raises nothing. Both
    are None where nothing is counted. ``count_in(counter)`` names the place where all processes on the account count their calls;
    None where the platform counts them itself.
    ``reads_replies``: answers to what the bot said are a stream of their own; elsewhere they are mentions.
    ``photo_reader(url)`` gives a photo's bytes where photos have no web address (a mail's attachment), raising the Photo errors
    of ``store.errors``; None where they are fetched from ``photo_hosts``.
    """

    max_length: int
    length: Callable[[str], int]
    id_key: Callable[[str], int | str]
    post_url: Callable[[str, str], str]
    mention: Callable[[str], str]
    photo_hosts: tuple[str, ...]
    capabilities: Mapping[Capability, Allowance]
    photo_headers: Mapping[str, str]
    indexing_delay_s: float = 30.0
    overlap_s: float = 600.0
    look_up_batch: int = 50
    link_required: bool = False
    poll_interval_s: Callable[[int], float] | None = None
    calls_left: Callable[[], tuple[int, datetime] | None] | None = None
    count_in: Callable[[Counter], None] | None = None
    photo_reader: Callable[[str], bytes] | None = None
    reads_replies: bool = False


@runtime_checkable
class Source(Protocol):
    """A platform that can be read. ``name`` is its config key and its file's name."""

    @property
    def name(self) -> str: ...

    @property
    def rules(self) -> Rules: ...

    def read(self, stream: Stream, since: str | None, page: str | None, not_before: datetime) -> Page:
        """Read one page of ``stream``: posts after cursor ``since`` (None: from ``not_before``), at page token ``page``.

        Raises:
            RateLimited, Unauthorised, Blocked, BadResponse, Unreachable: three different outcomes from "no posts".
        """

    def look_up(self, ids: Sequence[str]) -> LookUp:
        """Fetch posts by id (at most ``rules.look_up_batch``) and say which are gone. Raises as :meth:`read`."""
