"""Measurements: one file = one bench = ``run(quick) -> Result``. Figures are ratios against a yardstick of the same run."""

from bot.bench.base import Figure, Result

__all__ = ["Figure", "Result"]
