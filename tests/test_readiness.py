"""Descriptors that can be waited for: a read or write that would block holds no exec thread."""

import asyncio
import ctypes
import fcntl
import os
import pty
import resource
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import asyncsys_loop
from asyncsys_loop import os as twins
from asyncsys_loop import stats, syscall
from asyncsys_loop._attach import running_engine

from .support import PAGE, both_ways, bytes_in, descriptors, fill, output_of, until


@asynccontextmanager
async def waiting(*coroutines: Any) -> AsyncIterator[list["asyncio.Task[Any]"]]:
    """Tasks that wait for their descriptor to be ready."""
    before = stats().waiting
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    await until(lambda: stats().waiting == before + len(tasks))
    assert stats().in_flight == 0
    yield tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


# Reading


@both_ways
async def test_read_of_an_empty_pipe_waits(pipe: tuple[int, int], fast_path: bool) -> None:
    del fast_path  # an option of the loop
    async with waiting(twins.read(pipe[0], 100)) as (task,):
        await asyncio.sleep(0.01)
        assert stats().workers == 0
        os.write(pipe[1], b"data")
        assert await task == b"data"


@both_ways
async def test_readinto_of_an_empty_pipe_waits(pipe: tuple[int, int], fast_path: bool) -> None:
    del fast_path  # an option of the loop
    buffer = bytearray(100)
    async with waiting(twins.readinto(pipe[0], buffer)) as (task,):
        with pytest.raises(BufferError):
            buffer.clear()
        os.write(pipe[1], b"data")
        assert await task == 4
        assert buffer[:5] == b"data\0"
    buffer.clear()


@pytest.mark.loop(max_workers=2)
async def test_five_thousand_reads_need_no_thread_each() -> None:
    count = 5000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * count + 100
    if soft < needed and hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"NOT TESTED: 5,000 blocked reads: at most {hard} descriptors are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    pipes = [os.pipe() for _ in range(count)]
    try:
        async with waiting(*(twins.read(reader, 8) for reader, _ in pipes)) as tasks:
            assert await syscall("getppid") == os.getppid()  # nobody is in the way
            assert stats().in_flight == 0
            for task in tasks[::2]:
                task.cancel()
            await asyncio.wait(tasks[::2])
            assert stats().waiting == count // 2
            for number, (_, writer) in enumerate(pipes):
                os.write(writer, b"%d" % number)
            results = await asyncio.gather(*tasks[1::2])
            assert results == [b"%d" % number for number in range(1, count, 2)]
            assert stats().workers <= 2
    finally:
        for ends in pipes:
            for end in ends:
                os.close(end)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("buffered", [False, True])
async def test_end_of_a_pipe(buffered: bool) -> None:
    reader, writer = os.pipe()
    if buffered:
        os.write(writer, b"last")
        os.close(writer)
        assert await twins.read(reader, 100) == b"last"
    else:
        async with waiting(twins.read(reader, 100)) as (task,):
            os.close(writer)
            assert await task == b""
    assert await twins.read(reader, 100) == b""
    os.close(reader)


