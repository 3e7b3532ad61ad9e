"""The cases: each a declaration and one coroutine, the same for all participants.

A case's coroutine does its set-up and a warm-up, then its fixed work inside `bench.clock()`, and
then checks the results. Its process ends after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from benchmarks.participants import PARTICIPANTS, offers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from benchmarks._data import Data
    from benchmarks.participants import Participant

__all__ = ["MICROSECONDS", "Bench", "Case", "Figure", "Wrong", "all_cases", "memory"]


class Wrong(Exception):  # noqa: N818
    """A result isn't what it has to be."""


class Figure(NamedTuple):
    """What is measured: its key in the results, how it's written, what is taken of the rounds."""

    name: str
    form: str = ".1f"
    over_rounds: Literal["median", "max"] = "median"
    more_is_better: bool = False


MICROSECONDS = Figure("µs", ".2f")
_PROCESSOR = Figure("CPU µs", ".2f")
_PEAK = Figure("peak MiB", ".0f")


@dataclass
class Bench:
    """What a case is given, and where it leaves its figures.

    Attributes:
        perf: FIFOs that perf(1) listens to and answers in, where it samples this process.
    """

    participant: Participant
    name: str
    base: str
    parameter: int
    operation: str
    work: int
    data: Data
    perf: tuple[str, str] | None = None
    figures: dict[str, float] = field(default_factory=dict)
    backend: dict[str, Any] = field(default_factory=dict)

    @contextlib.contextmanager
    def clock(
        self, calls: int, *, operations: int | None = None, cached: bool = True
    ) -> Iterator[None]:
        """Measure at least `calls` calls, of `cached` data or not.

        The time is divided by `operations`, where each isn't one call. Without file work, calls=0.
        """
        operations = operations or calls
        _forget_peak()
        self.participant.begin()
        self._tell_perf("enable")
        processor, start = time.process_time(), time.perf_counter()
        yield
        seconds, processor = time.perf_counter() - start, time.process_time() - processor
        self._tell_perf("disable")
        self.figures[MICROSECONDS.name] = seconds / operations * 1e6
        self.figures[_PROCESSOR.name] = processor / operations * 1e6
        self.figures[_PEAK.name] = memory("VmHWM") / 2**20
        self.figures["operations"] = operations
        self.backend = self.participant.backend(self.operation, calls, cached)

    def _tell_perf(self, command: str) -> None:
        """Have perf(1) sample this process while the clock runs, and no longer."""
        if self.perf is None:
            return
        control, answer = self.perf
        with open(control, "w", encoding="ascii") as file:
            file.write(command + "\n")
        with open(answer, encoding="ascii") as file:
            file.readline()

    async def together(self, work: Callable[[int], Awaitable[int]]) -> int:
        """Run work(0), work(1) … in as many coroutines as the parameter says; return their sum."""
        if self.parameter == 1:
            return await work(0)
        return sum(await asyncio.gather(*[work(i) for i in range(self.parameter)]))

    def check(self, found: object, expected: object) -> None:
        """Raise Wrong where a result isn't what it has to be."""
        if found != expected:
            raise Wrong(f"{self.name}: {found!r} instead of {expected!r}")


@dataclass(frozen=True)
class Case:
    """A case: what it measures, of whom, and how much work that is.

    Attributes:
        name: short and unique.
        title: for people.
        run: a coroutine for the participant's loop; or a function for a process without one.
        operation: of the participants; those who lack it don't take part.
        work: operations of those to whom they cost microseconds,
        slow_work: and of the others.
        parameters: what is varied, named parameter_name; quick_parameters in a quick run.
        figures: what the table shows; the chart has the first one.
        participants: who takes part; by default all who have the operation.
        options: of our loop, for a parameter.
        rounds: so many in a full run,
        quick_rounds: and in a quick one.
        scaling: the chart is a curve over the parameters.
    """

    name: str
    title: str
    run: Callable[[Bench], Any]
    operation: str
    work: int
    slow_work: int
    parameters: tuple[int, ...] = (1,)
    quick_parameters: tuple[int, ...] = ()
    parameter_name: str = "coroutines"
    figures: tuple[Figure, ...] = (MICROSECONDS, _PROCESSOR, _PEAK)
    participants: tuple[str, ...] = ()
    bases: tuple[str, ...] = ("uvloop", "asyncio")
    options: Callable[[int], dict[str, int]] = lambda _: {}
    rounds: int = 5
    quick_rounds: int = 2
    scaling: bool = False
    notes: str = ""

    def takes_part(self) -> list[str]:
        """Return the names of the participants."""
        if self.participants:
            return list(self.participants)
        return [name for name in PARTICIPANTS if offers(name, self.operation)]


def _forget_peak() -> None:
    """Let VmHWM begin anew: what set-up and checks took isn't the participant's."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


def memory(field: str) -> int:
    """Return a field of /proc/self/status in bytes: VmRSS, or VmHWM, its peak.

    Not ru_maxrss: that begins with the peak of the process that started this one.
    """
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise LookupError(field)


def all_cases() -> dict[str, Case]:
    """Return the cases by their names, in the order of the tables."""
    modules = ("floor", "blocks", "files", "trees", "stall", "scaling", "footprint", "server")
    found = (importlib.import_module(f"benchmarks.cases.{module}").CASES for module in modules)
    return {case.name: case for cases in found for case in cases}
