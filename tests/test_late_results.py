"""Calls that had ended when they were cancelled: what they moved is neither lost nor doubled."""

import asyncio
import ctypes
import os
import pty
import socket
import tty
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import asyncsys_loop
from asyncsys_loop import os as twins
from asyncsys_loop import stats, syscall

from .support import both_ways, bytes_in, cancelled_at, fill, interposed, until


class Ends:
    """Descriptors to read from and to write to, closed in the end."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        self.stack = stack

    def own(self, fd: int) -> int:
        self.stack.callback(os.close, fd)
        return fd

    def full(self) -> int:
        """A pipe with something in it, to read from."""
        reader, writer = (self.own(fd) for fd in os.pipe())
        os.write(writer, b"content")
        return reader

    def empty(self) -> int:
        """A pipe to write to."""
        return [self.own(fd) for fd in os.pipe()][1]

    def timer(self) -> int:
        return self.own(ctypes.CDLL(None).timerfd_create(1, 0))

    def counter(self, value: int) -> int:
        return self.own(os.eventfd(value))

    def link(self) -> Path:
        path = self.directory / "link"
        path.symlink_to("target")
        return path

    def file(self, content: bytes = b"content") -> int:
        path = self.directory / f"file{len(os.listdir(self.directory))}"
        path.write_bytes(content)
        return self.own(os.open(path, os.O_RDWR))


buffer = bytearray(7)

CALLS: dict[str, tuple[Callable[[Ends], Coroutine[Any, Any, Any]], Any]] = {
    "read": (lambda use: twins.read(use.full(), 100), b"content"),
    "read of a file": (lambda use: twins.read(use.file(), 4), b"cont"),
    "pread": (lambda use: twins.pread(use.file(), 4, 3), b"tent"),
    "readinto": (lambda use: twins.readinto(use.full(), buffer), 7),
    "write": (lambda use: twins.write(use.empty(), b"data"), 4),
    "pwrite": (lambda use: twins.pwrite(use.file(), b"data", 0), 4),
    "readv": (lambda use: twins.readv(use.file(), [buffer]), 7),
    "writev": (lambda use: twins.writev(use.file(), [b"da", b"ta"]), 4),
    "preadv": (lambda use: twins.preadv(use.file(), [buffer], 2), 5),
    "lseek": (lambda use: twins.lseek(use.file(), 3, os.SEEK_END), 10),
    "stat": (lambda use: twins.stat(use.directory), os.stat_result),
    "mkdir": (lambda use: twins.mkdir(use.directory / "made"), None),
    "sendfile": (lambda use: twins.sendfile(use.empty(), use.file(), None, 4), 4),
    "splice": (lambda use: twins.splice(use.full(), use.empty(), 4), 4),
    "copy_file_range": (lambda use: twins.copy_file_range(use.file(), use.file(b""), 4), 4),
    # What is made of the kernel's answer, as the function itself returns it.
    "listdir": (lambda use: twins.listdir(use.link().parent), ["link"]),
    "listdir of bytes": (lambda use: twins.listdir(bytes(use.link().parent)), [b"link"]),
    "readlink": (lambda use: twins.readlink(use.link()), "target"),
    "readlink of bytes": (lambda use: twins.readlink(bytes(use.link())), b"target"),
    "listxattr": (lambda use: twins.listxattr("/proc"), []),
    "statx": (lambda use: twins.statx(use.directory, 0), twins.statx_result),
    "statvfs": (lambda use: twins.statvfs(use.directory), os.statvfs_result),
    "fstatvfs": (lambda use: twins.fstatvfs(use.file()), os.statvfs_result),
    "access": (lambda use: twins.access(use.directory, os.R_OK), True),
    "getcwd": (lambda _: twins.getcwd(), os.getcwd()),
    "getcwdb": (lambda _: twins.getcwdb(), os.getcwdb()),
    "timerfd_gettime": (lambda use: twins.timerfd_gettime(use.timer()), (0.0, 0.0)),
    "timerfd_gettime_ns": (lambda use: twins.timerfd_gettime_ns(use.timer()), (0, 0)),
    "timerfd_settime": (lambda use: twins.timerfd_settime(use.timer(), initial=1.5), (0.0, 0.0)),
    "timerfd_settime_ns": (lambda use: twins.timerfd_settime_ns(use.timer(), initial=9), (0, 0)),
    "eventfd_read": (lambda use: twins.eventfd_read(use.counter(5)), 5),
    "eventfd_write": (lambda use: twins.eventfd_write(use.counter(5), 5), None),
    "syscall": (lambda use: syscall("read", use.full(), buffer, 7), 7),
}


@pytest.mark.loop(fast_path=False)
@pytest.mark.parametrize("name", [*CALLS])
async def test_the_exception_has_the_result(name: str, tmp_path: Path) -> None:
    call, expected = CALLS[name]
    with ExitStack() as stack:
        error, _ = await cancelled_at(1, call(Ends(tmp_path, stack)))
    assert error is not None
    result = getattr(error, "result", "nothing")
    assert isinstance(result, expected) if isinstance(expected, type) else result == expected


@pytest.mark.loop(fast_path=False)
async def test_what_is_undone_or_failed_has_no_result(tmp_path: Path) -> None:
    for call in (
        twins.open(tmp_path, os.O_RDONLY),
        twins.pipe(),
        syscall("dup", 0),
        twins.stat(tmp_path / "missing"),
    ):
        error, _ = await cancelled_at(1, call)
        assert error is not None
        assert not hasattr(error, "result")


@pytest.mark.loop(fast_path=False)
async def test_a_timeout_is_one_all_the_same() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"data")
    task = asyncio.current_task()
    assert task is not None
    with pytest.raises(TimeoutError) as raised:
        async with asyncio.timeout(100) as scope:
            await interposed(1, twins.read(reader, 100), scope._on_timeout)  # type: ignore[attr-defined]
    assert isinstance(raised.value.__cause__, asyncio.CancelledError)
    assert raised.value.__cause__.result == b"data"  # type: ignore[attr-defined]
    assert task.cancelling() == 0
    os.close(reader)
    os.close(writer)


@pytest.mark.loop(fast_path=False)
async def test_wait_for_at_any_moment() -> None:
    reader, writer = os.pipe()
    for pause in range(200):
        os.write(writer, b"data")
        try:
            got = await asyncio.wait_for(twins.read(reader, 100), pause * 1e-6)
        except TimeoutError as error:
            got = getattr(error.__cause__, "result", b"")
        assert len(got) + bytes_in(reader) == 4
        if not got:
            os.read(reader, 4)
    os.close(reader)
    os.close(writer)


@both_ways
@pytest.mark.parametrize("kind", ["pipe", "socket"])
async def test_a_write_that_took_a_part(kind: str, fast_path: bool) -> None:
    del fast_path  # an option of the loop
    ends = os.pipe() if kind == "pipe" else [end.detach() for end in socket.socketpair()]
    reader, writer = ends
    data = os.urandom(2**20)
    task = asyncio.create_task(twins.write(writer, data))
    await until(lambda: bytes_in(reader) and stats().waiting == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as raised:
        await task
    taken: int = raised.value.result  # type: ignore[attr-defined]
    os.close(writer)
    got = b""
    while part := os.read(reader, 2**16):
        got += part
    assert got == data[:taken]
    assert got
    os.close(reader)


@pytest.mark.loop(slots=1, max_workers=1, fast_path=True)
async def test_a_read_that_was_partly_answered_inline(tmp_path: Path) -> None:
    # More than is copied at once: the rest is for the table, where it is withdrawn or ends.
    path = tmp_path / "file"
    path.write_bytes(os.urandom(2**20))
    reader, writer = os.pipe()
    stuck = asyncio.create_task(syscall("read", reader, bytearray(1), 1))
    await asyncio.sleep(0)
    fd = os.open(path, os.O_RDONLY)
    task = asyncio.create_task(twins.read(fd, 2**20))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as raised:
        await task
    taken: bytes = raised.value.result  # type: ignore[attr-defined]
    assert taken == path.read_bytes()[: os.lseek(fd, 0, os.SEEK_CUR)]
    assert taken
    os.write(writer, b"x")
    await stuck
    for end in (fd, reader, writer):
        os.close(end)


# Files


def lines(first: int, last: int) -> bytes:
    return b"".join(b"line %d\n" % number for number in range(first, last))


CONTENT = lines(0, 60)


@pytest.fixture(params=["pipe", "terminal", "file"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], int]]:
    """Make a descriptor from which CONTENT is read."""
    with ExitStack() as stack:

        def make() -> int:
            if request.param == "file":
                (tmp_path / "file").write_bytes(CONTENT)
                return os.open(tmp_path / "file", os.O_RDONLY)
            if request.param == "terminal":
                # It can't be read without blocking, so each read has an exec thread.
                master, slave = pty.openpty()
                tty.setraw(slave)
                stack.callback(os.close, master)
                os.write(master, CONTENT)
                return slave
            reader, writer = os.pipe()
            os.write(writer, CONTENT)
            os.close(writer)
            return reader

        yield make


async def filled(file: Any, size: int) -> bytes:
    memory = bytearray(size)
    return bytes(memory[: await file.readinto(memory)])


READS: dict[str, Callable[[Any], Coroutine[Any, Any, Any]]] = {
    "read": lambda file: file.read(100),
    "readinto": lambda file: filled(file, 100),
    "readline": lambda file: file.readline(),
    "readlines": lambda file: file.readlines(30),
    "read to the end": lambda file: file.read(),
    "readlines to the end": lambda file: file.readlines(),
    "seek": lambda file: file.seek(0, 2),
}


@both_ways
@pytest.mark.parametrize("way", [*READS])
@pytest.mark.parametrize("layer", ["raw", "buffered", "text"])
async def test_reads_lose_nothing(
    layer: str,
    way: str,
    fast_path: bool,
    source: Callable[[], int],
    request: pytest.FixtureRequest,
) -> None:
    del fast_path  # an option of the loop
    kind = request.node.callspec.params["source"]
    if (
        (way == "readinto" and layer == "text")
        or (way == "seek" and kind != "file")
        or ("end" in way and kind == "terminal")
    ):
        return  # there is no such thing
    mode, buffering = {"raw": ("rb", 0), "buffered": ("rb", 50), "text": ("r", -1)}[layer]
    turn, ended = 0, False
    while not ended:
        turn += 1
        fd = source()
        file: Any = await asyncsys_loop.open(fd, mode, buffering, closefd=True)
        begin = await file.readline()  # the buffer isn't empty
        error, result = await cancelled_at(turn, READS[way](file))
        ended = error is None
        if way == "seek":
            end = await file.tell() == len(CONTENT)
            assert end == (ended or hasattr(error, "result"))
            begin = CONTENT if end else begin
        else:
            assert not hasattr(error, "result")
            if kind == "file":
                assert ended or await file.tell() == len(begin)
        if isinstance(begin, str):
            begin = begin.encode()
        if result and way != "seek":
            got = result if isinstance(result, (bytes, str)) else type(result[0])().join(result)
            begin += got if isinstance(got, bytes) else got.encode()
        while len(begin) < len(CONTENT):
            more = await file.read(min(40, len(CONTENT) - len(begin)))
            assert more
            begin += more.encode() if isinstance(more, str) else more
        assert begin == CONTENT
        await file.close()
        assert turn < 1000


async def test_who_waits_for_what_was_given_back() -> None:
    # Two tasks read one raw file; the first is cancelled with the only bytes that there are.
    reader, writer = os.pipe()
    file = await asyncsys_loop.open(reader, "rb", 0)
    first = asyncio.create_task(cancelled_at(2, file.read(100)))
    await until(lambda: stats().waiting == 1)
    second = asyncio.create_task(file.read(100))
    await asyncio.sleep(0)
    os.write(writer, b"data")
    error, got = await first
    if error is None:  # nothing was awaited when it had come
        assert got == b"data"
        os.write(writer, b"data")
    assert await second == b"data"
    await file.close()
    os.close(writer)


@both_ways
@pytest.mark.parametrize("way", ["flush", "write", "line buffering"])
async def test_writes_double_nothing(way: str, fast_path: bool) -> None:
    del fast_path  # an option of the loop
    taking = 2**16
    turn, ended = 0, False
    while not ended:
        turn += 1
        reader, writer = os.pipe()
        content = [b"%d\n" % number * 20_000 for number in range(4)]
        got = bytearray()

        def drain(reader: int = reader, got: bytearray = got) -> None:
            got += os.read(reader, taking)

        loop = asyncio.get_running_loop()
        loop.add_reader(reader, drain)
        file: Any = await asyncsys_loop.open(
            writer, "w" if way == "line buffering" else "wb", 1 if way == "line buffering" else 50
        )
        if way == "line buffering":
            work = file.write(content[0].decode())
        elif way == "flush":
            file._buffer_size = 10**6
            await file.write(content[0])
            work = file.flush()
        else:
            work = file.write(content[0])
        error, _ = await cancelled_at(turn, work)
        ended = error is None
        taken = ended or way == "flush" or hasattr(error, "result")
        if way != "flush" and error is not None and hasattr(error, "result"):
            assert error.result == len(content[0])
        await file.write(content[1].decode() if way == "line buffering" else content[1])
        await file.close()
        await until(lambda: bytes_in(reader) == 0)  # noqa: B023
        loop.remove_reader(reader)
        assert got == (content[0] if taken else b"") + content[1]
        os.close(reader)
        assert turn < 1000


@both_ways
@pytest.mark.parametrize("mode", ["w", "wb"])
async def test_writelines_tells_how_many_were_taken(mode: str, fast_path: bool) -> None:
    del fast_path  # an option of the loop
    reader, writer = os.pipe()
    file: Any = await asyncsys_loop.open(writer, mode, 50)
    items = [f"{number}\n" * 10_000 for number in range(10)]
    writing = asyncio.create_task(
        file.writelines(items if mode == "w" else [item.encode() for item in items])
    )
    await until(lambda: bytes_in(reader) > 50_000 and stats().waiting == 1)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError) as raised:
        await writing
    count: int = raised.value.result  # type: ignore[attr-defined]
    assert 0 < count < len(items)
    closing = asyncio.create_task(file.close())
    got = b""
    while part := await twins.read(reader, 2**16):
        got += part
    await closing
    assert got.decode() == "".join(items[:count])
    os.close(reader)


async def test_an_encoder_forgets_what_was_not_written() -> None:
    # Its escape sequence went with the text that was given up.
    reader, writer = os.pipe()
    fill(writer)
    file = await asyncsys_loop.open(writer, "w", 16, encoding="iso2022_jp")
    await file.write("pending ")
    writing = asyncio.create_task(file.write("\u65e5\u672c\u8a9e"))
    await until(lambda: stats().waiting == 1)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError) as raised:
        await writing
    assert not hasattr(raised.value, "result")
    while bytes_in(reader):
        os.read(reader, 2**16)
    await file.write("\u65e5\n")
    await file.close()
    expected = "pending \u65e5\n"
    assert os.read(reader, 100).decode("iso2022_jp") == expected
    os.close(reader)


@both_ways
async def test_the_position_may_be_moved_by_another(tmp_path: Path, fast_path: bool) -> None:
    del fast_path  # an option of the loop
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    async with asyncsys_loop.open(path, "rb", 0) as file:
        await file.read(5)
        os.lseek(file.fileno(), 20, os.SEEK_SET)
        error, _ = await cancelled_at(1, file.read(4))
        if error is not None:
            assert await file.tell() == 20
