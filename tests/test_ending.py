"""Guarantee 6: closing a loop, leaving the interpreter, fork, exec and SIGKILL in mid-flight."""

import asyncio
import ctypes
import fcntl
import mmap
import multiprocessing
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import asyncsys_loop
from asyncsys_loop import SYS, _engine
from asyncsys_loop._attach import engine_of

from .support import (
    ROOT,
    TIME_SCALE,
    claimed,
    descriptors,
    exec_threads,
    output_of,
    run_python,
    until,
)

pytestmark = pytest.mark.through_the_table


def started(loop: asyncio.AbstractEventLoop, *calls: Coroutine[Any, Any, Any]) -> list[Any]:
    """Submit calls from a loop that stops then; return their futures, which nobody awaits."""

    async def start() -> list[Any]:
        futures = [call.send(None) for call in calls]
        if asyncsys_loop.stats().max_workers > 1:
            await claimed()
        else:
            await asyncio.sleep(0.02)
        return futures

    return loop.run_until_complete(start())


# Closing a loop


def test_close_interrupts_blocked_calls(pipe: tuple[int, int]) -> None:
    loop = asyncsys_loop.new_event_loop()
    buffers = [bytearray(4) for _ in range(10)]
    calls = [asyncsys_loop.syscall("read", pipe[0], buffer, 4) for buffer in buffers]
    started(loop, *calls)
    loop.close()
    os.write(pipe[1], b"data")
    assert os.read(pipe[0], 4) == b"data"
    for call in calls:
        call.close()
    del calls, call
    for buffer in buffers:
        buffer.clear()


def test_close_withdraws_calls_that_nobody_claimed(pipe: tuple[int, int], tmp_path: Path) -> None:
    loop = asyncsys_loop.new_event_loop(slots=4, max_workers=1)
    calls = [asyncsys_loop.syscall("read", pipe[0], bytearray(4), 4)]
    calls += [asyncsys_loop.syscall("mkdirat", -100, tmp_path / str(n), 0) for n in range(10)]
    started(loop, *calls)
    engine = engine_of(loop)
    assert engine is not None
    assert (engine.stats("").in_flight, engine.stats("").queued) == (4, 7)
    loop.close()
    assert os.listdir(tmp_path) == []
    for call in calls:
        call.close()


def test_close_closes_what_was_opened_for_nobody(pipe: tuple[int, int]) -> None:
    before = descriptors()
    loop = asyncsys_loop.new_event_loop(max_workers=1)
    blocked = asyncsys_loop.syscall("read", pipe[0], bytearray(4), 4)
    opened = [asyncsys_loop.os.open("/", os.O_RDONLY) for _ in range(5)]

    async def submit() -> list[Any]:
        futures = [call.send(None) for call in opened]
        return [*futures, blocked.send(None)]

    loop.run_until_complete(submit())
    time.sleep(0.02)  # they run, and the loop doesn't come to look
    loop.close()
    for call in (*opened, blocked):
        call.close()
    assert descriptors() == before


def test_close_closes_what_is_on_its_way_to_its_caller() -> None:
    before = descriptors()
    loop = asyncsys_loop.new_event_loop()
    call = asyncsys_loop.os.open("/", os.O_RDONLY)
    (future,) = started(loop, call)
    loop.run_until_complete(until(future.done))
    loop.close()
    call.close()
    assert descriptors() == before


@pytest.mark.parametrize("slots", [1, 2])
def test_close_runs_every_close(pipe: tuple[int, int], slots: int) -> None:
    loop = asyncsys_loop.new_event_loop(slots=slots, max_workers=1)
    fds = [os.open("/", os.O_RDONLY) for _ in range(5)]
    calls: list[Coroutine[Any, Any, Any]] = [
        asyncsys_loop.syscall("read", pipe[0], bytearray(4), 4),
        *(asyncsys_loop.os.close(fd) for fd in fds),
    ]
    started(loop, *calls)
    loop.close()
    for call in calls:
        call.close()
    for fd in fds:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


def test_close_twice_and_unused() -> None:
    loop = asyncsys_loop.new_event_loop()
    loop.close()
    loop.close()
    assert loop.is_closed()


def test_close_of_a_running_loop_is_refused() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="running"):
            asyncio.get_running_loop().close()
        assert await asyncsys_loop.syscall("getppid") == os.getppid()

    asyncsys_loop.run(main())


