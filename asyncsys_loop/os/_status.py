"""What a file is: all that stat(2) and statx(2) tell."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from asyncsys_loop import _convert as convert
from asyncsys_loop._operation import converted, operation

from ._constants import (
    STATX_ATIME,
    STATX_BASIC_STATS,
    STATX_BLOCKS,
    STATX_BTIME,
    STATX_CTIME,
    STATX_DIO_READ_ALIGN,
    STATX_DIOALIGN,
    STATX_GID,
    STATX_INO,
    STATX_MNT_ID,
    STATX_MNT_ID_UNIQUE,
    STATX_MODE,
    STATX_MTIME,
    STATX_NLINK,
    STATX_SIZE,
    STATX_SUBVOL,
    STATX_TYPE,
    STATX_UID,
    STATX_WRITE_ATOMIC,
)

if TYPE_CHECKING:
    from asyncsys_loop._types import FileDescriptorOrPath, StrOrBytesPath

_AT_SYMLINK_NOFOLLOW: Final = 0x100
_AT_NO_AUTOMOUNT: Final = 0x800  # stat(2) never mounts anything
_AT_EMPTY_PATH: Final = 0x1000
_AT_EACCESS: Final = 0x200

# statx(2) rather than stat(2): its struct is the same on every architecture.
_told = f"{STATX_BASIC_STATS} struct:256"
_stat = operation("statx", f"dir_fd path int {_told}", function="stat", result=os.stat_result)
_lstat = operation(
    "statx",
    f"dir_fd path {_AT_SYMLINK_NOFOLLOW | _AT_NO_AUTOMOUNT} {_told}",
    function="lstat",
    result=os.stat_result,
)
_at_descriptor = f"empty {_AT_EMPTY_PATH | _AT_NO_AUTOMOUNT} {_told}"
_stat_descriptor = operation("statx", f"path_fd {_at_descriptor}", result=os.stat_result)
_fstat = operation("statx", f"fd {_at_descriptor}", result=os.stat_result)
_statx = operation("statx", "dir_fd path int word struct:256", result=bytes)
_statx_descriptor = operation("statx", "path_fd empty int word struct:256", result=bytes)
_statvfs = operation("statfs", "path struct:120", function="statvfs", result=bytes)
_statvfs_descriptor = operation("fstatfs", "path_fd struct:120", result=bytes)
_fstatvfs = operation("fstatfs", "fd struct:120", result=bytes)
_access = operation("faccessat", "dir_fd path int", function="access")
_access_flags = operation("faccessat2", "dir_fd path int int", function="access")


async def stat(
    path: FileDescriptorOrPath, *, dir_fd: int | None = None, follow_symlinks: bool = True
) -> os.stat_result:
    """Tell what a file is, by its path or its descriptor. stat(2), os.stat().

    Raises:
        ValueError: dir_fd or follow_symlinks=False was given with a descriptor.
    """
    if type(path) is str and follow_symlinks:  # as nearly always
        return await _stat(dir_fd, path, _AT_NO_AUTOMOUNT)
    file = convert.path_or_descriptor(path, "stat")
    if not isinstance(file, str | bytes):
        convert.refuse_beside_descriptor("stat", file, dir_fd, follow_symlinks)
        return await _stat_descriptor(file)
    flags = _AT_NO_AUTOMOUNT if follow_symlinks else _AT_SYMLINK_NOFOLLOW | _AT_NO_AUTOMOUNT
    return await _stat(dir_fd, file, flags)


async def lstat(path: StrOrBytesPath, *, dir_fd: int | None = None) -> os.stat_result:
    """As stat(), of a symbolic link itself. lstat(2), os.lstat()."""
    return await _lstat(dir_fd, path)


async def fstat(fd: int) -> os.stat_result:
    """As stat(), of a descriptor. fstat(2), os.fstat()."""
    return await _fstat(fd)


# The whole of struct statx, up to what Linux 6.16 has in it.
_STATX_WHOLE: Final = struct.Struct("=IIQIIIHxxQQQQqI4xqI4xqI4xqI4xIIIIQIIQIIIIII")


@dataclass(frozen=True, slots=True)
class statx_result:  # noqa: N801  (the name that Python 3.15 gives it)
    """What statx() tells, under the names of os.statx_result of Python 3.15.

    What isn't in stx_mask is None, as the file system or the kernel doesn't know it.

    Attributes:
        stx_mask: os.STATX_*: what is known.
        stx_attributes: os.STATX_ATTR_*: those that the file has.
        stx_attributes_mask: those that the file system has at all.
        stx_blksize: the best size to read and write with, in bytes.
        stx_nlink: how many names the file has.
        stx_uid: its user.
        stx_gid: its group.
        stx_mode: its type and permissions.
        stx_ino: its number.
        stx_size: its length in bytes.
        stx_blocks: its blocks, in units of 512 bytes.
        stx_atime_ns: when it was last read. Times are in nanoseconds since 1970; the properties
            stx_atime, stx_btime, stx_ctime and stx_mtime have them in seconds, as floats.
        stx_btime_ns: when it was made.
        stx_ctime_ns: when its metadata was last changed.
        stx_mtime_ns: when its contents were last changed.
        stx_rdev_major: of a device file: which device it is.
        stx_rdev_minor: likewise.
        stx_dev_major: which device it is on.
        stx_dev_minor: likewise.
        stx_mnt_id: which mount it is in.
        stx_dio_mem_align: how memory must be aligned for direct I/O; 0: there is none.
        stx_dio_offset_align: how offsets and sizes must be aligned for direct I/O.
        stx_subvol: which subvolume it is in.
        stx_atomic_write_unit_min: the least that is written as a whole or not at all, in bytes.
        stx_atomic_write_unit_max: the most.
        stx_atomic_write_segments_max: the most buffers of such a write.
        stx_dio_read_offset_align: as stx_dio_offset_align, for reads.
        stx_atomic_write_unit_max_opt: the most that is written so without a copy.
    """

    stx_mask: int
    stx_attributes: int
    stx_attributes_mask: int
    stx_blksize: int
    stx_nlink: int | None
    stx_uid: int | None
    stx_gid: int | None
    stx_mode: int | None
    stx_ino: int | None
    stx_size: int | None
    stx_blocks: int | None
    stx_atime_ns: int | None
    stx_btime_ns: int | None
    stx_ctime_ns: int | None
    stx_mtime_ns: int | None
    stx_rdev_major: int
    stx_rdev_minor: int
    stx_dev_major: int
    stx_dev_minor: int
    stx_mnt_id: int | None
    stx_dio_mem_align: int | None
    stx_dio_offset_align: int | None
    stx_subvol: int | None
    stx_atomic_write_unit_min: int | None
    stx_atomic_write_unit_max: int | None
    stx_atomic_write_segments_max: int | None
    stx_dio_read_offset_align: int | None
    stx_atomic_write_unit_max_opt: int | None

    @property
    def stx_dev(self) -> int:
        """Which device it is on, as os.stat() has it."""
        return os.makedev(self.stx_dev_major, self.stx_dev_minor)

    @property
    def stx_rdev(self) -> int:
        """Of a device file: which device it is, as os.stat() has it."""
        return os.makedev(self.stx_rdev_major, self.stx_rdev_minor)

    @property
    def stx_atime(self) -> float | None:
        """When it was last read, in seconds."""
        return _seconds(self.stx_atime_ns)

    @property
    def stx_btime(self) -> float | None:
        """When it was made, in seconds."""
        return _seconds(self.stx_btime_ns)

    @property
    def stx_ctime(self) -> float | None:
        """When its metadata was last changed, in seconds."""
        return _seconds(self.stx_ctime_ns)

    @property
    def stx_mtime(self) -> float | None:
        """When its contents were last changed, in seconds."""
        return _seconds(self.stx_mtime_ns)


def _seconds(nanoseconds: int | None) -> float | None:
    if nanoseconds is None:
        return None
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return seconds + 1e-9 * rest


def _statx_result(memory: bytes) -> statx_result:
    (
        mask,
        blksize,
        attributes,
        nlink,
        uid,
        gid,
        mode,
        ino,
        size,
        blocks,
        attributes_mask,
        *times,
        rdev_major,
        rdev_minor,
        dev_major,
        dev_minor,
        mnt_id,
        dio_mem_align,
        dio_offset_align,
        subvol,
        atomic_min,
        atomic_max,
        atomic_segments,
        dio_read_offset_align,
        atomic_max_opt,
        _spare,
    ) = _STATX_WHOLE.unpack_from(memory)

    def known(bits: int, value: int) -> int | None:
        return value if mask & bits else None

    atime, btime, ctime, mtime = (
        seconds * 1_000_000_000 + nanoseconds
        for seconds, nanoseconds in zip(times[::2], times[1::2], strict=True)
    )
    return statx_result(
        stx_mask=mask,
        stx_attributes=attributes,
        stx_attributes_mask=attributes_mask,
        stx_blksize=blksize,
        stx_nlink=known(STATX_NLINK, nlink),
        stx_uid=known(STATX_UID, uid),
        stx_gid=known(STATX_GID, gid),
        stx_mode=known(STATX_TYPE | STATX_MODE, mode),
        stx_ino=known(STATX_INO, ino),
        stx_size=known(STATX_SIZE, size),
        stx_blocks=known(STATX_BLOCKS, blocks),
        stx_atime_ns=known(STATX_ATIME, atime),
        stx_btime_ns=known(STATX_BTIME, btime),
        stx_ctime_ns=known(STATX_CTIME, ctime),
        stx_mtime_ns=known(STATX_MTIME, mtime),
        stx_rdev_major=rdev_major,
        stx_rdev_minor=rdev_minor,
        stx_dev_major=dev_major,
        stx_dev_minor=dev_minor,
        stx_mnt_id=known(STATX_MNT_ID | STATX_MNT_ID_UNIQUE, mnt_id),
        stx_dio_mem_align=known(STATX_DIOALIGN, dio_mem_align),
        stx_dio_offset_align=known(STATX_DIOALIGN, dio_offset_align),
        stx_subvol=known(STATX_SUBVOL, subvol),
        stx_atomic_write_unit_min=known(STATX_WRITE_ATOMIC, atomic_min),
        stx_atomic_write_unit_max=known(STATX_WRITE_ATOMIC, atomic_max),
        stx_atomic_write_segments_max=known(STATX_WRITE_ATOMIC, atomic_segments),
        stx_dio_read_offset_align=known(STATX_DIO_READ_ALIGN, dio_read_offset_align),
        stx_atomic_write_unit_max_opt=known(STATX_WRITE_ATOMIC, atomic_max_opt),
    )


async def statx(
    path: FileDescriptorOrPath,
    mask: int,
    *,
    flags: int = 0,
    dir_fd: int | None = None,
    follow_symlinks: bool = True,
) -> statx_result:
    """Tell what a file is, and more than stat() does. statx(2), os.statx() of Python 3.15.

    Args:
        path: a path, or a descriptor.
        mask: STATX_*: what is wanted; STATX_BASIC_STATS is all that stat() tells.
        flags: AT_STATX_FORCE_SYNC, AT_STATX_DONT_SYNC, AT_NO_AUTOMOUNT.
        dir_fd: the directory that a relative path begins at.
        follow_symlinks: whether a symbolic link stands for what it points at.
    """
    file = convert.path_or_descriptor(path, "statx")
    if not isinstance(file, str | bytes):
        convert.refuse_beside_descriptor("statx", file, dir_fd, follow_symlinks)
        flags |= _AT_EMPTY_PATH
        return await converted(_statx_descriptor(file, flags, mask), _statx_result)
    if not follow_symlinks:
        flags |= _AT_SYMLINK_NOFOLLOW
    return await converted(_statx(dir_fd, file, flags, mask), _statx_result)


# struct statfs, the same on x86_64 and aarch64.
_STATFS: Final = struct.Struct("=qq5Q2i3q")
_ST_VALID: Final = 0x20  # the kernel's own: that f_flags is there


def _statvfs_result(memory: bytes) -> os.statvfs_result:
    (
        _type,
        block_size,
        blocks,
        blocks_free,
        blocks_available,
        files,
        files_free,
        id_low,
        id_high,
        name_max,
        fragment_size,
        flags,
    ) = _STATFS.unpack_from(memory)
    return os.statvfs_result(
        (
            block_size,
            fragment_size or block_size,
            blocks,
            blocks_free,
            blocks_available,
            files,
            files_free,
            files_free,
            flags & ~_ST_VALID,
            name_max,
            (id_low & 0xFFFFFFFF) | (id_high & 0xFFFFFFFF) << 32,
        )
    )


async def statvfs(path: FileDescriptorOrPath) -> os.statvfs_result:
    """Tell what a file system is and has, by a path or a descriptor. statfs(2), os.statvfs()."""
    file = convert.path_or_descriptor(path, "statvfs")
    ask = _statvfs if isinstance(file, str | bytes) else _statvfs_descriptor
    return await converted(ask(file), _statvfs_result)


async def fstatvfs(fd: int, /) -> os.statvfs_result:
    """As statvfs(), of a descriptor. fstatfs(2), os.fstatvfs()."""
    return await converted(_fstatvfs(fd), _statvfs_result)


async def access(
    path: StrOrBytesPath,
    mode: int,
    *,
    dir_fd: int | None = None,
    effective_ids: bool = False,
    follow_symlinks: bool = True,
) -> bool:
    """Tell whether this process may use a file in a way. access(2), os.access().

    Args:
        path: the file.
        mode: os.F_OK, or R_OK, W_OK and X_OK.
        dir_fd: the directory that a relative path begins at.
        effective_ids: ask for the effective user and group, rather than the real ones. This, and
            follow_symlinks=False, need Linux 5.8.
        follow_symlinks: whether a symbolic link stands for what it points at.
    """
    flags = _AT_EACCESS if effective_ids else 0
    if not follow_symlinks:
        flags |= _AT_SYMLINK_NOFOLLOW
    asking = _access_flags(dir_fd, path, mode, flags) if flags else _access(dir_fd, path, mode)
    try:
        return await converted(asking, lambda _: True)
    except OSError:
        return False
