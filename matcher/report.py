"""Turns an evaluation into files: report.json, four plots as PNG, and one HTML page that shows them all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from matcher import metrics
from matcher.measured import Plotted, Report, Search

_SIZE_INCHES = (6.4, 4.2)
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2a33}"
    "table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{border-bottom:1px solid #c9d3d9;padding:.25rem .5rem;"
    "text-align:right}td{white-space:nowrap}td:first-child,th:first-child{text-align:left}img{max-width:100%}small{color:#51626d}"
)

Row = Sequence[str]
Table = tuple[str, Row, Sequence[Row]]


def write(report: Report, plotted: Plotted, folder: Path) -> Path:
    """Write everything into ``folder`` (made if need be) and return the page's path. Existing files are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(as_json(report), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    plots = {
        "det.png": _det(plotted),
        "scores.png": _histogram(plotted),
        "fpir.png": _fpir(plotted),
        "fnir.png": _fnir(report),
    }
    for name, figure in plots.items():
        # No software name or date in the file: the same measurement gives the same bytes.
        figure.savefig(folder / name, dpi=110, bbox_inches="tight", metadata={"Software": None})
    page = folder / "index.html"
    page.write_text(_page(report, list(plots)), encoding="utf-8")
    return page


def as_json(report: Report) -> dict[str, Any]:
    """The report as JSON holds it: rates as numbers, keys as text."""
    content: dict[str, Any] = json.loads(json.dumps(asdict(report)))
    content["failure_to_enrol"] = report.failure_to_enrol
    return content


def tables(report: Report) -> list[Table]:
    """(title, columns, rows) of every table, ready to show in a terminal or on the page."""
    verification = [
        (v.label, str(v.mated), str(v.nonmated), _percent(v.eer), *(_interval(v.fnmr.get(rate)) for rate in (1e-2, 1e-3)))
        for v in report.verification
    ]
    searches = [row for search in report.searches for row in _search_rows(search)]
    bands = [
        (
            b.label,
            str(b.enrolled),
            str(b.photos_per_case),
            b.rule,
            _percent(b.promised_fpir, 3),
            _percent(b.high_fpir, 3),
            f"{b.promised_review_per_photo:.3f}",
            f"{b.review_per_photo:.3f}",
            _percent(b.high_found),
            _percent(b.review_found),
        )
        for b in report.bands
    ]
    return [
        (
            "1:1 (verification)",
            ("enrolled/searched", "mated", "non-mated", "EER", "FNMR at FMR 1e-2", "FNMR at FMR 1e-3"),
            verification,
        ),
        (
            "1:N (open-set identification)",
            ("enrolled/searched", "N", "photos a case", "score", "rank 1", "rank 5", "rank 20", *_FNIR_COLUMNS),
            searches,
        ),
        (
            "The product's bands",
            (
                "enrolled/searched",
                "N",
                "photos a case",
                "rule",
                "high: promised FPIR",
                "measured",
                "review: promised a photo",
                "measured",
                "mates in high",
                "mates in high or review",
            ),
            bands,
        ),
    ]


_FNIR_COLUMNS = ("FNIR at FPIR 10%", "at 1%", "at 0.1%")


def _search_rows(search: Search) -> Iterable[Row]:
    for name, found in (("cosine", search.raw), ("AS-norm", search.normalised)):
        if found is not None:
            yield (
                search.label,
                str(found.enrolled),
                str(search.photos_per_case),
                name,
                *(_percent(found.rank[rank]) for rank in (1, 5, 20)),
                *(_percent(found.fnir[fpir]) for fpir in (0.1, 0.01, 0.001)),
            )


def _percent(rate: float | None, digits: int = 1) -> str:
    return "-" if rate is None else f"{100 * rate:.{digits}f}%"


def _interval(estimate: metrics.Estimate | None) -> str:
    if estimate is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return _percent(estimate.value)
    return f"{_percent(estimate.value)} ({_percent(estimate.low)} to {_percent(estimate.high)})"


