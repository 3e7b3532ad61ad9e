"""Reading, writing, and moving bytes from descriptor to descriptor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncsys_loop._operation import operation

if TYPE_CHECKING:
    from typing_extensions import Buffer  # for type checkers, which all have it

_read = operation("read", "fd length", result=bytes)
_pread = operation("pread64", "fd length off_t", result=bytes)
_readinto = operation("read", "fd out", result=int)
_preadinto = operation("pread64", "fd out off_t", result=int)
_write = operation("write", "fd in", result=int)
_pwrite = operation("pwrite64", "fd in off_t", result=int)


async def read(fd: int, length: int, /) -> bytes:
    """Read at most `length` bytes; b"" at the end of the file. read(2), os.read()."""
    return await _read(fd, length)


async def pread(fd: int, length: int, offset: int, /) -> bytes:
    """Read at most `length` bytes from `offset` on; fd keeps its position. pread(2), os.pread()."""
    return await _pread(fd, length, offset)


async def readinto(fd: int, buffer: Buffer, /) -> int:
    """Read into a writable buffer, and return how many bytes it was; 0 at the end. read(2).

    A bytearray can't be resized while the call is in flight.
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
