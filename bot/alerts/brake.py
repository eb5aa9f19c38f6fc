"""The brake: more high-band alerts than errors of the matching explain mean that something is wrong. Pure.

Strangers' photos alone would give ``photos a day / high_one_in_photos`` alerts a day. True finds are rare. Where a day brings a
set multiple of that (a drifted engine, a photo that resembles everybody, a flood of copies), alerts wait for a person.
"""

from __future__ import annotations

import math

WORD = "brake"
"""How a hold reason of the brake begins."""


def limit(photos_per_day: int, high_one_in_photos: int, multiple: float, at_least: int) -> int:
    """High-band alerts a day that go out by themselves: ``multiple`` times the expected false ones, or ``at_least``."""
    return max(at_least, math.floor(multiple * photos_per_day / high_one_in_photos))


def reason(decided_last_day: int, allowed: int) -> str:
    """Why an alert waits although it was decided to go; empty where the brake is off."""
    if decided_last_day <= allowed:
        return ""
    return (
        f"{WORD}: {decided_last_day} high-band alerts in 24 hours, {allowed} at most are plausible; "
        "look at the matching (drift, one photo or case behind all of them), then release"
    )
