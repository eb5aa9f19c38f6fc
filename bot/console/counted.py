"""The whole store in figures, for the map and the operator's overview: counted at most every half minute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.requests import Request

from bot.console.keeper import Keeper
from bot.console.parts import Parts
from store import search, status
from store.status import Figures

FRESH = timedelta(seconds=30)
SMALL = 5000
"""Sightings up to which everything is counted anew for each reader: it takes a few milliseconds."""
_MONTHS = 24


@dataclass(frozen=True, slots=True)
class Whole:
    """Sightings by division (adcode; None: no place is known) and by the month in which they began, and all other counts."""

    at: datetime
    places: Mapping[str | None, int]
    months: tuple[tuple[datetime, int], ...]
    figures: Figures

    def by_division(self, prefix: str = "") -> dict[str, int]:
        """How many lie in each province (two digits), or in each prefecture (four digits) of the province ``prefix``."""
        digits = 4 if prefix else 2
        found: dict[str, int] = {}
        for adcode, n in self.places.items():
            if adcode is not None and adcode.startswith(prefix):
                found[adcode[:digits]] = found.get(adcode[:digits], 0) + n
        return found


def keeper(parts: Parts) -> Keeper[Whole]:
    """The keeper of a console's figures."""
    return Keeper(lambda: count(parts), parts.clock, FRESH, passing=lambda whole: whole.figures.sightings <= SMALL)


def of(request: Request) -> Whole:
    """The figures as they were counted last."""
    kept: Keeper[Whole] = request.app.state.whole
    return kept.get()


def count(parts: Parts) -> Whole:
    """The figures of this instant."""
    with parts.store.read() as tx:
        bounds = months_before(tx.now, _MONTHS)
        months = zip(bounds, search.between(tx, bounds), strict=False)
        return Whole(tx.now, search.by_adcode(tx), tuple(months), status.figures(tx))


def months_before(now: datetime, count: int) -> list[datetime]:
    """The first instants of the last ``count`` months and of the next one, UTC, oldest first (pure)."""
    total = now.astimezone(UTC).year * 12 + now.astimezone(UTC).month - 1
    return [datetime(at // 12, at % 12 + 1, 1, tzinfo=UTC) for at in range(total - count + 1, total + 2)]
