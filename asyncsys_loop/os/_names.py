"""Names in directories: how they are given, changed and taken away."""

from __future__ import annotations

import os
import stat
import struct
import sys
from errno import EINVAL
from operator import index
from typing import TYPE_CHECKING, Any, AnyStr, Final, NamedTuple, overload

from asyncsys_loop import _convert as convert
from asyncsys_loop._operation import converted, operation

if TYPE_CHECKING:
    from typing_extensions import Buffer  # for type checkers, which all have it

    from asyncsys_loop._types import StrOrBytesPath

_AT_SYMLINK_FOLLOW: Final = 0x400
_AT_EMPTY_PATH: Final = 0x1000
_PATH_MAX: Final = 4096
_MAX_HANDLE_SZ: Final = 128

# os.NODEV is a number for os from Python 3.13 on, though the kernel makes nothing of it.
_LEAST_DEVICE: Final = -1 if sys.version_info >= (3, 13) else 0

_unlink = operation("unlinkat", "dir_fd path 0", function="unlink", audit="os.remove 1 0")
_remove = operation("unlinkat", "dir_fd path 0", function="remove", audit="os.remove 1 0")
_two_paths = "dir_fd path:src dir_fd path:dst"
_rename = operation("renameat2", f"{_two_paths} 0", function="rename", audit="os.rename 1 3 0 2")
_replace = operation("renameat2", f"{_two_paths} 0", function="replace", audit="os.rename 1 3 0 2")
_renameat2 = operation("renameat2", f"{_two_paths} int", audit="os.rename 1 3 0 2")
_link = operation("linkat", f"{_two_paths} int", function="link", audit="os.link 1 3 0 2")
_symlink = operation(
    "symlinkat", "path:src dir_fd path:dst", function="symlink", audit="os.symlink 0 2 1"
)
_readlink = operation("readlinkat", "dir_fd path length", function="readlink", result=bytes)
_mkfifo = operation("mknodat", "dir_fd string:path int 0", function="mkfifo")
_mknod = operation("mknodat", "dir_fd string:path int word", function="mknod")
_name_to_handle_at = operation("name_to_handle_at", "dir_fd path memory memory int")
_handle_of_descriptor = operation(
    "name_to_handle_at", f"path_fd empty memory memory {_AT_EMPTY_PATH}"
)
_open_by_handle_at = operation("open_by_handle_at", "fd memory int", result=int)


async def unlink(path: StrOrBytesPath, *, dir_fd: int | None = None) -> None:
    """Remove a file. unlink(2), os.unlink()."""
    await _unlink(dir_fd, path)


async def remove(path: StrOrBytesPath, *, dir_fd: int | None = None) -> None:
    """Remove a file: the same as unlink(). os.remove()."""
    await _remove(dir_fd, path)


async def rename(
    src: StrOrBytesPath,
    dst: StrOrBytesPath,
    *,
    src_dir_fd: int | None = None,
    dst_dir_fd: int | None = None,
) -> None:
    """Rename a file; what was at `dst` is replaced. rename(2), os.rename()."""
    await _rename(src_dir_fd, src, dst_dir_fd, dst)


async def replace(
    src: StrOrBytesPath,
    dst: StrOrBytesPath,
    *,
    src_dir_fd: int | None = None,
    dst_dir_fd: int | None = None,
) -> None:
    """Rename a file: on Linux the same as rename(). rename(2), os.replace()."""
    await _replace(src_dir_fd, src, dst_dir_fd, dst)


async def renameat2(
    src: StrOrBytesPath,
    dst: StrOrBytesPath,
    flags: int = 0,
    *,
    src_dir_fd: int | None = None,
    dst_dir_fd: int | None = None,
) -> None:
    """Rename a file in a special way. renameat2(2).

    Args:
        src: the file.
        dst: its new name.
        flags: RENAME_NOREPLACE: FileExistsError if there is something at `dst`. RENAME_EXCHANGE:
            both exist, and change places. RENAME_WHITEOUT: leaves a whiteout, for overlayfs.
        src_dir_fd: the directory that `src` begins at, if it is relative.
        dst_dir_fd: the directory that `dst` begins at, if it is relative.
    """
    await _renameat2(src_dir_fd, src, dst_dir_fd, dst, flags)


async def link(
    src: StrOrBytesPath,
    dst: StrOrBytesPath,
    *,
    src_dir_fd: int | None = None,
    dst_dir_fd: int | None = None,
    follow_symlinks: bool = True,
) -> None:
    """Give a file another name. link(2), os.link().

    As os.link() does on Linux, a symbolic link itself is linked, unless a descriptor of a directory
    is given and follow_symlinks is true.
    """
    plain = src_dir_fd is None and dst_dir_fd is None
    flags = _AT_SYMLINK_FOLLOW if follow_symlinks and not plain else 0
    await _link(src_dir_fd, src, dst_dir_fd, dst, flags)


