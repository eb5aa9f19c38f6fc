"""Measurements: one file = one bench. Each defines ``run(quick) -> Result``; figures are ratios against a yardstick of the same run."""

from bot.bench.base import Figure, Result

__all__ = ["Figure", "Result"]
