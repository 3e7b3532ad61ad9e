"""What a file is: all that stat(2) and statx(2) tell."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final

from asyncsys_loop import _convert as convert
from asyncsys_loop._operation import operation

if TYPE_CHECKING:
    from asyncsys_loop._types import FileDescriptorOrPath, StrOrBytesPath

_AT_SYMLINK_NOFOLLOW: Final = 0x100
_AT_NO_AUTOMOUNT: Final = 0x800  # stat(2) never mounts anything
_AT_EMPTY_PATH: Final = 0x1000

_STATX_BASIC_STATS: Final = 0x7FF

# statx(2) rather than stat(2): its struct is the same on every architecture.
_told = f"{_STATX_BASIC_STATS} struct:256"
_stat = operation("statx", f"dir_fd path int {_told}", function="stat", result=bytes)
_lstat = operation(
    "statx",
    f"dir_fd path {_AT_SYMLINK_NOFOLLOW | _AT_NO_AUTOMOUNT} {_told}",
    function="lstat",
    result=bytes,
)
_at_descriptor = f"empty {_AT_EMPTY_PATH | _AT_NO_AUTOMOUNT} {_told}"
_stat_descriptor = operation("statx", f"path_fd {_at_descriptor}", result=bytes)
_fstat = operation("statx", f"fd {_at_descriptor}", result=bytes)

# Up to and with stx_dev_minor.
_STATX_FIELDS: Final = struct.Struct("=II8xIIIHxxQQQ8xqI4xqI4xqI4xqI4xIIII")


def _stat_result(memory: bytes) -> os.stat_result:
    (
        _mask,
        block_size,
        links,
        uid,
        gid,
        mode,
        inode,
        size,
        blocks,
        atime,
        atime_ns,
        _btime,
        _btime_ns,
        ctime,
        ctime_ns,
        mtime,
        mtime_ns,
        rdev_major,
        rdev_minor,
        dev_major,
        dev_minor,
    ) = _STATX_FIELDS.unpack_from(memory)
    return os.stat_result(
        (
            mode,
            inode,
            os.makedev(dev_major, dev_minor),
            links,
            uid,
            gid,
            size,
            atime,
            mtime,
            ctime,
            atime + 1e-9 * atime_ns,
            mtime + 1e-9 * mtime_ns,
            ctime + 1e-9 * ctime_ns,
            atime * 1_000_000_000 + atime_ns,
            mtime * 1_000_000_000 + mtime_ns,
            ctime * 1_000_000_000 + ctime_ns,
            block_size,
            blocks,
            os.makedev(rdev_major, rdev_minor),
        )
    )


async def stat(
    path: FileDescriptorOrPath, *, dir_fd: int | None = None, follow_symlinks: bool = True
) -> os.stat_result:
    """Tell what a file is, by its path or its descriptor. stat(2), os.stat().

    Raises:
        ValueError: dir_fd or follow_symlinks=False was given with a descriptor.
    """
    path = convert.path_or_descriptor(path, "stat")
    if isinstance(path, int):
        convert.refuse_beside_descriptor("stat", path, dir_fd, follow_symlinks)
        return _stat_result(await _stat_descriptor(path))
    flags = _AT_NO_AUTOMOUNT if follow_symlinks else _AT_SYMLINK_NOFOLLOW | _AT_NO_AUTOMOUNT
    return _stat_result(await _stat(dir_fd, path, flags))


async def lstat(path: StrOrBytesPath, *, dir_fd: int | None = None) -> os.stat_result:
    """As stat(), of a symbolic link itself. lstat(2), os.lstat()."""
    return _stat_result(await _lstat(dir_fd, path))


async def fstat(fd: int) -> os.stat_result:
    """As stat(), of a descriptor. fstat(2), os.fstat()."""
    return _stat_result(await _fstat(fd))
