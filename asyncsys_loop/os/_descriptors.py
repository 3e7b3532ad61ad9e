"""Descriptors: how they are made, moved and closed."""

from __future__ import annotations

import asyncio
import os
import struct
import sys
from errno import EINVAL
from fcntl import F_DUPFD_CLOEXEC, F_GETFD
from functools import lru_cache
from operator import index
from stat import S_ISREG
from typing import TYPE_CHECKING, Final

from asyncsys_loop import _convert as convert
from asyncsys_loop._operation import FILE, converted, operation

if TYPE_CHECKING:
    from asyncsys_loop._types import FileDescriptorLike, StrOrBytesPath

_UNSIGNED_INT: Final = 0xFFFFFFFF
_TFD_CLOEXEC: Final = os.O_CLOEXEC
# What read_file() reads in one trip. What is cached is copied in the loop's thread, up to this.
_READ_AT_ONCE: Final = 262144

_itimerspec = struct.Struct("=4q")  # interval, then value: seconds and nanoseconds

_openat = operation(
    "openat", "dir_fd path int int", function="open", audit="open 1 None 2", result=int
)
_openat2 = operation("openat2", f"dir_fd path memory {convert.open_how.size}", result=int)
_read_file = operation(
    "read_file", f"dir_fd path memory {convert.open_how.size} limit", result=FILE
)
_pread = operation("pread64", "fd length off_t", result=bytes)
_close = operation("close", "fd")
_close_range = operation("close_range", "int int 0")
_dup = operation("fcntl", f"fd {F_DUPFD_CLOEXEC} 0", result=int)
_dup3 = operation("dup3", "fd fd int", result=int)
_is_open = operation("fcntl", f"fd {F_GETFD} 0")
_lseek = operation("lseek", "fd off_t int", result=int)
_pipe2 = operation("pipe2", "struct:8 int", result=bytes)
_memfd_create = operation("memfd_create", "string:name int", result=int)
_eventfd = operation("eventfd2", "int int", result=int)
_eventfd_read = operation("read", "fildes length", result=bytes)
_eventfd_write = operation("write", "fildes in", result=int)
_timerfd_create = operation("timerfd_create", "int int", result=int)
_timerfd_settime = operation("timerfd_settime", "fildes int memory struct:32", result=bytes)
_timerfd_gettime = operation("timerfd_gettime", "fildes struct:32", result=bytes)


async def open(
    path: StrOrBytesPath, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
) -> int:
    """Open a file, and return its descriptor, which isn't inheritable. open(2), os.open().

    A cancelled open() leaves no descriptor behind.
    """
    return await _openat(dir_fd, path, convert.c_int(flags) | os.O_CLOEXEC, mode)


async def openat2(
    path: StrOrBytesPath,
    flags: int,
    mode: int = 0o777,
    resolve: int = 0,
    *,
    dir_fd: int | None = None,
) -> int:
    """Open a file as open() does, with rules for the way to it. openat2(2), Linux 5.6.

    Args:
        path: what to open.
        flags: os.O_*; O_CLOEXEC is always added. Unknown ones are refused.
        mode: of a new file; only looked at with O_CREAT or O_TMPFILE.
        resolve: RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS,
            RESOLVE_NO_XDEV, RESOLVE_CACHED: none, or several of them.
        dir_fd: the directory that a relative path, and with RESOLVE_IN_ROOT each, begins at.

    Raises:
        OSError: EXDEV: the path leaves the directory or the mount; ELOOP: it has a symbolic link;
            EAGAIN: RESOLVE_CACHED, and it isn't cached, or a race with a rename.
    """
    flags, how = _how(flags, mode, resolve)
    path = convert.fspath(path, "openat2")
    sys.audit("open", path, None, flags)
    return await _openat2(dir_fd, path, how)


