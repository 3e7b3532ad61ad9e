"""The run: rounds of all cases, in each the participants in turn, a process for each."""

from __future__ import annotations

import json
import os
import platform
import random
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ._data import Data
from ._results import QUIET, Results, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from .cases import Case

__all__ = ["Failed", "Selection", "ask", "request", "run"]

TREE_FILES = 100_000
QUICK_TREE_FILES = 2_000
BLOCKS = 64 * 1024  # 256 MiB
QUICK_DIVISOR = 4
_TIMEOUT = 120
# A turn in which others used the processors is taken again; the last one counts.
_ATTEMPTS = 2
ROOT = Path(__file__).resolve().parent.parent
_LIBRARIES = ("uvloop", "aiofiles", "anyio", "caio", "aiohttp", "starlette", "uvicorn", "httptools")


class Failed(Exception):  # noqa: N818
    """A process failed: the run is worth nothing."""


@dataclass(frozen=True)
class Selection:
    """What is run."""

    cases: list[Case]
    participants: frozenset[str]
    bases: frozenset[str]
    rounds: int | None
    quick: bool
    partial: bool

    def rounds_of(self, case: Case) -> int:
        if self.rounds is not None:
            return self.rounds
        return case.quick_rounds if self.quick else case.rounds

    def bases_of(self, case: Case) -> list[str]:
        bases = [base for base in case.bases if not base or base in self.bases]
        return bases[:1] if self.quick else bases

    def turns(self) -> Iterator[tuple[int, Case, str, int, str]]:
        """Yield round, case, base, parameter and participant, in the order of the run."""
        for round_ in range(max(map(self.rounds_of, self.cases), default=0)):
            for case in self.cases:
                if round_ >= self.rounds_of(case):
                    continue
                parameters = (self.quick and case.quick_parameters) or case.parameters
                for base in self.bases_of(case):
                    for parameter in parameters:
                        names = case.takes_part()
                        if self.participants:
                            names = [name for name in names if name in self.participants]
                        # Another order in each round, so that nobody always follows the same one.
                        random.Random(round_).shuffle(names)
                        for name in names:
                            yield round_, case, base, parameter, name


def run(selection: Selection, directory: Path, console: Console) -> Results:
    """Run what was selected. Raises Failed; what isn't to be had here is listed in the results."""
    tree_files = QUICK_TREE_FILES if selection.quick else TREE_FILES
    data = Data(directory / "data", tree_files, BLOCKS)
    with console.status("making the files"):
        data.prepare()
    results = Results(
        machine=_machine(),
        settings={
            "quick": selection.quick,
            "partial": selection.partial,
            "tree_files": tree_files,
            "rounds": {case.name: selection.rounds_of(case) for case in selection.cases},
        },
    )
    turns = list(selection.turns())
    start = time.monotonic()
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(turns))
        for round_, case, base, parameter, name in turns:
            label = f"round {round_ + 1}: {case.name} {parameter}, {name} {base}"
            progress.update(task, description=label)
            if case.name not in results.unmeasured.get(name, {}):
                row = Row(case.name, base, name, parameter, round_, {}, {})
                _turn(results, selection, data, row, case)
            progress.advance(task)
    results.settings["minutes"] = round((time.monotonic() - start) / 60, 1)
    return results


def _turn(results: Results, selection: Selection, data: Data, row: Row, case: Case) -> None:
    divisor = QUICK_DIVISOR if selection.quick else 1
    asked = request(case, row.participant, row.base, row.parameter, data, divisor)
    attempts = 0
    while True:
        before, start = _processor(), time.monotonic()
        answer = ask(asked)
        row.others, row.seconds = _others(before, _processor()), time.monotonic() - start
        attempts += 1
        if row.others <= QUIET or attempts == _ATTEMPTS:
            break
    if "unavailable" in answer:
        results.unmeasured.setdefault(row.participant, {})[row.case] = answer["unavailable"]
        return
    row.figures, row.backend = answer["figures"], answer["backend"]
    results.rows.append(row)


def request(
    case: Case, participant: str, base: str, parameter: int, data: Data, divisor: float
) -> dict[str, Any]:
    """Return what a worker is asked for; the work is divided by `divisor`."""
    return {
        "module": case.run.__module__,
        "case": case.name,
        "participant": participant,
        "base": base,
        "parameter": parameter,
        "directory": str(data.directory),
        "tree_files": data.tree_files,
        "blocks": data.blocks,
        "divisor": divisor,
    }


def ask(asked: dict[str, Any], *prefix: str) -> dict[str, Any]:
    """Return a worker's answer; `prefix` is a command that runs it. Raises Failed."""
    what = f"{asked['case']} {asked['parameter']}, {asked['participant']} {asked['base']}"
    command = [*prefix, sys.executable, "-m", "benchmarks._worker", json.dumps(asked)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT, check=False, cwd=ROOT
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{what}: no end after {_TIMEOUT} s") from error
    if done.returncode:
        raise Failed(f"{what}:\n{done.stderr.strip()}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _processor() -> tuple[float, float, float]:
    """Return the processors' seconds so far: busy, ours (children that ended too), and all."""
    with open("/proc/stat", encoding="ascii") as file:
        times = [int(field) / os.sysconf("SC_CLK_TCK") for field in file.readline().split()[1:9]]
    idle = times[3] + times[4]
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    ours = time.process_time() + children.ru_utime + children.ru_stime
    return sum(times) - idle, ours, sum(times)


def _others(before: tuple[float, float, float], after: tuple[float, float, float]) -> float:
    busy, ours, total = (late - early for early, late in zip(before, after, strict=True))
    return max(busy - ours, 0.0) / total if total else 0.0


def _machine() -> dict[str, Any]:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = {line.partition(": ")[2].strip() for line in file if line.startswith("model name")}
    return {
        "processor": ", ".join(sorted(models)),
        "processors": os.cpu_count(),
        "memory GiB": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "programs": {name: found for name in ("nginx", "wrk") if (found := _program(name))},
    }


def _program(name: str) -> str:
    try:
        done = subprocess.run(
            [name, "-v"],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PATH": os.environ.get("PATH", os.defpath) + ":/usr/sbin"},
        )
    except FileNotFoundError:
        return ""
    return (done.stderr or done.stdout).splitlines()[0].strip()
