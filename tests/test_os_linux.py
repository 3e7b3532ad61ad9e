"""What Linux has and `os` lacks."""

import asyncio
import contextlib
import errno
import fcntl
import mmap
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import asyncsys_loop
from asyncsys_loop import _file_raw, stats
from asyncsys_loop.os import _descriptors, _transfer

from .support import PAGE, both_ways, claimed, descriptors

twins = asyncsys_loop.os


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 64)
    fd = os.open(path, os.O_RDWR)
    yield fd
    os.close(fd)


def refused(number: int) -> Any:
    return pytest.raises(OSError, check=lambda error: error.errno == number)


# statx


@pytest.mark.parametrize("how", ["path", "bytes", "descriptor", "dir_fd"])
async def test_statx_tells_what_stat_tells(how: str, tmp_path: Path, fd: int) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    arguments: dict[str, tuple[Any, dict[str, Any]]] = {
        "path": (tmp_path / "file", {}),
        "bytes": (os.fsencode(tmp_path / "file"), {}),
        "descriptor": (fd, {}),
        "dir_fd": ("file", {"dir_fd": directory}),
    }
    path, keywords = arguments[how]
    got = await twins.statx(path, twins.STATX_BASIC_STATS | twins.STATX_BTIME, **keywords)
    expected = os.stat(path, **keywords)
    for name in ("mode", "ino", "nlink", "uid", "gid", "size", "blocks", "blksize", "dev", "rdev"):
        assert getattr(got, f"stx_{name}") == getattr(expected, f"st_{name}"), name
    for name in ("atime", "mtime", "ctime", "atime_ns", "mtime_ns", "ctime_ns"):
        assert getattr(got, f"stx_{name}") == getattr(expected, f"st_{name}"), name
    if got.stx_mask & twins.STATX_BTIME:
        assert got.stx_btime_ns is not None
        assert got.stx_btime_ns <= expected.st_ctime_ns
        assert got.stx_btime == pytest.approx(got.stx_btime_ns / 1e9)
    os.close(directory)


async def test_statx_tells_nothing_that_is_not_known(fd: int) -> None:
    got = await twins.statx("/proc/self/status", twins.STATX_BTIME)
    assert got.stx_btime is None
    assert got.stx_btime_ns is None


async def test_statx_of_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    got = await twins.statx(tmp_path / "link", twins.STATX_TYPE, follow_symlinks=False)
    assert got.stx_mode is not None
    assert stat.S_ISLNK(got.stx_mode)
    with pytest.raises(FileNotFoundError):
        await twins.statx(tmp_path / "link", twins.STATX_TYPE)
    with pytest.raises(ValueError, match="dir_fd"):
        await twins.statx(3, twins.STATX_TYPE, dir_fd=4)
    with refused(errno.EINVAL):
        await twins.statx(tmp_path, 0x80000000)


async def test_statx_knows_mounts() -> None:
    got = await twins.statx("/proc", twins.STATX_MNT_ID)
    assert got.stx_attributes_mask & twins.STATX_ATTR_MOUNT_ROOT
    assert got.stx_attributes & twins.STATX_ATTR_MOUNT_ROOT
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    assert str(got.stx_mnt_id) in [line.split()[0] for line in mounts if " /proc " in line]


# openat2


async def test_openat2_opens(tmp_path: Path) -> None:
    fd = await twins.openat2(tmp_path / "new", os.O_CREAT | os.O_RDWR, 0o640)
    assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o640 & ~umask()
    assert not os.get_inheritable(fd)
    os.close(fd)
    fd = await twins.openat2(tmp_path, os.O_RDONLY)  # and the default mode isn't an error
    inner = await twins.openat2("new", os.O_RDONLY, dir_fd=fd)
    os.close(fd)
    os.close(inner)
    with pytest.raises(FileNotFoundError) as caught:
        await twins.openat2(tmp_path / "missing", os.O_RDONLY)
    assert caught.value.filename == str(tmp_path / "missing")


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


