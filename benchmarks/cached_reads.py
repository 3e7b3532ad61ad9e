"""4 KiB reads of a cached file: through the table, beside the ways that asyncio offers.

    python -m benchmarks.cached_reads [--reads N] [--rounds N]

Each participant runs in a process of its own, the participants take turns within a round, and the
figure is the median over the rounds. Each read's length is checked, and so is that all reads of
"table" went through the table. Ratios within one run mean something; microseconds hardly do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

import asyncsys_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BLOCK = 4096
FILE_BYTES = 64 << 20
PARTICIPANTS = ("blocking", "table", "run_in_executor", "to_thread")
COROUTINES = (1, 8, 32, 256)
# Threads of Python need ten times as long: fewer reads of them measure as well.
SHARE = {"run_in_executor": 5, "to_thread": 5}


def reader(participant: str, fd: int) -> Callable[[int], Awaitable[bytes]]:
    loop = asyncio.get_running_loop()
    if participant == "table":
        return lambda offset: asyncsys_loop.os.pread(fd, BLOCK, offset)
    if participant == "run_in_executor":
        return lambda offset: loop.run_in_executor(None, os.pread, fd, BLOCK, offset)
    if participant == "to_thread":
        return lambda offset: asyncio.to_thread(os.pread, fd, BLOCK, offset)

    async def blocking(offset: int) -> bytes:
        return os.pread(fd, BLOCK, offset)

    return blocking


async def measure(participant: str, coroutines: int, path: str, reads: int) -> float:
    """Return microseconds per read."""
    fd = os.open(path, os.O_RDONLY)
    read = reader(participant, fd)
    blocks = FILE_BYTES // BLOCK
    offsets = iter([random.randrange(blocks) * BLOCK for _ in range(reads + coroutines)])

    async def work(count: int) -> None:
        for _ in range(count):
            if len(await read(next(offsets))) != BLOCK:
                raise RuntimeError("short read")

    await work(coroutines)  # threads are there, code is warm
    before = asyncsys_loop.stats().submitted
    begin = time.perf_counter()
    await asyncio.gather(*[work(reads // coroutines) for _ in range(coroutines)])
    elapsed = time.perf_counter() - begin
    done = reads // coroutines * coroutines
    expected = done if participant == "table" else 0
    if asyncsys_loop.stats().submitted - before != expected:
        raise RuntimeError("the reads didn't go where they were meant to")
    os.close(fd)
    return elapsed / done * 1e6


def once(base: str, participant: str, coroutines: int, path: str, reads: int) -> float:
    command = [sys.executable, "-m", "benchmarks.cached_reads", "--one"]
    command += [base, participant, str(coroutines), path, str(reads // SHARE.get(participant, 1))]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(json.loads(output))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--reads", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bases", nargs="+", default=["uvloop", "asyncio"])
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        base, participant, coroutines, path, reads = options.one
        one = measure(participant, int(coroutines), path, int(reads))
        print(json.dumps(asyncsys_loop.run(one, base=base)))
        return
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(FILE_BYTES >> 20):
            file.write(os.urandom(1 << 20))
        file.flush()
        for base in options.bases:
            print(f"\n{base}, executor 'threads': µs per 4 KiB read (× blocking)")
            print(f"{'coroutines':17}" + "".join(f"{n:>16}" for n in COROUTINES))
            cases = [(who, n) for n in COROUTINES for who in PARTICIPANTS]
            found: dict[tuple[str, int], list[float]] = {case: [] for case in cases}
            for _ in range(options.rounds):
                for who, n in cases:
                    found[who, n].append(once(base, who, n, file.name, options.reads))
            median = {case: statistics.median(values) for case, values in found.items()}
            for who in PARTICIPANTS:
                cells = (
                    f"{median[who, n]:8.2f} ({median[who, n] / median['blocking', n]:4.1f})"
                    for n in COROUTINES
                )
                print(f"{who:17}" + "".join(f"{cell:>16}" for cell in cells))
            ratios = (median["run_in_executor", n] / median["table", n] for n in COROUTINES)
            print(
                f"{'run_in_executor / table':17}" + "".join(f"{ratio:>14.1f} ×" for ratio in ratios)
            )


if __name__ == "__main__":
    main()
