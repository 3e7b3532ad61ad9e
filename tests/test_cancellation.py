"""Guarantee 2: a cancelled call has settled before CancelledError is raised."""

import asyncio
import ctypes
import errno
import fcntl
import gc
import os
import select
import signal
import socket
import struct
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

import asyncsys_loop
from asyncsys_loop import SYS, _engine, stats, syscall
from asyncsys_loop._attach import running_engine

from .support import Stuck, claimed, descriptors, stuck, until

pytestmark = pytest.mark.through_the_table


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for fd in (reader, writer):
        with suppress(OSError):
            os.close(fd)


async def cancelled(task: asyncio.Task[Any]) -> None:
    """Return when a task has ended by cancellation; no exception keeps frames alive."""
    await asyncio.wait([task])
    assert task.cancelled()


# A call that blocks is interrupted, and nothing of it is in use afterwards


async def test_cancelled_read_leaves_buffer_and_data_alone(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    buffer = bytearray(16)
    task = asyncio.create_task(syscall("read", reader, buffer, 16))
    await claimed()
    with pytest.raises(BufferError):
        buffer.extend(b"more")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    buffer.extend(bytes(1 << 20))  # another address
    os.write(writer, b"data")
    assert os.read(reader, 16) == b"data"
    assert buffer == bytes(len(buffer))


@pytest.mark.parametrize("read", [asyncsys_loop.os.readinto, asyncsys_loop.os.preadinto])
async def test_buffer_is_free_inside_the_handler(
    pipe: tuple[int, int], read: Callable[..., Awaitable[int]]
) -> None:
    # An exception keeps the frames that it passed through, and they know the buffer.
    buffer = bytearray(16)
    offset = () if read is asyncsys_loop.os.readinto else (0,)
    try:
        await read(pipe[1], buffer, *offset)
    except OSError:
        buffer.clear()
    assert not buffer

    buffer = bytearray(16)
    try:
        await syscall("read", pipe[1], buffer, 16)
    except OSError:
        buffer.clear()
    assert not buffer

    buffer = bytearray(16)
    if read is asyncsys_loop.os.preadinto:
        return  # not from a pipe
    try:
        async with asyncio.timeout(0.01):
            try:
                await read(pipe[0], buffer)
            except asyncio.CancelledError:
                buffer.clear()
                raise
    except TimeoutError:
        buffer.extend(b"again")
    assert buffer == b"again"


@pytest.mark.parametrize("write", [asyncsys_loop.os.write, asyncsys_loop.os.pwrite])
async def test_written_buffer_is_free_inside_the_handler(
    pipe: tuple[int, int], write: Callable[..., Awaitable[int]]
) -> None:
    buffer = bytearray(16)
    try:
        await write(pipe[0], buffer, *(() if write is asyncsys_loop.os.write else (0,)))
    except OSError:
        buffer.clear()
    assert not buffer


class Blocking:
    """Calls that block until something happens that doesn't."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        self.stack = stack

    def opened(self, fd: int) -> int:
        self.stack.callback(os.close, fd)
        return fd

    def pipe(self) -> tuple[int, int]:
        reader, writer = os.pipe()
        return self.opened(reader), self.opened(writer)

    def locked(self) -> int:
        """Return a descriptor of a file that another one has locked."""
        path = self.directory / "locked"
        other, fd = (self.opened(os.open(path, os.O_RDWR | os.O_CREAT)) for _ in range(2))
        fcntl.flock(other, fcntl.LOCK_EX)
        return fd

    def fifo(self) -> Path:
        path = self.directory / "fifo"
        os.mkfifo(path)
        return path

    def socket(self, *arguments: int) -> socket.socket:
        return self.stack.enter_context(socket.socket(*arguments))

    def listening(self) -> int:
        listening = self.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        return listening.fileno()

    def epoll(self) -> int:
        return self.stack.enter_context(select.epoll()).fileno()

    def open_file_lock(self) -> tuple[int, int, bytes]:
        path = self.directory / "locked"
        other, fd = (self.opened(os.open(path, os.O_RDWR | os.O_CREAT)) for _ in range(2))
        lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        fcntl.fcntl(other, fcntl.F_OFD_SETLK, lock)  # type: ignore[attr-defined,unused-ignore]
        return fd, fcntl.F_OFD_SETLKW, lock  # type: ignore[attr-defined,unused-ignore]


AF_UNIX, DATAGRAM = socket.AF_UNIX, socket.SOCK_DGRAM
FOREVER = struct.pack("qq", 100_000, 0)

BLOCKING: dict[str, Callable[[Blocking], tuple[Any, ...]]] = {
    "read": lambda use: (use.pipe()[0], bytearray(8), 8),
    "write": lambda use: (use.pipe()[1], bytes(1 << 20), 1 << 20),
    "readv": lambda use: (use.pipe()[0], bytes(16), 1),
    "splice": lambda use: (use.pipe()[0], None, use.pipe()[1], None, 8, 0),
    "openat": lambda use: (-100, use.fifo(), os.O_RDONLY, 0),
    "openat2": lambda use: (-100, use.fifo(), struct.pack("QQQ", os.O_WRONLY, 0, 0), 24),
    "flock": lambda use: (use.locked(), fcntl.LOCK_EX),
    "fcntl": lambda use: use.open_file_lock(),
    "futex": lambda use: (bytearray(4), 0, 0, None, None, 0),
    "nanosleep": lambda use: (FOREVER, None),
    "clock_nanosleep": lambda use: (1, 0, FOREVER, None),
    "ppoll": lambda use: (
        bytearray(struct.pack("ihh", use.pipe()[0], select.POLLIN, 0)),
        1,
        None,
        None,
        8,
    ),
    "pselect6": lambda use: (0, None, None, None, bytearray(FOREVER), None),
    "epoll_pwait": lambda use: (use.epoll(), bytearray(64), 1, -1, None, 8),
    "accept4": lambda use: (use.listening(), None, None, 0),
    "recvfrom": lambda use: (use.socket(AF_UNIX, DATAGRAM).fileno(), bytearray(8), 8, 0, 0, 0),
    "rt_sigtimedwait": lambda use: (struct.pack("Q", 1 << signal.SIGUSR1), None, None, 8),
}


@pytest.mark.parametrize("name", [*BLOCKING])
async def test_blocked_call_is_interrupted(name: str, tmp_path: Path) -> None:
    if name not in SYS.__members__:
        pytest.skip(f"{name} isn't a call of this architecture: its interruption was not tested")
    with ExitStack() as stack:
        arguments = BLOCKING[name](Blocking(tmp_path, stack))
        if name == "readv":
            memory = ctypes.create_string_buffer(8)
            iovec = struct.pack("PN", ctypes.addressof(memory), 8)
            arguments = (arguments[0], iovec, 1)
        task = asyncio.create_task(syscall(name, *arguments))
        await claimed()
        await asyncio.sleep(0.01)
        assert not task.done(), f"it didn't block: {task}"
        task.cancel()
        await cancelled(task)
        assert stats().in_flight == 0
        for argument in arguments:
            if isinstance(argument, bytearray):
                argument.extend(b"more")


async def test_many_blocked_calls_are_interrupted_together(pipe: tuple[int, int]) -> None:
    tasks = [asyncio.create_task(syscall("read", pipe[0], bytearray(1), 1)) for _ in range(50)]
    await claimed()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)
    os.write(pipe[1], b"x")
    assert os.read(pipe[0], 2) == b"x"


async def test_interruption_never_hits_the_next_call(pipe: tuple[int, int]) -> None:
    # The signal is for one call. One that came late would end another with EINTR.
    pause = struct.pack("qq", 0, 300_000)
    for _ in range(100):
        task = asyncio.create_task(syscall("read", pipe[0], bytearray(1), 1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        results = await asyncio.gather(*(syscall("nanosleep", pause, None) for _ in range(4)))
        assert results == [0] * 4
        await cancelled(task)


async def test_settles_before_it_raises(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_engine, "_interrupt", lambda table, slot: 0)  # a call that doesn't listen
    buffer = bytearray(4)
    task = asyncio.create_task(syscall("read", pipe[0], buffer, 4))
    await claimed()
    for _ in range(3):  # nor does it help to repeat it
        task.cancel()
        await asyncio.sleep(0.01)
        assert not task.done()
        with pytest.raises(BufferError):
            buffer.clear()
    assert task.cancelling() == 3
    os.write(pipe[1], b"late")
    await cancelled(task)
    assert buffer == b"late"
    buffer.clear()


# A call that nobody has claimed never runs


@pytest.mark.loop(max_workers=1)
async def test_unclaimed_calls_never_run(tmp_path: Path) -> None:
    async with stuck() as (blocker,):
        tasks = [
            asyncio.create_task(asyncsys_loop.os.mkdir(tmp_path / str(number)))
            for number in range(20)
        ]
        await until(lambda: stats().in_flight == 21)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks[::2], return_exceptions=True)
        assert all(task.cancelled() for task in tasks[::2])
        assert (stats().in_flight, stats().withdrawn) == (11, 10)
        blocker.let_go()
        await asyncio.gather(*tasks[1::2])
    assert sorted(int(name) for name in os.listdir(tmp_path)) == [*range(1, 20, 2)]


@pytest.mark.loop(slots=2, max_workers=1)
async def test_queued_calls_never_run(tmp_path: Path) -> None:
    async with stuck() as (blocker,):
        tasks = [
            asyncio.create_task(asyncsys_loop.os.mkdir(tmp_path / str(number)))
            for number in range(20)
        ]
        await until(lambda: stats().queued == 19)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks[::2], return_exceptions=True)
        assert all(task.cancelled() for task in tasks[::2])
        # The first was in the table, and the next in the queue moved up.
        assert (stats().in_flight, stats().queued, stats().withdrawn) == (2, 9, 1)
        blocker.let_go()
        await asyncio.gather(*tasks[1::2])
    assert sorted(int(name) for name in os.listdir(tmp_path)) == [*range(1, 20, 2)]


async def test_task_cancelled_before_its_first_step_submits_nothing() -> None:
    before = stats().submitted
    task = asyncio.create_task(syscall("getppid"))
    task.cancel()
    await cancelled(task)
    assert stats().submitted == before


# A descriptor that a cancelled call returned is closed


def _connected(use: Blocking) -> int:
    listening = use.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    use.socket().connect(listening.getsockname())
    return listening.fileno()


RETURNING: dict[str, Callable[[Blocking], tuple[Any, ...]]] = {
    "openat": lambda use: (-100, "/", os.O_RDONLY, 0),
    "openat2": lambda use: (-100, "/", struct.pack("QQQ", os.O_RDONLY, 0, 0), 24),
    "accept4": lambda use: (_connected(use), None, None, 0),
    "accept": lambda use: (_connected(use), None, None),
    "pipe2": lambda use: (bytearray(8), os.O_CLOEXEC),
    "socketpair": lambda use: (socket.AF_UNIX, socket.SOCK_STREAM, 0, bytearray(8)),
    "dup": lambda use: (use.pipe()[0],),
    "memfd_create": lambda use: ("name", 0),
    "fcntl": lambda use: (use.pipe()[0], fcntl.F_DUPFD_CLOEXEC, 100),
    "socket": lambda use: (socket.AF_UNIX, socket.SOCK_STREAM, 0),
    "eventfd2": lambda use: (0, 0),
    "epoll_create1": lambda use: (0,),
    "inotify_init1": lambda use: (0,),
    "timerfd_create": lambda use: (0, 0),
    "pidfd_open": lambda use: (os.getpid(), 0),
    "signalfd4": lambda use: (-1, bytes(8), 8, 0),
}


@pytest.fixture(params=["completed in the table", "result on its way"])
def cancel_at(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine up to where its call has completed, and cancel it there."""

    async def completed_in_the_table(coroutine: Coroutine[Any, Any, Any]) -> None:
        engine = running_engine()
        await until(lambda: stats().in_flight == 0)
        await asyncio.sleep(0.01)  # the eventfd is armed
        task = asyncio.create_task(coroutine)
        await asyncio.sleep(0)  # it is submitted
        engine._ring()  # now: in a turn of the loop it might complete, and be taken
        assert select.select([engine._event_fd], [], [], 10)[0]
        assert not task.done()
        task.cancel()
        await cancelled(task)

    async def result_on_its_way(coroutine: Coroutine[Any, Any, Any]) -> None:
        @types.coroutine
        def steps() -> Generator[Any, Any, Any]:
            waiting = coroutine.send(None)
            # Called before the task's own callback, which is added when it gets the future.
            waiting.add_done_callback(lambda _: task.cancel())
            while True:
                try:
                    sent = yield waiting
                except BaseException as exception:  # noqa: BLE001
                    waiting = coroutine.throw(exception)
                else:
                    waiting = coroutine.send(sent)

        async def run() -> Any:
            return await steps()

        task = asyncio.create_task(run())
        await cancelled(task)

    return result_on_its_way if "way" in request.param else completed_in_the_table


@pytest.mark.parametrize("name", [*RETURNING])
async def test_returned_descriptor_is_closed(
    name: str, cancel_at: Callable[[Coroutine[Any, Any, Any]], Any], tmp_path: Path
) -> None:
    with ExitStack() as stack:
        arguments = RETURNING[name](Blocking(tmp_path, stack))
        before = descriptors()
        await cancel_at(syscall(name, *arguments))
        assert descriptors() == before
        # And it does return one where it isn't cancelled.
        result = await syscall(name, *arguments) if not name.startswith("accept") else -1
        if name in {"pipe2", "socketpair"}:
            for fd in memoryview(arguments[-1] if name == "socketpair" else arguments[0]).cast("i"):
                os.close(fd)
        elif result >= 0:
            os.close(result)
            assert result > 2


async def test_cancelled_open_closes_its_descriptor(
    cancel_at: Callable[[Coroutine[Any, Any, Any]], Any],
) -> None:
    before = descriptors()
    await cancel_at(asyncsys_loop.os.open("/", os.O_RDONLY))
    assert descriptors() == before
    await cancel_at(asyncsys_loop.os.listdir("/"))
    assert descriptors() == before


async def test_failed_call_that_is_cancelled_closes_nothing(
    cancel_at: Callable[[Coroutine[Any, Any, Any]], Any],
) -> None:
    before = descriptors()
    await cancel_at(syscall("openat", -100, "/nonexistent", 0, 0))
    assert descriptors() == before


async def test_fcntl_that_returns_no_descriptor_closes_nothing(
    cancel_at: Callable[[Coroutine[Any, Any, Any]], Any], pipe: tuple[int, int]
) -> None:
    before = descriptors()
    await cancel_at(syscall("fcntl", pipe[0], fcntl.F_GETFD))  # 1: FD_CLOEXEC, not stdout
    assert descriptors() == before


# close() always closes


@pytest.mark.loop(slots=2, max_workers=1)
@pytest.mark.parametrize("place", ["in the table", "in the queue"])
@pytest.mark.parametrize("close", [asyncsys_loop.os.close, lambda fd: syscall("close", fd)])
async def test_cancelled_close_still_closes(
    place: str, close: Callable[[int], Coroutine[Any, Any, Any]]
) -> None:
    fd = os.open("/", os.O_RDONLY)
    async with stuck() as (blocker,):
        fill = [asyncio.create_task(syscall("getppid"))] if place == "in the queue" else []
        await asyncio.sleep(0)
        task = asyncio.create_task(close(fd))
        await until(lambda: stats().queued == len(fill) and stats().in_flight == 2)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.005)
            assert not task.done()
        blocker.let_go()
        await cancelled(task)
        for other in fill:
            await other
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.close(fd)


