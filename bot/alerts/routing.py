"""Which agencies answer for which kind of sighting. Pure: what is known about a sighting in, its kind and its rules out.

The kinds rest on facts the bot has, never on a reading of what a picture shows: the hour at which somebody would be called, and
how long ago the child was seen. Every alert is for a candidate in the high band; nothing else calls officials.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from bot.alerts.officials import RoutingRules
from store.model import AgencyType, When


class SightingKind(StrEnum):
    """NIGHT: the call goes out in ``night_hours``, when offices are closed. FRESH: the child was seen at most ``fresh_hours``
    ago, so that somebody on the beat may still meet it. OLDER: it was seen longer ago. UNDATED: nobody knows when."""

    NIGHT = "night"
    FRESH = "fresh"
    OLDER = "older"
    UNDATED = "undated"


@dataclass(frozen=True, slots=True)
class Route:
    """What one kind changes of the general rules; None leaves a rule as it is."""

    types: tuple[AgencyType, ...] | None = None
    max_mentions: int | None = None


@dataclass(frozen=True, slots=True)
class Routing:
    """The operator's ``alerts.routing``: the general rules, and what single kinds of sighting change of them."""

    rules: RoutingRules = field(default_factory=RoutingRules)
    kinds: Mapping[SightingKind, Route] = field(default_factory=dict)
    fresh: timedelta = timedelta(hours=6)
    night: tuple[int, int] = (22, 6)

    def rules_for(self, when: When, now: datetime, zone: ZoneInfo) -> tuple[RoutingRules, str]:
        """The rules for a sighting that somebody would be called for at ``now``, and one sentence that says which and why.

        Of the kinds that fit, the first that the settings name decides, the night before the sighting's age; where they name
        none of them the general rules hold.
        """
        fitting = self.kinds_of(when, now, zone)
        named = next((kind for kind in fitting if kind in self.kinds), None)
        if named is None:
            return self.rules, "rules: the general ones, for a sighting that is " + " and ".join(fitting)
        route = self.kinds[named]
        rules = replace(
            self.rules,
            types=self.rules.types if route.types is None else route.types,
            max_mentions=self.rules.max_mentions if route.max_mentions is None else route.max_mentions,
        )
        types = ", ".join(kind.value for kind in rules.types)
        return rules, f"rules: alerts.routing.kinds.{named} ({types}; {rules.max_mentions} at most)"

    def rules_of_all(self) -> RoutingRules:
        """The rules with every type that any kind may call: by these an account is fit for something, or for nothing."""
        named = [kind for route in self.kinds.values() for kind in route.types or ()]
        return replace(self.rules, types=tuple(dict.fromkeys((*self.rules.types, *named))))

    def kinds_of(self, when: When, now: datetime, zone: ZoneInfo) -> tuple[SightingKind, ...]:
        """The kinds a sighting is of at ``now``, the one that decides first."""
        at_night = (SightingKind.NIGHT,) if within_hours(self.night, now.astimezone(zone).hour) else ()
        if when.seen_to is None or when.seen_from is None:
            return (*at_night, SightingKind.UNDATED)
        age = SightingKind.FRESH if now - when.seen_to <= self.fresh else SightingKind.OLDER
        return (*at_night, age)


def within_hours(hours: tuple[int, int], hour: int) -> bool:
    """Whether ``hour`` (0-23) lies in ``[from, to)``, which may run over midnight; equal ends are the whole day."""
    start, end = hours
    return start <= hour < end if start < end else hour >= start or hour < end