class Sources:
    """Descriptors that become readable: (reader, what makes it so, what is read)."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        self.stack = stack
        self.directory = directory

    def own(self, fd: int) -> int:
        self.stack.callback(os.close, fd)
        return fd

    def pipe(self) -> tuple[int, Callable[[], object], bytes | None]:
        reader, writer = (self.own(fd) for fd in os.pipe())
        return reader, lambda: os.write(writer, b"through"), b"through"

    def fifo(self) -> tuple[int, Callable[[], object], bytes | None]:
        path = self.directory / "fifo"
        os.mkfifo(path)
        fd = self.own(os.open(path, os.O_RDWR))
        return fd, lambda: os.write(fd, b"through"), b"through"

    def terminal(self) -> tuple[int, Callable[[], object], bytes | None]:
        master, slave = (self.own(fd) for fd in pty.openpty())
        return slave, lambda: os.write(master, b"a line\n"), b"a line\n"

    def socket(self) -> tuple[int, Callable[[], object], bytes | None]:
        ends = [self.stack.enter_context(end) for end in socket.socketpair()]
        return ends[0].fileno(), lambda: ends[1].send(b"through"), b"through"

    def eventfd(self) -> tuple[int, Callable[[], object], bytes | None]:
        fd = self.own(os.eventfd(0))
        return fd, lambda: os.eventfd_write(fd, 5), (5).to_bytes(8, "little")

    def inotify(self) -> tuple[int, Callable[[], object], bytes | None]:
        libc = ctypes.CDLL(None)
        fd = self.own(libc.inotify_init1(0))
        assert libc.inotify_add_watch(fd, os.fsencode(self.directory), 0x100) > 0
        return fd, (self.directory / "new").touch, None

    def timerfd(self) -> tuple[int, Callable[[], object], bytes | None]:
        libc = ctypes.CDLL(None)
        fd = self.own(libc.timerfd_create(1, 0))
        spec = struct.pack("4l", 0, 0, 0, 1000)
        return fd, lambda: libc.timerfd_settime(fd, 0, spec, None), (1).to_bytes(8, "little")


@pytest.mark.parametrize(
    "kind", ["pipe", "fifo", "terminal", "socket", "eventfd", "inotify", "timerfd"]
)
@both_ways
async def test_all_that_can_be_waited_for(kind: str, tmp_path: Path, fast_path: bool) -> None:
    del fast_path  # an option of the loop
    with ExitStack() as stack:
        fd, make_readable, expected = getattr(Sources(stack, tmp_path), kind)()
        async with waiting(twins.read(fd, 1024)) as (task,):
            assert stats().workers == 0
            make_readable()
            got = await task
            assert got == expected or expected is None
            assert got
        async with waiting(twins.read(fd, 1024)) as (task,):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert stats().waiting == 0


def two_messages(kind: str, stack: ExitStack) -> tuple[int, bytes, bytes]:
    """A descriptor from which two messages can be read, each by a read of its own."""
    match kind:
        case "datagram" | "seqpacket" | "long datagram":
            which = socket.SOCK_SEQPACKET if kind == "seqpacket" else socket.SOCK_DGRAM
            ours, theirs = (stack.enter_context(end) for end in socket.socketpair(type=which))
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 212992)  # and as much again
            first = b"one" * (100_000 if kind == "long datagram" else 1)
            theirs.send(first)
            if kind != "long datagram":
                theirs.send(b"two")
                return ours.fileno(), first, b"two"
            theirs.close()
            return ours.fileno(), first, b""
        case "packets":
            reader, writer = os.pipe2(os.O_DIRECT)
            for end in (reader, writer):
                stack.callback(os.close, end)
            os.write(writer, b"one")
            os.write(writer, b"two")
            return reader, b"one", b"two"
        case _:
            fd = os.eventfd(2, os.EFD_SEMAPHORE)
            stack.callback(os.close, fd)
            unit = (1).to_bytes(8, sys.byteorder)
            return fd, unit, unit


@pytest.mark.parametrize("kind", ["datagram", "seqpacket", "long datagram", "packets", "semaphore"])
@both_ways
async def test_a_read_takes_one_message(kind: str, fast_path: bool) -> None:
    del fast_path  # an option of the loop
    with ExitStack() as stack:
        fd, first, second = two_messages(kind, stack)
        assert await twins.read(fd, 2**19) == first
        if second:
            buffer = bytearray(2**19)
            assert await twins.readinto(fd, buffer) == len(second)
            assert buffer.startswith(second)


async def test_two_readers_of_one_pipe(pipe: tuple[int, int]) -> None:
    async with waiting(*(twins.read(pipe[0], 4) for _ in range(3))) as tasks:
        os.write(pipe[1], b"once")
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await until(lambda: stats().in_flight == 0 or bytes_in(pipe[0]) == 0)
        os.write(pipe[1], b"more" * 2)
        assert sorted(await asyncio.gather(*tasks)) == [b"more", b"more", b"once"]


async def test_nonblocking_descriptors_do_not_wait(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[0], False)
    with pytest.raises(BlockingIOError):
        await twins.read(pipe[0], 1)
    os.set_blocking(pipe[1], False)
    while bytes_in(pipe[0]) < fcntl.fcntl(pipe[1], fcntl.F_GETPIPE_SZ):
        await twins.write(pipe[1], bytes(2 * PAGE))
    with pytest.raises(BlockingIOError):
        await twins.write(pipe[1], bytes(2 * PAGE))
    assert bytes_in(pipe[0]) == fcntl.fcntl(pipe[1], fcntl.F_GETPIPE_SZ)


async def test_wrong_end(pipe: tuple[int, int]) -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        await twins.read(pipe[1], 1)
    with pytest.raises(OSError, match="Bad file descriptor"):
        await twins.write(pipe[0], b"x")
    assert stats().waiting == 0


# Writing


@both_ways
async def test_write_to_a_full_pipe_waits(pipe: tuple[int, int], fast_path: bool) -> None:
    del fast_path  # an option of the loop
    size = fill(pipe[1])
    async with waiting(twins.write(pipe[1], b"more")) as (task,):
        assert stats().workers == 0
        os.read(pipe[0], size)
        assert await task == 4
    assert os.read(pipe[0], 100) == b"more"


@both_ways
@pytest.mark.parametrize("kind", ["pipe", "socket"])
async def test_long_write_takes_what_there_is_room_for(kind: str, fast_path: bool) -> None:
    del fast_path  # an option of the loop
    if kind == "pipe":
        reader, writer = os.pipe()
    else:
        ends = socket.socketpair()
        reader, writer = (end.detach() for end in ends)
    data = os.urandom(2**20)
    task = asyncio.create_task(twins.write(writer, data))
    await until(lambda: stats().waiting == 1)
    await until(lambda: stats().in_flight == 0)
    got = bytearray()
    while len(got) < len(data):
        got += await twins.read(reader, 2**16)
    assert await task == len(data)
    assert got == data
    assert stats().workers <= 4
    os.close(reader)
    os.close(writer)


async def test_cancelled_write(pipe: tuple[int, int]) -> None:
    buffer = bytearray(2**20)
    async with waiting(twins.write(pipe[1], buffer)) as (task,):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        buffer.clear()  # nobody uses it
        assert stats().waiting == 0


async def test_reader_leaves(pipe: tuple[int, int]) -> None:
    reader, writer = os.pipe()
    fill(writer)
    async with waiting(twins.write(writer, b"x")) as (task,):
        os.close(reader)
        with pytest.raises(BrokenPipeError):
            await task
    os.close(writer)


async def test_reader_and_writer_of_one_socket() -> None:
    ends = socket.socketpair()
    fd = ends[0].fileno()
    fill(fd)
    async with waiting(twins.read(fd, 10), twins.write(fd, b"x")) as (reading, writing):
        ends[1].send(b"hello")
        assert await reading == b"hello"
        assert not writing.done()
        while not writing.done():
            ends[1].recv(2**16)
            await asyncio.sleep(0.001)
        assert await writing == 1
    for end in ends:
        end.close()


# The descriptor's own life


async def test_application_may_watch_the_same_descriptor(pipe: tuple[int, int]) -> None:
    loop = asyncio.get_running_loop()
    called = asyncio.Event()
    async with waiting(twins.read(pipe[0], 10)) as (task,):
        loop.add_reader(pipe[0], called.set)
        os.write(pipe[1], b"x")
        await called.wait()
        loop.remove_reader(pipe[0])
        assert await task == b"x"


async def test_number_of_a_closed_descriptor_is_used_again() -> None:
    reader, writer = os.pipe()
    async with waiting(twins.read(reader, 10)) as (old,):
        os.close(reader)
        os.close(writer)
        ends = os.pipe()
        assert reader in ends
        task = asyncio.create_task(twins.read(reader, 10))
        with pytest.raises(OSError, match="Bad file descriptor"):
            await old
        os.write(ends[1], b"new")
        assert await task == b"new"
        for end in ends:
            os.close(end)


async def closed_while_watched(pipe: tuple[int, int]) -> int:
    """Return the number of a duplicate that was closed, and that the epoll still sees."""
    reader = os.dup(pipe[0])
    async with waiting(twins.read(reader, 10)) as (task,):
        os.close(reader)
        task.cancel()
        await asyncio.wait([task])
    os.write(pipe[1], b"x")
    return reader


async def test_duplicate_keeps_a_closed_descriptor_watched(pipe: tuple[int, int]) -> None:
    await closed_while_watched(pipe)
    for _ in range(3):
        await asyncio.sleep(0.001)
    assert await twins.read(pipe[0], 10) == b"x"


class _Counting:
    """An epoll that counts how often it was asked."""

    def __init__(self, epoll: select.epoll) -> None:
        self._epoll = epoll
        self.polls = 0

    def poll(self, timeout: float) -> Any:
        self.polls += 1
        return self._epoll.poll(timeout)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._epoll, name)


async def test_duplicate_of_a_closed_descriptor_wakes_nobody(pipe: tuple[int, int]) -> None:
    readiness = running_engine().readiness
    epoll = readiness._epoll = _Counting(readiness._epoll)
    reader = await closed_while_watched(pipe)
    await asyncio.sleep(0.02)
    assert epoll.polls <= 2
    # A new file with that number, which isn't ready. The other is, again and again.
    ends = os.pipe()
    assert reader in ends
    async with waiting(twins.read(ends[0], 10)) as (other,):
        polls = epoll.polls
        for _ in range(20):
            os.write(pipe[1], b"x")
            await asyncio.sleep(0.001)
        assert epoll.polls <= polls + 2
        os.write(ends[1], b"new")
        assert await other == b"new"
    for end in ends:
        os.close(end)


async def test_stray_events_are_not_for_a_new_file() -> None:
    # Who waits for it, and doesn't try again, would take them for its own.
    readiness = running_engine().readiness
    old = os.pipe()
    duplicate = os.dup(old[0])
    async with waiting(twins.read(old[0], 10)) as (task,):
        os.close(old[0])
        new = os.pipe()
        assert old[0] == new[0]
        event = asyncio.create_task(readiness.event(new[0], writing=False))
        with pytest.raises(OSError, match="Bad file descriptor"):
            await task
        os.write(old[1], b"stray")
        await asyncio.sleep(0.02)
        assert not event.done()
        os.write(new[1], b"its own")
        await event
    for end in (*new, old[1], duplicate):
        os.close(end)


async def test_application_may_watch_what_does_not_block(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[0], False)
    loop = asyncio.get_running_loop()
    called = asyncio.Event()
    loop.add_reader(pipe[0], called.set)
    async with asyncsys_loop.open(pipe[0], "rb", 0, closefd=False) as file:
        reading = asyncio.create_task(file.read(10))
        await until(lambda: stats().waiting == 1)
        os.write(pipe[1], b"x")
        await called.wait()
        assert await reading == b"x"
    called.clear()
    os.write(pipe[1], b"y")
    await called.wait()
    loop.remove_reader(pipe[0])


def test_closing_a_loop_leaves_nothing() -> None:
    async def main(reader: int) -> None:
        task = asyncio.create_task(twins.read(reader, 1))
        await until(lambda: stats().waiting == 1)
        tasks.append(task)

    tasks: list[asyncio.Task[Any]] = []
    reader, writer = os.pipe()
    before = descriptors()
    asyncsys_loop.run(main(reader))
    assert tasks[0].cancelled()
    assert descriptors() == before
    os.close(reader)
    os.close(writer)


def test_forked_child_does_not_disturb_its_parent() -> None:
    source = """
