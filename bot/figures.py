"""Figures without persons: which counts are shown, and which would say too much (pure).

A count below :data:`SMALLEST` is not shown, since people who know a place could tell whom it means. Nor can it be worked out:
every total is the sum of what is shown, and what is held back is given as one pooled number only where no single cell follows
from it (complementary disclosure; Hundepool et al., Statistical Disclosure Control, 2012, ch. 4).
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from store.figures import Count

MEASURES = ("sightings", "cases", "leads_checked", "confirmed_by_dna", "ruled_out")
SMALLEST = 3
"""The smallest number that is published for a place and month."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One measure in one province and month. ``number`` None: fewer than :data:`SMALLEST`, at least one. 0 is shown as such."""

    province: str
    month: str
    measure: str
    number: int | None


@dataclass(frozen=True, slots=True)
class Published:
    """What anybody may read. ``elsewhere`` is what a month's small cells make together, by (month, measure), where that tells
    nothing about any of them.

    ``total`` is the sum of what is shown, ``elsewhere`` included: it is never more than the truth, and may be less.
    """

    at: datetime
    cells: tuple[Cell, ...]
    elsewhere: Mapping[tuple[str, str], int]
    total: Mapping[str, int]

    def by_province(self) -> dict[str, dict[str, int]]:
        """Sums of the shown cells by province, in adcode order, the unknown place last."""
        return self._sums(lambda cell: cell.province)

    def by_month(self) -> dict[str, dict[str, int]]:
        """What is shown by month, the pooled rest included, newest first."""
        found = self._sums(lambda cell: cell.month)
        for (month, measure), number in self.elsewhere.items():
            found[month][measure] += number
        return dict(sorted(found.items(), reverse=True))

    def _sums(self, key: Any) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(MEASURES, 0))
        for cell in self.cells:
            found[key(cell)][cell.measure] += cell.number or 0
        return dict(sorted(found.items(), key=lambda item: (item[0] == "", item[0])))


def publish(counts: Iterable[Count], at: datetime) -> Published:
    """What may be shown of ``counts``."""
    cells: list[Cell] = []
    held: dict[tuple[str, str], list[int]] = defaultdict(list)
    for count in sorted(counts, key=lambda c: (c.month, c.province, c.measure)):
        if count.number <= 0:
            continue
        shown = count.number >= SMALLEST
        cells.append(Cell(count.province, count.month, count.measure, count.number if shown else None))
        if not shown:
            held[count.month, count.measure].append(count.number)
    elsewhere = {key: sum(rest) for key, rest in held.items() if not _telling(rest)}
    total = dict.fromkeys(MEASURES, 0)
    for cell in cells:
        total[cell.measure] += cell.number or 0
    for (_, measure), number in elsewhere.items():
        total[measure] += number
    return Published(at, tuple(cells), elsewhere, total)


def _telling(rest: list[int]) -> bool:
    """Whether the sum of these held-back cells tells one of them: a lone one, all of them one, or all of them the largest."""
    return len(rest) < 2 or sum(rest) < SMALLEST or sum(rest) in (len(rest), len(rest) * (SMALLEST - 1))


def as_json(published: Published, names: Mapping[str, str]) -> dict[str, Any]:
    """The feed's JSON object. ``names`` gives provinces' names by their two digits."""
    return {
        "at": published.at.isoformat(),
        "smallest": SMALLEST,
        "total": dict(published.total),
        "elsewhere": [{"month": month, "measure": m, "number": n} for (month, m), n in sorted(published.elsewhere.items())],
        "cells": [
            {
                "province": cell.province,
                "name": names.get(cell.province, ""),
                "month": cell.month,
                "measure": cell.measure,
                "number": cell.number,
                "suppressed": cell.number is None,
            }
            for cell in published.cells
        ],
    }


def as_csv(published: Published, names: Mapping[str, str]) -> str:
    """The feed as CSV (RFC 4180, UTF-8): one line a cell, ``<3`` where the number is held back."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(("province", "name", "month", "measure", "number"))
    for cell in published.cells:
        number = f"<{SMALLEST}" if cell.number is None else str(cell.number)
        writer.writerow((cell.province, names.get(cell.province, ""), cell.month, cell.measure, number))
    return out.getvalue()
