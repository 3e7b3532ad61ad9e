"""How the time and the memory of a call grow: with awaits in flight, slots, and exec threads."""

import asyncio
import os

from benchmarks._data import BLOCK

from . import MICROSECONDS, Bench, Case, Figure, blocks, memory

# The coroutines where something else is varied.
_FOR_SLOTS = 4096
_FOR_WORKERS = 256

# Of few coroutines, each call wakes a thread: they get less work. Many get some calls each, so that
# what waking them at first and ending them costs doesn't count; but not of a peer to whom a call
# costs 20 µs then, beside which that is little.
_MOST_EACH = 4000
_LEAST_EACH = 10
_LEAST_EACH_OF_PEERS = 3

# For a scatter without a pattern that the kernel could read ahead for; odd, so that it meets all.
_STRIDE = 7919

_TABLE = ("asyncsys threads, table", "asyncsys kmod, table")


async def _flood(bench: Bench, coroutines: int) -> None:
    """Make the coroutines first, then let all of them go at once."""
    bench.data.warm()
    least = _LEAST_EACH if bench.name in _TABLE else _LEAST_EACH_OF_PEERS
    each = max(min(bench.work // coroutines, _MOST_EACH), least)
    calls = each * coroutines
    pread = bench.participant.pread
    fd = os.open(bench.data.large, os.O_RDONLY | os.O_CLOEXEC)
    cached = bench.data.cached_blocks
    offsets = [i * _STRIDE % cached * BLOCK for i in range(cached)]
    go = asyncio.Event()

    async def work(i: int, each: int) -> int:
        await go.wait()
        total = 0
        for k in range(i * each, i * each + each):
            total += (await pread(fd, BLOCK, offsets[k % cached]))[-1]
        return total

    go.set()
    await asyncio.gather(*[work(i, 2) for i in range(min(coroutines, 256))])
    go.clear()
    before = memory("VmRSS")
    tasks = [asyncio.ensure_future(work(i, each)) for i in range(coroutines)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with bench.clock(calls):
        go.set()
        for task in tasks:
            await task
    if coroutines >= 1000:
        bench.figures["KiB per await"] = (memory("VmHWM") - before) / 1024 / coroutines
    numbers = [offsets[k % cached] for k in range(calls)]
    bench.check(sum(task.result() for task in tasks), blocks.expected(bench, numbers))
    os.close(fd)


async def _in_flight(bench: Bench) -> None:
    await _flood(bench, bench.parameter)


async def _slots(bench: Bench) -> None:
    await _flood(bench, _FOR_SLOTS)


async def _workers(bench: Bench) -> None:
    """Reads that block: of cached ones, which don't, one exec thread does all whatever the cap."""
    bench.parameter = _FOR_WORKERS
    await blocks.direct(bench)
    bench.figures[_WORKERS.name] = bench.backend["workers"]


_PER_AWAIT = Figure("KiB per await", ".2f")
_PEAK = Figure("peak MiB", ".0f")
_WORKERS = Figure("exec threads there were", ".0f")

CASES = [
    Case(
        name="in_flight",
        title="Time per cached 4 KiB pread",
        run=_in_flight,
        operation="pread",
        work=300_000,
        slow_work=20_000,
        parameters=(1, 16, 256, 4096, 100_000),
        quick_parameters=(256, 100_000),
        parameter_name="awaits in flight",
        figures=(MICROSECONDS, _PER_AWAIT, _PEAK),
        participants=(*_TABLE, "caio io_uring", "caio io_uring, no SQPOLL, deferred"),
        bases=("uvloop",),
        rounds=3,
        quick_rounds=1,
        scaling=True,
    ),
    Case(
        name="slots",
        title="Time per cached 4 KiB pread of 4,096 coroutines",
        run=_slots,
        operation="pread",
        work=150_000,
        slow_work=150_000,
        parameters=(64, 256, 1024, 4096, 16_384),
        quick_parameters=(64, 16_384),
        parameter_name="slots",
        figures=(MICROSECONDS, _PEAK),
        participants=_TABLE,
        bases=("uvloop",),
        options=lambda slots: {"slots": slots},
        rounds=3,
        scaling=True,
    ),
    Case(
        name="workers",
        title="Time per 4 KiB read with O_DIRECT of 256 coroutines",
        run=_workers,
        operation="preadinto",
        work=20_000,
        slow_work=20_000,
        parameters=(1, 2, 4, 16, 64),
        quick_parameters=(1, 64),
        parameter_name="exec threads at most",
        figures=(MICROSECONDS, _WORKERS, _PEAK),
        participants=_TABLE,
        bases=("uvloop",),
        options=lambda workers: {"max_workers": workers},
        rounds=3,
        scaling=True,
    ),
]
