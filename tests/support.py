"""What many tests need: waiting for something, and calls that block until they are let go."""

import asyncio
import contextlib
import fcntl
import os
import re
import subprocess
import sys
import termios
import types
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import pytest

import asyncsys_loop

# Slow machines (a guest without hardware virtualisation) get more time: all limits are scaled.
TIME_SCALE = float(os.environ.get("ASYNCSYS_TIME_SCALE") or 1)
# And fewer examples where those are generated; whoever hunts for something asks for more.
_EXAMPLES = float(os.environ.get("ASYNCSYS_EXAMPLES") or 1)
ROOT = Path(__file__).resolve().parent.parent
PAGE = os.sysconf("SC_PAGE_SIZE")


def examples(count: int) -> int:
    """Return how many examples Hypothesis tries, where it would try this many."""
    return max(1, round(count * _EXAMPLES))


async def until(condition: Callable[[], object]) -> None:
    """Return when the condition holds. The test's time limit is the limit."""
    while not condition():
        await asyncio.sleep(0.001)


async def claimed() -> None:
    """Return when every call that was made before this one is claimed, as they are in order."""
    await asyncio.sleep(0)  # those of tasks that haven't begun
    await asyncsys_loop.syscall("getppid")


def bytes_in(pipe: int) -> int:
    """Return how many bytes wait in a pipe."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def fill(writer: int) -> int:
    """Fill a pipe, and return how many bytes it took."""
    os.set_blocking(writer, False)
    count = 0
    try:
        while True:
            count += os.write(writer, bytes(PAGE))
    except BlockingIOError:
        os.set_blocking(writer, True)
        return count


class Stuck:
    """A call that is in the kernel and doesn't return: it writes two pages to a pipe for one.

    That the first page is in the pipe tells that the call is really there, whoever runs it.
    """

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, PAGE)
        self.call = asyncio.create_task(
            asyncsys_loop.syscall("write", self.writer, bytes(2 * PAGE), 2 * PAGE)
        )

    async def entered(self) -> None:
        """Return when the call is in the kernel."""
        await until(lambda: self.call.done() or bytes_in(self.reader) == PAGE)

    def let_go(self) -> None:
        """Make the call return, without waiting for it."""
        assert os.read(self.reader, PAGE) == bytes(PAGE)

    async def leave(self) -> None:
        """Cancel the call if it hasn't returned, and close the pipe."""
        self.call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.call
        os.close(self.reader)
        os.close(self.writer)


@contextlib.asynccontextmanager
async def stuck(count: int = 1) -> AsyncIterator[list[Stuck]]:
    """Calls that are stuck in the kernel."""
    calls = [Stuck() for _ in range(count)]
    try:
        for call in calls:
            await call.entered()
        yield calls
    finally:
        for call in calls:
            await call.leave()


# What the watch (native/pool.c) has open for a moment to see what an exec thread does.
SEEN_BY_THE_WATCH = re.compile(r"/proc/\d+/task/\d+/stat( \(deleted\))?")


def descriptors() -> set[str]:
    """Return the descriptors of this process, but the one that lists them, and the watch's."""
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            if not SEEN_BY_THE_WATCH.fullmatch(os.readlink(f"/proc/self/fd/{fd}")):
                found.add(fd)
    return found


def exec_threads() -> dict[int, str]:
    """Return the names of this process's exec threads and watches, by their thread ids."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        # One that leaves has no file any more, or one that can't be read.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found[int(task.name)] = (task / "comm").read_text().strip()
    return {thread: name for thread, name in found.items() if name.startswith("asyncsys-")}


def run_python(
    source: str, *options: str, timeout: float = 30, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a program in a fresh interpreter, and return what it printed."""
    return subprocess.run(
        [sys.executable, *options, "-c", source],
        capture_output=True,
        text=True,
        timeout=timeout * TIME_SCALE,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
    )


def output_of(source: str, *options: str, timeout: float = 30, **environment: str) -> str:
    """Run a program that must end well and say nothing on stderr; return what it printed."""
    done = run_python(source, *options, timeout=timeout, **environment)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


@types.coroutine
def interposed(
    turn: int, coroutine: Coroutine[Any, Any, Any], then: Callable[[], object]
) -> Generator[Any, Any, Any]:
    """Await a coroutine, and call then() when what it awaits for the turn-th time has just ended.

    A system call has its result then, which nobody has seen.
    """
    turns = 0
    step: Callable[[Any], Any] = coroutine.send
    argument: Any = None
    while True:
        try:
            waiting = step(argument)
        except StopIteration as stop:
            return stop.value
        if waiting is not None:
            turns += 1
            if turns == turn:
                # Called before the task's own callback, which is added when it gets the future.
                waiting.add_done_callback(lambda _: then())
        try:
            step, argument = coroutine.send, (yield waiting)
        except BaseException as exception:  # noqa: BLE001
            step, argument = coroutine.throw, exception


async def cancelled_at(
    turn: int, coroutine: Coroutine[Any, Any, Any]
) -> tuple[asyncio.CancelledError | None, Any]:
    """Run a coroutine in a task, and cancel it where interposed() says.

    Returns:
        The exception and None; None and what the coroutine returns if it didn't come so far.
    """

    def cancel() -> None:
        task.cancel()

    async def run() -> Any:
        return await interposed(turn, coroutine, cancel)

    task = asyncio.create_task(run())
    try:
        return None, await task
    except asyncio.CancelledError as error:
        return error, None


# Answered in place, or through the table.
both_ways = pytest.mark.parametrize(
    "fast_path",
    [
        pytest.param(True, id="fast path", marks=pytest.mark.loop(fast_path=True)),
        pytest.param(False, id="table", marks=pytest.mark.loop(fast_path=False)),
    ],
)
