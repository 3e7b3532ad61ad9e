"""Whole small files, and the lines of a text file."""

import os
import shutil

from benchmarks._data import BLOCK, SMALL_FILES

from . import MICROSECONDS, Bench, Case, Figure


async def _read(bench: Bench) -> None:
    read_file, small = getattr(bench.participant, bench.operation), bench.data.small
    paths = [small[i % SMALL_FILES] for i in range(bench.work)]

    async def read(paths: list[str]) -> int:
        async def work(i: int) -> int:
            total = 0
            for path in paths[i :: bench.parameter]:
                total += (await read_file(path))[BLOCK - 1]
            return total

        return await bench.together(work)

    contents = {}
    for path in small:
        with open(path, "rb") as file:
            contents[path] = file.read()
    for path in small[:100]:
        bench.check(await read_file(path) == contents[path], True)
    await read(paths[: 2 * bench.parameter])
    with bench.clock(bench.work):
        total = await read(paths)
    bench.check(total, sum(contents[path][-1] for path in paths))


async def _write(bench: Bench) -> None:
    write_file = getattr(bench.participant, bench.operation)
    directory = bench.data.scratch()
    contents = [os.urandom(BLOCK) for _ in range(16)]

    async def write(name: str, count: int) -> int:
        async def work(i: int) -> int:
            for number in range(i, count, bench.parameter):
                await write_file(f"{directory}/{name}-{number}", contents[number % 16])
            return 0

        return await bench.together(work)

    await write("warm-up", max(bench.work // 20, 2 * bench.parameter))
    with bench.clock(3 * bench.work, operations=bench.work):  # open, write, close
        await write("file", bench.work)
    for number in range(bench.work):
        with open(f"{directory}/file-{number}", "rb") as file:
            bench.check(file.read() == contents[number % 16], True)
    shutil.rmtree(directory)


async def _stat(bench: Bench) -> None:
    stat, small = bench.participant.stat, bench.data.small
    paths = [small[i % SMALL_FILES] for i in range(bench.work)]

    async def look(paths: list[str]) -> int:
        async def work(i: int) -> int:
            total = 0
            for path in paths[i :: bench.parameter]:
                total += (await stat(path)).st_size
            return total

        return await bench.together(work)

    bench.check(await stat(small[0]), os.stat(small[0]))
    await look(paths[: max(bench.work // 20, 2 * bench.parameter)])
    with bench.clock(bench.work):
        total = await look(paths)
    bench.check(total, bench.work * BLOCK)


async def _lines(bench: Bench) -> None:
    path = bench.data.text(bench.work)
    await bench.participant.lines(bench.data.text(100))
    with open(path, encoding="utf-8") as file:
        expected = len(file.read())
    with bench.clock(2, operations=bench.work):  # open, close, and reads of many lines
        length = await bench.participant.lines(path)
    bench.check(length, expected)


CASES = [
    Case(
        name="read_file",
        title="A whole cached 4 KiB file: open, read, close",
        run=_read,
        operation="read_file",
        work=15_000,
        slow_work=1_500,
        parameters=(1, 32),
    ),
    Case(
        name="open_read",
        title="A whole cached 4 KiB file by a file object: with open(path, 'rb') as file",
        run=_read,
        operation="open_read",
        work=15_000,
        slow_work=1_500,
    ),
    Case(
        name="write_file",
        title="A new 4 KiB file: open, write, close",
        run=_write,
        operation="write_file",
        work=1_500,
        slow_work=1_000,
        parameters=(1, 32),
        quick_parameters=(32,),
    ),
    Case(
        name="write_file_fsync",
        title="A new 4 KiB file: open, write, fsync, close",
        run=_write,
        operation="write_file_fsync",
        work=300,
        slow_work=300,
        parameters=(1, 32),
        quick_parameters=(32,),
    ),
    Case(
        name="stat",
        title="stat of a file whose name is cached",
        run=_stat,
        operation="stat",
        work=40_000,
        slow_work=3_000,
        parameters=(1, 32),
    ),
    Case(
        name="lines",
        title="Lines of a text file, per line",
        run=_lines,
        operation="lines",
        work=400_000,
        slow_work=4_000,
        figures=(
            Figure(MICROSECONDS.name, ".3f"),
            Figure("CPU µs", ".3f"),
            Figure("peak MiB", ".0f"),
        ),
    ),
]
