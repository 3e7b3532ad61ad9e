"""What blocks for long leaves exec threads to others: locks, FIFOs, children; pipes by any call."""

import asyncio
import fcntl
import os
import socket
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

import asyncsys_loop
from asyncsys_loop import os as twins
from asyncsys_loop import stats, syscall
from asyncsys_loop._attach import running_engine

from .support import bytes_in, descriptors, fill, until

COUNT = 10


def threads(count: int) -> pytest.MarkDecorator:
    """Of so few, with the fast path and without."""
    return pytest.mark.parametrize(
        "fast",
        [
            pytest.param(fast, marks=pytest.mark.loop(fast_path=fast, max_workers=count))
            for fast in (True, False)
        ],
    )


few_threads = threads(2)
one_thread = threads(1)


# What lies behind a magic link isn't found by RESOLVE_CACHED, as what isn't in the dentry cache, or
# on a file system that asks a server for each name: whether it is a FIFO isn't known beforehand.
known_or_not = pytest.mark.parametrize("prefix", ["/", "/proc/self/root"], ids=["known", "unknown"])


class Waits:
    """Calls that wait for something that doesn't come."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        self.stack = stack
        self.path = directory / "locked"
        self.path.touch()

    def opened(self) -> int:
        fd = os.open(self.path, os.O_RDWR)
        self.stack.callback(os.close, fd)
        return fd

    def flock(self) -> Callable[[], Coroutine[Any, Any, Any]]:
        fcntl.flock(self.opened(), fcntl.LOCK_EX)
        return lambda: twins.flock(self.opened(), fcntl.LOCK_SH)

    def fifo(self) -> Path:
        path = self.directory / "fifo"
        os.mkfifo(path)
        return path

    def fifo_to_read(self) -> Callable[[], Coroutine[Any, Any, Any]]:
        path = self.fifo()
        return lambda: twins.open(path, os.O_RDONLY)

    def fifo_to_write(self) -> Callable[[], Coroutine[Any, Any, Any]]:
        path = self.fifo()
        return lambda: twins.open(path, os.O_WRONLY | os.O_CREAT)

    def fifo_by_openat2(self) -> Callable[[], Coroutine[Any, Any, Any]]:
        path = self.fifo()
        return lambda: twins.openat2(path, os.O_WRONLY)

    def fifo_as_file(self) -> Callable[[], Coroutine[Any, Any, Any]]:
        path = self.fifo()

        async def read() -> bytes:
            async with asyncsys_loop.open(path, "rb") as file:
                return await file.read()

        return read

    def fifo_as_path(self) -> Callable[[], Coroutine[Any, Any, Any]]:
        path = self.fifo()
        return lambda: asyncsys_loop.Path(path).read_bytes()

    def any_child(self) -> Callable[[], Coroutine[Any, Any, Any]]:
        child = os.fork()
        if child == 0:
            os.execlp("sleep", "sleep", "60")
        self.stack.callback(os.waitpid, child, 0)
        self.stack.callback(os.kill, child, 9)
        return lambda: twins.waitpid(-1, 0)


WAITS = [
    name for name in vars(Waits) if not name.startswith("_") and name not in {"opened", "fifo"}
]


@few_threads
@known_or_not
@pytest.mark.parametrize("name", WAITS)
async def test_others_go_on(name: str, prefix: str, fast: bool, tmp_path: Path) -> None:
    del fast  # an option of the loop
    with ExitStack() as stack:
        make = getattr(Waits(Path(f"{prefix}{tmp_path}"), stack), name)()
        assert running_engine().readiness  # has an epoll, from its first use on
        tasks = [asyncio.create_task(make()) for _ in range(COUNT)]
        before = descriptors()  # they haven't begun
        await asyncio.sleep(0.02)
        await until(lambda: stats().in_flight <= 1)
        for _ in range(5):
            assert await syscall("getppid") == os.getppid()
        assert not any(task.done() for task in tasks)
        await until(lambda: stats().in_flight <= 1)  # who only looks is soon out again
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)
        assert stats().in_flight == stats().queued == 0
        assert descriptors() == before
        assert not running_engine().places.locked()


@one_thread
@pytest.mark.parametrize("name", ["flock", "any_child", "fifo_to_write"])
async def test_the_only_thread_is_not_held(name: str, fast: bool, tmp_path: Path) -> None:
    del fast  # an option of the loop
    with ExitStack() as stack:
        make = getattr(Waits(tmp_path, stack), name)()
        tasks = [asyncio.create_task(make()) for _ in range(COUNT)]
        await asyncio.sleep(0.02)
        for _ in range(5):
            assert await syscall("getppid") == os.getppid()
        assert not any(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert stats().in_flight == stats().queued == 0


@one_thread
async def test_locks_with_the_only_thread(fast: bool, tmp_path: Path) -> None:
    del fast  # an option of the loop
    with ExitStack() as stack:
        use = Waits(tmp_path, stack)
        first, second = use.opened(), use.opened()
        await twins.flock(first, fcntl.LOCK_EX)
        waiting = asyncio.create_task(twins.flock(second, fcntl.LOCK_EX))
        await asyncio.sleep(0.01)
        await twins.flock(first, fcntl.LOCK_UN)  # a call as any other
        await waiting


@one_thread
async def test_the_other_end_of_a_fifo_frees_the_only_thread(fast: bool, tmp_path: Path) -> None:
    del fast  # an option of the loop
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reading = asyncio.create_task(twins.open(path, os.O_RDONLY))
    writers = []

    def opened() -> bool:
        with suppress(OSError):  # ENXIO: nobody reads
            writers.append(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        return bool(writers)

    await until(opened)
    os.close(await reading)
    os.close(writers[0])


@few_threads
async def test_what_could_be_had_is_had_without_a_place(fast: bool, tmp_path: Path) -> None:
    # All places wait for a lock whose owner waits for another one.
    del fast  # an option of the loop
    with ExitStack() as stack:
        (tmp_path / "one").mkdir()
        (tmp_path / "two").mkdir()
        one, two = Waits(tmp_path / "one", stack), Waits(tmp_path / "two", stack)
        first, second = one.opened(), two.opened()
        fcntl.flock(first, fcntl.LOCK_EX)
        fcntl.flock(second, fcntl.LOCK_EX)
        waiting = [asyncio.create_task(twins.flock(one.opened(), fcntl.LOCK_EX)) for _ in range(3)]
        await asyncio.sleep(0.01)
        async with asyncio.TaskGroup() as group:
            owner = group.create_task(twins.flock(two.opened(), fcntl.LOCK_EX))
            await asyncio.sleep(0.01)
            fcntl.flock(second, fcntl.LOCK_UN)
            await owner
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        fcntl.flock(first, fcntl.LOCK_UN)


@few_threads
async def test_locks_are_had_in_the_end(fast: bool, tmp_path: Path) -> None:
    del fast  # an option of the loop
    with ExitStack() as stack:
        use = Waits(tmp_path, stack)
        had: list[int] = []

        async def lock(number: int) -> None:
            async with twins.flock(fds[number], fcntl.LOCK_EX):
                had.append(number)
                await asyncio.sleep(0)

        fds = [use.opened() for _ in range(COUNT)]
        await asyncio.gather(*(lock(number) for number in range(COUNT)))
        assert sorted(had) == [*range(COUNT)]


@few_threads
@known_or_not
@pytest.mark.parametrize("opening", [twins.open, twins.openat2])
async def test_both_ends_of_many_fifos(
    prefix: str, fast: bool, tmp_path: Path, opening: Any
) -> None:
    del fast  # an option of the loop
    paths = [Path(f"{prefix}{tmp_path}", str(number)) for number in range(COUNT)]
    for path in paths:
        os.mkfifo(path)
    writers = [asyncio.create_task(opening(path, os.O_WRONLY)) for path in paths]
    readers = [asyncio.create_task(opening(path, os.O_RDONLY)) for path in paths]
    for writer, reader in zip(writers, readers, strict=True):
        ends = await asyncio.gather(reader, writer)
        assert os.get_blocking(ends[1])
        assert not os.get_inheritable(ends[1])
        os.write(ends[1], b"through")
        assert os.read(ends[0], 10) == b"through"
        for end in ends:
            os.close(end)


@known_or_not
async def test_opening_a_fifo_fails_with_its_name(prefix: str, tmp_path: Path) -> None:
    tmp_path = Path(f"{prefix}{tmp_path}")
    path = os.fspath(tmp_path / "fifo")
    os.mkfifo(path)
    with pytest.raises(OSError, match="No such device") as raised:
        await twins.open(path, os.O_WRONLY | os.O_NONBLOCK)
    assert raised.value.filename == path
    opening = asyncio.create_task(twins.open(path, os.O_WRONLY))
    await asyncio.sleep(0.01)
    os.unlink(path)  # it is looked up each time
    with pytest.raises(FileNotFoundError) as missing:
        await opening
    assert missing.value.filename == path


@few_threads
@known_or_not
async def test_what_is_no_fifo_opens_as_ever(prefix: str, fast: bool, tmp_path: Path) -> None:
    del fast  # an option of the loop
    tmp_path = Path(f"{prefix}{tmp_path}")
    path, link, nowhere = tmp_path / "new", tmp_path / "link", tmp_path / "nowhere"
    link.symlink_to("new")
    nowhere.symlink_to("new/file")
    before = descriptors()
    with pytest.raises(FileNotFoundError, match="new'"):
        await twins.open(path, os.O_RDONLY)
    fd = await twins.open(link, os.O_WRONLY | os.O_CREAT, 0o640)  # makes what it leads to
    assert await twins.write(fd, b"content") == 7
    assert os.get_blocking(fd)
    os.close(fd)
    assert path.stat().st_mode & 0o777 == 0o640
    assert await asyncsys_loop.Path(link).read_bytes() == b"content"
    with pytest.raises(NotADirectoryError, match="nowhere'"):
        await twins.open(nowhere, os.O_RDONLY)
    with pytest.raises(OSError, match=r"Too many levels of symbolic links.*link'"):
        await twins.open(link, os.O_RDONLY | os.O_NOFOLLOW)
    os.close(await twins.open(path, os.O_WRONLY | os.O_TRUNC))
    assert path.read_bytes() == b""
    assert descriptors() == before


# Readiness, by other calls than read() and write()


memory = bytearray(8)

READS: dict[str, Callable[[int, int], Coroutine[Any, Any, Any]]] = {
    "readv": lambda fd, _: twins.readv(fd, [memory]),
    "preadv": lambda fd, _: twins.preadv(fd, [memory], -1),
    "splice": lambda fd, out: twins.splice(fd, out, 8),
    "eventfd_read": lambda fd, _: twins.eventfd_read(_Numbered(fd)),
    "read, unusually": lambda fd, _: twins.read(_Numbered(fd), 8),  # type: ignore[arg-type]
}


class _Numbered:
    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __index__(self) -> int:
        return self._fd

    fileno = __index__


@few_threads
@pytest.mark.parametrize("name", [*READS])
async def test_reading_calls_wait_in_the_loop(name: str, fast: bool, pipe: tuple[int, int]) -> None:
    del fast  # an option of the loop
    other = os.pipe()
    tasks = [asyncio.create_task(READS[name](pipe[0], other[1])) for _ in range(COUNT)]
    await until(lambda: stats().waiting == COUNT)
    assert stats().in_flight == 0
    for task in tasks[1:]:
        task.cancel()
    await asyncio.wait(tasks[1:])
    os.write(pipe[1], b"\1\0\0\0\0\0\0\0")
    assert await tasks[0] in {8, 1, b"\1\0\0\0\0\0\0\0"}
    for end in other:
        os.close(end)


WRITES: dict[str, Callable[[int, int], Coroutine[Any, Any, Any]]] = {
    "writev": lambda fd, _: twins.writev(fd, [b"da", b"ta"]),
    "pwritev": lambda fd, _: twins.pwritev(fd, [b"da", b"ta"], -1),
    "sendfile": lambda fd, file: twins.sendfile(fd, file, 0, 4),
    "splice": lambda fd, file: twins.splice(file, fd, 4, 0),
}


@few_threads
@pytest.mark.parametrize("kind", ["pipe", "socket"])
@pytest.mark.parametrize("name", [*WRITES])
async def test_writing_calls_wait_in_the_loop(
    name: str, kind: str, fast: bool, tmp_path: Path
) -> None:
    del fast  # an option of the loop
    if (name, kind) == ("splice", "socket"):
        return  # there has to be a pipe
    reader, writer = os.pipe() if kind == "pipe" else (end.detach() for end in socket.socketpair())
    (tmp_path / "file").write_bytes(b"data")
    file = os.open(tmp_path / "file", os.O_RDONLY)
    fill(writer)
    tasks = [asyncio.create_task(WRITES[name](writer, file)) for _ in range(COUNT)]
    await until(lambda: stats().waiting == COUNT)
    assert stats().in_flight == 0
    for task in tasks[1:]:
        task.cancel()
    await asyncio.wait(tasks[1:])
    await until(lambda: tasks[0].done() or not os.read(reader, 2**16))
    assert await tasks[0] == 4
    for fd in (reader, writer, file):
        os.close(fd)


@few_threads
@pytest.mark.parametrize("kind", ["pipe", "socket"])
@pytest.mark.parametrize("name", ["writev", "sendfile"])
async def test_as_many_bytes_as_by_the_one_call(
    name: str, kind: str, fast: bool, tmp_path: Path
) -> None:
    del fast  # an option of the loop
    reader, writer = os.pipe() if kind == "pipe" else (end.detach() for end in socket.socketpair())
    content = os.urandom(500_000)
    (tmp_path / "file").write_bytes(content)
    file = os.open(tmp_path / "file", os.O_RDONLY)
    if name == "writev":
        work = twins.writev(writer, [content[:300_000], content[300_000:]])
    else:
        work = twins.sendfile(writer, file, None, len(content))
    task = asyncio.create_task(work)
    got = b""
    while len(got) < 300_000:
        got += await twins.read(reader, 2**16)
    await until(lambda: stats().waiting == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as raised:
        await task
    sent: int = raised.value.result  # type: ignore[attr-defined]
    while bytes_in(reader):
        got += os.read(reader, 2**16)
    assert got == content[:sent]
    if name == "sendfile":
        assert os.lseek(file, 0, os.SEEK_CUR) == sent
        rest = asyncio.create_task(twins.sendfile(writer, file, None, len(content)))
        while len(got) < len(content):
            got += await twins.read(reader, 2**16)
        assert await rest == len(content) - sent
        assert got == content
    for fd in (reader, writer, file):
        os.close(fd)
