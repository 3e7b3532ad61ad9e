"""What a loop costs that does nothing: processor time, wake-ups, memory, and the import."""

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

from benchmarks.participants import WrongBackend
from benchmarks.participants.blocking import Nothing

from . import Bench, Case, Figure, memory

_LOOPS = 32
_SETTLE = 1.0
_IDLE = 2.0


async def _use(bench: Bench, calls: int) -> None:
    """Let a loop of ours make its table and start exec threads; the other loops have neither."""
    bench.participant.begin()
    if isinstance(bench.participant, Nothing):
        calls = 0
    else:
        fd = os.open(bench.data.large, os.O_RDONLY | os.O_CLOEXEC)
        await asyncio.gather(*[bench.participant.pread(fd, 16, 0) for _ in range(calls)])
        os.close(fd)
    bench.backend = bench.participant.backend(bench.operation, calls, cached=False)


async def _idle(bench: Bench) -> None:
    await _use(bench, 256)
    await asyncio.sleep(_SETTLE)
    processor, before = time.process_time(), _switches()
    await asyncio.sleep(_IDLE)
    bench.figures["CPU ms per s"] = (time.process_time() - processor) / _IDLE * 1e3
    bench.figures["switches per s"] = (_switches() - before) / _IDLE


def _switches() -> int:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_nvcsw + usage.ru_nivcsw


def _memory(bench: Bench) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    def make(count: int) -> None:
        for _ in range(count):
            loop = bench.participant.new_event_loop(bench.base)
            loop.run_until_complete(_use(bench, 1))
            loops.append(loop)

    make(4)  # what the first ones allocate for all
    before = memory("VmRSS")
    make(_LOOPS)
    bench.figures["KiB per loop"] = (memory("VmRSS") - before) / 1024 / _LOOPS
    for loop in loops:
        loop.close()


# Each on top of asyncio and, but for its own line, uvloop, which whoever wants speed has anyway.
_IMPORTS = {
    "uvloop": ("import asyncio", "import uvloop"),
    "asyncsys_loop": ("import asyncio, uvloop", "import asyncsys_loop"),
    "aiofiles": ("import asyncio, uvloop", "import aiofiles, aiofiles.os"),
    "anyio": ("import asyncio, uvloop", "import anyio, anyio._backends._asyncio"),
    "caio": ("import asyncio, uvloop", "import caio"),
}


def _import(bench: Bench) -> None:
    before, statement = _IMPORTS[bench.name]
    code = (
        f"import json, sys, time; {before}; early = {bench.name!r} in sys.modules; "
        f"start = time.perf_counter(); {statement}; ms = (time.perf_counter() - start) * 1e3; "
        f"print(json.dumps([ms, early, sys.modules[{bench.name!r}].__file__]))"
    )
    command: list[Any] = [sys.executable, "-c", code]
    # Everyone's bytecode is cached, as pip does for what it installs, wherever this is run.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    times = []
    for _ in range(6):
        output = subprocess.run(command, check=True, capture_output=True, env=environment).stdout
        ms, early, file = json.loads(output)
        if early:
            raise WrongBackend(f"{bench.name} was imported before the clock started")
        times.append(ms)
        bench.backend = {"file": file}
    bench.figures["ms"] = statistics.median(times[1:])  # the first one may compile to bytecode


CASES = [
    Case(
        name="idle",
        title="A loop that nothing happens on, a second after a burst of calls",
        run=_idle,
        operation="pread",
        work=0,
        slow_work=0,
        parameter_name="",
        figures=(Figure("CPU ms per s", ".3f"), Figure("switches per s", ".1f")),
        participants=("nothing", "asyncsys threads, table", "asyncsys kmod, table"),
        rounds=3,
        quick_rounds=1,
    ),
    Case(
        name="memory",
        title="Memory of a loop that has made a call",
        run=_memory,
        operation="pread",
        work=0,
        slow_work=0,
        parameter_name="",
        figures=(Figure("KiB per loop", ".0f"),),
        participants=("nothing", "asyncsys threads, table", "asyncsys kmod, table"),
        rounds=3,
        quick_rounds=1,
    ),
    Case(
        name="import",
        title="Time of the import, on top of asyncio and uvloop",
        run=_import,
        operation="",
        work=0,
        slow_work=0,
        parameter_name="",
        figures=(Figure("ms", ".1f"),),
        participants=tuple(_IMPORTS),
        bases=("",),
        rounds=3,
        quick_rounds=1,
    ),
]
