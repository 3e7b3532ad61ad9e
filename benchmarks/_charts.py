"""One SVG chart per case: bars on a logarithmic scale, or curves where something grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from ._results import Key

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from ._results import Results
    from .cases import Case

__all__ = ["write_charts"]

# Text stays text, and the same results give the same bytes.
mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "asyncsys", "font.size": 9})

OURS, PEER, LIMIT = "#0a7d3c", "#7d8ca3", "#c46a00"


def write_charts(results: Results, cases: dict[str, Case], directory: Path) -> list[Path]:
    """Write a chart for each case of a run, and return their paths."""
    paths = []
    for name, case in cases.items():
        bases = results.bases(name)
        if not bases:
            continue
        parameters = 1 if case.scaling else len(results.parameters(name))
        height = 3.2 if case.scaling else 0.7 + 0.22 * len(results.participants(name))
        canvas = Canvas(
            figsize=(4.2 * max(len(bases), 1) + 2, height * parameters), layout="constrained"
        )
        grid = canvas.subplots(parameters, len(bases), squeeze=False, sharey="row", sharex=True)
        for column, base in enumerate(bases):
            if case.scaling:
                _curves(grid[0][column], results, case, base)
            else:
                for row, parameter in enumerate(results.parameters(name)):
                    _bars(grid[row][column], results, case, base, parameter)
        better = "more" if case.figures[0].more_is_better else "less"
        canvas.suptitle(f"{case.title}\n{case.figures[0].name}, {better} is better", fontsize=10)
        path = directory / f"{name}.svg"
        canvas.savefig(path, metadata={"Date": None})
        paths.append(path)
    return paths


def _colour(name: str) -> str:
    if name.startswith("asyncsys"):
        return OURS
    return LIMIT if name in {"blocking", "nothing"} else PEER


def _bars(axes: Axes, results: Results, case: Case, base: str, parameter: int) -> None:
    figure, shown = case.figures[0], results.participants(case.name)
    names = [name for name in case.takes_part() if name in shown][::-1]
    summaries = [results.summary(Key(case.name, base, name, parameter), figure) for name in names]
    values = [summary.value if summary else 0.0 for summary in summaries]
    whiskers = [
        [s.value - s.lowest if s else 0 for s in summaries],
        [s.highest - s.value if s else 0 for s in summaries],
    ]
    bars = axes.barh(names, values, color=[_colour(n) for n in names], xerr=whiskers, ecolor="#444")
    axes.bar_label(bars, [f" {value:{figure.form}}" if value else "" for value in values])
    if all(values):
        axes.set_xscale("log")
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    many = len(results.parameters(case.name)) > 1
    axes.xaxis.set_major_formatter("{x:g}")
    parts = [base, f"{case.parameter_name}: {parameter:,}" if many else ""]
    axes.set_title(", ".join(part for part in parts if part), fontsize=9)


def _curves(axes: Axes, results: Results, case: Case, base: str) -> None:
    figure, parameters = case.figures[0], results.parameters(case.name)
    for name in results.participants(case.name):
        keys = [Key(case.name, base, name, parameter) for parameter in parameters]
        found = [(k.parameter, s) for k in keys if (s := results.summary(k, figure))]
        x, y = [n for n, _ in found], [s.value for _, s in found]
        below, above = [s.lowest for _, s in found], [s.highest for _, s in found]
        colour = _colour(name) if name.startswith("asyncsys") else None
        (line,) = axes.plot(x, y, marker="o", markersize=4, label=name, color=colour)
        axes.fill_between(x, below, above, alpha=0.2, color=line.get_color())
        for point in zip(x, y, strict=True):
            axes.annotate(f"{point[1]:{figure.form}}", point, (0, 5), textcoords="offset points")
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xticks(parameters, [f"{n:,}" for n in parameters])
    axes.minorticks_off()
    axes.set_xlabel(case.parameter_name)
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