import asyncio, os, asyncsys_loop
from asyncsys_loop import os as twins, stats

async def main():
    reader, writer = os.pipe()
    task = asyncio.create_task(twins.read(reader, 10))
    while not stats().waiting:
        await asyncio.sleep(0.001)
    engine = asyncio.get_running_loop()._asyncsys_engine
    child = os.fork()
    if child == 0:
        engine.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    os.write(writer, b"still")
    print(await task)

asyncsys_loop.run(main())
"""
    assert output_of(source) == "b'still'\n"


async def test_idle_waiting_costs_no_processor(pipe: tuple[int, int]) -> None:
    async with waiting(twins.read(pipe[0], 1)):
        # The loop's thread: it isn't woken (some times by the heartbeat), and doesn't spin. Time
        # that a virtual machine's host takes away counts as the thread's own: then once more.
        for _ in range(10):
            before, busy = resource.getrusage(resource.RUSAGE_THREAD), time.thread_time()
            await asyncio.sleep(0.3)
            after, busy = resource.getrusage(resource.RUSAGE_THREAD), time.thread_time() - busy
            if after.ru_nvcsw - before.ru_nvcsw < 50 and busy < 0.1:
                break
        else:
            pytest.fail("the loop's thread is never idle")
        assert stats().workers == 0


async def test_signal_does_not_end_a_wait(pipe: tuple[int, int]) -> None:
    async with waiting(twins.read(pipe[0], 1)) as (task,):
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, lambda: None)
        os.kill(os.getpid(), signal.SIGUSR1)
        await asyncio.sleep(0.01)
        assert not task.done()
        loop.remove_signal_handler(signal.SIGUSR1)
        os.write(pipe[1], b"x")
        assert await task == b"x"
