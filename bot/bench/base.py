"""What a bench returns."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure. ``ratio`` is against ``yardstick``, taken in the same run; ``better`` says which way is good."""

    name: str
    value: float
    unit: str
    ratio: float | None = None
    yardstick: str = ""
    better: str = "higher"
    promised: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """One bench's figures, and what was not measured with the reason."""

    name: str
    figures: tuple[Figure, ...]
    skipped: tuple[str, ...] = ()


def rate(work: Callable[[], int], *, rounds: int = 5) -> float:
    """Items a second: the median over ``rounds`` runs of ``work``, which returns how many items it did."""
    work()  # the first run loads what is loaded lazily
    seen = []
    for _ in range(rounds):
        began = time.perf_counter()
        done = work()
        seen.append(done / (time.perf_counter() - began))
    return median(seen)


def paired(ours: Callable[[], int], theirs: Callable[[], int], *, rounds: int = 5) -> tuple[float, float, float]:
    """(our rate, their rate, median ratio), taken in turn, so that a machine that slows down slows both."""
    ours()
    theirs()
    a: list[float] = []
    b: list[float] = []
    for _ in range(rounds):
        for work, rates in ((ours, a), (theirs, b)):
            began = time.perf_counter()
            done = work()
            rates.append(done / (time.perf_counter() - began))
    return median(a), median(b), median(x / y for x, y in zip(a, b, strict=True))
