"""Figures kept for people: a table and a plot in docs/benchmarks, with the machine and the command they come from."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from matplotlib.figure import Figure as Plot

from bot.bench.base import Figure
from matcher.cores import cores

FOLDER = Path(__file__).parents[2] / "docs" / "benchmarks"


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a log-log plot: ``points`` are (x, y)."""

    label: str
    points: Sequence[tuple[float, float]]
    style: str = "-o"


def machine() -> str:
    """What the figures were measured on, in words."""
    model = "unknown processor"
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.split(":", 1)[1].strip() for line in told if line.startswith("model name")), model)
    except OSError:
        model = platform.processor() or model
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    return f"{model}, {cores()} cores, Python {platform.python_version()}{load}"


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def rows(figures: Sequence[Figure]) -> list[tuple[str, str, str, str]]:
    """A bench's figures as rows of a table: figure, measured, ratio, promised."""
    return [
        (f.name, f"{f.value:,.4g} {f.unit}", "" if f.ratio is None else f"{f.ratio:.2f} x {f.yardstick}", f.promised)
        for f in figures
    ]


def curves(path: Path, panels: Mapping[str, Sequence[Curve]], *, x: str, y: str) -> None:
    """Write a PNG of log-log panels side by side, one a title."""
    plot = Plot(figsize=(5.5 * len(panels), 4.2), layout="constrained")
    for axes, (title, lines) in zip(plot.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for line in lines:
            axes.loglog(*zip(*line.points, strict=True), line.style, label=line.label, markersize=4)
        axes.set(title=title, xlabel=x, ylabel=y)
        axes.grid(visible=True, which="major", alpha=0.3)
        axes.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    plot.savefig(path, dpi=110)


def page(name: str, title: str, command: str, parts: Sequence[str]) -> Path:
    """Write docs/benchmarks/NAME.md: where the figures come from, then ``parts``."""
    source = f"Measured on {datetime.now(UTC):%Y-%m-%d} with `{command}` on: {machine()}. Ratios count, not milliseconds."
    path = FOLDER / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join([f"# {title}", source, *parts]) + "\n", encoding="utf-8")
    return path