async def symlink(
    src: StrOrBytesPath,
    dst: StrOrBytesPath,
    target_is_directory: bool = False,
    *,
    dir_fd: int | None = None,
) -> None:
    """Make a symbolic link at `dst` that says `src`. symlink(2), os.symlink().

    target_is_directory is for other systems.
    """
    await _symlink(src, dir_fd, dst)


@overload
async def readlink(path: AnyStr, *, dir_fd: int | None = None) -> AnyStr: ...
@overload
async def readlink(path: os.PathLike[AnyStr], *, dir_fd: int | None = None) -> AnyStr: ...
async def readlink(path: Any, *, dir_fd: int | None = None) -> Any:
    """Tell what a symbolic link says: bytes if the path is bytes. readlink(2), os.readlink()."""
    path = convert.fspath(path, "readlink")
    asking = _readlink(dir_fd, path, _PATH_MAX)
    return await (asking if isinstance(path, bytes) else converted(asking, os.fsdecode))


async def mkfifo(path: StrOrBytesPath, mode: int = 0o666, *, dir_fd: int | None = None) -> None:
    """Make a FIFO. mkfifo(3), os.mkfifo()."""
    await _mkfifo(dir_fd, path, convert.c_int(mode) | stat.S_IFIFO)


async def mknod(
    path: StrOrBytesPath, mode: int = 0o600, device: int = 0, *, dir_fd: int | None = None
) -> None:
    """Make a file of any type but a directory. mknod(2), os.mknod().

    Args:
        path: what to make.
        mode: permissions, and a type: stat.S_IFREG, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK.
        device: for S_IFCHR and S_IFBLK, as os.makedev() makes it.
        dir_fd: the directory that a relative path begins at.
    """
    await _mknod(dir_fd, path, mode, _device(device))


def _device(device: object) -> int:
    """Return the number of a device, which is one of 32 bits for the kernel."""
    if not hasattr(type(device), "__index__"):
        raise TypeError("an integer is required")
    number = int(index(device))  # type: ignore[arg-type]
    if not _LEAST_DEVICE <= number < 2**64:
        raise OverflowError(f"the number of a device isn't one of 64 bits: {number}")
    if not 0 <= number < 2**32:
        raise convert.os_error(-EINVAL)
    return number


class FileHandle(NamedTuple):
    """What name_to_handle_at() tells of a file.

    Attributes:
        handle_type: the file system's own number of the handle's type.
        handle: the handle: it names the file as long as it exists, whatever it is called.
        mount_id: the mount that it is in, as /proc/self/mountinfo has it.
    """

    handle_type: int
    handle: bytes
    mount_id: int


async def name_to_handle_at(
    path: StrOrBytesPath | int, *, dir_fd: int | None = None, follow_symlinks: bool = False
) -> FileHandle:
    """Return a handle of a file, for open_by_handle_at(). name_to_handle_at(2).

    Args:
        path: a path, or a descriptor.
        dir_fd: the directory that a relative path begins at.
        follow_symlinks: whether a symbolic link stands for what it points at.

    Raises:
        OSError: EOPNOTSUPP: the file system has no handles.
    """
    file = convert.path_or_descriptor(path, "name_to_handle_at")
    memory = bytearray(struct.pack("=Ii", _MAX_HANDLE_SZ, 0) + bytes(_MAX_HANDLE_SZ))
    mount_id = bytearray(4)
    if not isinstance(file, str | bytes):
        convert.refuse_beside_descriptor("name_to_handle_at", file, dir_fd)
        asking = _handle_of_descriptor(file, memory, mount_id)
    else:
        flags = _AT_SYMLINK_FOLLOW if follow_symlinks else 0
        asking = _name_to_handle_at(dir_fd, file, memory, mount_id, flags)

    def handle(_: None) -> FileHandle:
        size, handle_type = struct.unpack_from("=Ii", memory)
        content = bytes(memory[8 : 8 + size])
        return FileHandle(handle_type, content, int.from_bytes(mount_id, sys.byteorder))

    return await converted(asking, handle)


async def open_by_handle_at(mount_fd: int, handle: FileHandle, flags: int) -> int:
    """Open a file by its handle, and return the descriptor. open_by_handle_at(2).

    Args:
        mount_fd: a descriptor of anything on the handle's mount.
        handle: from name_to_handle_at().
        flags: as for open(); O_CLOEXEC is always added.

    Raises:
        PermissionError: the process hasn't CAP_DAC_READ_SEARCH.
        OSError: ESTALE: there is no such file any more.
    """
    memory: Buffer = struct.pack("=Ii", len(handle.handle), handle.handle_type) + handle.handle
    return await _open_by_handle_at(mount_fd, memory, convert.c_int(flags) | os.O_CLOEXEC)