def test_run_ends_tasks_that_are_left(pipe: tuple[int, int]) -> None:
    tasks: list[asyncio.Task[int]] = []

    async def main() -> None:
        for _ in range(20):
            read = asyncsys_loop.syscall("read", pipe[0], bytearray(1), 1)
            tasks.append(asyncio.create_task(read))
        await asyncio.sleep(0.01)

    asyncsys_loop.run(main())
    assert all(task.cancelled() for task in tasks)


class MissingPage:
    """A page of memory that isn't there until it is asked for: userfaultfd(2).

    A call that writes to it waits, and no signal ends that.
    """

    API = (0xC018AA3F, struct.pack("QQQ", 0xAA, 0, 0))
    REGISTER, ZEROPAGE = 0xC020AA00, 0xC020AA04

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, mmap.PAGESIZE)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.range = struct.pack("QQ", address, mmap.PAGESIZE)
        self.fd = ctypes.CDLL(None, use_errno=True).syscall(SYS.userfaultfd, os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "userfaultfd")
        fcntl.ioctl(self.fd, *self.API)
        fcntl.ioctl(self.fd, self.REGISTER, self.range + struct.pack("QQ", 1, 0))

    def appear(self) -> None:
        fcntl.ioctl(self.fd, self.ZEROPAGE, self.range + struct.pack("QQ", 0, 0))
        os.close(self.fd)


def test_call_that_cannot_be_interrupted_is_left_behind(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_engine, "CLOSE_PATIENCE", 0.05)
    loop = asyncsys_loop.new_event_loop()
    engine = engine_of(loop)
    assert engine is not None
    buffer: Any
    let_go: Callable[[], object]
    if engine.executor == "kmod":
        # END interrupts what can be: only what really can't is left.
        page = MissingPage()
        buffer, keep = page.memory, page.memory.close
        os.write(pipe[1], b"late")
        let_go = page.appear
    else:
        # userfaultfd(2) takes rights. An interruption that isn't sent does as well.
        monkeypatch.setattr(_engine, "_interrupt", lambda table, slot: 0)
        buffer = bytearray(4)
        keep = buffer.clear
        let_go = lambda: os.write(pipe[1], b"late")  # noqa: E731
    call = asyncsys_loop.syscall("read", pipe[0], buffer, 4)
    started(loop, call)
    event_fd = engine._event_fd
    with pytest.warns(ResourceWarning, match="1 system calls could not be interrupted"):
        loop.close()
    call.close()
    del call, loop
    with pytest.raises(BufferError):  # the kernel may still write to it
        keep()
    let_go()
    deadline = time.monotonic() + 10
    while buffer[:4] != b"late" and time.monotonic() < deadline:
        time.sleep(0.001)
    assert buffer[:4] == b"late"
    # It's over now; but nobody is told, so what was left behind is ours to forget.
    assert _engine._abandoned.pop()
    while any(name.startswith("asyncsys-exec") for name in exec_threads().values()):
        time.sleep(0.001)
    os.close(event_fd)
    for fd in descriptors():
        if os.readlink(f"/proc/self/fd/{fd}") == "/dev/async_syscall":
            os.close(int(fd))


def test_collected_loop_leaves_nothing(pipe: tuple[int, int]) -> None:
    source = """
        import asyncio, asyncsys_loop, gc, os, time, warnings
        from tests.support import exec_threads
        warnings.simplefilter("ignore")
        loop = asyncsys_loop.new_event_loop(base="asyncio")
        call = asyncsys_loop.syscall("read", os.pipe()[0], bytearray(4), 4)
        async def start():
            call.send(None)
            while not exec_threads():
                await asyncio.sleep(0.001)
        loop.run_until_complete(start())
        call.close()
        del loop, call
        gc.collect()
        while exec_threads():  # one that was joined is seen for a moment yet
            time.sleep(0.001)
    """
    assert output_of(dedented(source)) == ""


# Leaving the interpreter


def dedented(source: str) -> str:
    lines = source.strip("\n").splitlines()
    margin = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[margin:] for line in lines)


