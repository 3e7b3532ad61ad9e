"""Reading, writing, and moving bytes from descriptor to descriptor.

What may wait for ever, as the descriptor is a pipe, a terminal or a socket, waits in the loop until
that is ready (_readiness.py), and then does what can be done without blocking, if the kernel can be
told so. What moves bytes in several calls goes on until it has done what the one call would do.
"""

from __future__ import annotations

import asyncio
import os
import stat
import struct
from errno import ENOSYS, EOPNOTSUPP
from typing import TYPE_CHECKING, Any, Final

from asyncsys_loop import _convert as convert
from asyncsys_loop._attach import running_engine
from asyncsys_loop._operation import IOV_MAX, operation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from typing_extensions import Buffer  # for type checkers, which all have it

_read = operation("read", "fd length", result=bytes)
_pread = operation("pread64", "fd length off_t", result=bytes)
_readinto = operation("read", "fd out", result=int)
_preadinto = operation("pread64", "fd out off_t", result=int)
_write = operation("write", "fd in", result=int)
_pwrite = operation("pwrite64", "fd in off_t", result=int)
_readv = operation("readv", "fd out*", result=int)
_writev = operation("writev", "fd in*", result=int)
_preadv = operation("preadv2", "fd out* off_t 0 int", result=int)
_pwritev = operation("pwritev2", "fd in* off_t 0 int", result=int)
_sendfile = operation("sendfile", "fd fd memory ssize_t", result=int)
_splice = operation("splice", "fd memory fd memory ssize_t int", result=int)
_copy_file_range = operation("copy_file_range", "fd memory fd memory ssize_t 0", result=int)


_SPLICE_F_NONBLOCK: Final = 2
# A socket that is ready has room for that, unless its buffer was made small.
_ROOM: Final = 16384


async def read(fd: int, length: int, /) -> bytes:
    """Read at most `length` bytes; b"" at the end of the file. read(2), os.read()."""
    return await _read(fd, length)


async def pread(fd: int, length: int, offset: int, /) -> bytes:
    """Read at most `length` bytes from `offset` on; fd keeps its position. pread(2), os.pread()."""
    return await _pread(fd, length, offset)


async def readinto(fd: int, buffer: Buffer, /) -> int:
    """Read into a writable buffer, and return how many bytes it was; 0 at the end. read(2).

    A bytearray can't be resized while the call is in flight. (Python 3.14 has os.readinto().)
    """
    return await _readinto(fd, buffer)


async def preadinto(fd: int, buffer: Buffer, offset: int, /) -> int:
    """As readinto(), from `offset` on. The position of fd stays. pread(2)."""
    return await _preadinto(fd, buffer, offset)


async def write(fd: int, data: Buffer, /) -> int:
    """Write a buffer, and return how many bytes were written. write(2), os.write()."""
    return await _write(fd, data)


async def pwrite(fd: int, buffer: Buffer, offset: int, /) -> int:
    """As write(), from `offset` on. The position of fd stays. pwrite(2), os.pwrite()."""
    return await _pwrite(fd, buffer, offset)


async def readv(fd: int, buffers: Sequence[Buffer], /) -> int:
    """Read into several writable buffers, one after the other. readv(2), os.readv().

    Returns:
        How many bytes were read; 0 at the end of the file.
    """
    return await _read_pieces(fd, _writable(buffers, "readv"))


async def writev(fd: int, buffers: Sequence[Buffer], /) -> int:
    """Write several buffers at once, and return how many bytes it was. writev(2), os.writev()."""
    return await _write_pieces(fd, _sequence(buffers, "writev"))


async def preadv(fd: int, buffers: Sequence[Buffer], offset: int, flags: int = 0, /) -> int:
    """As readv(), from `offset` on, with flags: os.RWF_*. preadv2(2), os.preadv()."""
    _writable(buffers, "preadv2")
    if offset == -1 and flags == 0:  # the descriptor's own position
        return await _read_pieces(fd, buffers)
    return await _preadv(fd, buffers, offset, flags)


async def pwritev(fd: int, buffers: Sequence[Buffer], offset: int, flags: int = 0, /) -> int:
    """As writev(), from `offset` on, with flags: os.RWF_*. pwritev2(2), os.pwritev()."""
    _sequence(buffers, "pwritev")
    if offset == -1 and flags == 0:
        return await _write_pieces(fd, buffers)
    return await _pwritev(fd, buffers, offset, flags)


async def _read_pieces(fd: int, buffers: Sequence[Buffer]) -> int:
    fd = convert.c_int(fd)
    while await running_engine().readiness.ready(fd, writing=False):
        try:
            return await _preadv(fd, buffers, -1, os.RWF_NOWAIT)
        except BlockingIOError:
            continue  # somebody else took it
        except OSError as error:
            if error.errno not in {EOPNOTSUPP, ENOSYS}:
                raise
            break
    return await _readv(fd, buffers)


