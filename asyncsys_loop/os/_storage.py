"""What a file holds of the disk: its length, its blocks, and when they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncsys_loop._operation import operation

if TYPE_CHECKING:
    from asyncsys_loop._types import FileDescriptorLike

_fsync = operation("fsync", "fildes")
_fdatasync = operation("fdatasync", "fildes")
_ftruncate = operation("ftruncate", "fd off_t", audit="os.truncate 0 1")


async def fsync(fd: FileDescriptorLike) -> None:
    """Force what was written to a file onto the disk. fsync(2), os.fsync().

    Args:
        fd: a descriptor, or an object with fileno().
    """
    await _fsync(fd)


async def fdatasync(fd: FileDescriptorLike) -> None:
    """As fsync(), without metadata that isn't needed to read it. fdatasync(2), os.fdatasync()."""
    await _fdatasync(fd)


async def ftruncate(fd: int, length: int, /) -> None:
    """Make a file `length` bytes long. ftruncate(2), os.ftruncate()."""
    await _ftruncate(fd, length)
