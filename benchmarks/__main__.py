"""The command line: `python -m benchmarks`."""

import shutil
from pathlib import Path

import click
from rich.console import Console

from ._charts import write_charts
from ._data import Data
from ._page import PAGE, publish
from ._profile import profile
from ._results import Results
from ._run import BLOCKS, QUICK_TREE_FILES, Failed, Selection, run
from ._tables import ABSENT, rich_table, tables
from ._yardstick import yardstick
from .cases import all_cases
from .participants import PARTICIPANTS

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "build" / "bench"
# Tables are wide; a terminal says its own width, a file or a pipe has none.
CONSOLE = Console() if Console().is_terminal else Console(width=160)


def _read(_context: click.Context, _parameter: click.Parameter, path: Path) -> Results:
    try:
        return Results.read(path)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


_results = click.argument(
    "results",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=OUTPUT / "results.json",
    callback=_read,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
def main() -> None:
    """Measure asyncsys-loop beside its peers, each in a process of its own, in turn."""


@main.command("run")
@click.option("--quick", is_flag=True, help="Two minutes: less work, two rounds, uvloop only.")
@click.option(
    "--case", "names", multiple=True, type=click.Choice(list(all_cases())), help="Only these."
)
@click.option("--participant", "participants", multiple=True, help="Only these, as in the tables.")
@click.option(
    "--base", "bases", multiple=True, type=click.Choice(["uvloop", "asyncio"]), help="Only this."
)
@click.option("--rounds", type=click.IntRange(min=1), help="Of every case; by default its own.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), default=OUTPUT)
def run_command(
    *,
    quick: bool,
    names: tuple[str, ...],
    participants: tuple[str, ...],
    bases: tuple[str, ...],
    rounds: int | None,
    output: Path,
) -> None:
    """Run the cases, print the tables, write results.json and a chart per case."""
    cases = all_cases()
    known = {name for case in cases.values() for name in case.takes_part()} | set(PARTICIPANTS)
    if unknown := set(participants) - known:
        raise click.BadParameter(
            f"nobody is named {min(unknown)!r}: choose from {', '.join(sorted(known))}"
        )
    selection = Selection(
        cases=[case for name, case in cases.items() if not names or name in names],
        participants=frozenset(participants),
        bases=frozenset(bases or ("uvloop", "asyncio")),
        rounds=rounds,
        quick=quick,
        partial=bool(names or participants or rounds),  # one base alone is a whole
    )
    output.mkdir(parents=True, exist_ok=True)
    try:
        results = run(selection, output, CONSOLE)
    except Failed as error:
        raise click.ClickException(str(error)) from error
    if not results.rows:
        raise click.ClickException("nothing was measured: " + "; ".join(results.unmeasured_lines()))
    results.write(output / "results.json")
    for path in write_charts(results, cases, output):
        CONSOLE.print(f"wrote {path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}")
    _show(results)


@main.command()
@_results
def show(results: Results) -> None:
    """Print the tables of a run."""
    _show(results)


@main.command()
@_results
def check(results: Results) -> None:
    """Print each figure to reach, what a run measured, and whether that is reached."""
    CONSOLE.print(rich_table(yardstick(results)))


@main.command("publish")
@_results
def publish_command(results: Results) -> None:
    """Keep a run in benchmarks/results, and write its tables into docs/performance.md."""
    if results.settings["quick"] or results.settings["partial"]:
        raise click.ClickException("only a whole run is for keeping: use `make bench`")
    if not results.quiet:
        raise click.ClickException(
            f"other processes used {results.others:.0%} of the processors during this run: "
            "measure again on a quiet machine"
        )
    kept = ROOT / "benchmarks" / "results"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()
    results.write(kept / "results.json")
    write_charts(results, all_cases(), kept)
    publish(results, ROOT / PAGE)
    CONSOLE.print(f"wrote benchmarks/results and {PAGE}")


@main.command("profile")
@click.option("--case", "name", type=click.Choice(list(all_cases())), required=True)
@click.option("--participant", default="asyncsys threads", help="As in the tables.")
@click.option("--parameter", type=click.IntRange(min=1), default=1)
@click.option("--base", type=click.Choice(["uvloop", "asyncio"]), default="uvloop")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), default=OUTPUT)
def profile_command(
    *, name: str, participant: str, parameter: int, base: str, output: Path
) -> None:
    """Print who has the processor in one case: kernel, interpreter, this library … Needs perf."""
    case = all_cases()[name]
    output.mkdir(parents=True, exist_ok=True)
    data = Data(output / "profile", QUICK_TREE_FILES, BLOCKS)
    data.prepare()
    try:
        found = profile(case, participant, parameter, base, data, output)
    except FileNotFoundError as error:
        raise click.ClickException("perf(1) is needed: apt install linux-perf") from error
    except Failed as error:
        raise click.ClickException(str(error)) from error
    CONSOLE.print(rich_table(found))


def _show(results: Results) -> None:
    for table in tables(results, all_cases()):
        CONSOLE.print(rich_table(table), "")
    reached = yardstick(results)
    if results.settings["partial"]:
        reached = reached._replace(rows=[row for row in reached.rows if row[2] != ABSENT])
    if reached.rows:
        CONSOLE.print(rich_table(reached))
    for line in results.unmeasured_lines():
        CONSOLE.print(f"NOT MEASURED: {line}", style="bold red", markup=False)
    noise = f"Other processes used {results.others:.1%} of the processors."
    if results.quiet:
        CONSOLE.print(noise)
    else:
        CONSOLE.print(f"{noise} THESE FIGURES ARE NOT TO BE TRUSTED.", style="bold red")


main(prog_name="python -m benchmarks")
