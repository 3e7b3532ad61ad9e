"""Where the time of one participant goes, as perf(1) samples it: which code has the processor."""

from __future__ import annotations

import os
import subprocess
from collections import defaultdict
from typing import TYPE_CHECKING

from ._run import Failed, ask, request
from ._tables import Table
from .cases import MICROSECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from ._data import Data
    from .cases import Case

__all__ = ["profile"]

# So long that there are many samples.
_SECONDS = 2
_FREQUENCY = 4999

_COLLECTOR = ("gc_", "visit_", "deduce_unreachable", "subtract_refs", "update_refs", "untrack_")
_OWNERS = {
    "kernel": ("[kernel", "[vdso]", "[unknown]"),
    "this library, in C": ("_asyncsys_loop",),
    "event loop: uvloop, _asyncio": ("loop.cpython", "_asyncio"),
    "interpreter": ("libpython", "python"),
}


def profile(
    case: Case, participant: str, parameter: int, base: str, data: Data, directory: Path
) -> Table:
    """Run a case under perf, and return who had the processor. Raises Failed, OSError."""
    asked = request(case, participant, base, parameter, data, 1)
    first = ask(asked)
    if "unavailable" in first:
        raise Failed(first["unavailable"])
    figures = first["figures"]
    took = figures[MICROSECONDS.name] * figures["operations"] / 1e6
    asked["divisor"] = min(took / _SECONDS, 1)
    samples, fifos = directory / "perf.data", [directory / "control", directory / "answer"]
    for fifo in fifos:
        fifo.unlink(missing_ok=True)
        os.mkfifo(fifo)
    asked["perf"] = [str(fifo) for fifo in fifos]
    event = ["-e", "cpu-clock", "-F", str(_FREQUENCY)]
    waits = ["--delay", "-1", "--control", f"fifo:{fifos[0]},{fifos[1]}"]
    answer = ask(asked, "perf", "record", "--quiet", *event, *waits, "-o", str(samples), "--")
    report = subprocess.run(
        ["perf", "report", "-i", samples, "--stdio", "-F", "overhead,dso,symbol", "-t", ";"],
        capture_output=True,
        text=True,
        check=True,
    )
    shares = _shares(report.stdout)
    processor = answer["figures"]["CPU µs"]
    rows = [
        [owner, f"{share:.0f} %", f"{share / 100 * processor:.2f}"]
        for owner, share in sorted(shares.items(), key=lambda item: -item[1])
        if round(share)
    ]
    title = f"{case.title}: {participant} at {parameter:,} ({base})"
    notes = f"{processor:.2f} µs of processor time, on all threads, for each operation"
    return Table(title, ["who", "share", "µs"], rows, notes)


def _shares(report: str) -> dict[str, float]:
    shares: dict[str, float] = defaultdict(float)
    for line in report.splitlines():
        if line.startswith("#") or line.count(";") < 2:
            continue
        share, program, symbol = (part.strip() for part in line.split(";", 2))
        shares[_owner(program, symbol.partition("] ")[2])] += float(share.rstrip("%"))
    return shares


def _owner(program: str, symbol: str) -> str:
    for owner, parts in _OWNERS.items():
        if any(part in program for part in parts):
            if owner == "interpreter" and symbol.startswith(_COLLECTOR):
                return "garbage collector"
            return owner
    return "libc, others"
