"""Guarantees 1 to 4, all at once: many calls on many tasks and few slots, cancelled at random.

A million calls on uvloop, a tenth of that on asyncio; ASYNCSYS_STRESS says another number.
"""

import asyncio
import gc
import os
import random
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import asyncsys_loop
from asyncsys_loop import stats, syscall
from asyncsys_loop._loop import default_base

from .support import TIME_SCALE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.through_the_table

MILLION = 1_000_000
CALLS = int(
    os.environ.get("ASYNCSYS_STRESS") or (MILLION if default_base() == "uvloop" else MILLION // 10)
)
TASKS = 4096
SLOTS = 64
BLOCKS = 4096  # of the file, each of which holds its own number


class Stress:
    """Tasks that make calls of several kinds, and something that cancels them."""

    def __init__(self, directory: Path) -> None:
        self.random = random.Random(64)
        self.directory = directory
        path = directory / "numbers"
        path.write_bytes(b"".join(number.to_bytes(8, "little") * 8 for number in range(BLOCKS)))
        self.file = os.open(path, os.O_RDONLY)
        self.event = os.eventfd(0)
        self.reader, self.writer = os.pipe()
        self.counted = Counter[str]()
        self.left = 0
        self.tasks: list[asyncio.Task[None]] = []
        self.kinds: list[tuple[Callable[[], Awaitable[None]], int]] = [
            (self.read, 50),
            (self.read_into, 15),
            (self.count, 20),
            (self.fail, 5),
            (self.open, 7),
            (self.sleep, 2),
            (self.block, 1),
        ]

    def close(self) -> None:
        for fd in (self.file, self.event, self.reader, self.writer):
            os.close(fd)

    # Each makes one call; what it returns is looked at.

    async def read(self) -> None:
        number = self.random.randrange(BLOCKS)
        data = await asyncsys_loop.os.pread(self.file, 64, 64 * number)
        assert data == number.to_bytes(8, "little") * 8

    async def read_into(self) -> None:
        number = self.random.randrange(BLOCKS)
        buffer = bytearray(64)
        try:
            assert await asyncsys_loop.os.preadinto(self.file, buffer, 64 * number) == 64
            assert buffer == number.to_bytes(8, "little") * 8
        finally:
            buffer.clear()  # it isn't in use, whatever happened

    async def count(self) -> None:
        assert await asyncsys_loop.os.write(self.event, (1).to_bytes(8, "little")) == 8
        self.counted["events"] += 1

    async def fail(self) -> None:
        await asyncsys_loop.os.unlink(self.directory / "missing")

    async def open(self) -> None:
        # The twin looks first, by another call, where the kernel hasn't cached the name.
        os.close(await syscall("openat", -100, "/dev/null", os.O_RDONLY | os.O_CLOEXEC))

    async def sleep(self) -> None:
        assert await syscall("nanosleep", bytes(8) + (50_000).to_bytes(8, "little"), None) == 0

    async def block(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_later(0.001, task.cancel)
        await syscall("read", self.reader, bytearray(8), 8)

    async def caller(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        functions, weights = zip(*self.kinds, strict=True)
        while self.left > 0:
            self.left -= 1
            self.counted["started"] += 1
            (kind,) = self.random.choices(functions, weights)
            try:
                await kind()
            except asyncio.CancelledError:
                while task.uncancel():
                    self.counted["cancelled again"] += 1
                self.counted["cancelled"] += 1
            except FileNotFoundError:
                self.counted["failed"] += 1
            else:
                self.counted["returned"] += 1

    async def run(self, calls: int) -> None:
        self.left = calls
        self.tasks = [asyncio.create_task(self.caller()) for _ in range(TASKS)]
        await asyncio.sleep(0)
        alive = asyncio.gather(*self.tasks)
        while not alive.done():
            for _ in range(self.random.randrange(8)):
                self.random.choice(self.tasks).cancel()
            await asyncio.sleep(0)
        await asyncio.wait([alive])
        for task in self.tasks:
            if not task.cancelled():  # by a cancellation that came after its last call
                task.result()
        self.tasks.clear()


def memory() -> tuple[int, int]:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return sys.getallocatedblocks(), pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.loop(slots=SLOTS)
@pytest.mark.timeout(max(120, CALLS // 2000) * TIME_SCALE)
async def test_calls_with_random_cancellations(tmp_path: Path) -> None:
    stress = Stress(tmp_path)
    await stress.run(CALLS // 10)  # what grows once, grows here
    before = memory()
    await stress.run(CALLS - CALLS // 10)
    after = memory()
    counted, now = stress.counted, stats()

    assert counted["started"] == CALLS
    assert counted["returned"] + counted["failed"] + counted["cancelled"] == CALLS
    assert counted["cancelled"] > CALLS // 100
    assert counted["failed"] > 0
    assert counted["cancelled again"] > 0 or CALLS < MILLION // 10  # it's a matter of chance
    # Each call that was submitted was run, or withdrawn, once. Some were cancelled in the queue.
    assert now.submitted == now.completed + now.withdrawn
    assert CALLS - now.cancelled <= now.submitted <= CALLS
    assert now.withdrawn > 0 or CALLS < MILLION // 10
    # Each write that returned has been made, once; and no other, but of cancelled callers.
    events = int.from_bytes(os.read(stress.event, 8), "little")
    assert counted["events"] <= events <= counted["events"] + counted["cancelled"]

    assert (now.slots, now.in_flight, now.queued) == (SLOTS, 0, 0)
    assert now.workers <= now.max_workers
    assert after[0] - before[0] < 5000, "Python objects are left"
    assert after[1] - before[1] < 32 << 20, "memory is left"
    stress.close()
