"""Answers without the table: what can't block is answered at once, and nothing else is."""

import asyncio
import errno
import fcntl
import gc
import mmap
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import asyncsys_loop
from asyncsys_loop import os as twins
from asyncsys_loop import stats, syscall
from benchmarks._data import resident_pages

from .support import PAGE, bytes_in, claimed, descriptors, until

pytestmark = pytest.mark.loop(fast_path=True)

CONTENT = bytes(range(256)) * 256


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A folder on a file system whose files can be answered for at once."""
    probe = tmp_path / "probe"
    probe.write_bytes(b"x")

    async def is_inline() -> bool:
        await twins.stat(probe)
        return stats().inline > 0

    if not asyncsys_loop.run(is_inline(), fast_path=True):
        pytest.skip(f"NOT TESTED: the fast path: {tmp_path} is on no local file system that has it")
    return tmp_path


@pytest.fixture
def path(directory: Path) -> Path:
    path = directory / "file"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def fd(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY)
    yield fd
    os.close(fd)


@pytest.fixture
def cached_reads(fd: int) -> None:
    """What is in the page cache is read at once."""
    try:
        os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT)
    except BlockingIOError:
        return
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        pytest.skip("NOT TESTED: cached reads: this file system has no RWF_NOWAIT (tmpfs)")


need_cached_reads = pytest.mark.usefixtures("cached_reads")


async def inline(awaitable: Awaitable[Any]) -> bool:
    """Await something, and tell whether it was answered without the table."""
    before = stats()
    await awaitable
    after = stats()
    assert (after.submitted > before.submitted) != (after.inline > before.inline)
    return after.inline > before.inline


async def drop_from_cache(fd: int) -> None:
    """Make the next read of a file wait for the disk."""
    for _ in range(100):
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        if resident_pages(fd, os.fstat(fd).st_size) == 0:
            return
        await asyncio.sleep(0.01)  # somebody holds them yet: a disk is slow
    os.close(fd)
    pytest.skip("NOT TESTED: uncached reads: this file system keeps all in memory (tmpfs)")


# What is answered at once


@need_cached_reads
async def test_reads_of_cached_files(fd: int) -> None:
    assert await inline(twins.pread(fd, 100, 5))
    assert await inline(twins.read(fd, 100))
    assert await inline(twins.preadinto(fd, bytearray(100), 5))
    assert await inline(twins.readinto(fd, bytearray(100)))
    assert os.lseek(fd, 0, os.SEEK_CUR) == 200


@pytest.mark.parametrize("length", [0, 1, 65535, 65536, 65537, 2**20])
@pytest.mark.parametrize("offset", [0, 1, 65535, 65536, 2**40])
async def test_reads_return_what_os_returns(fd: int, length: int, offset: int) -> None:
    assert await twins.pread(fd, length, offset) == os.pread(fd, length, offset)
    buffer = bytearray(length)
    assert await twins.preadinto(fd, buffer, offset) == len(CONTENT[offset : offset + length])
    assert buffer.startswith(CONTENT[offset : offset + length])
    os.lseek(fd, offset, os.SEEK_SET)
    assert await twins.read(fd, length) == os.pread(fd, length, offset)
    assert os.lseek(fd, 0, os.SEEK_CUR) == offset + len(CONTENT[offset : offset + length])


async def test_status(path: Path, fd: int) -> None:
    (path.parent / "link").symlink_to(path)
    time.sleep(0.02)
    os.stat(path.parent / "link")  # sets its time of access, which isn't done at once
    cases: list[tuple[Callable[[], Awaitable[Any]], os.stat_result]] = [
        (lambda: twins.stat(path), os.stat(path)),
        (lambda: twins.stat(bytes(path)), os.stat(path)),
        (lambda: twins.stat(path.parent / "link"), os.stat(path.parent / "link")),
        (lambda: twins.lstat(path.parent / "link"), os.lstat(path.parent / "link")),
        (lambda: twins.stat(fd), os.stat(path)),
        (lambda: twins.fstat(fd), os.stat(path)),
    ]
    for call, expected in cases:
        assert await inline(call())
        assert await call() == expected


async def test_errors_of_paths_are_answers(path: Path) -> None:
    missing = path.parent / "missing"
    for function in (os.stat, os.lstat, lambda name: os.open(name, os.O_RDONLY)):
        with pytest.raises(FileNotFoundError):
            function(missing)  # now the kernel knows that it isn't there
    with pytest.raises(OSError) as caught:  # noqa: PT011
        await twins.openat2(missing, os.O_PATH, resolve=twins.RESOLVE_CACHED)
    known = caught.value.errno == errno.ENOENT
    before = stats()
    for call in (twins.stat(missing), twins.lstat(missing), twins.open(missing, os.O_RDONLY)):
        with pytest.raises(FileNotFoundError) as caught:
            await call
        assert caught.value.filename is missing or caught.value.filename == str(missing)
    with pytest.raises(NotADirectoryError):
        await twins.open(path, os.O_RDONLY | os.O_DIRECTORY)
    assert stats().inline == before.inline + (4 if known else 1)
    if not known:
        pytest.skip("NOT TESTED: answers of what isn't there: the kernel doesn't keep that (tmpfs)")


@pytest.mark.parametrize(
    "flags",
    [
        os.O_RDONLY,
        os.O_WRONLY,
        os.O_RDWR,
        os.O_RDWR | os.O_APPEND,
        os.O_RDONLY | os.O_NONBLOCK,
        os.O_RDWR | os.O_SYNC,
        os.O_RDONLY | os.O_NOATIME,
        os.O_RDONLY | os.O_NOFOLLOW,
        os.O_PATH,
    ],
)
async def test_opened_descriptors_are_those_of_os(path: Path, flags: int) -> None:
    expected = os.open(path, flags)
    opened: list[int] = []
    assert await inline(until_opened(path, flags, opened))
    fd = opened[0]
    assert fcntl.fcntl(fd, fcntl.F_GETFL) == fcntl.fcntl(expected, fcntl.F_GETFL)
    assert not os.get_inheritable(fd)
    assert os.fstat(fd) == os.fstat(expected)
    os.close(expected)
    os.close(fd)


async def until_opened(path: Path, flags: int, opened: list[int]) -> None:
    opened.append(await twins.open(path, flags))


async def test_directories_are_opened_and_closed(directory: Path) -> None:
    opened: list[int] = []
    assert await inline(until_opened(directory, os.O_RDONLY | os.O_DIRECTORY, opened))
    assert await inline(twins.close(opened[0]))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened[0])


async def test_close_of_what_was_read(path: Path) -> None:
    assert await inline(twins.close(os.open(path, os.O_RDONLY)))
    assert await inline(twins.close(os.open(path, os.O_PATH)))
    assert not await inline(twins.close(os.open(path, os.O_RDWR)))  # there may be data to write
    fd = os.open(path, os.O_RDONLY)
    path.unlink()
    assert not await inline(twins.close(fd))  # frees the file
    with pytest.raises(OSError, match="Bad file descriptor"):
        await twins.close(fd)


# What isn't


def is_cached(fd: int) -> bool:
    try:
        os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    return True


# A disk may be so quick, and a processor so slow, that what isn't cached is there before the kernel
# has said so. Then it's asked again, as often as this.
TIMES = 20


async def skip_where_nothing_waits(fd: int, writable: int) -> None:
    for _ in range(TIMES):
        await drop_from_cache(writable)
        if not is_cached(fd):
            return
    os.close(writable)
    pytest.skip("NOT TESTED: uncached reads: this disk answers at once")


@need_cached_reads
async def test_reads_of_what_is_not_cached(path: Path, fd: int) -> None:
    writable = os.open(path, os.O_RDWR)
    await skip_where_nothing_waits(fd, writable)
    answered: list[bool] = []
    while len(answered) < TIMES and False not in answered:
        await drop_from_cache(writable)
        answered.append(await inline(twins.pread(fd, 100, 0)))
    os.close(writable)
    assert False in answered
    assert await twins.pread(fd, 2**20, 0) == CONTENT


@need_cached_reads
@pytest.mark.parametrize("at_offset", [True, False])
async def test_reads_of_what_is_partly_cached(path: Path, fd: int, at_offset: bool) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(64 * PAGE))
    expected = path.read_bytes()[: 64 * PAGE]
    writable = os.open(path, os.O_RDWR)
    for descriptor in (fd, writable):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)  # no read-ahead
    await skip_where_nothing_waits(fd, writable)
    submitted: list[int] = []
    while len(submitted) < TIMES and 1 not in submitted:
        await drop_from_cache(writable)
        os.pread(writable, 3 * PAGE, 0)
        before = stats()
        if at_offset:
            assert await twins.pread(fd, 64 * PAGE, 0) == expected
        else:
            buffer = bytearray(64 * PAGE)
            os.lseek(fd, 0, os.SEEK_SET)
            assert await twins.readinto(fd, buffer) == 64 * PAGE
            assert buffer == expected
            assert os.lseek(fd, 0, os.SEEK_CUR) == 64 * PAGE
        submitted.append(stats().submitted - before.submitted)
    os.close(writable)
    assert 1 in submitted  # the rest, in one call
    assert max(submitted) == 1


async def test_direct_reads_wait_for_the_disk(path: Path) -> None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    except OSError:
        pytest.skip("NOT TESTED: direct reads: this file system has none")
    with mmap.mmap(-1, PAGE) as aligned:
        assert not await inline(twins.preadinto(fd, aligned, 0))
        assert aligned[:] == CONTENT[:PAGE]
    os.close(fd)


async def test_flags_of_statx_are_the_kernels_to_judge(path: Path) -> None:
    for flags in (0x40000000, 0x6000):
        with pytest.raises(OSError, match="Invalid argument"):
            await twins.statx(path, 0x7FF, flags=flags)


async def test_openat2(path: Path) -> None:
    beneath = twins.RESOLVE_BENEATH
    root = os.open(path.parent, os.O_PATH)
    opened: list[int] = []

    async def open_beneath(name: str) -> None:
        opened.append(await twins.openat2(name, os.O_RDONLY, resolve=beneath, dir_fd=root))

    assert await inline(open_beneath("file"))
    assert os.read(opened[0], 4) == CONTENT[:4]
    (path.parent / "up").symlink_to("../" + path.parent.name + "/file")
    for name in ("../" + path.parent.name + "/file", str(path), "up"):
        with pytest.raises(OSError, match="cross-device"):
            await open_beneath(name)
    os.close(opened[0])
    os.close(root)


async def test_long_reads_leave_the_loop_free(directory: Path) -> None:
    path = directory / "large"
    path.write_bytes(CONTENT * 100)
    fd = os.open(path, os.O_RDONLY)
    assert await twins.pread(fd, 2**26, 3) == (CONTENT * 100)[3:]
    assert stats().submitted == 1
    os.close(fd)


async def test_opening_a_fifo_waits_for_its_other_end(directory: Path) -> None:
    fifo = directory / "fifo"
    os.mkfifo(fifo)
    reading = asyncio.create_task(twins.open(fifo, os.O_RDONLY))
    await claimed()
    await until(lambda: stats().in_flight == 1)  # between a look at the FIFO and its opening: none
    assert stats().inline == 0
    writing = asyncio.create_task(twins.open(fifo, os.O_WRONLY))
    for fd in await asyncio.gather(reading, writing):
        os.close(fd)


async def test_opening_a_fifo_for_nobody_lets_nobody_go(directory: Path) -> None:
    """An open that was tried and given up would let the other end go on, to an early end."""
    fifo = directory / "fifo"
    os.mkfifo(fifo)
    writing = asyncio.create_task(syscall("openat", -100, fifo, os.O_WRONLY, 0))
    await claimed()
    with pytest.raises(NotADirectoryError):
        await twins.open(fifo, os.O_RDONLY | os.O_DIRECTORY)
    await twins.stat(fifo)
    await asyncio.sleep(0.01)
    assert not writing.done()
    reader = await twins.open(fifo, os.O_RDONLY)
    os.close(await writing)
    os.close(reader)


async def test_calls_that_create_or_cut_files(path: Path) -> None:
    for flags in (os.O_CREAT | os.O_RDWR, os.O_TRUNC | os.O_WRONLY, os.O_TMPFILE | os.O_RDWR):
        opened: list[int] = []
        where = path.parent if flags & os.O_TMPFILE == os.O_TMPFILE else path
        assert not await inline(until_opened(where, flags, opened))
        os.close(opened[0])


async def test_file_systems_that_ask_somebody() -> None:
    opened: list[int] = []
    assert not await inline(until_opened(Path("/proc/self/status"), os.O_RDONLY, opened))
    assert not await inline(twins.stat("/proc/self/status"))
    assert not await inline(twins.close(opened[0]))


async def test_negative_offset_is_not_the_own_position(fd: int) -> None:
    for call in (twins.pread(fd, 1, -1), twins.preadinto(fd, bytearray(1), -1)):
        with pytest.raises(OSError, match="Invalid argument"):
            await call
    assert os.lseek(fd, 0, os.SEEK_CUR) == 0


async def test_syscall_always_goes_through_the_table(fd: int) -> None:
    assert not await inline(syscall("pread64", fd, bytearray(10), 10, 0))
    assert not await inline(syscall("getpid"))


# Nobody hogs the loop


@need_cached_reads
async def test_many_answers_give_way(fd: int) -> None:
    ticks = 0

    async def count_ticks() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_ticks())
    await asyncio.sleep(0)
    for _ in range(1000):
        await twins.pread(fd, 1, 0)
    assert stats().submitted == 0
    assert 10 <= ticks <= 50  # and not once for each
    ticks = 0
    for _ in range(100):
        await twins.pread(fd, 2**16, 0)
    assert ticks >= 5  # long ones sooner
    counting.cancel()


async def test_cancelled_while_it_gives_way(path: Path) -> None:
    before = descriptors()
    cancelled = 0
    for _ in range(200):
        task = asyncio.create_task(twins.open(path, os.O_RDONLY))
        await asyncio.sleep(0)
        if task.done():
            os.close(task.result())
        else:
            task.cancel()
            cancelled += 1
            with pytest.raises(asyncio.CancelledError):
                await task
    assert cancelled >= 2
    assert stats().submitted == 0
    assert descriptors() == before


async def test_a_read_that_is_cancelled_as_it_gives_way_has_taken_nothing() -> None:
    reader, writer = os.pipe()
    data = os.urandom(300)
    os.write(writer, b"x" + data)
    try:
        os.preadv(reader, [bytearray(1)], -1, os.RWF_NOWAIT)
    except OSError:
        os.close(reader)
        os.close(writer)
        pytest.skip("NOT TESTED: reads that give way: no RWF_NOWAIT of pipes before Linux 6.4")
    received = b""
    cancelled = 0
    while len(received) < 200:
        task = asyncio.create_task(twins.read(reader, 1))
        await asyncio.sleep(0)
        if task.done():
            received += task.result()
        else:
            task.cancel()
            cancelled += 1
            with pytest.raises(asyncio.CancelledError):
                await task
            received += await twins.read(reader, 1)
    assert cancelled >= 2
    assert stats().submitted == 0
    assert received + os.read(reader, 1000) == data
    for _ in range(200):
        writing = asyncio.create_task(twins.write(writer, b"x"))
        await asyncio.sleep(0)
        writing.cancel()
        try:
            written = await writing
        except asyncio.CancelledError as error:
            # The kernel may have been short of memory at that moment: then an exec thread wrote it.
            written = getattr(error, "result", 0)
        assert bytes_in(reader) == written
        os.read(reader, written)
    os.close(reader)
    os.close(writer)


@need_cached_reads
async def test_all_that_is_copied_counts(directory: Path) -> None:
    ticks = 0

    async def count_ticks() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    (directory / "long").write_bytes(bytes(60_000))
    path = asyncsys_loop.Path(directory / "long")
    counting = asyncio.create_task(count_ticks())
    await asyncio.sleep(0)
    for _ in range(100):
        await path.read_bytes()
    assert stats().submitted == 0
    assert ticks >= 5  # as for reads of as many bytes
    counting.cancel()


# How it is chosen


@pytest.mark.loop(fast_path=False)
async def test_it_can_be_turned_off(path: Path, fd: int) -> None:
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: twins.pread(fd, 1, 0),
        lambda: twins.read(fd, 1),
        lambda: twins.stat(path),
        lambda: twins.close(os.open(path, os.O_RDONLY)),
    ]
    for call in calls:
        assert not await inline(call())
    assert stats().inline == 0


@pytest.mark.parametrize(("value", "expected"), [("0", False), ("1", True), ("", True)])
def test_the_environment_sets_the_default(
    monkeypatch: pytest.MonkeyPatch, fd: int, value: str, expected: bool
) -> None:
    monkeypatch.setenv("ASYNCSYS_FAST_PATH", value)

    async def main() -> bool:
        return await inline(twins.fstat(fd))

    assert asyncsys_loop.run(main()) is expected
    assert asyncsys_loop.run(main(), fast_path=not expected) is not expected


def test_nonsense_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match="fast_path must be a bool, not str"):
        asyncsys_loop.new_event_loop(fast_path="no")  # type: ignore[arg-type]
    monkeypatch.setenv("ASYNCSYS_FAST_PATH", "no")
    with pytest.raises(ValueError, match="ASYNCSYS_FAST_PATH must be 0 or 1, not 'no'"):
        asyncsys_loop.new_event_loop()


@pytest.mark.loop(foreign=True)
async def test_loops_that_are_not_ours(fd: int) -> None:
    asyncsys_loop.attach(fast_path=True)
    assert await inline(twins.fstat(fd))


async def test_no_loop_no_answer(fd: int) -> None:
    def in_a_thread() -> None:
        with pytest.raises(RuntimeError, match="no running event loop"):
            twins.pread(fd, 1, 0).send(None)

    await asyncio.to_thread(in_a_thread)


# Memory


async def test_nothing_is_kept(path: Path, fd: int) -> None:
    buffer, name = bytearray(64), str(path) + ""
    missing = str(path.parent / "missing")

    async def everything() -> None:
        await twins.pread(fd, 64, 0)
        await twins.preadinto(fd, buffer, 0)
        os.close(await twins.open(name, os.O_RDONLY))
        await twins.stat(name)
        for bad in (twins.stat(missing), twins.pread(-1, 64, 0), twins.preadinto(-1, buffer, 0)):
            with pytest.raises(OSError):  # noqa: PT011
                await bad
        twins.pread(fd, 64, 0).close()

    for _ in range(10):
        await everything()
    counts = [sys.getrefcount(thing) for thing in (buffer, name, missing)]
    gc.collect()
    blocks = sys.getallocatedblocks()
    for _ in range(1000):
        await everything()
    assert [sys.getrefcount(thing) for thing in (buffer, name, missing)] == counts
    gc.collect()
    assert sys.getallocatedblocks() - blocks < 500
    buffer.clear()


async def test_buffers_of_every_kind(fd: int) -> None:
    with mmap.mmap(-1, PAGE) as mapped:
        assert await twins.preadinto(fd, mapped, 0) == PAGE
        assert mapped[:] == CONTENT[:PAGE]
    view = memoryview(bytearray(16))[4:8]
    assert await twins.preadinto(fd, view, 1) == 4
    assert bytes(view.obj) == bytes(4) + CONTENT[1:5] + bytes(8)
    await until(lambda: stats().in_flight == 0)
