"""How long the loop stands still while 64 coroutines read cold files.

The heartbeat is a timerfd, so that it's as exact on uvloop, whose timers know milliseconds only, as
on asyncio, and costs the same. A beat that was due while the loop stood still counts with its own
delay: otherwise a stall of 50 ms would be one late beat instead of fifty.

The time is fixed, and not the work: whoever reads quicker would have fewer beats, and of fewer than
a thousand the 99.9th percentile is the worst. The reads go on, of blocks made cold again, until so
many beats were due; between the passes there is no heart to beat.
"""

import asyncio
import ctypes
import math
import os
import random
import statistics
import struct
import time
from typing import Any

from benchmarks._data import BLOCK
from benchmarks.participants.blocking import Nothing

from . import MICROSECONDS, Bench, Case, Figure, blocks

_PERIOD = 0.001
_COROUTINES = 64
_BLOCKS = 24_000  # of each pass
_TFD_TIMER_ABSTIME = 1


class _Heartbeat:
    def __init__(self) -> None:
        self.delays: list[float] = []
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        self._due = time.monotonic() + _PERIOD
        fraction, seconds = math.modf(self._due)
        times = struct.pack("=qqqq", 0, int(_PERIOD * 1e9), int(seconds), int(fraction * 1e9))
        if self._fd < 0 or libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, times, None):
            raise OSError(ctypes.get_errno(), "timerfd")
        asyncio.get_running_loop().add_reader(self._fd, self._beat)

    def _beat(self) -> None:
        os.read(self._fd, 8)
        now = time.monotonic()
        while self._due <= now:
            self.delays.append(now - self._due)
            self._due += _PERIOD

    def stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)


async def _pass(bench: Bench, opened: list[Any]) -> list[float]:
    """Read cold blocks, each once, or nothing for a second; return the delays of the beats."""
    count = min(_BLOCKS, bench.data.blocks)
    numbers = random.sample(range(bench.data.blocks), count)
    offsets = [number * BLOCK for number in numbers]
    total = 0
    if opened:
        bench.data.cool()
    with bench.clock(count if opened else 0, operations=count, cached=False):
        heartbeat = _Heartbeat()
        if opened:
            total = await blocks.read_blocks(bench, offsets, opened)
        else:
            await asyncio.sleep(1)
    # The loop may not have had a turn since the last beat was due.
    await asyncio.sleep(2 * _PERIOD)
    heartbeat.stop()
    if opened:
        bench.check(total, blocks.expected(bench, offsets))
    return heartbeat.delays


async def _stall(bench: Bench) -> None:
    bench.parameter = _COROUTINES
    opened: list[Any] = []
    if not isinstance(bench.participant, Nothing):
        opened = await blocks.cold_files(bench)
        await blocks.read_blocks(bench, [0] * _COROUTINES, opened)
    delays: list[float] = []
    passes: list[float] = []
    while len(delays) < bench.work:
        delays += await _pass(bench, opened)
        passes.append(bench.figures[MICROSECONDS.name])
    await blocks.close(bench, opened)
    delays.sort()
    bench.figures[MICROSECONDS.name] = statistics.median(passes)
    bench.figures["p99.9 ms"] = delays[int(len(delays) * 0.999)] * 1e3
    bench.figures["worst ms"] = delays[-1] * 1e3
    bench.figures["beats"] = len(delays)
    bench.figures["operations"] *= len(passes)


CASES = [
    Case(
        name="stall",
        title="Delay of a 1 ms heartbeat while 64 coroutines read cold blocks",
        run=_stall,
        operation="pread",
        work=5000,  # beats
        slow_work=5000,
        rounds=2,
        quick_rounds=1,
        parameter_name="",
        participants=(
            "nothing",
            "blocking",
            "run_in_executor",
            "to_thread",
            "aiofiles",
            "anyio",
            "caio linux aio",
            "caio io_uring",
            "caio io_uring, no SQPOLL",
            "caio threads",
            "asyncsys threads",
            "asyncsys threads, table",
            "asyncsys kmod",
        ),
        figures=(
            Figure("p99.9 ms", ".2f"),
            Figure("worst ms", ".2f", over_rounds="max"),
            MICROSECONDS,
        ),
    )
]