IN_FLIGHT = dedented("""
    import asyncio, asyncsys_loop, os, sys, threading

    reader, writer = os.pipe()
    calls = [
        asyncsys_loop.syscall("read", reader, bytearray(1 << 20), 1 << 20),
        asyncsys_loop.syscall("nanosleep", bytes([255, 0, 0, 0] + [0] * 12), None),
        *(asyncsys_loop.syscall("getppid") for _ in range(100)),
    ]
    started = threading.Event()

    async def main(then=None):
        for call in calls:
            call.send(None)
        await asyncio.sleep(0.02)
        started.set()
        if then is not None:
            await then()
""")


@pytest.mark.parametrize(
    "ending",
    [
        "loop = asyncsys_loop.new_event_loop(); loop.run_until_complete(main())",
        "loop = asyncsys_loop.new_event_loop(); loop.run_until_complete(main()); calls.clear()",
        (
            "loop = asyncsys_loop.new_event_loop(slots=2, max_workers=1)\n"
            "loop.run_until_complete(main())"
        ),
        "asyncsys_loop.run(main())",
        "asyncsys_loop.run(main(lambda: sys.exit(0)))",
        "asyncsys_loop.run(main(lambda: os._exit(0)))",
        (
            "def work(): asyncsys_loop.run(main(lambda: asyncio.sleep(1000)))\n"
            "threading.Thread(target=work, daemon=True).start(); started.wait()"
        ),
        (
            "def work(): asyncsys_loop.run(main())\n"
            "thread = threading.Thread(target=work); thread.start(); started.wait()"
        ),
    ],
)
def test_leaving_the_interpreter(ending: str) -> None:
    done = run_python(IN_FLIGHT + "\n" + ending)
    assert (done.returncode, done.stderr) == (0, "")


def test_unclosed_engine_is_reported_in_development_mode() -> None:
    source = "loop = asyncsys_loop.new_event_loop(base='asyncio'); loop.run_until_complete(main())"
    done = run_python(IN_FLIGHT + "\n" + source + "\ndel loop", "-X", "dev")
    assert done.returncode == 0
    assert "ResourceWarning: unclosed" in done.stderr


def test_sigkill() -> None:
    source = IN_FLIGHT + "\nasyncsys_loop.run(main(lambda: os.kill(os.getpid(), 9)))"
    assert run_python(source).returncode == -signal.SIGKILL


def test_interrupt_from_the_keyboard() -> None:
    source = IN_FLIGHT + dedented("""
        import signal
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where make is
        async def interrupted():
            os.kill(os.getpid(), signal.SIGINT)
            await asyncsys_loop.syscall("read", reader, bytearray(1), 1)
        try:
            asyncsys_loop.run(main(interrupted))
        except KeyboardInterrupt:
            print("interrupted")
    """).join(["\n", ""])
    assert output_of(source) == "interrupted\n"


# fork and exec


def test_forked_child_of_a_running_loop() -> None:
    source = """
        import asyncio, asyncsys_loop, os, pathlib, traceback, warnings
        warnings.simplefilter("ignore")  # Python 3.12 warns of forks in processes with threads

        def child():
            for call in (asyncsys_loop.syscall("getppid"), asyncsys_loop.os.read(0, 1)):
                try:
                    call.send(None)
                except RuntimeError as error:
                    print("error:", error)
            async def other():
                assert await asyncsys_loop.syscall("getppid") == os.getppid()
                print("a new loop works")
            asyncsys_loop.run(other())
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(other())

        async def main():
            reader, writer = os.pipe()
            blocked = asyncio.create_task(asyncsys_loop.syscall("read", reader, bytearray(4), 4))
            await asyncsys_loop.syscall("getppid")
            pid = os.fork()
            if pid == 0:
                try:
                    child()
                except BaseException:
                    traceback.print_exc()
                finally:
                    import sys
                    sys.stdout.flush()
                    os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            os.write(writer, b"data")
            assert await blocked == 4
            assert await asyncsys_loop.syscall("getpid") == os.getpid()
            print("the parent goes on")

        asyncsys_loop.run(main())
    """
    lines = output_of(dedented(source)).splitlines()
    assert len(lines) == 5
    assert all(line.startswith("error: ") and "asyncsys_loop.run()" in line for line in lines[:2])
    assert lines[2:] == ["a new loop works"] * 2 + ["the parent goes on"]


