"""How often a process with an event loop enters the kernel for each of its file reads.

    python -m benchmarks.kernel_entries.event_loop BASE EXECUTOR DEPTH

The library as it is used: DEPTH coroutines read 4 KiB at a time from a cached file, with the fast
path off. Entries are counted as in kernel_entries.c; what the loop itself asks of the kernel is
among them. Prints one line of JSON.
"""

import asyncio
import ctypes
import fcntl
import json
import os
import struct
import sys
from pathlib import Path

import asyncsys_loop

CALLS = 10000
SIZE = 4096
PAGES = 1024
EVENT = Path("/sys/kernel/tracing/events/raw_syscalls/sys_enter/id")
PERF_EVENT_OPEN = 298
PERF_EVENT_IOC_ENABLE, PERF_EVENT_IOC_DISABLE = 0x2400, 0x2401


def open_counter() -> int:
    """Count the entries of this process and of the threads that it will have."""
    tracepoint, disabled, inherit = 2, 1, 2
    attributes = struct.pack(
        "IIQQQQQ", tracepoint, 128, int(EVENT.read_text()), 0, 0, 0, disabled | inherit
    ).ljust(128, b"\0")
    libc = ctypes.CDLL(None, use_errno=True)
    fd: int = libc.syscall(PERF_EVENT_OPEN, attributes, 0, -1, -1, 8)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "perf_event_open")
    return fd


async def read_all(file: int, depth: int, calls: int) -> None:
    left = iter(range(calls))

    async def read() -> None:
        for call in left:
            data = await asyncsys_loop.os.pread(file, SIZE, call * 7919 % PAGES * SIZE)
            assert len(data) == SIZE

    await asyncio.gather(*(read() for _ in range(depth)))


async def measure(counter: int, depth: int) -> None:
    file = os.open(os.environ.get("TMPDIR", "/tmp"), os.O_TMPFILE | os.O_RDWR, 0o600)
    os.write(file, bytes(PAGES * SIZE))
    await read_all(file, depth, CALLS // 10)  # imports, threads, memory
    fcntl.ioctl(counter, PERF_EVENT_IOC_ENABLE)
    await read_all(file, depth, CALLS)
    fcntl.ioctl(counter, PERF_EVENT_IOC_DISABLE)


def main() -> None:
    base, executor, depth = sys.argv[1], sys.argv[2], int(sys.argv[3])
    counter = open_counter()
    asyncsys_loop.run(measure(counter, depth), base=base, executor=executor, fast_path=False)
    (entries,) = struct.unpack("Q", os.read(counter, 8))
    result = {
        "participant": f"{base} on {executor}",
        "depth": depth,
        "calls": CALLS,
        "entries_per_call": entries / CALLS,
    }
    print(json.dumps(result))


main()