async def test_cancelled_close_of_a_claimed_call(
    cancel_at: Callable[[Coroutine[Any, Any, Any]], Any],
) -> None:
    fd = os.open("/", os.O_RDONLY)
    await cancel_at(asyncsys_loop.os.close(fd))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.close(fd)


# asyncio's own ways to cancel


async def test_wait_for(pipe: tuple[int, int]) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(syscall("read", pipe[0], bytearray(4), 4), 0.01)
    os.write(pipe[1], b"data")
    assert await asyncsys_loop.os.read(pipe[0], 4) == b"data"


async def test_timeout_counts_its_cancellation_back(pipe: tuple[int, int]) -> None:
    task = asyncio.current_task()
    assert task is not None
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await syscall("read", pipe[0], bytearray(4), 4)
    assert task.cancelling() == 0
    assert await syscall("getppid") == os.getppid()


async def test_cancellation_beside_a_timeout_wins(pipe: tuple[int, int]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(0):
            await syscall("read", pipe[0], bytearray(4), 4)

    task = asyncio.create_task(limited())
    await asyncio.sleep(0)
    task.cancel("from outside")
    await cancelled(task)


async def test_task_group_cancels_its_siblings(pipe: tuple[int, int]) -> None:
    async def fail() -> None:
        await syscall("openat", -100, "/nonexistent", 0)

    with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012  (it is the group that raises)
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(syscall("read", pipe[0], bytearray(4), 4))
            group.create_task(fail())
    assert caught.group_contains(FileNotFoundError)
    assert stats().in_flight == 0


async def test_uncancelled_task_goes_on(pipe: tuple[int, int]) -> None:
    async def stubborn() -> int:
        with suppress(asyncio.CancelledError):
            await syscall("read", pipe[0], bytearray(4), 4)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 1
        assert task.uncancel() == 0
        return await syscall("getppid")

    task = asyncio.create_task(stubborn())
    await claimed()
    task.cancel()
    assert await task == os.getppid()


async def test_message_of_the_cancellation_is_kept(pipe: tuple[int, int]) -> None:
    messages: list[object] = []

    async def reader() -> None:
        try:
            await syscall("read", pipe[0], bytearray(4), 4)
        except asyncio.CancelledError as error:
            messages.append(error.args)
            raise

    task = asyncio.create_task(reader())
    await claimed()
    task.cancel("enough")
    await cancelled(task)
    assert messages == [("enough",)]


async def test_shielded_call_runs_on(pipe: tuple[int, int]) -> None:
    buffer = bytearray(4)
    inner = asyncio.ensure_future(syscall("read", pipe[0], buffer, 4))
    outer = asyncio.ensure_future(asyncio.shield(inner))
    await claimed()
    outer.cancel()
    await asyncio.wait([outer])
    os.write(pipe[1], b"data")
    assert await inner == 4
    assert buffer == b"data"


async def test_cancelled_counts(pipe: tuple[int, int]) -> None:
    before = stats()
    task = asyncio.create_task(syscall("read", pipe[0], bytearray(4), 4))
    await claimed()
    task.cancel()
    await cancelled(task)
    after = stats()
    assert after.cancelled - before.cancelled == 1
    assert after.withdrawn == before.withdrawn
    assert after.submitted - before.submitted == after.completed - before.completed == 2


# Coroutines that are closed or collected in mid-await


@pytest.mark.parametrize("how", ["close", "collect"])
async def test_closed_coroutine_of_a_blocked_call(how: str, pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    buffer = bytearray(4)
    coroutine = syscall("read", reader, buffer, 4)
    coroutine.send(None)
    await claimed()
    if how == "close":
        coroutine.close()
    del coroutine
    gc.collect()
    await until(lambda: stats().in_flight == 0)
    buffer.extend(b"more")
    os.write(writer, b"data")
    assert os.read(reader, 4) == b"data"


@pytest.mark.loop(slots=2, max_workers=1)
@pytest.mark.parametrize("queued", [False, True])
async def test_closed_coroutine_of_an_unclaimed_call(queued: bool, tmp_path: Path) -> None:
    async with stuck() as (blocker,):
        fill = [asyncio.create_task(syscall("getppid"))] if queued else []
        await asyncio.sleep(0)
        coroutine = asyncsys_loop.os.mkdir(tmp_path / "never")
        coroutine.send(None)
        assert stats().queued == queued
        coroutine.close()
        assert (stats().queued, stats().in_flight) == (0, 1 + len(fill))
        blocker.let_go()
        for other in fill:
            await other
        await syscall("getppid")
    assert not (tmp_path / "never").exists()


async def test_closed_coroutine_whose_result_is_on_its_way() -> None:
    before = descriptors()
    coroutine = asyncsys_loop.os.open("/", os.O_RDONLY)
    future = coroutine.send(None)
    await until(future.done)
    assert descriptors() != before
    coroutine.close()
    assert descriptors() == before


async def test_closed_coroutine_whose_call_completed() -> None:
    before = descriptors()
    engine = running_engine()
    await asyncio.sleep(0.01)
    coroutine = asyncsys_loop.os.open("/", os.O_RDONLY)
    coroutine.send(None)
    engine._ring()  # now: in a turn of the loop it might complete, and be taken
    assert select.select([engine._event_fd], [], [], 10)[0]
    coroutine.close()
    await until(lambda: stats().in_flight == 0)
    assert descriptors() == before


async def test_other_exceptions_thrown_in_settle_the_call_too(pipe: tuple[int, int]) -> None:
    async def thrown() -> None:
        coroutine = syscall("read", pipe[0], bytearray(4), 4)
        coroutine.send(None)
        await claimed()

        class Throw:
            def __await__(self) -> Generator[Any, Any, None]:
                waiting = coroutine.throw(KeyError("thrown"))
                while True:
                    yield waiting
                    waiting = coroutine.send(None)

        await Throw()

    with pytest.raises(KeyError, match="thrown"):
        await asyncio.create_task(thrown())
    assert stats().in_flight == 0


async def test_error_while_undoing_loses_no_other_call(
    monkeypatch: pytest.MonkeyPatch, cancel_at: Callable[[Coroutine[Any, Any, Any]], Any]
) -> None:
    def fail(fd: int) -> None:
        close(fd)
        raise OSError(errno.EIO, "the disk is gone")

    close = os.close
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    with monkeypatch.context() as patch:
        patch.setattr(os, "close", fail)
        others = [asyncio.create_task(syscall("getppid")) for _ in range(10)]
        await cancel_at(syscall("openat", -100, "/", os.O_RDONLY, 0))
        assert set(await asyncio.gather(*others)) == {os.getppid()}
    assert ["the disk is gone" in str(context["exception"]) for context in told] == [True]


async def test_stuck_helper_is_stuck() -> None:
    blocker = Stuck()
    await blocker.entered()
    await asyncio.sleep(0.01)
    assert not blocker.call.done()
    blocker.let_go()
    assert await blocker.call > 0
    await blocker.leave()