@pytest.mark.parametrize("queue", ["empty", "full"])
def test_forked_child_with_an_inherited_loop(queue: str) -> None:
    source = """
        import asyncio, asyncsys_loop, os, sys, warnings
        warnings.simplefilter("ignore")
        loop = asyncsys_loop.new_event_loop(base="asyncio", slots=2, max_workers=1)
        reader, writer = os.pipe()
        calls = [asyncsys_loop.syscall("read", reader, bytearray(1), 1) for _ in range(COUNT)]
        async def start():
            for call in calls:
                call.send(None)
            await asyncio.sleep(0.02)
        async def call():
            return await asyncsys_loop.syscall("getpid")
        loop.run_until_complete(start())
        pid = os.fork()
        if pid == 0:
            try:
                loop.run_until_complete(call())
            except RuntimeError as error:
                print("error:", error)
            loop.close()
            sys.stdout.flush()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        os.write(writer, b"x" * COUNT)
        assert loop.run_until_complete(call()) == os.getpid()
        for c in calls: c.close()
        loop.close()
        print("the parent goes on")
    """
    count = {"empty": "1", "full": "5"}[queue]
    lines = output_of(dedented(source).replace("COUNT", count)).splitlines()
    assert lines[0].startswith("error: this event loop was made before a fork")
    assert "asyncsys_loop.run()" in lines[0]
    assert lines[1:] == ["the parent goes on"]


def test_exec_in_mid_flight() -> None:
    source = IN_FLIGHT + dedented("""
        def leave():
            os.execv("/bin/ls", ["ls", "/proc/self/fd"])
        asyncsys_loop.run(main(leave))
    """).join(["\n", ""])
    done = run_python(source)
    assert (done.returncode, done.stderr) == (0, "")
    # 3 is the one that lists them: nothing of ours is inherited.
    assert done.stdout.split() == ["0", "1", "2", "3"]


async def test_children_inherit_no_descriptors() -> None:
    await asyncsys_loop.syscall("getppid")
    fd = await asyncsys_loop.os.open("/", os.O_RDONLY)
    assert not os.get_inheritable(fd)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import os\n"
        "for fd in range(3, 30):\n"
        "    if os.path.lexists(f'/proc/self/fd/{fd}'): print(os.readlink(f'/proc/self/fd/{fd}'))",
        stdout=subprocess.PIPE,
        close_fds=False,
    )
    output, _ = await process.communicate()
    os.close(fd)
    inherited = output.decode().splitlines()
    assert "/" not in inherited
    assert "anon_inode:[eventfd]" not in inherited


def _in_child() -> int:
    async def work() -> int:
        results = await asyncio.gather(*(asyncsys_loop.syscall("getpid") for _ in range(100)))
        assert set(results) == {os.getpid()}
        return len(results)

    return asyncsys_loop.run(work())


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(method: str) -> None:
    # Pickles by reference, so the child imports this module.
    source = f"""
        import multiprocessing, sys, warnings
        warnings.simplefilter("ignore")
        sys.path.insert(0, {str(ROOT)!r})
        from tests.test_ending import _in_child
        if __name__ == "__main__":
            _in_child()
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                print(sum(pool.apply_async(_in_child).get({30 * TIME_SCALE}) for _ in range(4)))
            _in_child()
    """
    assert output_of(dedented(source)) == "400\n"
    assert method in multiprocessing.get_all_start_methods()


# asyncio.run_in_executor and friends beside the exec threads


async def test_threads_of_the_program_get_its_signals() -> None:
    """The exec threads block all signals, so that none is lost on them."""
    loop = asyncio.get_running_loop()
    caught = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, caught.set)
    try:
        await asyncsys_loop.syscall("getppid")
        os.kill(os.getpid(), signal.SIGUSR1)
        await caught.wait()
    finally:
        loop.remove_signal_handler(signal.SIGUSR1)


async def test_signals_do_not_fail_calls(tmp_path: Path) -> None:
    # A handler without SA_RESTART: a thread that took the signal would return EINTR.
    hits: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: hits.append(1))
    left, right = socket.socketpair()
    try:
        for _ in range(20):
            call = asyncio.create_task(
                asyncsys_loop.syscall("read", left.fileno(), bytearray(4), 4)
            )
            for _ in range(20):
                os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.sleep(0.001)
            right.send(b"data")
            assert await call == 4
    finally:
        signal.signal(signal.SIGUSR1, before)
        left.close()
        right.close()
    assert hits


def test_warnings_are_errors_here() -> None:
    with pytest.raises(UserWarning):
        warnings.warn("an error", stacklevel=1)
