"""What clients did through the two APIs: everything said, what was refused, and how often each path was called."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from bot.microblog.model import Publication


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that either API answered with an error, or that a fault struck."""

    at: datetime
    method: str
    path: str
    status: int
    detail: str


@dataclass(slots=True)
class Ledger:
    """``publications`` in the order they were accepted, whether or not the client heard of it; ``calls`` by "METHOD path"."""

    publications: list[Publication] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)

    def said_to(self, target_id: str) -> list[Publication]:
        """Everything said under one post."""
        return [p for p in self.publications if p.target_id == target_id]

    def repeated(self) -> list[Publication]:
        """Publications whose side, target and text had been published before: what "nothing said twice" forbids."""
        seen: set[tuple[str, str | None, str | None, str]] = set()
        twice = []
        for one in self.publications:
            key = (one.side.value, one.target_id, one.target_comment_id, one.text)
            if key in seen:
                twice.append(one)
            seen.add(key)
        return twice