def _det(plotted: Plotted) -> Figure:
    figure, axes = _figure("DET: false match rate against false non-match rate", "FMR", "FNMR")
    fmr, fnmr = metrics.det_curve(plotted.mated, plotted.nonmated)
    axes.plot(fmr, fnmr, color="#005f73")
    axes.set_xscale("log")
    axes.set_ylim(-0.02, 1)
    axes.grid(True, alpha=0.3)
    return figure


def _histogram(plotted: Plotted) -> Figure:
    figure, axes = _figure("Cosines of mated and non-mated pairs", "cosine", "share")
    for scores, label, colour in ((plotted.nonmated, "non-mated", "#9b2226"), (plotted.mated, "mated", "#005f73")):
        weights = np.full(len(scores), 1.0 / len(scores))
        axes.hist(scores, bins=60, range=(-0.4, 1.0), weights=weights, alpha=0.6, label=label, color=colour)
    axes.legend()
    return figure


def _fnir(report: Report) -> Figure:
    figure, axes = _figure("FNIR at FPIR 10% against gallery size, one photo a case", "cases in the gallery", "FNIR")
    for label in sorted({search.label for search in report.searches}):
        points = [search for search in report.searches if search.label == label and search.photos_per_case == 1]
        raw = [(p.raw.enrolled, p.raw.fnir[0.1]) for p in points]
        normalised = [(p.normalised.enrolled, p.normalised.fnir[0.1]) for p in points if p.normalised is not None]
        for line, style, name in ((raw, "--", "cosine"), (normalised, "-", "AS-norm")):
            shown = [(n, rate) for n, rate in line if rate is not None]
            if shown:
                axes.plot(*zip(*shown, strict=True), style, marker="o", label=f"{label}, {name}")
    axes.set_xscale("log")
    axes.set_ylim(-0.02, 1)
    axes.grid(True, alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=6)
    return figure


def _fpir(plotted: Plotted) -> Figure:
    """How a threshold ages: it is set where the smallest gallery has an FPIR of 10%, and kept while the gallery grows."""
    figure, axes = _figure("FPIR of one fixed threshold against gallery size", "cases in the gallery", "FPIR")
    for scale, style in (("cosine", "--"), ("AS-norm", "-")):
        sizes = sorted(size for name, size in plotted.strangers if name == scale)
        if sizes:
            threshold = metrics.threshold_at(plotted.strangers[scale, sizes[0]], 0.1)
            rates = [float((plotted.strangers[scale, size] >= threshold).mean()) for size in sizes]
            axes.plot(sizes, rates, style, marker="o", label=f"{scale} {threshold:.2f}")
    axes.set_xscale("log")
    axes.set_ylim(-0.02, 1)
    axes.grid(True, alpha=0.3)
    if plotted.strangers:
        axes.legend()
    return figure


def _figure(title: str, across: str, up: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=_SIZE_INCHES)
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    return figure, axes


def _page(report: Report, plots: Sequence[str]) -> str:
    parts = [
        f"<h1>Face pack {escape(report.pack_id)}</h1>",
        f"<p>{report.photos} photos of {report.persons} persons. Failure to enrol: {_percent(report.failure_to_enrol)} "
        f"({len(report.failed)} without a face, {report.unusable} unusable); {report.low_quality} of low quality. "
        f"<small>pack sha256 {report.pack_sha256[:16]}</small></p>",
    ]
    for title, columns, rows in tables(report):
        parts.append(f"<h2>{escape(title)}</h2>{_table(columns, rows)}")
    parts += [f'<p><img src="{name}" alt="{escape(name)}"></p>' for name in plots]
    parts.append(
        "<p><small>Terms: ISO/IEC 19795-1 and NIST FRTE. FPIR: searches of persons who are not registered that return anyone. "
        "FNIR: searches of registered persons that miss them. Intervals: 95%, bootstrap over persons. A dash: too few "
        "searches to show that rate.</small></p>"
    )
    body = "\n".join(parts)
    head = f'<meta charset="utf-8"><title>Face pack {escape(report.pack_id)}</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'


def _table(columns: Row, rows: Sequence[Row]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>" if rows else "<p>Too few photos for this.</p>"