async def read_file(
    path: StrOrBytesPath,
    limit: int,
    flags: int = os.O_RDONLY,
    resolve: int = 0,
    *,
    dir_fd: int | None = None,
) -> tuple[os.stat_result, bytes | int]:
    """Open a file, look at it, read all of it and close it, at once.

    openat2(2), statx(2), pread(2) and close(2): of what is cached none is waited for; else one exec
    thread makes them in one trip. It's for servers of small files.

    Args:
        path: what to open.
        limit: how many bytes to read at most. If the file isn't cached, as much memory is made, or
            256 KiB at most: what is longer is read by more calls.
        flags, resolve, dir_fd: as for openat2(). Without `resolve` this needs no openat2(2).

    Returns:
        The status of the file, and its content: bytes. Where it is longer than `limit`, or no
        regular file, the descriptor instead: open, at the beginning, and yours to close.

    Raises:
        OSError: any of the calls failed, with `path` as its filename. Nothing is open then, nor if
            this is cancelled.
    """
    flags, how = _how(flags, 0, resolve)
    path = convert.fspath(path, "read_file")
    sys.audit("open", path, None, flags)
    limit = convert.ssize_t(limit)
    status, content = await _read_file(dir_fd, path, how, min(limit, _READ_AT_ONCE))
    if (
        limit <= _READ_AT_ONCE
        or isinstance(content, bytes)
        or status.st_size > limit
        or not S_ISREG(status.st_mode)
    ):
        return status, content
    try:
        longer = await _read_opened(content, status.st_size, limit)
    except OSError as error:
        await _close(content)
        raise convert.os_error(-(error.errno or 0), path) from None
    except BaseException as error:
        error.__dict__.pop("result", None)  # of a read: it wasn't asked for
        await _close(content)
        raise
    if longer is None:
        return status, content
    await _close(content)
    return status, longer


async def _read_opened(fd: int, size: int, limit: int) -> bytes | None:
    """Read a file by offset, whatever is written to it meanwhile; None if it is too long."""
    parts: list[bytes] = []
    total = 0
    # Not a byte more than there is: what is read short is copied, in the loop's thread.
    while data := await _pread(fd, size - total if size > total else 65536, total):
        parts.append(data)
        total += len(data)
        if total > limit:
            return None
    return parts[0] if len(parts) == 1 else b"".join(parts)


@lru_cache(64, typed=True)
def _packed_how(flags: int, mode: int, resolve: int) -> tuple[int, bytes]:
    flags, mode, resolve = convert.c_int(flags), convert.c_int(mode), index(resolve)
    flags |= os.O_CLOEXEC
    creates = flags & os.O_CREAT or flags & os.O_TMPFILE == os.O_TMPFILE
    try:
        how = convert.open_how.pack(flags & _UNSIGNED_INT, mode if creates else 0, resolve)
    except struct.error:
        raise OverflowError("openat2: mode and resolve can't be negative") from None
    return flags, how


def _how(flags: int, mode: int, resolve: int) -> tuple[int, bytes]:
    """Return the flags with O_CLOEXEC, and a struct open_how."""
    try:
        return _packed_how(flags, mode, resolve)
    except TypeError:  # one can't be a key: the function itself says what is wrong with it
        return _packed_how.__wrapped__(flags, mode, resolve)


async def close(fd: int) -> None:
    """Close a descriptor. close(2), os.close().

    This runs even if the caller is cancelled: afterwards the descriptor is closed, always.
    """
    await _close(fd)


async def closerange(fd_low: int, fd_high: int, /) -> None:
    """Close descriptors from fd_low up to fd_high, which stays open. close_range(2).

    Errors are ignored, as os.closerange() does. As close(), this runs even if the caller is
    cancelled.
    """
    low, high = max(convert.c_int(fd_low), 0), convert.c_int(fd_high)
    if low < high:
        await _close_range(low, high - 1)


async def dup(fd: int, /) -> int:
    """Duplicate a descriptor; the new one isn't inheritable. dup(2), os.dup()."""
    return await _dup(fd)


async def dup2(fd: int, fd2: int, inheritable: bool = True) -> int:
    """Make fd2 a duplicate of fd, and return it. dup3(2), os.dup2().

    What fd2 was before is closed.
    """
    fd, fd2 = convert.c_int(fd), convert.c_int(fd2)
    if fd == fd2 and inheritable:
        await _is_open(fd)  # dup3(2) refuses what dup2(2) does nothing for
        return fd2
    return await _dup3(fd, fd2, 0 if inheritable else os.O_CLOEXEC)


async def lseek(fd: int, position: int, whence: int, /) -> int:
    """Set the position of a descriptor, and return it, in bytes. lseek(2), os.lseek()."""
    return await _lseek(fd, position, whence)


async def pipe() -> tuple[int, int]:
    """Make a pipe: return its read end and its write end, not inheritable. pipe(2), os.pipe()."""
    return await pipe2(os.O_CLOEXEC)


