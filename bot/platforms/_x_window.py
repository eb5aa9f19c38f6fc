"""Where a chain of pages starts, and how it is carried from page to page. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from bot.platforms._x_rules import id_earlier, id_time, is_id
from store.errors import BadInput

SEARCH_DAYS = 7
"""How far back recent search reaches; an older ``since_id`` or ``start_time`` is refused with 400."""

_MARGIN = timedelta(minutes=5)
"""Distance kept from that edge, for clocks that differ."""

_TOKEN = re.compile(r"(id|time):(\d{1,19}):(cut)?:(\d{1,6}):(\S{1,1000})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain of pages: it starts after an id, or at Unix seconds. ``str()`` is the page token, with all of it.

    ``cut`` says that posts before the start can no longer be had, ``seen`` how many posts it gave, ``token`` the next page.
    """

    by: Literal["id", "time"]
    value: int
    cut: bool = False
    seen: int = 0
    token: str = ""

    @classmethod
    def start(cls, since: str | None, not_before: datetime, now: datetime, overlap_s: float, within_days: int | None) -> Chain:
        """The first page after cursor ``since`` (None: from ``not_before``), on an endpoint that reaches ``within_days`` back.

        The start lies ``overlap_s`` before the cursor: the time in the id is moved. Raises BadInput for what is no id of X.
        """
        oldest = now.astimezone(UTC) - timedelta(days=within_days) + _MARGIN if within_days else datetime.min.replace(tzinfo=UTC)
        if since is None:
            return cls("time", int(max(not_before, oldest).timestamp()))
        if not is_id(since):
            raise BadInput(f"{since[:40]!r} is no cursor of X")
        edge = id_earlier(since, overlap_s)
        if within_days is None or _reached(edge, oldest):
            return cls("id", int(edge))
        return cls("time", int(oldest.timestamp()), cut=not _reached(since, oldest))

    @classmethod
    def parse(cls, page: str) -> Chain:
        """The reverse of ``str()``. Raises BadInput."""
        match = _TOKEN.fullmatch(page)
        if match is None:
            raise BadInput(f"{page[:40]!r} is no page token of X")
        return cls("id" if match[1] == "id" else "time", int(match[2]), bool(match[3]), int(match[4]), match[5])

    def __str__(self) -> str:
        return f"{self.by}:{self.value}:{'cut' if self.cut else ''}:{self.seen}:{self.token}"

    def window(self) -> dict[str, Any]:
        """The request parameter that bounds every page of this chain."""
        return {"since_id": self.value} if self.by == "id" else {"start_time": datetime.fromtimestamp(self.value, tz=UTC)}

    def after(self, posts: int, token: object) -> Chain | None:
        """The chain after a page of ``posts`` posts that named ``token``; None where it has ended."""
        return replace(self, seen=self.seen + posts, token=token) if isinstance(token, str) and token else None


def _reached(post_id: str, oldest: datetime) -> bool:
    minted = id_time(post_id)
    return minted is not None and minted >= oldest
