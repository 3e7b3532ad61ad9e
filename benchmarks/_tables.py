"""The results as tables, for the terminal and for a page in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import rich.table

from ._results import Key
from .cases import MICROSECONDS

if TYPE_CHECKING:
    from ._results import Results
    from .cases import Case

__all__ = ["Table", "markdown", "rich_table", "tables"]

LIMIT = "blocking"
ABSENT = "-"


class Table(NamedTuple):
    title: str
    header: list[str]
    rows: list[list[str]]
    notes: str = ""


def tables(results: Results, cases: dict[str, Case]) -> list[Table]:
    """Make a table for each case and base of a run."""
    found = []
    for name, case in cases.items():
        for base in results.bases(name):
            found.append(_table(results, case, base))
    return found


def _table(results: Results, case: Case, base: str) -> Table:
    parameters = results.parameters(case.name)
    main, *others = case.figures
    many = len(parameters) > 1
    header = ["", *[main.name + (f" at {n:,}" if many else "") for n in parameters]]
    last = f" at {parameters[-1]:,}" if many else ""
    header += [figure.name + last for figure in others]
    rows = []
    names = results.participants(case.name)
    for name in (n for n in case.takes_part() if n in names):
        cells = [name]
        for parameter in parameters:
            cells.append(_cell(results, case, Key(case.name, base, name, parameter)))
        for figure in others:
            summary = results.summary(Key(case.name, base, name, parameters[-1]), figure)
            cells.append(format(summary.value, figure.form) if summary else ABSENT)
        rows.append(cells)
    by = f", by {case.parameter_name}" if many else ""
    title = case.title + by + (f" ({base})" if base else "")
    return Table(title, header, rows, case.notes)


def _cell(results: Results, case: Case, key: Key) -> str:
    """Write the median, the spread, and how often that is the blocking call's."""
    figure = case.figures[0]
    summary = results.summary(key, figure)
    if summary is None:
        return ABSENT
    text = f"{summary.value:{figure.form}} ±{summary.spread:.0%}"
    limit = results.summary(key._replace(participant=LIMIT), figure)
    if limit and key.participant != LIMIT and figure.name == MICROSECONDS.name:
        text += f" ({summary.value / limit.value:.1f} ×)"
    return text


def rich_table(table: Table) -> rich.table.Table:
    """Return a table for the terminal."""
    shown = rich.table.Table(title=table.title, caption=table.notes, title_justify="left")
    for i, name in enumerate(table.header):
        shown.add_column(name, justify="right" if i else "left", no_wrap=not i)
    for row in table.rows:
        shown.add_row(*row, style="bold" if row[0].startswith("asyncsys") else "")
    return shown


def markdown(table: Table) -> str:
    """Return a table for a page."""
    lines = [table.header, ["---", *["---:"] * (len(table.header) - 1)], *table.rows]
    rows = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    return f"### {table.title}\n\n" + (f"{table.notes}\n\n" if table.notes else "") + rows + "\n"