async def pipe2(flags: int, /) -> tuple[int, int]:
    """As pipe(), with flags: os.O_CLOEXEC, O_NONBLOCK, O_DIRECT. pipe(2), os.pipe2()."""
    reader, writer = struct.unpack("=2i", await _pipe2(flags))
    return reader, writer


async def memfd_create(name: StrOrBytesPath, flags: int = os.MFD_CLOEXEC) -> int:
    """Make a file in memory, and return its descriptor. memfd_create(2), os.memfd_create()."""
    encoded = os.fsencode(name)
    if 0 in encoded:
        raise ValueError("embedded null byte")
    return await _memfd_create(encoded, _unsigned_int(flags))


async def eventfd(initval: int, flags: int = os.EFD_CLOEXEC) -> int:
    """Make a counter that can be waited for. eventfd(2), os.eventfd()."""
    return await _eventfd(convert.unsigned_int(initval), flags)


async def eventfd_read(fd: FileDescriptorLike) -> int:
    """Take the value of an eventfd; wait while it is 0. eventfd(2), os.eventfd_read()."""
    try:
        value = await _eventfd_read(fd, 8)
    except asyncio.CancelledError as error:
        if hasattr(error, "result"):
            error.result = int.from_bytes(error.result, sys.byteorder)
        raise
    if len(value) != 8:
        raise convert.os_error(-EINVAL)  # it is no eventfd
    return int.from_bytes(value, sys.byteorder)


async def eventfd_write(fd: FileDescriptorLike, value: int) -> None:
    """Add to an eventfd; wait while it is full. eventfd(2), os.eventfd_write()."""
    data = convert.unsigned(value, 64).to_bytes(8, sys.byteorder)
    await converted(_eventfd_write(fd, data), lambda _: None)


async def timerfd_create(clockid: int, /, *, flags: int = _TFD_CLOEXEC) -> int:
    """Make a timer that is a descriptor. timerfd_create(2), os.timerfd_create() of Python 3.13."""
    return await _timerfd_create(clockid, flags)


async def timerfd_settime(
    fd: FileDescriptorLike,
    /,
    *,
    flags: int = 0,
    initial: float = 0.0,
    interval: float = 0.0,
) -> tuple[float, float]:
    """Set a timer, in seconds. timerfd_settime(2), os.timerfd_settime() of Python 3.13.

    Returns:
        What was left until the next expiration, and the interval, before.
    """
    times = [round(seconds * 1e9) for seconds in (initial, interval)]
    setting = timerfd_settime_ns(fd, flags=flags, initial=times[0], interval=times[1])
    return await converted(setting, _in_seconds)


async def timerfd_settime_ns(
    fd: FileDescriptorLike, /, *, flags: int = 0, initial: int = 0, interval: int = 0
) -> tuple[int, int]:
    """As timerfd_settime(), in nanoseconds. timerfd_settime(2), os.timerfd_settime_ns()."""
    new = _itimerspec.pack(*divmod(interval, 10**9), *divmod(initial, 10**9))
    return await converted(_timerfd_settime(fd, flags, new), _left_and_interval)


async def timerfd_gettime(fd: FileDescriptorLike, /) -> tuple[float, float]:
    """Tell what is left until a timer expires, and its interval, in seconds. timerfd_gettime(2)."""
    return await converted(timerfd_gettime_ns(fd), _in_seconds)


async def timerfd_gettime_ns(fd: FileDescriptorLike, /) -> tuple[int, int]:
    """As timerfd_gettime(), in nanoseconds. timerfd_gettime(2), os.timerfd_gettime_ns()."""
    return await converted(_timerfd_gettime(fd), _left_and_interval)


def _in_seconds(nanoseconds: tuple[int, int]) -> tuple[float, float]:
    left, every = nanoseconds
    return left * 1e-9, every * 1e-9


def _left_and_interval(memory: bytes) -> tuple[int, int]:
    interval, interval_ns, left, left_ns = _itimerspec.unpack(memory)
    return left * 10**9 + left_ns, interval * 10**9 + interval_ns


def _unsigned_int(value: int) -> int:
    """Return an int as C's of 32 bits with a sign, whatever it is: os cuts some without a word."""
    return (index(value) + 2**31 & _UNSIGNED_INT) - 2**31
