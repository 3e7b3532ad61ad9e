"""How long the loop stands still while 64 coroutines read cold files.

The heartbeat is a timerfd, so that it's as exact on uvloop, whose timers know milliseconds only, as
on asyncio, and costs the same. A beat that was due while the loop stood still counts with its own
delay: otherwise a stall of 50 ms would be one late beat instead of fifty.
"""

import asyncio
import ctypes
import math
import os
import random
import struct
import time

from benchmarks._data import BLOCK
from benchmarks.participants.blocking import Nothing

from . import MICROSECONDS, Bench, Case, Figure, blocks

_PERIOD = 0.001
_COROUTINES = 64
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


async def _stall(bench: Bench) -> None:
    bench.parameter = _COROUTINES
    if isinstance(bench.participant, Nothing):
        with bench.clock(0, operations=bench.work):
            heartbeat = _Heartbeat()
            await asyncio.sleep(1)
    else:
        opened = await blocks.files(bench, bench.data.large, os.O_RDONLY)
        offsets = [number * BLOCK for number in random.sample(range(bench.data.blocks), bench.work)]
        await blocks.read_blocks(bench, [0] * _COROUTINES, opened)
        bench.data.cool()
        with bench.clock(0, operations=bench.work):
            heartbeat = _Heartbeat()
            total = await blocks.read_blocks(bench, offsets, opened)
        bench.check(total, blocks.expected(bench, offsets))
        await blocks.close(bench, opened)
    # The loop may not have had a turn since the last beat was due.
    await asyncio.sleep(2 * _PERIOD)
    heartbeat.stop()
    delays = sorted(heartbeat.delays)
    bench.figures["p99.9 ms"] = delays[min(int(len(delays) * 0.999), len(delays) - 1)] * 1e3
    bench.figures["worst ms"] = delays[-1] * 1e3
    bench.figures["beats"] = len(delays)


CASES = [
    Case(
        name="stall",
        title="Delay of a 1 ms heartbeat while 64 coroutines read cold blocks",
        run=_stall,
        operation="pread",
        work=24_000,
        slow_work=24_000,
        rounds=3,
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
