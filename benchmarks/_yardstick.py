"""What is to be reached: ratios within one run, on uvloop. Each line is measured, never assumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ._results import Key
from ._tables import ABSENT, Table
from .cases import MICROSECONDS, Figure

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._results import Results

__all__ = ["yardstick"]

OURS = "asyncsys threads"
OURS_TABLE = "asyncsys threads, table"
LIMIT = "blocking"
CAIO = (
    "caio linux aio",
    "caio linux aio, deferred",
    "caio io_uring",
    "caio io_uring, no SQPOLL",
    "caio io_uring, no SQPOLL, deferred",
    "caio threads",
)
POOLS = ("run_in_executor", "to_thread")
PEERS = (*POOLS, "aiofiles", "anyio", *CAIO)

_RATE = Figure("requests/s", more_is_better=True)
_P999 = Figure("p99.9 ms")


class NotMeasured(Exception):  # noqa: N818
    """The run has no such row."""


class Best(NamedTuple):
    """The best of some peers; `missing` are those that this run didn't measure."""

    value: float
    name: str
    missing: list[str]


class Beside(NamedTuple):
    """Ours beside the best of some peers."""

    ratio: float
    best: Best


@dataclass(frozen=True)
class Line:
    """One thing to reach: `measure` returns what has to be at most, or at least, `limit`."""

    case: str
    goal: str
    limit: float
    measure: Callable[[Results], float | Beside]
    at_least: bool = False
    unit: str = "×"


def _value(
    results: Results,
    case: str,
    participant: str,
    parameter: int,
    figure: Figure = MICROSECONDS,
    base: str = "uvloop",
) -> float:
    summary = results.summary(Key(case, base, participant, parameter), figure)
    if summary is None:
        raise NotMeasured(f"{participant} in {case} at {parameter}")
    return summary.value


def _best(
    results: Results,
    case: str,
    peers: tuple[str, ...],
    parameter: int,
    figure: Figure = MICROSECONDS,
) -> Best:
    keys = [Key(case, "uvloop", peer, parameter) for peer in peers]
    values = {k.participant: s.value for k in keys if (s := results.summary(k, figure))}
    if not values:
        raise NotMeasured(f"a peer in {case} at {parameter}")
    name = min(values, key=lambda name: values[name])
    return Best(values[name], name, [peer for peer in peers if peer not in values])


def _at_most(case: str, parameter: int, limit: float, *, ours: str = OURS, label: str) -> Line:
    """Ours in multiples of the blocking call."""

    def measure(results: Results) -> float:
        return _value(results, case, ours, parameter) / _value(results, case, LIMIT, parameter)

    return Line(label, f"≤ {limit} × blocking", limit, measure)


def _faster(
    case: str,
    parameter: int,
    limit: float,
    *peers: str,
    ours: str = OURS,
    label: str,
    than: str = "",
) -> Line:
    """How many times faster than the best of the peers."""

    def measure(results: Results) -> Beside:
        best = _best(results, case, peers, parameter)
        return Beside(best.value / _value(results, case, ours, parameter), best)

    goal = f"≥ {limit} × faster than {than or peers[0]}"
    return Line(label, goal, limit, measure, at_least=True)


def _served(size: int, limit: float, peer: str) -> Line:
    def measure(results: Results) -> float:
        rates = (_value(results, "server", name, size, _RATE, "") for name in (OURS, peer))
        ours, theirs = rates
        return ours / theirs

    label = f"file server, {size // 1024} KiB"
    return Line(label, f"≥ {limit} × {peer}", limit, measure, at_least=True)


def _stall(results: Results) -> Beside:
    best = _best(results, "stall", POOLS, 1, _P999)
    return Beside(_value(results, "stall", OURS, 1, _P999) / best.value, best)


def _idle(results: Results) -> float:
    processor = Figure("CPU ms per s")
    ours, nothing = (
        _value(results, "idle", name, 1, processor) for name in (OURS_TABLE, "nothing")
    )
    return ours - nothing


