"""4 KiB blocks of one large file: cached, written, cold, and past the page cache."""

import errno
import mmap
import os
import random
from typing import Any

from benchmarks._data import BLOCK
from benchmarks.participants import Unavailable

from . import Bench, Case

_LAST = BLOCK - 1


def expected(bench: Bench, offsets: list[int]) -> int:
    last_bytes = bench.data.last_bytes()
    return sum(last_bytes[offset // BLOCK] for offset in offsets)


async def files(bench: Bench, path: str, flags: int) -> list[Any]:
    """Open a file for each coroutine: some libraries' files have a position that they'd share."""
    return [await bench.participant.open(path, flags) for _ in range(bench.parameter)]


async def cold_files(bench: Bench) -> list[Any]:
    """As files(), of the large file, of which the kernel reads no more than it's asked for."""
    opened = await files(bench, bench.data.large, os.O_RDONLY)
    for file in opened:
        descriptor = file if isinstance(file, int) else file.fileno()
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
    return opened


async def close(bench: Bench, opened: list[Any]) -> None:
    for file in opened:
        await bench.participant.close(file)


async def read_blocks(bench: Bench, offsets: list[int], opened: list[Any]) -> int:
    """Read a block at each offset, and return the sum of their last bytes."""
    pread = bench.participant.pread

    async def work(i: int) -> int:
        file, total = opened[i], 0
        for offset in offsets[i :: bench.parameter]:
            total += (await pread(file, BLOCK, offset))[_LAST]
        return total

    return await bench.together(work)


async def _cached(bench: Bench) -> None:
    bench.data.warm()
    opened = await files(bench, bench.data.large, os.O_RDONLY)
    offsets = [random.randrange(bench.data.cached_blocks) * BLOCK for _ in range(bench.work)]
    warm_up = offsets[: max(bench.work // 20, 2 * bench.parameter)]
    bench.check(await read_blocks(bench, warm_up, opened), expected(bench, warm_up))
    with bench.clock(bench.work):
        total = await read_blocks(bench, offsets, opened)
    bench.check(total, expected(bench, offsets))
    await close(bench, opened)


async def _pwrite(bench: Bench) -> None:
    pwrite = bench.participant.pwrite
    patterns = [bytes([i]) * BLOCK for i in range(256)]
    directory = bench.data.scratch()
    path = directory / "written"
    blocks = 4096
    path.write_bytes(bytes(blocks * BLOCK))
    opened = await files(bench, str(path), os.O_RDWR)
    numbers = [random.randrange(blocks) for _ in range(bench.work)]

    async def write_blocks(numbers: list[int]) -> int:
        async def work(i: int) -> int:
            file, total = opened[i], 0
            for number in numbers[i :: bench.parameter]:
                total += await pwrite(file, patterns[number & 255], number * BLOCK)
            return total

        return await bench.together(work)

    await write_blocks(numbers[: max(bench.work // 20, 2 * bench.parameter)])
    with bench.clock(bench.work):
        total = await write_blocks(numbers)
    bench.check(total, bench.work * BLOCK)
    await close(bench, opened)
    content = path.read_bytes()
    for number in set(numbers):
        block = content[number * BLOCK : (number + 1) * BLOCK]
        bench.check(block == patterns[number & 255], True)
    path.unlink()
    directory.rmdir()


async def _cold(bench: Bench) -> None:
    opened = await cold_files(bench)
    # Each block once: a second read of it would find it cached.
    warm_up, *numbers = random.sample(range(bench.data.blocks), bench.work + 1)
    offsets = [number * BLOCK for number in numbers]
    await read_blocks(bench, [warm_up * BLOCK] * bench.parameter, opened)
    bench.data.cool()
    with bench.clock(bench.work, cached=False):
        total = await read_blocks(bench, offsets, opened)
    bench.check(total, expected(bench, offsets))
    await close(bench, opened)


async def direct(bench: Bench) -> None:
    preadinto = bench.participant.preadinto
    try:
        opened = await files(bench, bench.data.large, os.O_RDONLY | os.O_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise Unavailable("this file system has no O_DIRECT") from error
    offsets = [random.randrange(bench.data.blocks) * BLOCK for _ in range(bench.work)]
    buffers = [mmap.mmap(-1, BLOCK) for _ in opened]  # O_DIRECT wants them aligned

    async def read(offsets: list[int]) -> int:
        async def work(i: int) -> int:
            file, total = opened[i], 0
            buffer = buffers[i]
            for offset in offsets[i :: bench.parameter]:
                await preadinto(file, buffer, offset)
                total += buffer[_LAST]
            return total

        return await bench.together(work)

    await read(offsets[: 2 * bench.parameter])
    with bench.clock(bench.work, cached=False):
        total = await read(offsets)
    bench.check(total, expected(bench, offsets))
    await close(bench, opened)


CASES = [
    Case(
        name="pread",
        title="4 KiB pread of a cached file",
        run=_cached,
        operation="pread",
        work=60_000,
        slow_work=4_000,
        parameters=(1, 8, 32, 256),
        quick_parameters=(1, 32, 256),
    ),
    Case(
        name="pwrite",
        title="4 KiB pwrite to a cached file",
        run=_pwrite,
        operation="pwrite",
        work=40_000,
        slow_work=4_000,
        parameters=(32,),
    ),
    Case(
        name="cold",
        title="4 KiB pread of a file that isn't in the page cache, without readahead",
        run=_cold,
        operation="pread",
        work=6_000,
        slow_work=6_000,
        parameters=(1, 64),
        quick_parameters=(64,),
        rounds=3,
        notes="The kernel's page cache was dropped; a virtual machine's host may have its own.",
    ),
    Case(
        name="direct",
        title="4 KiB read with O_DIRECT into the caller's buffer",
        run=direct,
        operation="preadinto",
        work=6_000,
        slow_work=6_000,
        parameters=(1, 64),
        quick_parameters=(64,),
        rounds=3,
    ),
]