async def test_openat2_resolves_as_told(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").touch()
    (tmp_path / "outside-of-root").touch()
    (tmp_path / "root" / "inside").touch()
    (tmp_path / "root" / "link").symlink_to("inside")
    (tmp_path / "root" / "absolute").symlink_to("/inside")
    root = os.open(tmp_path / "root", os.O_RDONLY)

    async def resolve(path: str, how: int) -> int | None:
        try:
            os.close(await twins.openat2(path, os.O_RDONLY, resolve=how, dir_fd=root))
        except OSError as error:
            return error.errno
        return None

    assert await resolve("../outside", 0) is None
    assert await resolve("../outside", twins.RESOLVE_BENEATH) == errno.EXDEV
    assert await resolve("../inside", twins.RESOLVE_IN_ROOT) is None
    assert await resolve("absolute", twins.RESOLVE_IN_ROOT) is None
    assert await resolve("absolute", twins.RESOLVE_BENEATH) == errno.EXDEV
    assert await resolve("link", twins.RESOLVE_BENEATH) is None
    assert await resolve("link", twins.RESOLVE_NO_SYMLINKS) == errno.ELOOP
    assert await resolve("/proc/self/exe", twins.RESOLVE_NO_MAGICLINKS) == errno.ELOOP
    assert await resolve("/proc/self", twins.RESOLVE_NO_XDEV) == errno.EXDEV
    assert await resolve("inside", twins.RESOLVE_CACHED) in {None, errno.EAGAIN}
    assert await resolve("inside", 2**40) == errno.EINVAL
    with pytest.raises(OverflowError, match="can't be negative"):
        await twins.openat2("x", 0, resolve=-1)
    os.close(root)


# fallocate, sync_file_range


async def test_fallocate(fd: int) -> None:
    size = os.fstat(fd).st_size
    await twins.fallocate(fd, twins.FALLOC_FL_KEEP_SIZE, 0, 2 * size)
    assert os.fstat(fd).st_size == size
    await twins.fallocate(fd, twins.FALLOC_FL_PUNCH_HOLE | twins.FALLOC_FL_KEEP_SIZE, 4096, 4096)
    assert os.pread(fd, 4096, 4096) == bytes(4096)
    assert os.pread(fd, 256, 8192) == bytes(range(256))
    await twins.fallocate(fd, 0, 0, 2 * size)
    assert os.fstat(fd).st_size == 2 * size
    with refused(errno.EOPNOTSUPP):
        await twins.fallocate(fd, twins.FALLOC_FL_PUNCH_HOLE, 0, 4096)
    with refused(errno.EBADF):
        await twins.fallocate(12345, 0, 0, 1)


async def test_fallocate_zeroes(fd: int) -> None:
    try:
        await twins.fallocate(fd, twins.FALLOC_FL_ZERO_RANGE, 0, 4096)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        pytest.skip("NOT TESTED: ZERO_RANGE: this file system has none (tmpfs)")
    assert os.pread(fd, 4096, 0) == bytes(4096)
    assert os.pread(fd, 256, 8192) == bytes(range(256))


async def test_fallocate_moves_what_follows(fd: int) -> None:
    size = os.fstat(fd).st_size
    before = os.pread(fd, size, 0)
    try:
        await twins.fallocate(fd, twins.FALLOC_FL_INSERT_RANGE, 4096, 4096)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        pytest.skip("INSERT_RANGE and COLLAPSE_RANGE not tested: this file system has neither")
    assert os.pread(fd, 2 * size, 0) == before[:4096] + bytes(4096) + before[4096:]
    await twins.fallocate(fd, twins.FALLOC_FL_COLLAPSE_RANGE, 4096, 4096)
    assert os.pread(fd, 2 * size, 0) == before


async def test_sync_file_range(fd: int) -> None:
    os.pwrite(fd, b"dirty", 0)
    every = (
        twins.SYNC_FILE_RANGE_WAIT_BEFORE
        | twins.SYNC_FILE_RANGE_WRITE
        | twins.SYNC_FILE_RANGE_WAIT_AFTER
    )
    await twins.sync_file_range(fd, 0, 0, every)
    with refused(errno.EINVAL):
        await twins.sync_file_range(fd, 0, 0, 64)
    reader, writer = os.pipe()
    with refused(errno.ESPIPE):
        await twins.sync_file_range(reader, 0, 0, every)
    os.close(reader)
    os.close(writer)


# renameat2


async def test_renameat2(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("one")
    two.write_text("two")
    await twins.renameat2(one, two, twins.RENAME_EXCHANGE)
    assert (one.read_text(), two.read_text()) == ("two", "one")
    with pytest.raises(FileExistsError) as caught:
        await twins.renameat2(one, two, twins.RENAME_NOREPLACE)
    assert (caught.value.filename, caught.value.filename2) == (str(one), str(two))
    await twins.renameat2(one, two)
    assert two.read_text() == "two"
    directory = os.open(tmp_path, os.O_RDONLY)
    await twins.renameat2("two", "one", src_dir_fd=directory, dst_dir_fd=directory)
    os.close(directory)
    assert os.listdir(tmp_path) == ["one"]


# Handles


async def test_handles_name_files(tmp_path: Path, fd: int) -> None:
    (tmp_path / "link").symlink_to("file")
    try:
        handle = await twins.name_to_handle_at(tmp_path / "file")
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        pytest.skip("handles not tested: this file system has none")
    assert handle == await twins.name_to_handle_at(fd)
    assert handle == await twins.name_to_handle_at(tmp_path / "link", follow_symlinks=True)
    assert handle != await twins.name_to_handle_at(tmp_path / "link")
    (tmp_path / "file").rename(tmp_path / "elsewhere")
    directory = os.open(tmp_path, os.O_RDONLY)
    assert handle == await twins.name_to_handle_at("elsewhere", dir_fd=directory)
    try:
        opened = await twins.open_by_handle_at(directory, handle, os.O_RDONLY)
    except PermissionError:
        pytest.skip("open_by_handle_at() not tested: it needs CAP_DAC_READ_SEARCH")
    finally:
        os.close(directory)
    assert os.path.sameopenfile(opened, fd)
    assert not os.get_inheritable(opened)
    os.close(opened)


# Timers, eventfds


async def test_timers() -> None:
    timer = await twins.timerfd_create(1)
    assert not os.get_inheritable(timer)
    assert await twins.timerfd_gettime(timer) == (0.0, 0.0)
    assert await twins.timerfd_settime(timer, initial=0.001, interval=200.5) == (0.0, 0.0)
    assert int.from_bytes(await twins.read(timer, 8), "little") == 1
    left, interval = await twins.timerfd_gettime(timer)
    assert 100 < left <= 200.5
    assert interval == 200.5
    left_ns, _ = await twins.timerfd_settime_ns(timer)
    assert left_ns <= left * 1e9
    assert await twins.timerfd_gettime_ns(timer) == (0, 0)
    os.close(timer)


async def test_eventfds() -> None:
    fd = await twins.eventfd(3)
    assert await twins.eventfd_read(fd) == 3
    waiting = asyncio.create_task(twins.eventfd_read(fd))
    await claimed()
    await twins.eventfd_write(fd, 2**40)
    assert await waiting == 2**40
    waiting = asyncio.create_task(twins.eventfd_read(fd))
    await claimed()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await twins.close(fd)
    reader, writer = os.pipe()
    os.write(writer, b"few")
    with refused(errno.EINVAL):
        await twins.eventfd_read(reader)
    os.close(reader)
    os.close(writer)


# Direct input and output


@pytest.mark.parametrize(
    "fast",
    [pytest.param(fast, marks=pytest.mark.loop(fast_path=fast)) for fast in (True, False)],
)
async def test_direct_reads_and_writes(fast: bool, tmp_path: Path) -> None:
    del fast  # an option of the loop
    path = tmp_path / "file"
    try:
        fd = await twins.open(path, os.O_RDWR | os.O_CREAT | os.O_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        pytest.skip(f"NOT TESTED: O_DIRECT: the file system of {tmp_path} has none")
    content = os.urandom(4 * PAGE)
    with mmap.mmap(-1, 2 * PAGE) as first, mmap.mmap(-1, 2 * PAGE) as second:
        first[:], second[:] = content[: 2 * PAGE], content[2 * PAGE :]
        assert await twins.pwritev(fd, [first, second], 0) == 4 * PAGE
        assert path.read_bytes() == content
        assert await twins.pwrite(fd, second, 0) == 2 * PAGE
        assert await twins.preadv(fd, [first], 0) == 2 * PAGE
        assert first[:] == content[2 * PAGE :]
        assert await twins.lseek(fd, PAGE, os.SEEK_SET) == PAGE
        assert await twins.readinto(fd, second) == 2 * PAGE
        assert second[:] == content[3 * PAGE :] + content[2 * PAGE : 3 * PAGE]
        assert await twins.preadinto(fd, first, 3 * PAGE) == PAGE  # the end
        assert first[:PAGE] == content[3 * PAGE :]
        # Memory that isn't aligned is refused by some file systems; none hands out other bytes.
        try:
            count = await twins.preadinto(fd, memoryview(first)[1 : PAGE + 1], 0)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        else:
            assert first[1 : count + 1] == content[2 * PAGE : 2 * PAGE + count]
    await twins.close(fd)


# Locks


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[int, int]]:
    fds = [os.open(tmp_path / "locked", os.O_RDWR | os.O_CREAT) for _ in range(2)]
    yield fds[0], fds[1]
    for fd in fds:
        os.close(fd)


async def test_flock_waits(two: tuple[int, int]) -> None:
    await twins.flock(two[0], fcntl.LOCK_EX)
    with pytest.raises(BlockingIOError):
        await twins.flock(two[1], fcntl.LOCK_EX | fcntl.LOCK_NB)
    waiting = asyncio.create_task(twins.flock(two[1], fcntl.LOCK_EX))
    await claimed()
    assert not waiting.done()
    await twins.flock(two[0], fcntl.LOCK_UN)
    await waiting
    with pytest.raises(BlockingIOError):
        fcntl.flock(two[0], fcntl.LOCK_EX | fcntl.LOCK_NB)


async def test_flock_is_a_context_manager(two: tuple[int, int]) -> None:
    with contextlib.suppress(KeyError):
        async with twins.flock(two[0], fcntl.LOCK_EX):
            with pytest.raises(BlockingIOError):
                fcntl.flock(two[1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            raise KeyError
    fcntl.flock(two[1], fcntl.LOCK_EX | fcntl.LOCK_NB)
    with pytest.raises(BlockingIOError):
        async with twins.flock(two[0], fcntl.LOCK_SH | fcntl.LOCK_NB):
            pytest.fail("it wasn't had")
    with pytest.raises(ValueError, match="negative"):
        await twins.flock(-1, fcntl.LOCK_SH)


async def test_cancelled_lock_is_not_had(two: tuple[int, int]) -> None:
    fcntl.flock(two[0], fcntl.LOCK_EX)

    async def use() -> None:
        async with twins.flock(two[1], fcntl.LOCK_EX):
            pytest.fail("it wasn't had")

    waiting = asyncio.create_task(use())
    await claimed()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert stats().in_flight == 0
    fcntl.flock(two[0], fcntl.LOCK_UN)
    fcntl.flock(two[0], fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("turns", range(16))
async def test_cancelled_at_any_moment(turns: int, two: tuple[int, int]) -> None:
    """Before it is locked, while it is, while it is unlocked: it isn't locked afterwards."""

    async def use() -> None:
        async with twins.flock(two[0], fcntl.LOCK_EX):
            await asyncio.sleep(0)

    using = asyncio.create_task(use())
    for _ in range(turns):
        await asyncio.sleep(0)
    using.cancel()
    await asyncio.wait([using])
    fcntl.flock(two[1], fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("turns", range(16))
async def test_cancelled_range_at_any_moment(turns: int, two: tuple[int, int]) -> None:
    async def use() -> None:
        async with twins.lockf(two[0], os.F_LOCK, 0):
            await asyncio.sleep(0)

    using = asyncio.create_task(use())
    for _ in range(turns):
        await asyncio.sleep(0)
    using.cancel()
    await asyncio.wait([using])
    locks = Path("/proc/locks").read_text()
    assert f":{os.fstat(two[0]).st_ino} " not in locks


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_range_is_unlocked_where_it_was_locked(
    cancelled: bool, two: tuple[int, int]
) -> None:
    """Who has the lock moves the position, as one does to use what is locked."""

    async def use() -> None:
        async with twins.lockf(two[0], os.F_LOCK, -10):
            os.lseek(two[0], 50, os.SEEK_SET)
            assert f":{os.fstat(two[0]).st_ino} 10 19" in Path("/proc/locks").read_text()
            if cancelled:
                using.cancel()
                await asyncio.sleep(0)

    os.lseek(two[0], 20, os.SEEK_SET)
    using = asyncio.create_task(use())
    await asyncio.wait([using])
    assert using.cancelled() == cancelled
    assert f":{os.fstat(two[0]).st_ino} " not in Path("/proc/locks").read_text()


async def test_locking_is_a_coroutine(two: tuple[int, int]) -> None:
    locking = twins.flock(two[0], fcntl.LOCK_EX)
    assert asyncio.iscoroutine(locking)
    locking.close()  # and never run
    await asyncio.wait_for(twins.flock(two[1], fcntl.LOCK_EX), 10)


LOCK_ELSEWHERE = """
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
os.lockf(fd, os.F_LOCK, 0)
print("locked", flush=True)
sys.stdin.read()
"""


async def test_lockf_waits_for_another_process(two: tuple[int, int], tmp_path: Path) -> None:
    import sys

    other = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LOCK_ELSEWHERE, str(tmp_path / "locked")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert other.stdout is not None
    assert await other.stdout.readline() == b"locked\n"
    for command in (os.F_TLOCK, os.F_TEST):
        with pytest.raises((BlockingIOError, PermissionError)):
            await twins.lockf(two[0], command, 0)
    cancelled = asyncio.create_task(twins.lockf(two[0], os.F_LOCK, 0))
    await claimed()
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    waiting = asyncio.create_task(twins.lockf(two[0], os.F_LOCK, 0))
    await claimed()
    assert not waiting.done()
    await other.communicate(b"")
    await waiting
    await twins.lockf(two[0], os.F_TEST, 0)  # of this process itself
    await twins.lockf(two[0], os.F_ULOCK, 0)
    async with twins.lockf(two[0], os.F_LOCK, 10):
        pass


# Before Linux 6.6 there is no fchmodat2(2)


async def test_chmod_of_a_link_on_older_kernels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asyncsys_loop.os import _attributes

    async def no_such_call(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(_attributes, "_fchmodat2", no_such_call)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    await twins.chmod(tmp_path / "file", 0o604, follow_symlinks=False)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o604
    with pytest.raises(NotImplementedError, match="follow_symlinks unavailable"):
        await twins.chmod(tmp_path / "link", 0o600, follow_symlinks=False)
    directory = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(ValueError, match="dir_fd and follow_symlinks"):
        await twins.chmod("link", 0o600, dir_fd=directory, follow_symlinks=False)
    os.close(directory)
    with pytest.raises(FileNotFoundError) as caught:
        await twins.chmod(tmp_path / "missing", 0o600, follow_symlinks=False)
    assert caught.value.filename == str(tmp_path / "missing")


# read_file


def known(status: os.stat_result) -> tuple[int, ...]:
    """What reading a file and writing it to the disk leave alone: not st_atime or st_blocks."""
    names = ("mode", "ino", "dev", "nlink", "uid", "gid", "size", "mtime", "mtime_ns", "ctime_ns")
    return tuple(getattr(status, f"st_{name}") for name in names)


@both_ways
@pytest.mark.parametrize("size", [0, 1, 4096, 99_999, 100_000])
async def test_read_file_is_one_call(tmp_path: Path, fast_path: bool, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(size))
    before, open_before = stats(), descriptors()
    status, content = await twins.read_file(path, 100_000)
    after = stats()
    assert content == path.read_bytes()
    assert known(status) == known(os.stat(path))
    assert descriptors() == open_before
    calls = (after.inline - before.inline, after.submitted - before.submitted)
    assert calls in ({(1, 0), (0, 1)} if fast_path else {(0, 1)})


@both_ways
@pytest.mark.parametrize("size", [262_143, 262_144, 262_145, 999_999, 1_000_000, 1_000_001])
async def test_read_file_of_longer_ones(tmp_path: Path, fast_path: bool, size: int) -> None:
    del fast_path
    path = tmp_path / "file"
    path.write_bytes(os.urandom(size))
    before = descriptors()
    status, content = await twins.read_file(path, 1_000_000)
    if size > 1_000_000:
        assert isinstance(content, int)
        assert os.lseek(content, 0, os.SEEK_CUR) == 0
        os.close(content)
    else:
        assert content == path.read_bytes()
    assert known(status) == known(os.stat(path))
    assert descriptors() == before


@both_ways
async def test_read_file_that_grows_or_fails_meanwhile(
    tmp_path: Path, fast_path: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    del fast_path
    path = tmp_path / "file"
    path.write_bytes(bytes(500_000))
    pread, more = _descriptors._pread, b"more"

    async def grown(fd: int, size: int, offset: int) -> bytes:
        data = await pread(fd, size, offset)
        if not offset:
            with path.open("ab") as file:
                file.write(more)
        return data

    monkeypatch.setattr(_descriptors, "_pread", grown)
    before = descriptors()
    _, content = await twins.read_file(path, 500_100)
    assert content == bytes(500_000) + more
    more = bytes(100)
    _, content = await twins.read_file(path, 500_100)
    assert isinstance(content, int)  # it is too long by now
    os.close(content)

    async def failed(fd: int, size: int, offset: int) -> bytes:
        raise OSError(errno.EIO, "what the disk says")

    monkeypatch.setattr(_descriptors, "_pread", failed)
    with refused(errno.EIO) as caught:
        await twins.read_file(path, 10**6)
    assert caught.value.filename == str(path)

    async def endless(fd: int, size: int, offset: int) -> bytes:
        await asyncio.sleep(10**6)
        return b""

    monkeypatch.setattr(_descriptors, "_pread", endless)
    task = asyncio.create_task(twins.read_file(path, 10**6))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert descriptors() == before


@both_ways
async def test_what_is_long_is_not_copied_in_the_loop(
    tmp_path: Path, fast_path: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that are read short are copied: so long files are read to the byte."""
    del fast_path
    path = tmp_path / "file"
    path.write_bytes(bytes(1_000_000))
    status, content = await twins.read_file(path, 10**9)
    assert content == bytes(status.st_size)
    asked: list[int] = []
    for module, name in (
        (_descriptors, "_pread"),
        (_file_raw, "read_once"),
        (_transfer, "_read"),
    ):
        original = getattr(module, name)

        async def read(fd: int, size: int, *offset: int, original: Any = original) -> Any:
            data = await original(fd, size, *offset)
            if len(data) not in {0, size}:
                asked.append(size)
            return data

        monkeypatch.setattr(module, name, read)
    await twins.read_file(path, 10**9)
    async with asyncsys_loop.open(path, "rb") as file:
        assert len(await file.read()) == 1_000_000
    async with asyncsys_loop.open(path, "rb", buffering=0) as raw:
        assert len(await raw.read()) == 1_000_000
    assert len(await asyncsys_loop.Path(path).read_bytes()) == 1_000_000
    assert not asked


@both_ways
async def test_read_file_leaves_open_what_it_does_not_read(tmp_path: Path, fast_path: bool) -> None:
    del fast_path
    path = tmp_path / "file"
    path.write_bytes(bytes(101))
    status, opened = await twins.read_file(os.fsencode(path), 100)
    assert isinstance(opened, int)
    assert status.st_size == 101
    assert os.get_blocking(opened)
    assert not os.get_inheritable(opened)
    assert os.read(opened, 200) == bytes(101)
    os.close(opened)

    status, opened = await twins.read_file(tmp_path, 100)
    assert isinstance(opened, int)
    assert stat.S_ISDIR(status.st_mode)
    _, content = await twins.read_file("file", 101, os.O_RDONLY | os.O_NOATIME, dir_fd=opened)
    assert content == bytes(101)
    os.close(opened)

    os.mkfifo(tmp_path / "fifo")
    status, opened = await twins.read_file(tmp_path / "fifo", 100, os.O_NONBLOCK)
    assert isinstance(opened, int)
    assert stat.S_ISFIFO(status.st_mode)
    assert not os.get_blocking(opened)
    os.close(opened)


@both_ways
async def test_read_file_reads_what_is_not_cached(tmp_path: Path, fast_path: bool) -> None:
    del fast_path
    path = tmp_path / "file"
    path.write_bytes(b"content")
    for where in (path, Path("/dev/shm", f"asyncsys-{os.getpid()}")):  # on tmpfs nobody can ask
        where.write_bytes(b"content")
        fd = os.open(where, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
        try:
            _, content = await twins.read_file(where, 10)
        finally:
            where.unlink()
        assert content == b"content"


@both_ways
async def test_read_file_stays_beneath_a_directory(tmp_path: Path, fast_path: bool) -> None:
    del fast_path
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "inside").write_text("inside")
    (tmp_path / "outside").write_text("outside")
    root = os.open(tmp_path / "root", os.O_PATH)
    beneath = twins.RESOLVE_BENEATH
    _, content = await twins.read_file("inside", 10, resolve=beneath, dir_fd=root)
    assert content == b"inside"
    with refused(errno.EXDEV) as caught:
        await twins.read_file("../outside", 10, resolve=beneath, dir_fd=root)
    assert caught.value.filename == "../outside"
    os.close(root)


@both_ways
async def test_read_file_refuses(tmp_path: Path, fast_path: bool) -> None:
    del fast_path
    path = tmp_path / "file"
    path.touch()
    before = descriptors()
    for _ in range(2):
        with pytest.raises(FileNotFoundError) as caught:
            await twins.read_file(tmp_path / "missing", 10)
        assert caught.value.filename == str(tmp_path / "missing")
    with refused(errno.EBADF):  # not open for reading
        await twins.read_file(path, 10, os.O_WRONLY)
    with refused(errno.EINVAL):
        await twins.read_file(path, -1)
    with pytest.raises(TypeError, match="integer"):
        await twins.read_file(path, "1")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="'list' object cannot be interpreted as an integer"):
        await twins.read_file(path, 1, [])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="null"):
        await twins.read_file("a\0b", 1)
    with pytest.raises(OverflowError, match="can't be negative"):
        await twins.read_file(path, 1, resolve=-1)
    assert descriptors() == before


@both_ways
async def test_read_file_of_no_known_length(fast_path: bool) -> None:
    del fast_path
    status, content = await twins.read_file("/proc/self/comm", 100)
    assert status.st_size == 0
    assert isinstance(content, bytes)
    assert content.endswith(b"\n")
    _, opened = await twins.read_file("/proc/self/status", 10)  # longer than it says
    assert isinstance(opened, int)
    assert os.read(opened, 5) == b"Name:"
    os.close(opened)