def _memory(results: Results) -> float:
    size = Figure("KiB per loop")
    ours, nothing = (_value(results, "memory", name, 1, size) for name in (OURS_TABLE, "nothing"))
    return (ours - nothing) / 1024


def _import(results: Results) -> float:
    return _value(results, "import", "asyncsys_loop", 1, Figure("ms"), "")


def _growth(results: Results) -> float:
    most, few = (_value(results, "in_flight", OURS_TABLE, count) for count in (100_000, 256))
    return most / few


def _lines() -> list[Line]:
    one, many = "4 KiB pread, 1 coroutine", "4 KiB pread, {}, as users get it"
    table = "4 KiB pread, {}, all through the table"
    single = "single call through the table, nothing else going on"
    whole = "whole 4 KiB file: open, read, close"
    return [
        _at_most("pread", 1, 1.5, label=one),
        _faster("pread", 1, 4, *PEERS, label=one, than="the best peer"),
        *[_at_most("pread", n, 1.5, label=many.format(n)) for n in (32, 256)],
        *[
            line
            for n in (32, 256)
            for line in (
                _faster(
                    "pread",
                    n,
                    2.5,
                    *CAIO,
                    ours=OURS_TABLE,
                    label=table.format(n),
                    than="caio's best",
                ),
                _faster("pread", n, 9, POOLS[0], ours=OURS_TABLE, label=table.format(n)),
            )
        ],
        _faster("pread", 1, 1.5, "caio threads", ours=OURS_TABLE, label=single),
        _faster("pread", 1, 1.5, POOLS[0], ours=OURS_TABLE, label=single),
        _at_most("read_file", 1, 1.2, label=whole),
        _faster("read_file", 1, 8, "to_thread", label=whole),
        _faster("read_file", 1, 15, "aiofiles", label=whole),
        _at_most("stat", 1, 1.8, label="stat"),
        _faster("stat", 1, 15, "to_thread", label="stat"),
        _faster("pwrite", 32, 6, POOLS[0], label="4 KiB pwrite, 32"),
        _at_most("lines", 1, 4, label="lines of a text file"),
        _faster("lines", 1, 200, "aiofiles", label="lines of a text file"),
        _served(4096, 5, "aiohttp on uvloop"),
        _served(4096, 0.5, "nginx"),
        _served(65536, 0.7, "nginx"),
        _served(1 << 20, 0.8, "nginx"),
        Line("heartbeat, p99.9 under cold reads", "≤ 1 × the better thread pool's", 1, _stall),
        Line("idle", "no CPU: ≤ 0.5 ms a second", 0.5, _idle, unit="ms"),
        Line("idle", "memory per loop < 1 MiB over the base's", 1, _memory, unit="MiB"),
        Line("idle", "import < 30 ms over uvloop's", 30, _import, unit="ms"),
        Line("growth", "time per call at 100,000 in flight ≤ 1.3 × that at 256", 1.3, _growth),
    ]


def yardstick(results: Results) -> Table:
    """Return each line with what this run measured, and whether that is reached."""
    rows = []
    for line in _lines():
        try:
            measured = line.measure(results)
        except NotMeasured as missing:
            rows.append([line.case, line.goal, ABSENT, f"NOT MEASURED: {missing}"])
            continue
        ratio, best = measured if isinstance(measured, Beside) else (measured, None)
        reached = ratio >= line.limit if line.at_least else ratio <= line.limit
        verdict = "reached" if reached else "NOT REACHED"
        cell = f"{ratio:.2f} {line.unit}"
        if best and best.name not in line.goal:
            cell += f" ({best.name})"
        if best and best.missing:
            verdict += f"; NOT MEASURED: {', '.join(best.missing)}"
        rows.append([line.case, line.goal, cell, verdict])
    title = "The figures to reach (uvloop, executor threads)"
    return Table(title, ["case", "to reach", "measured", ""], rows)
