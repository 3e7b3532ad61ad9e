"""The generated part of docs/performance.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._tables import markdown, tables
from ._yardstick import yardstick
from .cases import all_cases

if TYPE_CHECKING:
    from pathlib import Path

    from ._results import Results

__all__ = ["PAGE", "publish"]

PAGE = "docs/performance.md"
BEGIN = "<!-- Written by `python -m benchmarks publish`: don't edit from here … -->"
END = "<!-- … to here. -->"


def publish(results: Results, page: Path) -> None:
    """Replace what stands between the two marks of the page."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} lacks its marks: {BEGIN} and {END}")
    parts = [_machine(results), markdown(yardstick(results))]
    cases = all_cases()
    for name, case in cases.items():
        found = tables(results, {name: case})
        if found:
            parts += [markdown(table) for table in found]
            parts.append(f"![{case.title}](../benchmarks/results/{name}.svg)\n")
    page.write_text("\n".join([before + BEGIN, "", *parts, END]) + after, encoding="utf-8")


def _machine(results: Results) -> str:
    machine, settings = results.machine, results.settings
    libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items())
    programs = "; ".join(machine["programs"].values())
    size = f"{machine['processors']} processors, {machine['memory GiB']} GiB"
    software = f"Linux {machine['kernel']}; Python {machine['python']}; {libraries}; {programs}"
    time = f"The run took {settings['minutes']} minutes"
    others = f"other processes used {results.others:.1%} of the processors"
    lines = [f"{machine['processor']}, {size}; {software}.", f"{time}; {others}."]
    lines += [f"**Not measured**: {line}" for line in results.unmeasured_lines()]
    return "\n\n".join(lines) + "\n"