async def _write_pieces(fd: int, buffers: Sequence[Buffer]) -> int:
    fd = convert.c_int(fd)
    if _can_be_waited_for(fd) and len(buffers) <= IOV_MAX:
        # write() knows how much can be written without blocking.
        return await _write(fd, b"".join(buffers))
    return await _writev(fd, buffers)


def _can_be_waited_for(fd: int) -> bool:
    """Whether it is a pipe, a terminal, a socket or the like, and blocks."""
    try:
        mode = os.fstat(fd).st_mode  # of what is open, and isn't looked up; a pipe has no server
        blocks = os.get_blocking(fd)
    except OSError:
        return False
    return blocks and not (stat.S_ISREG(mode) or stat.S_ISBLK(mode) or stat.S_ISDIR(mode))


def _sequence(buffers: Any, function: str) -> Any:
    if not hasattr(type(buffers), "__getitem__") or isinstance(buffers, dict):
        raise TypeError(f"{function}() arg 2 must be a sequence")
    return buffers


def _writable(buffers: Any, function: str) -> Any:
    if any(convert.memoryview_of(buffer).readonly for buffer in _sequence(buffers, function)):
        raise BufferError("Object is not writable.")
    return buffers


def _offset(value: object) -> bytes | None:
    """Return a place with that offset, or None for the position of the descriptor."""
    return None if value is None else struct.pack("=q", convert.off_t(value))


def _count(value: object) -> int:
    count = convert.ssize_t(value)
    if count < 0:
        raise ValueError("negative value for 'count' not allowed")
    return count


async def sendfile(out_fd: int, in_fd: int, offset: int | None, count: int) -> int:
    """Copy from a file to another descriptor, without a way through Python. sendfile(2).

    Args:
        out_fd: a socket, or anything else that can be written to.
        in_fd: a file.
        offset: where in the file; None for its position, which then moves.
        count: the most bytes.

    Returns:
        How many bytes were copied; 0 at the end of the file.
    """
    place, count = _offset(offset), convert.ssize_t(count)
    out_fd, in_fd = convert.c_int(out_fd), convert.c_int(in_fd)
    if not _can_be_waited_for(out_fd):
        return await _sendfile(out_fd, in_fd, place, count)

    async def send(done: int) -> int:
        await running_engine().readiness.ready(out_fd, writing=True)
        place = None if offset is None else _offset(offset + done)
        return await _sendfile(out_fd, in_fd, place, min(count - done, _ROOM))

    return await _in_pieces(send, count)


async def _in_pieces(piece: Callable[[int], Awaitable[int]], count: int) -> int:
    """Move bytes in several calls; who is cancelled is told how many were moved by all of them."""
    done = 0
    try:
        while True:
            moved = await piece(done)
            done += moved
            if done >= count or moved == 0:
                return done
    except OSError:
        if done:
            return done  # as the one call: the error comes again with the next
        raise
    except asyncio.CancelledError as error:
        done += getattr(error, "result", 0)
        if done:
            error.result = done  # type: ignore[attr-defined]
        raise


async def splice(
    src: int,
    dst: int,
    count: int,
    offset_src: int | None = None,
    offset_dst: int | None = None,
    flags: int = 0,
) -> int:
    """Move at most `count` bytes from or to a pipe, without a copy. splice(2), os.splice().

    An offset of None is the position of the descriptor, which then moves. A pipe has none.
    """
    count = _count(count)
    offsets = _offset(offset_src), _offset(offset_dst)
    src, dst, flags = convert.c_int(src), convert.c_int(dst), convert.unsigned_int(flags)
    readiness = running_engine().readiness
    while not flags & _SPLICE_F_NONBLOCK:
        waited = await readiness.ready(src, writing=False)
        waited = await readiness.ready(dst, writing=True) or waited
        if not waited:
            break
        try:
            return await _splice(
                src, offsets[0], dst, offsets[1], count, flags | _SPLICE_F_NONBLOCK
            )
        except BlockingIOError:
            continue  # somebody else took it
    return await _splice(src, offsets[0], dst, offsets[1], count, flags)


async def copy_file_range(
    src: int, dst: int, count: int, offset_src: int | None = None, offset_dst: int | None = None
) -> int:
    """Copy at most `count` bytes from file to file; the file system may share the blocks.

    copy_file_range(2), os.copy_file_range(). An offset of None is the position of the descriptor,
    which then moves.
    """
    count = _count(count)
    return await _copy_file_range(src, _offset(offset_src), dst, _offset(offset_dst), count)
