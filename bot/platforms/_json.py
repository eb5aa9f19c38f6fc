"""Reads JSON without trusting its shape: each function gives a value of the type it names, whatever stands there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Json = Mapping[str, Any]


def string(value: Any) -> str:
    """The text; empty for anything else."""
    return value if isinstance(value, str) else ""


def object_(value: Any) -> Json:
    """The object; empty for anything else."""
    return value if isinstance(value, Mapping) else {}


def objects(value: Any) -> list[Json]:
    """The objects of a list; empty for anything else."""
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list) else []


def index(value: Any, key: str) -> dict[str, Json]:
    """The objects of a list by their text under ``key``."""
    return {item[key]: item for item in objects(value) if isinstance(item.get(key), str)}


def is_number(value: Any) -> bool:
    """True for a finite number (JSON as Python reads it also knows NaN and Infinity)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def whole_number(body: Any, key: str, most: int = 10**15) -> int | None:
    """The whole number from 0 to ``most`` under ``key``, given as a number or as text; None where there is none."""
    value = body.get(key) if isinstance(body, Mapping) else None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:20])
    found = int(value) if isinstance(value, int) or (isinstance(value, float) and value.is_integer()) else None
    return found if found is not None and 0 <= found <= most else None


def instant(value: Any) -> datetime | None:
    """An RFC 3339 instant, in UTC; None for anything else, and for a time without offset."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
        return at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
