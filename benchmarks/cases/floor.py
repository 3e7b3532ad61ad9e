"""What a call is made of: the parts that no library can do without, each alone."""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable

from benchmarks._data import BLOCK

from . import MICROSECONDS, Bench, Case, Figure

_SHORT = 16


async def _returns() -> None:
    pass


async def _coroutine(work: int, _fd: int, _offsets: list[int]) -> None:
    for _ in range(work):
        await _returns()


async def _future(work: int, _fd: int, _offsets: list[int]) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(work):
        future = loop.create_future()
        loop.call_soon(future.set_result, None)
        await future


async def _getppid(work: int, _fd: int, _offsets: list[int]) -> None:
    for _ in range(work):
        os.getppid()


async def _short(_work: int, fd: int, offsets: list[int]) -> None:
    for offset in offsets:
        os.pread(fd, _SHORT, offset)


async def _block(_work: int, fd: int, offsets: list[int]) -> None:
    for offset in offsets:
        os.pread(fd, BLOCK, offset)


async def _nowait(_work: int, fd: int, offsets: list[int]) -> None:
    buffers = [bytearray(BLOCK)]
    for offset in offsets:
        os.preadv(fd, buffers, offset, os.RWF_NOWAIT)


async def _wake(work: int, _fd: int, _offsets: list[int]) -> None:
    """Another process is woken and wakes this one, as an exec thread and the loop do."""
    there, back = os.eventfd(0), os.eventfd(0)
    child = os.fork()
    if child == 0:
        for _ in range(work):
            os.eventfd_read(there)
            os.eventfd_write(back, 1)
        os._exit(0)
    for _ in range(work):
        os.eventfd_write(there, 1)
        os.eventfd_read(back)
    os.waitpid(child, 0)
    os.close(there)
    os.close(back)


_PARTS: dict[str, Callable[[int, int, list[int]], Awaitable[None]]] = {
    "await of a coroutine that returns": _coroutine,
    "await of a future that call_soon sets": _future,
    "os.getppid: entering the kernel": _getppid,
    "os.pread of 16 bytes": _short,
    "os.pread of 4 KiB": _block,
    "os.preadv of 4 KiB, RWF_NOWAIT": _nowait,
    "waking a process, being woken by it": _wake,
}


async def _measure(bench: Bench) -> None:
    bench.data.warm()
    part = _PARTS[bench.name]
    fd = os.open(bench.data.large, os.O_RDONLY | os.O_CLOEXEC)
    offsets = [random.randrange(bench.data.cached_blocks) * BLOCK for _ in range(bench.work)]
    warm_up = bench.work // 20
    await part(warm_up, fd, offsets[:warm_up])
    with bench.clock(0, operations=bench.work):
        await part(bench.work, fd, offsets)
    os.close(fd)


CASES = [
    Case(
        name="floor",
        title="What a call is made of, each part alone",
        run=_measure,
        operation="",
        work=40_000,
        slow_work=40_000,
        figures=(Figure(MICROSECONDS.name, ".3f"),),
        participants=tuple(_PARTS),
    )
]
