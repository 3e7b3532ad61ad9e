"""What a file holds of the disk: its length, its blocks, and when they are written."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING

from asyncsys_loop import _convert as convert
from asyncsys_loop._operation import operation

if TYPE_CHECKING:
    from asyncsys_loop._types import FileDescriptorLike, FileDescriptorOrPath

_sync = operation("sync", "")
_fsync = operation("fsync", "fildes")
_fdatasync = operation("fdatasync", "fildes")
_sync_file_range = operation("sync_file_range", "fildes off_t off_t int")
_truncate = operation("truncate", "path off_t", audit="os.truncate 0 1")
_ftruncate = operation("ftruncate", "fd off_t", audit="os.truncate 0 1")
_fallocate = operation("fallocate", "fd int off_t off_t")
_fadvise = operation("fadvise64", "fd off_t off_t int")


async def sync() -> None:
    """Force everything that was written onto the disks. sync(2), os.sync()."""
    await _sync()


async def fsync(fd: FileDescriptorLike) -> None:
    """Force what was written to a file onto the disk. fsync(2), os.fsync().

    Args:
        fd: a descriptor, or an object with fileno().
    """
    await _fsync(fd)


async def fdatasync(fd: FileDescriptorLike) -> None:
    """As fsync(), without metadata that isn't needed to read it. fdatasync(2), os.fdatasync()."""
    await _fdatasync(fd)


async def sync_file_range(fd: FileDescriptorLike, offset: int, length: int, flags: int) -> None:
    """Begin to write a part of a file to the disk, or wait for it. sync_file_range(2).

    This is no fsync(): it writes no metadata, nor does it flush the disk's own cache.

    Args:
        fd: a descriptor, or an object with fileno().
        offset: the first byte.
        length: how many; 0 for all that follow.
        flags: SYNC_FILE_RANGE_WAIT_BEFORE, SYNC_FILE_RANGE_WRITE, SYNC_FILE_RANGE_WAIT_AFTER.
    """
    await _sync_file_range(fd, offset, length, flags)


async def truncate(path: FileDescriptorOrPath, length: int) -> None:
    """Make a file `length` bytes long, by its path or descriptor. truncate(2), os.truncate()."""
    file = convert.path_or_descriptor(path, "truncate")
    if isinstance(file, str | bytes):
        await _truncate(file, length)
    else:
        await _ftruncate(index(file), length)


async def ftruncate(fd: int, length: int, /) -> None:
    """Make a file `length` bytes long. ftruncate(2), os.ftruncate()."""
    await _ftruncate(fd, length)


async def fallocate(fd: int, mode: int, offset: int, length: int) -> None:
    """Give a part of a file its blocks, or take them away. fallocate(2).

    Args:
        fd: a descriptor.
        mode: 0 to make room, which makes the file longer where it is shorter; or FALLOC_FL_*:
            KEEP_SIZE, PUNCH_HOLE (with KEEP_SIZE), ZERO_RANGE, COLLAPSE_RANGE, INSERT_RANGE,
            UNSHARE_RANGE, WRITE_ZEROES.
        offset: the first byte.
        length: how many.

    Raises:
        OSError: EOPNOTSUPP: the file system can't do that. ENOSPC: the disk is full.
    """
    await _fallocate(fd, mode, offset, length)


async def posix_fallocate(fd: int, offset: int, length: int, /) -> None:
    """Make room for a part of a file, so that writing it can't fail for lack of it. fallocate(2).

    As os.posix_fallocate(), but for file systems that can't do it: OSError with EOPNOTSUPP, where
    libc would write to every block.
    """
    await _fallocate(fd, 0, offset, length)


async def posix_fadvise(fd: int, offset: int, length: int, advice: int, /) -> None:
    """Tell how a file will be read: os.POSIX_FADV_*. posix_fadvise(2), os.posix_fadvise()."""
    await _fadvise(fd, offset, length, advice)
