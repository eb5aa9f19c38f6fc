"""Where the gallery is searched: in this process, or inside PostgreSQL by pgvector; which of them, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bot.sections import MatchingSettings
from matcher.index import lot
from store import gallery, vectors
from store.errors import StoreError
from store.session import Store
from store.vectors import PgvectorIndex

Kind = Literal["memory", "pgvector"]


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen and why; ``problem`` and ``mend`` where something keeps the operator's wish from being followed."""

    kind: Kind
    why: str
    problem: str = ""
    mend: str = ""


def choose(settings: MatchingSettings, cases: int, *, server: bool, lacking: StoreError | None) -> Choice:
    """The choice for ``cases`` registered cases. Pure.

    Args:
        settings: What the operator wants and allows.
        cases: Verified cases.
        server: Whether the store is on PostgreSQL.
        lacking: Why its pgvector will not do; None where it will, or where there is no server.
    """
    if settings.search != "auto":
        problem = lacking if settings.search == "pgvector" else None
        why = "matching.search says so"
        return Choice(settings.search, why, str(problem or ""), problem.mend if problem else "")
    if not server:
        return Choice("memory", "the store is a file: there is no server to search in")
    if cases < settings.pgvector_from:
        return Choice("memory", f"{cases:,} cases, fewer than matching.pgvector_from ({settings.pgvector_from:,})")
    if not settings.unsealed_vectors:
        why = f"{cases:,} cases would be searched by pgvector, but it needs them unsealed and matching.unsealed_vectors is off"
        return Choice("memory", why)
    if lacking is not None:
        return Choice("memory", f"{cases:,} cases would be searched by pgvector", str(lacking), lacking.mend)
    return Choice("pgvector", f"{cases:,} cases, at least matching.pgvector_from ({settings.pgvector_from:,}), and it is allowed")


def chosen(settings: MatchingSettings, store: Store) -> Choice:
    """The choice for the store as it stands."""
    server, lacking = store.path is None, None
    with store.read() as tx:
        count = gallery.verified(tx)
        try:
            vectors.check(tx)
        except StoreError as error:
            lacking = error
    return choose(settings, count, server=server, lacking=lacking if server or settings.search == "pgvector" else None)


def opener(settings: MatchingSettings, store: Store, pack_sha256: str) -> Callable[[int], PgvectorIndex] | None:
    """Makes the index inside PostgreSQL for a dimension; None where this process searches by itself. Where unsealed vectors are
    not allowed (any more), tables that hold some are dropped.

    Raises:
        StoreError: ``matching.search`` asks for pgvector and the database has none that will do.
    """
    choice = chosen(settings, store)
    if not settings.unsealed_vectors:
        with store.read() as tx:
            left = vectors.tables(tx)
        if left:
            with store.write("gallery.dropped") as tx:
                vectors.drop(tx)
    if choice.kind == "memory":
        return None
    if choice.problem:
        raise StoreError(f"matching.search is pgvector: {choice.problem}", mend=choice.mend)
    return lambda dimension: PgvectorIndex(store, pack_sha256, dimension, lot, settings.approximate_ef)
